"""The command line: data on stdout, words on stderr, an exit status that scripts can trust, and never a stack trace."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import commands
from app.settings import environment
from app.storage import Storage
from tests.app.terminal import FEED, allow_loopback, avizor, far_end, own_place, own_storage

ROOT = Path(__file__).parents[2]
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

CONFIG = """\
[[brands]]
name = "Telefónica"
query = 'telefonica OR movistar OR "o2 españa"'
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_place(tmp_path, monkeypatch):
        yield


@pytest.fixture
def storage() -> Iterator[Storage]:
    with own_storage() as made:
        yield made


# ── the whole ────────────────────────────────────────────────────────────────


def test_it_shows_its_help_without_opening_a_room() -> None:
    code = (
        "import sys; from app.cli import commands; from typer.testing import CliRunner\n"
        "assert 'serve' in CliRunner().invoke(commands, ['--help']).stdout\n"
        "heavy = ('pydantic', 'sqlalchemy', 'fastapi', 'httpx', 'lxml', 'numpy', 'uvicorn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_says_what_is_wrong_in_one_line_and_exits_with_2_when_asked_wrongly() -> None:
    Path("avizor.toml").write_text("[settings]\nprot = 1\n")
    said = avizor("plan")
    assert (said.status, said.out) == (2, "")
    assert said.err == "avizor: avizor.toml:2: settings.prot: unknown key; did you mean port?\n"
    assert avizor("fly").status == 2
    assert avizor("keys", "create", "x", "--role", "king").status == 2


def test_it_says_where_a_language_was_asked_for_that_it_cannot_recognise(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("avizor.toml").write_text('[settings]\nlanguages = ["es", "xx"]\n')
    for arguments in (("score", "-"), ("serve",), ("collect",)):
        said = avizor(*arguments, stdin="hola\n")
        assert (said.status, said.err) == (
            2,
            "avizor: avizor.toml:2: settings.languages: no language can be recognised as xx\n",
        )
    monkeypatch.setenv("AVIZOR_LANGUAGES", "es,xx")
    assert avizor("score", "-").err.startswith("avizor: environment: AVIZOR_LANGUAGES: ")


def test_it_says_what_to_do_where_there_is_no_database() -> None:
    for arguments in (("keys", "list"), ("channels", "list"), ("watch",)):
        said = avizor(*arguments)
        assert (said.status, said.out) == (1, "")
        assert said.err.count("\n") == 1
        assert "Run `avizor migrate`" in said.err


# ── init, plan, apply ────────────────────────────────────────────────────────


def test_it_writes_a_file_to_start_from_and_never_over_one() -> None:
    assert avizor("init").status == 0
    assert Path("avizor.toml").read_bytes() == (ROOT / "avizor.example.toml").read_bytes()
    Path("avizor.toml").write_text(CONFIG)
    said = avizor("init")
    assert (said.status, Path("avizor.toml").read_text()) == (0, CONFIG)
    assert "stays as it is" in said.err


def test_it_plans_without_changing_and_applies_what_it_planned(storage: Storage) -> None:
    Path("avizor.toml").write_text(CONFIG)
    planned = avizor("plan")
    assert planned.out.splitlines()[0] == "+ brand telefonica"
    assert storage.brands.all() == []
    applied = avizor("apply")
    assert (applied.status, applied.out) == (0, planned.out)
    assert [brand.slug for brand in storage.brands.all()] == ["telefonica"]
    again = avizor("plan")
    assert (again.status, again.out, again.err) == (0, "", "nothing to change: what is stored is what the file says\n")


def test_it_applies_nothing_of_a_file_that_is_wrong_in_one_place(storage: Storage) -> None:
    Path("avizor.toml").write_text(CONFIG + '\n[[brands]]\nname = "Otra"\nquery = "otra AND"\n')
    said = avizor("apply")
    assert said.status == 2
    assert re.fullmatch(r"avizor: avizor\.toml:7: brands\[1\]\.query: at character \d+: .+\n", said.err)
    assert storage.brands.all() == []


WRONG_TWICE = CONFIG + 'channels = ["nadie"]\n\n[[brands]]\nname = "Otra"\nquery = "otra AND"\n'


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_it_tells_names_that_refer_to_nothing_with_every_other_problem(storage: Storage, verb: str) -> None:
    Path("avizor.toml").write_text(WRONG_TWICE)
    said = avizor(verb)
    assert (said.status, said.out) == (2, "")
    assert re.findall(r"avizor\.toml:(\d+): (\S+):", said.err) == [
        ("4", "brands[0].channels[0]"),
        ("8", "brands[1].query"),
    ]


def test_it_tells_what_is_wrong_with_the_file_where_there_is_no_database() -> None:
    Path("avizor.toml").write_text(WRONG_TWICE)
    said = avizor("plan")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "brands[1].query" in said.err


def test_it_says_when_there_is_no_file() -> None:
    said = avizor("plan")
    assert (said.status, said.err) == (2, "avizor: avizor.toml: cannot be read: No such file or directory\n")


# ── parse, match ──────────────────────────────────────────────────────


def test_it_reads_a_saved_feed_into_one_post_a_line() -> None:
    Path("feed.xml").write_text(FEED, encoding="utf-8")
    said = avizor("parse", "rss", "feed.xml", "--url", "https://diario.example/rss")
    assert said.status == 0
    assert [(row["id"], row["title"], row["url"]) for row in said.rows] == [
        ("1", "Telefónica se cae", "https://diario.example/1"),
        ("2", "El tiempo", "https://diario.example/2"),
    ]
    assert said.rows[0]["published_at"] == "2026-11-22T09:00:00Z"
    assert avizor("parse", "rss", "-", stdin=FEED).rows[0]["title"] == "Telefónica se cae"


def test_it_guesses_what_a_saved_answer_is() -> None:
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "D", "items": [{"id": "7", "content_text": "Hola"}]}
    assert [row["text"] for row in avizor("parse", "rss", "-", stdin=json.dumps(feed)).rows] == ["Hola"]


def test_it_reads_a_saved_search_too() -> None:
    hit = {
        "objectID": "41",
        "created_at_i": 1_795_255_200,
        "author": "ana",
        "title": "Acme is down",
        "url": "https://acme.example/status",
        "story_text": None,
        "comment_text": None,
        "_tags": ["story", "author_ana", "story_41"],
    }
    answer = {"hits": [hit], "nbHits": 1, "page": 0, "nbPages": 1, "hitsPerPage": 100}
    (row,) = avizor("parse", "hackernews", "-", stdin=json.dumps(answer)).rows
    assert (row["id"], row["title"], row["author"]) == ("41", "Acme is down", "ana")


def test_it_fails_in_one_line_on_what_it_cannot_read() -> None:
    said = avizor("parse", "rss", "-", stdin="<html><body>no feed</body></html>")
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert said.err.startswith("avizor: -: ")
    Path("feed.json").write_text('{"items": 3}')
    assert avizor("parse", "rss", "feed.json").err.startswith("avizor: feed.json: The answer is JSON, but no JSON Feed")
    assert (
        avizor("parse", "rss", "nowhere.xml").err == "avizor: nowhere.xml: cannot be read: No such file or directory\n"
    )
    assert avizor("parse", "telex", "-", stdin="").status == 2


def test_it_matches_what_it_parsed_and_says_where() -> None:
    Path("avizor.toml").write_text(CONFIG + '\n[[channels]]\nname = "G"\nkind = "slack"\nurl = "${SLACK_URL}"\n')
    parsed = avizor("parse", "rss", "-", stdin=FEED)
    first, second = avizor("match", "-", stdin=parsed.out).rows
    assert second["mentions"] == []
    (mention,) = first["mentions"]
    assert mention["brand"] == "telefonica"
    assert [(span["field"], span["text"]) for span in mention["spans"]] == [
        ("title", "Telefónica"),
        ("text", "Movistar"),
        ("text", "O2 España"),
    ]
    for span in mention["spans"]:
        assert first[span["field"]][span["start"] : span["end"]] == span["text"]
    assert {key: first[key] for key in parsed.rows[0]} == parsed.rows[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a Post"),
        ('{"url": "https://x.example"}', "is not a Post"),
        ('{"text": 3}', "text: input should be a valid string"),
        ('{"text": "se\xf1or"}', "is not UTF-8"),
    ],
)
def test_it_leaves_out_and_names_the_line_that_is_no_post(line: str, message: str) -> None:
    Path("avizor.toml").write_text(CONFIG)
    text = '{"text": "movistar"}\n\n' + line + '\n{"text": "telefonica"}\n'
    said = avizor("match", "-", stdin=text.encode("latin-1"))
    assert (said.status, [row["text"] for row in said.rows]) == (1, ["movistar", "telefonica"])
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"avizor: -:3: {message}")


# ── keys and channels ────────────────────────────────────────────────────────


def test_it_makes_a_key_that_opens_and_keeps_only_its_hash(storage: Storage) -> None:
    Path("avizor.toml").write_text(CONFIG)
    avizor("apply")
    said = avizor("keys", "create", "panel", "--brand", "telefonica", "--days", "30")
    text = said.out.strip()
    _, key_id, secret = text.split("_", 2)
    found = storage.keys.get(key_id)
    assert found is not None
    key, sha256 = found
    assert (key.name, key.role, key.brands, sha256) == (
        "panel",
        "viewer",
        ("telefonica",),
        hashlib.sha256(secret.encode()).digest(),
    )
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 30
    assert secret not in said.err
    assert secret not in Path("var/avizor.db").read_bytes().decode("latin-1")
    (row,) = avizor("keys", "list").rows
    assert (row["id"], row["state"]) == (key_id, "live")
    assert avizor("keys", "revoke", key_id).status == 0
    assert avizor("keys", "list").rows[0]["state"] == "revoked"


def test_it_makes_no_key_for_a_brand_that_is_not_there(storage: Storage) -> None:
    assert avizor("keys", "create", "x", "--brand", "nadie").status == 2
    assert avizor("keys", "revoke", "nothing").status == 1
    assert storage.keys.all() == []


def test_it_sends_a_test_that_is_marked_as_one_and_lists_no_secret(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with far_end() as (port, posts):
        allow_loopback(monkeypatch, port)
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}/hook/s3cr3t-s3cr3t-s3cr3t")
        monkeypatch.setenv("SIGNING", SIGNING)
        Path("avizor.toml").write_text(
            '[[channels]]\nname = "Panel"\nkind = "webhook"\nurl = "${HOOK}"\nsecret = "${SIGNING}"\n'
        )
        assert "s3cr3t" not in avizor("apply").out
        said = avizor("channels", "test", "panel")
        assert (said.status, said.out) == (0, "")
        ((path, body),) = posts
        assert path == "/hook/s3cr3t-s3cr3t-s3cr3t"
        assert json.loads(body)["type"] == "channel.test"
        listed = avizor("channels", "list")
        assert [row["slug"] for row in listed.rows] == ["panel"]
        assert "s3cr3t" not in listed.out
    assert avizor("channels", "test", "panel").status == 1  # nobody is there any more
    assert avizor("channels", "test", "nadie").status == 2


# ── the walks ────────────────────────────────────────────────────────────────


def test_it_takes_each_walk_once_and_says_what_it_did(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    with far_end() as (port, _):
        allow_loopback(monkeypatch, port)
        source = f'[[sources]]\nname = "Diario"\nkind = "rss"\nurl = "http://127.0.0.1:{port}/rss"\n'
        Path("avizor.toml").write_text(CONFIG + source)
        avizor("apply")
        said = avizor("collect")
        assert said.status == 0
        (report,) = said.rows
        assert (report["visited"], report["posts"], report["mentions"]) == (1, 2, 1)
        assert avizor("collect").rows[0]["visited"] == 0
        nothing = {"asked": 0, "edited": 0, "withdrawn": 0, "requests": 0, "failed": 0, "errors": {}}
        assert avizor("revisit").rows == [nothing]
        assert avizor("watch").rows[0]["judged"] == 1
        assert avizor("tend").rows == [{"notices": 0, "in_trouble": 0, "heard_again": 0}]
        assert avizor("deliver").rows == [{"tried": 0, "delivered": 0, "retried": 0, "dead": 0}]
        gone = source.replace("Diario", "Otro").replace("/rss", "/gone")
        Path("avizor.toml").write_text(CONFIG + source + gone)
        avizor("apply")
        said = avizor("collect")
        assert (said.status, list(said.rows[0]["errors"])) == (1, ["otro"])


# ── serve ────────────────────────────────────────────────────────────────────


class Service:
    """`avizor serve` as a process of its own, up and answering."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", *options],
            env={**environment(), "PYTHONPATH": str(ROOT), "AVIZOR_PORT": "0", "LANG": "en_US.UTF-8", "LC_ALL": ""},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.welcome: list[str] = []
        for line in self.process.stderr:
            self.welcome.append(line)
            if "Documentation" in line:
                break
        found = re.search(r"http://\S+", "".join(self.welcome))
        self.url = found[0] if found else ""

    def __enter__(self) -> "Service":
        assert self.url, "".join(self.welcome)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)

    def stop(self, number: int) -> tuple[int, str]:
        """(exit status, what was said since the welcome)"""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


def refused(port: int = 0) -> str:
    """What a `serve` says that must not come up."""
    said = CliRunner().invoke(commands, ["serve"], env={"AVIZOR_PORT": str(port)})
    assert (said.exit_code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    return said.stderr


def test_it_serves_from_an_empty_folder_and_says_in_five_lines_what_to_do_next() -> None:
    Path("avizor.toml").write_text(CONFIG)
    with Service("--migrate", "--apply") as service:
        assert service.welcome[0] == "avizor.toml applied: 1 to make, 0 to change, 0 to archive\n"
        lines = service.welcome[1:]
        assert len(lines) == 5
        path = Path("var/first-api-key").absolute()
        assert str(path) in lines[1]
        assert str(Path("avizor.toml").absolute()) in lines[2]
        assert path.stat().st_mode & 0o777 == 0o600
        text = path.read_text().strip()
        assert text not in "".join(service.welcome)
        with httpx.Client(base_url=service.url, trust_env=False) as http:
            assert http.get("/healthz").status_code == 200
            assert http.get("/api/v1/brands").status_code == 401
            answer = http.get("/api/v1/brands", headers={"authorization": f"Bearer {text}"})
        assert [brand["slug"] for brand in answer.json()["items"]] == ["telefonica"]
        assert "server" not in answer.headers
        assert f"another `avizor serve` (process {service.process.pid}) uses" in refused()
        assert service.stop(signal.SIGTERM) == (0, "")


def test_it_writes_a_file_to_start_from_and_leaves_it_alone_the_next_time() -> None:
    with Service("--init", "--migrate") as service:  # not applied: its sources are on the network
        assert service.welcome[0] == "wrote avizor.toml: edit it, then run `avizor plan`\n"
        assert service.stop(signal.SIGTERM) == (0, "")
    assert Path("avizor.toml").read_bytes() == (ROOT / "avizor.example.toml").read_bytes()
    Path("avizor.toml").write_text(CONFIG)
    with Service("--init", "--migrate", "--apply") as service:
        assert service.welcome[0].startswith("avizor.toml applied: ")
        assert Path("avizor.toml").read_text() == CONFIG


def test_it_starts_again_after_kill_9_with_the_same_key_and_stops_on_ctrl_c() -> None:
    with Service("--migrate") as service:
        text = Path("var/first-api-key").read_text()
        service.stop(signal.SIGKILL)
    with Service() as service:
        assert Path("var/first-api-key").read_text() == text
        assert service.stop(signal.SIGINT) == (0, "")


def test_it_says_that_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(port).startswith(f"avizor: cannot listen on 127.0.0.1 port {port}: Address already in use.")


def test_it_refuses_to_start_without_the_key_of_the_secrets_that_it_keeps(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNING", SIGNING)
    Path("avizor.toml").write_text(
        '[[channels]]\nname = "P"\nkind = "webhook"\nurl = "https://p.example/x"\nsecret = "${SIGNING}"\n'
    )
    assert avizor("apply").status == 0
    key = Path("var/secret.key")
    kept = key.read_bytes()
    key.unlink()
    assert "their key is missing: put back" in refused()
    assert not key.exists()
    key.write_bytes(kept)
    key.chmod(0o644)
    assert "is open to others" in refused()


def test_it_says_that_the_tables_are_missing_instead_of_starting() -> None:
    assert "Run `avizor migrate`" in refused()
    assert os.listdir("var") == ["avizor.db.lock"]
