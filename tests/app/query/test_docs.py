"""The pages about the language tell the truth: every row of their tables, every query and error that they show."""

import re
from pathlib import Path

import pytest

from app.query import Document, Index, QueryError, parse
from app.query.expression import FIELDS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = {"en": DOCS / "query-language.md", "es": DOCS / "lenguaje-de-consultas.md"}
ROW = re.compile(r"^\| (?P<query>`.+?`) \| `(?P<found>[^|]+)` \| `(?P<passed>[^|]+)` \|$", re.MULTILINE)


def unquoted(code: str) -> str:
    """The text of a code span of one or two backticks."""
    return code[3:-3] if code.startswith("`` ") else code[1:-1]


def rows(language: str) -> list[tuple[str, str, str]]:
    page = PAGES[language].read_text(encoding="utf-8")
    return [(unquoted(row["query"]), row["found"], row["passed"]) for row in ROW.finditer(page)]


def test_both_pages_have_the_same_examples() -> None:
    assert rows("en") == rows("es")
    assert len(rows("en")) > 25


@pytest.mark.parametrize(("query", "found", "passed"), rows("en"))
def test_an_example_finds_what_the_page_says(query: str, found: str, passed: str) -> None:
    index = Index({1: parse(query)})
    assert index.match(Document(text=found)) == {1}
    assert index.match(Document(text=passed)) == set()


@pytest.mark.parametrize("language", PAGES)
def test_the_query_and_the_error_that_a_page_shows_are_real(language: str) -> None:
    query, mistake = re.findall(
        r"^```\n(.+?)\n```$", PAGES[language].read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    parse(query)
    wrong = mistake.split("\n")[0]
    with pytest.raises(QueryError) as caught:
        parse(wrong)
    assert mistake == f"{caught.value.caret(wrong)}\n{caught.value.text(language)}"


@pytest.mark.parametrize("language", PAGES)
def test_a_page_names_every_field(language: str) -> None:
    page = PAGES[language].read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+):` \|", page, re.MULTILINE)) == set(FIELDS)


@pytest.mark.parametrize("query", ["-acme", "acme OR -apex", "lang:es", '"a b"~5', "word~2", "C++", "título:x"])
def test_what_the_pages_call_refused_is_refused(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)
