"""`avizor score`: one JSON line for each line whatever is in it, and one text's tone as a person reads it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.tones import contradicts, marked, short
from app.model import Evidence, Label, Language, Sentiment
from app.sentiment import make_scorer
from tests.app.sentiment.sentence import Sentence
from tests.app.terminal import avizor, own_place

ROOT = Path(__file__).parents[2]
KEYS = (
    "label score probabilities confidence uncertain language language_confidence scorer evidence components".split()  # noqa: SIM905
)
FAST = ("score", "--tier", "fast", "--language", "en")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("FORCE_COLOR", "NO_COLOR", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    with own_place(tmp_path, monkeypatch):
        yield


def process(*arguments: str, **streams: object) -> "subprocess.Popen[bytes]":
    """`avizor score` as a process of its own, with real pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", "score", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **streams,  # type: ignore[call-overload]
    )


class Contrary(Sentence):
    """A quality tier whose stored evidence is that of the words alone: `mal` is bad, whatever stands before it."""

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        places = [text.find("mal") for text in texts]
        return [
            replace(heard, evidence=(Evidence(at, at + 3, "mal", -1.0),) if at >= 0 else ())
            for heard, at in zip(super().score(texts, languages), places, strict=True)
        ]


# ── lines ────────────────────────────────────────────────────────────────────


ODD = [
    b"I love it, wonderful.",
    b"",
    b"Awful, the worst.\r",
    "one\u2028two\u2029three\u0085four".encode(),
    b"a\x0bb\x0cc\x1cd\x1ee\x00f",
    b"carriage\rreturn within",
    b"\r",
    b"   ",
    b'{"label": "positive"}',
    b"se\xf1or \xff\xfe",
    "\U0001f600 \u202eright to left".encode(),
    b"bad " * 30_000,
    b"last",
]


def test_it_prints_one_line_for_each_line_whatever_is_in_it() -> None:
    said = avizor(*FAST, "-", stdin=b"\n".join(ODD))
    assert said.status == 0
    assert said.out.count("\n") == len(ODD)
    texts = [line.removesuffix(b"\r").decode(errors="replace") for line in ODD]
    alone = make_scorer(["en"], "fast").score(texts, [Language("en", 1.0)] * len(texts))
    rows = [json.loads(line) for line in said.out.rstrip("\n").split("\n")]
    assert [row["label"] for row in rows] == [sentiment.label for sentiment in alone]
    assert [row["score"] for row in rows] == [sentiment.score for sentiment in alone]
    assert (rows[0]["label"], rows[1]["label"], rows[2]["label"]) == ("positive", "unknown", "negative")


def test_each_line_has_every_figure_and_the_words_that_drove_it() -> None:
    text = "Awful, the worst 😡 support."
    (row,) = avizor(*FAST, "-", stdin=text + "\n").rows
    assert list(row) == KEYS
    assert set(row["probabilities"]) == {"negative", "neutral", "positive"}
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)
    assert row["score"] == pytest.approx(row["probabilities"]["positive"] - row["probabilities"]["negative"])
    assert row["confidence"] == max(row["probabilities"].values())
    assert (row["language"], row["language_confidence"]) == ("en", 1.0)
    assert re.fullmatch(r"fast/1:[0-9a-f]{64}", row["scorer"])
    assert all(text[part["start"] : part["end"]] == part["text"] for part in row["evidence"])
    assert row["evidence"]


def test_an_unknown_tone_has_no_figures() -> None:
    (row,) = avizor("score", "--tier", "fast", "--language", "ja", "-", stdin="最悪だ\n").rows
    assert (row["label"], row["score"], row["probabilities"], row["confidence"]) == ("unknown", None, None, None)


@pytest.mark.parametrize(
    ("given", "lines"), [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\n\n", 2), (b"\n\n\n", 3), (b"a\r\nb", 2)]
)
def test_a_line_ends_with_a_line_feed_or_with_the_file(given: bytes, lines: int) -> None:
    assert len(avizor(*FAST, "-", stdin=given).rows) == lines


def test_thousands_of_lines_stay_in_order() -> None:
    texts = [f"number {at} is {'awful' if at % 3 else 'wonderful'}" for at in range(2_000)]
    Path("texts").write_text("\n".join(texts) + "\n", encoding="utf-8")
    rows = avizor(*FAST, "texts").rows
    alone = make_scorer(["en"], "fast").score(texts, [Language("en", 1.0)] * len(texts))
    assert [row["score"] for row in rows] == [sentiment.score for sentiment in alone]


def test_it_leaves_a_byte_order_mark_out() -> None:
    marked_, plain = (avizor(*FAST, "-", stdin=start + b"awful\n").rows for start in (b"\xef\xbb\xbf", b""))
    assert marked_ == plain


def test_it_says_which_lines_were_not_utf8_and_hears_them_all_the_same() -> None:
    said = avizor(*FAST, "-", stdin=b"good\nse\xf1or\nbad\n")
    assert (said.status, len(said.rows)) == (0, 3)
    assert said.err == "avizor: -:2: is not UTF-8: what cannot be read is heard as \ufffd\n"
    said = avizor(*FAST, "-", stdin=b"se\xf1or\n" * 300)
    assert len(said.rows) == 300
    assert said.err.splitlines()[5:] == ["avizor: -: 295 more lines were like these"]


def test_a_line_of_any_length_is_one_line() -> None:
    said = avizor(*FAST, "-", stdin=b"x" * 3_000_000 + b"\nawful, the worst\n")
    assert [row["label"] for row in said.rows][1] == "negative"
    assert len(said.rows) == 2
    assert said.err == "avizor: -:1: is longer than 1 MiB: its beginning is heard\n"


def test_it_answers_a_line_before_the_next_one_is_there() -> None:
    with process(*FAST[1:], "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as score:
        assert score.stdin is not None
        assert score.stdout is not None
        for text, label in ((b"awful, the worst\n", "negative"), (b"wonderful, I love it\n", "positive")):
            score.stdin.write(text)
            score.stdin.flush()
            assert json.loads(score.stdout.readline())["label"] == label
        score.stdin.close()
        assert score.wait(timeout=60) == 0


def test_it_ends_quietly_when_nobody_reads_on() -> None:
    Path("texts").write_text("awful\n" * 20_000)
    with process(*FAST[1:], "texts", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as score:
        assert score.stdout is not None
        assert score.stderr is not None
        assert json.loads(score.stdout.readline())["label"] == "negative"
        score.stdout.close()
        assert score.stderr.read() == b""


# ── a text, a file ───────────────────────────────────────────────────────────


def test_what_names_no_file_is_a_text_and_what_names_one_is_a_file() -> None:
    assert avizor("score", "--language", "en", "awful").out.startswith("tone ")
    Path("awful").write_text("wonderful\nbad\n")
    assert len(avizor(*FAST, "awful").rows) == 2
    assert avizor(*FAST, "--text", "awful").out.startswith("tone ")
    assert len(avizor(*FAST, "--file", "awful").rows) == 2


def test_a_folder_is_no_file_and_a_long_text_is_no_name() -> None:
    Path("docs").mkdir()
    for text in ("docs", "one\ntwo", "very " * 2_000 + "bad", ""):
        assert avizor(*FAST, text).status == 0


def test_it_says_that_a_file_was_not_there_which_may_have_been_meant() -> None:
    said = avizor(*FAST, "reviews.txt")
    assert said.status == 0
    assert said.err == (
        "avizor: there is no file reviews.txt, so the words themselves were heard; --file takes it for a file only\n"
    )
    for text in ("Awful service.", "https://acme.example/x.txt", "awful", "1.5"):
        assert avizor(*FAST, text).err == ""
    assert avizor(*FAST, "--text", "reviews.txt").err == ""


def test_a_file_that_must_be_there_and_is_not_is_an_error() -> None:
    said = avizor(*FAST, "--file", "reviews.txt")
    assert (said.status, said.out) == (1, "")
    assert said.err == "avizor: reviews.txt: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("arguments", [(), ("a", "--text", "b"), ("--text", "a", "--file", "b")])
def test_it_wants_one_thing(arguments: tuple[str, ...]) -> None:
    said = avizor("score", *arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err == "avizor: say one thing: a text, a file, or - for the lines of stdin\n"


# ── who listens ──────────────────────────────────────────────────────────────


def test_it_knows_its_tiers_and_languages() -> None:
    assert avizor("score", "--tier", "vader", "-", stdin="x").status == 2
    assert avizor("score", "--language", "klingon", "-", stdin="x").status == 2
    assert avizor("score", "--language", "ess", "-", stdin="x").err.endswith("did you mean es?\n")


def test_it_finds_the_language_and_takes_the_usual_one_where_a_text_is_too_short() -> None:
    texts = "The support was awful, I waited for three hours.\nUna estafa, llevo tres horas esperando.\npésimo\n"
    rows = avizor("score", "--tier", "fast", "-", stdin=texts).rows
    assert [row["language"] for row in rows] == ["en", "es", "es"]


def test_it_says_how_to_install_a_tier_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = avizor("score", "--tier", "quality", "-", stdin="x")
    assert (said.status, said.out) == (1, "")
    assert said.err == "avizor: the quality tier is not installed: pip install 'avizor[quality]'\n"
    monkeypatch.setenv("AVIZOR_TONE", "quality")
    assert avizor("score", "-", stdin="x").err == said.err


def test_the_setting_says_who_listens_and_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (row,) = avizor("score", "-", stdin="hola\n").rows
    assert row["scorer"].startswith("fast/1:")
    monkeypatch.setenv("AVIZOR_TONE", "quality")
    assert avizor("score", "--tier", "fast", "-", stdin="hola\n").status == 0
    monkeypatch.setenv("AVIZOR_TONE", "loud")
    assert avizor("score", "-", stdin="x").err.startswith("avizor: environment: AVIZOR_TONE: ")


def test_it_applies_what_corrections_taught_this_scorer() -> None:
    (before,) = avizor(*FAST, "-", stdin="the parcel is here\n").rows
    shifts = {"en": {"biases": [9, 0, 0], "words": {}}}
    told = {"kind": "avizor tone corrections", "format": 1, "scorer": before["scorer"], "shifts": shifts}
    Path("var").mkdir()
    Path("var/tone-biases.json").write_text(json.dumps(told))
    (after,) = avizor(*FAST, "-", stdin="the parcel is here\n").rows
    assert after["label"] == "negative"
    assert re.fullmatch(re.escape(before["scorer"]) + r"\+biases:[0-9a-f]{8}", after["scorer"])
    Path("var/tone-biases.json").write_text("{}")
    said = avizor(*FAST, "-", stdin="x\n")
    assert (said.status, said.err) == (
        1,
        "avizor: var/tone-biases.json: is not what `avizor train corrections` writes\n",
    )


# ── for a person ─────────────────────────────────────────────────────────────


def test_it_shows_label_figures_language_scorer_and_words() -> None:
    said = avizor("score", "--language", "en", "--tier", "fast", "Awful, the worst support.")
    assert (said.status, said.err) == (0, "")
    shown = said.out.splitlines()
    assert re.fullmatch(r"tone +negative", shown[0])
    assert re.fullmatch(r"negative +█+ +\d+\.\d%", next(line for line in shown if line.startswith("negative")))
    assert next(line for line in shown if line.startswith("language")).endswith("en (given)")
    assert re.fullmatch(r"heard by +fast/1:[0-9a-f]{8}", next(line for line in shown if line.startswith("heard")))
    assert re.search(r"\[(Awful|worst) -\d\.\d\]", shown[-1])


def test_it_speaks_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "es_ES.UTF-8")
    assert re.match(r"tono +(negativo|neutro|positivo)\n", avizor("score", "Una estafa, el peor servicio.").out)


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "the sentence, word by word"), ("es", "la frase, palabra por palabra")]
)
def test_where_words_and_sentence_disagree_it_shows_the_sentence_word_by_word(
    monkeypatch: pytest.MonkeyPatch, language: str, heading: str
) -> None:
    monkeypatch.setenv("LANG", f"{language}.UTF-8")
    monkeypatch.setattr("app.cli.scores.scorer_at_leisure", lambda *_: Contrary())
    shown = avizor("score", "--language", "es", "No está mal").out.splitlines()
    assert shown[-4:] == ["No está [mal -1.0]", "", heading, "[No +2.0] está [mal +1.0]"]
    shown = avizor("score", "--language", "es", "Está mal").out.splitlines()
    assert shown[-1] == "Está [mal -1.0]"
    assert heading not in shown


def test_the_lines_of_a_file_have_no_more_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    contrary = Contrary()
    monkeypatch.setattr("app.cli.scores.scorer_at_leisure", lambda *_: contrary)
    (row,) = avizor("score", "--language", "es", "-", stdin="No está mal\n").rows
    assert list(row) == KEYS
    assert [part["text"] for part in row["evidence"]] == ["mal"]
    assert contrary.heard == [["No está mal"]]


def test_the_fast_tier_alone_has_nothing_to_add() -> None:
    said = avizor("score", "--tier", "fast", "--language", "es", "No está nada mal, la verdad")
    assert (said.status, "palabra por palabra" in said.out, "word by word" in said.out) == (0, False, False)


@pytest.mark.parametrize(
    ("label", "weight", "parts", "told"),
    [
        ("negative", 0.2, {}, True),
        ("negative", -0.2, {}, False),
        ("positive", -0.2, {}, True),
        ("positive", 0.2, {}, False),
        ("neutral", 0.2, {}, False),
        ("unknown", -0.2, {}, False),
        ("negative", -0.2, {"fast": 0.4, "quality": -0.4}, True),
        ("neutral", 0.2, {"fast": 0.4, "quality": -0.4}, True),
    ],
)
def test_it_knows_when_the_words_say_something_else(
    label: Label, weight: float, parts: dict[str, float], told: bool
) -> None:
    evidence = (Evidence(0, 1, "x", weight),)
    assert contradicts(Sentiment(label, None, "test/1", evidence=evidence, components=parts)) == told


def test_colours_are_for_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    colour = re.compile(r"\x1b\[[\d;]*3[0-7]")
    assert "\x1b" not in avizor(*FAST, "Awful, the worst.").out
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any stream for a terminal then
    assert colour.search(avizor(*FAST, "Awful, the worst.").out)
    monkeypatch.setenv("NO_COLOR", "1")
    said = avizor(*FAST, "Awful, the worst.").out
    assert not colour.search(said)
    assert "-" in said


def test_a_text_cannot_steer_the_terminal() -> None:
    said = avizor(*FAST, "awful\x1b]0;owned\x07 \x9b2J \u202edrow [bold]x[/bold] :smile:").out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said)
    assert r"\x1b" in said
    assert r"\u202e" in said
    assert "smile" in said


def test_it_marks_the_words_by_their_offsets_and_leaves_out_spans_that_do_not_fit() -> None:
    evidence = (
        Evidence(10, 14, "caro", -1.0),
        Evidence(0, 3, "muy", 1.25),
        Evidence(1, 4, "overlaps", -1.0),
        Evidence(12, 99, "beyond", 1.0),
        Evidence(5, 5, "", 1.0),
    )
    assert marked("muy bueno, caro"[:9] + " caro", evidence).plain == "[muy +1.2] bueno [caro -1.0]"


def test_it_shortens_the_digits_of_a_scorer_and_nothing_else() -> None:
    assert short("fast/1:" + "ab" * 32) == "fast/1:abababab"
    assert short("fast/1:" + "ab" * 32 + "+biases:01234567") == "fast/1:abababab+biases:01234567"
    assert short("symbols/1") == "symbols/1"
