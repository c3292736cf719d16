"""Slack messages: compared letter by letter with what they should be, held against Slack's rules, and attacked.

`python -m tests.alerts.test_slack` writes the expected messages in `data/` anew; read the difference before keeping it.
"""

import asyncio
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import NOTIFIERS, slack
from alerts.base import Action, Alert, Channel, Dossier, Exhibit, NotifyError, Term
from alerts.slack import clean, quoted
from tests.alerts.crisis import EXHIBITS, FIRST, alert, channel
from tests.fakes.slack import HANG, Answer, SlackServer, entities, refusal, texts

SLACK = NOTIFIERS["slack"]
DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 15, 2, 31, tzinfo=UTC)

SAMPLES: dict[str, Alert] = {
    **{
        f"{action}.{language}": alert(action, language)
        for action in ("trigger", "escalate", "acknowledge", "resolve")
        for language in ("es", "en")
    },
    **{
        f"{about}.{language}": alert("trigger", language, about)
        for about in ("second", "surge", "grave", "spread", "silence")
        for language in ("es", "en")
    },
    "repeat.es": alert(repeat=True),
    "test.es": Alert("t.1", "test", "", NOW, "es", url="https://avizor.example"),
    "system.en": Alert("s.1", "system", "", NOW, "en", message="Nothing was delivered to <Guardia> for 2 h."),
}


def rendered(one: Alert) -> Any:
    return json.loads(SLACK.render(one))


def send(one: Alert, *script: int | Answer) -> tuple[SlackServer, NotifyError | None]:
    """Send once to a strict receiver; what it saw, and how it ended."""

    async def run() -> tuple[SlackServer, NotifyError | None]:
        async with SlackServer() as server, httpx.AsyncClient() as http:
            server.answers(*script)
            try:
                await SLACK.send(channel(url=server.url), one, SLACK.render(one), http, NOW)
            except NotifyError as error:
                return server, error
            return server, None

    return asyncio.run(run())


# ── what it says ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SAMPLES)
def test_the_message_is_the_expected_one(name: str) -> None:
    expected = json.loads((DATA / f"slack.{name}.json").read_text(encoding="utf-8"))
    assert rendered(SAMPLES[name]) == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_slack_accepts_the_message(name: str) -> None:
    server, error = send(SAMPLES[name])
    assert error is None
    assert len(server.messages) == 1
    assert server.shouts == []


def test_a_locked_phone_says_enough() -> None:
    assert rendered(alert())["text"] == (
        "Garza: CRÍTICO, pico de menciones negativas desde el 15 nov, 3:00. "
        "12 menciones negativas en 30 minutos (15 nov, 3:00–3:30, Madrid)."
    )


@pytest.mark.parametrize("about", ["spread", "silence"])
def test_a_notice_is_one_short_message(about: str) -> None:
    notice, alarm = rendered(alert(about=about)), rendered(alert())
    assert [block for block in notice["blocks"] if "fields" in block or block["type"] == "divider"] == []
    assert len(notice["blocks"]) <= 5
    assert length(notice) < length(alarm) / 2


def test_more_figures_than_a_section_holds_go_into_two() -> None:
    sections = [block["fields"] for block in rendered(alert())["blocks"] if "fields" in block]
    assert [len(fields) for fields in sections] == [10, 3]


def test_nothing_is_previewed() -> None:
    message = rendered(alert())
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


def test_the_only_links_are_the_mentions_and_the_incident() -> None:
    links = list(entities(rendered(alert())))
    assert [link.split("|")[0] for link in links] == [
        "https://foro.example/hilo/81?p=2&amp;o=1",
        "https://diario.example/garza-pedidos",
        "https://avizor.example/incidents/inc-7f3a",
    ]


def test_the_same_alert_gives_the_same_bytes() -> None:
    assert SLACK.render(alert()) == SLACK.render(alert())


# ── what strangers write ─────────────────────────────────────────────────────

ATTACKS = {
    "a call to everybody": "<!channel> <!here> <!everyone> mira esto",
    "a call to a person": "<@U024BE7LH> <#C024BE7LR|general> <!subteam^S123|@todos>",
    "a false link": "<https://evil.example/login|Abrir el incidente>",
    "half a link": "hola > <https://evil.example",
    "an address": "entra en https://evil.example/login o escribe a a@evil.example",
    "escapes of its own": "&lt;!channel&gt; &amp;lt;!here&amp;gt;",
    "formatting": "*Incidente resuelto* _todo bien_ ~nada~ `rm -rf` ```bloque",
    "lines": "uno\n\n>cita falsa\n*Gravedad* baja\r\n\u2028otra",
    "reversed writing": "total \u202e0001\u202c euros \u2066x\u2069 \u200f",
    "unseen characters": "ga\u200brza \ufeff\u00ad\U000e0041\U000e0042 \x00\x07\x1b[31m",
    "half a character": "roto \ud83d fin",
    "nothing": " \n\t\u200b ",
}


def attacked(text: str) -> Alert:
    """An alert in which every word of a stranger, and of the brand, is this text."""
    base = alert()
    assert base.dossier is not None
    mention = Exhibit(
        title=text + ".",
        text=text,
        url="https://foro.example/?q=" + text,
        source=text,
        author=text,
        published_at=EXHIBITS[0].published_at,
        language=text,
        score=None,
        evidence=(text, text),
        copies=2,
    )
    dossier = replace(
        base.dossier,
        exhibits=(mention,) * 5,
        by_source={text: 3},
        by_language={text: 1},
        terms=(Term(text, 4, 0.1, 9.0),) * 5,
        first=replace(FIRST, source=text, site=text, author=text),
        events=(text,),
        policy={"name": text, "false_warnings_per_month": 1.0},
    )
    return replace(base, dossier=dossier, brand_name=text, reason=text, actor=text)


@pytest.mark.parametrize("about", ["negative:{}", "grave:{}"])
@pytest.mark.parametrize("name", ATTACKS)
def test_the_name_of_a_crisis_cannot_shout_link_or_format(name: str, about: str) -> None:
    base = attacked(ATTACKS[name])
    assert base.dossier is not None
    spike = {**base.dossier.spike, "subject": ATTACKS[name]}
    dossier = replace(base.dossier, cause=about.format(ATTACKS[name]), spike=spike)
    for action in ("trigger", "resolve"):
        message = rendered(replace(base, action=action, dossier=dossier))
        assert refusal(json.dumps(message).encode()) == ""
        assert [link.split("|")[0] for link in entities(message)] == ["https://avizor.example/incidents/inc-7f3a"]
        assert not re.search("<[!@#]", json.dumps(message))


@pytest.mark.parametrize("action", ["trigger", "escalate", "acknowledge", "resolve"])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_mention_cannot_shout_link_or_format(name: str, action: Action) -> None:
    message = rendered(replace(attacked(ATTACKS[name]), action=action))
    assert refusal(json.dumps(message).encode()) == ""
    assert [link.split("|")[0] for link in entities(message)] == ["https://avizor.example/incidents/inc-7f3a"]
    for text in [message["text"], *(text for block in message["blocks"] for text in texts(block))]:
        assert not re.search("<[!@#]", text)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ud800-\udfff]", text)
    assert json.dumps(message).count('"mrkdwn"') == json.dumps(message).count('"verbatim": true')


def test_the_fake_hears_a_shout() -> None:
    """The control of the test above: the same words, not escaped, would call the whole channel and link away."""
    message = rendered(alert())
    message["blocks"][1]["text"]["text"] = ATTACKS["a call to everybody"] + ATTACKS["a false link"]
    found = list(entities(message))
    assert {"!channel", "!here", "!everyone", "https://evil.example/login|Abrir el incidente"} <= set(found)


def test_formatting_marks_of_strangers_do_not_format() -> None:
    """Slack formats where a mark stands between a boundary and a letter; a zero-width space takes the letter away."""
    marks = re.findall(r"(?s)(.)([*_~`])(.)", " " + quoted("*a* _b_ ~c~ `d`", 200) + " ")
    assert len(marks) == 8
    assert all((before, after) == ("\u200b", "\u200b") for before, _, after in marks)


def test_escapes_are_never_cut_in_two() -> None:
    for limit in range(2, 40):
        text = quoted("<&>" * 30, limit)
        assert len(text) <= limit
        assert re.fullmatch(r"(&lt;|&amp;|&gt;)*…", text)


def test_emoji_and_accents_are_kept() -> None:
    assert clean("¡Qué mal! 👩‍👩‍👧 ñandú", 100) == "¡Qué mal! 👩‍👩‍👧 ñandú"


def test_a_text_of_ten_megabytes_costs_nothing() -> None:
    huge = attacked("&<*" * 3_500_000)
    began = time.process_time()
    body = SLACK.render(huge)
    assert time.process_time() - began < 0.5
    assert refusal(body) == ""
    assert len(json.loads(body)["blocks"]) > 5


def test_a_message_that_grows_too_long_loses_mentions_first(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = attacked("& " * 500)
    assert wide.dossier is not None
    mention = replace(wide.dossier.exhibits[0], url="https://foro.example/" + "x" * 950)
    long = replace(wide, dossier=replace(wide.dossier, exhibits=(mention,) * 5))
    assert length(rendered(long)) <= slack.MAX_MESSAGE
    monkeypatch.setattr(slack, "MAX_MESSAGE", 11_000)
    message = rendered(long)
    assert length(message) <= 11_000
    assert sum("foro.example" in link for link in entities(message)) == 3
    assert any("incidents" in link for link in entities(message))


def length(message: Any) -> int:
    return sum(len(text) for block in message["blocks"] for text in texts(block))


@settings(max_examples=60)
@given(st.text(max_size=600), st.sampled_from(["trigger", "escalate", "acknowledge", "resolve", "test", "system"]))
def test_slack_accepts_whatever_people_write(text: str, action: Action) -> None:
    one = replace(attacked(text), action=action, message=text, url="https://avizor.example/" + text)
    assert refusal(SLACK.render(one)) == ""


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://u:p@evil.example/", "https://a.example/|x>", "x" * 9000]
)
def test_an_address_cannot_close_its_link(url: str) -> None:
    base = alert()
    assert isinstance(base.dossier, Dossier)
    message = rendered(replace(base, dossier=replace(base.dossier, exhibits=(replace(EXHIBITS[0], url=url),))))
    links = [link for link in entities(message) if "incidents" not in link]
    assert links in ([], ["https://a.example/%7Cx%3E|foro-compras · 15 nov, 3:11"])


def test_an_address_in_letters_of_its_own_still_leads_there() -> None:
    base = alert()
    assert base.dossier is not None
    one = replace(EXHIBITS[0], url="https://compañía.example/año?q=sí")
    message = rendered(replace(base, dossier=replace(base.dossier, exhibits=(one,))))
    assert "https://xn--compaa-7va5a.example/a%C3%B1o?q=s%C3%AD" in next(entities(message))


# ── how it ends ──────────────────────────────────────────────────────────────


def test_a_message_that_slack_cannot_read_is_said_again_in_plain_text() -> None:
    server, error = send(alert(), Answer(400, b"invalid_blocks"))
    assert error is None
    assert [request.status for request in server.received] == [400, 200]
    assert set(server.messages[0]) == {"text", "unfurl_links", "unfurl_media"}
    assert "12 menciones negativas" in server.messages[0]["text"]
    assert "https://avizor.example/incidents/inc-7f3a" in server.messages[0]["text"]


def test_the_plain_text_repeats_no_strangers_words() -> None:
    server, _ = send(alert(), Answer(400, b"invalid_payload"))
    assert "estafa" in json.dumps(server.received[0].json)
    assert "estafa" not in json.dumps(server.received[1].json)


def test_a_plain_text_that_fails_too_is_final() -> None:
    server, error = send(alert(), 400, Answer(400, b"no_text"))
    assert error is not None
    assert (error.code, error.permanent, error.disable) == ("http_400", True, False)
    assert str(error) == "Slack says no_text"
    assert len(server.received) == 2


def test_a_plain_text_that_comes_at_a_bad_time_is_tried_again() -> None:
    _, error = send(alert(), 400, 503)
    assert error is not None
    assert error.permanent is False


@pytest.mark.parametrize(
    ("status", "word"), [(403, "action_prohibited"), (404, "no_service"), (410, "channel_is_archived")]
)
def test_a_webhook_that_is_gone_switches_the_channel_off(status: int, word: str) -> None:
    server, error = send(alert(), status)
    assert error is not None
    assert (error.permanent, error.disable) == (True, True)
    assert word in str(error)
    assert len(server.received) == 1


def test_slack_asking_for_patience_gets_it() -> None:
    _, error = send(alert(), Answer(429, b"rate_limited", {"Retry-After": "30"}))
    assert error is not None
    assert (error.permanent, error.retry_after_s) == (False, 30)


@pytest.mark.parametrize("body", [b"https://hooks.slack.com/services/T0/B0/hush", b"\xff\x00", b"x" * 9999])
def test_only_slacks_own_words_are_repeated(body: bytes) -> None:
    _, error = send(alert(), Answer(404, body))
    assert str(error) == (
        "Slack answered 404: trying again will not help: make a new webhook and configure its address"
    )


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ({}, "needs the webhook's address"),
        ({"url": "hunter2"}, "not an http"),
        ({"url": "file:///hunter2"}, "not an http"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(secret: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        SLACK.check(Channel(1, "guardia", "Guardia", "slack", secret=secret))
    assert "hunter2" not in str(refused.value)


def test_a_channel_that_can_work_is_not_refused() -> None:
    SLACK.check(channel(url="https://hooks.slack.com/services/T0/B0/x"))
    SLACK.check(channel(url="http://127.0.0.1:9/x"))


# ── the fake itself ──────────────────────────────────────────────────────────


def too_long() -> dict[str, Any]:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}
    return {"text": "x", "blocks": [section] * 5}


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({}, "no_text"),
        ([], "invalid_payload"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "poem"}]}, "invalid_blocks"),
        (too_long(), "msg_blocks_too_long"),
        ({"text": "hola"}, ""),
    ],
)
def test_the_fake_keeps_slacks_rules(message: Any, word: str) -> None:
    assert refusal(json.dumps(message).encode()) == word


def test_the_fake_can_fall_silent_and_recover() -> None:
    async def run() -> list[int]:
        async with SlackServer() as server, httpx.AsyncClient(timeout=0.1) as http:
            server.answers(HANG, 500)
            with pytest.raises(httpx.ReadTimeout):
                await http.post(server.url, json={"text": "uno"})
            statuses = [(await http.post(server.url, json={"text": "dos"})).status_code for _ in range(2)]
            return [*statuses, (await http.get(server.url)).status_code]

    assert asyncio.run(run()) == [500, 200, 404]


if __name__ == "__main__":
    for sample, one in SAMPLES.items():
        (DATA / f"slack.{sample}.json").write_text(
            json.dumps(rendered(one), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
