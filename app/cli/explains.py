"""explain: why a post is a mention of a brand, or why it is none, by its address or by what it says.

address or text -> `app.pipeline.explain` over the stored rows -> lines for a person, one JSON object for a program
"""

from app.cli.languages import load_listening_settings
from app.cli.logs import start_log
from app.cli.paper import harmless, looked_at, put, put_json
from app.cli.refusal import MISUSED, Refusal
from app.cli.rooms import open_storage_ready
from app.cli.scorers import scorer_at_leisure
from app.clock import utc_now
from app.config_file import likely
from app.language import Languages
from app.pipeline.explain import Explain, Explained, Reach, to_mapping
from app.storage import Storage


def explain(asked: str, brand: str | None, *, as_json: bool) -> None:
    """Whatever begins as a web address is one; the rest is a text. Raises `Refusal`."""
    if not asked.strip():
        raise Refusal("give an address or a text", MISUSED)
    settings = load_listening_settings()
    start_log(settings, quiet=True)
    with open_storage_ready(settings) as storage:
        scorer = scorer_at_leisure(settings, None, settings.languages)
        who = Explain(storage, Languages(settings.languages), scorer, reach_of(storage, brand), utc_now())
        text = asked.encode(errors="surrogateescape").decode(errors="replace")
        if text.startswith(("http://", "https://", "www.")) and not any(map(str.isspace, text.strip())):
            try:
                found = who.url(text)
            except ValueError as error:
                raise Refusal(f"{text}: {error}", MISUSED) from None
        else:
            found = who.text(text)
    if as_json or not looked_at():
        put_json(to_mapping(found))
    else:
        tell(found)


def reach_of(storage: Storage, slug: str | None) -> Reach:
    """Everything, or one brand of it. Raises `Refusal`."""
    brands = [brand for brand in storage.brands.all() if slug in (None, brand.slug)]
    if not brands:
        known = [brand.slug for brand in storage.brands.all()]
        near = likely(slug or "", known)
        hint = f"; did you mean {near}?" if near else f"; there are {', '.join(known)}" if known else ""
        raise Refusal(f"there is no brand{f' {slug}' if slug else ''}{hint}", MISUSED)
    sources = storage.sources.all(include_archived=True)
    return Reach(brands=brands, sources=sources, quarantines=frozenset(one.slug for one in sources), every=True)


def tell(found: Explained) -> None:
    """For a person: what is stored of it, then brand by brand why."""
    for one in found.posts:
        post = one.post
        put(harmless(f"stored: {post.url or 'a post'}, from {post.source} at {post.fetched_at:%Y-%m-%d %H:%M} UTC"))
    for answer in found.answers:
        put("")
        put(f"{answer.brand}: {'a mention' if answer.mentioned else 'not a mention'}")
        for cause in answer.causes:
            put(harmless(f"  {cause.code}: {cause.words}"))
