"""What every kind of source promises, on its own samples: data/<kind>/NAME beside NAME.expected.json.

data/<kind>/source.json says what the kind must be told to ask at all (url, settings, secret, session), if anything.
"""

import json
import pickle
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors import COLLECTORS
from collectors.base import Page, Post, Query, Source

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OURS = ("source.json", ".expected.json")
SAMPLES = sorted(path for path in DATA.glob("*/*") if not path.name.endswith(OURS) and path.parent.name in COLLECTORS)
BY_ID = ("youtube/videos.json",)
SEARCHES = [path for path in SAMPLES if path.parent.name != "rss" and not str(path).endswith(BY_ID)]
NEWER = ("edited_at", "engagement", "reach", "rating")


def source_of(kind: str) -> Source:
    told = DATA / kind / "source.json"
    fields = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    return Source(1, "muestra", "Muestra", kind, queries=(Query("lumbre", ("lumbre",)),), **fields)


def read(path: Path, *, asked_at: datetime | None = None) -> Page:
    kind = path.parent.name
    source = replace(source_of(kind), asked_at=asked_at)
    request = COLLECTORS[kind].request(source, NOW)
    return COLLECTORS[kind].parse(source, httpx.Response(200, content=path.read_bytes(), request=request))


def shown(post: Post) -> dict[str, Any]:
    """As JSON, without what few posts have where this one has it not."""
    fields = {name: value for name, value in asdict(post).items() if value or name not in NEWER}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("kind", sorted(COLLECTORS))
def test_every_kind_has_a_sample(kind: str) -> None:
    assert any(path.parent.name == kind for path in SAMPLES)
    assert COLLECTORS[kind].kind == kind


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_it_reads_its_sample_as_expected(path: Path) -> None:
    page = read(path)
    expected = json.loads(path.with_name(path.name + ".expected.json").read_text(encoding="utf-8"))
    found = {
        "title": page.title,
        "interval_hint_s": page.interval_hint_s,
        "posts": [shown(post) for post in page.posts],
        "rejects": [asdict(reject) for reject in page.rejects],
    }
    assert found == expected


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_its_posts_are_fit_to_be_stored(path: Path) -> None:
    page = read(path)
    assert page.posts
    assert len({post.id for post in page.posts}) == len(page.posts)
    for post in page.posts:
        assert post.published_at is None or post.published_at.utcoffset() == timedelta(0)
        assert post.url is None or post.url.startswith(("http://", "https://"))
        for text in (post.id, post.title, post.text, post.author or ""):
            text.encode("utf-8")
            assert "\0" not in text
        assert post.language is None or len(post.language) == 2
    assert pickle.loads(pickle.dumps(page)) == page
    json.dumps(page.cursor)


@pytest.mark.parametrize("kind", sorted(COLLECTORS))
def test_it_refuses_a_source_that_cannot_work(kind: str) -> None:
    collector, sound = COLLECTORS[kind], source_of(kind)
    collector.check(sound)
    for bad in (
        replace(sound, url="ftp://correo.example/feed"),
        replace(sound, url="http://user:pass@correo.example/feed"),
        replace(sound, settings={**sound.settings, "unknown": 1}),
    ):
        with pytest.raises(ValueError, match=r"address|setting"):
            collector.check(bad)


@pytest.mark.parametrize("path", SEARCHES, ids=named)
def test_a_date_from_the_future_leaves_no_mark_beyond_the_visit(path: Path) -> None:
    """Else everything that is written until then would never be asked for."""
    as_told, early = (reached(read(path, asked_at=at)) for at in (None, NOW - timedelta(days=3_650)))
    assert 0 < early < as_told


def reached(page: Page) -> int:
    return max([page.cursor["newest"], *page.cursor["marks"].values()])


def test_the_same_item_keeps_its_name_from_one_poll_to_the_next() -> None:
    for path in SAMPLES:
        assert [post.id for post in read(path).posts] == [post.id for post in read(path).posts]
