"""Nothing of a mention runs: what others write is text, wherever a page shows it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module

import pytest
from jinja2 import Environment

from app.model import Evidence, MentionFilter
from app.web.render import environment
from collectors.base import Reject
from tests.app.api.house import House

RUNNING = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</textarea><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{display:none}</style>",
    "\u202e<b>evil</b>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
HOSTILE = tuple(
    Evidence(start, end, "<script>alert(1)</script>", -3.0) for start, end in ((-1, 5), (0, 10**9), (7, 3), (0, 25))
)
"""Evidence that says of the text what is not there."""
LINKS = [
    "javascript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    " javascript:alert(1)",
]


class Dangers(HTMLParser):
    """What of a page could run, load or lead astray."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "img", "object", "embed", "style", "base", "textarea", "b"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc", "src"):
                self.found.append(f"{tag} {name}")
            if name in ("href", "action") and not (value or "").startswith(("/", "#", "?", "http://", "https://")):
                self.found.append(f"{tag} {name}={value}")
            if (
                name == "href"
                and (value or "").startswith("http")
                and ("rel", "noopener noreferrer nofollow") not in attrs
            ):
                self.found.append(f"a link without rel: {value}")


@pytest.fixture
def infested(house: House) -> House:
    """Every field that others write holds something that would run."""
    everything = " ".join(RUNNING)
    brand = house.brand("aurora", name=everything, query=everything)
    channel = house.channel("guardia", name=everything)
    source = house.source("diario", name=everything, url="https://diario.example/x")
    texts = [
        house.item(
            f"k{i}",
            {brand: "negative"},
            title=nasty,
            text=nasty,
            author=nasty,
            url=[*LINKS, f"https://ok.example/{nasty}"][i % (len(LINKS) + 1)],
            evidence=(*HOSTILE, Evidence(0, 3, nasty[:3], -1.0), Evidence(3, 6, nasty[3:6], 1.0)),
            heard={"scorer": nasty, "components": {"fast": 0.9, nasty: -0.9}, "probabilities": (0.4, 0.35, 0.25)},
        )
        for i, nasty in enumerate(RUNNING)
    ]
    house.hear(source, *texts, rejects=(Reject(everything, everything),))
    for mention in house.storage.mentions.page(MentionFilter(brands=("aurora",)))[:2]:
        house.storage.mentions.correct("aurora", mention.post_id, "negative", everything, everything, house.now)
    house.judge(brand, reason=everything)
    incident = house.crisis(brand, (channel,), texts=tuple(RUNNING))
    house.kill_delivery(f"{incident.id}.1.guardia", error=everything)
    house.change_incident(incident.id, "acknowledge", everything, "")
    return house


def pages(house: House) -> Iterator[str]:
    visitor = house.visitor("admin")
    for url in (
        "/",
        "/brands/aurora",
        "/brands/aurora?show=uncertain",
        "/brands/aurora?show=corrected",
        "/brands/aurora?show=uncertain&source=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/incidents/incident-of-aurora",
        "/brands/aurora?text=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/login?next=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/brands/aurora?range=%3Cscript%3Ealert(1)%3C/script%3E",
    ):
        yield visitor.get(url).text


def test_nothing_that_others_wrote_runs(infested: House) -> None:
    for html in pages(infested):
        assert Dangers(html).found == []


def test_the_check_above_sees_what_would_run_without_escaping(infested: House, monkeypatch: pytest.MonkeyPatch) -> None:
    careless: Environment = environment().overlay(autoescape=False, cache_size=0)
    monkeypatch.setattr(import_module("app.web.render"), "environment", lambda: careless)
    found = [danger for html in pages(infested) for danger in Dangers(html).found]
    assert {"<script>", "<img>", "<iframe>", "<style>", "img onerror", "svg onload"} <= set(found)


def test_what_others_wrote_is_shown_as_they_wrote_it(infested: House) -> None:
    html = infested.visitor().get("/").text
    assert "&lt;iframe src=javascript:alert(1)&gt;" in html
    assert "{{ 7 * 7 }}" in re.sub("</?mark[^>]*>", "", html)


def test_only_web_addresses_are_linked(infested: House) -> None:
    html = infested.visitor().get("/brands/aurora").text
    assert 'href="https://ok.example/' in html
    assert 'href="javascript' not in html.lower()
    assert 'href=" javascript' not in html.lower()


def test_no_template_marks_anything_as_safe() -> None:
    made = environment()
    assert made.autoescape is True
    for name in made.list_templates():
        source, _, _ = made.loader.get_source(made, name)  # type: ignore[union-attr]
        assert "|safe" not in source.replace(" ", "")
        assert "autoescape false" not in source
        assert "<script" not in source
        assert "style=" not in source
