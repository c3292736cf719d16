"""The quality tier: one answer a text, whatever its batch; both parts are heard; nothing waits for it."""

import time
from collections.abc import Iterator, Sequence
from threading import Event, Thread

import numpy as np
import pytest

from app.model import LABELS, Language, Sentiment
from app.sentiment import encoder, make_scorer
from app.sentiment.base import judged
from app.sentiment.encoder import BATCH, LONGEST, Encoder
from app.sentiment.fast import LANGUAGES, Fast
from app.sentiment.normal import plain
from app.sentiment.quality import Quality
from app.sentiment.tiers import WINDOW_S, Tiers
from tests.app.sentiment.hostile import HOSTILE

if not Quality.available():
    pytest.skip("the extra avizor[quality] is not installed", allow_module_level=True)

ES, EN, UK = (Language(code, 1.0) for code in ("es", "en", "uk"))
TEXTS = (
    "Llevo tres semanas esperando el reembolso y nadie contesta. Una vergüenza.",
    "me encanta la app nueva, va rapidísimo 😍",
    "La junta de accionistas se celebrará el 4 de mayo en Bilbao.",
    "I love this phone, the battery lasts two days.",
    "No.",
    "ok " * 300,
)


@pytest.fixture(scope="module")
def quality() -> Quality:
    return Quality(Fast())


@pytest.fixture(scope="module")
def ears() -> Encoder:
    return Encoder()


def test_it_says_the_same_of_a_text_in_any_batch(ears: Encoder) -> None:
    texts = [plain(text) for text in TEXTS]
    together = ears.logits(texts * (BATCH // 2))
    for place, text in enumerate(texts):
        assert np.array_equal(ears.logits([text])[0], together[place]), text


def test_a_batch_of_another_width_would_change_an_answer_that_was_not_masked(ears: Encoder) -> None:
    """Control for the test above: the texts do differ, and a longer neighbour does widen the batch."""
    short, long = plain(TEXTS[4]), plain(TEXTS[5])
    assert not np.array_equal(*ears.logits([short, long]))


def test_it_reads_texts_in_their_order(quality: Quality) -> None:
    languages = [ES, ES, ES, EN, ES, EN]
    one_by_one = [quality.score([text], [language])[0] for text, language in zip(TEXTS, languages, strict=True)]
    assert quality.score(TEXTS, languages) == one_by_one


def test_it_hears_no_text_without_a_fuss(quality: Quality) -> None:
    assert quality.score([], []) == []


def test_it_hears_only_the_first_pieces_of_a_long_text(ears: Encoder) -> None:
    words = "palabra " * (2 * LONGEST)
    assert np.array_equal(ears.logits([words]), ears.logits([words + "maravilloso " * 50]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_says_is_a_distribution_and_its_score_follows(quality: Quality, language: str) -> None:
    for sentiment in quality.score(TEXTS, [Language(language, 1.0)] * len(TEXTS)):
        assert sentiment.probabilities is not None
        assert sum(sentiment.probabilities) == pytest.approx(1)
        assert sentiment.score == pytest.approx(sentiment.probabilities[2] - sentiment.probabilities[0])
        assert sentiment.label == LABELS[int(np.argmax(sentiment.probabilities))]
        assert sentiment.scorer == quality.id


def test_it_keeps_what_each_part_said(quality: Quality) -> None:
    spanish, english = quality.score([TEXTS[0], TEXTS[3]], [ES, EN])
    assert set(spanish.components) == {"fast", "quality"}
    assert set(english.components) == {"fast", "quality", "vader"}
    assert spanish.components["quality"] < -0.3
    assert english.components["quality"] > 0.3


@pytest.mark.parametrize("text", ["¡¡¡SOIS UNOS ESTAFADORES!!!", "DEVUÉLVANME MI DINERO LADRONES"])
def test_capitals_do_not_change_what_it_hears(quality: Quality, text: str) -> None:
    shouted, said = quality.score([text, text.lower()], [ES, ES])
    assert shouted.label == said.label == "negative"
    assert shouted.components["quality"] == said.components["quality"]


def test_its_evidence_is_the_fast_tiers(quality: Quality) -> None:
    ((mine,), (fasts,)) = (scorer.score([TEXTS[0]], [ES]) for scorer in (quality, Fast()))
    assert mine.evidence == fasts.evidence != ()


def test_it_leaves_other_languages_to_the_fast_tier(quality: Quality) -> None:
    words, emoji = quality.score(["Жахливий сервіс", "😡😡😡"], [UK, UK])
    assert words.label == "unknown"
    assert emoji.label == "negative"
    assert not emoji.scorer.startswith("quality")


def test_its_name_holds_the_digest_of_its_weights(quality: Quality) -> None:
    name, _, digest = quality.id.partition(":")
    assert name == "quality/1"
    assert len(bytes.fromhex(digest)) == 32


def test_other_weights_have_another_name(
    quality: Quality, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("weights") / "quality.onnx"
    other.write_bytes(encoder.GRAPH.read_bytes() + b"\0")
    before = quality.id
    monkeypatch.setattr(encoder, "GRAPH", other)
    assert Quality(Fast()).id != before
    monkeypatch.undo()
    assert Quality(Fast()).id == before


@pytest.mark.parametrize("name", HOSTILE)
def test_it_answers_every_hostile_text_from_a_bounded_part_of_it(quality: Quality, name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    (sentiment,) = quality.score([text], [ES])
    assert time.process_time() - start < 1.0  # a guard against quadratic work; the figure is in docs/figures.md
    assert sentiment.label in LABELS


# ── together with the fast tier ──────────────────────────────────────────────


class Slow:
    """A quality tier that is busy until it is told to go on."""

    id = "quality/slow"

    def __init__(self) -> None:
        self.begun, self.go_on = Event(), Event()
        self.heard: list[str] = []

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        self.begun.set()
        self.go_on.wait(20)
        self.heard += texts
        return [judged((0.1, 0.1, 0.8), scorer=self.id, language=language) for language in languages]


@pytest.fixture
def slow() -> Iterator[Slow]:
    made = Slow()
    yield made
    made.go_on.set()


def test_nobody_waits_for_the_quality_tier(slow: Slow) -> None:
    tiers = Tiers(Fast(), slow)
    first = Thread(target=tiers.score, args=(["uno"], [ES]))
    first.start()
    assert slow.begun.wait(20)
    (sentiment,) = tiers.score([TEXTS[0]], [ES])
    assert (sentiment.scorer, sentiment.provisional) == (tiers.fast.id, True)
    slow.go_on.set()
    first.join(20)
    assert slow.heard == ["uno"]
    (sentiment,) = tiers.score([TEXTS[0]], [ES])
    assert (sentiment.scorer, sentiment.provisional) == (slow.id, False)


def test_what_is_too_much_for_one_call_is_heard_by_the_fast_tier_for_now(slow: Slow) -> None:
    slow.go_on.set()
    heard = Tiers(Fast(), slow, most=2).score(TEXTS[:4], [ES] * 4)
    assert [sentiment.provisional for sentiment in heard] == [False, False, True, True]


def test_only_so_much_is_heard_with_care_in_a_while_however_many_calls_it_comes_in(slow: Slow) -> None:
    slow.go_on.set()
    now = 0.0
    tiers = Tiers(Fast(), slow, most=3, monotonic=lambda: now)
    provisional = [[one.provisional for one in tiers.score(TEXTS[:2], [ES] * 2)] for _ in range(3)]
    assert provisional == [[False, False], [False, True], [True, True]]
    now = WINDOW_S
    assert not tiers.score(TEXTS[:1], [ES])[0].provisional


def test_what_no_tier_can_judge_is_not_heard_again(slow: Slow) -> None:
    heard = Tiers(Fast(), slow, most=0).score(["Жахливий сервіс", "😡😡😡", "http://x.example"], [UK, UK, ES])
    assert [sentiment.provisional for sentiment in heard] == [False, False, False]


def test_a_failure_of_the_quality_tier_does_not_silence_it_for_ever(slow: Slow) -> None:
    class Failing(Slow):
        def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
            raise RuntimeError("out of memory")

    tiers = Tiers(Fast(), Failing())
    for _ in range(2):  # the second call would find it busy if the first had not let go
        with pytest.raises(RuntimeError):
            tiers.score(["uno"], [ES])


def test_the_service_hears_with_both() -> None:
    assert isinstance(make_scorer(("es", "en")), Tiers)
