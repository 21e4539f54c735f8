"""What tests of the store share: a database of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from mcp_hub.store.database import open_database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()
