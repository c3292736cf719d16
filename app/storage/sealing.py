"""What storage needs of a vault: secrets are sealed on their way in and opened on their way out."""

from typing import Protocol

import orjson


class Vault(Protocol):
    def seal(self, secret: str, /) -> str: ...

    def open(self, sealed: str, /) -> str: ...


def seal_mapping(vault: Vault, secret: dict[str, str]) -> str:
    return vault.seal(orjson.dumps(secret).decode())


def open_mapping(vault: Vault, sealed: str) -> dict[str, str]:
    opened: dict[str, str] = orjson.loads(vault.open(sealed))
    return opened
