"""The whole API and the pages over real storage: callers, things to read, and time that is moved by hand."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
from cryptography.fernet import Fernet
from fastapi import FastAPI

from alerts import dossier, incident
from alerts.base import Channel, Exhibit, NotifyError
from alerts.detect.policy import Dial
from alerts.incident import Incident
from alerts.spike import Spike, to_mapping
from app import api, web
from app.api.deps import Deps, IncidentAction, handed
from app.model import Brand, Evidence, Label, Language, Mention, MentionFilter, Role, Sentiment
from app.sentiment import unheard
from app.settings import Settings
from app.storage import Storage, open_storage
from app.storage.records import (
    CollectBatch,
    CollectedPost,
    Conflict,
    CoverageRow,
    IncidentSave,
    Judged,
    NewDelivery,
    Outcome,
    PutBrand,
    PutChannel,
    PutSource,
)
from app.vault import Vault
from collectors.base import Post, Reject, Source

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
SETTINGS = Settings(default_language="en", public_url="http://avizor.test")
SLACK_URL = "https://hooks.slack.com/services/T00000000/B00000000/canary4slackAddress9ZZ"
SIGNING = "whsec_Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTEyMzQ1Njc4"
SCORES: Mapping[Label, float | None] = {"negative": -0.6, "neutral": 0.0, "positive": 0.6, "unknown": None}
CHANCES: Mapping[Label, tuple[float, float, float] | None] = {
    "negative": (0.7, 0.2, 0.1),
    "neutral": (0.1, 0.8, 0.1),
    "positive": (0.1, 0.2, 0.7),
    "unknown": None,
}


class Deaf:
    """A scorer that hears no tone: what is heard in these tests is made by hand."""

    id = f"fast/1:{'0' * 64}"

    def score(self, texts: Sequence[str], languages: Sequence[Language]) -> list[Sentiment]:
        return [unheard(language, self.id) for language in languages]


@cache
def the_app() -> FastAPI:
    """The application, put together once: each house hands it its own rooms."""
    return make_app()


def make_app() -> FastAPI:
    """As `app.main` puts it together, without a service. For a test that adds routes of its own."""
    nothing: Any = None
    deps = Deps(
        settings=SETTINGS,
        storage=nothing,
        vault=nothing,
        clock=lambda: NOON,
        scorer=nothing,
        change_incident=nothing,
        test_channel=nothing,
        tick_age_s=nothing,
    )
    app = FastAPI(title="Avizor", docs_url=None, redoc_url=None)
    api.install_problems(app, web.make_error_page(deps))
    api.install_headers(app)
    app.include_router(api.make_router(deps))
    app.include_router(web.make_router(deps))
    return app


class Client:
    """A caller: every request through the ASGI application, in one event loop of its own. Cookies are kept.

    A bug rises into the test, unless the test wants to see what the caller sees (`raises` False).
    """

    def __init__(
        self,
        app: FastAPI,
        loop: asyncio.AbstractEventLoop,
        headers: Mapping[str, str] | None = None,
        *,
        raises: bool = True,
    ) -> None:
        self._loop = loop
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=raises),
            base_url="http://avizor.test",
            headers=headers,
        )

    def request(self, method: str, url: str, **how: Any) -> httpx.Response:
        return self._loop.run_until_complete(self.http.request(method, url, **how))

    def get(self, url: str, **how: Any) -> httpx.Response:
        return self.request("GET", url, **how)

    def post(self, url: str, **how: Any) -> httpx.Response:
        return self.request("POST", url, **how)

    def put(self, url: str, **how: Any) -> httpx.Response:
        return self.request("PUT", url, **how)

    def delete(self, url: str, **how: Any) -> httpx.Response:
        return self.request("DELETE", url, **how)


@dataclass
class House:
    """Storage, clock and application. What the pipeline would do is done here by the same pure functions."""

    storage: Storage
    vault: Vault
    loop: asyncio.AbstractEventLoop
    now: datetime = NOON
    tick_age_s: float | None = 0.5
    tests_sent: list[str] = field(default_factory=list)
    channel_error: NotifyError | None = None
    lost_race: bool = False
    app: FastAPI = field(default_factory=the_app)
    deps: Deps = field(init=False)

    def __post_init__(self) -> None:
        self.app.dependency_overrides[handed] = lambda: self.deps
        self.deps = Deps(
            settings=SETTINGS,
            storage=self.storage,
            vault=self.vault,
            clock=lambda: self.now,
            scorer=Deaf(),
            change_incident=self.change_incident,
            test_channel=self.send_test,
            tick_age_s=lambda: self.tick_age_s,
        )

    def with_own_app(self) -> "House":
        """The same house behind an application that no other test knows, to add routes to."""
        return replace(self, app=make_app())

    # ── what the pipeline provides ───────────────────────────────────────────

    def change_incident(self, incident_id: str, action: IncidentAction, actor: str, reason: str) -> None:
        found = self.storage.incidents.get(incident_id)
        assert found is not None
        if self.lost_race:
            raise Conflict(f"incident {incident_id} is not at version {found.version} any more")
        if action == "acknowledge":
            change = incident.acknowledge(found, actor, self.now)
        else:
            change = incident.resolve(found, actor, reason, self.now)
        self.storage.incidents.save(IncidentSave(change, []), self.now)

    async def send_test(self, slug: str) -> None:
        if self.channel_error:
            raise self.channel_error
        self.tests_sent.append(slug)

    # ── callers ──────────────────────────────────────────────────────────────

    def key(self, role: Role = "admin", brands: tuple[str, ...] | None = None, **fields: Any) -> str:
        """A key's text."""
        made = api.new_key(fields.pop("name", f"{role} of the tests"), role, brands, self.now)
        self.storage.keys.create(replace(made.key, **fields), made.sha256)
        return made.text

    def anybody(self, **headers: str) -> Client:
        return Client(self.app, self.loop, headers)

    def caller(self, role: Role = "admin", brands: tuple[str, ...] | None = None) -> Client:
        return self.anybody(Authorization=f"Bearer {self.key(role, brands)}")

    def visitor(self, role: Role = "admin", brands: tuple[str, ...] | None = None, language: str = "en") -> Client:
        """A browser that has logged in."""
        browser = self.anybody(**{"Accept": "text/html", "Accept-Language": language, "Origin": "http://avizor.test"})
        answer = browser.post("/login", data={"key": self.key(role, brands)})
        assert answer.status_code == 303, answer.text
        return browser

    # ── what there is ────────────────────────────────────────────────────────

    def brand(self, slug: str, **fields: Any) -> Brand:
        made = {"name": slug.title(), "query": slug, "origin": "api"} | fields
        self.storage.apply([PutBrand(Brand(id=0, slug=slug, **made))], self.now)
        found = self.storage.brands.get(slug)
        assert found is not None
        return found

    def source(self, slug: str, **fields: Any) -> Source:
        usual = {"name": slug.title(), "kind": "rss", "url": f"https://{slug}.example/feed.xml", "origin": "api"}
        made = usual | fields
        self.storage.apply([PutSource(Source(id=0, slug=slug, **made))], self.now)
        found = self.storage.sources.get(slug)
        assert found is not None
        return found

    def channel(self, slug: str, **fields: Any) -> Channel:
        made = {"name": slug.title(), "kind": "slack", "secret": {"url": SLACK_URL}, "origin": "api"} | fields
        self.storage.apply([PutChannel(Channel(id=0, slug=slug, **made))], self.now)
        found = self.storage.channels.get(slug)
        assert found is not None
        return found

    def hear(self, source: Source, *items: CollectedPost, rejects: tuple[Reject, ...] = ()) -> None:
        """A visit of a source brings these home."""
        self.storage.sources.poll_now(source.slug, self.now)
        claimed = self.storage.sources.claim_due(self.now, 100, "tests", 60, 100)
        assert source.slug in [s.slug for s in claimed]
        for one in claimed:
            mine = one.slug == source.slug
            batch = CollectBatch(
                source_id=one.id,
                owner="tests",
                items=items if mine else (),
                rejects=rejects if mine else (),
                cursor={},
                etag=None,
                last_modified=None,
                body_hash=None,
                next_due_at=self.now + timedelta(minutes=15),
                adaptive_interval_s=None,
            )
            self.storage.posts.store(batch, self.now)

    def takes_back(self, source: Source, *keys: str) -> None:
        """Its authors delete these posts, and the source says so."""
        self.storage.sources.poll_now(source.slug, self.now)
        (one,) = (s for s in self.storage.sources.claim_due(self.now, 100, "tests", 60, 100) if s.slug == source.slug)
        due = self.now + timedelta(minutes=15)
        gone = [digest(key) for key in keys]
        batch = CollectBatch(one.id, "tests", (), (), {}, None, None, None, due, None, gone=gone)
        self.storage.posts.store(batch, self.now)

    def item(
        self,
        key: str,
        tones: Mapping[Brand, Label],
        *,
        age: timedelta = timedelta(),
        text: str = "",
        title: str | None = None,
        backfill: bool = False,
        story: str | None = None,
        evidence: tuple[Evidence, ...] = (),
        heard: Mapping[str, Any] | None = None,
        **post: Any,
    ) -> CollectedPost:
        """`heard` are fields of the sentiment that are other than usual."""
        at = self.now - age
        about = {"url": f"https://news.example/{key}", "author": "Ana"} | post
        return CollectedPost(
            dedupe_key=digest(key),
            post=Post(id=key, title=key if title is None else title, text=text, published_at=at, **about),
            site="news.example",
            language="en",
            published_at=at,
            claimed_at=at,
            text_hash=digest(story or f"story of {key}"),
            backfill=backfill,
            sentiments={
                brand.id: replace(
                    Sentiment(label, SCORES[label], "test/1", "en", 0.9, CHANCES[label], evidence), **heard or {}
                )
                for brand, label in tones.items()
            },
        )

    def mention(self, title: str, brand: str = "aurora") -> Mention:
        """The brand's mention with this title, as it is stored now."""
        (found,) = [m for m in self.storage.mentions.page(MentionFilter(brands=(brand,))) if m.title == title]
        return found

    def judge(
        self, brand: Brand, through: datetime | None = None, *, fresh: int = 1, total: int = 1, **numbers: Any
    ) -> Spike:
        """A verdict on the brand's last 30 minutes, as the watch walk writes it."""
        through = through or self.now
        verdict = spike(through, **numbers)
        rows = [CoverageRow(through - timedelta(seconds=300 * (i + 1)), fresh, total) for i in range(12)]
        self.storage.watches.save(Judged(brand.id, through, to_mapping(verdict), rows), self.now)
        return verdict

    def crisis(
        self, brand: Brand, channels: tuple[Channel, ...] = (), texts: tuple[str, ...] = ("Terrible.",)
    ) -> Incident:
        """An open incident with its dossier, and a delivery to each channel."""
        verdict = spike(self.now, verdict="critical", reason="negative_spike", observed=14, expected=1.3, score=9.4)
        change = incident.advance(brand.id, None, verdict, self.now, Dial(), f"incident-of-{brand.slug}")
        assert change is not None
        exhibits = [
            Exhibit(text[:40], text, "https://news.example/x", "news", "Ana", self.now, "en", -0.7, ("terrible",), 2)
            for text in texts
        ]
        change = dossier.attach(change, dossier.build(verdict, exhibits))
        deliveries = [
            NewDelivery(f"{change.incident.id}.1.{c.slug}", c.id, "trigger", {}, change.incident.id, 1)
            for c in channels
        ]
        self.storage.incidents.save(IncidentSave(change, deliveries), self.now)
        return change.incident

    def kill_delivery(self, key: str, error: str = "http_404: The channel is gone.") -> int:
        """The delivery with this key fails for good. Returns its id."""
        for delivery in self.storage.deliveries.claim(self.now, 100, "tests", 30):
            if delivery.key == key:
                self.storage.deliveries.finish(delivery.id, "tests", Outcome("dead", 120, error=error), self.now)
                return delivery.id
        raise AssertionError(f"there is no delivery {key} to claim")


def open_house(database_url: str, loop: asyncio.AbstractEventLoop) -> House:
    vault = Vault([Fernet.generate_key().decode()])
    return House(open_storage(database_url, vault), vault, loop)


def digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def spike(through: datetime, **numbers: Any) -> Spike:
    usual: dict[str, Any] = {
        "rule": "test/1",
        "verdict": "calm",
        "reason": "usual",
        "window_start": through - timedelta(minutes=30),
        "window_end": through,
        "observed": 2,
        "total": 9,
        "unknown": 1,
        "expected": 1.3,
        "probability": 0.4,
        "score": 0.4,
        "share": 0.22,
        "usual_share": 0.2,
        "coverage": 1.0,
        "minimum": 5,
        "threshold": 4.0,
    }
    return Spike(**usual | numbers)
