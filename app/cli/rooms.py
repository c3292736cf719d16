"""The storage of this installation, for commands that need nothing more of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.paper import say
from app.cli.refusal import Refusal
from app.settings import Settings, load_settings
from app.storage import Storage, open_storage
from app.vault import open_vault


@contextmanager
def open_rooms(settings: Settings) -> Iterator[Storage]:
    """Storage as it is. Raises `StorageError` or `VaultError`."""
    storage = open_storage(settings.database_url, open_vault(settings))
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def open_storage_ready(settings: Settings) -> Iterator[Storage]:
    """Storage with the tables of this version. Raises `StorageError` or `VaultError`."""
    make_folders(settings)
    with open_rooms(settings) as storage:
        storage.check_ready()
        yield storage


def make_folders(settings: Settings) -> None:
    """The folders that the service writes to, for this user's eyes only. Raises `Refusal`."""
    file = settings.database_file
    for folder in (settings.data_dir, *((file.parent,) if file else ())):
        try:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Refusal(f"the folder {folder} cannot be made: {error.strerror}") from None


def migrate() -> None:
    settings = load_settings()
    make_folders(settings)
    with open_rooms(settings) as storage:
        storage.migrate()
    say("the database has the tables of this version")
