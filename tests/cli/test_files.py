"""Which servers.toml is written to."""

from pathlib import Path

import pytest

from mcp_hub.cli.files import target


@pytest.mark.usefixtures("state")
def test_the_file_to_write_is_the_projects_if_there_is_one_and_else_the_users(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(empty)
    users, projects = tmp_path / "config" / "mcp_hub" / "servers.toml", empty / "servers.toml"
    assert target(None, None) == users
    assert target(None, "project") == projects
    projects.write_text("")
    assert target(None, None) == projects
    assert target(None, "user") == users
    assert target(Path("x.toml"), "user") == empty / "x.toml"
    monkeypatch.setenv("MCP_HUB_CONFIG", str(tmp_path / "y.toml"))
    assert target(None, None) == tmp_path / "y.toml"
