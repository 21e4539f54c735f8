"""What the tests of the commands share."""

from pathlib import Path

import pytest


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A working directory without a servers.toml."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder
