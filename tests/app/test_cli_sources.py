"""Sources on the command line: found by any address, in and out as lists."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage import Storage
from tests.app.terminal import FEED, allow_loopback, avizor, far_end, own_place, own_storage

PAGE = (
    "<!doctype html><html><head><title>Diario</title>"
    "<link rel='alternate' type='application/rss+xml' title='Portada' href='/rss'></head><body>hola</body></html>"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_place(tmp_path, monkeypatch):
        yield


@pytest.fixture
def storage() -> Iterator[Storage]:
    with own_storage() as made:
        yield made


def test_a_place_that_is_known_needs_no_visit(storage: Storage) -> None:
    done = avizor("sources", "add", "https://apps.apple.com/es/app/mi-lumbre/id1234567890")
    assert done.status == 0
    assert [(row["slug"], row["kind"]) for row in done.rows] == [("app-store-mi-lumbre", "appstore")]
    (source,) = storage.sources.all()
    assert (source.kind, dict(source.settings), source.origin) == (
        "appstore",
        {"app": 1234567890, "countries": ["es"]},
        "api",
    )


def test_a_feed_is_added_under_its_own_name(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_end(FEED) as (port, _):
        allow_loopback(monkeypatch, port)
        url = f"http://127.0.0.1:{port}/rss"
        assert avizor("sources", "add", url).rows[0]["name"] == "Diario"
        assert [(one.slug, one.url) for one in storage.sources.all()] == [("diario", url)]
        again = avizor("sources", "add", url)
    assert (again.status, again.err) == (1, "avizor: it is there already: diario\n")


def test_a_page_is_asked_for_its_feeds(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_end(PAGE) as (port, _):
        allow_loopback(monkeypatch, port)
        tried = avizor("sources", "add", f"http://127.0.0.1:{port}/seccion", "--dry-run")
        assert tried.rows[0]["url"] == f"http://127.0.0.1:{port}/rss"
        assert storage.sources.all() == []
        named = avizor("sources", "add", f"http://127.0.0.1:{port}/seccion", "--name", "El diario")
    assert named.rows[0]["slug"] == "el-diario"


def test_what_offers_nothing_or_may_not_be_asked_is_said_in_a_line(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far_end("<!doctype html><html><body>hola</body></html>") as (port, _):
        refused = avizor("sources", "add", f"http://127.0.0.1:{port}/")
        assert refused.status == 1
        assert "not allowed" in refused.err
        allow_loopback(monkeypatch, port)
        nothing = avizor("sources", "add", f"http://127.0.0.1:{port}/")
    assert nothing.status == 1
    assert "names none" in nothing.err
    for wrong in (["correo.example"], ["https://correo.example/", "--search", "x", "--brand", "nadie"]):
        assert avizor("sources", "add", *wrong).status == 2
    secret = avizor("sources", "add", "https://www.reddit.com/r/spain")
    assert secret.status == 1
    assert "secret" in secret.err
    assert storage.sources.all() == []


def test_lists_go_in_and_out(storage: Storage) -> None:
    listed = (
        '<opml version="2.0"><body><outline text="Uno" xmlUrl="https://uno.example/rss"/>'
        '<outline text="Uno" xmlUrl="https://dos.example/rss"/><outline text="Mal" xmlUrl="ftp://mal.example/"/></body></opml>'
    )
    first = avizor("sources", "import", "-", stdin=listed)
    assert first.status == 0
    assert [row["slug"] for row in first.rows] == ["uno", "uno-2"]
    assert "left out: Mal" in first.err
    exported = avizor("sources", "export").out
    assert 'text="Uno" xmlUrl="https://dos.example/rss"' in exported
    again = avizor("sources", "import", "-", stdin=exported)
    assert again.out == ""
    assert again.err.count("already there") == 2
    assert [row["state"] for row in avizor("sources", "list").rows] == ["late", "late"]
    assert avizor("sources", "import", "-", stdin="hola").status == 1
