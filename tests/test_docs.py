"""The documents match the code: every setting, kind, verb and route stands in them, and every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from click import Command, Group

from alerts import NOTIFIERS
from app.cli import commands
from app.config.spec import BrandSpec, ChannelSpec, Described, EventSpec, PolicySpec, SourceSpec
from app.main import make_app
from app.settings import Settings
from collectors import KINDS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def verbs(command: Command, prefix: str = "avizor") -> Iterator[str]:
    if isinstance(command, Group):
        for name, child in command.commands.items():
            yield from verbs(child, f"{prefix} {name}")
    else:
        yield prefix


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    text = document("docs/configuration.md")
    assert f"`{name}`" in text
    assert f"AVIZOR_{name.upper()}" in text or "AVIZOR_" in text


@pytest.mark.parametrize("spec", [BrandSpec, EventSpec, SourceSpec, ChannelSpec, PolicySpec])
def test_every_key_of_the_file_is_documented(spec: type[Described]) -> None:
    text = document("docs/configuration.md")
    assert [key for key in spec.model_fields if f"`{key}`" not in text] == []


@pytest.mark.parametrize("kind", [*NOTIFIERS])
def test_every_kind_of_channel_is_documented(kind: str) -> None:
    assert f"`{kind}`" in document("docs/configuration.md")
    assert f"`{kind}`" in document("README.md")


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_kind_of_source_is_documented(kind: str) -> None:
    assert f"\n### `{kind}`\n" in document("docs/sources.md")


@pytest.mark.parametrize("verb", list(verbs(typer.main.get_command(commands))))
def test_every_verb_is_documented(verb: str) -> None:
    assert f"`{verb}" in document("docs/cli.md")


def test_every_route_is_documented(tmp_path: Path) -> None:
    text = document("docs/api.md")
    operations = [
        (method.upper(), path)
        for path, item in make_app(Settings(data_dir=tmp_path)).openapi()["paths"].items()
        for method in item
    ]
    missing = [
        f"{method} {path}" for method, path in operations if not re.search(rf"`{method}\s+{re.escape(path)}[`?]", text)
    ]
    assert len(operations) > 20
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_words_are_the_same_in_both_languages() -> None:
    for word in ("Brand", "Query", "Source", "Post", "Mention", "Story", "Spike", "Incident", "Alert", "Coverage"):
        assert f"**{word}**" in document("README.md")
        assert f"**{word}**" in document("README.es.md")
