"""Who hears a text, and what a sentiment says."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import LABELS, Language, Sentiment
from app.sentiment import NOBODY, SCORERS, Vader, make_scorer, unheard

ENGLISH, SPANISH, NONE = Language("en", 0.98), Language("es", 0.9), Language(None, 0.0)


def heard(text: str) -> Sentiment:
    [sentiment] = Vader().score([text], [ENGLISH])
    return sentiment


def spans(text: str) -> list[str]:
    return [evidence.text for evidence in heard(text).evidence]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this shop, wonderful people", "positive"),
        ("The worst bank ever, I hate it", "negative"),
        ("They open a second shop near the station", "neutral"),
        ("This is not good", "negative"),
        ("😠", "negative"),
        (":)", "positive"),
    ],
)
def test_it_labels_english(text: str, label: str) -> None:
    assert heard(text).label == label


def test_the_thresholds_are_those_of_the_paper() -> None:
    from app.sentiment.vader import label

    assert [label(score) for score in (-1.0, -0.05, -0.0499, 0.0, 0.0499, 0.05, 1.0)] == [
        "negative",
        "negative",
        "neutral",
        "neutral",
        "neutral",
        "positive",
        "positive",
    ]


def test_it_says_who_heard_it_in_which_language_and_how_sure() -> None:
    sentiment = heard("lovely")
    assert sentiment.scorer == "vader/3.3.2+avizor.1"
    assert (sentiment.language, sentiment.language_confidence) == ("en", 0.98)
    assert sentiment.probabilities is None


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "...", "!!!", "5/5", "— · —", "\u200b", "12:30", "@acme https://acme.example/good"]
)
def test_a_text_without_words_is_unknown_rather_than_neutral(text: str) -> None:
    sentiment = heard(text)
    assert (sentiment.label, sentiment.score, sentiment.evidence) == ("unknown", None, ())


@pytest.mark.parametrize("language", [SPANISH, NONE, Language("ja", 1.0)])
def test_another_language_is_unknown_whatever_its_words_look_like(language: Language) -> None:
    sentiments = [
        *Vader().score(["no fatal horrible terrible, a mal"], [language]),
        *make_scorer(["es", "en", "ja"]).score(["no fatal horrible terrible, a mal"], [language]),
    ]
    for sentiment in sentiments:
        assert (sentiment.label, sentiment.score, sentiment.evidence) == ("unknown", None, ())
        assert (sentiment.language, sentiment.language_confidence) == (language.code, language.confidence)


@given(st.text(max_size=300))
def test_a_label_and_a_score_always_agree(text: str) -> None:
    sentiment = heard(text)
    assert sentiment.label in LABELS
    assert (sentiment.score is None) == (sentiment.label == "unknown")
    if sentiment.score is not None:
        assert -1 <= sentiment.score <= 1
    if sentiment.label == "negative":
        assert any(evidence.weight < 0 for evidence in sentiment.evidence)


# ── evidence ─────────────────────────────────────────────────────────────────


def test_evidence_is_the_heaviest_words_first() -> None:
    sentiment = heard("A good phone, an awful battery and a horrible, HORRIBLE charger")
    assert [evidence.text for evidence in sentiment.evidence] == ["HORRIBLE", "horrible", "awful", "good"]
    assert [evidence.weight < 0 for evidence in sentiment.evidence] == [True, True, True, False]


def test_evidence_takes_in_what_negates_or_strengthens_a_word() -> None:
    assert spans("The battery is not very good.") == ["not very good"]
    assert spans("It was kind of terrible") == ["kind of terrible"]
    assert spans("No problem, really helpful") == ["really helpful", "No problem"]


def test_evidence_never_holds_more_than_five() -> None:
    assert len(heard("good bad nice ugly great awful lovely horrible").evidence) == 5


def test_an_emoji_is_one_piece_of_evidence_never_torn_from_its_skin_tone() -> None:
    assert spans("Wait … 😂") == ["😂"]  # face with tears of joy: two charged words
    assert spans("look 😇🏽 there") == ["😇🏽"]  # smiling face with halo
    assert spans("all 😇🏽 so 😇🏽 happy") == ["so 😇🏽", "happy", "😇🏽"]


def test_evidence_stands_where_it_says_behind_a_collapsed_run_of_emoji() -> None:
    text = "  " + "😡" * 3_000 + ' the app is "awful", really'
    [evidence] = heard(text).evidence
    assert (evidence.text, evidence.start) == ("awful", text.index("awful"))


@given(
    st.lists(
        st.sampled_from(["good", "bad!", "not", "😀", "😡😡", "«awful»", "kind", "of", "\n", "👍🏽x"]), max_size=60
    )
)
def test_evidence_is_where_it_says_and_never_overlaps(words: list[str]) -> None:
    text = " ".join(words) * 12
    found = heard(text).evidence
    assert all(text[evidence.start : evidence.end] == evidence.text for evidence in found)
    assert all(evidence.text.strip() == evidence.text != "" for evidence in found)
    ordered = sorted(found, key=lambda evidence: evidence.start)
    assert all(before.end <= after.start for before, after in pairwise(ordered))
    weights = [abs(evidence.weight) for evidence in found]
    assert weights == sorted(weights, reverse=True)


# ── the seam ─────────────────────────────────────────────────────────────────


class Echo:
    """A scorer that records its batches."""

    id = "echo/1"

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def score(self, texts: list[str], languages: list[Language]) -> list[Sentiment]:
        self.batches.append(list(texts))
        return [Sentiment("positive", 1.0, self.id, language.code, language.confidence) for language in languages]


def test_each_text_goes_to_the_scorer_of_its_language_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = Echo()
    monkeypatch.setattr("app.sentiment.SCORERS", {"en": Vader, "es": lambda: echo})
    scorer = make_scorer(["es", "en", "fr"])
    texts = ["hola", "awful", "salut", "adiós", "lovely"]
    sentiments = scorer.score(texts, [SPANISH, ENGLISH, Language("fr", 1.0), SPANISH, ENGLISH])
    assert [sentiment.label for sentiment in sentiments] == ["positive", "negative", "unknown", "positive", "positive"]
    assert echo.batches == [["hola", "adiós"]]
    assert scorer.id == "en=vader/3.3.2+avizor.1 es=echo/1"


def test_a_scorer_of_several_languages_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Echo] = []

    def maker() -> Echo:
        made.append(Echo())
        return made[-1]

    monkeypatch.setattr("app.sentiment.SCORERS", {"es": maker, "pt": maker})
    make_scorer(["es", "pt"]).score(["hola", "olá"], [SPANISH, Language("pt", 1.0)])
    assert [echo.batches for echo in made] == [[["hola", "olá"]]]


def test_a_language_that_is_not_enabled_is_not_heard() -> None:
    [sentiment] = make_scorer(["es"]).score(["awful"], [ENGLISH])
    assert sentiment == unheard(ENGLISH)
    assert sentiment.scorer == NOBODY == make_scorer(["es"]).id


def test_english_is_heard_by_vader() -> None:
    assert SCORERS["en"] is Vader


def test_texts_and_languages_must_pair() -> None:
    for scorer in (Vader(), make_scorer(["en"])):
        with pytest.raises(ValueError, match=r"zip|languages"):
            scorer.score(["one", "two"], [ENGLISH])


def test_no_texts_no_sentiments() -> None:
    assert make_scorer(["en"]).score([], []) == []


def test_threads_get_the_same_answers() -> None:
    texts = [f"The {word} app number {number} is not {word}!" for number in range(300) for word in ("good", "awful")]
    scorer = make_scorer(["en"])
    alone = scorer.score(texts, [ENGLISH] * len(texts))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: scorer.score(texts, [ENGLISH] * len(texts)), range(8)))
    assert together == [alone] * 8


def test_importing_the_room_reads_no_lexicon() -> None:
    code = "import sys, app.sentiment; app.sentiment.make_scorer(['en']); sys.exit('vaderSentiment' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
