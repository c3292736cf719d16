"""The languages of a command: those that it can tell apart, and the one that its words are in."""

from app.config_file import ConfigError, likely
from app.language import KNOWN
from app.settings import Settings, environment, load_settings, where_set


def load_listening_settings() -> Settings:
    """The settings, if every language in them can be told from others. Raises `ConfigError`."""
    settings = load_settings()
    unknown = [code for code in settings.languages if code not in KNOWN]
    if unknown:
        near = likely(unknown[0], KNOWN)
        told = f"no language can be recognised as {unknown[0]}" + (f"; did you mean {near}?" if near else "")
        raise ConfigError([where_set(settings, "languages", told)])
    return settings


def spanish() -> bool:
    """The terminal speaks Spanish (POSIX: the first of these that is set decides)."""
    spoken = (environment().get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next(filter(None, spoken), "").startswith("es")
