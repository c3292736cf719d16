"""What a database's fault means, in words for the operator: what is wrong, where, and what to do."""

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_MIGRATE = "has no tables for this version of Avizor. Run `avizor migrate`"
_FULL = "has no room left: the disk is full. Free some space; nothing that was stored is lost"
_LOCKED = "is locked by another process. Stop the other Avizor, or whatever else has the database open"
_READ_ONLY = "cannot be written. Give this user the right to write the file and its folder"
_DAMAGED = "is damaged, or not a database of SQLite. Restore the last backup"

_SQLITE = {
    "SQLITE_CANTOPEN": "cannot be opened: there is no such file, or its folder is closed to us. Run `avizor migrate`",
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_PERM": _READ_ONLY,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error",
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html; a code of two characters stands for its class
_POSTGRESQL = {
    "42P01": _MIGRATE,
    "42703": _MIGRATE,
    "25006": "is read-only: a standby, or set so by its administrator. Name the primary server",
    "42501": "refuses: this user may not do that. Grant it the right to its tables",
    "57014": "took too long to answer. Ask for less at a time",
    "40P01": "was changed by somebody else at the same moment. Try again",
    "53100": _FULL,
    "53300": "has no connection left. Raise max_connections, or stop what holds them",
    "08": "cannot be reached",
    "28": "refuses the user or the password. Check the database address",
    "3D": "does not exist. Make it: `createdb NAME`",
    "57P": "is shutting down",
}


def explain(error: DBAPIError | PoolTimeout, name: str) -> str | None:
    """The fault in words, or None when it is none of the database's: then it is a bug, and should rise as it is."""
    if isinstance(error, PoolTimeout):
        return f"{name} is busy: a write waited too long for the writes before it"
    words = _of_sqlite(error.orig) if isinstance(error.orig, sqlite3.Error) else _of_postgresql(error)
    return words and f"{name} {words}"


def costs_its_row(error: Exception) -> bool:
    """Is this fault about the row, and not about the database? Then its neighbours can still be stored."""
    if isinstance(error, IntegrityError | DataError | ValueError | TypeError | OverflowError):
        return True
    if isinstance(error, InterfaceError):
        return not error.connection_invalidated
    # 54: program limit exceeded, such as an index entry that is too large
    return isinstance(error, DBAPIError) and _state(error).startswith("54")


def _of_sqlite(error: sqlite3.Error) -> str | None:
    name = getattr(error, "sqlite_errorname", "")
    for code, words in _SQLITE.items():
        if name == code or name.startswith(code + "_"):
            return words
    return _MIGRATE if str(error).startswith(("no such table", "no such column")) else None


def _of_postgresql(error: DBAPIError) -> str | None:
    state = _state(error)
    for length in (5, 3, 2):
        if words := _POSTGRESQL.get(state[:length]):
            return words
    if state or not isinstance(error, OperationalError):
        return None
    # No code: libpq never got an answer. It says why, for every address that it tried, and never shows the password.
    return f"cannot be reached: {'; '.join(str(error.orig).split(chr(10)))[:500]}"


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
