"""How much of a request is read at all: what is too large is refused before anybody parses it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import DETAILS, Problem, problem_response

LARGEST_BODY = 1024 * 1024
"""Bytes."""


class BodyLimit:
    """ASGI middleware. The framework's own limit (`max_body_size`) answers in plain text; this one with a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif announced(scope) > LARGEST_BODY:
            await problem_response(too_large())(scope, receive, send)
        else:
            await self.app(scope, counted(receive), send)


def announced(scope: Scope) -> int:
    """What Content-Length says; 0 where it says nothing that can be meant (the server refuses those)."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def counted(receive: Receive) -> Receive:
    """Receives until it is too much, whatever was announced."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > LARGEST_BODY:
            raise too_large()
        return message

    return receive_some


def too_large() -> Problem:
    return Problem(413, "too_large", DETAILS[413])
