"""What emoji and emoticons say where no model hears the language."""

import pytest

from app.model import Language, Sentiment
from app.sentiment import make_scorer, unheard
from app.sentiment.symbols import BAD, GOOD

JAPANESE, NONE = Language("ja", 0.9), Language(None, 0.0)


def heard(text: str, language: Language = JAPANESE) -> Sentiment:
    [sentiment] = make_scorer(["es", "en"], "fast").score([text], [language])
    return sentiment


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("最高 😍😍", "positive"),
        ("最悪 😡", "negative"),
        ("👍🏽", "positive"),
        ("❤️", "positive"),
        (":)", "positive"),
        (":-((((", "negative"),
        (":'(", "negative"),
        ("takk <3", "positive"),
    ],
)
@pytest.mark.parametrize("language", [JAPANESE, NONE])
def test_a_clear_sign_speaks_in_any_language(text: str, label: str, language: Language) -> None:
    sentiment = heard(text, language)
    assert (sentiment.label, sentiment.scorer, sentiment.language) == (label, "symbols/1", language.code)
    assert sentiment.probabilities is not None
    assert sum(sentiment.probabilities) == pytest.approx(1)
    assert sentiment.score == pytest.approx(sentiment.probabilities[2] - sentiment.probabilities[0])


@pytest.mark.parametrize("text", ["最高", "😂", "😭", "🔥", "😍😡", ":) :(", "8)", "(2:3)", "12:30", ""])
def test_what_is_not_clear_stays_unknown(text: str) -> None:
    assert heard(text) == unheard(JAPANESE)


def test_signs_alone_are_heard_alike_whatever_the_language_is_taken_to_be() -> None:
    assert heard("😡😡", Language("es", 0.5)).label == heard("😡😡").label == "negative"
    assert heard("😡😡", Language("es", 0.5)).scorer == "symbols/1"


def test_its_evidence_is_the_signs() -> None:
    text = "すごい 👍🏽 ほんと 😍😍😍"
    assert [(one.text, text[one.start : one.end]) for one in heard(text).evidence] == [
        ("👍🏽", "👍🏽"),
        ("😍😍😍",) * 2,
    ]


def test_no_sign_is_on_both_lists() -> None:
    assert not GOOD & BAD
