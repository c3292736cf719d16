"""Secrets at rest, and out of the logs.

    seal   plain text -> Fernet (the first key) -> what the database keeps
    open   what the database keeps -> Fernet (any key) -> plain text, and the log filter learns it

The keys come from the settings or from a file of their own, so that a copy of the database holds ciphertext and no key.
Several keys are a rotation: the first seals, all of them open.
"""

import json
import logging
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.settings import Settings

HIDDEN = "•••"
SHORTEST_SECRET = 6  # shorter ones would blank out ordinary words of the log
SHORTEST_PART = 16  # a path may be as plain as /hooks/avizor


class VaultError(Exception):
    """Secrets cannot be sealed or opened. The text is for the operator: what is wrong and what to do."""


class Redaction(logging.Filter):
    """Blanks every live secret out of log lines and tracebacks.

    It belongs on handlers: a logger's filters do not see what its children log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def learn(self, secret: str) -> None:
        """Hide this from now on. A JSON object (as channels keep their secrets) means each string in it."""
        fresh = {form for part in _parts(secret) for form in _forms(part)} - self._secrets
        if not fresh:
            return
        with self._lock:
            self._secrets |= fresh
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def filter(self, record: logging.LogRecord) -> bool:
        if self._pattern:
            message = record.getMessage()
            cleaned = self.clean(message)
            if cleaned != message:
                record.msg, record.args = cleaned, None
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_text = record.exc_text and self.clean(record.exc_text)
            record.stack_info = record.stack_info and self.clean(record.stack_info)
        return True


LIVE_SECRETS = Redaction()
"""What this process must never log. One for the process, as logging itself is: every vault teaches it."""


def _parts(secret: str) -> list[str]:
    """The strings of a JSON object, else the text itself."""
    if secret.startswith("{"):
        try:
            values = json.loads(secret)
        except ValueError:
            return [secret]
        return [value for value in values.values() if isinstance(value, str)]
    return [secret]


def _forms(secret: str) -> set[str]:
    """How a secret may turn up: as it is, quoted for a URL, and the telling parts of a URL without its host."""
    forms = {form for form in (secret, quote(secret, safe="")) if len(form) >= SHORTEST_SECRET}
    if secret.startswith(("http://", "https://")):
        url = urlsplit(secret)
        forms |= {part for part in (url.path.strip("/"), url.query) if len(part) >= SHORTEST_PART}
    return forms


class Vault:
    """Seals and opens short texts, and tells `redaction` every text that passes through.

    Without keys it opens nothing, and makes its key file when it first has something to seal: an installation without
    secrets has no key to lose, and a lost key is noticed instead of being replaced in silence.
    """

    def __init__(
        self, keys: Sequence[str], *, make_at: Path | None = None, redaction: Redaction = LIVE_SECRETS
    ) -> None:
        self._redaction = redaction
        self._make_at = make_at
        self._fernet = _fernet(keys) if keys else None

    def seal(self, text: str) -> str:
        """Encrypt with the first key. Raises `VaultError` when there is no key and none can be made."""
        if self._fernet is None:
            if self._make_at is None:
                raise VaultError("there is no key to seal secrets with")
            self._fernet = _fernet(make_key_file(self._make_at))
        self._redaction.learn(text)
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt with whichever key fits. Raises `VaultError` when none does."""
        if self._fernet is None:
            raise VaultError(
                f"secrets are stored, but their key is missing: put back {self._make_at or 'the key file'}, "
                "or give the key in AVIZOR_SECRET_KEYS"
            )
        try:
            text = self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError(
                "secrets are stored, but no key at hand opens them: give the key that sealed them "
                "as well (AVIZOR_SECRET_KEYS or a further line of the key file)"
            ) from None
        self._redaction.learn(text)
        return text


def open_vault(settings: Settings) -> Vault:
    """The vault of this installation: keys from `secret_keys`, else from `secret_key_file`. Raises `VaultError`."""
    if settings.secret_keys:
        return Vault([key.get_secret_value() for key in settings.secret_keys])
    path = settings.secret_key_file.absolute()
    return Vault(read_key_file(path) if path.exists() else (), make_at=path)


def read_key_file(path: Path) -> list[str]:
    """The keys of a file, one a line, newest first. Raises `VaultError` when others may read it or it holds none."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read().decode("ascii", "replace")
    except OSError as error:
        raise VaultError(f"the key file {path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise VaultError(f"the key file {path} is open to others (mode {mode:04o}): run chmod 600 {path}")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not keys:
        raise VaultError(f"the key file {path} holds no key: put it back from where you keep it safe")
    return keys


def make_key_file(path: Path) -> list[str]:
    """Write a new key, mode 0600, unless another process just did. Returns the keys that stand there in the end."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # unlike a rename, never replaces a key that is there
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    except OSError as error:
        raise VaultError(f"the key file {path} cannot be made: {error.strerror}") from None
    return read_key_file(path)


def _fernet(keys: Iterable[str]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise VaultError(
            "a secret key is not a Fernet key (32 bytes in url-safe base64): see docs/configuration.md for making one"
        ) from None
