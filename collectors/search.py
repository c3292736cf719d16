"""Asking a search API for several terms in turn, across visits: where the asking stands, in words.

    the terms | one after the other: what is newer than its mark, page after page | all of it read: the mark moves

A visit asks each term in turn and stops after 20 requests; the next one goes on where it stopped. A term's mark moves
forward when its pages are read, or when 20 of them are, so what dies half way is read again, and a term whose requests
fail does not hold up the others. No mark is beyond the visit that set it, whatever dates an answer holds: what comes
later would never be asked for. Windows overlap, and a post may answer several terms: the last ids are remembered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from collectors.base import CollectError, Post, Source

REQUESTS_PER_VISIT = 20
REQUESTS_PER_TERM = 20
SEEN_LIMIT = 500
DAY_S = 86_400


def unix(at: datetime) -> int:
    """In Unix seconds."""
    return int(at.timestamp())


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the asking stands; the cursor in words. Numbers are 0, texts empty, where nothing is known.

    `marks`: per term, the newest that its last whole reading showed, as the API counts (Unix seconds, or an id).
    `term` says what to ask next, and `page`, `before` or `token` where to go on with it, as the API turns pages.
    `newest` is the newest of this term's unfinished reading, `read` the number of its answers. `left` is how many terms
    this visit still has to ask, `asked` how many answers it got; both are 0 between visits. `seen` are the last ids.
    """

    marks: Mapping[str, int] = field(default_factory=dict)
    term: str = ""
    page: int = 0
    before: int = 0
    token: str = ""
    newest: int = 0
    read: int = 0
    left: int = 0
    asked: int = 0
    seen: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source, terms: Sequence[str]) -> Self:
        """What to ask now. One that failed since the last good visit waits until the other terms had their turn.

        Raises `CollectError` where there is nothing to ask for.
        """
        if not terms:
            raise CollectError("no_terms", "No brand that this source serves has a word that could be searched for.")
        known = {name: source.cursor[name] for name in cls.__dataclass_fields__ if name in source.cursor}
        walk = cls(**{**known, "seen": tuple(known.get("seen", ()))})
        if walk.term not in terms or source.fail_count:
            begin = terms.index(walk.term) if walk.term in terms else 0
            walk = walk._begun(terms[(begin + source.fail_count) % len(terms)])
        marks = {term: mark for term, mark in walk.marks.items() if term in terms}
        return replace(walk, marks=marks, left=min(walk.left, len(terms)) or len(terms))

    @property
    def mark(self) -> int:
        """The newest that was wholly read for the term which is asked now; 0 = it was never read."""
        return self.marks.get(self.term, 0)

    @property
    def unfinished(self) -> bool:
        """This visit has more to ask."""
        return self.asked > 0

    def answered(self, newest: int) -> Self:
        """With one more answer, whose newest post was `newest`."""
        return replace(self, asked=self.asked + 1, read=self.read + 1, newest=max(self.newest, newest))

    def advanced(self, terms: Sequence[str], further: Self | None) -> tuple[Self, bool]:
        """Where the asking stands after an answer, and whether the rest of its term was given up.

        `further`: this walk, turned to the term's next page, or None where that was its last.
        """
        if further and self.read < REQUESTS_PER_TERM:
            return further if self.asked < REQUESTS_PER_VISIT else further.rested(), False
        done = replace(
            self._begun(terms[(terms.index(self.term) + 1) % len(terms)]),
            marks={**self.marks, self.term: self.newest} if self.newest else self.marks,
            left=self.left - 1,
        )
        if done.left <= 0 or done.asked >= REQUESTS_PER_VISIT:
            done = done.rested()
        return done, further is not None

    def since(self, now: datetime, backfill_days: int, overlap_s: int) -> int:
        """Unix seconds to ask from, where marks are such. One beyond `now` is from before the clock was set back."""
        at = unix(now)
        return min(self.mark, at) - overlap_s if self.mark else at - backfill_days * DAY_S

    def rested(self) -> Self:
        """With the visit at its end, where the API asks not to be asked on; the next visit goes on here."""
        return replace(self, left=0, asked=0)

    def unseen(self, posts: Sequence[Post]) -> tuple[Post, ...]:
        return tuple(post for post in posts if post.id not in self.seen)

    def cursor(
        self, source: Source, posts: Sequence[Post], latest_of: Callable[[datetime], int] = unix
    ) -> Mapping[str, Any]:
        """As the page's cursor, once these posts were seen too. `latest_of`: the greatest mark of a visit that began
        then, as the API counts.
        """
        seen = tuple(dict.fromkeys([*(post.id for post in posts), *self.seen]))[:SEEN_LIMIT]
        walk = replace(self, seen=seen)
        if source.asked_at:
            latest = latest_of(source.asked_at)
            marks = {term: min(mark, latest) for term, mark in walk.marks.items()}
            walk = replace(walk, marks=marks, newest=min(walk.newest, latest))
        return asdict(walk)

    def _begun(self, term: str) -> Self:
        return replace(self, term=term, page=0, before=0, token="", newest=0, read=0)


def span(posts: Sequence[Post]) -> tuple[int, int]:
    """When the oldest and the youngest of them were published, in Unix seconds; 0 where none of them says."""
    times = [int(post.published_at.timestamp()) for post in posts if post.published_at]
    return min(times, default=0), max(times, default=0)


def words(source: Source) -> tuple[str, ...]:
    """What to search for: the setting `query` if there is one, else every term of the brands, lower case, once."""
    if query := str(source.settings.get("query", "")).strip():
        return (query,)
    found = dict.fromkeys(term.strip().lower() for query in source.queries for term in query.terms)
    return tuple(term for term in found if term)


def written(seconds: int) -> str:
    """Unix seconds as most APIs read a moment: 2026-11-22T10:00:00Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def quoted(term: str) -> str:
    """As a phrase where it is more than one word, or holds anything but letters and digits."""
    return term if term.isalnum() else '"' + term.replace('"', " ").strip() + '"'


def phrases(source: Source) -> tuple[str, ...]:
    """What to search for, in the syntax that most APIs have. The setting `query` is in the API's own already."""
    return words(source) if "query" in source.settings else tuple(quoted(word) for word in words(source))


def together(terms: Sequence[str], between: str, longest: int) -> tuple[str, ...]:
    """Terms put into one question where an API knows an "or", `between`: as many as fit into `longest` characters."""
    questions: list[str] = []
    for term in terms:
        if questions and len(questions[-1]) + len(between) + len(term) <= longest:
            questions[-1] += between + term
        else:
            questions.append(term)
    return tuple(questions)


def questions(source: Source, between: str, longest: int) -> tuple[str, ...]:
    """As `phrases`, but several to a question. The setting `query` is a question already."""
    return words(source) if "query" in source.settings else together(phrases(source), between, longest)
