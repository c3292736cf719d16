"""The house: the application over a fresh SQLite file. PostgreSQL is storage's own tests' business."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.api.house import House, open_house


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    file = tmp_path / "avizor.db"
    shutil.copy(sqlite_template, file)
    with asyncio.Runner() as runner:
        opened = open_house(f"sqlite:///{file}", runner.get_loop())
        yield opened
        opened.storage.close()
