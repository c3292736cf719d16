"""What a team's corrections teach a scorer: three biases, and from many of them single words. Never applied alone.

    lessons -> tenths -> fitted on nine, judged on the last -> before and after -> proposal -> a person applies it
    a scorer's probabilities -> softmax(log p + bias + its words) -> label and score         [`biased`, once applied]

The biases move the borders between the labels and leave the order of texts on either side as it was: vector scaling
with the matrix held at one (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017). Three numbers a
language are all that fifty corrections can teach. From five hundred on words can get weights of their own, added to
what the scorer says: a linear model of what it does not know yet (the name of a tariff, the slang of a customer
base). A pull towards zero keeps few texts from shouting.

What was learned belongs to the scorer that it was learned on, by its id: another one errs elsewhere.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import exp, log, sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.model import Language, Sentiment
from app.sentiment.base import Scorer
from app.sentiment.negation import NEGATIONS, SCOPE, STOPS
from app.sentiment.normal import guard, squeezed, tokens

logger = logging.getLogger(__name__)

Tone = Literal["negative", "neutral", "positive"]
Three = tuple[float, float, float]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TONES: tuple[Tone, ...] = ("negative", "neutral", "positive")
NEEDED = 50  # corrections before anything is fitted
NEEDED_EACH = 5  # of each label: a bias is not guessed from none
NEEDED_FOR_WORDS = 500
TEXTS_A_WORD = 4  # a word of fewer texts is chance
LONGEST = 40  # letters of a word
PULL = 5.0  # L2 towards zero on the biases: as strong as some twenty undecided texts
WORDS_PULL = 3.0  # and on each word's weights
MOST = 10_000  # lessons of one fit, the last ones: what people meant three years ago is not what they mean
FOLDS = 10
MARGIN = 1.5  # standard errors that the loss must fall by: sixty corrections by chance reach it one time in twenty
FLOOR = 1e-6  # a probability below this counts as this much: log 0 is no figure
ECE_BINS = 10

_KIND = "avizor tone corrections"
_FORMAT = 1
_LARGEST = 20.0  # a number beyond this silences a label for ever


class BiasesError(Exception):
    """A file of what corrections taught cannot be used. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text as the scorer heard it (negative, neutral, positive), and what a person said of it.

    `words` are those of `words_of`, where words are to be learned.
    """

    language: str
    probabilities: Three
    label: Tone
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Figures:
    """How probabilities do against people's labels.

    `macro_f1` over the three labels, `log_loss` in nats a text, `calibration_error` of the best label over ten equal
    bins of its probability (in 0..1).
    """

    macro_f1: float
    log_loss: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to the log-probabilities of a text: `added` says how."""

    biases: Three
    words: Mapping[str, Three] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """What the lessons of some languages teach.

    `before` and `after`: the scorer as it is, and with `shift`, judged on texts that it was not fitted on. `with_words`
    is the same with words, if they were asked for, also where they do not help and `shift` has none. `agreed`: lessons
    whose label the scorer had given already. `moved`: how many of the lessons' texts go from one label to another.
    `helps`: the loss falls by more than chance would have it; where it does not, nothing is to be applied.
    """

    languages: tuple[str, ...]
    lessons: int
    labels: Mapping[Tone, int]
    agreed: int
    shift: Shift
    before: Figures
    after: Figures
    with_words: Figures | None
    moved: Mapping[tuple[Tone, Tone], int]
    helps: bool


@dataclass(frozen=True, slots=True)
class Shortage:
    """Languages that cannot be fitted, and how many lessons they lack: in all, and of single labels."""

    languages: tuple[str, ...]
    lessons: int
    missing: int
    missing_of: Mapping[Tone, int]


@dataclass(frozen=True, slots=True)
class Biases:
    """What was learned on one scorer, by language code. `sha256` is that of the file."""

    scorer: str
    shifts: Mapping[str, Shift]
    sha256: str


# ── applied ──────────────────────────────────────────────────────────────────


def biased(scorer: Scorer, biases: Biases | None) -> Scorer:
    """`scorer` with what was learned on it. What was learned on another one is not applied, and that is logged."""
    if biases is None:
        return scorer
    if biases.scorer != scorer.id:
        logger.warning(
            "what corrections taught %s is not applied to %s: `avizor train corrections` learns it anew",
            biases.scorer,
            scorer.id,
        )
        return scorer
    return Biased(scorer, biases)


class Biased:
    """A scorer whose labels a team's corrections have moved. Evidence and components stay the scorer's own."""

    def __init__(self, scorer: Scorer, biases: Biases) -> None:
        self._scorer = scorer
        self._of = scorer.id
        self._shifts = biases.shifts
        self._id = f"{self._of}+biases:{biases.sha256[:8]}"

    @property
    def id(self) -> str:
        return self._id

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        return list(map(self._moved, texts, self._scorer.score(texts, languages)))

    def _moved(self, text: str, heard: Sentiment) -> Sentiment:
        code = heard.language or ""
        shift = self._shifts.get(code)
        # What another hand gave (an emoji's plain word, say) was not what was learned on.
        if heard.probabilities is None or shift is None or heard.scorer != self._of:
            return heard
        words = words_of(text, code) if shift.words else frozenset[str]()
        probabilities = moved(heard.probabilities, added(shift, words))
        label = TONES[probabilities.index(max(probabilities))]
        score = probabilities[2] - probabilities[0]
        return replace(heard, label=label, score=score, probabilities=probabilities, scorer=self._id)


def moved(probabilities: Three, added: Three) -> Three:
    """softmax(log p + added)."""
    logs = [log(max(p, FLOOR)) + more for p, more in zip(probabilities, added, strict=True)]
    top = max(logs)
    negative, neutral, positive = (exp(each - top) for each in logs)
    whole = negative + neutral + positive
    return (negative / whole, neutral / whole, positive / whole)


def added(shift: Shift, words: Iterable[str]) -> Three:
    """The biases, and the sum of the words' weights over the root of how many have one."""
    known = [shift.words[word] for word in sorted(words) if word in shift.words]  # sorted: sums depend on the order
    root = sqrt(len(known)) or 1.0
    negative, neutral, positive = (
        bias + sum(each[at] for each in known) / root for at, bias in enumerate(shift.biases)
    )
    return (negative, neutral, positive)


def words_of(text: str, language: str) -> frozenset[str]:
    """The words of a text that can be learned, small; `no:word` behind a negation of the same clause."""
    negations = NEGATIONS.get(language, frozenset())
    words, turned = set[str](), 0
    for found in tokens(guard(text).text):
        word = squeezed(found[0]).lower()
        if word[0] in STOPS:
            turned = 0
        elif word[0] != "@" and "://" not in word and not word.startswith("www.") and len(word) <= LONGEST:
            words.add(f"no:{word}" if turned else word)
            turned = SCOPE if word in negations else max(0, turned - 1)
    return frozenset(words)


# ── learned ──────────────────────────────────────────────────────────────────


def learn(lessons: Iterable[Lesson], *, words: bool = False) -> tuple[list[Fit], list[Shortage]]:
    """Fit what can be fitted: each language that has enough by itself, and the others together. Oldest lesson first."""
    by_language: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        by_language.setdefault(lesson.language, []).append(lesson)
    alone = [group for group in by_language.values() if _shortage(group) is None]
    together = [lesson for group in by_language.values() if _shortage(group) is not None for lesson in group]
    fits, shortages = [], []
    for group in (*alone, *([together] if together else [])):
        shortage = _shortage(group)
        if shortage is None:
            fits.append(_fit(group[-MOST:], words=words and len(group) >= NEEDED_FOR_WORDS))
        else:
            shortages.append(shortage)
    return sorted(fits, key=lambda fit: -fit.lessons), shortages


def _shortage(lessons: Sequence[Lesson]) -> Shortage | None:
    labels = Counter(lesson.label for lesson in lessons)
    missing_of = {tone: NEEDED_EACH - labels[tone] for tone in TONES if labels[tone] < NEEDED_EACH}
    missing = max(NEEDED - len(lessons), sum(missing_of.values()))
    return Shortage(_languages(lessons), len(lessons), missing, missing_of) if missing > 0 else None


def _languages(lessons: Sequence[Lesson]) -> tuple[str, ...]:
    return tuple(code for code, _ in Counter(lesson.language for lesson in lessons).most_common())


def _fit(lessons: Sequence[Lesson], *, words: bool) -> Fit:
    logs = np.log(np.maximum(np.array([lesson.probabilities for lesson in lessons], dtype=np.float64), FLOOR))
    labels = np.array([TONES.index(lesson.label) for lesson in lessons], dtype=np.int64)
    folds = _folds(labels)
    best, helps = logs, False
    shift = Shift((0.0, 0.0, 0.0))

    judged = logs.copy()
    for aside in (folds == fold for fold in range(FOLDS)):
        judged[aside] += fit_biases(logs[~aside], labels[~aside])
    if _better(judged, logs, labels):
        best, helps = judged, True
        shift = Shift(_three(fit_biases(logs, labels)))

    with_words = None
    if words:
        judged = logs.copy()
        for aside in (folds == fold for fold in range(FOLDS)):
            fitted = fit_words([lesson for lesson, out in zip(lessons, aside, strict=True) if not out])
            judged[aside] += [added(fitted, lesson.words) for lesson, out in zip(lessons, aside, strict=True) if out]
        with_words = figures(_softmax(judged), labels)
        if _better(judged, best, labels):
            best, helps = judged, True
            shift = fit_words(lessons)

    was = logs.argmax(axis=1)
    now = (logs + np.array([added(shift, lesson.words) for lesson in lessons])).argmax(axis=1)
    moves = Counter((TONES[a], TONES[b]) for a, b in zip(was.tolist(), now.tolist(), strict=True) if a != b)
    return Fit(
        languages=_languages(lessons),
        lessons=len(lessons),
        labels={tone: int((labels == at).sum()) for at, tone in enumerate(TONES)},
        agreed=int((was == labels).sum()),
        shift=shift,
        before=figures(_softmax(logs), labels),
        after=figures(_softmax(best), labels),
        with_words=with_words,
        moved=dict(moves.most_common()),
        helps=helps,
    )


def fit_biases(logs: Floats, labels: Ints, pull: float = PULL) -> Floats:
    """The b (3,) that minimises sum(-log softmax(logs + b)[label]) + pull / 2 * |b|^2, by Newton's method.

    `logs` (n, 3) are log-probabilities, `labels` (n,) in 0..2. The problem is convex, and the pull makes b unique: its
    sum is 0.
    """
    truth = np.eye(3)[labels]

    def cost(biases: Floats) -> float:
        return float(_losses(logs + biases, labels).sum() + pull / 2 * biases @ biases)

    biases: Floats = np.zeros(3)
    for _ in range(50):
        p = _softmax(logs + biases)
        slope = (p - truth).sum(axis=0) + pull * biases
        curve = np.diag(p.sum(axis=0)) - p.T @ p + pull * np.eye(3)
        step = np.linalg.solve(curve, slope)
        here, width = cost(biases), 1.0
        while cost(biases - width * step) > here and width > 1e-6:  # far from the solution a whole step may overshoot
            width /= 2
        biases = biases - width * step
        if np.abs(step).max() < 1e-9:
            break
    centred: Floats = biases - biases.mean()
    return centred


def fit_words(lessons: Sequence[Lesson]) -> Shift:
    """Biases and words' weights together, by Nesterov's accelerated gradient descent on the same loss and pulls.

    A text's row has length 1, so the loss bends by at most half the number of texts, plus the biases' share: that gives
    the step (Nesterov, "Introductory Lectures on Convex Optimization", 2004, section 2.2).
    """
    counts = Counter(word for lesson in lessons for word in lesson.words)
    known = sorted(word for word, texts in counts.items() if texts >= TEXTS_A_WORD)
    places = {word: place for place, word in enumerate(known, start=1)}  # 0 is the bias
    rows, columns, values = [], [], []
    for row, lesson in enumerate(lessons):
        mine = [places[word] for word in lesson.words if word in places]
        rows += [row] * (len(mine) + 1)
        columns += [0, *mine]
        values += [1.0, *[1 / sqrt(len(mine) or 1)] * len(mine)]
    row_of, column_of, value_of = np.array(rows), np.array(columns), np.array(values)
    logs = np.log(np.maximum(np.array([lesson.probabilities for lesson in lessons], dtype=np.float64), FLOOR))
    truth = np.eye(3)[[TONES.index(lesson.label) for lesson in lessons]]
    pulls = np.full((len(known) + 1, 1), WORDS_PULL)
    pulls[0] = PULL

    def slope(weights: Floats) -> Floats:
        more = [np.bincount(row_of, value_of * weights[column_of, at], len(lessons)) for at in range(3)]
        wrong = _softmax(logs + np.stack(more, axis=1)) - truth
        back = [np.bincount(column_of, value_of * wrong[row_of, at], len(weights)) for at in range(3)]
        return np.stack(back, axis=1) + pulls * weights

    steepest, flattest = len(lessons) + PULL, min(PULL, WORDS_PULL)  # half of (1 + 1) a text: its bias and its words
    carry = (sqrt(steepest) - sqrt(flattest)) / (sqrt(steepest) + sqrt(flattest))
    weights = ahead = np.zeros((len(known) + 1, 3))
    for _ in range(int(10 * sqrt(steepest / flattest))):  # leaves e^-10 of the way
        new = ahead - slope(ahead) / steepest
        weights, ahead = new, new + carry * (new - weights)
    weights = np.round(weights - weights.mean(axis=1, keepdims=True), 4)
    return Shift(_three(weights[0]), {word: _three(weights[places[word]]) for word in known})


def figures(probabilities: Floats, labels: Ints) -> Figures:
    """How (n, 3) probabilities do against n labels."""
    said = probabilities.argmax(axis=1)
    hits = [int(((said == tone) & (labels == tone)).sum()) for tone in range(3)]
    both = [int((said == tone).sum() + (labels == tone).sum()) for tone in range(3)]
    best = probabilities.max(axis=1)
    bins = np.minimum((best * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = [abs((best - (said == labels))[bins == at].sum()) for at in range(ECE_BINS)]
    return Figures(
        macro_f1=sum(2 * hit / (every or 1) for hit, every in zip(hits, both, strict=True)) / 3,
        log_loss=float(_losses(np.log(np.maximum(probabilities, FLOOR)), labels).mean()),
        calibration_error=float(sum(gaps) / len(labels)),
    )


def _better(new: Floats, old: Floats, labels: Ints) -> bool:
    """The loss falls by more than chance would have it."""
    gains = _losses(old, labels) - _losses(new, labels)
    return bool(gains.mean() > MARGIN * gains.std(ddof=1) / sqrt(len(labels)))


def _folds(labels: Ints) -> Ints:
    """Which tenth each text is in: every one gets its share of each label. No chance in it: the same each time."""
    folds = np.empty(len(labels), dtype=np.int64)
    for tone in range(3):
        places = np.flatnonzero(labels == tone)
        folds[places] = (np.arange(len(places)) + tone) % FOLDS
    return folds


def _three(values: Floats) -> Three:
    negative, neutral, positive = values.tolist()
    return (negative, neutral, positive)


def _softmax(logs: Floats) -> Floats:
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _losses(logs: Floats, labels: Ints) -> Floats:
    """-log softmax(logs)[label] of each text."""
    tops = logs.max(axis=1)
    losses: Floats = tops + np.log(np.exp(logs - tops[:, None]).sum(axis=1)) - logs[np.arange(len(labels)), labels]
    return losses


# ── kept ─────────────────────────────────────────────────────────────────────


def proposal(fits: Sequence[Fit], scorer: str, brand: str | None, now: datetime) -> bytes:
    """What was learned, as a JSON file that a person reads and `parse_biases` takes. Only what helps is in `shifts`.

    `scorer` is the id of the scorer that gave the probabilities; `brand` is the slug whose corrections were used.
    """
    told: dict[str, Any] = {
        "kind": _KIND,
        "format": _FORMAT,
        "made_at": now.isoformat().replace("+00:00", "Z"),
        "scorer": scorer,
        "brand": brand,
        "corrections": sum(fit.lessons for fit in fits),
        "fits": [as_mapping(fit) for fit in fits],
        "shifts": {
            code: {"biases": fit.shift.biases, "words": _strongest_first(fit.shift.words)}
            for fit in fits
            if fit.helps
            for code in fit.languages
        },
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def as_mapping(fit: Fit) -> dict[str, Any]:
    """A fit as plain JSON values, its words only counted."""
    return {
        "languages": list(fit.languages),
        "corrections": fit.lessons,
        "labels": dict(fit.labels),
        "agreed": fit.agreed,
        "biases": dict(zip(TONES, (round(bias, 4) for bias in fit.shift.biases), strict=True)),
        "words": len(fit.shift.words),
        "before": _told(fit.before),
        "after": _told(fit.after),
        "with_words": _told(fit.with_words) if fit.with_words else None,
        "moved": [{"was": was, "label": label, "texts": texts} for (was, label), texts in fit.moved.items()],
        "helps": fit.helps,
    }


def _told(given: Figures) -> dict[str, float]:
    return {
        "macro_f1": round(given.macro_f1, 4),
        "log_loss": round(given.log_loss, 4),
        "calibration_error": round(given.calibration_error, 4),
    }


def _strongest_first(words: Mapping[str, Three]) -> dict[str, Three]:
    return dict(sorted(words.items(), key=lambda pair: -abs(pair[1][2] - pair[1][0])))


def parse_biases(raw: bytes) -> Biases:
    """Read what `proposal` wrote. Raises `BiasesError` if it is anything else."""
    try:
        told = json.loads(raw)
    except ValueError:
        raise BiasesError("is not JSON") from None
    if not isinstance(told, dict) or told.get("kind") != _KIND:
        raise BiasesError("is not what `avizor train corrections` writes")
    if told.get("format") != _FORMAT:
        raise BiasesError(f"has format {told.get('format')}; this version reads {_FORMAT}")
    scorer, shifts = told.get("scorer"), told.get("shifts")
    if not isinstance(scorer, str) or not isinstance(shifts, dict):
        raise BiasesError("lacks scorer or shifts")
    return Biases(scorer, {code: _shift(code, each) for code, each in shifts.items()}, hashlib.sha256(raw).hexdigest())


def _shift(code: str, told: object) -> Shift:
    match told:
        case {"biases": biases, "words": dict() as words}:
            where = f"shifts.{code}"
            weights = {word: _numbers(f"{where}.words.{word}", each) for word, each in words.items()}
            return Shift(_numbers(f"{where}.biases", biases), weights)
    raise BiasesError(f"shifts.{code} lacks biases or words")


def _numbers(where: str, told: object) -> Three:
    match told:
        case [int() | float() as negative, int() | float() as neutral, int() | float() as positive]:
            three = (float(negative), float(neutral), float(positive))
            if all(-_LARGEST <= each <= _LARGEST for each in three):  # False for NaN too
                return three
    raise BiasesError(f"{where} must be three numbers between -{_LARGEST:g} and {_LARGEST:g}")


def read_biases(path: Path) -> Biases | None:
    """What is applied; None where there is no such file. Raises `BiasesError`, with the file's name."""
    try:
        return parse_biases(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BiasesError(f"{path}: cannot be read: {error.strerror}") from None
    except BiasesError as error:
        raise BiasesError(f"{path}: {error}") from None
