"""What a client is told as it connects: from the second session on, the signatures that it will most likely need."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.support import HttpHub, LineHub, http_client

BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "%s"]\n'

CLIENT = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


def session(config: Path, state: Path, cwd: Path, code: str = "") -> str:
    """A session that may run a program; the instructions that it began with."""
    cwd.mkdir(exist_ok=True)
    hub = LineHub(config, state, cwd)
    told = str(hub.ask("initialize", CLIENT)["instructions"])
    hub.listed()
    if code:
        hub.call("executeToolCode", code=code)
    assert hub.close() == 0
    return told


def test_the_second_session_begins_with_the_signatures_of_a_small_catalog(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml(BARE % ("one", 2))
    assert session(config, state, tmp_path).splitlines()[1:] == ["- one"]
    assert session(config, state, tmp_path) == snapshot("""\
The tools of all servers, ready to call in one program with executeToolCode:
one: def tool_000(text: str, *, count: int = 1) -> Any  # Process a text in way 0 and say how it went.
one: def tool_001(text: str, *, count: int = 1) -> Any  # Process a text in way 1 and say how it went.\
""")


def test_a_session_begins_with_the_tools_that_its_folder_uses_most(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml(BARE % ("one", 60))
    here, there = tmp_path / "here", tmp_path / "there"
    session(config, state, here, "one.tool_007(text='a')\nfor i in range(2):\n    one.tool_040(text='a')")
    told = session(config, state, here)
    assert [line.split("(")[0] for line in told.splitlines()[1:]] == [
        "- one",
        "Used often here, ready to call:",
        "one: def tool_040",
        "one: def tool_007",
    ]
    assert "Used often" not in session(config, state, there)


@pytest.mark.anyio
async def test_clients_of_one_hub_are_not_told_what_others_use(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml(BARE % ("one", 60))
    for _ in range(2):
        hub = HttpHub(config, state, tmp_path)
        async with http_client(hub.url) as client:
            await client.call_tool("executeToolCode", {"code": "one.tool_007(text='a')"})
            assert "tool_007" not in (client.instructions or "")
        assert hub.close() == 0
