"""Word by word: the words without which a sentence would say something else, at their places, at a bounded price."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.model import Language, Sentiment
from app.sentiment import make_scorer
from app.sentiment.base import Scorer
from app.sentiment.corrections import Biased, Biases, Shift
from app.sentiment.fast import EVIDENCE, Fast
from app.sentiment.quality import Quality
from app.sentiment.tiers import Tiers
from app.sentiment.weigh import MOST, weigh
from app.sentiment.window import LOOKAHEAD
from tests.app.sentiment.hostile import HOSTILE
from tests.app.sentiment.sentence import Sentence

ES, EN, UK = (Language(code, 1.0) for code in ("es", "en", "uk"))


@pytest.fixture
def sentence() -> Sentence:
    return Sentence()


def weighed(scorer: Scorer, text: str, language: Language = ES) -> Sentiment:
    tone = weigh(scorer, text, language)
    assert tone is not None
    return tone


def words(tone: Sentiment) -> list[tuple[str, float]]:
    return [(one.text, one.weight) for one in tone.evidence]


# ── what a word is worth ─────────────────────────────────────────────────────


def test_a_word_weighs_what_the_sentence_loses_without_it(sentence: Sentence) -> None:
    """Of `no está mal` the words alone say -1; without `no` the sentence says so too, without `mal` nothing."""
    assert words(weighed(sentence, "No está mal")) == [
        ("No", pytest.approx(2, abs=1e-3)),
        ("mal", pytest.approx(1, abs=1e-3)),
    ]


def test_all_of_it_is_heard_in_one_batch(sentence: Sentence) -> None:
    weighed(sentence, "No está mal")
    assert sentence.heard == [["No está mal", "No está mal", "  está mal", "No   mal", "No está  "]]


def test_it_gives_up_to_five_words_heaviest_first_and_none_that_hardly_weighs(sentence: Sentence) -> None:
    tone = weighed(sentence, "Tibio, bien, genial, mal y fatal, bien y genial, fatal")
    sizes = [abs(one.weight) for one in tone.evidence]
    assert len(sizes) == EVIDENCE
    assert sizes == sorted(sizes, reverse=True)
    assert weighed(sentence, "Tibio.").evidence == ()
    assert [word for word, _ in words(weighed(sentence, "Tibio y bien"))] == ["bien"]


def test_it_explains_the_sentiment_that_is_given_without_it(sentence: Sentence) -> None:
    (alone,) = sentence.score(["No está mal"], [ES])
    assert replace(weighed(sentence, "No está mal"), evidence=()) == alone


def test_the_only_word_is_worth_all_that_is_said(sentence: Sentence) -> None:
    assert words(weighed(sentence, "Fatal.")) == [("Fatal", pytest.approx(-2, abs=1e-3))]


# ── what a word is, and where it stands ──────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("&iexcl;Bien! &amp; mal", ["Bien", "mal"]),
        (r"&#128512; no est\u00e1 \u006dal 😀", ["&#128512;", "no", r"est\u00e1", r"\u006dal", "😀"]),
        (r"\ud83d\ude00 bien", [r"\ud83d\ude00", "bien"]),
        ("cafe\u0301 tibio, caf&eacute;", ["cafe\u0301", "tibio", "caf&eacute;"]),
        ("👩🏽bien👍👍", ["👩🏽", "bien", "👍👍"]),
        ("mal :( 3 veces", ["mal", ":(", "3", "veces"]),
        ("https://mal.example/mal @bien #genial — ¡¡¡!!! 100 %", ["#genial", "100"]),
        ("  \n\n mal", ["mal"]),
    ],
)
def test_each_word_and_emoji_is_left_out_where_it_stands_and_nothing_else(
    sentence: Sentence, text: str, found: list[str]
) -> None:
    weighed(sentence, text)
    expected, at = [text, text], 0
    for word in found:
        at = text.index(word, at)
        expected.append(f"{text[:at]} {text[at + len(word) :]}")
        at += len(word)
    assert sentence.heard == [expected]


def test_its_offsets_count_characters_of_the_text_as_it_was_given(sentence: Sentence) -> None:
    for text in ("&iexcl;No est&aacute; mal!", "😀😀 \\u00a1caf\\u00e9! bien", "https://x.example/?a=1&b=2 fatal :("):
        tone = weighed(sentence, text)
        assert tone.evidence
        assert all(text[one.start : one.end] == one.text for one in tone.evidence)


@pytest.mark.parametrize("text", ["", " \n", "...", "https://x.example @nobody", "!!!"])
def test_a_text_without_words_has_no_evidence(sentence: Sentence, text: str) -> None:
    assert weighed(sentence, text).evidence == ()


def test_two_words_of_one_entity_are_one(sentence: Sentence) -> None:
    """What is written as `&copyfatal` reads `©fatal`, a sign and a word."""
    weighed(sentence, "&copyfatal mal")
    assert sentence.heard == [["&copyfatal mal", "&copyfatal mal", "  mal", "&copyfatal  "]]


def test_of_an_endless_run_of_an_emoji_all_that_is_heard_is_left_out(sentence: Sentence) -> None:
    text = "😀" * 500 + " tibio"
    (run,) = weighed(sentence, text).evidence
    assert (run.start, run.text, run.weight) == (0, "😀😀😀", pytest.approx(4.5, abs=1e-3))


def test_a_language_without_a_model_has_none(sentence: Sentence) -> None:
    assert (weighed(sentence, "Жахливий сервіс", UK).label, weighed(sentence, "mal", UK).evidence) == ("unknown", ())


# ── at what price ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", HOSTILE)
def test_of_any_text_a_bounded_part_is_heard_a_bounded_number_of_times(sentence: Sentence, name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    tone = weighed(sentence, text)
    assert time.process_time() - start < 2.0  # a guard against quadratic work
    ((_, _, *others),) = sentence.heard
    assert len(others) <= MOST
    assert all(len(other) <= LOOKAHEAD for other in others)
    assert all(text[one.start : one.end] == one.text for one in tone.evidence)


def test_of_more_words_the_first_are_tried(sentence: Sentence) -> None:
    text = "mal " + "y " * (MOST - 2) + "bien genial"
    assert [word for word, _ in words(weighed(sentence, text))] == ["mal", "bien"]


# ── who hears ────────────────────────────────────────────────────────────────


def test_where_the_fast_tier_hears_alone_there_is_nothing_to_add() -> None:
    assert weigh(Fast(), "No está mal", ES) is None
    assert weigh(make_scorer(["es"], "fast"), "No está mal", ES) is None


def test_of_both_tiers_the_quality_tier_is_asked_however_busy_it_is(sentence: Sentence) -> None:
    tiers = Tiers(Fast(), sentence, most=0)
    assert tiers.score(["No está mal"], [ES])[0].provisional
    assert weigh(tiers, "No está mal", ES) == weigh(sentence, "No está mal", ES)


def test_what_corrections_taught_is_weighed_too(sentence: Sentence) -> None:
    """Biases move every text alike; a word that was learned weighs what it adds."""
    shift = Shift((1.0, 0.0, 0.0), {"cola": (0.0, 0.0, 2.0)})
    tone = weighed(Biased(sentence, Biases(sentence.id, {"es": shift}, "ab" * 32)), "Cola y mal")
    assert tone.scorer.endswith("+biases:abababab")
    assert words(tone) == [("Cola", pytest.approx(2, abs=1e-3)), ("mal", pytest.approx(-1, abs=1e-3))]


# ── the real one ─────────────────────────────────────────────────────────────

CONTRARY = (
    ("Thanks for nothing", EN),
    ("Never had a problem with it", EN),
    ("Ten winters, one boiler, zero complaints", EN),
    ("No receipt, no questions, no fuss: refunded in a minute", EN),
    ("Great, another update that broke the login", EN),
    ("No está nada mal, la verdad", ES),
    ("Gracias por arruinarme las vacaciones", ES),
    ("Rico el sushi, pero dos veces intoxicado", ES),
)
"""Words that say one thing, in sentences that mean another."""


@pytest.fixture(scope="module")
def quality() -> Quality:
    if not Quality.available():
        pytest.skip("the extra avizor[quality] is not installed")
    return Quality(Fast())


def opposed(tone: Sentiment) -> bool:
    """Its evidence, added up, is on the other side of its score."""
    assert tone.score
    return sum(one.weight for one in tone.evidence) * tone.score < 0


def test_it_contradicts_the_label_less_often_than_the_words_do(quality: Quality) -> None:
    by_words = quality.score(*zip(*CONTRARY, strict=True))
    by_sentence = [weighed(quality, *one) for one in CONTRARY]
    assert [replace(one, evidence=()) for one in by_words] == [replace(one, evidence=()) for one in by_sentence]
    assert sum(map(opposed, by_words)) >= 4
    assert sum(map(opposed, by_sentence)) <= 1


def test_a_word_that_is_turned_around_speaks_for_the_other_side(quality: Quality) -> None:
    for text, turned, language in (("No está nada mal, la verdad", "mal", ES), ("Not bad at all, honestly", "bad", EN)):
        assert dict(words(weighed(quality, text, language)))[turned] > 0


def test_many_may_ask_at_once(quality: Quality) -> None:
    alone = [weighed(quality, *one) for one in CONTRARY[:2]]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda one: weighed(quality, *one), CONTRARY[:2] * 3)) == alone * 3


def test_what_lies_beyond_what_is_heard_does_not_move_up_when_a_word_is_left_out(quality: Quality) -> None:
    """The transformer hears the first 126 pieces: of this text all but the outburst at its end."""
    calm = "La oficina abre a las nueve de la mañana y cierra a las ocho de la tarde todos los días de la semana. " * 5
    alone, followed = (weighed(quality, calm[:-2] + end) for end in (".", " pésimo horrible asqueroso fatal vergüenza"))
    assert followed.evidence == alone.evidence


def test_the_dearest_text_costs_seconds_at_most(quality: Quality) -> None:
    text = HOSTILE["100,000 different words"]
    start = time.process_time()
    weighed(quality, text)
    assert time.process_time() - start < 20  # about two on an idle machine
