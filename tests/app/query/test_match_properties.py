"""The index against a slow reader that takes the definition word by word, on thousands of small worlds."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from unicodedata import category, normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.query import Document, Expression, Index, QueryError, explain, fold, parse, passage, terms
from app.query.expression import And, Exact, Lang, Near, Not, Or, Site, Source, Words
from app.query.fold import words

# --- the slow reader: its own folding, its own words, loops instead of sets and bits


def plainly(text: str) -> str:
    text = normalize("NFD", text).lower().replace("n\u0303", "ñ").replace("’", "'").replace("ß", "ss")
    return "".join(char for char in text if category(char) not in ("Mn", "Cf"))


def inside(tag: str) -> list[str]:
    """The words of a hashtag or handle."""
    return re.findall(r"[東京都]|[^\W_東京都]+", tag)


@dataclass(frozen=True)
class Reader:
    """One text as lists: its words, and its tags by the place of their first word."""

    words: list[str]
    tags: list[tuple[int, str]]

    @classmethod
    def of(cls, text: str) -> "Reader":
        found: list[str] = []
        tagged: list[tuple[int, str]] = []
        for match in re.finditer(r"(?<![^\W_])(?<![&/])[#@][^\W]+|[東京都😡]|[^\W_東京都]+", plainly(text)):
            if match[0][0] in "#@":
                tagged.append((len(found), match[0].strip("_")))
                found.extend(inside(match[0]))
            else:
                found.append(match[0])
        return cls(found, tagged)

    def holds(self, unit: str, at: int, loose: bool) -> bool:
        """The unit, as written, stands here."""
        wanted = unit.rstrip("*")
        here = [tag for place, tag in self.tags if place == at] if wanted[0] in "#@" else [self.words[at]]
        if loose:
            wanted, here = wanted.replace("ñ", "n"), [word.replace("ñ", "n") for word in here]
        return any(word.startswith(wanted) if unit.endswith("*") else word == wanted for word in here)

    def spans(self, leaf: Words) -> Iterator[tuple[int, int]]:
        written = re.findall(r"(?<![^\W_])[#@]\w+\*?|[東京都😡]|[^\W_東京都]+\*?", plainly(leaf.text))
        for start in range(len(self.words)):
            at = start
            for unit in written:
                if at >= len(self.words) or not self.holds(unit, at, leaf.loose):
                    break
                at += len(inside(unit)) if unit[0] in "#@" else 1
            else:
                yield start, at


def near(text: Reader, leaf: Near) -> bool:
    left = [span for words_ in leaf.left for span in text.spans(words_)]
    right = [span for words_ in leaf.right for span in text.spans(words_)]
    ahead = any(0 <= begin - end <= leaf.distance for _, end in left for begin, _ in right)
    back = any(0 <= begin - end <= leaf.distance for _, end in right for begin, _ in left)
    return ahead or (back and not leaf.ordered)


def slowly(query: Expression, document: Document) -> bool:
    if isinstance(query, And):
        return all(slowly(part, document) for part in query.parts)
    if isinstance(query, Or):
        return any(slowly(part, document) for part in query.parts)
    if isinstance(query, Not):
        return not slowly(query.part, document)
    if isinstance(query, Site):
        return f".{document.site}".endswith(f".{query.domain}")
    if isinstance(query, Source):
        return query.slug == document.source
    if isinstance(query, Lang):
        return query.code == document.language
    assert isinstance(query, Words | Near | Exact)
    if isinstance(query, Words) and query.field == "author":
        query = replace(query, text=without_signs(query.text))
    return any(in_text(query, text) for text in texts_of(query.field, document))


def without_signs(text: str) -> str:
    return re.sub("[@#_]", " ", text)


def texts_of(field: str | None, document: Document) -> Sequence[str]:
    if field == "author":
        return [document.author or ""]
    return [document.title] if field == "title" else [document.title, document.text]


def in_text(leaf: Words | Near | Exact, text: str) -> bool:
    if isinstance(leaf, Exact):
        joined = "[A-Za-z0-9À-ÿ]"
        before = f"(?<!{joined})" if re.match(joined, leaf.text) else ""
        after = f"(?!{joined})" if re.match(joined, leaf.text[-1]) else ""
        return (
            re.search(before + re.escape(leaf.text) + after, normalize("NFC", text).replace("\u00ad", "")) is not None
        )
    reader = Reader.of(text)
    return near(reader, leaf) if isinstance(leaf, Near) else next(reader.spans(leaf), None) is not None


# --- small worlds

SAID = [
    "acme",
    "Acme",
    "ACME",
    "corp",
    "año",
    "ano",
    "an\u0303o",
    "Telefónica",
    "telefonica",
    "tele",
    "l'oréal",
    "L’Oreal",
]
SAID += [
    "oreal",
    "#acme",
    "#Acme_Corp",
    "@acme",
    "#año",
    "東京",
    "京都",
    "東",
    "😡",
    "x",
    "C++",
    "c",
    "straße",
    "Ac\u00adme",
]
SEPARATORS = [" ", " ", " ", ", ", "-", ". ", "\n", "_", ""]
spoken = st.lists(st.tuples(st.sampled_from(SAID), st.sampled_from(SEPARATORS)), max_size=14).map(
    lambda pairs: "".join(word + separator for word, separator in pairs)
)
documents = st.builds(
    Document,
    title=st.just("") | spoken,
    text=spoken,
    site=st.sampled_from([None, "a.es", "m.a.es", "ba.es"]),
    author=st.sampled_from([None, "Acme", "@acme_corp", "Año Corp"]),
    language=st.sampled_from([None, "es", "en"]),
    source=st.sampled_from([None, "hn", "rss"]),
)

single = st.sampled_from(
    [*SAID[:20], "~ano", "~#ano", "te*", "ac*", "#ac*", "~an*", '"acme corp"', '"#acme corp"', "coca-cola"]
)
single |= st.sampled_from(
    ['"x x"', '"ac* corp"', '~"x ano"', '"corp acme corp"', "京*", '"acme #acme"', '"x #acme_corp x"']
)
group = single | st.lists(single, min_size=2, max_size=3).map(lambda parts: f"({' OR '.join(parts)})")
nearby = st.builds(
    lambda left, order, distance, right: f"{left} {order}NEAR/{distance} {right}",
    group,
    st.sampled_from(["", "O"]),
    st.integers(0, 4),
    group,
)
leaves = single | nearby.map(lambda text: f"({text})")
leaves |= st.sampled_from(
    ["`Acme`", "`C++`", "`año`", "`corp acme`", "`++`", "title:`Acme`", "`東`", "`'`", "author:`Acme`"]
)
leaves |= (single | nearby).map(lambda text: f"title:({text})") | single.map(lambda text: f"author:({text})")
leaves |= st.sampled_from(["site:a.es", "site:m.a.es", "lang:es", "source:hn", "source:rss"])
trees = st.recursive(
    leaves,
    lambda part: st.one_of(
        st.tuples(part, part).map(lambda pair: f"({pair[0]} OR {pair[1]})"),
        st.tuples(part, part).map(lambda pair: f"({pair[0]} {pair[1]})"),
        st.tuples(part, part).map(lambda pair: f"({pair[0]} -{pair[1]})"),
        part.map(lambda text: f"(NOT {text})"),
    ),
    max_leaves=8,
)


def readable(texts: Sequence[str]) -> dict[int, Expression]:
    """The queries that the language allows, by their place."""
    found: dict[int, Expression] = {}
    for number, text in enumerate(texts):
        try:
            found[number] = parse(text)
        except QueryError as error:
            if error.code not in ("only_exclusions", "only_language"):
                raise
    return found


@settings(max_examples=250)
@given(st.lists(trees, min_size=1, max_size=12), st.lists(documents, min_size=1, max_size=4))
def test_the_index_finds_what_the_definition_says(texts: list[str], posts: list[Document]) -> None:
    queries = readable(texts)
    index = Index(queries)
    for post in posts:
        assert index.match(post) == {number for number, query in queries.items() if slowly(query, post)}


@settings(max_examples=100)
@given(trees, documents)
def test_it_finds_the_same_in_long_texts(text: str, post: Document) -> None:
    """Past some thousand words a phrase is looked for in another way."""
    queries = readable([text])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "_PADDED_WORDS", 0)
        found = Index(queries).match(post)
    assert found == Index(queries).match(post)


@settings(max_examples=200)
@given(trees, documents)
def test_the_explanation_agrees_with_the_index(text: str, post: Document) -> None:
    for query in readable([text]).values():
        told = explain(query, post)
        assert told.matched == slowly(query, post)
        assert not (told.matched and (told.missing or told.excluded))
        assert told.matched or told.missing or told.excluded
        assert bool(told.spans) <= told.matched
        for clause in (*told.found, *told.missing, *told.excluded):
            assert ":" in text or parse(text[clause.start : clause.end]) == parse(clause.text)
        for span in told.spans:
            assert 0 <= span.start < span.end <= len(getattr(post, span.field))


@settings(max_examples=200)
@given(trees, documents)
def test_every_match_holds_one_of_the_terms(text: str, post: Document) -> None:
    """Whatever a search API returns for the terms, folded and by words, has every match in it."""
    for query in readable([text]).values():
        asked = terms(query)
        alone = any(
            isinstance(leaf, Site | Source) or getattr(leaf, "field", None) == "author" for leaf in query.walk()
        )
        if alone or not slowly(query, post):
            continue
        said = f" {' '.join([*words(post.title), '|', *words(post.text)])} "
        raw = normalize("NFC", f"{post.title}|{post.text}")
        assert asked
        assert any(f" {' '.join(words(term))}" in said if words(term) else term in raw for term in asked)


def test_the_slow_reader_can_tell() -> None:
    """The control: the definition says no where it must."""
    post = Document("Acme", "corp año")
    assert slowly(parse("acme corp"), post)
    assert not slowly(parse('"acme corp"'), post)
    assert not slowly(parse("ano"), post)
    assert fold("Año") == plainly("Año") == "año"
