"""Channel kind `webhook`: any HTTP endpoint, signed as Standard Webhooks asks.

    Alert -> render -> {"type", "timestamp", "data"} -> webhook-id, webhook-timestamp, webhook-signature -> POST

Wire format: standard-webhooks/standard-webhooks, spec/standard-webhooks.md. `webhook-id` is the delivery's key, the
same on every try: a receiver that remembers ids sees each change once. The timestamp is that of the attempt. A
receiver that answers 410 is gone for good.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook as Signer

from alerts import prose
from alerts.base import Action, Alert, Channel, NotifyError
from alerts.dossier import to_json
from alerts.post import Refused, is_web_address, post

TYPES: Mapping[Action, str] = {
    "trigger": "incident.opened",
    "escalate": "incident.escalated",
    "acknowledge": "incident.acknowledged",
    "resolve": "incident.resolved",
    "test": "channel.test",
    "system": "system.alarm",
}
# The specification asks for bodies around 20 kB at most: mentions are left out from the last one on.
MAX_BODY = 20_000
MIN_SECRET, MAX_SECRET = 24, 64

# What belongs to the delivery and not to the event: it would differ between tries.
_OF_THE_DELIVERY = ("key", "action", "repeat")


class Webhook:
    """`Notifier` for signed webhooks. The channel's secret holds `url` and `secret` (`whsec_...`; two in rotation)."""

    kind = "webhook"

    def check(self, channel: Channel) -> None:
        """Raise `ValueError` in words if the address or the signing secret cannot work. The text holds neither."""
        url = channel.secret.get("url", "")
        if not url:
            raise ValueError(f"channel {channel.slug}: a webhook channel needs its address as secret `url`")
        if not is_web_address(url):
            raise ValueError(f"channel {channel.slug}: secret `url` is not an http(s) address")
        secrets = channel.secret.get("secret", "").split()
        if not secrets:
            raise ValueError(f"channel {channel.slug}: a webhook channel needs a signing secret `secret` (whsec_...)")
        for secret in secrets:
            _check_secret(channel.slug, secret)

    def render(self, alert: Alert) -> bytes:
        """The event as JSON, at most 20,000 bytes where leaving out mentions can do it. The same on every try."""
        event = _event(alert)
        body = _json(event)
        exhibits = event["data"]["dossier"]["exhibits"] if event["data"]["dossier"] else []
        while exhibits and len(body) > MAX_BODY:
            exhibits.pop()
            body = _json(event)
        return body

    async def send(self, channel: Channel, alert: Alert, body: bytes, http: httpx.AsyncClient, now: datetime) -> None:
        """POST the body with its signature. 410 asks for the channel to be switched off."""
        try:
            await post(http, channel.secret["url"], body, _headers(channel, alert, body, now), now)
        except Refused as refused:
            if refused.status == 410:
                raise NotifyError(refused.code, "the receiver is gone (410)", permanent=True, disable=True) from None
            raise


def _event(alert: Alert) -> dict[str, Any]:
    data = {name: value for name, value in to_json(alert).items() if name not in _OF_THE_DELIVERY}
    text = " ".join([f"{prose.headline(alert)}.", *prose.facts(alert)])
    return {"type": TYPES[alert.action], "timestamp": _iso(alert.at), "data": {"text": text, **data}}


def _headers(channel: Channel, alert: Alert, body: bytes, now: datetime) -> dict[str, str]:
    """One signature per secret, so that a receiver may hold the old or the new one."""
    at = now.astimezone(UTC)
    signers = [Signer(secret) for secret in channel.secret["secret"].split()]
    return {
        "Content-Type": "application/json",
        "webhook-id": alert.key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signer.sign(alert.key, at, body.decode()) for signer in signers),
    }


def _check_secret(slug: str, secret: str) -> None:
    if not secret.startswith("whsec_"):
        raise ValueError(f"channel {slug}: the signing secret starts with whsec_")
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        raise ValueError(f"channel {slug}: the signing secret is not base64 after whsec_") from None
    if not MIN_SECRET <= size <= MAX_SECRET:
        raise ValueError(f"channel {slug}: the signing secret has {size} bytes, not {MIN_SECRET} to {MAX_SECRET}")


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _json(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
