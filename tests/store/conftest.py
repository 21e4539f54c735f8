"""What tests of the store share: a database of their own, and kept answers in one."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from sqlite_utils import Database

from mcp_hub.store.database import FILE_NAME, database_file, open_database
from mcp_hub.store.responses import Responses
from tests.store.answers import HOUR, ROOM, tables_agree


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database's file to copy: making one takes many times as long."""
    return database_file(tmp_path_factory.mktemp("fresh"))


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    """The file of a database of the test's own."""
    return Path(copyfile(fresh, tmp_path / FILE_NAME))


@pytest.fixture
def store(path: Path) -> Iterator[Responses]:
    """Kept answers; in the end, all that is counted of them must be there."""
    opened = Responses(path, ROOM, HOUR)
    yield opened
    opened.close()
    tables_agree(path)
