"""What a scorer listens to of an over-long text, so that no text costs more than a bounded amount of work.

    text -> lose the repeats of an emoji -> first 400 tokens -> first 2,000 characters -> Window

A text within the caps is its own window, untouched: its score is exactly that of the scorer's rules.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter

CHARACTERS = 2_000
TOKENS = 400  # words split at white space; an emoji is one token
REPEATS = 3  # how many of a run of one emoji are kept in an over-long text
LOOKAHEAD = 20_000  # characters looked at of a text of any length

_SYMBOLS = "©®\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_MODIFIERS = "\ufe0f\u200d\U0001f3fb-\U0001f3ff"
EMOJI = re.compile(f"[{_SYMBOLS}]")
# At most two modifiers: with any number the engine would try every way to split a run of modifiers (quadratic).
_RUN = re.compile(f"([{_SYMBOLS}][{_MODIFIERS}]{{0,2}})\\1{{{REPEATS},}}")
_TOKEN = re.compile(f"[{_SYMBOLS}]|[^\\s{_SYMBOLS}]+")


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a text that is scored. `pieces`: (offset in the window, offset in the original), both ascending."""

    text: str
    pieces: tuple[tuple[int, int], ...] = ((0, 0),)

    def original(self, offset: int) -> int:
        """Where the character at `offset` of the window stands in the original text."""
        at, start = self.pieces[bisect_right(self.pieces, offset, key=itemgetter(0)) - 1]
        return start + offset - at


def window(text: str) -> Window:
    """The text itself if it is within the caps; else its beginning, cut after a whole token where there is one."""
    if len(text) <= CHARACTERS and (len(text) <= TOKENS or tokens(text) <= TOKENS):
        return Window(text)
    skipped = len(text) - len(text.lstrip())
    pieces, kept, length = [], [], 0
    for start, end in _without_repeats(text[skipped : skipped + LOOKAHEAD]):
        pieces.append((length, skipped + start))
        kept.append(text[skipped + start : skipped + end])
        length += end - start
    joined = "".join(kept)
    return Window(joined[: _cut(joined)], tuple(pieces))


def tokens(text: str) -> int:
    """How many words and emoji."""
    return len((text if text.isascii() else EMOJI.sub(" . ", text)).split())


def _without_repeats(text: str) -> list[tuple[int, int]]:
    """The slices of `text` that remain when a run of one emoji is cut to its first three."""
    slices, start = [], 0
    for run in _RUN.finditer(text):
        slices.append((start, run.start() + REPEATS * len(run[1])))
        start = run.end()
    slices.append((start, len(text)))
    return slices


def _cut(text: str) -> int:
    """Where the last whole token within the caps ends; in the middle of the first one if that alone is too long."""
    end = 0
    for count, token in enumerate(_TOKEN.finditer(text), 1):
        if count > TOKENS or token.end() > CHARACTERS:
            break
        end = token.end()
    return end or CHARACTERS
