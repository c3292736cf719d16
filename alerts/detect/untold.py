"""Unknown tones: much is said, and nobody can tell how it is meant. That is no calm, and it may be a surge.

    Spike, Volume -> outweighs -> how much is usually unknown? -> is_unusual -> not_evaluated
    Volume -> as many tones as is usual -> (the detector is asked again) -> told -> unknown_surge

Unknown never counts as negative: a surge of it is held against how much is usually said, with the tones that are usual.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate

from alerts.detect.policy import Dial
from alerts.spike import BIN_S, BINS_PER_HOUR, Spike, Volume

LATELY = BINS_PER_HOUR
"""What an all-clear speaks of: an hour."""
UNTOLD = frozenset({"unknown_tones", "unknown_surge"})
"""Why a verdict is what it is, where unknown tones made it so."""
SURGE = BINS_PER_HOUR // 2
BEYOND = 2.0
"""So many times what is usually unknown is no bad hour of the scorer any more."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A volume whose last half hour has the tones that are usual, and what was added to each bin for it."""

    volume: Volume
    negative: Sequence[int]
    total: Sequence[int]


def outweighs(spike: Spike, volume: Volume) -> bool:
    """It would be calm, and of the last hour more is of unknown tone than of any known one."""
    unknown, total = sum(volume.unknown[-LATELY:]), sum(volume.total[-LATELY:])
    return spike.verdict == "calm" and unknown >= spike.minimum and unknown > total


def is_unusual(spike: Spike, volume: Volume, usually: float) -> bool:
    """Of the last hour twice as much as usual is of unknown tone, or more.

    `usually` is the part of the brand's stories that is of unknown tone in other weeks, above 0 and below 1: a brand
    that is talked about in a language that nobody can score is calm where it is as ever.
    """
    if not spike.expected or not spike.usual_share:
        return True
    due = (
        spike.expected / spike.usual_share * timedelta(seconds=LATELY * BIN_S) / (spike.window_end - spike.window_start)
    )
    return sum(volume.unknown[-LATELY:]) >= BEYOND * due * usually / (1 - usually)


def as_usual(volume: Volume, usually: float, usual_share: float) -> Filled:
    """The volume as if of all that was said in the last half hour as much had a tone, and were negative, as usual."""
    size = len(volume.total)
    lately = [0.0] * max(0, size - SURGE)
    said = zip(volume.total[-SURGE:], volume.unknown[-SURGE:], strict=True)
    lately += [max(0.0, (total + unknown) * (1 - usually) - total) for total, unknown in said]
    more, worse = _whole(lately), _whole([many * usual_share for many in lately])
    filled = replace(
        volume,
        negative=[is_ + new for is_, new in zip(volume.negative, worse, strict=True)],
        total=[is_ + new for is_, new in zip(volume.total, more, strict=True)],
    )
    return Filled(filled, worse, more)


def told(plain: Spike, surge: Spike, filled: Filled, dial: Dial) -> Spike:
    """The verdict where unknown tones outweigh the others. `surge` is that on the filled volume.

    Its counts are those of the stories as they are; chances and scores are those of the filled ones.
    """
    if surge.volume_score is None or surge.volume_score < dial.volume_warning:
        return replace(plain, verdict="not_evaluated", reason="unknown_tones")
    bins = min(len(filled.total), int((surge.window_end - surge.window_start).total_seconds()) // BIN_S)
    observed = max(0, surge.observed - sum(filled.negative[-bins:]))
    total = max(0, surge.total - sum(filled.total[-bins:]))
    share = observed / total if total else None
    worse = replace(surge, verdict="warning", reason="unknown_surge")
    return replace(worse, observed=observed, total=total, share=share)


def _whole(parts: Sequence[float]) -> list[int]:
    """Whole numbers that never fall behind the parts' sum by one."""
    sums = [int(seen + 1e-9) for seen in accumulate(parts)]
    return [new - old for old, new in zip([0, *sums], sums, strict=False)]
