"""Train the fast tier: one linear model a language, from labelled tweets and from what the quality tier says of others.

    texts -> the app's own features -> rarities -> softmax regression, hard and soft labels together -> temperature
    -> int8 -> app/sentiment/weights/fast-CODE.npz, with a card

    python -m benchmarks.tone.fast DATA --out app/sentiment/weights --date 2026-11-22 [--soft FILE.npz] [--language es]

`FILE.npz`, from the quality tier: `texts`, `languages`, `probabilities` (n, 3). Needs scipy beside the app. Strength
and masses are chosen by cross-validation on train and val; a soft text that repeats a gold one is never used. The same
data, seeds and numpy give the same bytes.
"""

import argparse
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from app.sentiment.fast import LANGUAGES, extra_of
from app.sentiment.linear import BITS, among, features, negated, spelled
from app.sentiment.negation import NEGATIONS
from app.sentiment.normal import guard, tokens
from app.sentiment.rules import rules
from benchmarks.tone import texts as data_of
from benchmarks.tone.figures import calibration_error, inversions, macro_f1, softmax

FOLDS = 5
MOST_GRADED = 4  # times the mass of the gold: 60,000 Spanish posts would drown it
RARITY = 20  # uint8 per nat of idf
LABELS = ("negative", "neutral", "positive")


# ── texts to rows ────────────────────────────────────────────────────────────


def counted(texts: Sequence[str], language: str) -> sp.csr_matrix:
    """How often each bucket occurs in each text."""
    negations = NEGATIONS[language]
    found = [[token[0] for token in tokens(guard(text).text)] or ["."] for text in texts]
    vocabulary: dict[str, int] = {}
    places = np.array([vocabulary.setdefault(token, len(vocabulary)) for text in found for token in text])
    spellings = [spelled(token, negations) for token in vocabulary]
    own = features(spellings)
    first = np.cumsum(own.counts) - own.counts
    lengths = np.array([len(text) for text in found])
    row = np.repeat(np.arange(len(texts)), lengths)
    counts = own.counts[places]
    at = np.repeat(first[places] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    kinds = np.array([each.kind for each in spellings], np.uint8)[places]
    starts = np.cumsum(lengths) - lengths
    beside, whose = among(own.hashes[places], starts)
    turned = np.repeat(negated(kinds, starts), counts)
    rows = np.repeat(row, counts)
    columns = np.concatenate((own.buckets[at], own.turned[at[turned]], beside))
    rows = np.concatenate((rows, rows[turned], row[whose]))
    matrix = sp.csr_matrix((np.ones(len(columns), np.float32), (rows, columns)), shape=(len(texts), 1 << BITS))
    matrix.sum_duplicates()
    return matrix


def rarities_of(matrix: sp.csr_matrix) -> np.ndarray:
    documents = np.bincount(matrix.indices, minlength=matrix.shape[1])
    idf = np.log((matrix.shape[0] + 1) / (documents + 1)) + 1
    return np.clip(np.round(idf * RARITY), 1, 255).astype(np.uint8)


def weighed(matrix: sp.csr_matrix, rarities: np.ndarray) -> sp.csr_matrix:
    """Rows as the app reads them: count x rarity over the root of the sum of count x rarity squared."""
    rare = rarities.astype(np.float32)
    roots = np.sqrt(matrix @ (rare * rare))
    return sp.csr_matrix(sp.diags(1 / roots) @ matrix @ sp.diags(rare))


def extras(texts: Sequence[str], language: str) -> np.ndarray:
    if language != "en":
        return np.zeros((len(texts), 0))
    read = rules().read
    return np.array([extra_of(read(guard(text).text)) for text in texts])


# ── fitting ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Fitted:
    weights: np.ndarray
    biases: np.ndarray
    extra: np.ndarray

    def logits(self, rows: sp.csr_matrix, extra: np.ndarray) -> np.ndarray:
        return rows @ self.weights + extra @ self.extra + self.biases


def fit(rows: sp.csr_matrix, extra: np.ndarray, wanted: np.ndarray, mass: np.ndarray, strength: float) -> Fitted:
    """Multinomial logistic regression on soft labels (n, 3), each text with its mass; L2 of 1 / strength."""
    columns = np.flatnonzero(np.bincount(rows.indices, minlength=rows.shape[1]) > 1)  # one text's own say little
    kept = sp.csr_matrix(rows.tocsc()[:, columns])
    back = sp.csr_matrix(kept.T)
    count, more = len(columns), extra.shape[1]
    whole = wanted * mass[:, None]

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, rest = flat[: count * 3].reshape(count, 3), flat[count * 3 :].reshape(1 + more, 3)
        logits = kept @ weights.astype(np.float32) + extra @ rest[1:] + rest[0]
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        sums = powers.sum(axis=1, keepdims=True)
        loss = (
            -(whole * (logits - np.log(sums))).sum()
            + (weights**2).sum() / (2 * strength)
            + 0.01 * (rest[1:] ** 2).sum()
        )
        slope = powers / sums * mass[:, None] - whole
        slopes = np.concatenate(
            (
                (back @ slope.astype(np.float32) + weights / strength).ravel(),
                slope.sum(axis=0),
                (extra.T @ slope + 0.02 * rest[1:]).ravel(),
            )
        )
        return float(loss), slopes.astype(np.float64)

    start = np.zeros((count + 1 + more) * 3)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 50, "maxcor": 8, "gtol": 1e-3}).x
    weights = np.zeros((rows.shape[1], 3), np.float32)
    weights[columns] = found[: count * 3].reshape(count, 3)
    rest = found[count * 3 :].reshape(1 + more, 3)
    return Fitted(weights, rest[0], rest[1:])


# ── what is learned from ─────────────────────────────────────────────────────


@dataclass
class Lessons:
    """Texts of one language with what is wanted of them (n, 3), each with its mass; `judged`: gold, used to judge."""

    texts: list[str] = field(default_factory=list)
    wanted: list[np.ndarray] = field(default_factory=list)
    mass: list[float] = field(default_factory=list)
    judged: list[bool] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)

    def add(self, source: str, texts: Sequence[str], wanted: np.ndarray, mass: float, *, judged: bool = False) -> None:
        """Texts not yet there; `mass` is that of a text on average, every class having the same in all.

        One text with and without its emoji is two, if both come together.
        """
        seen = {data_of.letters(text) for text in self.texts}
        new, here = [], set()
        for place, text in enumerate(texts):
            if text and text not in here and data_of.letters(text) not in seen:
                here.add(text)
                new.append(place)
        if not new:
            return
        chosen = wanted[new]
        share = chosen.sum(axis=0) / len(new)
        each = chosen @ (1 / (3 * np.maximum(share, 0.05)))
        self.texts += [texts[place] for place in new]
        self.wanted += list(chosen)
        self.labels += chosen.argmax(axis=1).tolist()
        self.mass += list(mass * each / each.mean())
        self.judged += [judged] * len(new)
        self.sources[source] = len(new)


def one_hot(labels: Sequence[int]) -> np.ndarray:
    return np.eye(3)[np.array(labels, int)]


def lessons(data: Path, language: str, soft: "Soft | None", masses: "Masses") -> Lessons:
    made = Lessons()
    rows = data_of.gold(data, language) + data_of.validation(data, language)
    made.add("umsab", [text for text, _ in rows], one_hot([label for _, label in rows]), 1.0, judged=True)
    if language == "en":
        rows = data_of.semeval(data)
        made.add("semeval", [text for text, _ in rows], one_hot([label for _, label in rows]), masses.semeval)
    if masses.xed:
        pairs = [(text, data_of.polarity(emotions)) for text, emotions in data_of.xed(data)[language]]
        rows = [(text, label) for text, label in pairs if label is not None and len(text) > 8]
        made.add("xed", [text for text, _ in rows], one_hot([label for _, label in rows]), masses.xed)
    if masses.graded:
        rows = data_of.graded(data, language)
        mass = min(masses.graded, MOST_GRADED * len(made.texts) / max(1, len(rows)))
        made.add("graded", [text for text, _ in rows], np.array([target for _, target in rows]), mass)
    for source, mass, rows in (
        ("phrases", masses.phrases, data_of.phrases(language)),
        ("own", masses.own, data_of.own(language)),
    ):
        if rows and mass:
            made.add(source, [text for text, _ in rows], one_hot([label for _, label in rows]), mass)
    if soft is not None:
        chosen = [place for place, code in enumerate(soft.languages) if code == language]
        heard = {soft.texts[place]: soft.probabilities[place] for place in chosen}
        for place, text in enumerate(made.texts):
            if text in heard:
                made.wanted[place] = (1 - masses.mixed) * made.wanted[place] + masses.mixed * heard[text]
        if masses.soft:
            made.add("soft", [soft.texts[place] for place in chosen], soft.probabilities[chosen], masses.soft)
    return made


@dataclass(frozen=True)
class Soft:
    texts: Sequence[str]
    languages: Sequence[str]
    probabilities: np.ndarray


def read_soft(file: Path) -> Soft:
    with np.load(file, allow_pickle=True) as stored:  # our own file of a moment ago, never one from elsewhere
        return Soft(stored["texts"].tolist(), stored["languages"].tolist(), stored["probabilities"].astype(np.float64))


@dataclass(frozen=True)
class Masses:
    """What a text of each kind counts beside a labelled tweet."""

    semeval: float = 1.0
    mixed: float = 0.7  # of a text's label is what the quality tier says of it
    xed: float = 0.0  # its emotions are not tone: 5 points worse in Spanish at 0.1
    graded: float = 0.5  # a text that we have read
    soft: float = 0.3
    phrases: float = 1.0
    own: float = 1.0


# ── judging ──────────────────────────────────────────────────────────────────


def temperature_of(labels: np.ndarray, logits: np.ndarray) -> float:
    """That of the least log-loss (Guo et al., ICML 2017)."""
    losses = {
        t: -np.log(softmax(logits / t)[np.arange(len(labels)), labels] + 1e-12).mean()
        for t in np.round(np.arange(0.3, 3.0, 0.02), 2).tolist()
    }
    return min(losses, key=losses.__getitem__)


@dataclass(frozen=True)
class Prepared:
    rows: sp.csr_matrix
    extra: np.ndarray
    wanted: np.ndarray
    mass: np.ndarray
    labels: np.ndarray
    judged: np.ndarray  # places of the gold
    rarities: np.ndarray


def prepared(made: Lessons, language: str) -> Prepared:
    counts = counted(made.texts, language)
    rarities = rarities_of(counts)
    return Prepared(
        weighed(counts, rarities),
        extras(made.texts, language),
        np.array(made.wanted),
        np.array(made.mass),
        np.array(made.labels),
        np.flatnonzero(made.judged),
        rarities,
    )


def held_out(ready: Prepared, strength: float, seed: int, folds: int) -> np.ndarray:
    """Logits of each judged text by a model that has not seen it."""
    fold = np.random.default_rng(seed).permutation(len(ready.judged)) % FOLDS
    logits = np.full((len(ready.judged), 3), np.nan)
    for aside in range(folds):
        out = ready.judged[fold == aside]
        kept = np.setdiff1d(np.arange(ready.rows.shape[0]), out)
        model = fit(ready.rows[kept], ready.extra[kept], ready.wanted[kept], ready.mass[kept], strength)
        logits[fold == aside] = model.logits(ready.rows[out], ready.extra[out])
    return logits


def figures(labels: np.ndarray, logits: np.ndarray, temperature: float) -> dict[str, float]:
    said = logits.argmax(axis=1)
    return {
        "texts": len(labels),
        "macro_f1": round(macro_f1(labels, said), 2),
        "inversions": round(inversions(labels, said), 2),
        "calibration_error": round(calibration_error(labels, softmax(logits / temperature)), 2),
    }


# ── the file ─────────────────────────────────────────────────────────────────


def packed(model: Fitted, ready: Prepared, temperature: float, card: dict[str, Any]) -> bytes:
    """An npz, stored as it is and without times: the same arrays give the same bytes."""
    scales = abs(model.weights).max(axis=0) / 127
    whole = np.clip(np.round(model.weights / scales), -127, 127).astype(np.int8)
    arrays = {
        "weights": whole,
        "rarities": ready.rarities,
        "scales": scales.astype(np.float64),
        "biases": model.biases,
        "temperature": np.float64(temperature),
        "extra": model.extra,
        "card": np.frombuffer(json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True).encode(), np.uint8),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue())
    return out.getvalue()


def train(
    data: Path,
    language: str,
    soft: Soft | None,
    masses: Masses,
    strength: float,
    seeds: int,
    folds: int,
    date: str,
    early_only: bool,
) -> bytes:
    made = lessons(data, language, soft, masses)
    ready = prepared(made, language)
    labels = ready.labels[ready.judged]
    outs = [held_out(ready, strength, seed, folds) for seed in range(seeds)]
    told = [~np.isnan(out[:, 0]) for out in outs]
    temperature = float(
        np.mean([temperature_of(labels[is_told], out[is_told]) for out, is_told in zip(outs, told, strict=True)])
    )
    found = [figures(labels[is_told], out[is_told], temperature) for out, is_told in zip(outs, told, strict=True)]
    crossed = {key: round(float(np.mean([each[key] for each in found])), 2) for key in found[0]}
    # The validation texts come last among the gold.
    last = ready.judged[-len(data_of.validation(data, language)) :]
    kept = np.setdiff1d(np.arange(ready.rows.shape[0]), last)
    early = fit(ready.rows[kept], ready.extra[kept], ready.wanted[kept], ready.mass[kept], strength)
    validated = figures(ready.labels[last], early.logits(ready.rows[last], ready.extra[last]), temperature)
    print(language, made.sources, "cv", crossed, "val", validated, "T", round(temperature, 2), flush=True)
    if early_only:
        return packed(early, ready, temperature, {"language": language, "for": "benchmarks.tone.calibrate"})
    card = {
        "language": language,
        "date": date,
        "classes": LABELS,
        "texts": made.sources,
        "masses": vars(masses),
        "strength": strength,
        # The quality tier has learned from the train texts: where soft labels are used, the folds flatter a little.
        "cross_validated": {"folds": folds, "seeds": seeds, **crossed},
        "validation_without_it_in_training": validated,
        "data": json.loads(data_of.MANIFEST.read_text(encoding="utf-8")),
    }
    return packed(fit(ready.rows, ready.extra, ready.wanted, ready.mass, strength), ready, temperature, card)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--soft", type=Path)
    arguments.add_argument("--date", required=True, help="of the card, YYYY-MM-DD")
    arguments.add_argument("--seeds", type=int, default=1, help="of the cross-validation's folds")
    arguments.add_argument("--folds", type=int, default=FOLDS, help="how many of the five are judged")
    arguments.add_argument("--without-validation", action="store_true", help="leave val out of the model written")
    arguments.add_argument("--language", action="append", choices=LANGUAGES)
    arguments.add_argument("--strength", type=float, default=6.0)
    for kind, default in vars(Masses()).items():
        arguments.add_argument(f"--mass-{kind}", type=float, default=default, help="mass of a text")
    asked = arguments.parse_args()
    data_of.check(asked.data)
    counting = Masses(**{kind: getattr(asked, f"mass_{kind}") for kind in vars(Masses())})
    told = read_soft(asked.soft) if asked.soft else None
    for code in asked.language or LANGUAGES:
        made_of = train(
            asked.data,
            code,
            told,
            counting,
            asked.strength,
            asked.seeds,
            asked.folds,
            asked.date,
            asked.without_validation,
        )
        (asked.out / f"fast-{code}.npz").write_bytes(made_of)
