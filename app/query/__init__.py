"""The boolean query language, and all queries against one text at a time.

    "telefónica -bolsa" -> parse -> Expression -> Index -> match(Document) -> ids of the queries that it answers

The language for its users: docs/query-language.md, docs/lenguaje-de-consultas.md.
"""

from app.query.anchors import Frequencies
from app.query.errors import QueryError
from app.query.explain import Explanation, Span, explain
from app.query.expression import Expression
from app.query.fold import fold
from app.query.index import Index
from app.query.parser import parse
from app.query.reading import Document
from app.query.terms import terms

__all__ = [
    "Document",
    "Explanation",
    "Expression",
    "Frequencies",
    "Index",
    "QueryError",
    "Span",
    "explain",
    "fold",
    "parse",
    "terms",
]
