"""Why a post is a mention or not, told with the clauses of the query and the places in the post."""

import pytest

from app.query import Document, Index, explain, parse

POST = Document(
    title="Telefónica pide perdón",
    text="El servicio técnico de #Telefónica 😡 fue pésimo en España; IKEA, no. Col·lapse total.",
    site="m.elpais.com",
    author="Ana Núñez",
    language="es",
    source="el-pais",
)


def shown(query: str, document: Document = POST) -> list[str]:
    return [getattr(document, span.field)[span.start : span.end] for span in explain(parse(query), document).spans]


@pytest.mark.parametrize(
    ("query", "highlighted"),
    [
        ("telefonica", ["Telefónica", "Telefónica"]),
        ("#telefonica", ["#Telefónica"]),
        ("title:telefonica", ["Telefónica"]),
        ('"servicio tecnico"', ["servicio técnico"]),
        ('"tecnico de #telefonica"', ["técnico de #Telefónica"]),
        ("servicio OR pesimo OR nada", ["servicio", "pésimo"]),
        ('servicio "el servicio"', ["El servicio"]),  # overlapping places are one
        ("pes* NEAR/3 telefonica", ["Telefónica", "pésimo"]),
        ("(servicio OR foo) ONEAR/2 telefonica", ["servicio", "Telefónica"]),
        ("servicio ONEAR/2 telefonica", ["servicio", "Telefónica"]),  # not the one in the title
        ("~espana", ["España"]),
        ("`IKEA`", ["IKEA"]),
        ("`Técnico` OR `técnico de`", ["técnico de"]),
        ("😡", ["😡"]),
        ("collapse", ["Col·lapse"]),
        ("author:nuñez", ["Núñez"]),
        ("source:el-pais site:elpais.com perdon lang:es", ["perdón"]),
        ("perdon -ikea", []),
        ("nada", []),
    ],
)
def test_it_shows_what_matched(query: str, highlighted: list[str]) -> None:
    assert shown(query) == highlighted


def test_places_count_in_the_text_as_it_was_written() -> None:
    document = Document(text="La\u200b Telefo\u0301nica\u00ad de ﬁn")
    assert shown("telefonica", document) == ["Telefo\u0301nica\u00ad"]
    assert shown("fin", document) == ["ﬁn"]
    assert shown("`Telefónica`", document) == ["Telefo\u0301nica\u00ad"]


def test_it_says_which_clause_was_missing() -> None:
    told = explain(parse('perdon (lluvia OR "servicio pésimo") lang:en'), POST)
    assert not told.matched
    assert [clause.text for clause in told.found] == ["perdon"]
    assert [clause.text for clause in told.missing] == ["lluvia", '"servicio pésimo"', "lang:en"]
    assert told.excluded == ()
    assert told.spans == ()


def test_it_says_which_clause_killed_the_match_and_where() -> None:
    query = "telefonica -(lluvia OR ikea) -site:elpais.com"
    told = explain(parse(query), POST)
    assert not told.matched
    assert [clause.text for clause in told.excluded] == ["ikea", "site:elpais.com"]
    (span,) = told.excluded[0].spans
    assert POST.text[span.start : span.end] == "IKEA"
    assert [query[clause.start : clause.end] for clause in told.excluded] == ["ikea", "elpais.com"]


def test_it_tells_only_of_the_alternative_that_was_met() -> None:
    told = explain(parse("(lluvia sol) OR (perdon -sol) OR NOT (nieve OR NOT ikea)"), POST)
    assert told.matched
    assert [clause.text for clause in told.found] == ["perdon", "ikea"]
    assert told.missing == told.excluded == ()


def test_an_index_explains_its_queries() -> None:
    index = Index({4: parse("perdon"), 5: parse("nada")})
    assert index.explain(4, POST).matched
    assert not index.explain(5, POST).matched
    assert [POST.title[span.start : span.end] for span in index.spans(4, POST)] == ["perdón"]
    assert index.spans(5, POST) == ()
    with pytest.raises(KeyError):
        index.explain(6, POST)


def test_it_asks_for_the_language_once() -> None:
    calls: list[str] = []

    def language() -> str:
        calls.append("es")
        return "es"

    assert explain(parse("lang:es acme -lang:en"), Document(text="acme", language=language)).matched
    assert len(calls) == 1
