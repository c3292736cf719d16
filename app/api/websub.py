"""What hubs are told and tell: WebSub, https://www.w3.org/TR/websub/, for machines and not in the schema.

    GET  a hub asks whether we meant it   -> is it our topic, and did we ask? its challenge, else 404
    POST a hub pushes                     -> 410 for an address that is nobody's | signed as agreed? its source is due

No key: a hub is known by the address that only it was given (256 random bits), and believed by its signature.

What is pushed is not read. It is hashed as it comes, at most 5 MiB of it, and if the signature is right the source is
asked within seconds, once a minute at most (`app.pipeline.subscribe` says why). A wrong signature is answered like a
right one, 202, as the specification demands (7.1): to whoever guesses, both look the same. So do a push that is sent
again and one that comes too soon.
"""

import hmac
import logging
import re
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from app.api.deps import Deps, Here
from app.api.limits import LARGEST_PUSH
from app.api.problems import Problem, not_found
from app.pipeline.subscribe import CALLBACKS, lease_of
from app.storage.subscriptions import Subscription
from collectors.text import one_line

log = logging.getLogger(__name__)
router = APIRouter(prefix=CALLBACKS, include_in_schema=False)

LONGEST_CHALLENGE = 1_024
LONGEST_REASON = 200
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SIGNATURE = re.compile(r"(sha1|sha256|sha384|sha512)=([0-9A-Fa-f]{40,128})")


@router.get("/{token}")
async def verify(deps: Here, token: str, request: Request) -> Response:
    """A hub asks whether a subscription is wanted, or says that it will not have it."""
    asked = request.query_params
    mode, topic = asked.get("hub.mode", ""), asked.get("hub.topic", "")
    subscription = await deps.call(find, deps, token)
    if subscription is None or topic != subscription.topic:
        raise not_found()
    if mode == "denied":
        await deps.call(deny, deps, subscription, one_line(asked.get("hub.reason", ""), LONGEST_REASON))
        return Response(status_code=204)
    challenge = asked.get("hub.challenge", "")
    if not 0 < len(challenge) <= LONGEST_CHALLENGE:
        raise not_found()
    if not await deps.call(agree, deps, subscription, mode, asked.get("hub.lease_seconds", ""), deps.clock()):
        raise not_found()
    return PlainTextResponse(challenge, headers={"Cache-Control": "no-store"})


@router.post("/{token}", max_body_size=LARGEST_PUSH)
async def push(deps: Here, token: str, request: Request) -> Response:
    """A hub says that there is something new."""
    subscription = await deps.call(find, deps, token)
    if subscription is None or subscription.state == "leaving":
        raise Problem(410, "gone", "Nobody listens here any more: end this subscription.")
    if await signed(request, subscription.secret) and not subscription.pending:
        await deps.call(deps.storage.subscriptions.pushed, subscription.source_id, deps.clock())
    return Response(status_code=202)


def find(deps: Deps, token: str) -> Subscription | None:
    """Blocking."""
    if not deps.settings.websub or not _TOKEN.fullmatch(token):
        return None
    return deps.storage.subscriptions.find(token)


def agree(deps: Deps, subscription: Subscription, mode: str, lease: str, now: datetime) -> bool:
    """Whether we want what the hub was asked for. Blocking.

    A lease counts as the answer to a question: a hub that verifies again by itself is told yes, and nothing changes; so
    whoever has seen an old verification cannot make us believe in a lease that nobody has given.
    """
    match mode:
        case "subscribe" if subscription.state in ("asked", "verified", "refused"):
            if subscription.tries:
                deps.storage.subscriptions.verify(subscription.source_id, *lease_of(lease, now))
            return True
        case "unsubscribe" if subscription.state == "leaving":
            deps.storage.subscriptions.forget(subscription.source_id)
            return True
        case _:
            return False


def deny(deps: Deps, subscription: Subscription, reason: str) -> None:
    """The hub will not have it. It is asked again as after any failure. Blocking."""
    log.warning("a hub refused a subscription: %s", reason or "it gave no reason")
    deps.storage.subscriptions.refuse(subscription.source_id, f"denied: {reason}".rstrip(": "), final=True)


async def signed(request: Request, secret: str) -> bool:
    """Whether the body is signed with the secret (8 of the specification): `X-Hub-Signature: sha256=<hexadecimal>`.

    Without a signature that could be right, the body is not read.
    """
    found = _SIGNATURE.fullmatch(request.headers.get("x-hub-signature", "").strip())
    if found is None:
        return False
    method, digest = found.groups()
    ours = hmac.new(secret.encode(), digestmod=method)
    async for part in request.stream():
        ours.update(part)
    return hmac.compare_digest(ours.hexdigest(), digest.lower())
