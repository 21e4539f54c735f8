"""What the tests of the commands share."""

import shutil
from pathlib import Path

import pytest

from tests.cli.commands import STOCK, mcp_hub
from tests.support import filled


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A working directory without a servers.toml."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def stock_seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a hub keeps once it has seen the stock server."""
    folder = tmp_path_factory.mktemp("stock")
    config = folder / "servers.toml"
    config.write_text(filled(STOCK))
    state = folder / "state"
    assert mcp_hub("check", "--config", str(config), cwd=folder, MCP_HUB_STATE_DIR=str(state)).returncode == 0
    return state / "hub.db"


@pytest.fixture
def stock_known(stock_seen: Path, state: Path) -> None:
    """The test's state has the stock server's tools: nothing need be started to decide on them."""
    state.mkdir()
    shutil.copy(stock_seen, state)
