"""How much of a request is read at all: what is too large is refused before anybody parses it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import DETAILS, Problem, problem_response

LARGEST_BODY = 1024 * 1024
"""Bytes."""
LARGEST_PUSH = 5 * 1024 * 1024
"""Of what a hub pushes: a whole feed, as large as one that is fetched. It is read as it comes, and never kept."""
PUSHES = "/api/v1/websub/"
NUL = "The address holds a NUL character (%00). Nothing here has one in its name: PostgreSQL keeps none."


class BodyLimit:
    """ASGI middleware. The framework's own limit (`max_body_size`) answers in plain text; this one with a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif holds_nul(scope):
            await problem_response(Problem(400, "bad_request", NUL))(scope, receive, send)
        elif announced(scope) > (largest := largest_body(scope)):
            await problem_response(too_large())(scope, receive, send)
        else:
            await self.app(scope, counted(receive, largest), send)


def largest_body(scope: Scope) -> int:
    return LARGEST_PUSH if scope["path"].startswith(PUSHES) else LARGEST_BODY


def holds_nul(scope: Scope) -> bool:
    return "\0" in scope["path"] or b"%00" in scope["query_string"]


def announced(scope: Scope) -> int:
    """What Content-Length says; 0 where it says nothing that can be meant (the server refuses those)."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def counted(receive: Receive, largest: int) -> Receive:
    """Receives until it is too much, whatever was announced."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > largest:
            raise too_large()
        return message

    return receive_some


def too_large() -> Problem:
    return Problem(413, "too_large", DETAILS[413])
