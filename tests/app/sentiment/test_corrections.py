"""What corrections teach: planted errors are found, noise teaches nothing, no scorer gets another's lesson."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.model import Evidence, Language, Sentiment
from app.sentiment.corrections import (
    NEEDED_FOR_WORDS,
    TONES,
    Biased,
    Biases,
    BiasesError,
    Floats,
    Lesson,
    Shift,
    Three,
    biased,
    figures,
    fit_biases,
    fit_words,
    learn,
    moved,
    parse_biases,
    proposal,
    read_biases,
    words_of,
)

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
NONE: Three = (0.0, 0.0, 0.0)
PLANTED: Three = (0.9, -0.6, -0.3)


def lessons(number: int, error: Three = NONE, language: str = "es", seed: int = 7) -> list[Lesson]:
    """Labels drawn from the truth, of which the scorer's probabilities are `error` short (in log-probability)."""
    chance = np.random.default_rng(seed)
    made = []
    for given in chance.dirichlet((1.0, 1.0, 1.0), number):
        negative, neutral, positive = given.tolist()
        truth = moved((negative, neutral, positive), error)
        made.append(Lesson(language, (negative, neutral, positive), TONES[chance.choice(3, p=truth)]))
    return made


# ── fitted ───────────────────────────────────────────────────────────────────


def test_it_recovers_the_biases_that_a_scorer_lacks() -> None:
    ((fit,), shortages) = learn(lessons(3000, PLANTED))
    assert shortages == []
    assert fit.shift.biases == pytest.approx(PLANTED, abs=0.12)
    assert fit.helps
    assert fit.after.log_loss < fit.before.log_loss - 0.05
    assert fit.after.macro_f1 > fit.before.macro_f1
    assert fit.after.calibration_error < fit.before.calibration_error
    assert max(fit.moved, key=lambda move: fit.moved[move]) == ("neutral", "negative")


def test_it_proposes_nothing_where_the_scorer_is_right_already() -> None:
    ((fit,), _) = learn(lessons(3000))
    assert not fit.helps
    assert (fit.shift, fit.moved, fit.before) == (Shift(NONE), {}, fit.after)


def test_few_corrections_of_a_scorer_that_is_right_seldom_teach_anything() -> None:
    learned = [learn(lessons(60, seed=seed))[0][0] for seed in range(100)]
    assert sum(fit.helps for fit in learned) <= 10


def test_it_fits_the_minimum_of_the_loss_and_its_pull() -> None:
    some = lessons(200, PLANTED)
    logs = np.log(np.array([lesson.probabilities for lesson in some]))
    labels = np.array([TONES.index(lesson.label) for lesson in some])
    found = fit_biases(logs, labels, pull=2.0)

    def cost(biases: Floats) -> float:
        moved_logs = logs + biases
        norm = np.log(np.exp(moved_logs).sum(axis=1))
        return float((norm - moved_logs[np.arange(200), labels]).sum() + biases @ biases)

    assert found.sum() == pytest.approx(0.0, abs=1e-9)
    for nudge in np.eye(3) * 0.01:
        assert cost(found) < min(cost(found + nudge), cost(found - nudge))


def test_a_probability_of_nothing_at_all_is_no_trouble() -> None:
    sure = [Lesson("es", (1.0, 0.0, 0.0), TONES[at % 3]) for at in range(90)]
    ((fit,), _) = learn(sure)
    assert all(np.isfinite(fit.shift.biases))
    assert np.isfinite(fit.before.log_loss)


def test_the_pull_keeps_few_corrections_from_shouting() -> None:
    some = [*lessons(60)[:10], *(Lesson("es", (0.3, 0.4, 0.3), "negative") for _ in range(40))]
    some += [Lesson("es", (0.3, 0.4, 0.3), tone) for tone in TONES for _ in range(5)]
    ((fit,), _) = learn(some)
    assert 0 < fit.shift.biases[0] < 1.5


def test_it_judges_on_texts_that_it_was_not_fitted_on() -> None:
    # Labels by chance, the same number of each: what is fitted on them fits them better, and helps nobody.
    chance = np.random.default_rng(3)
    some = [
        Lesson("es", (negative, neutral, positive), TONES[at % 3])
        for at, (negative, neutral, positive) in enumerate(chance.dirichlet((9.0, 9.0, 9.0), 60).tolist())
    ]
    ((fit,), _) = learn(some)
    assert not fit.helps


def test_its_figures_are_those_of_the_definitions() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
    told = figures(probabilities, np.array([0, 1, 1, 2]))
    assert told.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert told.log_loss == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.4]).mean())
    assert told.calibration_error == pytest.approx((0.2 + 0.6 + 0.3 + 0.6) / 4)


# ── enough ───────────────────────────────────────────────────────────────────


def counted(language: str, negative: int, neutral: int, positive: int) -> list[Lesson]:
    numbers = dict(zip(TONES, (negative, neutral, positive), strict=True))
    return [Lesson(language, (0.4, 0.3, 0.3), tone) for tone, number in numbers.items() for _ in range(number)]


@pytest.mark.parametrize(
    ("numbers", "missing", "missing_of"),
    [
        ((20, 19, 10), 1, {}),
        ((50, 10, 0), 5, {"positive": 5}),
        ((60, 3, 1), 6, {"neutral": 2, "positive": 4}),
        ((0, 0, 1), 49, {"negative": 5, "neutral": 5, "positive": 4}),
    ],
)
def test_it_says_how_many_are_missing(
    numbers: tuple[int, int, int], missing: int, missing_of: Mapping[str, int]
) -> None:
    fits, (shortage,) = learn(counted("es", *numbers))
    assert (fits, shortage.lessons, shortage.missing, shortage.missing_of) == ([], sum(numbers), missing, missing_of)


def test_it_fits_from_fifty_on() -> None:
    fits, shortages = learn(counted("es", 20, 20, 10))
    assert ([fit.lessons for fit in fits], shortages) == ([50], [])


def test_a_language_with_enough_stands_alone_and_the_others_stand_together() -> None:
    fits, shortages = learn([*lessons(80), *lessons(30, language="en"), *lessons(25, language="pt")])
    assert [(fit.languages, fit.lessons) for fit in fits] == [(("es",), 80), (("en", "pt"), 55)]
    assert shortages == []


def test_a_language_with_too_few_is_left_as_it_is() -> None:
    fits, (shortage,) = learn([*lessons(80), *lessons(30, language="en")])
    assert [fit.languages for fit in fits] == [("es",)]
    assert (shortage.languages, shortage.missing) == (("en",), 20)


# ── words ────────────────────────────────────────────────────────────────────


def with_words(number: int) -> list[Lesson]:
    """`fibra` turns a text negative; the other words say nothing."""
    chance = np.random.default_rng(11)
    made = []
    for lesson in lessons(number):
        words = {f"palabra{at}" for at in chance.integers(0, 200, 6)}
        if chance.random() < 0.3:
            truth = moved(lesson.probabilities, (2.0, -1.0, -1.0))
            lesson = Lesson("es", lesson.probabilities, TONES[chance.choice(3, p=truth)])
            words.add("fibra")
        made.append(Lesson("es", lesson.probabilities, lesson.label, frozenset(words)))
    return made


def test_it_learns_a_word_that_the_scorer_does_not_know() -> None:
    ((fit,), _) = learn(with_words(1500), words=True)
    assert fit.with_words is not None
    assert fit.with_words == fit.after
    assert fit.after.log_loss < fit.before.log_loss - 0.05
    strongest = min(fit.shift.words, key=lambda word: fit.shift.words[word][2] - fit.shift.words[word][0])
    assert strongest == "fibra"


def test_it_learns_words_only_when_asked_and_from_enough() -> None:
    ((fit,), _) = learn(with_words(1500))
    assert (fit.with_words, fit.shift.words) == (None, {})
    ((fit,), _) = learn(with_words(NEEDED_FOR_WORDS - 1), words=True)
    assert (fit.with_words, fit.shift.words) == (None, {})


def test_words_that_say_nothing_are_tried_and_not_proposed() -> None:
    chance = np.random.default_rng(5)
    some = [
        Lesson(one.language, one.probabilities, one.label, frozenset(f"p{at}" for at in chance.integers(0, 300, 8)))
        for one in lessons(600)
    ]
    ((fit,), _) = learn(some, words=True)
    assert fit.with_words is not None
    assert not fit.helps
    assert fit.shift == Shift(NONE)


def test_a_rare_word_gets_no_weight() -> None:
    some = [*lessons(60), *(Lesson("es", (0.2, 0.3, 0.5), "negative", frozenset({"rara"})) for _ in range(3))]
    some += [Lesson("es", (0.2, 0.3, 0.5), "negative", frozenset({"fibra"})) for _ in range(4)]
    assert list(fit_words(some).words) == ["fibra"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("La FIBRA va fatal", {"la", "fibra", "va", "fatal"}),
        ("no funciona, fibra", {"no", "no:funciona", "fibra"}),
        ("@acme https://acme.example holaaaaaa", {"holaaa"}),
        ("ab" * 21, set()),
        ("", set()),
    ],
)
def test_it_takes_the_words_of_a_text(text: str, words: set[str]) -> None:
    assert words_of(text, "es") == words


# ── applied ──────────────────────────────────────────────────────────────────


class Echo:
    """Says the same of every text; of an emoji's plain word it names another hand."""

    id = "echo/1:ab"

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        return [
            Sentiment(
                "neutral",
                -0.1,
                "symbols/1" if text == ":)" else self.id,
                language.code,
                language.confidence,
                (0.35, 0.4, 0.25),
                (Evidence(0, 1, text[:1], 1.0),),
                {"vader": 0.5},
            )
            if text
            else Sentiment("unknown", None, self.id, language.code, language.confidence)
            for text, language in zip(texts, languages, strict=True)
        ]


SPANISH, ENGLISH = Language("es", 0.9), Language("en", 1.0)
TAUGHT = Biases(Echo.id, {"es": Shift((0.6, -0.3, -0.3), {"fibra": (0.0, -2.0, 2.0)})}, "0123456789abcdef")


def test_it_moves_label_score_and_probabilities_and_says_so_in_its_id() -> None:
    scorer = biased(Echo(), TAUGHT)
    (heard,) = scorer.score(["hola"], [SPANISH])
    assert scorer.id == heard.scorer == "echo/1:ab+biases:01234567"
    assert heard.label == "negative"
    assert heard.probabilities == pytest.approx(moved((0.35, 0.4, 0.25), (0.6, -0.3, -0.3)))
    assert sum(heard.probabilities or ()) == pytest.approx(1.0)
    assert heard.score == pytest.approx((heard.probabilities or NONE)[2] - (heard.probabilities or NONE)[0])
    assert (heard.evidence, heard.components, heard.language_confidence) == (
        (Evidence(0, 1, "h", 1.0),),
        {"vader": 0.5},
        0.9,
    )


def test_a_learned_word_counts_where_it_stands() -> None:
    plain, taught = biased(Echo(), TAUGHT).score(["hola", "la fibra"], [SPANISH, SPANISH])
    assert (plain.label, taught.label) == ("negative", "positive")


def test_it_leaves_alone_what_was_not_learned_on() -> None:
    texts, languages = ["hello", ":)", ""], [ENGLISH, SPANISH, SPANISH]
    assert biased(Echo(), TAUGHT).score(texts, languages) == Echo().score(texts, languages)


def test_it_is_never_applied_to_another_scorer(caplog: pytest.LogCaptureFixture) -> None:
    other = Biases("echo/2:cd", TAUGHT.shifts, TAUGHT.sha256)
    scorer = Echo()
    with caplog.at_level(logging.WARNING):
        assert biased(scorer, other) is scorer
    assert "echo/2:cd" in caplog.text
    assert biased(scorer, None) is scorer
    assert isinstance(biased(scorer, TAUGHT), Biased)


# ── kept ─────────────────────────────────────────────────────────────────────


def test_what_is_proposed_can_be_read_back() -> None:
    fits, _ = learn([*lessons(400, PLANTED), *lessons(400, language="en")])
    raw = proposal(fits, "fast/1:ab", "acme", NOW)
    told = json.loads(raw)
    assert (told["made_at"], told["scorer"], told["brand"], told["corrections"]) == (
        "2026-11-22T18:00:00Z",
        "fast/1:ab",
        "acme",
        800,
    )
    read = parse_biases(raw)
    assert read.scorer == "fast/1:ab"
    assert read.shifts == {"es": fits[0].shift}  # English was right already
    assert len(read.sha256) == 64


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is not what `avizor train corrections` writes"),
        (b'{"kind": "avizor tone corrections", "format": 2}', "has format 2"),
        (b'{"kind": "avizor tone corrections", "format": 1}', "lacks scorer or shifts"),
    ],
)
def test_it_refuses_a_file_of_anything_else(raw: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "biases.json"
    path.write_bytes(raw)
    with pytest.raises(BiasesError, match=message):
        read_biases(path)


@pytest.mark.parametrize("biases", [[1, 2], [1, 2, "3"], [0, 0, 21], [0, 0, float("nan")], None, {"a": 1}])
def test_it_refuses_numbers_that_are_none(biases: object) -> None:
    told = {
        "kind": "avizor tone corrections",
        "format": 1,
        "scorer": "fast/1:ab",
        "shifts": {"es": {"biases": biases, "words": {}}},
    }
    with pytest.raises(BiasesError, match=r"shifts\.es\.biases"):
        parse_biases(json.dumps(told).encode())


def test_no_file_is_nothing_learned_and_a_folder_is_an_error(tmp_path: Path) -> None:
    assert read_biases(tmp_path / "none.json") is None
    with pytest.raises(BiasesError, match="cannot be read"):
        read_biases(tmp_path)
