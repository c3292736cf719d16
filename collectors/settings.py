"""A kind's own settings, checked in words for the operator. What may be set is documented in docs/sources.md."""

from collectors.base import Source


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


def switch(source: Source, name: str, default: bool = False) -> bool:
    """Raises `ValueError` where it is neither true nor false."""
    value = source.settings.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"the setting {name} must be true or false")
    return value
