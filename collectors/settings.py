"""A kind's own settings, checked in words for the operator. What may be set is documented in docs/sources.md."""

from collectors.base import CollectError, Source
from collectors.guard import check_url

MOST_REQUESTS = 1_000_000


def only(source: Source, *names: str) -> None:
    """Raises `ValueError` for any setting but these."""
    unknown = source.settings.keys() - set(names)
    if unknown:
        raise ValueError(f"{source.kind} has no setting {', '.join(sorted(unknown))}")


def text(source: Source, name: str, default: str = "") -> str:
    """Raises `ValueError` where it is set and is no text, or an empty one."""
    value = source.settings.get(name, default)
    if not isinstance(value, str) or (name in source.settings and not value.strip()):
        raise ValueError(f"the setting {name} must be a text")
    return value.strip()


def texts(source: Source, name: str) -> tuple[str, ...]:
    """Raises `ValueError` where it is set and is no list of texts."""
    values = source.settings.get(name, [])
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) and value.strip() for value in values):
        raise ValueError(f"the setting {name} must be a list of texts")
    return tuple(value.strip() for value in values)


def whole(source: Source, name: str, default: int, least: int, most: int) -> int:
    """Raises `ValueError` where it is no whole number from `least` to `most`."""
    value = source.settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"the setting {name} must be a whole number from {least} to {most}")
    return value


def quota(source: Source, granted: int | None) -> int:
    """How many requests a day its key or address is granted, as the operator says; by default what the API says."""
    return whole(source, "requests_per_day", granted or 1, 1, MOST_REQUESTS)


def switch(source: Source, name: str, default: bool = False) -> bool:
    """Raises `ValueError` where it is neither true nor false."""
    value = source.settings.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"the setting {name} must be true or false")
    return value


def secret(source: Source, needed: str) -> str:
    """The credential, as it may stand in a header. Raises `ValueError` where there is none; `needed` says what it is
    and who gives it out.
    """
    value = (source.secret or "").strip()
    if not value:
        raise ValueError(f"{source.kind} needs a secret: {needed}")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"the secret has a character that no credential has; {source.kind} needs {needed}")
    return value


def credential(source: Source, needed: str) -> str:
    """The secret of a source that is being asked. Raises `CollectError` (`no_secret`)."""
    try:
        return secret(source, needed)
    except ValueError as error:
        raise CollectError("no_secret", f"{error}.") from None


def session(source: Source) -> str:
    """What signing in gave. Raises `CollectError` (`not_signed_in`)."""
    if not source.session:
        raise CollectError("not_signed_in", f"{source.kind} cannot be asked before it was signed in there.")
    return source.session


def base(source: Source, default: str) -> str:
    """What the addresses of an API begin with: `source.url`, or its own. Raises `CollectError` (`bad_url`)."""
    try:
        return str(check_url((source.url or default).rstrip("/")))
    except ValueError as error:
        raise CollectError("bad_url", f"{source.kind} cannot be asked: {error}.") from None
