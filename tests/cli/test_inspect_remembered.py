"""check tells which results will not be remembered, although servers.toml asks for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import STOCK, mcp_hub


@pytest.mark.usefixtures("state")
def test_check_tells_of_a_setting_without_an_effect(servers_toml: Callable[[str], Path], empty: Path) -> None:
    config = servers_toml(f'{STOCK}cache = {{ restock = "60s", get_product = "60s" }}\n')
    done = mcp_hub("check", "--json", "--config", str(config), cwd=empty)
    assert done.returncode == 0
    assert json.loads(done.stdout)["servers"][0]["state"] == "ready"
    assert done.stderr == (
        "mcp_hub: 'restock' of servers.stock.cache has no effect: no tool that it fits is annotated as read-only.\n"
    )
