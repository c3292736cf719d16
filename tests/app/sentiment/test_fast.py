"""The fast tier: who hears a text, what a sentiment says, and the words that prove it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import LABELS, Language, Sentiment
from app.sentiment import NOBODY, make_scorer, unheard
from app.sentiment.fast import EVIDENCE, LANGUAGES, WEIGHTS, Fast
from app.sentiment.linear import read_weights
from app.sentiment.rules import rules

SPANISH, ENGLISH, NONE = Language("es", 0.9), Language("en", 0.98), Language(None, 0.0)
FAST = Fast()


def heard(text: str, language: str = "es") -> Sentiment:
    [sentiment] = FAST.score([text], [Language(language, 1.0)])
    return sentiment


@pytest.mark.parametrize(
    ("language", "text", "label"),
    [
        ("es", "El servicio es pésimo, no lo recomiendo", "negative"),
        ("es", "EL SERVICIO ES PESIMO", "negative"),
        ("es", "Me encanta la nueva app, va súper rápido", "positive"),
        ("es", "La empresa presenta sus resultados del tercer trimestre", "neutral"),
        ("en", "I love this shop, wonderful people", "positive"),
        ("en", "The worst bank ever, I hate it", "negative"),
        ("en", "They open a second shop near the station on Monday", "neutral"),
        ("pt", "Péssimo atendimento, não recomendo", "negative"),
        ("pt", "Adorei, muito obrigado pela ajuda", "positive"),
        ("fr", "Service nul, je suis très déçue", "negative"),
        ("fr", "Très content, je recommande", "positive"),
        ("de", "Sehr zufrieden, gerne wieder", "positive"),
        ("de", "Schon wieder ausgefallen, sehr enttäuscht", "negative"),
        ("it", "Che schifo di servizio, mai più", "negative"),
        ("it", "Complimenti, ottimo servizio", "positive"),
    ],
)
def test_it_labels_six_languages(language: str, text: str, label: str) -> None:
    assert heard(text, language).label == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("El trato no está nada mal", "positive"),
        ("Ni una queja del trato, volveré", "positive"),
        ("Ninguna queja, volveremos", "positive"),
        ("Llevo dos años con ellos sin problemas", "positive"),
        ("Enhorabuena, otro mes sin servicio", "negative"),
        ("Sin palabras, qué maravilla", "positive"),
        ("Qué estafa de empresa", "negative"),
        ("El servicio no está nada mal", "positive"),
        ("Ni una queja del servicio", "positive"),
    ],
)
def test_it_hears_what_a_spanish_negation_turns_round(text: str, label: str) -> None:
    assert heard(text).label == label


@pytest.mark.xfail(reason="known: one heavy word outweighs the phrase that turns it round")
def test_it_hears_that_thanks_for_nothing_are_none() -> None:
    assert heard("Gracias por nada, Acme").label == "negative"


def test_it_says_who_heard_it_in_which_language_and_how_sure() -> None:
    [sentiment] = FAST.score(["qué maravilla"], [SPANISH])
    name, _, digest = sentiment.scorer.partition(":")
    assert (name, len(digest)) == ("fast/1", 64)
    assert (sentiment.language, sentiment.language_confidence, sentiment.provisional) == ("es", 0.9, False)


@given(st.text(max_size=300), st.sampled_from(LANGUAGES))
def test_label_score_and_probabilities_always_agree(text: str, language: str) -> None:
    sentiment = heard(text, language)
    assert sentiment.label in LABELS
    if sentiment.label == "unknown":
        assert (sentiment.score, sentiment.probabilities, sentiment.evidence) == (None, None, ())
    else:
        assert sentiment.probabilities is not None
        assert sum(sentiment.probabilities) == pytest.approx(1)
        negative, neutral, positive = sentiment.probabilities
        assert sentiment.score == pytest.approx(positive - negative, abs=1e-9)
        assert {"negative": negative, "neutral": neutral, "positive": positive}[sentiment.label] == sentiment.confidence


@pytest.mark.parametrize(
    "text", ["", "   \n\t", "...", "!!!", "5/5", "— · —", "\u200b", "12:30", "@acme https://acme.example/good", "http"]
)
def test_a_text_without_words_is_unknown_rather_than_neutral(text: str) -> None:
    [sentiment] = FAST.score([text], [SPANISH])
    assert sentiment == unheard(SPANISH, FAST.id)


@pytest.mark.parametrize("language", [NONE, Language("ja", 1.0), Language("ca", 1.0)])
def test_a_language_without_a_model_is_unknown_whatever_its_words_look_like(language: Language) -> None:
    [sentiment] = FAST.score(["no fatal horrible terrible, a mal"], [language])
    assert sentiment == unheard(language)
    assert sentiment.scorer == NOBODY


def test_a_language_that_is_not_enabled_is_not_heard() -> None:
    [sentiment] = make_scorer(["es"], "fast").score(["awful"], [ENGLISH])
    assert sentiment == unheard(ENGLISH)


def test_english_is_heard_with_vader_beside_the_model() -> None:
    text = "The battery isn't good &amp; support is AWFUL!!"
    assert heard(text, "en").components == {
        "vader": rules().read("The battery isn't good & support is AWFUL!!").compound
    }
    assert heard("La batería es mala").components == {}


# ── evidence ─────────────────────────────────────────────────────────────────


def spans(text: str, language: str = "es") -> list[str]:
    return [one.text for one in heard(text, language).evidence]


def test_evidence_is_the_heaviest_words_first() -> None:
    sentiment = heard("Muy buen trato, pero la app es una estafa y el soporte pésimo")
    weights = {one.text: one.weight for one in sentiment.evidence}
    assert weights["estafa"] < 0 < weights["buen"]
    assert weights["pésimo"] < 0
    assert [abs(one.weight) for one in sentiment.evidence] == sorted(map(abs, weights.values()), reverse=True)


def test_evidence_takes_in_the_negation_right_before_a_word() -> None:
    assert "no recomiendo" in spans("Mira, no recomiendo esta tienda")
    assert "nunca falla" in spans("La app nunca falla")
    assert "recomiendo" in spans("Recomiendo esta tienda")[0].lower()


def test_evidence_never_holds_more_than_five() -> None:
    assert len(heard("pésimo horrible fatal genial maravilla excelente asco estafa " * 3).evidence) == EVIDENCE


def test_evidence_is_words_and_emoji_never_links_handles_or_marks() -> None:
    found = spans("¡¡¡Qué asco!!! @acme https://acme.example/asco ... 😡😡😡😡")
    assert "asco" in found
    assert set(found) <= {"Qué", "asco", "😡😡😡😡"}


def test_evidence_stands_where_it_says_behind_a_collapsed_run_and_entities() -> None:
    text = "  " + "😡" * 3_000 + " &iexcl;la app es p&eacute;sima!"
    assert "p&eacute;sima" in spans(text)


@given(
    st.lists(
        st.sampled_from(["bueno", "¡mal!", "no", "😀", "😡😡", "«asco»", "&amp;", "p&eacute;simo", "\n", "👍🏽x"]),
        max_size=60,
    )
)
def test_evidence_is_where_it_says_and_never_overlaps(words: list[str]) -> None:
    text = " ".join(words) * 12
    found = heard(text).evidence
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(one.text.strip() == one.text != "" for one in found)
    ordered = sorted(found, key=lambda one: one.start)
    assert all(before.end <= after.start for before, after in pairwise(ordered))
    weights = [abs(one.weight) for one in found]
    assert weights == sorted(weights, reverse=True)


def test_the_words_shares_add_up_to_what_the_model_says() -> None:
    """The evidence is no story told afterwards: all shares and the bias together are the logits' difference."""
    [reading] = FAST.read(["El servicio es pésimo, no lo recomiendo 😡"], [SPANISH])
    assert reading is not None
    weights = read_weights(WEIGHTS / "fast-es.npz")
    said = (reading.heard.shares.sum() + weights.biases[2] - weights.biases[0]) / weights.temperature
    assert said == pytest.approx(float(reading.logits[2] - reading.logits[0]), rel=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "The service is terrible, I would not recommend it 😡",
        "GREAT food, awful staff!!! But I love the place :)",
        "The meeting is on Tuesday",
        "no problem at all &amp; not bad",
    ],
)
def test_in_english_what_vader_heard_is_shared_among_its_words(text: str) -> None:
    [reading] = FAST.read([text], [ENGLISH])
    assert reading is not None
    weights = read_weights(WEIGHTS / "fast-en.npz")
    shares = reading.heard.shares.sum() + sum(reading.beside.values())
    said = (shares + weights.biases[2] - weights.biases[0]) / weights.temperature
    assert said == pytest.approx(float(reading.logits[2] - reading.logits[0]), abs=1e-3)


def test_in_english_marks_do_not_blow_up_words_that_cancel_each_other_out() -> None:
    """1.3 + 0.7 - 1.7 - 0.3 is all but 0: what "!!!!" adds, shared out by that sum, weighed 10^16."""
    [reading] = FAST.read(["acceptation pmji agitate accidental !!!!"], [ENGLISH])
    assert reading is not None
    assert max(map(abs, reading.beside.values())) < 5
    weights = read_weights(WEIGHTS / "fast-en.npz")
    shares = reading.heard.shares.sum() + sum(reading.beside.values())
    said = (shares + weights.biases[2] - weights.biases[0]) / weights.temperature
    assert said == pytest.approx(float(reading.logits[2] - reading.logits[0]), abs=1e-3)


def test_in_english_a_word_of_vaders_weighs_what_both_say_of_it() -> None:
    text = "The food was superb"
    [reading] = FAST.read([text], [ENGLISH])
    assert reading is not None
    word = next(one for one in reading.evidence() if one.text == "superb")
    alone = reading.heard.shares[[token[0] for token in reading.tokens].index("superb")] / reading.temperature
    assert word.weight > alone + 0.1


# ── the seam ─────────────────────────────────────────────────────────────────


TEXTS = [
    f"{a} {b} {number}"
    for number in range(40)
    for a in ("Qué asco de", "Gran")
    for b in ("banco", "tienda 😍", "app :(")
]


def test_a_text_gets_the_same_answer_in_any_batch() -> None:
    languages = [SPANISH, ENGLISH, Language("de", 1.0)] * (len(TEXTS) // 3)
    together = FAST.score(TEXTS, languages)
    alone = [FAST.score([text], [language])[0] for text, language in zip(TEXTS, languages, strict=True)]
    backwards = FAST.score(TEXTS[::-1], languages[::-1])[::-1]
    assert together == alone == backwards


def test_a_long_neighbour_changes_nothing() -> None:
    [alone] = FAST.score(["Qué asco"], [SPANISH])
    assert FAST.score(["bueno malo " * 5_000, "Qué asco", "x" * 9_000], [SPANISH] * 3)[1] == alone


def test_threads_get_the_same_answers() -> None:
    fresh = Fast()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: fresh.score(TEXTS, [SPANISH] * len(TEXTS)), range(8)))
    assert together == [FAST.score(TEXTS, [SPANISH] * len(TEXTS))] * 8


def test_reading_gives_the_quality_tier_log_probabilities() -> None:
    readings = FAST.read(["Qué asco", "最高", "...", "Great"], [SPANISH, Language("ja", 1.0), SPANISH, ENGLISH])
    assert [reading is None for reading in readings] == [False, True, True, False]
    for reading in readings:
        if reading is not None:
            assert reading.logits.shape == (3,)
            assert np.exp(reading.logits).sum() == pytest.approx(1, rel=1e-5)


def test_texts_and_languages_must_pair() -> None:
    with pytest.raises(ValueError, match="languages"):
        FAST.score(["one", "two"], [ENGLISH])


def test_no_texts_no_sentiments() -> None:
    assert FAST.score([], []) == []


def test_the_id_changes_with_the_weights_and_with_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = FAST.id  # weights are read when they are first needed: before they are others
    assert Fast(["es"]).id == Fast(["en", "es"]).id == before
    for code in LANGUAGES:
        (tmp_path / f"fast-{code}.npz").write_bytes((WEIGHTS / f"fast-{code}.npz").read_bytes() + b"x" * (code == "it"))
    monkeypatch.setattr("app.sentiment.fast.WEIGHTS", tmp_path)
    assert Fast(["es"]).id != before


def test_making_a_scorer_reads_no_lexicon() -> None:
    code = (
        "import sys; from app.sentiment import make_scorer; make_scorer(['en', 'es'], 'fast');"
        "sys.exit('vaderSentiment' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ── what it is made of ───────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_weights_with_a_card_and_a_bounded_size(language: str) -> None:
    file = WEIGHTS / f"fast-{language}.npz"
    card = read_weights(file).card
    assert card["language"] == language
    assert card["cross_validated"]["macro_f1"] > 50
    assert set(card["data"]) >= {"spanish_train_text.txt"}
    assert file.stat().st_size < 1_100_000
