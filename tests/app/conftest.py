"""The house: the application over a fresh SQLite file, and a brand and a source for whoever wants one in it.

PostgreSQL is storage's own tests' business.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.model import Brand
from collectors.base import Source
from tests.app.api.house import House, open_house


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    file = tmp_path / "avizor.db"
    shutil.copy(sqlite_template, file)
    with asyncio.Runner() as runner:
        opened = open_house(f"sqlite:///{file}", runner.get_loop())
        yield opened
        opened.storage.close()


@pytest.fixture
def aurora(house: House) -> Brand:
    return house.brand("aurora")


@pytest.fixture
def diario(house: House) -> Source:
    return house.source("diario")
