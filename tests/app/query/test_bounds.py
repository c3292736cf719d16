"""No query and no text makes a search run away: a hostile megabyte against the worst that the language can say."""

import time
from collections.abc import Callable
from unicodedata import normalize

import pytest

from app.query import Document, Frequencies, Index, parse

SIZE = 150_000  # characters; the seconds below allow ten times what they take


def cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def filled(piece: str, size: int = SIZE) -> str:
    return piece * (size // len(piece))


def either(*parts: str) -> str:
    return " OR ".join(parts)


WORST = {
    "many NEARs over two words that alternate": (either(*["a NEAR/50 (b OR c)"] * 160), filled("a b ")),
    "NEARs that just miss": (either(*[f"a ONEAR/{n % 50} b" for n in range(240)]), filled("b ") + filled("x ") + "a"),
    "phrases that nearly match everywhere": (either(*['"' + "a " * 30 + 'b"'] * 100), filled("a ")),
    "one phrase as long as a query may be": ('"' + "a " * 4000 + 'b"', filled("a ") + "b"),
    "prefixes of everything": (either(*["a" * n + "*" for n in range(2, 90)]), filled("aaaaaaaa aaa ")),
    "prefixes near prefixes": (either(*["ab* NEAR/50 cd*"] * 200), " ".join(f"ab{n}" for n in range(SIZE // 7))),
    "exact strings inside one long word": (
        either(*["`" + "A" * n + "`" for n in range(1, 100)]),
        " ".join("a" * n for n in range(1, 100)) + " " + filled("A"),
    ),
    "exact strings that go on": ("`ACME`", "acme " + filled("ACMEx ")),
    "exact signs": (either(*["`" + "-" * n + "!`" for n in range(1, 100)]), filled("-")),
    "tags": ("#aa OR @ba*", filled("#aab ") + filled("@")),
    "loose words": ("~niño NEAR/2 ~ano", filled("nino ño ")),
    "every exclusion there": ("a " + " ".join(f"-x{n}" for n in range(499)), "a " + filled("y ")),
    "marks out of order on one letter": ("a", "a" + filled("\u0327\u0301")),
    "marks parted by what is dropped": ("a", "a" + filled("\u0327\u034f\u0301\u200b")),
    "marks that decomposing makes": ("a", "a" + filled("ﾞ\u0301")),
    "half-spelt Korean": ("가 나", filled("\u1100\u1161")),
    "Catalan dots": ("ll", filled("l·")),
    "control characters": ("a", filled("\0\x1f")),
}


@pytest.mark.parametrize("name", WORST)
def test_it_answers_in_bounded_time(name: str) -> None:
    query, text = WORST[name]
    index = Index({1: parse(query)})
    document = Document(filled("a "), text)
    assert cpu_s(lambda: index.match(document)) < 5


def test_marks_out_of_order_would_run_away() -> None:
    """The control: Unicode's own ordering is quadratic, so the test above can fail."""
    few, many = filled("\u0327\u0301", 4_000), filled("\u0327\u0301", 16_000)
    assert cpu_s(lambda: normalize("NFC", many)) > 6 * cpu_s(lambda: normalize("NFC", few))


def test_a_long_word_of_its_own_is_explained_in_bounded_time() -> None:
    index = Index({1: parse(either(*["a NEAR/50 b"] * 100, "`A`"))})
    document = Document(text=filled("a b "))
    assert cpu_s(lambda: index.explain(1, document)) < 10
    assert 0 < len(index.spans(1, document)) <= 400


@pytest.mark.parametrize("kind", ['"x{n} y{n}"', "x{n} NEAR/9 y{n}", "x{n} (y{n} OR z{n})", "x{n}* -y{n}"])
def test_a_text_that_names_everything_stays_bounded(kind: str) -> None:
    """A dictionary, posted: every query of 3,000 is a candidate."""
    index = Index({n: parse(kind.format(n=n)) for n in range(3_000)})
    document = Document(text=" ".join(f"x{n % 3_000} z{n}" for n in range(SIZE // 12)))
    assert cpu_s(lambda: index.match(document)) < 5


def test_ten_thousand_queries_are_built_in_no_time() -> None:
    queries = {n: parse(f'marca{n} OR (palabra{n} "frase {n}") -excluida{n}') for n in range(10_000)}
    assert cpu_s(lambda: Index(queries)) < 6  # a second of a quiet machine; what grows with the square takes minutes


def test_a_thousand_times_the_queries_is_not_a_thousand_times_the_cost() -> None:
    """Nor a hundred, nor ten. benchmarks/match.py has the real figures."""
    text = " ".join(f"palabra{n % 400} y" for n in range(100))
    documents = [Document(text=f"{text} marca{n}") for n in range(200)]

    def cost(count: int) -> float:
        index = Index({n: parse(f'marca{n} OR "otra marca{n}"') for n in range(count)})
        return min(cpu_s(lambda: [index.match(document) for document in documents]) for _ in range(3))

    assert cost(10_000) < 10 * cost(10)


def test_what_it_learns_stays_bounded() -> None:
    frequencies = Frequencies()
    for n in range(60):
        frequencies.observe(" ".join(f"w{n}x{m}" for m in range(100)), limit=1_000)
    assert len(frequencies) <= 1_100
    assert frequencies.share("w59x1") > 0


def test_a_frequent_word_is_learnt() -> None:
    frequencies = Frequencies()
    before = frequencies.share("acme")
    for _ in range(50):
        frequencies.observe("Acme acme")
    assert before < 0.1 < 0.6 < frequencies.share("acme") < 1
    assert frequencies.share("de") > frequencies.share("telefonica")
