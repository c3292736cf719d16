"""Why is this a mention of a brand, or why is it none? Every answer is a typed cause with its words and its facts.

    an address  | never fetched? quarantined? brought by a source that is not read for the brand? taken back?
    or a text   | no clause of the query, an exclusion, a filter? stored before the query asked for it?
                | a mention: its tone, its bins, a copy of what, why it does not alert, why a verdict left it out

Nothing is changed, and nothing is asked of anybody: what is known is read, and matched once more.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import chain
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from app import query
from app.language import Languages
from app.model import Brand, Mention
from app.pipeline.digest import LATE_AFTER
from app.pipeline.spoken import spoken
from app.query.expression import And, Expression, Lang, Not, Or, Site, Words
from app.query.expression import Source as FromSource
from app.query.fold import words
from app.sentiment import Scorer
from app.storage import Storage
from app.storage.records import QuarantineRow
from app.storage.traces import Trace
from app.story import text_hash
from collectors.base import Source
from collectors.due import health
from collectors.link import web_link
from collectors.text import TEXT_LIMIT, clean

Code = Literal[
    "no_source",
    "source_down",
    "not_in_source",
    "quarantined",
    "other_source",
    "no_match",
    "excluded",
    "filtered",
    "before_query",
    "withdrawn",
    "mention",
    "copy",
    "backfill",
    "not_counted",
    "not_stored",
    "would_match",
    "unread_query",
]
"""
no_source      never fetched: no source of this brand stands on that site
source_down    never fetched: the source that would have is failing, silent, late or switched off
not_in_source  never fetched: the source is well, and never showed it while it was looked at
quarantined    fetched, but it could not be read or stored
other_source   stored, but its source is not read for this brand
no_match       no clause of the query has what it says
excluded       an exclusion of the query stands in it
filtered       site:, source: or lang: of the query keep it out
before_query   the query matches it today, but it was stored before the query did
withdrawn      its author took it back
mention        it is one: label, score, evidence, language, and the bins that count it
copy           of a story that counts already
backfill       history: it never alerts
not_counted    a verdict left it out, and says why
not_stored     a text that no stored story begins with
would_match    a text that the query would make a mention
unread_query   the brand's query cannot be read
"""

WIDTHS_S = (300, 3_600)  # of the bins that count a mention
UNHASHED_SITES = 10  # sources on one site whose posts without a hash are looked through
ALTERNATIVES = 30  # of a query that are held against a text, for the nearest
CLAUSES = 12  # that are named
ALIKE = 0.8  # of two words' letters (difflib's ratio)
VERDICTS_FOR = timedelta(hours=25)  # after it came in: a verdict looks at the last day
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LEFT_OUT = {
    "same_author": "somebody who had a story in that window already: one person counts once",
    "one_site": "a site that had more than its share of that window",
    "new_source": "a source on its first day, where others were there before",
    "settled": "a loud level that the brand had settled at",
    "other_crisis": "another crisis of the brand, which counts it",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """`words` are one sentence or two for a person, `facts` the same for a program: JSON values and instants."""

    code: Code
    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """For one brand. The first cause decides; those after it add to it."""

    brand: str
    mentioned: bool
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """`url` is the address as it is looked for, None where a text was asked about. `posts` are what is stored of it."""

    url: str | None
    posts: tuple["Seen", ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What whoever asks may know of: brands, sources, and the slugs of those whose quarantine they may read.

    `every`: nothing of the house is kept from them, not even words of posts that mention nobody.
    """

    brands: Sequence[Brand]
    sources: Sequence[Source]
    quarantines: frozenset[str]
    every: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A stored post, and which of the asker's brands it mentions."""

    post: Trace
    brand_ids: frozenset[int]


class Explain:
    """Answers within a reach. Blocking."""

    def __init__(self, storage: Storage, languages: Languages, scorer: Scorer, reach: Reach, now: datetime) -> None:
        self._storage = storage
        self._languages = languages
        self._scorer = scorer
        self._reach = reach
        self._now = now
        self._sources = {source.id: source for source in reach.sources}

    def url(self, written: str) -> Explained:
        """Raises `ValueError` for what is no web address."""
        url = web_link(written, "")
        if url is None:
            raise ValueError("is no address that begins with http:// or https://")
        urls = list(_spellings(url))
        posts = self._known(self._storage.traces.by_url(urls))
        near = [source for source in self._reach.sources if _is_on(source, url)]
        if not posts:
            posts = self._known(self._storage.traces.by_url_unhashed(urls, [one.id for one in near[:UNHASHED_SITES]]))
        rejected = [] if posts else self._rejected(url)
        answers = [
            self._stored(brand, posts) if posts else self._unfetched(brand, near, rejected)
            for brand in self._reach.brands
        ]
        return Explained(url, tuple(posts), tuple(answers))

    def text(self, written: str) -> Explained:
        """A text is looked for among stored stories, and matched, placed and heard as if it came in now."""
        said = clean(written, TEXT_LIMIT)
        posts = self._known(self._storage.traces.by_text(text_hash("", said, None, None)))
        if posts:
            return Explained(None, tuple(posts), tuple(self._stored(brand, posts) for brand in self._reach.brands))
        return Explained(None, (), tuple(self._unstored(brand, said) for brand in self._reach.brands))

    def _known(self, posts: Sequence[Trace]) -> list["Seen"]:
        """Of these posts those that whoever asks may know of: of a source of theirs, or a mention of their brand."""
        brands = {brand.id: brand.slug for brand in self._reach.brands}
        by_post = self._storage.traces.mentioned([post.post_id for post in posts])
        seen = [Seen(post, frozenset(brands.keys() & by_post.get(post.post_id, ()))) for post in posts]
        return [one for one in seen if one.brand_ids or one.post.source_id in self._sources]

    def _rejected(self, url: str) -> list[QuarantineRow]:
        """Items that could not be read and that name this address, however they spell it."""
        parts = urlsplit(url)
        piece = parts.netloc.removeprefix("www.") + parts.path.rstrip("/")
        named = re.compile(rf"(?<![\w-]){re.escape(piece)}(?!/?[\w-])")
        found = self._storage.traces.quarantined(piece, self._reach.quarantines)
        return [row for row in found if named.search(row.sample)]

    # ── it is not there ──────────────────────────────────────────────────────

    def _unfetched(self, brand: Brand, near: Sequence[Source], rejected: Sequence[QuarantineRow]) -> Answer:
        fed = {source.slug for source in self._reach.sources if _feeds(source, brand)}
        row = next((row for row in rejected if row.source in fed), None)
        if row is None:
            return Answer(brand.slug, False, (self._never_fetched(brand, near),))
        told = f"The source {row.source} brought it at {_at(row.at)}, and it could not be read: {row.reason}."
        facts = {"source": row.source, "at": row.at, "reason": row.reason}
        return Answer(brand.slug, False, (Cause("quarantined", told, facts),))

    def _never_fetched(self, brand: Brand, near: Sequence[Source]) -> Cause:
        mine = [source for source in near if _feeds(source, brand)]
        if not mine:
            others = sum(_feeds(source, brand) and source.enabled for source in self._reach.sources)
            said = f"No source of {brand.slug} stands on that site, and none of its {others} others brought it."
            return Cause("no_source", f"It was never fetched. {said}", {"sources": others})
        states = {source.slug: health(source, self._now) for source in mine}
        well = [source for source in mine if states[source.slug] == "ok"]
        if not well:
            source = mine[0]
            state, last = states[source.slug], source.last_ok_at
            since = f"since {_at(last)}" if last else "and was never heard"
            why = f" ({source.last_error})" if source.last_error else ""
            facts = {"source": source.slug, "state": state, "last_ok_at": last, "error": source.last_error}
            return Cause(
                "source_down", f"It was never fetched: the source {source.slug} is {state} {since}{why}.", facts
            )
        source = well[0]
        ran_over = f", which ran over at {_at(source.overrun_at)}" if source.overrun_at else ""
        began = f"It may be from before its first reading at {_at(source.first_ok_at)}, " if source.first_ok_at else ""
        said = (
            f"It was never fetched: the source {source.slug} is well, and never showed that address. "
            f"{began or 'It may be older, '}or have left its window between two readings{ran_over}. "
            "Posts from before the database kept their addresses' hashes are found by their site only."
        )
        facts = {"source": source.slug, "first_ok_at": source.first_ok_at, "overrun_at": source.overrun_at}
        return Cause("not_in_source", said, {**facts, "last_ok_at": source.last_ok_at})

    def _unstored(self, brand: Brand, said: str) -> Answer:
        not_stored = Cause(
            "not_stored",
            "No stored story begins with this text. Short ones are told apart by author and site: ask by the address.",
        )
        expression = _parsed(brand)
        if expression is None:
            return Answer(brand.slug, False, (not_stored, _unread(brand)))
        language = self._languages.identify(said, brand.language)
        document = query.Document(text=said, language=language.code)
        told = _without(expression, _is_place)
        if told is not None and not query.explain(told, document).matched:
            return Answer(brand.slug, False, (_why_not(told, document, near=True), not_stored))
        (tone,) = self._scorer.score([said], [language])
        facts = {"label": tone.label, "score": tone.score, "language": tone.language, "evidence": _evidence(tone)}
        heard = f"heard in {tone.language or 'no known language'} as {tone.label}{_score(tone.score)}"
        cause = Cause("would_match", f"The query of {brand.slug} matches this text; it is {heard}.", facts)
        return Answer(brand.slug, False, (cause, not_stored))

    # ── it is there ──────────────────────────────────────────────────────────

    def _stored(self, brand: Brand, posts: Sequence["Seen"]) -> Answer:
        found = next((one.post for one in posts if brand.id in one.brand_ids), None)
        mention = found and self._storage.mentions.get(brand.slug, found.post_id)
        if found and mention:
            return Answer(brand.slug, True, tuple(self._mentioned(brand, found, mention)))
        here = [one.post for one in posts if one.post.source_id in self._sources]
        if not here:  # it is known by another brand's mention alone, of a source that is not the asker's
            return Answer(brand.slug, False, (self._never_fetched(brand, ()),))
        read = [post for post in here if _feeds(self._sources[post.source_id], brand)]
        post = (read or here)[0]
        if post.withdrawn_at is not None:
            return Answer(brand.slug, False, (_withdrawn(post, f"and it is no mention of {brand.slug}"),))
        if not read:
            told = f"The source {post.source} brought it at {_at(post.fetched_at)}, and is not read for {brand.slug}."
            facts = {"source": post.source, "fetched_at": post.fetched_at}
            return Answer(brand.slug, False, (Cause("other_source", told, facts),))
        return Answer(brand.slug, False, (self._unmatched(brand, post),))

    def _unmatched(self, brand: Brand, post: Trace) -> Cause:
        expression = _parsed(brand)
        if expression is None:
            return _unread(brand)
        claimed = post.language or self._sources[post.source_id].language
        document = query.Document(
            title="" if post.reply else post.title,
            text=post.text,
            site=post.site,
            author=post.author,
            language=self._languages.identify(spoken(post), claimed).code,
            source=post.source,
        )
        if not query.explain(expression, document).matched:
            return _why_not(expression, document, near=self._reach.every)
        made = self._storage.traces.watched_since(brand.id)
        before = "the brand" if made and post.fetched_at < made else "the query as it is now"
        told = (
            f"The query of {brand.slug} matches it, but it was stored at {_at(post.fetched_at)}, before {before}. "
            "A stored post is matched again when its source shows it again, and is history then."
        )
        return Cause("before_query", told, {"fetched_at": post.fetched_at, "brand_made_at": made})

    def _mentioned(self, brand: Brand, post: Trace, mention: Mention) -> Iterator[Cause]:
        yield _mention(mention)
        if post.withdrawn_at is not None:
            yield _withdrawn(post, "and the mention still counts")
        first = mention.post_id
        if mention.copy:
            first = self._storage.traces.first_of(mention.story_id, brand.id) or first
            told = self._storage.mentions.get(brand.slug, first)
            if told is not None:
                yield Cause(
                    "copy",
                    f"It is a copy of {told.url or 'a post'} that {told.source} brought at {_at(told.fetched_at)}: "
                    "a story counts once, its copies are its spread.",
                    {"post_id": str(first), "source": told.source, "url": told.url, "published_at": told.published_at},
                )
        if mention.backfill:
            yield _backfill(post, mention)
        left_out = self._left_out(brand, first, post.fetched_at)
        if left_out is not None:
            at, why = left_out
            said = f"The verdict of {_at(at)} did not count it: {_LEFT_OUT.get(why, why)}."
            yield Cause("not_counted", said, {"why": why, "verdict_at": at})

    def _left_out(self, brand: Brand, post_id: int, since: datetime) -> tuple[datetime, str] | None:
        """The last verdict that left it out, and why."""
        verdicts = self._storage.journal.verdicts(brand.id, since, min(self._now, since + VERDICTS_FOR))
        return max(
            ((one.at, out.why) for one in verdicts for out in one.excluded if out.post_id == post_id), default=None
        )


# ── why a query does not match ───────────────────────────────────────────────


def _why_not(expression: Expression, document: query.Document, *, near: bool) -> Cause:
    """Without its filters it would match: they did it. Without its exclusions: they did. Else nothing wanted is there.

    `near`: words of the document may be named that are nearly those of the query.
    """
    said = query.explain(expression, document)
    filters = [str(leaf) for leaf in expression.walk() if _is_filter(leaf)]
    if _would_match(_without(expression, _is_filter), document):
        kept_out = [clause.text for clause in (*said.missing, *said.excluded) if clause.text in filters][:CLAUSES]
        told = (
            f"The query keeps it out by {_listed(kept_out)}: it stands on {document.site or 'no site'}, "
            f"came from {document.source or 'no source'}, and is in {document.language or 'no known language'}."
        )
        facts = {"site": document.site, "source": document.source, "language": document.language}
        return Cause("filtered", told, {"clauses": kept_out, **facts})
    without = _without(expression, _is_exclusion)
    if _would_match(without, document) or _would_match(without and _without(without, _is_filter), document):
        clauses = [
            {
                "clause": clause.text,
                "said": [getattr(document, one.field)[one.start : one.end] for one in clause.spans[:5]],
            }
            for clause in said.excluded
            if clause.text not in filters
        ][:CLAUSES]
        named = _listed([f"{one['clause']} ({', '.join(map(repr, one['said']))})" for one in clauses])
        return Cause("excluded", f"The query excludes it: it has {named}.", {"clauses": clauses})
    return _no_match(expression, document, near=near)


def _no_match(expression: Expression, document: query.Document, *, near: bool) -> Cause:
    """The alternative of the query with the largest part there, and words that are nearly those that it lacks."""
    alternatives = expression.parts if isinstance(expression, Or) else (expression,)
    told = [(one, query.explain(one, document)) for one in alternatives[:ALTERNATIVES]]
    nearest, said = max(told, key=lambda pair: len(pair[1].found) / (len(pair[1].found) + len(pair[1].missing) or 1))
    lacks = [clause.text for clause in said.missing][:CLAUSES]
    has = [clause.text for clause in said.found][:CLAUSES]
    alike = _alike(expression, document) if near else {}
    facts = {"nearest": str(nearest)[:500], "has": has, "lacks": lacks, "alike": alike}
    there = f"; of the nearest it has {_listed(has)} and lacks {_listed(lacks)}" if has else ""
    almost = (
        f"; it has {_listed([f'{found!r}, which is nearly {word!r}' for word, found in alike.items()])}"
        if alike
        else ""
    )
    return Cause("no_match", f"No clause of the query is in it{there}{almost}.", facts)


def _alike(expression: Expression, document: query.Document) -> dict[str, str]:
    """Words of the query -> the word of the document that is nearly the same, as both are folded."""
    there = list(dict.fromkeys(words(f"{document.title} {document.text}"[:20_000])))
    wanted = dict.fromkeys(
        unit.text for leaf in expression.walk() if isinstance(leaf, Words) for unit in leaf.units if len(unit.text) > 3
    )
    found = {word: get_close_matches(word, there, 1, ALIKE) for word in list(wanted)[:ALTERNATIVES]}
    return {word: near[0] for word, near in found.items() if near and near[0] != word}


def _without(expression: Expression, left_out: Callable[[Expression], bool]) -> Expression | None:
    """The query as if what is `left_out` were met; None: then nothing is asked."""
    if left_out(expression):
        return None
    if isinstance(expression, And):
        parts = [part for part in (_without(part, left_out) for part in expression.parts) if part is not None]
        return replace(expression, parts=tuple(parts)) if parts else None
    if isinstance(expression, Or):
        alternatives = [_without(part, left_out) for part in expression.parts]
        kept = tuple(part for part in alternatives if part is not None)
        return replace(expression, parts=kept) if len(kept) == len(alternatives) else None
    return expression


def _would_match(expression: Expression | None, document: query.Document) -> bool:
    return expression is not None and query.explain(expression, document).matched


def _leaves(expression: Expression) -> Iterator[Expression]:
    children = expression.children
    return chain.from_iterable(map(_leaves, children)) if children else iter((expression,))


def _is_filter(expression: Expression) -> bool:
    return all(isinstance(leaf, Site | FromSource | Lang) for leaf in _leaves(expression))


def _is_place(expression: Expression) -> bool:
    return all(isinstance(leaf, Site | FromSource) for leaf in _leaves(expression))


def _is_exclusion(expression: Expression) -> bool:
    return isinstance(expression, Not) and not _is_filter(expression)


def _parsed(brand: Brand) -> Expression | None:
    try:
        return query.parse(brand.query)
    except query.QueryError:
        return None


# ── causes in words ──────────────────────────────────────────────────────────


def _mention(mention: Mention) -> Cause:
    bins = [(_bin(mention.published_at, width), width) for width in WIDTHS_S]
    counted = f"{'a copy' if mention.copy else 'a story'}{' of history' if mention.backfill else ''}"
    heard = mention.sentiment
    whose = f", corrected by {mention.correction.by}" if mention.correction else ""
    told = (
        f"It is a mention of {mention.brand}: {mention.label}{_score(mention.score)}{whose}, "
        f"heard in {heard.language or 'no known language'}. It counts as {counted} in the bins that begin at "
        f"{_listed([f'{_at(start)} ({width} s)' for start, width in bins])}."
    )
    facts = {
        "post_id": str(mention.post_id),
        "source": mention.source,
        "label": mention.label,
        "score": mention.score,
        "language": heard.language,
        "evidence": _evidence(heard),
        "copy": mention.copy,
        "backfill": mention.backfill,
        "bins": [{"start": start, "width_s": width} for start, width in bins],
    }
    return Cause("mention", told, facts)


def _backfill(post: Trace, mention: Mention) -> Cause:
    late = post.fetched_at - post.published_at
    if late > LATE_AFTER:
        why, said = "late", f"it came in {late.days or 1} days after it was published"
    elif not post.backfill:
        why, said = "later_query", "the query made it a mention only after it was stored"
    else:
        why, said = "first_run", f"it came with the first answer of {post.source}, or was imported"
    told = f"It is history and never alerts: {said}."
    return Cause("backfill", told, {"why": why, "published_at": post.published_at, "fetched_at": post.fetched_at})


def _withdrawn(post: Trace, still: str) -> Cause:
    at = post.withdrawn_at
    told = f"Its author took it back, which we saw at {at and _at(at)}: its words are erased, {still}."
    return Cause("withdrawn", told, {"withdrawn_at": at})


def _unread(brand: Brand) -> Cause:
    return Cause("unread_query", f"The query of {brand.slug} cannot be read, so nothing is a mention of it.")


def _evidence(tone: Any) -> list[dict[str, Any]]:
    return [{"text": one.text, "weight": one.weight} for one in tone.evidence]


def _score(score: float | None) -> str:
    return "" if score is None else f" ({score:+.2f})"


def _bin(at: datetime, width_s: int) -> datetime:
    return at - (at - EPOCH) % timedelta(seconds=width_s)


def _at(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts) or "nothing"


# ── where ────────────────────────────────────────────────────────────────────


def _feeds(source: Source, brand: Brand) -> bool:
    return not source.brands or brand.slug in source.brands


def _is_on(source: Source, url: str) -> bool:
    """The source stands on the address's site, or one stands below the other: `feeds.diario.example`."""
    one, other = (_host(address) for address in (source.url or "", url))
    return bool(one and other) and (one == other or one.endswith(f".{other}") or other.endswith(f".{one}"))


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _spellings(url: str) -> Iterator[str]:
    """One page's address in the ways that people write it: with and without a last slash, www, and the s of https."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    host = parts.netloc.removeprefix("www.")
    for scheme in ("https", "http"):
        for netloc in (host, f"www.{host}"):
            for spelt in (path, f"{path}/"):
                yield urlunsplit((scheme, netloc, spelt, parts.query, parts.fragment))
    yield url


def to_mapping(explained: Explained) -> dict[str, Any]:
    """As JSON writes it, with instants as they are."""
    return {
        "url": explained.url,
        "posts": [
            {
                "id": str(one.post.post_id),
                "source": one.post.source,
                "url": one.post.url,
                "published_at": one.post.published_at,
                "fetched_at": one.post.fetched_at,
            }
            for one in explained.posts
        ],
        "answers": [
            {
                "brand": answer.brand,
                "mentioned": answer.mentioned,
                "causes": [
                    {"code": cause.code, "words": cause.words, "facts": dict(cause.facts)} for cause in answer.causes
                ],
            }
            for answer in explained.answers
        ],
    }
