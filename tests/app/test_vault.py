"""Secrets are sealed at rest, open with the right key only, and never reach the log."""

import io
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from app.settings import Settings
from app.vault import HIDDEN, Redaction, Vault, VaultError, make_key_file, open_vault

HOOK = "https://hooks.example/services/T0/B1/abcdefgh"


def key() -> str:
    return Fernet.generate_key().decode()


def settings(tmp_path: Path, *keys: str) -> Settings:
    return Settings(data_dir=tmp_path / "var", secret_keys=tuple(map(SecretStr, keys)))


def test_it_opens_what_it_sealed_and_nothing_can_be_read_in_between() -> None:
    vault = Vault([key()])
    sealed = vault.seal(HOOK)
    assert vault.open(sealed) == HOOK
    assert "hooks" not in sealed
    assert vault.seal(HOOK) != sealed


def test_it_opens_with_every_key_and_seals_with_the_first() -> None:
    old, new = key(), key()
    sealed = Vault([old]).seal(HOOK)
    rotated = Vault([new, old])
    assert rotated.open(sealed) == HOOK
    assert Vault([new]).open(rotated.seal(HOOK)) == HOOK


def test_it_says_in_words_that_a_key_does_not_fit() -> None:
    sealed = Vault([key()]).seal(HOOK)
    with pytest.raises(VaultError, match="no key at hand opens them"):
        Vault([key()]).open(sealed)


def test_it_says_in_words_that_a_key_is_no_key() -> None:
    with pytest.raises(VaultError, match="not a Fernet key") as caught:
        Vault(["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_it_makes_its_key_file_for_the_first_secret_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    at = settings(tmp_path)
    vault = open_vault(at)
    assert not at.secret_key_file.exists()
    sealed = vault.seal(HOOK)
    assert stat.S_IMODE(at.secret_key_file.stat().st_mode) == 0o600
    assert [path.name for path in at.data_dir.iterdir()] == ["secret.key"]
    assert open_vault(at).open(sealed) == HOOK


def test_it_never_replaces_a_lost_key_in_silence(tmp_path: Path) -> None:
    at = settings(tmp_path)
    sealed = open_vault(at).seal(HOOK)
    at.secret_key_file.unlink()
    with pytest.raises(VaultError, match=r"their key is missing: put back \S*secret.key"):
        open_vault(at).open(sealed)
    assert not at.secret_key_file.exists()


def test_it_uses_the_key_that_another_process_made_a_moment_before(tmp_path: Path) -> None:
    at = settings(tmp_path)
    late = open_vault(at)
    sealed = open_vault(at).seal(HOOK)
    assert late.open(late.seal(HOOK)) == late.open(sealed) == HOOK


@pytest.mark.parametrize(
    ("mode", "refused"), [(0o600, False), (0o400, False), (0o640, False), (0o644, True), (0o660, True)]
)
def test_it_refuses_a_key_file_that_others_may_read_or_change(tmp_path: Path, mode: int, refused: bool) -> None:
    at = settings(tmp_path)
    make_key_file(at.secret_key_file)
    at.secret_key_file.chmod(mode)
    if refused:
        with pytest.raises(VaultError, match=rf"open to others \(mode 0{mode:o}\): run chmod 600"):
            open_vault(at)
    else:
        open_vault(at)


def test_it_refuses_an_empty_key_file(tmp_path: Path) -> None:
    at = settings(tmp_path)
    at.data_dir.mkdir()
    at.secret_key_file.touch(0o600)
    with pytest.raises(VaultError, match="holds no key"):
        open_vault(at)


def test_it_reads_several_keys_from_the_file(tmp_path: Path) -> None:
    at = settings(tmp_path)
    (old,) = make_key_file(at.secret_key_file)
    sealed = open_vault(at).seal(HOOK)
    at.secret_key_file.write_text(f"# rotated today\n{key()}\n\n{old}\n")
    assert open_vault(at).open(sealed) == HOOK


def test_it_prefers_keys_of_the_settings_and_then_makes_no_file(tmp_path: Path) -> None:
    at = settings(tmp_path, key())
    open_vault(at).seal(HOOK)
    assert not at.data_dir.exists()


def test_it_says_when_the_key_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(VaultError, match="cannot be made"):
        open_vault(settings(tmp_path)).seal(HOOK)


# ── the log ──────────────────────────────────────────────────────────────────


def logged(redaction: Redaction | None, write: Callable[[logging.Logger], None]) -> str:
    """What `write` leaves in a log that goes through the filter, or without one."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    if redaction:
        handler.addFilter(redaction)
    log = logging.getLogger(f"test.{os.urandom(4).hex()}")
    log.propagate = False
    log.addHandler(handler)
    write(log)
    return stream.getvalue()


def fail(log: logging.Logger) -> None:
    try:
        raise RuntimeError(f"no answer from {HOOK}")
    except RuntimeError:
        log.exception("it failed")


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.warning("sent to %s", HOOK),
        lambda log: log.warning(f"POST {HOOK}?x=1"),
        lambda log: log.warning("path %r", "/services/T0/B1/abcdefgh"),
        lambda log: log.warning("as a parameter: %s", "https%3A%2F%2Fhooks.example%2Fservices%2FT0%2FB1%2Fabcdefgh"),
        lambda log: log.warning("%(url)s", {"url": HOOK}),
        fail,
    ],
)
def test_it_blanks_a_secret_out_of_the_log(write: Callable[[logging.Logger], None]) -> None:
    redaction = Redaction()
    Vault([key()], redaction=redaction).seal(HOOK)
    assert "abcdefgh" in logged(None, write)
    told = logged(redaction, write)
    assert "abcdefgh" not in told
    assert HIDDEN in told


def test_it_knows_each_secret_of_a_channel_once_it_was_opened() -> None:
    keys = [key()]
    sealed = Vault(keys).seal('{"url": "https://example.org/hook/zyxwvu", "secret": "whsec_C2FVsBQI"}')
    redaction = Redaction()
    Vault(keys, redaction=redaction).open(sealed)
    told = logged(redaction, lambda log: log.warning("whsec_C2FVsBQI and https://example.org/hook/zyxwvu"))
    assert told == f"{HIDDEN} and {HIDDEN}\n"


def test_it_leaves_every_other_line_alone() -> None:
    redaction = Redaction()
    Vault([key()], redaction=redaction).seal("short")
    assert logged(redaction, lambda log: log.warning("a %s line, %d", "short", 7)) == "a short line, 7\n"
