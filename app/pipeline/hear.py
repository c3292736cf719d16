"""The walk from what was heard in haste to what is heard with care.

    provisional mentions, newest first | spoken | score | stars | restate  > mention, volumes, the brand's revision

When more comes in than the quality tier can hear, mentions are stored with the fast tier's word and marked
`provisional`; the operator marks more when there is a better scorer (`avizor rescore`), and what an author changes is
marked too. This walk hears them again. What is changed once more while it is heard waits for the next walk; what is
taken back is not heard any more. What a person has said meanwhile stands. A label that changes is counted in another
place from then on, and the brand is judged again by the watch walk.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from app.clock import Clock
from app.model import Label, Language
from app.pipeline.spoken import spoken
from app.sentiment import Scorer
from app.sentiment.stars import with_stars
from app.storage import Storage
from app.storage.records import Rescored, Unheard

log = logging.getLogger(__name__)

MOST = 256  # mentions a walk


@dataclass(slots=True)
class HearReport:
    """What one walk did: mentions that it heard, and how many of which brand changed from which label to which."""

    heard: int = 0
    changed: Counter[tuple[str, Label, Label]] = field(default_factory=Counter)


class Hear:
    """The hear walk. Synchronous: call it from a worker thread."""

    def __init__(self, storage: Storage, clock: Clock, scorer: Scorer) -> None:
        """`scorer` has the last word: nothing that it says is provisional."""
        self._storage = storage
        self._clock = clock
        self._scorer = scorer
        self._hearing = Lock()
        self._stopped = False

    def run(self) -> HearReport:
        """Hear up to `MOST` of what waits. When it `heard` nothing, nothing waits."""
        with self._hearing:
            unheard = [] if self._stopped else self._storage.mentions.provisional(MOST)
            report = HearReport(heard=len(unheard))
            if unheard:
                for one in self._storage.mentions.restate(self._heard(unheard), self._clock()):
                    report.changed[one.brand, one.was, one.label] += one.was != one.label
                report.changed = +report.changed
            if report.changed:
                log.info("heard %d mentions again: %s", report.heard, told(report.changed))
            return report

    def stop(self) -> None:
        """Wait for what is being heard; hear nothing any more."""
        with self._hearing:
            self._stopped = True

    def _heard(self, unheard: Sequence[Unheard]) -> list[Rescored]:
        texts = {one.post_id: spoken(one) for one in unheard}  # once a post, whatever the number of its brands
        languages = {one.post_id: Language(one.language, one.language_confidence) for one in unheard}
        tones = dict(zip(texts, self._scorer.score(list(texts.values()), list(languages.values())), strict=True))
        return [
            Rescored(one.brand_id, one.post_id, with_stars(tones[one.post_id], one.rating), one.edited_at)
            for one in unheard
        ]


def told(changed: Counter[tuple[str, Label, Label]]) -> str:
    """`aurora 3 neutral to negative, 1 positive to neutral; brezo 2 unknown to positive`."""
    brands: defaultdict[str, list[str]] = defaultdict(list)
    for (brand, was, label), number in changed.most_common():
        brands[brand].append(f"{number} {was} to {label}")
    return "; ".join(f"{brand} {', '.join(changes)}" for brand, changes in sorted(brands.items()))
