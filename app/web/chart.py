"""A brand's negative volume as a picture. Pure: bins in, geometry out; the template writes the SVG.

upper panel   negative stories, live and (lighter) from history
lower panel   stories of unknown tone, live and (lighter) from history, downwards, on a scale of their own: unknown is
              no kind of negative, nor of calm
hatched       stretches that too few sources were heard in, so that an empty place does not look like a quiet one
grey          before anybody began to listen to this brand: nobody is to blame, and nothing is known
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.api.bins import Bin

HEIGHT = 120.0
BASE = 84.0
"""The upper panel's floor, and the lower one's ceiling a little below it."""
GAP = 4.0
POOR = 0.9
"""Below this coverage a window is not judged, and a bin is hatched (reliability.md, section 5)."""
LABELS = 4
STEPS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture's units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One bin in the picture. A part with nothing in it is None."""

    bin: Bin
    frame: Box
    negative: Box | None
    history: Box | None
    unknown: Box | None
    unknown_history: Box | None
    uncovered: bool
    before: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """`most_negative` and `most_unknown` end the two scales; `marks` are the times under it, evenly spaced.

    `negative` and `unknown` count what is live; what is from history has counts of its own.
    """

    id: str
    width: float
    columns: tuple[Column, ...]
    most_negative: int
    most_unknown: int
    marks: tuple[datetime, ...]

    @property
    def negative(self) -> int:
        return sum(live(c.bin, "negative") for c in self.columns)

    @property
    def unknown(self) -> int:
        return sum(live(c.bin, "unknown") for c in self.columns)

    @property
    def negative_history(self) -> int:
        return sum(past(c.bin, "negative") for c in self.columns)

    @property
    def unknown_history(self) -> int:
        return sum(past(c.bin, "unknown") for c in self.columns)

    @property
    def uncovered(self) -> int:
        """How many bins were not heard well enough."""
        return sum(c.uncovered for c in self.columns)


def draw(chart_id: str, bins: Sequence[Bin], width: float, through: datetime | None) -> Chart:
    """`through`: how far the brand has been judged, None for not at all. See `is_before`."""
    most_negative = ceiling(max((live(b, "negative") + past(b, "negative") for b in bins), default=0))
    most_unknown = ceiling(max((live(b, "unknown") + past(b, "unknown") for b in bins), default=0))
    step = width / max(1, len(bins))
    return Chart(
        id=chart_id,
        width=width,
        columns=tuple(column(b, i * step, step, most_negative, most_unknown, through) for i, b in enumerate(bins)),
        most_negative=most_negative,
        most_unknown=most_unknown,
        marks=tuple(bins[i * len(bins) // LABELS].start for i in range(LABELS)) if len(bins) >= LABELS else (),
    )


def column(b: Bin, x: float, step: float, most_negative: int, most_unknown: int, through: datetime | None) -> Column:
    air = min(2.0, step * 0.15)
    inner_x, inner = x + air / 2, step - air
    up = (BASE - 2) / most_negative
    down = (HEIGHT - BASE - GAP) / most_unknown
    now, then = live(b, "negative") * up, past(b, "negative") * up
    unknown, unknown_then = live(b, "unknown") * down, past(b, "unknown") * down
    before = is_before(b, through)
    return Column(
        bin=b,
        frame=rounded(Box(x, 0, step, HEIGHT)),
        negative=rounded(Box(inner_x, BASE - now, inner, now)) if now else None,
        history=rounded(Box(inner_x, BASE - now - then, inner, then)) if then else None,
        unknown=rounded(Box(inner_x, BASE + GAP, inner, unknown)) if unknown else None,
        unknown_history=rounded(Box(inner_x, BASE + GAP + unknown, inner, unknown_then)) if unknown_then else None,
        uncovered=not before and is_uncovered(b),
        before=before,
    )


def is_uncovered(b: Bin) -> bool:
    """Heard by too few, or by nobody that we know of. An open bin is not blamed for what is yet to come."""
    return b.coverage < POOR if b.coverage is not None else not b.open


def is_before(b: Bin, through: datetime | None) -> bool:
    """Whether this bin had passed before anybody began to listen to the brand.

    The watch walk leaves a coverage row for every bin up to `through`, zeros where it was down; so a bin without one
    is older than the first, or newer than `through`, and then it is an outage.
    """
    return b.coverage is None and not b.open and (through is None or b.start < through)


def live(b: Bin, label: str) -> int:
    return b.stories[label]


def past(b: Bin, label: str) -> int:
    return b.backfill_stories[label]


def ceiling(highest: int) -> int:
    """The end of a scale: a round number at or above the highest count; at least 5, so that one mention stays small."""
    if highest <= 5:
        return 5
    power = int(10 ** (len(str(highest)) - 1))
    return next(step * power for step in STEPS if step * power >= highest)


def rounded(box: Box) -> Box:
    return Box(round(box.x, 2), round(box.y, 2), round(box.width, 2), round(box.height, 2))


# ── a backtest ───────────────────────────────────────────────────────────────

LOUDEST = 3.0
"""Scores beyond once in a thousand months are drawn as that, and those below once in a day not at all."""
QUIETEST = -1.5


@dataclass(frozen=True, slots=True)
class ScoreChart:
    """A brand's time in equal steps: negative stories above, the highest score of each step below, pages across both.

    `line` is the height of a warning. `marks` are the times under it, evenly spaced.
    """

    id: str
    width: float
    negative: tuple[Box, ...]
    scores: tuple[Box, ...]
    pages: tuple[Box, ...]
    line: float
    most_negative: int
    marks: tuple[datetime, ...]


def draw_scores(
    chart_id: str,
    start: datetime,
    step: timedelta,
    negative: Sequence[int],
    scores: Sequence[float | None],
    pages: Sequence[datetime],
    warning: float,
    width: float,
) -> ScoreChart:
    """`warning` is the score of one; `pages` are when somebody would have been woken."""
    most = ceiling(max(negative, default=0))
    floor, top = HEIGHT / 2 - GAP, HEIGHT / 2
    wide = width / max(1, len(negative))
    air = min(2.0, wide * 0.15)

    def bar(place: int, height: float, bottom: float) -> Box:
        return rounded(Box(place * wide + air / 2, bottom - height, wide - air, height))

    def level(score: float) -> float:
        return (min(max(score, QUIETEST), LOUDEST) - QUIETEST) / (LOUDEST - QUIETEST) * (HEIGHT - top)

    woken = sorted({int((at - start) / step) for at in pages})
    return ScoreChart(
        id=chart_id,
        width=width,
        negative=tuple(bar(i, count / most * floor, floor) for i, count in enumerate(negative) if count),
        scores=tuple(
            bar(i, level(score), HEIGHT) for i, score in enumerate(scores) if score is not None and score > QUIETEST
        ),
        pages=tuple(rounded(Box(i * wide, 0, max(wide, 2.0), HEIGHT)) for i in woken if 0 <= i < len(negative)),
        line=round(HEIGHT - level(warning), 2),
        most_negative=most,
        marks=tuple(start + step * (i * len(negative) // LABELS) for i in range(LABELS)),
    )
