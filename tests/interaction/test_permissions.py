"""The policy in force: a denied tool is shown as denied and isn't called, whoever asks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.conftest import Connect
from tests.support import connected, text_of

pytestmark = pytest.mark.anyio

ECHO = """
[servers.echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""
STOCK = """
[servers.stock]
command = ["{python}", "{fixtures}/stock_server.py"]
"""


async def test_a_denied_tool_is_listed_as_denied_and_a_program_that_calls_it_is_told_the_rule(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    config = servers_toml(ECHO % journal + '[policy]\ndeny = ["echo.ec*"]\n')
    async with connect(config) as client:
        await connected(client)
        file = text_of(await client.call_tool("readToolFile", {"fileName": "echo"}))
        docs = text_of(await client.call_tool("getToolDocs", {"server": "echo", "tool": "echo"}))
        result = await client.call_tool("executeToolCode", {"code": "echo.pid()\necho.echo(value=1)"})
    (line,) = [line for line in file.splitlines() if line.startswith("def echo(")]
    assert line == snapshot(
        "def echo(value: Any) -> {value: Any}  # DENIED by policy. Return the value as structured content."
    )
    assert f"DENIED by policy: the rule 'echo.ec*' in deny of [policy] in {config}.\n" in docs
    assert result.is_error
    assert text_of(result).replace(str(config), "servers.toml") == snapshot("""\
The program failed (denied).
line 2: echo.echo was not called, because the policy denies it: the rule 'echo.ec*' in deny of [policy] in \
servers.toml. Do without it, or ask the person who runs the hub to allow it.
Next: nothing was called, so mend the program and send it again.\
""")
    assert not journal.exists()


async def test_in_read_only_mode_only_tools_that_say_so_or_are_listed_are_called(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    policy = '[policy]\nmode = "read-only"\nallow = ["echo.pid"]\n'
    config = servers_toml(ECHO % (tmp_path / "journal") + STOCK + policy)
    async with connect(config) as client:

        async def ends_well(code: str) -> bool:
            return not (await client.call_tool("executeToolCode", {"code": code})).is_error

        assert await ends_well('stock.search_products(query="a")')
        assert await ends_well("echo.pid()")
        assert not await ends_well('stock.restock(product_id="P-01", quantity=1)')
        assert not await ends_well("echo.echo(value=1)")
        assert not await ends_well("json_ = getattr(echo, 'echo')\njson_(value=1)")
