"""The schema is worth reading: every operation has a name, examples that fit their models, and its errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, TypeAdapter

from tests.app.api.house import House

NO_KEY = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture
def schema(house: House) -> dict[str, Any]:
    found: dict[str, Any] = house.anybody().get("/openapi.json").json()
    return found


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_has_a_summary_and_an_example(schema: dict[str, Any]) -> None:
    bare = []
    for name, operation in operations(schema):
        good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        shown = [content for content in good.get("content", {}).values() if "example" in content]
        if not operation.get("summary") or (good.get("content") and not shown):
            bare.append(name)
        if name.startswith(("PUT", "POST")) and "requestBody" in operation:
            asked = operation["requestBody"]["content"]
            examples = [c for c in asked.values() if "example" in c or "example" in referred(schema, c["schema"])]
            if not examples:
                bare.append(f"body of {name}")
    assert bare == []


def referred(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    name = shape.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"].get(name, shape)
    return found


def test_its_examples_fit_the_models(house: House) -> None:
    fitted = 0
    for route in iter_route_contexts(house.app.routes):
        original = route.original_route
        if not isinstance(original, APIRoute) or original.response_model is None:
            continue
        good = original.responses.get(original.status_code or 200) or {}
        for content in good.get("content", {}).values():
            model: type[BaseModel] = original.response_model
            example = content["example"]
            assert TypeAdapter(model).validate_python(example).model_dump(mode="json", by_alias=True) == example
            fitted += 1
    assert fitted > 25


def test_every_operation_of_the_api_tells_its_errors_as_problems(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema):
        if name.split()[1] in NO_KEY:
            continue
        assert operation["security"] == [{"key": []}], name
        for status in ("401", "422"):
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}, (
                name
            )
    assert {"ProblemBody", "Fault"} <= set(schema["components"]["schemas"])


def test_names_are_snake_case_and_nouns_stand_in_the_plural(schema: dict[str, Any]) -> None:
    assert {path.split("/")[3] for path in schema["paths"] if path.startswith("/api/")} == {
        "backtests",
        "mentions",
        "posts",
        "volumes",
        "incidents",
        "sources",
        "brands",
        "channels",
        "deliveries",
        "keys",
        "config",
        "corrections",
        "scorer",
        "policy",
        "policies",
        "report",
        "explain",
    }
    for model in schema["components"]["schemas"].values():
        assert [name for name in model.get("properties", {}) if name != name.lower() or "-" in name] == []


def test_the_pages_are_no_part_of_it(schema: dict[str, Any]) -> None:
    assert [path for path in schema["paths"] if not path.startswith("/api/v1/")] == ["/healthz", "/readyz", "/metrics"]


def test_every_operation_and_metric_stands_in_the_manual(house: House, schema: dict[str, Any]) -> None:
    manual = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    assert [name for name, _ in operations(schema) if f"`{name}`" not in manual] == []
    metrics = house.anybody().get("/metrics").text.splitlines()
    assert [line for line in metrics if line.startswith("# TYPE") and f"`{line.split()[2]}" not in manual] == []
