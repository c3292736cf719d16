"""From posts to rows: clamp | match | language | score | stars | grave terms | story.

No clock, no network, no database. A post that is known comes as a row where something of it is new: a brand that it
mentions, its words, what it counts. One that was taken back never does.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from app import query
from app.language import Languages
from app.model import Brand, Sentiment
from app.pipeline.spoken import spoken
from app.sentiment import Scorer
from app.sentiment.grave import grave_terms
from app.sentiment.stars import with_stars
from app.storage.changes import is_counted_anew, is_edited
from app.storage.records import CollectedPost, KnownPost
from app.story import bands, text_hash
from collectors import KINDS
from collectors.base import Post, Query, Recounts, Source

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=24)  # what arrives later than this teaches the baseline, but never alerts
# After publication: a source that can be asked by id is asked then what became of a mention.
REVISITED = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7))
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)  # an item that claims to be older than the web is taken for undated


@dataclass(frozen=True, slots=True)
class Watched:
    """The brands as the walk needs them: their queries in one index, and what to ask a search API for each."""

    brands: tuple[Brand, ...]
    index: query.Index
    terms: Mapping[str, tuple[str, ...]]
    ids: Mapping[str, int]

    @classmethod
    def compile(cls, brands: Sequence[Brand]) -> "Watched":
        expressions = _parsed(brands)
        heard = [brand for brand in brands if brand.id in expressions]
        return cls(
            brands=tuple(brands),
            index=query.Index(expressions),
            terms={brand.slug: query.terms(expressions[brand.id]) for brand in heard},
            ids={brand.slug: brand.id for brand in heard},
        )

    def queries(self, source: Source) -> tuple[Query, ...]:
        return tuple(Query(slug, self.terms[slug]) for slug in self._slugs(source))

    def brand_ids(self, source: Source) -> frozenset[int]:
        return frozenset(self.ids[slug] for slug in self._slugs(source))

    def _slugs(self, source: Source) -> list[str]:
        """The brands that a source is asked for: those that it names, or all."""
        return [slug for slug in source.brands or self.ids if slug in self.ids]


def _parsed(brands: Sequence[Brand]) -> dict[int, query.Expression]:
    """Queries are checked before they are stored; one that this version cannot read costs its own brand only."""
    expressions = {}
    for brand in brands:
        try:
            expressions[brand.id] = query.parse(brand.query)
        except query.QueryError as error:
            log.error("brand %s is not listened for, its query cannot be read: %s", brand.slug, error)
    return expressions


class Digest:
    """Reads posts for all brands at once. `over` makes a new one when a brand or its query changed."""

    def __init__(self, watched: Watched, languages: Languages, scorer: Scorer) -> None:
        self.watched = watched
        self._spoken_by = {brand.id: brand.language for brand in watched.brands}
        self._languages = languages
        self._scorer = scorer

    def over(self, brands: Sequence[Brand]) -> "Digest":
        """This one, or a new one where the brands or their queries are others by now."""
        if tuple(brands) == self.watched.brands:
            return self
        return Digest(Watched.compile(brands), self._languages, self._scorer)

    def rows(
        self, source: Source, posts: Mapping[bytes, Post], known: Mapping[bytes, KnownPost], now: datetime
    ) -> list[CollectedPost]:
        """One row per post that is new, mentions a brand which it did not mention before, or is not what it was."""
        allowed = self.watched.brand_ids(source)
        posts = {key: post for key, post in posts.items() if key not in known or not known[key].withdrawn}
        sites = {key: site_of(source, post) for key, post in posts.items()}
        brands = {key: self._brands(source, post, sites[key], allowed) for key, post in posts.items()}
        fresh = {key: found - known[key].brand_ids if key in known else found for key, found in brands.items()}
        tones = self._hear(source, posts, fresh)
        return [
            row(source, key, posts[key], sites[key], now, tones.get(key, {}), seen=key in known)
            for key, found in fresh.items()
            if found or key not in known or _is_other(source, posts[key], known[key])
        ]

    def about(self, source: Source, posts: Iterable[Post]) -> list[Post]:
        """Those that mention a brand: for a stream, of which nothing else is kept."""
        allowed = self.watched.brand_ids(source)
        return [post for post in posts if self._brands(source, post, site_of(source, post), allowed)]

    def _brands(self, source: Source, post: Post, site: str | None, allowed: frozenset[int]) -> frozenset[int]:
        document = query.Document(
            title="" if post.reply else post.title,
            text=post.text,
            site=site,
            author=post.author,
            language=lambda: self._languages.identify(spoken(post), post.language or source.language).code,
            source=source.slug,
        )
        return self.watched.index.match(document) & allowed

    def _hear(
        self, source: Source, posts: Mapping[bytes, Post], found: Mapping[bytes, frozenset[int]]
    ) -> dict[bytes, dict[int, Sentiment]]:
        """The tone of every post that mentions a brand, once a text, for each of its brands."""
        keys = [key for key, brands in found.items() if brands]
        texts = [spoken(posts[key]) for key in keys]
        priors = [posts[key].language or source.language or self._language_of(found[key]) for key in keys]
        languages = self._languages.identify_many(texts, priors)
        heard = self._scorer.score(texts, languages)
        tones = {key: with_stars(tone, posts[key].rating) for key, tone in zip(keys, heard, strict=True)}
        return {key: dict.fromkeys(found[key], tone) for key, tone in tones.items()}

    def _language_of(self, brands: frozenset[int]) -> str | None:
        """The language of these brands, if they have one in common: a text too short to tell is taken to be in it."""
        spoken_by = {self._spoken_by[brand] for brand in brands}
        return spoken_by.pop() if len(spoken_by) == 1 else None


def _is_other(source: Source, post: Post, known: KnownPost) -> bool:
    return is_edited(post, known, source.id) or is_counted_anew(post, known)


def keyed(namespace: str, posts: Sequence[Post]) -> dict[bytes, Post]:
    """Posts by their dedupe key. Of two with one id, the first stands."""
    by_key: dict[bytes, Post] = {}
    for post in posts:
        by_key.setdefault(dedupe_key(namespace, post.id), post)
    return by_key


def dedupe_key(namespace: str, post_id: str) -> bytes:
    """16 bytes of blake2b over both."""
    return hashlib.blake2b(f"{namespace}\0{post_id}".encode(errors="surrogatepass"), digest_size=16).digest()


def site_of(source: Source, post: Post) -> str | None:
    """The host where the post stands, without `www.`; the source's own where the post has no link."""
    host = urlsplit(post.url or source.url or "").hostname
    return host.removeprefix("www.") if host else None


def published(post: Post, now: datetime) -> datetime:
    """The instant that decides the bin: what the source claims, but never in the future; else the fetch."""
    claimed = post.published_at
    return now if claimed is None or claimed < OLDEST else min(claimed, now)


def next_look(published_at: datetime, now: datetime) -> datetime | None:
    """When a source is next asked what became of a post; None: not any more."""
    return next((published_at + after for after in REVISITED if published_at + after > now), None)


def row(
    source: Source,
    key: bytes,
    post: Post,
    site: str | None,
    now: datetime,
    sentiments: Mapping[int, Sentiment],
    *,
    seen: bool,
) -> CollectedPost:
    """`seen`: the post was stored before, and a new or changed query makes it a mention only now. That is no news.

    What mentions nobody costs little: near copies and grave terms are looked for in mentions only.
    """
    at = published(post, now)
    title = "" if post.reply else post.title
    heard = next(iter(sentiments.values()), None)
    look = next_look(at, now) if heard and isinstance(KINDS[source.kind], Recounts) else None
    return CollectedPost(
        dedupe_key=key,
        post=post,
        site=site,
        language=(heard.language if heard else None) or post.language,
        published_at=at,
        claimed_at=post.published_at,
        text_hash=text_hash(title, post.text, post.author, site),
        backfill=seen or source.first_run or now - at > LATE_AFTER,
        sentiments=sentiments,
        bands=bands(title, post.text) if heard and not seen else (),
        grave=grave_terms(spoken(post), heard.language) if heard else (),
        external_id=post.id if look else None,
        recount_at=look,
    )
