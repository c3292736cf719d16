"""What an author said: the text that a scorer hears, the same whenever it is heard."""

from typing import Protocol


class Said(Protocol):
    """A post, on its way in or as stored."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def reply(self) -> bool: ...


def spoken(said: Said) -> str:
    """Its title and text. A reply's title is its thread's, and somebody else's words."""
    if said.reply or said.text.startswith(said.title):
        return said.text
    return f"{said.title}\n{said.text}" if said.text else said.title
