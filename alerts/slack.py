"""Channel kind `slack`: an incoming webhook, written in Block Kit.

    Alert -> render -> {"text": the first line, "blocks": [header, facts, figures, mentions, link, small print]} -> POST
    a notice:                               [header, facts, one mention, link, small print]

Wire format: docs.slack.dev, "Sending messages using incoming webhooks" and "Block Kit". Mattermost and Rocket.Chat
take the same POST. What anybody on the internet wrote goes through `quoted` and cannot shout, link or format: `& < >`
are escaped (the only characters Slack's mrkdwn gives a meaning beyond formatting), control and bidirectional
characters dropped, formatting marks disarmed, automatic links switched off (`verbatim`), previews too
(`unfurl_links`), the length bounded.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from alerts import prose
from alerts.base import Alert, Channel, Exhibit, NotifyError
from alerts.post import Refused, is_web_address, post

# Slack's limits, in characters as sent, escapes included: header 150, section 3000, 10 fields of 2000, context 2000,
# 50 blocks. The sum is not documented; messages fail near 13,200 (`msg_blocks_too_long`, slackapi/bolt-js#2509).
MAX_HEADER, MAX_SECTION, MAX_CONTEXT, MAX_FIELDS, MAX_MESSAGE = 150, 3000, 2000, 10, 13_000
# Ours, well inside them: what a person reads at three in the morning.
SHOWN, TITLE, TEXT, NAME, LINK = 5, 150, 400, 60, 1000
FIRST_LINE, SENTENCE = 300, 700

_MARKS = {"notice": "🔵", "warning": "🟠", "critical": "🔴"}
_ACTION_MARKS = {"acknowledge": "👤", "resolve": "✅", "test": "🔔", "system": "⚠️"}

# What separates lines or controls a terminal becomes a space.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What is not seen goes: soft hyphens, zero-width marks (the joiners that emoji and some scripts need stay), marks
# that turn the direction of writing, tag characters, halves of a surrogate pair.
_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\ud800-\udfff]+"
)
_SPACES = re.compile(r"\s+")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A formatting mark works only between a boundary and a letter: a zero-width space on both sides takes that away.
_DISARMED = {mark: f"\u200b{mark}\u200b" for mark in "*_~`"}
_HEADER_BRACKETS = str.maketrans("<>", "‹›")

# Slack's own words for a refusal, safe to show. docs.slack.dev, "Handling errors" of incoming webhooks.
_ANSWERS = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_blocks",
        "invalid_payload",
        "invalid_token",
        "msg_blocks_too_long",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "no_text",
        "posting_to_general_channel_denied",
        "team_disabled",
        "too_many_attachments",
        "user_not_found",
    }
)
_NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}
_HEADERS = {"Content-Type": "application/json; charset=utf-8"}
# The second, plain try must fit into the delivery's lease (30 s) together with the first (15 s).
PLAIN_TIMEOUT_S = 10.0


class Slack:
    """`Notifier` for Slack incoming webhooks. The channel's secret holds `url`."""

    kind = "slack"

    def check(self, channel: Channel) -> None:
        """Raise `ValueError` in words if the address cannot be a webhook's. The text does not hold the address."""
        url = channel.secret.get("url", "")
        if not url:
            raise ValueError(f"channel {channel.slug}: a slack channel needs the webhook's address as secret `url`")
        if not is_web_address(url):
            raise ValueError(f"channel {channel.slug}: secret `url` is not an http(s) address")

    def render(self, alert: Alert) -> bytes:
        """The message as JSON. Every limit of Slack's is kept, however long the mentions and names are."""
        exhibits = alert.dossier.exhibits[: _shown(alert)] if alert.dossier else ()
        blocks = list(_blocks(alert, exhibits))
        while exhibits and sum(map(_length, blocks)) > MAX_MESSAGE:
            exhibits = exhibits[:-1]
            blocks = list(_blocks(alert, exhibits))
        return _json({"text": first_line(alert), "blocks": blocks, **_NO_PREVIEWS})

    async def send(self, channel: Channel, alert: Alert, body: bytes, http: httpx.AsyncClient, now: datetime) -> None:
        """POST the message. If it is not understood (400, 413), say it once in plain text: no block loses an alert."""
        url = channel.secret["url"]
        try:
            await post(http, url, body, _HEADERS, now)
        except Refused as refused:
            if refused.status not in (400, 413):
                raise _explained(refused) from None
            try:
                await post(http, url, _plain(alert), _HEADERS, now, timeout_s=PLAIN_TIMEOUT_S)
            except Refused as again:
                raise _explained(again) from None


def _explained(refused: Refused) -> NotifyError:
    """Slack's reason in the text, and whether the channel is gone for good (403, 404, 410)."""
    word = refused.answer.decode("ascii", "replace").strip()
    said = f"Slack says {word}" if word in _ANSWERS else f"Slack {refused.message}"
    gone = refused.status in (403, 404, 410)
    if gone:
        said += ": make a new webhook and configure its address"
    return NotifyError(
        refused.code,
        said,
        permanent=refused.permanent,
        retry_after_s=refused.retry_after_s,
        disable=gone,
    )


# ── the message ──────────────────────────────────────────────────────────────


def first_line(alert: Alert) -> str:
    """What a locked phone shows: the headline and the first fact, escaped."""
    facts = [prose.headline(alert), *list(prose.facts(alert))[:1]]
    return quoted(". ".join(facts), FIRST_LINE)


def _shown(alert: Alert) -> int:
    """How many mentions: none that prove nothing, one of a notice."""
    if alert.action not in prose.ALARMS:
        return 0
    return 1 if alert.severity == "notice" else SHOWN


def _blocks(alert: Alert, exhibits: Sequence[Exhibit]) -> Iterator[dict[str, Any]]:
    yield _header(alert)
    if facts := [quoted(fact, SENTENCE) for fact in prose.facts(alert)]:
        yield from map(_section, _joined([f"*{facts[0]}*", *facts[1:]]))
    if alert.severity == "notice":
        yield from (_section(_exhibit(exhibit, alert)) for exhibit in exhibits)
    else:
        yield from _proof(alert, exhibits)
    if alert.url and (link := _link(alert.url, _link_label(alert))):
        yield _section(link)
    yield {"type": "context", "elements": [_mrkdwn(quoted(prose.rule_line(alert), MAX_CONTEXT))]}


def _proof(alert: Alert, exhibits: Sequence[Exhibit]) -> Iterator[dict[str, Any]]:
    """The figures, in as many sections as they need, and the mentions. A notice goes without."""
    figures = [_mrkdwn(f"*{quoted(name, NAME)}*\n{quoted(value, TEXT)}") for name, value in prose.figures(alert)]
    for start in range(0, len(figures), MAX_FIELDS):
        yield {"type": "section", "fields": figures[start : start + MAX_FIELDS]}
    if exhibits:
        yield {"type": "divider"}
        title = prose.reader(alert).say("What is said")
        yield _section(f"*{quoted(title, NAME)}*")
        for exhibit in exhibits:
            yield _section(_exhibit(exhibit, alert))


def _link_label(alert: Alert) -> str:
    tongue = prose.reader(alert)
    return tongue.say("Open the incident") if alert.incident_id else tongue.say("Open Avizor")


def _header(alert: Alert) -> dict[str, Any]:
    """Plain text: Slack parses nothing in it, so nothing is escaped; angle brackets are changed all the same."""
    mark = _ACTION_MARKS.get(alert.action) or _MARKS.get(alert.severity or "", "🔔")
    line = clean(f"{mark} {prose.headline(alert)}", MAX_HEADER).translate(_HEADER_BRACKETS)
    return {"type": "header", "text": {"type": "plain_text", "text": line, "emoji": True}}


def _exhibit(exhibit: Exhibit, alert: Alert) -> str:
    """One mention: where and when with its link, then its text as a quotation, then the words that hurt."""
    tongue = prose.reader(alert)
    label = f"{clean(exhibit.source, NAME)} · {tongue.moment(exhibit.published_at)}"
    lines = [(exhibit.url and _link(exhibit.url, label)) or quoted(label, TITLE)]
    if exhibit.author:
        lines[0] += f" · {quoted(exhibit.author, NAME)}"
    if copies := prose.further_copies(exhibit, tongue):
        lines[0] += f" · {quoted(copies, NAME)}"
    if exhibit.title.strip():
        lines.append(f">{quoted(exhibit.title, TITLE)}")
    if exhibit.text.strip() and exhibit.text.strip() != exhibit.title.strip():
        lines.append(f">{quoted(exhibit.text, TEXT)}")
    if hurt := prose.words_that_hurt(exhibit, tongue):
        lines.append(quoted(hurt, TITLE))
    return "\n".join(lines)


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """The lines, as many in one text as a section holds."""
    text = lines[0]
    for line in lines[1:]:
        if len(text) + 1 + len(line) > MAX_SECTION:
            yield text
            text = line
        else:
            text += f"\n{line}"
    yield text


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """`verbatim` keeps Slack from turning names and addresses inside the text into links and mentions."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(alert: Alert) -> bytes:
    """The least that can be said, without blocks and without a word that a stranger wrote."""
    lines = [first_line(alert), *([alert.url] if alert.url and is_web_address(alert.url) else [])]
    return _json({"text": "\n".join(lines), **_NO_PREVIEWS})


def _length(block: dict[str, Any]) -> int:
    texts = [block.get("text", {}), *block.get("fields", []), *block.get("elements", [])]
    return sum(len(text.get("text", "")) for text in texts)


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


# ── strangers' words ─────────────────────────────────────────────────────────


def clean(text: str, limit: int) -> str:
    """One line of visible characters, at most `limit` of them. The cost does not grow with the text."""
    beginning = text[: limit * 8]
    line = _SPACES.sub(" ", _CONTROLS.sub(" ", _UNSEEN.sub("", beginning))).strip()
    return line if len(line) <= limit and len(beginning) == len(text) else line[: limit - 1].rstrip() + "…"


def quoted(text: str, limit: int) -> str:
    """The text as it may stand in mrkdwn, at most `limit` characters with its escapes, none of them cut in two."""
    size = 0
    parts: list[str] = []
    for character in clean(text, limit):
        part = _ESCAPES.get(character) or _DISARMED.get(character, character)
        size += len(part)
        if size > limit - 1:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)


def _link(url: str, label: str) -> str | None:
    """`<url|label>`, or None where the address is no web address or too long. Nothing in either can close the link."""
    if not is_web_address(url):
        return None
    try:
        plain = str(httpx.URL(url))
    except (httpx.InvalidURL, UnicodeError):
        return None
    safe = quote(plain, safe="%/:?#[]@!$&'()*+,;=~-._").replace("&", "&amp;")
    return f"<{safe}|{quoted(label, TITLE)}>" if len(safe) <= LINK else None
