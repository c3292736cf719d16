"""Why is this a mention of a brand, or why is it none? `app.pipeline.explain` answers, within the key's reach."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import answer, example, problems
from app.api.auth import AnyCaller, Caller, brand_for
from app.api.deps import Deps, Here
from app.api.params import Instant, Question, write_instant
from app.api.problems import invalid
from app.language import Languages
from app.pipeline.explain import Code, Explain, Reach, to_mapping
from collectors.link import URL_LIMIT

router = APIRouter(prefix="/explain", tags=["explain"])

LONGEST_TEXT = 5_000
EXAMPLE: dict[str, Any] = {
    "url": "https://news.example/2026/11/22/coffee",
    "posts": [
        {
            "id": "6512",
            "source": "local-news",
            "url": "https://news.example/2026/11/22/coffee",
            "published_at": "2026-11-22T08:57:00Z",
            "fetched_at": "2026-11-22T08:58:12.480Z",
        }
    ],
    "answers": [
        {
            "brand": "cafe-aurora",
            "mentioned": False,
            "causes": [
                {
                    "code": "excluded",
                    "words": "The query excludes it: it has receta ('Receta').",
                    "facts": {"clauses": [{"clause": "receta", "said": ["Receta"]}]},
                }
            ],
        }
    ],
}


class ExplainQuestion(Question):
    """An address or a text, one of the two."""

    url: Annotated[str, Field(min_length=1, max_length=URL_LIMIT)] | None = Field(
        default=None, description="Where the post stands; marks of how a reader came there do not matter."
    )
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)] | None = Field(
        default=None, description="What it says: title and text, or the text alone."
    )
    brand: str | None = Field(default=None, max_length=200, description="Slug; by default every one that is covered.")


class FoundBody(BaseModel):
    """A stored post that was asked about."""

    id: str
    source: str
    url: str | None
    published_at: Instant
    fetched_at: Instant


class CauseBody(BaseModel):
    """`code` is stable, `words` are for people, `facts` are the same for programs; which ones depends on the code."""

    code: Code
    words: str
    facts: dict[str, Any]


class AnswerBody(BaseModel):
    """The first cause decides, those after it add to it."""

    brand: str
    mentioned: bool
    causes: list[CauseBody]


class ExplainBody(BaseModel):
    url: str | None
    posts: list[FoundBody]
    answers: list[AnswerBody]


@router.get(
    "",
    summary="Why is this a mention, or none?",
    response_model=ExplainBody,
    responses={200: example(EXAMPLE), **problems(404)},
)
async def explain(deps: Here, caller: AnyCaller, question: Annotated[ExplainQuestion, Query()]) -> Response:
    """For a post by its address, or for a text. A key that is limited to brands learns of nothing beyond them."""
    return answer(await deps.call(explained, deps, caller, question))


def explained(deps: Deps, caller: Caller, question: ExplainQuestion) -> dict[str, Any]:
    """Blocking. Raises 404 or 422."""
    if (question.url is None) == (question.text is None):
        raise invalid("query.url", "give an address (url) or a text (text), one of the two")
    reach = reach_of(deps, caller, question.brand)
    languages = Languages(deps.settings.languages)
    who = Explain(deps.storage, languages, deps.scorer, reach, deps.clock())
    try:
        found = who.text(question.text or "") if question.url is None else who.url(question.url)
    except ValueError as error:
        raise invalid("query.url", str(error)) from None
    body: dict[str, Any] = written(to_mapping(found))
    return body


def reach_of(deps: Deps, caller: Caller, brand: str | None) -> Reach:
    asked = [brand_for(deps, caller, brand)] if brand else deps.storage.brands.all()
    sources = [one for one in deps.storage.sources.all(include_archived=caller.sees_all) if caller.hears(one)]
    return Reach(
        brands=[one for one in asked if caller.covers(one.slug)],
        sources=sources,
        quarantines=frozenset(one.slug for one in sources if caller.owns(one)),
        every=caller.sees_all,
    )


def written(value: Any) -> Any:
    """The same with instants as the API writes them."""
    match value:
        case datetime():
            return write_instant(value)
        case Mapping():
            return {name: written(part) for name, part in value.items()}
        case list() | tuple():
            return [written(part) for part in value]
        case _:
            return value
