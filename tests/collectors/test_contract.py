"""What every kind of source promises, on its own samples: data/<kind>/NAME beside NAME.expected.json."""

import json
import pickle
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors import COLLECTORS
from collectors.base import Page, Post, Query, Source

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SAMPLES = sorted(
    path for path in DATA.glob("*/*") if not path.name.endswith(".expected.json") and path.parent.name in COLLECTORS
)


def source_of(kind: str) -> Source:
    urls = {"rss": "https://correo.example/portada.xml"}
    return Source(1, "muestra", "Muestra", kind, url=urls.get(kind), queries=(Query("lumbre", ("lumbre",)),))


def read(path: Path) -> Page:
    kind = path.parent.name
    source = source_of(kind)
    request = COLLECTORS[kind].request(source, NOW)
    return COLLECTORS[kind].parse(source, httpx.Response(200, content=path.read_bytes(), request=request))


def shown(post: Post) -> dict[str, Any]:
    return asdict(post) | {"published_at": post.published_at.isoformat() if post.published_at else None}


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
    collector = COLLECTORS[kind]
    collector.check(source_of(kind))
    for bad in (
        {"url": "ftp://correo.example/feed"},
        {"url": "http://user:pass@correo.example/feed"},
        {"settings": {"unknown": 1}},
    ):
        fields = {"url": "https://correo.example/"} | bad
        with pytest.raises(ValueError, match=r"address|setting"):
            collector.check(Source(1, "x", "x", kind, **fields))


def test_the_same_item_keeps_its_name_from_one_poll_to_the_next() -> None:
    for path in SAMPLES:
        assert [post.id for post in read(path).posts] == [post.id for post in read(path).posts]
