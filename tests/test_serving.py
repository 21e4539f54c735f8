"""Serving, the decisions: the environment's token, and what is taken over of a changed configuration."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server.lowlevel import Server

from mcp_hub import app, reload, serving
from mcp_hub.configuration import Configuration
from mcp_hub.folders import Folders
from mcp_hub.reload import stamps
from mcp_hub.serving import follow, with_token
from mcp_hub.settings import HttpSettings, ServerSettings
from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.database import open_database
from mcp_hub.store.running import RunningHub, RunningHubs
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


async def test_a_window_that_attaches_begins_with_what_is_kept_for_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str | None] = []

    async def serve_stdio(server: Server[Any], on_sent: Callable[[], None]) -> None:
        served.append(server.instructions)

    async def reached(target: ServerSettings) -> bool:
        return True

    monkeypatch.setattr(app, "KEPT_WITHIN", PATIENCE)
    monkeypatch.setattr(serving, "serve_stdio", serve_stdio)
    monkeypatch.setattr(serving, "_reached", reached)
    file = tmp_path / "servers.toml"
    file.write_text('[servers.one]\ncommand = ["x"]\n')
    configuration = Configuration(file, Folders(tmp_path, tmp_path / "state"), {}, tmp_path)
    loaded = configuration.load()
    database = open_database(configuration.where.state)
    kept = KeptCatalog("2025-06-18", None, [{"name": "find"}])
    CatalogStore(database).write(app.enabled(loaded)["one"].fingerprint(), "one", kept)
    database.close()
    hub = RunningHub(os.getpid(), "http://127.0.0.1:9/mcp", "secret", loaded.fingerprint({}))
    RunningHubs(configuration.where.state).write(hub)
    with anyio.fail_after(PATIENCE):
        await serving.serve_attached(configuration, loaded, stamps(configuration.files))
    assert served == [
        "The tools of all servers, ready to call in one program with executeToolCode:\none: def find() -> Any"
    ]
