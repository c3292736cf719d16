"""A text made ready for many questions: which words it has, which phrases, what stands near what.

    parts (title, text) -> words -> keys: a set for the first, cheap question
                                 -> places: one bit per word, for phrases and NEAR, made only when asked

Places are whole numbers used as rows of bits, so a phrase or a NEAR costs a few shifts over (words / 64) machine words
however often its words occur: no query and no text make a search run away.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from app.query.anchors import LITERAL
from app.query.expression import Exact, Expression, Near, Unit, Words
from app.query.fold import tags, visible, words

_GAP = 64  # places left free between parts: more than NEAR can reach
_PADDED_WORDS = 4096  # up to here looking for a phrase in the joined words is quicker than bits
_PART = "\x1f"  # no word holds it
# Letters and figures that always make one word with their neighbours (ŉ does not: it is an apostrophe and an n).
_PLAIN_WORD = re.compile("[0-9A-Za-zÀ-ÖØ-öø-\u0148\u014a-\u017fΑ-ΡΣ-Ωα-ωЀ-ҁҊ-ӿ]+")


class Patterns:
    """What queries ask for beyond whole words: prefixes, n-or-ñ words, tags, exact strings without a word.

    A passage's keys hold those of them that it has, so that a prefix is as quick to ask for as a word.
    """

    def __init__(self, expressions: Iterable[Expression] = ()) -> None:
        self.tags = False
        self._prefixes: dict[bool, set[str]] = {False: set(), True: set()}  # by looseness
        self._loose: set[str] = set()
        self._literals: set[str] = set()
        for expression in expressions:
            for leaf in expression.walk():
                self._add(leaf)
        self._lengths = {loose: _lengths_by_head(prefixes) for loose, prefixes in self._prefixes.items()}

    def _add(self, leaf: Expression) -> None:
        if isinstance(leaf, Words):
            for unit in leaf.units:
                self._add_unit(unit)
        elif isinstance(leaf, Near):
            for words_ in (*leaf.left, *leaf.right):
                self._add(words_)
        elif isinstance(leaf, Exact) and not words(leaf.text):
            self._literals.add(leaf.text)

    def _add_unit(self, unit: Unit) -> None:
        self.tags = self.tags or unit.text[0] in "#@"
        if unit.prefix:
            self._prefixes[unit.loose].add(unit.text)
        elif unit.loose:
            self._loose.add(unit.text)

    def found(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """Of the patterns on words the keys, each with the words and tags that it stands for."""
        found: dict[str, list[str]] = {}
        lengths, loose_lengths = self._lengths[False], self._lengths[True]
        if lengths:
            for word in keys:
                for length in lengths.get(word[:2], ()):
                    if word[:length] in self._prefixes[False]:
                        found.setdefault(f"{word[:length]}*", []).append(word)
        if self._loose or loose_lengths:
            for word in keys:
                plain = word.replace("ñ", "n")
                if plain in self._loose:
                    found.setdefault(f"~{plain}", []).append(word)
                for length in loose_lengths.get(plain[:2], ()):
                    if plain[:length] in self._prefixes[True]:
                        found.setdefault(f"~{plain[:length]}*", []).append(word)
        return found

    def literals(self, text: str) -> list[str]:
        """Keys of the exact strings without a word in them that stand in `text`, as `visible` gives it."""
        return [LITERAL + literal for literal in self._literals if literal in text]

    @property
    def any_on_words(self) -> bool:
        return bool(self._lengths[False] or self._lengths[True] or self._loose)

    @property
    def any_literals(self) -> bool:
        return bool(self._literals)


def _lengths_by_head(prefixes: set[str]) -> dict[str, tuple[int, ...]]:
    """For the first two letters the lengths of the prefixes that begin so: what must be tried for a word."""
    lengths: dict[str, set[int]] = {}
    for prefix in prefixes:
        lengths.setdefault(prefix[:2], set()).add(len(prefix))
    return {head: tuple(sorted(found)) for head, found in lengths.items()}


class Passage:
    """A text in one or more parts that no phrase and no NEAR crosses. `keys`: its words, tags and `Patterns`."""

    __slots__ = (
        "_exact",
        "_expansions",
        "_padded",
        "_places",
        "_positions",
        "_raw",
        "_tags",
        "_visible",
        "_words",
        "keys",
    )

    def __init__(self, parts: Sequence[str], patterns: Patterns) -> None:
        self._raw = parts
        self._words = [words(part) for part in parts]
        self.keys: set[str] = set().union(*self._words)
        self._tags: list[list[tuple[str, int, int]]] = []
        self._expansions: Mapping[str, list[str]] = {}
        self._padded: str | None = None
        self._visible: str | None = None
        self._positions: dict[str, list[int]] | None = None
        self._places: dict[str, int] = {}
        self._exact: dict[str, bool] = {}
        if patterns.tags:
            self._tags = [tags(part) for part in parts]
            self.keys.update(tag for found in self._tags for tag, _, _ in found)
        if patterns.any_on_words:
            self._expansions = patterns.found(self.keys)
            self.keys.update(self._expansions)
        if patterns.any_literals:
            self.keys.update(patterns.literals(self.visible))

    @property
    def visible(self) -> str:
        """The raw text as the eye sees it, for exact strings."""
        if self._visible is None:
            self._visible = visible(_PART.join(self._raw))
        return self._visible

    @property
    def padded(self) -> str:
        if self._padded is None:
            self._padded = f" {f' {_PART} '.join(map(' '.join, self._words))} "
        return self._padded

    @property
    def says(self) -> Callable[[str], bool]:
        """Answers whether plain words stand side by side, given as " acme corp "."""
        if sum(map(len, self._words)) <= _PADDED_WORDS:
            return self.padded.__contains__
        return self._says_far

    def _says_far(self, padded_words: str) -> bool:
        places = -1
        for offset, word in enumerate(padded_words.split()):
            places &= self._of(word) >> offset
        return bool(places)

    def starts(self, found: Words) -> int:
        """A bit for every place where these words begin."""
        places = -1
        for unit in found.units:
            places &= self._of(unit.key) >> unit.offset
            if not places:
                return 0
        return places

    def group(self, alternatives: Sequence[Words]) -> tuple[int, int]:
        """Bits where any of the alternatives begins, and where it ends."""
        begins = ends = 0
        for found in alternatives:
            places = self.starts(found)
            begins |= places
            ends |= places << (found.width - 1)
        return begins, ends

    def near(self, near: Near) -> bool:
        left, left_ends = self.group(near.left)
        if not left:
            return False
        right, right_ends = self.group(near.right)
        if not right:
            return False
        reach = near.distance + 1
        return bool(
            right & spread(left_ends << 1, reach) or (not near.ordered and left & spread(right_ends << 1, reach))
        )

    def exact(self, text: str) -> bool:
        """`text` stands literally in one of the parts, not cut out of a longer word."""
        known = self._exact.get(text)
        if known is None:
            known = self._exact[text] = next(occurrences(text, self.visible), None) is not None
        return known

    def _of(self, key: str) -> int:
        places = self._places.get(key)
        if places is None:
            known = self._known_positions()
            sources = self._expansions.get(key, (key,))
            places = bits([position for source in sources for position in known.get(source, ())])
            self._places[key] = places
        return places

    def _known_positions(self) -> dict[str, list[int]]:
        if self._positions is not None:
            return self._positions
        positions: dict[str, list[int]] = {}
        start = 0
        for index, part in enumerate(self._words):
            for position, word in enumerate(part, start):
                positions.setdefault(word, []).append(position)
            for tag, position, _ in self._tags[index] if self._tags else ():
                positions.setdefault(tag, []).append(start + position)
            start += len(part) + _GAP
        self._positions = positions
        return positions


def bits(positions: Sequence[int]) -> int:
    """A whole number with these bits set; linear in the largest, however many there are."""
    if not positions:
        return 0
    row = bytearray((max(positions) >> 3) + 1)
    for position in positions:
        row[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(row, "little")


def spread(places: int, count: int) -> int:
    """Every set bit copied to the `count` - 1 places above it."""
    done = 1
    while done < count:
        step = min(done, count - done)
        places |= places << step
        done += step
    return places


def occurrences(text: str, within: str) -> Iterator[int]:
    """Where `text` stands in `within`, not as a piece of a longer word."""
    word_first, word_last = _joins(text[0]), _joins(text[-1])
    at = within.find(text)
    while at >= 0:
        end = at + len(text)
        if word_first and at > 0 and _joins(within[at - 1]):
            plain = _PLAIN_WORD.match(within, at)  # no later letter of this word can begin one
            at = within.find(text, plain.end() if plain else at + 1)
            continue
        if not (word_last and end < len(within) and _joins(within[end])):
            yield at
        at = within.find(text, at + 1)


@lru_cache(maxsize=4096)
def _joins(char: str) -> bool:
    """Between two letters `char` makes one word of them."""
    return len(words(f"x{char}x")) == 1
