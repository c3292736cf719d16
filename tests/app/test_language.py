"""Which language a text is in."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from app.language import CHARACTERS, GLANCE, KNOWN, LETTERS, MARGIN, PRIOR, Language, Languages, cleaned

SIX = ("es", "en", "pt", "fr", "de", "it")


@cache
def languages(*enabled: str) -> Languages:
    return Languages(enabled)


@cache
def library() -> LanguageIdentifier:
    """py3langid as it comes: the oracle."""
    return LanguageIdentifier.from_model_file(MODEL_FILE)


def code(text: str, prior: str | None = None, enabled: tuple[str, ...] = SIX) -> str | None:
    return languages(*enabled).identify(text, prior).code


SENTENCES = {
    "es": [
        "Llevo tres semanas esperando a que alguien me devuelva la llamada",
        "Enhorabuena, otro mes sin servicio y con la factura puntual",
        "La app nueva va de lujo, mucho más rápida que la anterior",
        "Qué padre está la tienda que abrieron en el centro",
        "No está nada mal para lo que cuesta, la verdad",
        "El paquete llegó dos días antes de lo prometido",
        "Sin palabras, qué maravilla de atención",
        "¿Alguien sabe si hay stock en Valparaíso?",
    ],
    "en": [
        "My router has been down since Tuesday and nobody answers",
        "They opened a second shop near the station last month",
        "Does anybody know whether the blue one is back in stock?",
        "Thank you for nothing, three hours on hold",
        "The parcel came two days early and the driver was lovely",
        "Refund refused again, I am done with this company",
        "Prices go up by four percent in June, says the company",
        "The hotel was clean and the breakfast rather dull",
    ],
    "pt": [
        "Estou há três semanas à espera que me devolvam a chamada",
        "O pacote chegou dois dias antes do prometido, muito obrigado",
        "A nova aplicação está muito melhor do que a anterior",
        "Alguém sabe se já há estoque na loja de São Paulo?",
        "O atendimento foi péssimo, não recomendo a ninguém",
    ],
    "fr": [
        "J'attends depuis trois semaines que quelqu'un me rappelle",
        "Le colis est arrivé deux jours plus tôt que prévu",
        "Est-ce que quelqu'un sait si le bleu est de nouveau en stock ?",
        "Service client injoignable, je change d'opérateur",
        "La nouvelle appli est beaucoup plus rapide que l'ancienne",
    ],
    "de": [
        "Seit drei Wochen warte ich darauf, dass jemand zurückruft",
        "Das Paket kam zwei Tage früher als versprochen",
        "Weiß jemand, ob das blaue wieder auf Lager ist?",
        "Der Kundendienst ist eine Katastrophe, ich kündige",
        "Die neue App ist viel schneller als die alte",
    ],
    "it": [
        "Aspetto da tre settimane che qualcuno mi richiami",
        "Il pacco è arrivato due giorni prima del previsto",
        "Qualcuno sa se quello blu è di nuovo disponibile?",
        "Servizio clienti pessimo, non lo consiglio a nessuno",
        "La nuova app è molto più veloce di quella vecchia",
    ],
}
ELSEWHERE = {
    "ca": "Fa tres setmanes que espero que algú em torni la trucada i encara res",
    "nl": "Ik wacht al drie weken tot iemand mij eindelijk terugbelt",
    "pl": "Od trzech tygodni czekam, aż ktoś do mnie oddzwoni",
    "tr": "Üç haftadır birinin beni geri aramasını bekliyorum",
    "ro": "Aștept de trei săptămâni ca cineva să mă sune înapoi",
    "sv": "Jag har väntat i tre veckor på att någon ska ringa tillbaka",
    "cs": "Už tři týdny čekám, až mi někdo zavolá zpátky",
    "id": "Saya sudah menunggu tiga minggu dan belum ada yang menelepon kembali",
    "ru": "Уже три недели жду, когда мне перезвонят",
    "el": "Περιμένω τρεις εβδομάδες να με καλέσει κάποιος",
    "ar": "أنتظر منذ ثلاثة أسابيع أن يتصل بي أحد",
    "he": "אני מחכה כבר שלושה שבועות שמישהו יחזור אליי",
    "hi": "मैं तीन हफ़्ते से इंतज़ार कर रहा हूँ कि कोई मुझे वापस फ़ोन करे",
    "zh": "我已经等了三个星期，还没有人给我回电话",
    "ja": "三週間待っていますが、誰からも折り返しの電話がありません",
    "ko": "누군가 전화해 주기를 삼 주째 기다리고 있습니다",
    "th": "ฉันรอให้ใครสักคนโทรกลับมาสามสัปดาห์แล้ว",
}
PAIRS = [(language, text) for language, texts in SENTENCES.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), PAIRS)
def test_it_tells_the_enabled_languages_apart(language: str, text: str) -> None:
    assert code(text) == language
    assert languages(*SIX).identify(text, None).confidence > 0.5


@pytest.mark.parametrize(("language", "text"), PAIRS)
def test_a_wrong_claim_of_the_source_does_not_win_a_whole_sentence(language: str, text: str) -> None:
    assert code(text, prior="en" if language == "es" else "es") == language


@pytest.mark.parametrize(("language", "text"), ELSEWHERE.items())
def test_a_text_in_no_enabled_language_is_in_none_rather_than_the_nearest(language: str, text: str) -> None:
    assert languages("es", "en").identify(text, None) == Language(None, 0.0)
    assert code(text) is None
    assert code(text, prior="es") is None


@pytest.mark.parametrize(("language", "text"), [pair for pair in PAIRS if pair[0] not in ("es", "en")])
def test_a_language_is_none_while_it_is_not_enabled(language: str, text: str) -> None:
    assert code(text, enabled=("es", "en")) is None


@pytest.mark.parametrize(("language", "text"), ELSEWHERE.items())
def test_any_known_language_can_be_enabled(language: str, text: str) -> None:
    assert code(text, enabled=("es", "en", *ELSEWHERE)) == language


# ── the prior ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", ["", "   ", "ok", "Genial!!!", "5/5 :)", "Muy mal", "😡😡😡 nooo", "https://a.es/muy-mal-servicio-tecnico"]
)
def test_a_short_text_takes_the_prior(text: str) -> None:
    assert code(text, prior="es") == "es"
    assert code(text, prior="en") == "en"
    assert languages(*SIX).identify(text, None) == Language(None, 0.0)


def test_twelve_letters_are_enough() -> None:
    assert LETTERS == 12
    assert code("nothing work", prior="es") == "es"  # eleven
    assert code("nothing works", prior="es") == "en"


def test_the_confidence_of_a_prior_alone_follows_from_the_formula() -> None:
    assert languages(*SIX).identify("ok", "es").confidence == pytest.approx(3 / (3 + 5))
    assert languages("es").identify("ok", "es").confidence == 1.0


def test_a_prior_that_is_not_enabled_leaves_a_short_text_without_language() -> None:
    assert languages("es", "en").identify("ok", "ja") == Language(None, 0.0)


@pytest.mark.parametrize("prior", ["es-MX", "ES", "es_AR", " es-419 "])
def test_a_claim_with_a_region_is_understood(prior: str) -> None:
    assert code("vale", prior=prior) == "es"


def test_the_prior_multiplies_the_odds_by_three() -> None:
    """confidence / (1 - confidence) of the claimed language, with and without the claim."""
    assert exp(PRIOR) == pytest.approx(3)
    text = "Promo de iPhone total en Madrid"
    without = languages(*SIX).identify(text, None)
    with_it = languages(*SIX).identify(text, without.code)
    assert 0.5 < without.confidence < 0.99
    gain = log(with_it.confidence / (1 - with_it.confidence)) - log(without.confidence / (1 - without.confidence))
    assert gain == pytest.approx(PRIOR, abs=1e-3)


def test_the_prior_decides_where_the_words_do_not() -> None:
    text = "Grande Hotel Porto"
    assert {code(text, prior=prior) for prior in ("es", "pt", "it")} == {"es", "pt", "it"}


def test_a_claim_to_be_in_another_language_counts_against_ours() -> None:
    text = "Bon dia a tothom, avui obrim"
    assert code(text, prior="ca", enabled=("es", "en")) is None


# ── what is listened to ──────────────────────────────────────────────────────


def test_links_handles_hashes_and_emoji_do_not_speak() -> None:
    text = "#Servicio pésimo @the_worst_support https://the.worst/support www.the-worst.com user@mail.com 😡❤️👍🏽"
    assert cleaned(text).split() == ["Servicio", "pésimo"]
    assert code("@thankyou @forever https://thanks.for/nothing/at/all " + SENTENCES["es"][0]) == "es"


def test_a_text_that_was_escaped_twice_is_read_as_what_it_says() -> None:
    assert cleaned(r"Qu\u00e9 rabia \ud83d\ude21, C:\users") == cleaned("Qué rabia \ud83d\ude21, C:\\users")
    assert code(r"\u00a1P\u00e9simo! Qu\u00e9 decepci\u00f3n, atenci\u00f3n mal\u00edsima \ud83d") == "es"


def test_the_beginning_decides() -> None:
    spanish = " ".join(SENTENCES["es"])
    assert len(spanish) > CHARACTERS
    assert code(spanish + " " + " ".join(SENTENCES["en"]) * 20) == "es"
    assert len(cleaned(spanish * 10)) == CHARACTERS


def test_a_beginning_that_does_not_tell_is_read_further() -> None:
    names = (
        "Madrid Barcelona Santander Repsol Inditex Iberdrola Telefónica Mapfre Ferrovial Acciona Naturgy Cellnex "
        "Indra Colonial Aena Bankinter"
    )
    assert len(names) > GLANCE
    assert code(names[:GLANCE]) == "es"
    assert code(names + " are all down this morning, and nobody knows why it happened") == "en"


def test_capitals_and_fancy_letters_are_letters() -> None:
    assert code(SENTENCES["es"][0].upper()) == "es"
    assert code("𝐓𝐡𝐞 𝐩𝐚𝐫𝐜𝐞𝐥 𝐜𝐚𝐦𝐞 𝐭𝐰𝐨 𝐝𝐚𝐲𝐬 𝐞𝐚𝐫𝐥𝐲") == "en"


def test_a_foreign_word_does_not_change_the_script() -> None:
    assert code("El nuevo modelo 小米 llega a España la semana que viene") == "es"
    assert code("Привет", prior="es") is None
    assert code("すごい", prior="es") is None


def test_what_is_no_language_is_none() -> None:
    assert code("xqzt vbnm qwrtp zxcvb kjhgf plmkn qwzx") is None


@settings(max_examples=60)
@given(st.text(max_size=400), st.sampled_from([None, "es", "en", "xx", "zh-TW", "-"]))
def test_any_text_has_an_answer_within_what_is_enabled(text: str, prior: str | None) -> None:
    language = languages(*SIX).identify(text, prior)
    assert language.code in (None, *SIX)
    assert 0 <= language.confidence <= 1
    assert (language.confidence == 0) == (language.code is None)


# ── beside the library ───────────────────────────────────────────────────────


def test_the_known_codes_are_those_of_the_model() -> None:
    assert {*library().labels} - {"zxx"} == KNOWN


@pytest.mark.parametrize(("language", "text"), PAIRS)
def test_the_scores_are_those_of_py3langid(language: str, text: str) -> None:
    model = languages(*SIX)._model
    theirs = dict(library().rank(text))
    scores = model.scores(text)
    assert scores is not None
    ours = dict(zip(model._codes, scores, strict=True))
    root = len(text.encode()) ** 0.5
    assert {each: ours[each] for each in SIX} == pytest.approx({each: theirs[each] / root for each in SIX}, rel=1e-4)


def test_a_rival_must_lead_by_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    model = languages("es", "en")._model
    scores = model.scores("Bon dia a tothom, avui obrim")
    assert scores is not None
    es, ca = scores[model._codes.index("es")], scores[model._codes.index("ca")]
    assert ca - es > MARGIN
    # With a bonus that leaves Catalan less than the margin ahead, Spanish stands.
    scores[model._codes.index("es")] += ca - es - MARGIN + 0.01
    monkeypatch.setattr(model, "scores", lambda _: scores)
    assert model.decide("", None).code == "es"


# ── the room ─────────────────────────────────────────────────────────────────


def test_several_texts_get_the_answers_that_each_would_get() -> None:
    texts = [text for _, text in PAIRS] + ["ok", ""]
    priors = ["es"] * (len(texts) - 1) + [None]
    several = languages(*SIX).identify_many(texts, priors)
    assert several == [languages(*SIX).identify(text, prior) for text, prior in zip(texts, priors, strict=True)]
    with pytest.raises(ValueError, match="zip"):
        languages(*SIX).identify_many(texts, ["es"])


@pytest.mark.parametrize("enabled", [[], ["es", "xx"], ["spanish"], ["zxx"], ["es-MX"]])
def test_a_language_that_it_cannot_tell_is_refused_at_once(enabled: list[str]) -> None:
    with pytest.raises(ValueError, match="language"):
        Languages(enabled)


def test_threads_load_the_model_once_and_agree() -> None:
    fresh = Languages(("es", "en"))
    texts = [text for _, text in PAIRS] * 3
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: [fresh.identify(text, None) for text in texts], range(8)))
    assert answers == [answers[0]] * 8


def test_two_choices_of_languages_do_not_disturb_one_another() -> None:
    text = SENTENCES["fr"][0]
    assert [code(text), code(text, enabled=("es", "en")), code(text)] == ["fr", None, "fr"]


def test_importing_the_room_loads_no_model() -> None:
    code = "import sys, app.language; app.language.Languages(['es']); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
