"""Why was this not a mention? For every cause a world in which it is the true one, on SQLite and on PostgreSQL."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.detect.voices import Excluded
from app.language import Languages
from app.pipeline.explain import Answer, Cause, Explain, Reach
from app.pipeline.inbox import Inbox
from app.sentiment import make_scorer
from app.storage import Storage, changes
from app.storage.records import Judged, PutSource, Verdict
from collectors.base import Source
from tests.app.pipeline.far_end import ANGRY, HandClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCORER = make_scorer(("es", "en"), "fast")
LANGUAGES = Languages(("es", "en"))
HERE = "https://diario.example/1"
Desk = Any


@dataclass
class Curious:
    """Tells inboxes, and asks why."""

    storage: Storage
    desk: Desk
    clock: HandClock

    def source(self, slug: str, kind: str, url: str, *brands: str) -> None:
        self.storage.apply([PutSource(Source(0, slug, slug.title(), kind, url, brands=brands))], self.clock.now)

    def inbox(self, slug: str = "diario", *brands: str) -> None:
        self.source(slug, "inbox", f"https://{slug}.example/", *brands)

    def tell(self, text: str, slug: str = "diario", **fields: Any) -> int | None:
        item = {"id": fields.get("url", text), "text": text, "published_at": self.clock.now, "url": HERE} | fields
        history = item.pop("history", False)
        inbox = Inbox(self.storage, ("es", "en"), SCORER)
        (taken,) = inbox.take(self.desk.seen(slug), [item], self.clock.now, history=history)
        return taken.post_id

    def reach(self, **narrower: Any) -> Reach:
        sources = self.storage.sources.all()
        whole = Reach(
            brands=self.storage.brands.all(),
            sources=sources,
            quarantines=frozenset(source.slug for source in sources),
            every=True,
        )
        return replace(whole, **narrower)

    def who(self, **narrower: Any) -> Explain:
        return Explain(self.storage, LANGUAGES, SCORER, self.reach(**narrower), self.clock.now)

    def ask(self, url: str = HERE, **narrower: Any) -> Answer:
        (answer,) = self.who(**narrower).url(url).answers
        return answer

    def ask_text(self, text: str) -> Answer:
        (answer,) = self.who().text(text).answers
        return answer

    def cause(self, url: str = HERE) -> Cause:
        return self.ask(url).causes[0]


@pytest.fixture
def it(storage: Storage, desk: Desk, clock: HandClock) -> Curious:
    return Curious(storage, desk, clock)


def codes(answer: Answer) -> list[str]:
    return [cause.code for cause in answer.causes]


def withdraw(it: Curious) -> None:
    with it.storage._database.write() as connection:
        keys = [bytes(key) for (key,) in connection.exec_driver_sql("SELECT dedupe_key FROM posts")]
        changes.withdraw(connection, keys, it.clock.now)


# ── it was never fetched ─────────────────────────────────────────────────────


def test_no_source_stands_on_that_site(it: Curious) -> None:
    it.desk.brand()
    it.inbox("otro")
    cause = it.cause()
    assert (cause.code, cause.facts) == ("no_source", {"sources": 1})


def test_the_source_that_would_have_it_is_silent(it: Curious) -> None:
    it.desk.brand()
    it.source("diario", "rss", "https://www.diario.example/rss")
    it.clock.now += DAY
    cause = it.cause()
    assert (cause.code, cause.facts["source"], cause.facts["state"]) == ("source_down", "diario", "silent")
    assert "is silent and was never heard" in cause.words


def test_the_source_is_well_and_never_showed_it(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Aurora", url="https://diario.example/2")
    assert it.cause().code == "not_in_source"


def test_it_could_not_be_read(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    assert it.tell("Aurora", rating=9) is None
    cause = it.cause()
    assert (cause.code, cause.facts["source"]) == ("quarantined", "diario")
    assert "rating: must be a whole number from 1 to 5" in cause.words
    assert codes(it.ask(quarantines=frozenset())) == ["not_in_source"]
    assert it.cause(f"{HERE}?utm_medium=x").code == "quarantined"
    assert [it.cause(f"{HERE}{more}").code for more in ("0", "/2")] == ["not_in_source"] * 2


# ── it was fetched ───────────────────────────────────────────────────────────


def test_its_source_is_not_read_for_the_brand(it: Curious) -> None:
    it.desk.brand()
    it.desk.brand("boreal")
    it.inbox("diario", "boreal")
    it.tell("Aurora y Boreal")
    first, second = it.who().url(HERE).answers
    assert (first.brand, codes(first)) == ("aurora", ["other_source"])
    assert (second.brand, codes(second)) == ("boreal", ["mention"])


def test_no_clause_of_the_query_is_in_it_and_it_names_the_nearest(it: Curious) -> None:
    it.desk.brand("aurora", '("cafe aurora" AND madrid) OR boreal')
    it.inbox()
    it.tell("En Madrid hay un Café Aroura nuevo")
    cause = it.cause()
    assert cause.code == "no_match"
    assert cause.facts["has"] == ["madrid"]
    assert cause.facts["lacks"] == ['"cafe aurora"']
    assert cause.facts["alike"] == {"aurora": "aroura"}


def test_an_exclusion_kills_it_and_it_names_the_words(it: Curious) -> None:
    it.desk.brand("aurora", "aurora -(boreal OR polar)")
    it.inbox()
    it.tell("Una aurora Boreal en Tromsø")
    cause = it.cause()
    assert (cause.code, cause.facts) == ("excluded", {"clauses": [{"clause": "boreal", "said": ["Boreal"]}]})


@pytest.mark.parametrize(
    ("wanted", "clause"),
    [
        ("aurora lang:en", "lang:en"),
        ("aurora site:periodico.example", "site:periodico.example"),
        ("aurora -site:diario.example", "site:diario.example"),
        ("(aurora OR boreal) AND (source:radio OR source:tele)", "source:radio"),
    ],
)
def test_a_filter_of_the_query_kills_it(it: Curious, wanted: str, clause: str) -> None:
    it.desk.brand("aurora", wanted)
    it.inbox()
    it.tell("La cafetería Aurora abre mañana otra vez sus puertas en el centro de la ciudad")
    cause = it.cause()
    assert cause.code == "filtered"
    assert clause in cause.facts["clauses"]
    assert cause.facts["language"] == "es"


def test_it_was_stored_before_the_query_asked_for_it(it: Curious) -> None:
    it.desk.brand("aurora", "boreal")
    it.inbox()
    it.tell("Aurora abre")
    it.clock.now += HOUR
    it.desk.brand("aurora", "aurora")
    assert it.cause().code == "before_query"
    assert "before the query as it is now" in it.cause().words


def test_it_was_stored_before_the_brand_was_made(it: Curious) -> None:
    it.inbox()
    it.tell("Aurora abre")
    it.clock.now += HOUR
    it.desk.brand()
    assert "before the brand" in it.cause().words


def test_its_author_took_it_back(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Aurora abre")
    withdraw(it)
    answer = it.ask()
    assert (answer.mentioned, codes(answer)) == (True, ["mention", "withdrawn"])


def test_a_post_that_mentions_nobody_and_was_taken_back(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Llueve")
    withdraw(it)
    assert codes(it.ask()) == ["withdrawn"]


def test_of_a_post_that_was_taken_back_it_speaks_for_the_brand_alone(it: Curious) -> None:
    it.desk.brand()
    it.desk.brand("brisa", "brisa")
    it.inbox()
    it.tell("Aurora abre")
    withdraw(it)
    told = {answer.brand: answer.causes[-1].words for answer in it.who().url(HERE).answers}
    assert "and the mention still counts" in told["aurora"]
    assert "it is no mention of brisa" in told["brisa"]


def test_a_brand_whose_query_cannot_be_read_hears_nothing(it: Curious) -> None:
    it.desk.brand("aurora", "aurora AND (")
    it.inbox()
    it.tell("Aurora abre")
    assert codes(it.ask()) == ["unread_query"]


# ── it is a mention ──────────────────────────────────────────────────────────


def test_it_is_a_mention_with_its_tone_and_its_bins(it: Curious, now: datetime) -> None:
    it.desk.brand()
    it.inbox()
    it.tell(ANGRY.format(name="Aurora", number=1), published_at=now - timedelta(minutes=7))
    answer = it.ask()
    assert (answer.mentioned, codes(answer)) == (True, ["mention"])
    facts = answer.causes[0].facts
    assert (facts["label"], facts["language"], facts["copy"], facts["backfill"]) == ("negative", "en", False, False)
    assert facts["evidence"]
    assert facts["bins"] == [
        {"start": now - timedelta(minutes=10), "width_s": 300},
        {"start": now - HOUR, "width_s": 3600},
    ]


def test_it_is_a_copy_of_the_first(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.inbox("eco")
    first = it.tell(ANGRY.format(name="Aurora", number=1))
    it.tell(ANGRY.format(name="Aurora", number=1), "eco", url="https://eco.example/9")
    answer = it.ask("https://eco.example/9")
    assert codes(answer) == ["mention", "copy"]
    assert answer.causes[1].facts["post_id"] == str(first)
    assert answer.causes[1].facts["url"] == HERE


@pytest.mark.parametrize(
    ("age", "how", "why"),
    [(3 * DAY, {}, "late"), (HOUR, {"history": True}, "first_run")],
)
def test_it_is_history_and_it_says_why(it: Curious, age: timedelta, how: dict[str, bool], why: str) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Aurora abre", published_at=it.clock.now - age, **how)
    answer = it.ask()
    assert codes(answer) == ["mention", "backfill"]
    assert answer.causes[1].facts["why"] == why


def test_it_is_history_where_the_query_came_later(it: Curious) -> None:
    it.desk.brand("aurora", "boreal")
    it.inbox()
    it.tell("Aurora abre")
    it.desk.brand("aurora", "aurora")
    it.tell("Aurora abre")
    assert it.ask().causes[1].facts["why"] == "later_query"


def test_a_verdict_left_it_out_and_says_why(it: Curious, now: datetime) -> None:
    brand = it.desk.brand()
    it.inbox()
    post_id = it.tell("Aurora abre")
    assert post_id is not None
    verdict = Verdict(
        now + HOUR,
        now + HOUR,
        post_id,
        "calm",
        "usual",
        0.0,
        excluded=(Excluded(post_id, now, "neutral", "same_author"),),
    )
    it.storage.watches.save(Judged(brand.id, now + HOUR, {"verdict": "calm"}, (), verdict=verdict), now + HOUR)
    it.clock.now += DAY
    answer = it.ask()
    assert codes(answer) == ["mention", "not_counted"]
    assert answer.causes[1].facts == {"why": "same_author", "verdict_at": now + HOUR}


# ── how it is found ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "spelt",
    ["http://diario.example/1", "https://www.diario.example/1/", "https://diario.example/1?utm_source=boletin"],
)
def test_an_address_is_found_however_it_is_spelt(it: Curious, spelt: str) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Aurora abre")
    assert it.ask(spelt).mentioned


@pytest.mark.parametrize("address", ["", "aurora", "ftp://diario.example/1", "https://", "javascript:alert(1)"])
def test_what_is_no_address_is_refused(it: Curious, address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        it.who().url(address)


def test_a_post_from_before_addresses_were_hashed_is_found_by_its_site(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Aurora abre")
    with it.storage._database.write() as connection:
        connection.exec_driver_sql("UPDATE posts SET url_hash = NULL")
    assert it.ask().mentioned


def test_a_text_is_found_by_what_it_says(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell(ANGRY.format(name="Aurora", number=1))
    assert it.ask_text(ANGRY.format(name="AURORA", number=1).upper()).mentioned


def test_a_text_that_is_not_stored_is_matched_and_heard(it: Curious) -> None:
    it.desk.brand("aurora", "aurora -boreal site:diario.example")
    would = it.ask_text(ANGRY.format(name="Aurora", number=1))
    assert (would.mentioned, codes(would)) == (False, ["would_match", "not_stored"])
    assert (would.causes[0].facts["label"], would.causes[0].facts["language"]) == ("negative", "en")
    assert codes(it.ask_text("Una aurora boreal")) == ["excluded", "not_stored"]
    assert codes(it.ask_text("Llueve")) == ["no_match", "not_stored"]


# ── what is not to be known ──────────────────────────────────────────────────


def test_nothing_shows_of_a_source_that_feeds_others_only(it: Curious) -> None:
    aurora = it.desk.brand()
    it.desk.brand("boreal")
    it.inbox("diario", "boreal")
    it.tell("Aurora y Boreal")
    mine: dict[str, Any] = {"brands": [aurora], "sources": [], "quarantines": frozenset(), "every": False}
    found = it.who(**mine).url(HERE)
    assert (found.posts, codes(found.answers[0])) == ((), ["no_source"])
    assert found.answers[0].causes[0].facts == {"sources": 0}


def test_a_mention_is_known_to_its_brand_even_where_its_source_is_not_any_more(it: Curious) -> None:
    aurora = it.desk.brand()
    boreal = it.desk.brand("boreal")
    it.inbox("diario")
    it.tell("Aurora")
    assert codes(it.ask(brands=[aurora], sources=[], every=False)) == ["mention"]
    theirs = it.who(brands=[boreal], sources=[], every=False).url(HERE)
    assert (theirs.posts, codes(theirs.answers[0])) == ((), ["no_source"])


def test_words_of_a_post_that_mentions_nobody_of_theirs_are_not_shown(it: Curious) -> None:
    it.desk.brand()
    it.inbox()
    it.tell("Café Aroura")
    assert it.ask(every=False).causes[0].facts["alike"] == {}
