"""How a command fails: one clear line a problem on stderr, an exit status for scripts, no stack trace.

    0  done
    1  it failed: the database, the key, a source, a channel or the input was not as it should be
    2  it was asked wrongly: an unknown option, or a configuration that cannot be used

What is not expected is a bug: it rises with its trace.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

FAILED = 1
MISUSED = 2

P = ParamSpec("P")
T = TypeVar("T")


class Refusal(Exception):
    """A command cannot do what it was asked. The text is for the person who asked."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def told(work: Callable[P, T]) -> Callable[P, T]:
    """Turn the expected errors of a command into words and an exit status."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except _expected() as error:
            for line in str(error).splitlines() or [type(error).__name__]:
                typer.echo(f"avizor: {line}", err=True)
            raise typer.Exit(_status(error)) from None

    return run


def _expected() -> tuple[type[Exception], ...]:
    """Evaluated only once something went wrong: the rooms are not imported for it before."""
    from alerts.base import NotifyError
    from app.config_file import ConfigError
    from app.sentiment import TierMissing
    from app.sentiment.corrections import BiasesError
    from app.storage.records import StorageError
    from app.vault import VaultError
    from collectors.base import CollectError

    return (Refusal, ConfigError, StorageError, VaultError, TierMissing, BiasesError, CollectError, NotifyError)


def _status(error: Exception) -> int:
    from app.config_file import ConfigError

    if isinstance(error, Refusal):
        return error.status
    return MISUSED if isinstance(error, ConfigError) else FAILED
