"""From posts to rows: whom they mention, in which tone, and what may alert. Pure: no database, no clock."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.model import Brand
from app.pipeline.digest import Digest, Watched, keyed
from app.sentiment.grave import grave_terms
from app.storage.changes import digest_of
from app.storage.records import CollectedPost, KnownPost
from app.story import bands
from collectors.base import Page, Post, Source
from collectors.rss import Rss
from tests.app.pipeline.far_end import ANGRY, ANGRY_ES, languages, scorer

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
AURORA, BREZO = Brand(1, "aurora", "Aurora", "aurora"), Brand(2, "brezo", "Brezo", "brezo")
SOURCE = Source(7, "barrio", "Barrio", "rss", "https://www.barrio.example/feed", first_ok_at=NOW - timedelta(days=3))


def post(text: str = "Hoy abre Aurora", **fields: Any) -> Post:
    return Post(**{"id": "1", "title": "", "text": text, "published_at": NOW - timedelta(minutes=5)} | fields)


def digested(
    *posts: Post,
    brands: Sequence[Brand] = (AURORA, BREZO),
    source: Source = SOURCE,
    known: Mapping[bytes, KnownPost] | None = None,
) -> list[CollectedPost]:
    digest = Digest(Watched.compile(brands), languages(), scorer())
    return digest.rows(source, keyed("rss:barrio", posts), known or {}, NOW)


def only(*posts: Post, **fields: Any) -> CollectedPost:
    (row,) = digested(*posts, **fields)
    return row


def known_as(one: Post, *brand_ids: int, **fields: Any) -> dict[bytes, KnownPost]:
    """What storage says of this post, which it has."""
    said = digest_of(one.title, one.text, reply=one.reply)
    return {key_of(one): KnownPost(5, frozenset(brand_ids), SOURCE.id, said, **fields)}


def key_of(one: Post) -> bytes:
    (key,) = keyed("rss:barrio", [one])
    return key


# ── whom it mentions ─────────────────────────────────────────────────────────


def test_one_post_mentions_two_brands_and_is_heard_once() -> None:
    row = only(post("Aurora y Brezo se fusionan"))
    assert set(row.sentiments) == {1, 2}
    assert row.sentiments[1] is row.sentiments[2]


def test_a_post_that_mentions_nobody_is_kept_as_a_post() -> None:
    assert only(post("Llueve en el puerto")).sentiments == {}


def test_a_source_speaks_only_of_the_brands_it_is_asked_for() -> None:
    both = post("Aurora y Brezo se fusionan")
    assert set(only(both, source=replace(SOURCE, brands=("brezo",))).sentiments) == {2}
    assert set(only(both, source=replace(SOURCE, brands=("archived",))).sentiments) == set()


def test_a_search_is_told_the_terms_of_its_brands() -> None:
    watched = Watched.compile([AURORA, BREZO])
    assert {query.brand for query in watched.queries(SOURCE)} == {"aurora", "brezo"}
    (query,) = watched.queries(replace(SOURCE, brands=("brezo", "archived")))
    assert (query.brand, query.terms) == ("brezo", ("brezo",))


def test_the_title_of_a_reply_is_somebody_elses_words() -> None:
    title = "Aurora is awful, horrible and the worst company that I know"
    reply = only(post("I quite disagree, they were lovely and kind to me.", title=title, reply=True))
    assert reply.sentiments == {}
    spoken = only(post("I think that aurora was lovely and kind to me.", title=title, reply=True))
    assert spoken.sentiments[1].label == "positive"
    itself = only(post("I think that aurora was there.", title=title))
    assert itself.sentiments[1].label == "negative"  # the control: a title of one's own counts


def test_a_field_of_the_query_sees_site_author_and_source() -> None:
    on_site = replace(AURORA, query="aurora site:noticias.example")
    linked = post(url="https://www.noticias.example/1")
    assert only(linked, brands=[on_site]).site == "noticias.example"
    assert only(linked, brands=[on_site]).sentiments
    assert not only(post(), brands=[on_site]).sentiments
    assert only(post()).site == "barrio.example"


def test_a_query_that_cannot_be_read_any_more_costs_its_own_brand_only(caplog: pytest.LogCaptureFixture) -> None:
    broken = Brand(3, "rota", "Rota", '"aurora')
    row = only(post("Aurora y Brezo y Rota"), brands=[AURORA, broken])
    assert set(row.sentiments) == {1}
    assert "brand rota is not listened for" in caplog.text
    assert Watched.compile([broken]).queries(SOURCE) == ()


# ── what was stored before ───────────────────────────────────────────────────


def test_a_known_post_does_not_come_back() -> None:
    seen = post()
    assert digested(seen, known=known_as(seen, 1)) == []


def test_a_known_post_that_mentions_nobody_does_not_come_back() -> None:
    seen = post("Llueve en el puerto")
    assert digested(seen, known=known_as(seen)) == []


def test_a_known_post_comes_back_for_a_new_brand_only_and_is_no_news() -> None:
    seen = post("Aurora y Brezo se fusionan")
    row = only(seen, known=known_as(seen, 1))
    assert set(row.sentiments) == {2}
    assert row.backfill
    assert not only(seen).backfill  # the control: a new one is news


def test_a_known_post_comes_back_when_it_says_something_else() -> None:
    seen = post("Aurora abre", title="Hoy")
    for same in (post("Aurora  abre\n", title=" Hoy"), post("", title="")):
        assert digested(same, known=known_as(seen, 1)) == []
    row = only(post("Aurora cierra", title="Hoy"), known=known_as(seen, 1))
    assert (row.post.text, row.sentiments) == ("Aurora cierra", {}), "its mention is heard again by the hear walk"
    assert set(only(post("Aurora y Brezo cierran"), known=known_as(seen, 1)).sentiments) == {2}


def test_of_a_reply_only_its_own_words_are_an_edit() -> None:
    seen = post("Aurora abre", title="El hilo", reply=True)
    assert digested(replace(seen, title="El hilo (resuelto)"), known=known_as(seen, 1)) == []


def test_another_source_edits_nothing() -> None:
    known = known_as(post("Aurora abre"), 1)
    other = post("Aurora cierra", engagement={"likes": 3})
    assert only(other, known=known).post.text == "Aurora cierra"  # the control
    assert digested(replace(other, engagement={}), known=known, source=replace(SOURCE, id=8)) == []
    assert only(other, known=known, source=replace(SOURCE, id=8)).post.engagement == {"likes": 3}, "counts are counts"


@pytest.mark.parametrize(
    ("now", "comes"),
    [
        ({"engagement": {"likes": 5}}, True),
        ({"engagement": {"likes": 4}}, False),
        ({"engagement": {}}, False),
        ({"engagement": {"shares": 0}}, True),
        ({"reach": 900}, True),
        ({"reach": None}, False),
        ({"rating": 2}, True),
        ({"rating": None}, False),
    ],
)
def test_a_known_post_comes_back_when_it_counts_something_else(now: dict[str, Any], comes: bool) -> None:
    seen = post()
    known = known_as(seen, 1, engagement={"likes": 4}, reach=800, rating=1)
    assert bool(digested(replace(seen, **{"rating": 1} | now), known=known)) is comes


def test_what_was_taken_back_never_comes_back() -> None:
    seen = post("Aurora y Brezo cierran", engagement={"likes": 9})
    assert digested(seen, known=known_as(post(), 1, withdrawn=True)) == []


# ── what becomes of it ───────────────────────────────────────────────────────


class Asked:
    """A kind that can be asked by id."""

    kind = "asked"
    knows_authors = True
    recount_batch = 10

    def check(self, source: Source) -> None: ...
    def namespace(self, source: Source) -> str:
        return self.kind

    def recount(self, source: Source, ids: tuple[str, ...], now: datetime) -> httpx.Request:
        raise NotImplementedError

    def recounted(self, source: Source, ids: tuple[str, ...], response: httpx.Response) -> Page:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("age", "looked_at_after"),
    [
        (timedelta(minutes=5), timedelta(hours=1)),
        (timedelta(hours=1), timedelta(hours=6)),
        (timedelta(hours=23), timedelta(days=1)),
        (timedelta(days=3), timedelta(days=7)),
        (timedelta(days=7), None),
        (timedelta(days=400), None),
    ],
)
def test_a_mention_is_looked_at_again_later_and_later(
    monkeypatch: pytest.MonkeyPatch, age: timedelta, looked_at_after: timedelta | None
) -> None:
    monkeypatch.setattr("app.pipeline.digest.KINDS", {"asked": Asked(), "rss": Rss()})
    asked = replace(SOURCE, kind="asked")
    at = NOW - age
    row = only(post(id="77", published_at=at), source=asked)
    due = None if looked_at_after is None else at + looked_at_after
    assert (row.recount_at, row.external_id) == (due, "77" if due else None)
    assert only(post("Llueve", published_at=at), source=asked).recount_at is None, "nobody's mention"
    assert only(post(published_at=at)).recount_at is None, "a feed cannot be asked by id"


# ── stars ────────────────────────────────────────────────────────────────────


def test_stars_are_heard_beside_the_words() -> None:
    words = "Uso Aurora todos los días en el trabajo."
    heard, angry = only(post(words)).sentiments[1], only(post(words, rating=1)).sentiments[1]
    assert angry.score is not None
    assert heard.score is not None
    assert angry.score < heard.score
    assert angry.components["stars"] < 0
    russian = "Пользуюсь каждый день на работе и дома, Aurora"
    assert only(post(russian)).sentiments[1].label == "unknown"
    assert only(post(russian, rating=5)).sentiments[1].label == "positive", "the stars alone decide"


def test_of_two_posts_with_one_id_the_first_stands() -> None:
    row = only(post("Aurora abre"), post("Aurora cierra"))
    assert row.post.text == "Aurora abre"


def test_a_key_is_its_namespace_and_id_and_bears_any_character() -> None:
    assert key_of(post()) == hashlib.blake2b(b"rss:barrio\x001", digest_size=16).digest()
    assert len(keyed("rss:a", [post(id="\ud800")]).popitem()[0]) == 16
    assert keyed("rss:a", [post()]).keys() != keyed("rss:b", [post()]).keys()


# ── when it was said, and whether that may alert ─────────────────────────────


@pytest.mark.parametrize(
    ("claimed", "stored"),
    [
        (None, NOW),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), NOW),
        (NOW + timedelta(days=400), NOW),
        (NOW - timedelta(hours=3), NOW - timedelta(hours=3)),
        (datetime(1990, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)),
    ],
    ids=["undated", "the epoch", "year one", "future", "recent", "as old as the web"],
)
def test_the_time_of_a_post_is_what_it_claims_within_reason(claimed: datetime | None, stored: datetime) -> None:
    row = only(post(published_at=claimed))
    assert row.published_at == stored
    assert row.claimed_at == claimed


@pytest.mark.parametrize(("age_h", "backfill"), [(0, False), (23.9, False), (24, False), (24.1, True), (900, True)])
def test_what_comes_late_is_backfill(age_h: float, backfill: bool) -> None:
    assert only(post(published_at=NOW - timedelta(hours=age_h))).backfill is backfill


def test_what_a_source_holds_on_its_first_run_is_backfill() -> None:
    assert only(post(), source=replace(SOURCE, first_ok_at=None)).backfill
    assert not only(post()).backfill


# ── its tone ─────────────────────────────────────────────────────────────────


def test_spanish_anger_is_negative() -> None:
    tone = only(post(ANGRY_ES.format(name="Aurora", number=3))).sentiments[1]
    assert (tone.label, tone.language) == ("negative", "es")
    assert tone.probabilities is not None


def test_a_language_that_nobody_hears_is_unknown_and_never_neutral() -> None:
    row = only(post("Aurora 今日は新しい店を開きました。とても静かな朝です。"))
    tone = row.sentiments[1]
    assert (tone.label, tone.score, tone.probabilities) == ("unknown", None, None)


def test_english_anger_is_negative() -> None:
    row = only(post(ANGRY.format(name="Aurora", number=3)))
    tone = row.sentiments[1]
    assert (tone.label, tone.language, row.language) == ("negative", "en", "en")
    assert tone.score is not None
    assert tone.score < 0


def test_the_language_of_the_post_goes_before_that_of_its_source() -> None:
    short = "Aurora no"
    assert only(post(short), source=replace(SOURCE, language="es")).language == "es"
    assert only(post(short, language="en"), source=replace(SOURCE, language="es")).language == "en"


def test_a_text_too_short_to_tell_is_in_the_language_of_its_brands_if_they_share_one() -> None:
    english = replace(AURORA, language="en")
    assert only(post("Aurora no"), brands=[english]).language == "en"
    assert only(post("Aurora no"), brands=[english], source=replace(SOURCE, language="es")).language == "es"
    both = only(post("Aurora Brezo"), brands=[english, BREZO])
    assert (both.language, both.sentiments[1].label) == (None, "unknown")


def test_copies_share_a_story_and_short_texts_of_two_people_do_not() -> None:
    long = ANGRY.format(name="Aurora", number=3)
    assert only(post(long, id="1")).text_hash == only(post(long, id="2", url="https://otro.example/x")).text_hash
    assert only(post(author="ana")).text_hash != only(post(author="eva")).text_hash


def test_a_reply_is_the_same_story_whatever_thread_it_answers() -> None:
    long = ANGRY.format(name="Aurora", number=3)
    one, other = (post(long, title=title, reply=True) for title in ("Where to eat?", "Lunch in town"))
    assert only(one).text_hash == only(other).text_hash
    assert only(replace(one, reply=False)).text_hash != only(replace(other, reply=False)).text_hash


# ── near copies and grave terms ──────────────────────────────────────────────

LONG = (
    "Aurora ha cerrado esta mañana su tienda del puerto después de que varios clientes denunciaran una intoxicación. "
    "La empresa dice que colabora con la inspección y que devolverá el dinero."
)


def test_a_mention_says_where_its_near_copies_are_looked_for() -> None:
    row = only(post(LONG))
    assert row.bands == bands("", LONG) != ()
    assert only(post(LONG, title="Aurora cierra")).bands == bands("Aurora cierra", LONG) != row.bands
    assert only(post(LONG, title="El hilo de otro", reply=True)).bands == row.bands
    assert only(post()).bands == (), "four words are nobody's copy"


def test_what_mentions_nobody_is_compared_with_nothing() -> None:
    row = only(post(LONG), brands=[BREZO])
    assert (row.sentiments, row.bands, row.grave) == ({}, (), ())


def test_what_was_stored_before_is_no_copy_of_what_came_later() -> None:
    seen = post(LONG)
    row = only(seen, known=known_as(seen))
    assert row.sentiments
    assert row.bands == ()


def test_grave_terms_are_told_in_the_language_that_was_heard() -> None:
    row = only(post(LONG))
    assert row.grave == grave_terms(LONG, "es") != ()
    assert only(post("Aurora abre una tienda en el puerto y regala flores")).grave == ()
    title = "Intoxicación en Aurora"
    assert only(post("Estuvimos en Aurora y todo bien.", title=title)).grave != ()
    assert only(post("Estuvimos en Aurora y todo bien.", title=title, reply=True)).grave == (), "somebody else's words"
