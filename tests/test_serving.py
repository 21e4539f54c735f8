"""Serving, the decisions: the environment's token, and what is taken over of a changed configuration."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from mcp_hub import app, reload
from mcp_hub.app import Configuration
from mcp_hub.folders import Folders
from mcp_hub.reload import stamps
from mcp_hub.serving import follow, with_token
from mcp_hub.settings import HttpSettings
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("environ", "tokens"),
    [
        ({}, {"ada": "a"}),
        ({"MCP_HUB_TOKEN": ""}, {"ada": "a"}),
        ({"MCP_HUB_TOKEN": "b"}, {"ada": "a", "default": "b"}),
    ],
)
def test_the_environments_token_is_the_client_called_default(
    environ: Mapping[str, str], tokens: dict[str, str]
) -> None:
    assert with_token(HttpSettings(tokens={"ada": "a"}), environ).tokens == tokens


async def test_a_change_that_makes_no_difference_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "LOOK_EVERY", 0)
    file = tmp_path / "servers.toml"
    file.write_text("[hub]\n")
    configuration = Configuration(file, Folders(tmp_path, tmp_path / "state"), {}, tmp_path)
    changes: list[str] = []
    async with app.open_hub(configuration.load(), configuration.where) as hub, anyio.create_task_group() as tasks:

        async def on_change() -> None:
            changes.append(str(hub.loaded.settings.hub.idle_stop))

        tasks.start_soon(follow, hub, configuration, stamps(configuration.files), lambda _: None, on_change)
        file.write_text("[hub]\n# a comment\n")
        await anyio.wait_all_tasks_blocked()
        file.write_text("[hub]\nidle_stop = 7\n")
        with anyio.fail_after(PATIENCE):
            while not changes:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert changes == ["7.0"]
