"""What is known of a brand beside its counts, as it was known when a verdict was spoken. Read only when asked for."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import cached_property

from alerts.terms import SEAM
from app.model import Brand
from app.query.fold import words
from app.storage import Storage
from app.storage.proof import GraveRow, Told, Voice
from collectors import KINDS
from collectors.base import Source

DAY = timedelta(days=1)
MONTH = timedelta(days=28)
VOUCHED_FOR = 1  # the tier of a source that is believed by itself
SPREAD_COPIES = 9  # that, and the first of them, are ten sites at most
OPENING = 2_000  # stories that say what a crisis is about
BACKGROUND = 1_500  # stories of the last month that say how the brand is usually talked about


class Facts:
    """Facts about one brand at one moment.

    `known` is the id of the newest post that there was, None: as it is now. `copies` is how many there were in the
    last day, None: nobody counted them.
    """

    def __init__(
        self,
        storage: Storage,
        brand: Brand,
        sources: Sequence[Source],
        through: datetime,
        known: int | None,
        *,
        copies: int | None = None,
    ) -> None:
        self.brand = brand
        self.through = through
        self._storage = storage
        self._sources = [s for s in sources if s.enabled and (not s.brands or brand.slug in s.brands)]
        self._known = known
        self._copies = copies
        self._tokens: dict[int, list[str]] = {}

    @cached_property
    def said(self) -> list[Told]:
        """The stories of the last day, without their texts. One that a new source told first is who repeated it's."""
        found = self._storage.proof.told(
            self.brand.id, self.through - DAY, self.through, self._known, texts=False, newest=True
        )
        beside = self.told_beside([told.story_id for told in found if told.source in self.new_sources])
        return [replace(told, **asdict(beside[told.story_id])) if told.story_id in beside else told for told in found]

    def told_beside(self, story_ids: Sequence[int]) -> dict[int, Voice]:
        """Who repeated these stories, of the sources that are not new."""
        if not story_ids:
            return {}
        return self._storage.proof.told_beside(self.brand.id, story_ids, self.new_sources, self._known)

    @cached_property
    def negatives(self) -> list[Told]:
        """The negative stories of the last day, with their texts."""
        return self._storage.proof.told(
            self.brand.id, self.through - DAY, self.through, self._known, label="negative", newest=True
        )

    @cached_property
    def site_shares(self) -> dict[str, float]:
        return self._storage.proof.site_shares(self.brand.id, self.through - MONTH, self.through - DAY, self._known)

    @cached_property
    def usually_unknown(self) -> float:
        """The part of the stories of the last month, before today, that is of unknown tone; above 0 and below 1."""
        unknown, stories = self._storage.proof.unknown_tones(
            self.brand.id, self.through - MONTH, self.through - DAY, self._known
        )
        return (unknown + 1) / (stories + 2)

    @cached_property
    def new_sources(self) -> frozenset[str]:
        """Sources that came in less than a day ago, where others were there before and still are."""
        day_ago = self.through - DAY
        heard = [source for source in self._sources if source.first_ok_at is not None]
        new = frozenset(source.slug for source in heard if source.first_ok_at and source.first_ok_at > day_ago)
        there_before = any(
            source.slug not in new and source.last_ok_at is not None and source.last_ok_at > day_ago for source in heard
        )
        return new if there_before else frozenset()

    @cached_property
    def platforms(self) -> frozenset[str]:
        """Sources where many people speak in one place that knows who they are, or that the operator vouches for."""
        return frozenset(s.slug for s in self._sources if KINDS[s.kind].knows_authors or s.tier == VOUCHED_FOR)

    def negatives_between(self, start: datetime, end: datetime) -> list[Told]:
        """The negative stories published in [start, end), with their texts."""
        return self._storage.proof.told(self.brand.id, start, end, self._known, OPENING, label="negative")

    @cached_property
    def background(self) -> list[list[str]]:
        """The words of stories of the last month, before today, evenly spread."""
        texts = self._storage.proof.words_background(
            self.brand.id, self.through - MONTH, self.through - DAY, limit=BACKGROUND, known=self._known
        )
        return [_in_order(title, text) for title, text in texts]

    @cached_property
    def own_words(self) -> frozenset[str]:
        """The brand's name is in every story: it says nothing."""
        return frozenset(words(self.brand.name))

    @cached_property
    def grave(self) -> list[GraveRow]:
        """Stories of the last month that say something grave, and are not positive."""
        return self._storage.proof.grave(self.brand.id, self.through - MONTH, self.through, self._known)

    def spreads(self) -> list[int]:
        """Stories with so many copies in the last day that they may stand on many sites."""
        if self._copies is not None and self._copies < SPREAD_COPIES:
            return []
        return self._storage.proof.spreads(self.brand.id, self.through - DAY, SPREAD_COPIES, self._known)

    def copies(self, story_id: int) -> list[tuple[datetime, str, str | None]]:
        found = self._storage.proof.copies(self.brand.id, story_id, self.through - DAY, self._known)
        return [copy for copy in found if copy[0] < self.through]

    def first_told(self, story_ids: Sequence[int]) -> Told | None:
        """Who told any of these stories first, in whichever copy."""
        return self._storage.proof.first_told(self.brand.id, story_ids, self._known)

    def story(self, story_id: int) -> Told | None:
        return self._storage.proof.story(self.brand.id, story_id)

    def tokens(self, told: Told) -> list[str]:
        """The folded words of a story, read once: several questions are asked of each."""
        if told.post_id not in self._tokens:
            self._tokens[told.post_id] = _in_order(told.title, told.text)
        return self._tokens[told.post_id]


def _in_order(title: str, text: str) -> list[str]:
    """The folded words of both: the last of the title is no neighbour of the text's first."""
    return [*words(title), SEAM, *words(text)]
