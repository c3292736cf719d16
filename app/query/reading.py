"""A document, and what was found out about it while it is matched."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from app.query.anchors import AUTHOR, SITE, SOURCE
from app.query.expression import TextField
from app.query.fold import domain
from app.query.passage import Passage, Patterns


@dataclass(frozen=True, slots=True)
class Document:
    """What is matched. `site` is a host name, `source` a source's slug.

    `language` is a code such as `es`, None for unknown, or a function that finds it out; it is called at most once a
    match, and only when a query with `lang:` depends on it.
    """

    title: str = ""
    text: str = ""
    site: str | None = None
    author: str | None = None
    language: str | Callable[[], str | None] | None = None
    source: str | None = None


class Reading:
    """A document while it is matched: what was found out about it so far."""

    def __init__(self, document: Document, patterns: Patterns) -> None:
        self._document = document
        self._patterns = patterns
        parts = (document.title, document.text) if document.title else (document.text,)
        self.content = Passage(parts, patterns)
        self.keys = self.content.keys

    @cached_property
    def title(self) -> Passage:
        return Passage((self._document.title,), self._patterns)

    @cached_property
    def author(self) -> Passage:
        return Passage((self._document.author or "",), self._patterns)

    @cached_property
    def sites(self) -> frozenset[str]:
        """The document's domain and every domain above it."""
        if not self._document.site:
            return frozenset()
        labels = domain(self._document.site[:253]).split(".")
        return frozenset(".".join(labels[start:]) for start in range(len(labels)))

    @cached_property
    def source(self) -> str:
        return (self._document.source or "").lower()

    @cached_property
    def language(self) -> str | None:
        language = self._document.language
        found = language() if callable(language) else language
        return found.lower().partition("-")[0] if found else None

    def outer_keys(self) -> set[str]:
        """Anchors outside the text: author, site and source."""
        keys = {SITE + site for site in self.sites}
        keys.update(AUTHOR + key for key in self.author.keys)
        keys.add(SOURCE + self.source)
        return keys

    def passage(self, field: TextField | None) -> Passage:
        return self.content if field is None else self.title if field == "title" else self.author
