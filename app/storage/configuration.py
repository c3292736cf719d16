"""What is watched, asked and told, and what verdicts go by, as the operator wishes it.

A set of wishes is applied as a whole or not at all.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from app.storage import brands, channels, policies, sources
from app.storage.records import Archive, ConfigChange, PutBrand, PutChannel, PutPolicy, PutSource, StorageError
from app.storage.sealing import Vault

_ARCHIVE = {"brand": brands.archive, "source": sources.archive, "channel": channels.archive}


def apply(connection: Connection, changes: Sequence[ConfigChange], vault: Vault, now: datetime) -> None:
    listens_anew = False
    for change in changes:
        match change:
            case PutBrand(brand):
                listens_anew |= brands.put(connection, brand, now)
            case PutSource(source):
                sources.put(connection, source, vault, now)
            case PutChannel(channel):
                channels.put(connection, channel, vault, now)
            case PutPolicy(policy):
                policies.put(connection, policy, now)
            case Archive(noun, slug):
                if not _ARCHIVE[noun](connection, slug, now):
                    raise StorageError(f"there is no {noun} {slug!r} to archive; nothing was changed")
    if listens_anew:
        sources.read_again(connection)
