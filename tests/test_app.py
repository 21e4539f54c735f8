"""The composition root: what a client is told at its start."""

from pathlib import Path

import pytest

from mcp_hub import app
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.settings import ServerSettings, Settings
from mcp_hub.store.catalogs import CatalogStore, KeptCatalog
from mcp_hub.store.database import open_database
from mcp_hub.store.runs import Outcome, RecordedCall, RunStore
from tests.support import PATIENCE


def loaded(**descriptions: str | None) -> Loaded:
    servers = {name: ServerSettings(command=("x",), description=text) for name, text in descriptions.items()}
    return Loaded(Settings(servers=servers), ())


def test_a_hub_without_a_catalog_of_its_own_names_the_servers() -> None:
    assert app.servers_only(loaded(github="Code and issues", json=None)).splitlines()[1:] == [
        "- github: Code and issues",
        "- json_",
    ]


def test_a_server_that_is_switched_off_is_nowhere() -> None:
    settings = Settings(servers={"a": ServerSettings(command=("x",), enabled=False)})
    assert app.enabled(Loaded(settings, ())) == {}
    assert "- a" not in app.servers_only(Loaded(settings, ()))


@pytest.mark.anyio
@pytest.mark.parametrize("count", [2, 100])
async def test_a_client_is_told_what_is_kept_of_the_servers_and_used_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(app, "KEPT_WITHIN", PATIENCE)
    where, settings = Folders(tmp_path, tmp_path), loaded(github="Code and issues")
    database = open_database(where.state)
    tools = [{"name": f"tool_{number:02}", "description": "Lists what there is."} for number in range(count)]
    fingerprint = app.enabled(settings)["github"].fingerprint()
    CatalogStore(database).write(fingerprint, "github", KeptCatalog("2025-06-18", None, tools))
    journal = RunStore(database, settings.settings.hub.journal, str(tmp_path))
    journal.begin("run1", "local", "", None)
    journal.call("run1", RecordedCall(1, "github", "tool_01", "{}", "key", True, Outcome.OK))
    journal.end_writing()
    journal.close()
    database.close()
    here, elsewhere = [
        (await app.kept_instructions(settings, where, folder)).splitlines() for folder in (tmp_path, tmp_path / "other")
    ]
    used = ["Used often here, ready to call:", "github: def tool_01() -> Any"]
    if count == 2:
        assert here == elsewhere
        assert here[1:] == [f"github: def tool_{number:02}() -> Any  # Lists what there is." for number in range(2)]
    else:
        assert (here[1:], elsewhere[1:]) == (["- github: Code and issues", *used], ["- github: Code and issues"])


@pytest.mark.anyio
async def test_a_client_is_told_the_servers_where_nothing_is_kept_or_it_cannot_be_read(tmp_path: Path) -> None:
    settings = loaded(github="Code and issues")
    where = Folders(tmp_path, tmp_path)
    assert await app.kept_instructions(settings, where, tmp_path) == app.servers_only(settings)
    (tmp_path / "hub.db").write_bytes(b"no database")
    assert await app.kept_instructions(settings, where, tmp_path) == app.servers_only(settings)
