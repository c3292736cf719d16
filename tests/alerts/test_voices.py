"""Who may count: many people in many places make a crisis, one of them forty times does not."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.detect.policy import Dial
from alerts.detect.verdict import detect
from alerts.detect.voices import NOBODY, Excluded, Said, excess, without
from alerts.spike import Spike, Volume
from tests.alerts.crisis import DAY, START, chatter, closing, volume

NOW = START + timedelta(days=6)
USUAL = {"foro.example": 0.4, "diario.example": 0.35, "blog.example": 0.25}


def said(
    count: int,
    site: str | None,
    author: str | None = "persona {}",
    *,
    label: str = "negative",
    source: str = "fuente",
    first: int = 0,
) -> list[Said]:
    """`count` stories in half an hour; `{}` in site and author is the story's number. People are of one site, if they
    are not named.
    """
    author = f"{author} de {site}".replace("{}", "{0}") if author == "persona {}" else author

    def named(name: str | None, number: int) -> str | None:
        return None if name is None else name.format(number)

    return [
        Said(
            post_id=first + number,
            at=NOW + timedelta(minutes=30 * (number + 1) / count - 0.5),
            label=label,
            source=source,
            site=named(site, number),
            author=named(author, number),
        )
        for number in range(count)
    ]


def counted(stories: list[Said], usual: dict[str, float] = USUAL, new: tuple[str, ...] = ()) -> int:
    return len(stories) - len(excess(stories, usual, new))


def why(stories: list[Said], usual: dict[str, float] = USUAL, new: tuple[str, ...] = ()) -> Counter[str]:
    return Counter(story.why for story in excess(stories, usual, new))


# ── floods ───────────────────────────────────────────────────────────────────


def test_a_flood_from_one_site_with_invented_authors_counts_twice_at_most() -> None:
    flood = said(40, "granja.example")
    assert counted(flood) == 2
    assert why(flood) == {"one_site": 38}
    assert {story.post_id for story in excess(flood, USUAL, ())}.isdisjoint({0, 1})  # the oldest stay


def test_a_flood_from_one_author_counts_once() -> None:
    assert counted(said(40, "foro.example", "Ana")) == 1
    assert why(said(40, "foro.example", "Ana")) == {"same_author": 39}


@pytest.mark.parametrize("other", ["ANA", " ana ", "Ana"])
def test_one_author_is_one_person_however_the_name_is_written(other: str) -> None:
    assert counted([*said(1, "foro.example", "Ana"), *said(1, "foro.example", other, first=50)]) == 1


def test_twelve_complaints_of_twelve_people_on_four_sites_stay_twelve() -> None:
    complaints = [
        story for part in range(4) for story in said(3, f"sitio{part}.example", f"p{part}-{{}}", first=9 * part)
    ]
    assert counted(complaints) == 12


def test_one_author_under_twelve_sites_is_one_voice() -> None:
    assert counted(said(12, "granja{}.example", "Ana Ruiz")) == 1


def test_a_name_on_two_platforms_is_two_people() -> None:
    stories = [
        *said(1, "red.example", "ana", source="red"),
        *said(1, "otra.example", "ana", source="otra", first=10),
    ]
    assert len(excess(stories, USUAL, (), ("red", "otra"))) == 0


def test_the_same_name_in_another_tone_is_counted() -> None:
    stories = [*said(1, "foro.example", "Ana"), *said(1, "foro.example", "Ana", label="neutral", first=20)]
    assert counted(stories) == 2


@pytest.mark.parametrize(
    ("usual", "here", "there", "elsewhere", "counts"),
    [
        pytest.param({}, 40, 40, 0, 2, id="two farms, and nobody else"),
        pytest.param({}, 40, 40, 1, 3, id="two farms and somebody"),
        pytest.param({}, 20, 20, 15, 45, id="two loud sites and many others"),
        pytest.param({}, 6, 6, 6, 18, id="three sites alike"),
        pytest.param({}, 12, 3, 6, 18, id="one loud site"),
        pytest.param({"uno.example": 0.25, "dos.example": 0.25}, 6, 6, 0, 12, id="two sites of its four"),
    ],
)
def test_two_sites_alone_make_no_crisis(
    usual: dict[str, float], here: int, there: int, elsewhere: int, counts: int
) -> None:
    stories = [
        *said(here, "uno.example"),
        *said(there, "dos.example", first=200),
        *said(elsewhere, "otro{}.example", first=500),
    ]
    assert counted(stories, usual) == counts


@pytest.mark.parametrize("byline", [None, "", "  ", "Redacción", "[deleted]", "Europa Press"])
def test_a_byline_of_nobody_is_no_author(byline: str | None) -> None:
    assert counted(said(5, "sitio{}.example", byline)) == 5
    assert counted(said(2, "diario.example", byline)) == 2


def test_bylines_are_written_as_they_are_compared() -> None:
    assert all(byline == " ".join(byline.casefold().split()) and byline for byline in NOBODY)


# ── the share of a site ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("usual", "here", "elsewhere", "counts"),
    [
        (0.0, 40, 0, 2),  # two are fewer than any alarm needs
        (0.0, 40, 1, 2),
        (0.0, 40, 7, 7),  # as many as all the others together
        (0.25, 40, 7, 7),
        (0.5, 40, 7, 21),  # three quarters of all that counts
        (0.5, 20, 7, 20),
        (0.74, 100, 1, 99),
        (0.75, 100, 0, 100),  # where it is talked about anyway
        (1.0, 100, 0, 100),
        (0.0, 7, 7, 7),
        (0.0, 3, 40, 3),
    ],
)
def test_a_site_may_bring(usual: float, here: int, elsewhere: int, counts: int) -> None:
    stories = [*said(here, "uno.example"), *said(elsewhere, "otro{}.example", first=500)]
    assert counted(stories, {"uno.example": usual, "foro.example": 1 - usual}) - elsewhere == counts


def test_a_brand_with_one_source_is_not_muted() -> None:
    assert counted(said(40, "foro.example"), {"foro.example": 1.0}) == 40
    assert counted(said(40, None, source="hn"), {"hn": 1.0}) == 40  # a story without a site stands at its source
    assert counted(said(40, "foro.example"), {"diario.example": 1.0}) == 2


def test_a_site_is_the_same_however_it_is_written() -> None:
    assert (
        counted([*said(20, "Foro.example"), *said(20, "foro.example", "otra {}", first=50)], {"FORO.example": 1.0})
        == 40
    )
    assert counted([*said(20, "Foro.example"), *said(20, "foro.example", "otra {}", first=50)]) == 2


# ── new sources ──────────────────────────────────────────────────────────────


def test_a_source_that_has_just_come_in_does_not_count() -> None:
    stories = [*said(12, "nuevo{}.example", source="nueva"), *said(3, "foro{}.example", first=50)]
    assert why(stories, new=("nueva",)) == {"new_source": 12}
    assert counted(stories, new=("nueva",)) == 3
    assert counted(stories) == 15


def test_and_lends_nothing_to_the_share_of_the_others() -> None:
    stories = [*said(12, "nuevo{}.example", source="nueva"), *said(12, "uno.example", first=50)]
    assert why(stories, new=("nueva",)) == {"new_source": 12, "one_site": 10}
    assert counted(stories) == 24


# ── what is told of it ───────────────────────────────────────────────────────


def test_the_order_in_which_stories_are_handed_in_changes_nothing() -> None:
    stories = [
        *said(20, "granja.example"),
        *said(9, "foro.example", "Ana", first=30),
        *said(4, "s{}.example", first=60),
    ]
    assert excess(stories[::-1], USUAL, ()) == excess(stories, USUAL, ())
    ages = [(story.at, story.post_id) for story in excess(stories, USUAL, ())]
    assert ages == sorted(ages)


def test_nothing_said_is_nothing_left_out() -> None:
    assert excess([], USUAL, ("nueva",)) == ()


def test_a_volume_without_them() -> None:
    of = volume([3, 2], [4, 0])
    at = of.start + timedelta(minutes=4)
    gone = [Excluded(1, at, "negative", "one_site"), Excluded(2, at, "neutral", "same_author")]
    assert without(of, gone).negative == [2, 2]
    assert without(of, gone).total == [5, 2]
    assert without(of, gone).past_negative == [2, 2]
    assert without(of, gone).past_total == [5, 2]
    untold = replace(of, unknown=[1, 0])
    assert without(untold, [Excluded(3, at, "unknown", "one_site")]) == replace(untold, unknown=[0, 0], **_lists(of))


def _lists(of: Volume) -> dict[str, list[int]]:
    return {name: list(getattr(of, name)) for name in ("negative", "total", "past_negative", "past_total")}


def test_no_count_falls_below_nothing_and_what_lies_outside_is_left_alone() -> None:
    of = volume([1, 2], [0, 0])
    early, late = of.start - timedelta(minutes=1), of.start + timedelta(minutes=10)
    outside = [Excluded(1, early, "negative", "one_site"), Excluded(2, late, "negative", "one_site")]
    assert without(of, outside).negative == [1, 2]
    assert without(of, [Excluded(n, of.start, "negative", "one_site") for n in range(5)]).total == [0, 2]


# ── the verdict ──────────────────────────────────────────────────────────────


def judge(stories: list[Said], counting: list[Said]) -> Spike:
    """Six quiet days and half an hour with these stories, of which those in `counting` count."""
    bad, other = chatter(6 * DAY, 2), chatter(6 * DAY, 6, 6)
    taught = volume(bad, other)
    half_hour = [[0] * 6, [0] * 6]
    for story in stories:
        half_hour[story.label != "negative"][int((story.at - NOW).total_seconds()) // 300] += 1
    whole = volume([*bad, *half_hour[0]], [*other, *half_hour[1]])
    ids = {story.post_id for story in counting}
    left_out = [
        Excluded(story.post_id, story.at, story.label, "one_site") for story in stories if story.post_id not in ids
    ]
    memory = detect(None, taught, closing(taught), Dial()).memory
    day = replace(
        whole,
        start=whole.start + timedelta(days=5),
        **{
            name: list(getattr(whole, name))[5 * DAY :]
            for name in ("negative", "total", "unknown", "past_negative", "past_total", "coverage")
        },
    )
    return detect(memory, without(day, left_out), closing(whole), Dial()).spike


def verdicts(stories: list[Said], usual: dict[str, float] = USUAL) -> tuple[str, str]:
    """With all stories, and with those that count."""
    gone = {story.post_id for story in excess(stories, usual, ())}
    return (
        judge(stories, stories).verdict,
        judge(stories, [story for story in stories if story.post_id not in gone]).verdict,
    )


def test_a_flood_fakes_no_crisis() -> None:
    assert verdicts(said(40, "granja.example")) == ("critical", "calm")
    assert verdicts(said(40, "granja.example", "Ana")) == ("critical", "calm")


def test_a_platform_is_many_people_in_one_place() -> None:
    crowd = [Said(n, START + timedelta(seconds=n), "negative", "hn", "news.example", f"alguien{n}") for n in range(40)]
    assert excess(crowd, {}, (), {"hn"}) == ()
    assert len(excess(crowd, {}, (), ())) == 38, "elsewhere the site may have invented them"


@pytest.mark.parametrize(
    ("sites", "out"),
    [
        ([f"s{n}.granja.example" for n in range(12)], 10),
        ([f"s{n}.granja.com.mx" for n in range(12)], 10),
        ([f"s{n}.com.mx" for n in range(12)], 0),
        ([f"autor{n}.blogspot.com" for n in range(12)], 0),
    ],
)
def test_subdomains_are_one_site_unless_others_own_them(sites: list[str], out: int) -> None:
    told = [Said(n, START + timedelta(seconds=n), "negative", "web", site, f"a{n}") for n, site in enumerate(sites)]
    assert len(excess(told, {}, ())) == out


def test_a_crisis_told_by_many_is_one() -> None:
    people = [story for part in range(4) for story in said(3, f"sitio{part}.example", f"p{part}-{{}}", first=9 * part)]
    assert verdicts(people) == ("critical", "critical")
    assert verdicts(said(12, "foro.example"), {"foro.example": 1.0}) == ("critical", "critical")


def test_a_flood_of_harmless_posts_hides_none() -> None:
    """By all that is said the day is loud and as negative as always; by what counts it is a crisis."""
    people = [story for part in range(4) for story in said(2, f"sitio{part}.example", f"p{part}-{{}}", first=9 * part)]
    flood = said(200, "granja.example", label="neutral", first=500)
    assert verdicts(people)[1] in ("warning", "critical")
    drowned, heard = verdicts([*people, *flood])
    assert (drowned, heard != "calm") == ("calm", True)


def test_stories_of_unknown_tone_are_no_voices_for_or_against() -> None:
    unknown = said(40, "granja.example", label="unknown", first=500)
    assert counted([*said(4, "sitio{}.example"), *unknown]) == 4 + 2


def test_times_in_another_zone_are_the_same_times() -> None:
    of = volume([1], [0])
    at = datetime(2026, 11, 1, 1, 2, tzinfo=UTC).astimezone(UTC) - timedelta(hours=1)
    assert without(of, [Excluded(1, at.astimezone(), "negative", "one_site")]).negative == [0]
