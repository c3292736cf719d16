"""From a score to a verdict: the one dial that an operator turns.

Scores are log10 of months between chance occurrences, the same for every brand. So "at most b false warnings per brand
and month" is a threshold of -log10 b, for a brand with a mention a day and for one with ten thousand an hour.
"""

from dataclasses import dataclass
from math import log10
from typing import Literal

Severity = Literal["calm", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Dial:
    """How many false warnings per brand and month are worth it. A critical one is ten times as rare."""

    false_warnings_per_month: float = 1.0

    def __post_init__(self) -> None:
        if not 0.001 <= self.false_warnings_per_month <= 30:
            raise ValueError("false warnings per brand and month: from 0.001 to 30")

    @property
    def warning(self) -> float:
        return 0.0 - log10(self.false_warnings_per_month)  # never -0, which people would read

    @property
    def critical(self) -> float:
        return self.warning + 1

    @property
    def volume_warning(self) -> float:
        """A surge of the whole stream at its usual share of negatives: a weaker rule, a warning at most."""
        return self.warning + 1

    @property
    def calm(self) -> float:
        """Below this it is over."""
        return self.warning - 0.75

    def severity(self, score: float, volume_score: float) -> Severity:
        if score >= self.critical:
            return "critical"
        return "warning" if score >= self.warning or volume_score >= self.volume_warning else "calm"
