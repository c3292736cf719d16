"""What a search API is asked: few, rare, and together enough to find every match."""

import pytest

from app.query import parse, terms


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("acme", ("acme",)),
        ("Telefónica", ("Telefónica",)),
        ("acme OR foo OR acme", ("acme", "foo")),
        ("la telefonica", ("telefonica",)),
        ("telefonica (caida OR fallo OR averia)", ("telefonica",)),
        ("(caida OR fallo) (o2 OR orange OR vodafone)", ("caida", "fallo")),
        ('"la caixa" banco', ("la caixa",)),
        ("acme -foo -(bar OR baz)", ("acme",)),
        ("NOT (NOT acme OR foo)", ("acme",)),
        ("acme NEAR/3 (retirada OR recall)", ("acme",)),
        ("title:(acme OR foo) lang:es", ("acme", "foo")),
        ("acme site:elpais.com", ("acme",)),
        ("acme OR site:acme.es", ("acme",)),
        ("(acme OR site:acme.es) caida", ("caida",)),
        ("site:acme.es OR source:reviews OR author:ana", ()),
        ("author:(ana NEAR/2 luz) acme", ("acme",)),
        ("`IKEA`", ("IKEA",)),
        ("`:(`", (":(",)),
        ("#acme OR @acme", ("#acme", "@acme")),
        ("telef*", ("telef",)),
        ("telef* acme", ("acme",)),
        ('"atencion al client*"', ("atencion al",)),
        ('"ab* cde*"', ("cde",)),
        ("~España", ("España", "Espana")),
        ("~ano", ("ano", "año")),
        ("~naninana", ("naninana",)),
        ("~ñañiñaña", ("ñañiñaña", "naninana")),
        ("coca-cola", ("coca-cola",)),
    ],
)
def test_it_asks_for(query: str, asked: tuple[str, ...]) -> None:
    assert set(terms(parse(query))) == set(asked)
    assert len(terms(parse(query))) == len(asked)
