"""Which servers.toml is written to."""

import os
from pathlib import Path

import pytest

from mcp_hub.cli.files import target, trust_store, write


@pytest.mark.usefixtures("state")
def test_the_file_to_write_is_the_projects_if_there_is_one_and_else_the_users(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(empty)
    users, projects = tmp_path / "config" / "mcp_hub" / "servers.toml", empty / "servers.toml"
    assert target(None, None) == users
    assert target(None, "project") == projects
    projects.write_text("")
    assert target(None, None) == users
    trust_store().trust(projects, b"")
    assert target(None, None) == projects
    assert target(None, "user") == users
    assert target(Path("x.toml"), "user") == empty / "x.toml"
    monkeypatch.setenv("MCP_HUB_CONFIG", str(tmp_path / "y.toml"))
    assert target(None, None) == tmp_path / "y.toml"


@pytest.mark.usefixtures("state")
def test_a_link_that_lies_in_wait_is_not_written_through(empty: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (f".servers.toml.{os.getpid()}", f".servers-{os.getpid()}.toml"):
        (empty / name).symlink_to(victim)
    write(empty / "servers.toml", "# new\n", trusted=False)
    assert victim.read_text() == "precious"
    assert not (empty / "servers.toml").is_symlink()
    assert (empty / "servers.toml").read_text() == "# new\n"
