"""The signed webhook: what it says, how it is signed, what it does when refused."""

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from alerts import NOTIFIERS
from alerts.base import Action, Alert, Channel, NotifyError
from alerts.dossier import build
from tests.alerts.crisis import EXHIBITS, alert, channel, fixed_spike
from tests.fakes.slack import Answer, SlackServer

WEBHOOK = NOTIFIERS["webhook"]
SECRET = channel("webhook").secret["secret"]
OLD = "whsec_" + b64encode(b"o" * 32).decode()


def send(one: Alert, *script: int | Answer, now: datetime | None = None, secret: str = SECRET) -> tuple[Any, Any]:
    """Send once; the request that was received, and the error."""

    async def run() -> tuple[Any, Any]:
        async with SlackServer(strict=False) as server, httpx.AsyncClient() as http:
            server.answers(*script)
            to = channel("webhook", server.url)
            to = replace(to, secret={**to.secret, "secret": secret})
            error = None
            try:
                await WEBHOOK.send(to, one, WEBHOOK.render(one), http, now or datetime.now(UTC))
            except NotifyError as raised:
                error = raised
            return server.received[0], error

    return asyncio.run(run())


def test_a_receiver_can_verify_it() -> None:
    request, error = send(alert())
    assert error is None
    assert Verifier(SECRET).verify(request.body, request.headers)["type"] == "incident.opened"
    assert request.headers["webhook-id"] == "inc-7f3a.1.guardia"


@pytest.mark.parametrize("spoil", ["body", "webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_receiver_notices_any_change(spoil: str) -> None:
    """The control of the test above: what was signed is the id, the time and every byte."""
    request, _ = send(alert())
    headers = {**request.headers}
    if spoil == "webhook-timestamp":
        headers[spoil] = str(int(headers[spoil]) + 1)
    elif spoil == "webhook-signature":
        headers[spoil] = "v1," + b64encode(b"x" * 32).decode()
    elif spoil == "webhook-id":
        headers[spoil] += "x"
    body = request.body.replace(b"critical", b"warning_") if spoil == "body" else request.body
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body, headers)


def test_every_try_has_the_same_id_and_body_and_its_own_time() -> None:
    first_time = datetime.now(UTC)
    first, _ = send(alert(), now=first_time)
    again, _ = send(alert(repeat=True), now=first_time + timedelta(seconds=90))
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    assert int(again.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 90


def test_both_secrets_sign_while_one_is_replaced() -> None:
    request, _ = send(alert(), secret=f"{SECRET} {OLD}")
    for secret in (SECRET, OLD):
        Verifier(secret).verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("trigger", "incident.opened"),
        ("escalate", "incident.escalated"),
        ("acknowledge", "incident.acknowledged"),
        ("resolve", "incident.resolved"),
    ],
)
def test_it_says_what_happened_to_the_incident(action: Action, kind: str) -> None:
    event = json.loads(WEBHOOK.render(alert(action)))
    assert event["type"] == kind
    assert event["timestamp"].endswith("Z")
    data = event["data"]
    assert (data["incident_id"], data["brand"], data["severity"]) == ("inc-7f3a", "garza", "critical")
    assert data["dossier"]["spike"]["observed"] == 12
    assert data["text"].startswith("Garza: ")


def test_it_carries_the_whole_proof() -> None:
    data = json.loads(WEBHOOK.render(alert()))["data"]["dossier"]
    assert data["cause"] == "negative"
    assert data["excluded"] == {"same_author": 3, "new_source": 2}
    assert data["terms"][0] == {"word": "estafa", "here": 9, "usual": 0.02, "weight": 31.5}
    assert (data["first"]["author"], data["first"]["published_at"]) == ("marisa_v", "2026-11-15T02:01:00Z")
    assert (data["authors"], data["sites"], data["spread"]) == (11, 4, 3)
    assert data["policy"]["false_warnings_per_month"] == 1.0
    assert data["spike"]["band"] == [0.0, 4.0]


def test_a_notice_says_what_it_is() -> None:
    event = json.loads(WEBHOOK.render(alert("trigger", "en", "spread")))
    assert (event["type"], event["data"]["severity"]) == ("incident.opened", "notice")
    assert event["data"]["dossier"]["cause"] == "spread:88"
    assert event["data"]["text"].startswith("Garza: NOTE, wide spread: one text on 40 sites.")


def test_tests_and_system_alarms_have_their_own_type() -> None:
    test = Alert("t.1", "test", "", datetime.now(UTC), "en")
    system = Alert("s.1", "system", "", datetime.now(UTC), "en", message="The disk is full.")
    assert json.loads(WEBHOOK.render(test))["type"] == "channel.test"
    event = json.loads(WEBHOOK.render(system))
    assert (event["type"], event["data"]["message"]) == ("system.alarm", "The disk is full.")


def test_the_body_stays_below_twenty_kilobytes() -> None:
    long = replace(EXHIBITS[0], text="ñ" * 900, title="¡" * 290)
    body = WEBHOOK.render(alert(dossier=build(fixed_spike(), [long] * 10)))
    assert len(body) <= 20_000
    assert 1 <= len(json.loads(body)["data"]["dossier"]["exhibits"]) < 10


def test_a_receiver_that_is_gone_is_switched_off() -> None:
    _, gone = send(alert(), 410)
    _, missing = send(alert(), 404)
    assert (gone.permanent, gone.disable) == (True, True)
    assert (missing.permanent, missing.disable) == (True, False)


def test_a_receiver_in_trouble_is_tried_again() -> None:
    _, error = send(alert(), Answer(503, b"", {"Retry-After": "20"}))
    assert (error.permanent, error.retry_after_s) == (False, 20)


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ({}, "needs its address"),
        ({"url": "mailto:a@b.example", "secret": SECRET}, "not an http"),
        ({"url": "https://r.example/"}, "needs a signing secret"),
        ({"url": "https://r.example/", "secret": "hunter2hunter2"}, "starts with whsec_"),
        ({"url": "https://r.example/", "secret": "whsec_hunter2 hunter2"}, "base64"),
        ({"url": "https://r.example/", "secret": "whsec_aHVudGVyMg=="}, "has 7 bytes"),
    ],
)
def test_a_channel_that_cannot_work_is_refused_without_telling_its_secret(
    secret: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        WEBHOOK.check(Channel(1, "crm", "CRM", "webhook", secret=secret))
    assert "hunter2" not in str(refusal.value)
    assert "aHVudGVyMg" not in str(refusal.value)


def test_a_channel_that_can_work_is_not_refused() -> None:
    WEBHOOK.check(channel("webhook"))
    WEBHOOK.check(channel("webhook", secret={"url": "http://10.0.0.1/", "secret": f"{SECRET} {OLD}"}))
