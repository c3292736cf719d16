"""Who may count: a crisis is many people in many places, not one of them forty times.

    stories of the window -> new sources out -> one story a person -> no site above its share -> what does not count

The detector is asked again without what does not count, from the same memory. A source that has just been added, one
busy author and one site with invented authors fake no crisis then; and a flood of harmless posts, which would pass for
a loud day, hides none.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from alerts.spike import BIN_S, Volume

Why = Literal["same_author", "one_site", "new_source", "settled", "other_crisis"]

AT_LEAST = 2
"""So many stories of a site count, however few the other sites bring: fewer than any alarm needs."""
MOST = 0.5
MOST_OF_TWO = 2 / 3
"""What two sites bring together is confirmed by half as much from elsewhere."""
HABIT = 0.25
"""A site may bring so much more than its usual share before it is capped."""

# Bylines behind which there is no one person: whoever signs so may write as often as it happens.
_BYLINES = """
admin, administrador, administrator, editor, editorial, news desk, newsroom, staff, the editors,
la redacción, la redazione, redaccion, redacción, redação, redaktion, redazione, rédaction,
afp, agencia efe, agencias, agencies, agências, agenzia, ansa, ap, associated press, dpa, efe, europa press, reuters,
anonimo, anonymous, anonyme, anónimo, anônimo, desconocido, [deleted], gast, guest, invitado, invité, ospite, unknown
"""
NOBODY = frozenset(byline.strip() for byline in _BYLINES.split(","))


# Below these, other people have their names: com.mx, co.uk, a blog of somebody's on blogspot.com.
_SHARED = frozenset(
    (
        *("ac", "co", "com", "edu", "gob", "gov", "gub", "net", "nom", "org"),
        *("blogspot", "ghost", "medium", "substack", "tumblr", "wordpress"),
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """One story of the window; its copies are not in it. `label` is its tone, unknown included.

    `site` is where it stands (a domain), or None: then its source is the place.
    """

    post_id: int
    at: datetime
    label: str
    source: str
    site: str | None
    author: str | None


@dataclass(frozen=True, slots=True)
class Excluded:
    """A story that does not count, and why."""

    post_id: int
    at: datetime
    label: str
    why: Why


def excess(
    said: Sequence[Said],
    usual_sites: Mapping[str, float],
    new_sources: Collection[str],
    platforms: Collection[str] = (),
) -> tuple[Excluded, ...]:
    """The stories that do not count, oldest first.

    `usual_sites` is each site's share of the brand's stories, 0..1, of the time before the window (28 days);
    `new_sources` are those that came in less than a day ago; `platforms` are sources where many people speak in one
    place that knows who they are (elsewhere an author is what the site says), and those that the operator vouches for.
    In this order:

    * new_source: what they bring was said before too, only that nobody listened.
    * same_author: of a person's stories only the first of each label counts. One name is one person, on whatever sites
      it stands; on platforms it is one person there.
    * one_site: a site brings at most as much as all others together, and 2 in any case. Where the brand is talked
      about anyway it may bring its usual share and a quarter more of all that counts; from three quarters on there is
      no cap, and on platforms there is none. The newest beyond it do not count. Negative stories, those of other
      tones, and those of unknown tone are capped each for themselves. Subdomains are one site. The two loudest sites
      together bring at most twice what all others do, or what is usual for both, and a quarter more for each.
    """
    left: list[Said] = []
    excluded: list[Excluded] = []
    authors: set[tuple[str, str, str]] = set()
    for story in sorted(said, key=lambda story: (story.at, story.post_id)):
        author = _person(story)
        who = (_place(story) if story.source in platforms else "", author or "", story.label)
        if story.source in new_sources:
            excluded.append(_excluded(story, "new_source"))
        elif author and who in authors:
            excluded.append(_excluded(story, "same_author"))
        else:
            authors.add(who)
            left.append(story)
    groups: defaultdict[str, list[Said]] = defaultdict(list)
    for story in left:
        groups[story.label if story.label in ("negative", "unknown") else "other"].append(story)
    for group in groups.values():
        excluded += (_excluded(story, "one_site") for story in _beyond(group, usual_sites, platforms))
    return tuple(sorted(excluded, key=lambda story: (story.at, story.post_id)))


def without(volume: Volume, excluded: Sequence[Excluded]) -> Volume:
    """The volume as if these stories had not been told. No count falls below 0; what lies outside is left alone."""
    negative, total, unknown = Counter[int](), Counter[int](), Counter[int]()
    start = int(volume.start.timestamp()) // BIN_S
    for story in excluded:
        bin = int(story.at.timestamp()) // BIN_S - start
        (unknown if story.label == "unknown" else total)[bin] += 1
        negative[bin] += story.label == "negative"
    return replace(
        volume,
        negative=_less(volume.negative, negative),
        total=_less(volume.total, total),
        unknown=_less(volume.unknown, unknown),
        past_negative=_less(volume.past_negative, negative),
        past_total=_less(volume.past_total, total),
    )


def forgotten(volume: Volume, until: datetime) -> Volume:
    """The volume as if nothing negative had been told in the bins before `until`."""
    first = max(0, int(until.timestamp()) // BIN_S - int(volume.start.timestamp()) // BIN_S)
    kept = [0] * min(first, len(volume.negative)) + list(volume.negative[first:])
    total = [many - was + is_ for many, was, is_ in zip(volume.total, volume.negative, kept, strict=True)]
    return replace(volume, negative=kept, total=total)


def _place(story: Said) -> str:
    return _domain(story.site or story.source)


def _domain(site: str) -> str:
    """`a.b.example.com` -> `example.com`, `x.example.com.mx` -> `example.com.mx`: whoever has one has all below it."""
    labels = site.casefold().split(".")
    return ".".join(labels[-3 if len(labels) > 2 and labels[-2] in _SHARED else -2 :])


def _person(story: Said) -> str | None:
    author = " ".join((story.author or "").casefold().split())
    return None if author in NOBODY else author or None


def _excluded(story: Said, why: Why) -> Excluded:
    return Excluded(story.post_id, story.at, story.label, why)


def _beyond(stories: Sequence[Said], usual_sites: Mapping[str, float], platforms: Collection[str]) -> list[Said]:
    """What the loudest site, then the two loudest ones, bring beyond what is believed of them."""
    beyond: list[Said] = []
    for sites, most in ((1, MOST), (2, MOST_OF_TWO)):
        left = [story for story in stories if story not in beyond]
        beyond += _beyond_of(sites, most, left, usual_sites, platforms)
    return beyond


def _beyond_of(
    sites: int, most: float, stories: Sequence[Said], usual_sites: Mapping[str, float], platforms: Collection[str]
) -> list[Said]:
    """The newest stories of the so many loudest sites, of each those beyond one and the same number."""
    by_site: defaultdict[str, list[Said]] = defaultdict(list)
    for story in stories:
        if story.source not in platforms:
            by_site[_place(story)].append(story)
    loudest = sorted(by_site, key=lambda site: -len(by_site[site]))[:sites]
    usual = sum(share for name, share in usual_sites.items() if _domain(name) in loudest)
    part = max(most, usual + HABIT * sites)
    if len(loudest) < sites or part >= 1:
        return []
    counts = [len(by_site[site]) for site in loudest]
    # x of x + others is `part`; the little more keeps 2/3 of 9 from becoming 5.999.
    believed = max(AT_LEAST + sites - 1, int(part / (1 - part) * (len(stories) - sum(counts)) + 1e-9))
    each = next(each for each in range(max(counts), -1, -1) if sum(min(each, count) for count in counts) <= believed)
    return [story for site in loudest for story in by_site[site][each:]]


def _less(counts: Sequence[int], by_bin: Mapping[int, int]) -> list[int]:
    return [max(0, count - by_bin.get(bin, 0)) for bin, count in enumerate(counts)]
