"""A hub on loopback, as https://www.w3.org/TR/websub/ has it: asked over real HTTP, it verifies and pushes."""

import hmac
import secrets
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.app.api.house import Client
from tests.app.pipeline.far_end import Answer, Asked, FarEnd


class Hub:
    """`forms` are what it was asked with, the newest last; `subscribers` are the callbacks that agreed."""

    def __init__(self, far_end: FarEnd, path: str = "/hub") -> None:
        self.url = far_end.url(path)
        self.answer = Answer(202)
        self.forms: list[dict[str, str]] = []
        self.media_types: set[str] = set()
        self.subscribers: dict[str, dict[str, str]] = {}
        far_end.answers[path] = self._asked

    def _asked(self, asked: Asked) -> Answer:
        assert asked.method == "POST"
        self.media_types.add(asked.headers["content-type"])
        self.forms.append(dict(parse_qsl(asked.body.decode(), strict_parsing=True)))
        return self.answer

    def verify(self, client: Client, **changed: str) -> httpx.Response:
        """Ask whether its last form was meant; `changed` are parameters that it asks with instead (`topic=...`)."""
        form = self.forms[-1]
        question = {
            "hub.mode": form["hub.mode"],
            "hub.topic": form["hub.topic"],
            "hub.challenge": secrets.token_urlsafe(24),
            "hub.lease_seconds": form.get("hub.lease_seconds", ""),
        } | {f"hub.{name}": value for name, value in changed.items()}
        answer = client.get(form["hub.callback"], params=question)
        if answer.status_code == 200 and answer.text == question["hub.challenge"]:
            if question["hub.mode"] == "subscribe":
                self.subscribers[form["hub.callback"]] = form
            else:
                self.subscribers.pop(form["hub.callback"], None)
        return answer

    def push(self, client: Client, body: bytes, *, method: str = "sha256", **headers: str) -> httpx.Response:
        """To its newest subscriber; one that answers 410 is a subscriber no more."""
        callback, form = list(self.subscribers.items())[-1]
        signature = f"{method}={sign(form['hub.secret'], body, method)}"
        links = f'<{self.url}>; rel="hub", <{form["hub.topic"]}>; rel="self"'
        usual = {"Content-Type": "application/rss+xml", "Link": links, "X-Hub-Signature": signature}
        answer = client.post(callback, content=body, headers=usual | headers)
        if answer.status_code == 410:
            del self.subscribers[callback]
        return answer


def sign(secret: str, body: bytes, method: str = "sha256") -> str:
    made: Any = hmac.new(secret.encode(), body, method)
    return str(made.hexdigest())
