"""The words of the verdict: the volumes that it is about, and the verdict itself with all its numbers.

`alerts.detect` decides; everything after it (incidents, dossiers, messages, pages) reads a `Spike`. It is stored as
JSON, and read back by whichever version comes next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

BIN_S = 300
BINS_PER_HOUR = 3600 // BIN_S
BINS_PER_DAY = 86400 // BIN_S

Verdict = Literal["calm", "notice", "warning", "critical", "learning", "not_evaluated"]

# Why a sample does not count.
KEPT, POOR_COVERAGE, NO_HISTORY = "", "poor_coverage", "no_history"


@dataclass(frozen=True, slots=True)
class Volume:
    """Stories of one brand in 300 s bins: index i covers `start + i * 300 s`. All series have equal length.

    `negative` and `total` are live stories (what may alert); `past_negative` and `past_total` add the backfilled ones
    (what may only teach). `total` leaves out unknown tones, which stand in `unknown`. `coverage` is 0..1, 0 where
    nothing is known. Only closed bins are in it.
    """

    start: datetime
    negative: Sequence[int]
    total: Sequence[int]
    unknown: Sequence[int]
    past_negative: Sequence[int]
    past_total: Sequence[int]
    coverage: Sequence[float]

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.timestamp() % BIN_S:
            raise ValueError(f"a volume starts at an aware UTC time on the {BIN_S} s grid, not at {self.start}")
        lengths = {len(getattr(self, series.name)) for series in fields(self) if series.name != "start"}
        if len(lengths) != 1:
            raise ValueError(f"the series of a volume have equal length, not {sorted(lengths)}")


@dataclass(frozen=True, slots=True)
class Sample:
    """The same window of an earlier day, as somebody who checks the verdict would look it up.

    `kept` is False where it is no fair comparison; `why` says why (`poor_coverage`, `no_history`).
    """

    start: datetime
    negative: int
    kept: bool
    total: int = 0
    coverage: float = 1.0
    why: str = KEPT


@dataclass(frozen=True, slots=True)
class Spike:
    """The detector's verdict on a window, with all the numbers that it used.

    Counts are stories. `expected` is what is usual for the window, `band` the counts between which 95 % of such windows
    lie; `loudness` multiplies `expected` by how loud the rest of the brand's stream is. `probability` is the chance of
    `observed` or more by the usual, `share_probability` by the usual at this loudness. `score` orders verdicts: log10
    of months between chance occurrences (0: once a month, 1: once in ten months), -9 when nothing was tested, and
    `volume_score` is the same for the count alone. `threshold` is the score of a warning, `critical_threshold` of a
    critical one. `samples` are the same window of earlier days.

    `reason` is a stable word for why this verdict: `negative_spike`, `volume_surge`, `unknown_surge` (its chances and
    scores are those of the stories as if as many had a tone as usual), `grave_term`, `wide_spread`, `many_authors`,
    `silence`; `usual`, `few_voices` and `new_source` (an alarm but for stories that do not count), `poor_coverage`,
    `unknown_tones` (most is of unknown tone), `short_history`, `no_bins`. Shares and coverage are in 0..1: `coverage`
    is that of the last half hour, which says whether there can be a verdict, `window_coverage` the mean of the window.
    `history_h` is how many covered hours the brand has. `subject` is the grave term or the story's id, where the
    verdict is about one. `settled_at`: an incident of this cause ended then; only what was collected since counts.
    """

    rule: str
    verdict: Verdict
    reason: str
    window_start: datetime
    window_end: datetime
    observed: int
    total: int
    unknown: int
    expected: float | None
    probability: float | None
    score: float
    share: float | None
    usual_share: float | None
    coverage: float
    minimum: int
    threshold: float
    samples: tuple[Sample, ...] = ()
    loudness: float = 1.0
    dispersion: float | None = None
    share_probability: float | None = None
    critical_threshold: float | None = None
    history_h: float = 0.0
    band: tuple[float, float] | None = None
    volume_score: float | None = None
    subject: str | None = None
    settled_at: datetime | None = None
    window_coverage: float | None = None


ALARMS: frozenset[Verdict] = frozenset({"notice", "warning", "critical"})


# ── as JSON ──────────────────────────────────────────────────────────────────


def to_mapping(spike: Spike) -> dict[str, Any]:
    """The verdict as plain JSON values, times in ISO 8601 with Z. `from_mapping` gives the equal `Spike` back."""
    mapping = asdict(spike)
    mapping["window_start"], mapping["window_end"] = _iso(spike.window_start), _iso(spike.window_end)
    mapping["settled_at"] = None if spike.settled_at is None else _iso(spike.settled_at)
    mapping["samples"] = [{**asdict(sample), "start": _iso(sample.start)} for sample in spike.samples]
    mapping["band"] = None if spike.band is None else list(spike.band)
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Spike:
    """The other way round. Raises `ValueError` where the mapping is not one that `to_mapping` gave.

    Another version of Avizor may have written it: fields that are not known are left out, missing ones take defaults.
    """
    try:
        samples = tuple(
            Sample(**{**_known(Sample, sample), "start": _time(sample["start"])}) for sample in mapping["samples"]
        )
        times = {name: _time(mapping[name]) for name in ("window_start", "window_end")}
        band, settled_at = mapping.get("band"), mapping.get("settled_at")
        values = {**_known(Spike, mapping), **times, "samples": samples, "band": None if band is None else tuple(band)}
        values["settled_at"] = None if settled_at is None else _time(settled_at)
        spike = Spike(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a spike: {error}") from error
    if spike.verdict not in get_args(Verdict):
        raise ValueError(f"not a spike: unknown verdict {spike.verdict!r}")
    return spike


def _known(kind: type[Spike | Sample], mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: mapping[field.name] for field in fields(kind) if field.name in mapping}


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
