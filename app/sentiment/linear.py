"""One linear model a language over hashed features: exact integers, so that no text's answer depends on its batch.

    token -> its word, its word without accents, its letters by 3 to 5 -> hashed --+
    all of it once more if it is negated, the one or two tokens before -> hashed --+-> weight x rarity -> added up
    -> / length -> logits -> / temperature -> probabilities

A feature is one of 2^18 buckets, each with a weight a class (int8, one scale a class) and a rarity (idf, uint8, whose
scale the length takes out again). A text's logits are the sum of its tokens' shares, over the root of the sum of their
squared rarities. What a token adds does not depend on the rest of its text: it is worked out once, remembered, and is
the evidence.
"""

import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.sentiment.negation import NEGATIONS, SCOPE, STOPS
from app.sentiment.normal import squeezed
from app.sentiment.symbols import clear

BITS = 18
LETTERS = (3, 4, 5)
LONGEST = 40  # letters: a longer word is heard as one thing, not by its letters
REMEMBERED = 30_000  # tokens a language; one costs about 250 bytes

SHOWN, NEGATES, STOPPING = 1, 2, 4  # what a token is, added up: fit as evidence, a negation, the end of a clause

Hashes = NDArray[np.uint32]
Places = NDArray[np.intp]
Kinds = NDArray[np.uint8]

_BUCKET = np.uint32((1 << BITS) - 1)
_BASE = np.uint32(0x01000193)
_FIRST, _SECOND, _THIRD, _TURNED = map(np.uint32, (0x85EBCA6B, 0x9E3779B1, 0x27D4EB2F, 0x5BD1E995))
_POWERS = np.cumprod(np.full(4 * LONGEST, _BASE), dtype=np.uint32)

_CLEAR = {1: "\1glad", -1: "\1cross"}  # what emoji and emoticons have in common: rare ones teach little by themselves
_LINKED = frozenset(("http",))  # how `plain` writes a link
_DIGITS = dict.fromkeys(map(ord, "123456789"), "0")
_MODIFIERS = dict.fromkeys(map(ord, "\ufe0f\u200d\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"))
_ACCENTS = dict.fromkeys(range(0x300, 0x370))


# ── features of a token ──────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Spelled:
    """A token as its features see it: each of `forms` is one feature, `letters` is taken apart ("" = nothing is)."""

    forms: tuple[str, ...]
    letters: str = ""
    kind: int = 0


def spelled(token: str, negations: frozenset[str]) -> Spelled:
    first = token[0]
    if first == "@" or "://" in token or token[:4].lower() == "www." or token in _LINKED:
        return Spelled(("@user" if first == "@" else "http",))
    if first.isalnum() or first in "_#":
        return _word(squeezed(token[: 4 * LONGEST])[: LONGEST + 2], negations)
    tone = clear(token)
    if first in STOPS and not tone:
        return Spelled((squeezed(token[:LONGEST])[:8],), kind=STOPPING)
    # An emoji without its skin tone, or an emoticon; more than one of it is a feature beside it.
    bare = squeezed(token[: 4 * LONGEST]).lower().translate(_MODIFIERS)[: LONGEST + 2] or token[:1]
    one = bare[0] if bare[0] > "\u2000" else bare
    marks = [mark for mark, true in ((_CLEAR.get(tone, ""), tone), ("\1often", one != bare)) if true]
    return Spelled((one, *marks), kind=SHOWN | STOPPING if first in STOPS else SHOWN)


def _word(token: str, negations: frozenset[str]) -> Spelled:
    word = token.lower().lstrip("#").translate(_DIGITS).replace("’", "'") or "#"
    marks = [
        mark for mark, true in (("\1capitals", len(token) > 2 and token.isupper()), ("\1tag", token[0] == "#")) if true
    ]
    kind = SHOWN | NEGATES if word in negations else SHOWN
    if len(word) > LONGEST:
        return Spelled((f"<{word}", *marks), kind=kind)
    bare = word if word.isascii() else unicodedata.normalize("NFD", word).translate(_ACCENTS)
    return Spelled((f"<{word}>", f"{bare}~", *marks), f"<{bare}>", kind)


@dataclass(frozen=True, slots=True)
class Features:
    """Those of several tokens, one after another: buckets, how many are each token's, and each token's own hash.

    `turned`: the buckets that come on top where the token is negated, as many as it has. With one feature alone for
    that, twenty of its letters would outweigh it; and so "no recomendaría" is heard where "no recomiendo" was met.
    """

    buckets: Hashes
    turned: Hashes
    counts: Places
    hashes: Hashes


def features(tokens: Sequence[Spelled]) -> Features:
    """All features of the tokens in themselves, worked out together."""
    parts: list[str] = []
    owners: list[int] = []
    heads: list[int] = []
    apart: list[bool] = []
    for place, token in enumerate(tokens):
        heads.append(len(parts))
        parts += token.forms
        owners += [place] * len(token.forms)
        apart += [False] * len(token.forms)
        if token.letters:
            parts.append(token.letters)
            owners.append(place)
            apart.append(True)
    lengths = np.fromiter(map(len, parts), np.intp, len(parts))
    starts = np.cumsum(lengths) - lengths
    codes = np.frombuffer("".join(parts).encode("utf-32-le", "surrogatepass"), np.uint32)
    within = np.arange(len(codes)) - np.repeat(starts, lengths)
    whole = _mixed(np.add.reduceat(codes * _POWERS[within], starts, dtype=np.uint32))
    taken, owner = np.array(apart), np.array(owners, np.intp)
    buckets, belongs = [whole[~taken]], [owner[~taken]]
    left = np.where(np.repeat(taken, lengths), np.repeat(lengths, lengths) - within, 0)
    whose = np.repeat(owner, lengths)
    for size in LETTERS:
        at = np.flatnonzero(left >= size)
        letters = np.full(len(at), size, np.uint32)
        for step in range(size):
            letters = letters * _BASE + codes[at + step]
        buckets.append(_mixed(letters))
        belongs.append(whose[at])
    of = np.concatenate(belongs)
    order = np.argsort(of, kind="stable")
    found = np.concatenate(buckets)[order]
    return Features(
        found & _BUCKET, _mixed(found ^ _TURNED) & _BUCKET, np.bincount(of, minlength=len(tokens)), whole[heads]
    )


# ── features among neighbours ────────────────────────────────────────────────


def negated(kinds: Kinds, starts: Places) -> NDArray[np.bool_]:
    """Which tokens have a negation before them, at most `SCOPE` tokens away in the same clause.

    `starts`: where each text begins.
    """
    places = np.arange(len(kinds))
    clause = np.where(kinds & STOPPING, places, 0)
    clause[starts] = starts
    clause = np.maximum.accumulate(clause)
    negation = np.maximum.accumulate(np.where(kinds & NEGATES, places, -1))
    before = np.concatenate(([-1], negation[:-1]))
    turned: NDArray[np.bool_] = (before >= clause) & (places - before <= SCOPE) & (kinds & STOPPING == 0)
    return turned


def among(hashes: Hashes, starts: Places) -> tuple[Hashes, Places]:
    """Buckets of what tokens are among their neighbours (second of two, third of three), and whose each is."""
    begins = np.zeros(len(hashes), bool)
    begins[starts] = True
    second = np.flatnonzero(~begins)
    third = second[~begins[second - 1]]
    two = hashes[second - 1] * _SECOND + hashes[second] * _FIRST
    three = hashes[third - 2] * _THIRD + hashes[third - 1] * _SECOND + hashes[third] * _FIRST
    return _mixed(np.concatenate((two, three))) & _BUCKET, np.concatenate((second, third))


def _mixed(hashes: Hashes) -> Hashes:
    """Each bit of a hash spread over all of them: "lowbias32" of Wellons, https://nullprogram.com/blog/2018/07/31/."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x7FEB352D)
    hashes = (hashes ^ (hashes >> np.uint32(15))) * np.uint32(0x846CA68B)
    return hashes ^ (hashes >> np.uint32(16))


# ── the model ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What was learned. Classes are negative, neutral, positive; `extra` weighs what other ears heard, row by row."""

    weights: NDArray[np.int8]  # (buckets, 3)
    rarities: NDArray[np.uint8]  # (buckets,)
    scales: NDArray[np.float64]  # (3,)
    biases: NDArray[np.float64]  # (3,)
    temperature: float
    extra: NDArray[np.float64]  # (figures, 3)
    card: Mapping[str, Any]


def read_weights(path: Path) -> Weights:
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
        return Weights(
            weights=stored["weights"],
            rarities=stored["rarities"],
            scales=stored["scales"],
            biases=stored["biases"],
            temperature=float(stored["temperature"]),
            extra=stored["extra"],
            card=json.loads(stored["card"].tobytes()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a text's tokens say, before other ears: logits by class, and for each token what it adds to them."""

    logits: tuple[float, float, float]
    shares: NDArray[np.float64]  # (tokens,): towards positive minus towards negative
    kinds: Kinds
    turned: NDArray[np.bool_]  # negated


class _Words:
    """Tokens as written -> their row in `sums` and the like; `turned_...` come on top. Rows are only ever added."""

    def __init__(self, room: int) -> None:
        self.rows: dict[str, int] = {}
        self.sums = np.zeros((room, 3), np.int32)
        self.norms = np.zeros(room, np.int32)
        self.turned_sums = np.zeros((room, 3), np.int32)
        self.turned_norms = np.zeros(room, np.int32)
        self.hashes = np.zeros(room, np.uint32)
        self.kinds = np.zeros(room, np.uint8)


class Linear:
    """The model of one language. Thread-safe: what it remembers of a token depends on that token alone."""

    def __init__(self, weights: Weights, language: str) -> None:
        self._table = weights.weights.astype(np.int16) * weights.rarities.astype(np.int16)[:, None]
        self._squares = weights.rarities.astype(np.int32) ** 2
        self._scales = weights.scales
        self._biases = weights.biases
        self._negations = NEGATIONS[language]
        self._words = _Words(REMEMBERED)
        self._learning = Lock()

    def hear(self, texts: Sequence[Sequence[str]]) -> list[Heard]:
        """What the tokens of each text say. No text may be without tokens."""
        if not texts:
            return []
        words, rows = self._rows([token for text in texts for token in text])
        lengths = np.fromiter(map(len, texts), np.intp, len(texts))
        starts = np.cumsum(lengths) - lengths
        kinds, hashes = words.kinds[rows], words.hashes[rows]
        sums, norms = words.sums[rows].astype(np.int64), words.norms[rows].astype(np.int64)
        turned = negated(kinds, starts)
        sums[turned] += words.turned_sums[rows[turned]]
        norms[turned] += words.turned_norms[rows[turned]]
        buckets, whose = among(hashes, starts)
        beside, count = self._table[buckets], len(rows)
        for label in range(3):  # sums of whole numbers below 2^53: exact in float64, and much faster than add.at
            sums[:, label] += np.bincount(whose, beside[:, label], count).astype(np.int64)
        norms += np.bincount(whose, self._squares[buckets], count).astype(np.int64)
        roots = np.sqrt(np.add.reduceat(norms, starts))
        logits = np.add.reduceat(sums, starts) * self._scales / roots[:, None] + self._biases
        shares = (sums[:, 2] * self._scales[2] - sums[:, 0] * self._scales[0]) / np.repeat(roots, lengths)
        return [
            Heard((a, b, c), shares[start:end], kinds[start:end], turned[start:end])
            for (a, b, c), start, end in zip(logits.tolist(), starts.tolist(), (starts + lengths).tolist(), strict=True)
        ]

    def _rows(self, tokens: Sequence[str]) -> tuple[_Words, Places]:
        words = self._words
        rows = list(map(words.rows.get, tokens))
        if None in rows:
            words = self._learn(tokens)
            rows = list(map(words.rows.get, tokens))
        return words, np.array(rows, np.intp)

    def _learn(self, tokens: Sequence[str]) -> _Words:
        """Words that know all of these tokens: the ones at hand, or new ones where there is no room left."""
        with self._learning:
            words = self._words
            new = [token for token in dict.fromkeys(tokens) if token not in words.rows]
            if len(words.rows) + len(new) > REMEMBERED:
                new = list(dict.fromkeys(tokens))
                words = _Words(max(REMEMBERED, len(new)))
                if len(new) <= REMEMBERED:
                    self._words = words
            first = len(words.rows)
            here = slice(first, first + len(new))
            if new:
                spellings = [spelled(token, self._negations) for token in new]
                found = features(spellings)
                starts = np.cumsum(found.counts) - found.counts
                words.sums[here] = np.add.reduceat(self._table[found.buckets], starts, dtype=np.int32)
                words.norms[here] = np.add.reduceat(self._squares[found.buckets], starts)
                words.turned_sums[here] = np.add.reduceat(self._table[found.turned], starts, dtype=np.int32)
                words.turned_norms[here] = np.add.reduceat(self._squares[found.turned], starts)
                words.hashes[here] = found.hashes
                words.kinds[here] = [each.kind for each in spellings]
                # Last: a thread that finds a token here finds its row written.
                words.rows.update(zip(new, range(first, first + len(new)), strict=True))
            return words


def log_probabilities(logits: Sequence[float], temperature: float) -> list[float]:
    """Of each class. Not by numpy: a vector's exp and a single one's may differ in the last bit."""
    scaled = [logit / temperature for logit in logits]
    top = max(scaled)
    whole = top + log(sum(exp(each - top) for each in scaled))
    return [each - whole for each in scaled]
