"""What may be put over the API is held to the same specs as avizor.toml, and says what is wrong in the same words.

JSON body + the slug of the path -> BrandSpec | SourceSpec | ChannelSpec, or 422 with every problem
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.api.problems import Fault, conflict, refused
from app.config.spec import QUERY_ERROR, Described, Spec, keys_known
from app.config_file import dotted, faults, in_words
from app.model import Origin

S = TypeVar("S", bound=Spec)


def checked(spec: type[S], slug: str, body: Mapping[str, Any]) -> S:
    """The spec that the body describes. Raises 422. A slug in the body must be the path's."""
    if body.get("slug", slug) != slug:
        raise refused([Fault(where="body.slug", message="differs from the slug in the address; leave it out")])
    try:
        return spec.model_validate({**body, "slug": slug})
    except ValidationError as error:
        raise refused([fault(f, spec) for f in faults(error)]) from None


def fault(error: ErrorDetails, spec: type[Described]) -> Fault:
    said = error["msg"] if error["type"] == QUERY_ERROR else in_words(error, keys_known(spec, error["loc"]))
    return Fault(where=dotted(("body", *error["loc"])), message=said)


def check_names(key: str, noun: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """Raises 422 when something is named that does not exist."""
    there = set(known)
    missing = [slug for slug in asked if slug not in there]
    if missing:
        raise refused([Fault(where=f"body.{key}", message=f"there is no {noun} {slug}") for slug in missing])


def check_origin(origin: Origin, noun: str) -> None:
    """What stands in the configuration file is changed there: the next apply would undo it here. Raises 409."""
    if origin == "file":
        raise conflict(f"This {noun} stands in the configuration file. Change it there and apply the file.")


def body_schema(spec: type[Spec], example: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's entry for a body: the spec without its slug, which stands in the path."""
    schema = spec.model_json_schema(mode="validation")
    schema["properties"].pop("slug", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
