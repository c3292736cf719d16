"""No text is expensive, whatever is in it."""

import time
from collections.abc import Callable

import pytest

from app.model import LABELS, Language, Sentiment
from app.sentiment.fast import Fast
from app.sentiment.linear import REMEMBERED
from app.sentiment.normal import guard, plain, tokens
from app.sentiment.window import CHARACTERS
from tests.app.sentiment.hostile import HOSTILE


def cpu_s(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


@pytest.fixture(scope="module")
def scorer() -> Fast:
    return Fast()


def heard(scorer: Fast, text: str, language: str) -> Sentiment:
    [sentiment] = scorer.score([text], [Language(language, 1.0)])
    return sentiment


@pytest.mark.parametrize("language", ["es", "en", "ja"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_is_expensive(scorer: Fast, name: str, language: str) -> None:
    heard(scorer, "warm", language)
    cost = min(cpu_s(lambda: heard(scorer, HOSTILE[name], language)) for _ in range(2))
    assert cost < 0.5  # the promise is 0.05, see benchmarks/tone/speed.py; ten times that is a busy machine's share


@pytest.mark.parametrize("name", HOSTILE)
def test_every_text_is_answered_by_a_bounded_part_of_it(scorer: Fast, name: str) -> None:
    text = HOSTILE[name]
    assert heard(scorer, text, "es").label in LABELS
    assert all(text[one.start : one.end] == one.text for one in heard(scorer, text, "en").evidence)
    assert len(guard(text).text) <= CHARACTERS
    assert len(tokens(guard(text).text)) <= CHARACTERS
    assert len(plain(text)) <= CHARACTERS


def test_it_remembers_a_bounded_number_of_words(scorer: Fast) -> None:
    for number in range(120):
        scorer.score([" ".join(f"w{number}x{word}" for word in range(400))] * 2, [Language("es", 1.0)] * 2)
    linear, _ = scorer._models["es"]
    assert len(linear._words.rows) <= REMEMBERED
    assert len(linear._words.sums) == REMEMBERED


def test_words_that_do_not_fit_are_heard_all_the_same(scorer: Fast, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Qué asco de banco", "Gran servicio, muchas gracias a todos"]
    languages = [Language("es", 1.0)] * 2
    before = scorer.score(texts, languages)
    monkeypatch.setattr("app.sentiment.linear.REMEMBERED", 3)
    assert Fast().score(texts, languages) == before
