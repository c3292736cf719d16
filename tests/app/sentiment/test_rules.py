"""Our VADER says exactly what vaderSentiment says, in linear time."""

import random
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

from app.sentiment.rules import rules
from app.sentiment.window import EMOJI

THEIRS = SentimentIntensityAnalyzer()


def ours(text: str) -> dict[str, float]:
    reading = rules().read(text)
    return {"neg": reading.neg, "neu": reading.neu, "pos": reading.pos, "compound": reading.compound}


def differences(texts: Iterator[str] | list[str]) -> tuple[int, list[str]]:
    """How many were compared, and those on which the two do not agree."""
    compared, differ = 0, []
    for text in texts:
        compared += 1
        if THEIRS.polarity_scores(text) != ours(text):
            differ.append(text)
    return compared, differ


SENTENCES = [
    "The parcel came two days early and the driver was lovely.",
    "My router has been down since Tuesday and nobody answers the phone.",
    "I have never been so happy with a bank!",
    "I have never been this happy with a bank, never ever.",
    "There was never a moment so good.",
    "Refund refused, AGAIN, and the agent was RUDE about it!!!",
    "REFUND REFUSED AND THE AGENT WAS RUDE",
    "Kind of disappointed with the battery.",
    "They are kind of you know kind people, kind",
    "It was sort of good, sort of bad, just enough good for me.",
    "just enough fun, just enough pain",
    "Without a doubt the best service, without doubt good, without any doubt nice.",
    "It isn't a scam, it ain't good, it isn’t nice",
    "At least it works. It is the least useful gadget. The very least good. Least funny.",
    "least good",
    "No problem at all, no worries, no, good, no good.",
    "no no no good",
    "no cheap or good phone, no fast nor nice one",
    "The plot was good, but the characters are awful, but the end is good and good.",
    "But nothing helps but crying, good but bad, BUT great",
    "good but bad but good but bad but good",
    "but",
    "The new phone is the bomb and the old one is the shit.",
    "a bad ass update, a badass, bad ass",
    "badass",
    "We waited at the bus stop in the rain, that bus stop is great.",
    "Yeah right, great support you have there.",
    "That was the kiss of death for our trust.",
    "These cookies are to die for, truly to die for, die",
    "With a beating heart she opened the box.",
    "EXTREMELY good, very VERY good, VERY bad",
    "not very good, never really bad, rarely slightly annoying",
    "despite good reviews, seldom happy, barely alive, hardly useful",
    "nothing nowhere neither nor never good",
    "Is it good? Is it bad?? Is it ugly??? Is it gone????",
    "good! good!! good!!! good!!!! good!!!!!",
    "?!?!",
    ":) :( :D XD ;) <3 :'( ):",
    '(:O great ... ~great~ *great* "great" great-ish',
    "Love it 😍 my daughter wears it every day 😀😀😀",
    "😀",
    "😀good 👍🏽bad❤️ ❤ 💔💔💔💔💔💔 no💯",
    "🔛 no entry ⛔ good",
    "tab\tand\nnewline\x0bgood\x1cbad\xa0nice\u2003ugly",
    "l’été était BON mais great",
    "Straße İSTANBUL ǅ good ΣΑΣ bad",
    "so so so so good",
    "this so good so this bad",
    "",
    " ",
    "\x00 good \ud800 bad",
    "Servicio pésimo, no lo recomiendo",
    "我很高兴 good 😡",
    "a b c :3 8) 10/10 would buy again",
    "n't n't good can't won't GOOD don'ts",
]


def vocabulary() -> list[str]:
    words = sorted(THEIRS.lexicon)[::9] + sorted(THEIRS.emojis)[::40] + ["doubt", "kind", "no", "good", "bad"] * 20
    rules_of_thumb = [*BOOSTER_DICT, *NEGATE, *SPECIAL_CASES] * 3
    small = [
        "but",
        "or",
        "nor",
        "so",
        "this",
        "never",
        "without",
        "least",
        "at",
        "very",
        "of",
        "the",
        "a",
        "phone",
    ] * 14
    marks = ["!", "?", "...", "-", ",", "\n", "😀", "😡😡", "💯x", "x👍"] * 6
    return words + rules_of_thumb + small + marks


def invented(count: int, longest: int) -> Iterator[str]:
    """Texts without sense, dense with what the rules look for."""
    draw, words = random.Random(20261122), vocabulary()
    for _ in range(count):
        text = draw.choices(words, k=draw.randint(1, longest))
        for place in range(len(text)):
            style = draw.random()
            if style < 0.1:
                text[place] = text[place].upper()
            elif style < 0.15:
                text[place] = text[place].capitalize() + draw.choice(".,!?;:")
        yield " ".join(text)


def test_it_says_what_vadersentiment_says_of_sentences_by_hand() -> None:
    assert differences(SENTENCES) == (len(SENTENCES), [])


def test_it_says_what_vadersentiment_says_of_invented_texts() -> None:
    assert differences(invented(8_000, 22)) == (8_000, [])


def test_it_says_what_vadersentiment_says_of_long_invented_texts() -> None:
    assert differences(invented(100, 300)) == (100, [])


@given(st.lists(st.sampled_from(["good", "bad", "awful", "but", "fine", "not", "no"]), max_size=40))
def test_it_halves_and_strengthens_round_but_as_oddly_as_vadersentiment(words: list[str]) -> None:
    assert differences([" ".join(words)])[1] == []


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_it_says_what_vadersentiment_says_of_any_text(text: str) -> None:
    assert differences([text])[1] == []


def test_a_difference_in_one_rule_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sentiment.rules._but", lambda words, hits: list(hits))
    assert differences(SENTENCES)[1]
    assert differences(invented(300, 22))[1]


def test_no_booster_is_in_the_lexicon() -> None:
    """The rules count on it: a word is either charged or boosts its neighbours."""
    assert not set(BOOSTER_DICT) & set(THEIRS.lexicon)


def test_every_emoji_that_vader_spells_out_counts_as_one_token() -> None:
    assert [emoji for emoji in THEIRS.emojis if len(emoji) == 1 and not EMOJI.fullmatch(emoji)] == []


def test_it_remembers_a_bounded_number_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sentiment.rules._REMEMBERED", 100)
    read = type(rules())(THEIRS)
    for number in range(1_000):
        read.read(f"word{number} good {'x' * 100}{number}")
    assert len(read._words) <= 100


# ── linear time ──────────────────────────────────────────────────────────────


def steps(run: Callable[[], object]) -> int:
    """How many bytecode instructions `run` takes: the same on every machine."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", ["good but bad ", "not very good ", "😀", "this phone is kind of the bomb ", "no "])
def test_the_rules_themselves_take_linear_time(unit: str) -> None:
    rules().read(unit)
    assert steps(lambda: rules().read(unit * 400)) < 4.6 * steps(lambda: rules().read(unit * 100))


def test_vadersentiment_itself_does_not() -> None:
    """The control: the same count sees the quadratic path that we closed."""
    short = steps(lambda: THEIRS.polarity_scores("not very good " * 25))
    assert steps(lambda: THEIRS.polarity_scores("not very good " * 100)) > 7 * short
