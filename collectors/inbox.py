"""A source that is told instead of asked: what `POST /api/v1/posts` and `avizor import` bring is stored under it."""

from collectors import settings
from collectors.base import Source
from collectors.guard import check_url


class Inbox:
    """`source.url` says where what it is told comes from; it is never asked. It has no settings."""

    kind = "inbox"
    knows_authors = False

    def check(self, source: Source) -> None:
        if source.url:
            check_url(source.url)
        settings.only(source)

    def namespace(self, source: Source) -> str:
        return f"inbox:{source.slug}"
