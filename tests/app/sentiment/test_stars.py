"""Stars and words: each is evidence, and what nobody hears in words the stars may still tell."""

import pytest

from app.model import Label, Language, Sentiment
from app.sentiment import judged, unheard
from app.sentiment.stars import LIKELIHOODS, NAME, with_stars

SPANISH = Language("es", 0.9)


def heard(negative: float, neutral: float, positive: float) -> Sentiment:
    return judged((negative, neutral, positive), scorer="fast/1", language=SPANISH, components={"fast": 0.1})


@pytest.mark.parametrize(("stars", "label"), [(1, "negative"), (3, "neutral"), (5, "positive")])
def test_where_the_words_take_no_side_the_stars_do(stars: int, label: Label) -> None:
    assert with_stars(heard(1 / 3, 1 / 3, 1 / 3), stars).label == label


def test_strong_words_outweigh_a_slip_of_the_thumb() -> None:
    assert with_stars(heard(0.97, 0.02, 0.01), 5).label == "negative"
    assert with_stars(heard(0.6, 0.2, 0.2), 5).label == "positive"


def test_more_stars_are_never_heard_as_less() -> None:
    for words in (heard(0.2, 0.6, 0.2), heard(0.7, 0.2, 0.1), heard(0.1, 0.1, 0.8)):
        scores = [with_stars(words, stars).score or 0.0 for stars in (1, 2, 3, 4, 5)]
        assert scores == sorted(scores)


def test_three_stars_say_little() -> None:
    for words, label in ((heard(0.8, 0.15, 0.05), "negative"), (heard(0.05, 0.15, 0.8), "positive")):
        assert with_stars(words, 3).label == label


@pytest.mark.parametrize(
    ("stars", "label", "uncertain"),
    [
        (1, "negative", False),
        (2, "negative", True),
        (3, "unknown", False),
        (4, "positive", True),
        (5, "positive", False),
    ],
)
def test_what_nobody_can_hear_the_stars_alone_decide(stars: int, label: Label, uncertain: bool) -> None:
    reading = with_stars(unheard(Language(None, 0.0)), stars)
    assert (reading.label, reading.uncertain) == (label, uncertain)
    assert reading.scorer == ("none" if label == "unknown" else NAME)


@pytest.mark.parametrize("stars", [None, 0, 6, -1])
def test_no_stars_change_nothing(stars: int | None) -> None:
    words = heard(0.5, 0.3, 0.2)
    assert with_stars(words, stars) is words


def test_the_reading_says_that_stars_took_part_and_keeps_the_rest() -> None:
    words = heard(0.5, 0.3, 0.2)
    reading = with_stars(words, 1)
    assert reading.scorer == f"fast/1+{NAME}"
    assert reading.components == {"fast": 0.1, "stars": -0.765}
    assert (reading.language, reading.language_confidence, reading.provisional) == ("es", 0.9, False)
    assert reading.probabilities is not None
    assert sum(reading.probabilities) == pytest.approx(1)


def test_each_tone_gives_some_number_of_stars() -> None:
    for shares in zip(*LIKELIHOODS.values(), strict=True):
        assert sum(shares) == pytest.approx(1)
