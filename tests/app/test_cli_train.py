"""`avizor rescore`, `avizor train corrections`: older mentions heard anew, people's words learned, never alone."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.model import Label, MentionFilter
from app.storage import Storage
from tests.app.terminal import allow_loopback, avizor, far_end, own_place, own_storage

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SAID = ("la factura llegó", "el router va", "la app nueva", "la tienda cierra", "el técnico vino", "la tarifa sube")
WHERE = ("en Sevilla", "en Lima", "en Bogotá", "en Quito", "en Madrid", "en Rosario", "en Cali", "en Vigo", "en León")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AVIZOR_TONE", "fast")
    with own_place(tmp_path, monkeypatch):
        monkeypatch.setenv("AVIZOR_TONE", "fast")
        yield


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """54 mentions of Movistar, collected from a feed."""
    texts = [f"Movistar: {said} ayer por la tarde {where}, según cuentan" for said in SAID for where in WHERE]
    items = "".join(
        f"<item><guid>{at}</guid><title>{text}</title><link>https://diario.example/{at}</link>"
        f"<pubDate>Sun, {1 + at % 20:02} Nov 2026 09:00:00 GMT</pubDate></item>"
        for at, text in enumerate(texts)
    )
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>D</title>{items}</channel></rss>'
    with own_storage() as made, far_end(feed) as (port, _):
        allow_loopback(monkeypatch, port)
        Path("avizor.toml").write_text(
            "[[brands]]\nname = 'Movistar'\nquery = 'movistar'\n[[brands]]\nname = 'Otra'\nquery = 'otra'\n"
            f"[[sources]]\nname = 'D'\nkind = 'rss'\nlanguage = 'es'\nurl = 'http://127.0.0.1:{port}/rss'\n"
        )
        assert avizor("apply").status == 0
        assert avizor("collect").rows[0]["mentions"] == 54
        yield made


def mentions(storage: Storage) -> Sequence[int]:
    page = storage.mentions.page(MentionFilter(), limit=100)
    return sorted(mention.post_id for mention in page)


def correct(storage: Storage, labels: Sequence[Label]) -> None:
    for post_id, label in zip(mentions(storage), labels, strict=False):
        assert storage.mentions.correct("movistar", post_id, label, "ana", "", NOW)


def applied(scorer: str, biases: Sequence[float]) -> None:
    """What a person has applied: Spanish moves by `biases`."""
    shifts = {"es": {"biases": biases, "words": {}}}
    told = {"kind": "avizor tone corrections", "format": 1, "scorer": scorer, "shifts": shifts}
    Path("var/tone-biases.json").write_text(json.dumps(told))


def scorer_of(storage: Storage) -> str:
    return storage.mentions.page(MentionFilter(), limit=1)[0].sentiment.scorer


NEARLY_ALL_NEGATIVE: list[Label] = ["negative"] * 42 + ["neutral"] * 6 + ["positive"] * 6


# ── rescore ──────────────────────────────────────────────────────────────────


def test_it_marks_what_was_published_in_a_time_and_says_how_many(storage: Storage) -> None:
    said = avizor("rescore", "--since", "2026-11-03", "--until", "2026-11-05T00:00:00Z")
    days = [mention.published_at.day for mention in storage.mentions.page(MentionFilter(), limit=100)]
    assert [row["marked"] for row in said.rows] == [days.count(3) + days.count(4)]
    assert storage.mentions.waiting() == days.count(3) + days.count(4)
    assert "the running service hears them anew" in said.err


def test_it_hears_them_here_and_prints_what_changed_by_brand(storage: Storage) -> None:
    before = [mention.label for mention in storage.mentions.page(MentionFilter(), limit=100)]
    assert avizor("rescore", "--now").err == "54 mentions were heard anew, and 0 have another label now\n"
    scorer = scorer_of(storage)
    applied(scorer, [-9, -9, 9])
    correct(storage, ["negative"])
    said = avizor("rescore", "--now")
    assert storage.mentions.waiting() == 0
    after = storage.mentions.page(MentionFilter(), limit=100)
    assert [mention.label for mention in after if mention.correction is None] == ["positive"] * 53
    assert [mention.label for mention in after if mention.correction] == ["negative"]
    assert all(row["brand"] == "movistar" and row["label"] == "positive" != row["was"] for row in said.rows)
    assert 0 < sum(row["mentions"] for row in said.rows) <= 54 - before.count("positive")
    assert re.fullmatch(re.escape(scorer) + r"\+biases:[0-9a-f]{8}", after[0].sentiment.scorer)


@pytest.mark.parametrize(
    "options", [("--since", "yesterday"), ("--until", "2026-13-01"), ("--since", "2026-11-05", "--until", "2026-11-05")]
)
def test_it_marks_nothing_for_a_time_that_is_none(storage: Storage, options: tuple[str, ...]) -> None:
    said = avizor("rescore", *options)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert storage.mentions.waiting() == 0


# ── train corrections ────────────────────────────────────────────────────────


def test_it_says_how_many_corrections_are_missing(storage: Storage) -> None:
    said = avizor("train", "corrections")
    assert (said.status, said.out) == (1, "")
    assert "50 more are needed" in said.err
    correct(storage, ["negative"] * 40)
    said = avizor("train", "corrections", "--apply", "--yes")
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "avizor: 40 corrections of texts in es: 10 more are needed, of these 5 neutral, 5 positive"
        " (at least 50, and 5 of each label)\n"
    )
    assert sorted(path.name for path in Path("var").glob("tone*")) == []


def test_it_proposes_and_changes_nothing(storage: Storage) -> None:
    correct(storage, NEARLY_ALL_NEGATIVE)
    said = avizor("train", "corrections")
    assert said.status == 0
    (told,) = said.rows
    (fit,) = told["fits"]
    assert (fit["languages"], fit["corrections"], fit["helps"]) == (["es"], 54, True)
    assert fit["after"]["log_loss"] < fit["before"]["log_loss"]
    assert fit["biases"]["negative"] > 0
    proposed = json.loads(Path("var/tone-biases-proposal.json").read_text())
    assert (proposed["scorer"], list(proposed["shifts"])) == (scorer_of(storage), ["es"])
    assert "nothing changes until it is applied" in said.err
    assert not Path("var/tone-biases.json").exists()


def test_it_applies_only_after_a_yes(storage: Storage) -> None:
    correct(storage, NEARLY_ALL_NEGATIVE)
    asked = avizor("train", "corrections", "--apply", stdin="n\n")
    assert "not applied" in asked.err
    assert not Path("var/tone-biases.json").exists()
    assert avizor("train", "corrections", "--apply").status == 1  # nobody answers
    assert not Path("var/tone-biases.json").exists()
    assert avizor("train", "corrections", "--apply", "--out", "mine.json", stdin="y\n").status == 0
    assert Path("var/tone-biases.json").read_bytes() == Path("mine.json").read_bytes()
    (row,) = avizor("score", "--language", "es", "-", stdin="la factura llegó ayer\n").rows
    assert "+biases:" in row["scorer"]


def test_it_learns_from_the_bare_scorer_again_and_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    correct(storage, NEARLY_ALL_NEGATIVE)
    monkeypatch.setenv("AVIZOR_TONE_BIASES", "elsewhere.json")
    first = avizor("train", "corrections", "--apply", "--yes").rows
    assert Path("elsewhere.json").exists()
    avizor("rescore", "--now")
    assert avizor("train", "corrections", "--apply", "--yes").rows == first


def test_corrections_that_teach_nothing_are_not_proposed(storage: Storage) -> None:
    page = storage.mentions.page(MentionFilter(), limit=100)
    sums = [sum(shares) for shares in zip(*(mention.sentiment.probabilities or () for mention in page), strict=True)]
    negative, positive = max(5, round(sums[0])), max(5, round(sums[2]))  # as many as the scorer expects
    labels: list[Label] = ["negative"] * negative + ["positive"] * positive
    correct(storage, labels + ["neutral"] * (54 - len(labels)))
    said = avizor("train", "corrections")
    assert (said.status, said.rows[0]["proposal"], said.rows[0]["fits"][0]["helps"]) == (0, None, False)
    assert "nothing is proposed" in said.err
    said = avizor("train", "corrections", "--apply", "--yes")
    assert (said.status, said.err) == (1, "avizor: there is nothing to apply: what was learned does not help\n")
    assert list(Path("var").glob("tone*")) == []


def test_a_correction_to_unknown_teaches_nothing(storage: Storage) -> None:
    correct(storage, [*NEARLY_ALL_NEGATIVE[:-1], "unknown"])
    (told,) = avizor("train", "corrections").rows
    assert (told["unused"], told["fits"][0]["corrections"]) == (1, 53)


def test_it_learns_from_one_brand_only_when_asked(storage: Storage) -> None:
    correct(storage, NEARLY_ALL_NEGATIVE)
    assert avizor("train", "corrections", "--brand", "movistar").status == 0
    assert avizor("train", "corrections", "--brand", "otra").status == 1
    said = avizor("train", "corrections", "--brand", "nadie")
    assert (said.status, said.err) == (2, "avizor: there is no brand nadie; there are: movistar, otra\n")
