"""What the service logs: one line an event, on stderr, without secrets.

a record -> secrets blanked out -> JSON for a program, or words for a person at a terminal
"""

import logging
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson

from app.settings import Settings
from app.vault import LIVE_SECRETS

QUIET = ("httpx", "httpcore", "apscheduler", "alembic", "uvicorn")  # at `info` they speak to their authors

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09}


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["trace"] = record.exc_text
        return orjson.dumps(line, option=orjson.OPT_UTC_Z).decode()


class Words(logging.Formatter):
    """`15:04:05 warning collect: ...` in local time; what others wrote cannot steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        message = record.getMessage().translate(_CONTROL)
        line = f"{at:%H:%M:%S} {record.levelname.lower():7} {record.name.rpartition('.')[2]}: {message}"
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        trace = "\n".join(part.translate(_CONTROL) for part in (record.exc_text or "").split("\n"))
        return f"{line}\n{trace}" if trace else line


def start_log(settings: Settings, *, quiet: bool = False) -> None:
    """Send every log record to stderr, through the filter that knows the live secrets.

    `quiet`: no less than warnings, for a command that tells by itself what it does.
    """
    password = urlsplit(settings.database_url).password
    if password:
        LIVE_SECRETS.learn(f":{password}@")  # with what surrounds it: it may be a word as plain as avizor
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(LIVE_SECRETS)
    handler.setFormatter(Words() if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    if quiet:
        logging.getLogger().setLevel(max(logging.WARNING, logging.getLogger().level))
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
