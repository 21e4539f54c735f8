"""What misbehaving servers get: each is told apart, names what to do, and harms nobody else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from mcp import Client

from tests.conftest import Connect
from tests.support import alive, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def transport() -> str:
    """What goes wrong with a server is told alike however the hub is served."""
    return "stdio"


BAD = """
[servers.bad]
command = ["{python}", "-I", "-S", "{fixtures}/misbehaving_server.py", "--mode", "%s", "--delay", "%s"]
timeout = %s
[servers.good]
command = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]
"""


def plain(text: str) -> str:
    """A told text without what differs from run to run."""
    text = re.sub(r"/\S*/logs/servers/", "LOGS/", text)
    return re.sub(r"\d+\.\d+ s\b", "N s", text)


async def told(client: Client, code: str) -> str:
    """The line of a failed program's answer that says what was wrong."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert result.is_error, text_of(result)
    lines = [line for line in text_of(result).splitlines() if line.startswith(("error: ", "line "))]
    return plain(lines[0])


async def test_a_server_that_prints_or_asks_out_of_turn_works_all_the_same(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    for mode in ("chatty", "early-request", "bad-json"):
        async with connect(servers_toml(BAD % (mode, 0, 10))) as client:
            result = await client.call_tool("executeToolCode", {"code": "result = bad.fine()"})
            assert not result.is_error, (mode, text_of(result))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (
            "die",
            snapshot(
                "error: Server 'bad' exited with status 1 before it answered do; it may or may not have done it. "
                "Its log: LOGS/bad.log"
            ),
        ),
        (
            "garbage",
            snapshot(
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
        ),
        (
            "late",
            snapshot(
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
        ),
        (
            "wrong-id",
            snapshot(
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
        ),
        (
            "huge",
            snapshot(
                "error: Server 'bad' answered do with error -32603: answered with a message of 20,000,100 bytes; the "
                "limit is 16,777,216 (hub.max_message_mib)."
            ),
        ),
        (
            "not-a-result",
            snapshot(
                "error: Server 'bad' answered do with what is no tool result (MCP, tools/call). Its log: LOGS/bad.log"
            ),
        ),
        ("error", snapshot("error: Server 'bad' answered do with error -32000: the disk is full.")),
    ],
)
async def test_a_fault_during_a_call_is_told_and_the_next_call_works(
    connect: Connect, servers_toml: Callable[[str], Path], what: str, expected: str
) -> None:
    async with connect(servers_toml(BAD % ("ok", 3, 2))) as client:
        assert await told(client, f"result = bad.do(what='{what}')") == expected
        result = await client.call_tool("executeToolCode", {"code": "result = bad.fine()"})
        assert not result.is_error, text_of(result)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "exits-at-start",
            snapshot(
                "Server 'bad' exited with status 3 (its last words: \"misbehaving_server: no licence was found\") "
                "N s after its start, before a session was open. The next try is in N s. Its log: LOGS/bad.log"
            ),
        ),
        (
            "never-answers-initialize",
            snapshot(
                "Server 'bad' didn't open a session within 1 s (servers.bad.timeout). "
                "The next try is in N s. Its log: LOGS/bad.log"
            ),
        ),
        (
            "slow-list",
            snapshot(
                "Server 'bad' didn't open a session within 1 s (servers.bad.timeout). "
                "The next try is in N s. Its log: LOGS/bad.log"
            ),
        ),
    ],
)
async def test_a_server_that_never_gets_ready_is_told_and_hides_no_other(
    connect: Connect, servers_toml: Callable[[str], Path], mode: str, expected: str
) -> None:
    async with connect(servers_toml(BAD % (mode, 60, 1))) as client:
        listed = plain(text_of(await client.call_tool("listToolFiles", {})))
        assert f"servers/bad.pyi   no tools yet  {expected}" in listed
        assert "servers/good.pyi  2 tools" in listed
        assert await told(client, "result = bad.fine()") == f"line 1: {expected}"
        fine = await client.call_tool("executeToolCode", {"code": "result = good.tool_000(text='a')['ok']"})
        assert text_of(fine) == "true"


async def test_a_command_that_does_not_exist_names_the_key_to_correct(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    async with connect(servers_toml('[servers.gone]\ncommand = ["no-such-program", "x"]\n')) as client:
        assert text_of(await client.call_tool("listToolFiles", {})) == snapshot(
            "servers/gone.pyi  no tools yet  Server 'gone' can't start: there is no program 'no-such-program'. "
            "Install it, or correct servers.gone.command in servers.toml."
        )


async def test_a_working_directory_that_does_not_exist_names_the_key_to_correct(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    async with connect(servers_toml('[servers.lost]\ncommand = ["true"]\ncwd = "nowhere"\n')) as client:
        listed = text_of(await client.call_tool("listToolFiles", {}))
    assert f"its working directory {tmp_path / 'nowhere'} doesn't exist. Correct servers.lost.cwd." in listed


async def test_a_crashed_server_is_started_again_for_the_next_call(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml('[servers.echo]\ncommand = ["{python}", "{fixtures}/echo_server.py"]\n')
    async with connect(config) as client:

        async def pid() -> int:
            result = await client.call_tool("executeToolCode", {"code": "result = echo.pid()['pid']"})
            assert not result.is_error, text_of(result)
            return int(text_of(result))

        first = await pid()
        assert "exited with status 7 before it answered exit" in await told(client, "echo.exit(code=7)")
        second = await pid()
        assert second != first
        assert not alive(first)


async def test_an_argument_that_does_not_fit_never_leaves_the_hub(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    config = servers_toml(
        f'[servers.echo]\ncommand = ["{{python}}", "{{fixtures}}/echo_server.py"]\n'
        f'env = {{ ECHO_JOURNAL = "{journal}" }}\n'
    )
    async with connect(config) as client:
        assert await told(client, "echo.odd_params(from_='a', type='three', options={'max-depth': 'x'})") == snapshot(
            "error: echo.odd_params was not called: argument options: field 'class' is missing; "
            'argument options["max-depth"]: expected int, got text "x"; '
            'argument type: expected one of "one", "two"; got text "three". It is: def odd_params(from_: str, *, '
            'a_b: int = None, type: Literal["one", "two"] = None, options: {"class": str, "max-depth?": int} = None) '
            "-> Any"
        )
        assert await told(client, "echo.echo_text(txt='a')") == snapshot(
            "error: echo.echo_text was not called: no parameter 'txt' (did you mean 'text'?). "
            "It is: def echo_text(text: str) -> Any"
        )
    assert not journal.exists()


async def test_a_server_gets_only_the_environment_it_was_given(
    connect: Connect, servers_toml: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = servers_toml(
        '[servers.echo]\ncommand = ["{python}", "{fixtures}/echo_server.py"]\n'
        'env = { GIVEN = "yes" }\nenv_pass = ["MCP_HUB_STATE_DIR"]\n'
    )
    async with connect(config) as client:
        result = await client.call_tool("executeToolCode", {"code": "result = echo.env()"})
    names = set(json.loads(text_of(result))) - {"LC_CTYPE"}  # the interpreter sets it for itself
    assert {"PATH", "HOME", "GIVEN", "MCP_HUB_STATE_DIR"} <= names
    assert names <= {"PATH", "HOME", "GIVEN", "MCP_HUB_STATE_DIR", "LANG", "LANGUAGE", "LC_ALL", "TZ", "TMPDIR"}


async def test_a_list_that_changes_is_taken_over(
    connect: Connect, servers_toml: Callable[[str], Path], era: str
) -> None:
    server_era = {"auto": "modern", "legacy": "legacy"}[era]
    config = servers_toml(
        f'[servers.echo]\ncommand = ["{{python}}", "{{fixtures}}/echo_server.py", "--era", "{server_era}"]\n'
    )
    async with connect(config) as client:
        await client.call_tool("executeToolCode", {"code": "echo.grow(name='late_addition')"})
        code = "result = echo.late_addition(value='there')['value']"
        result = await client.call_tool("executeToolCode", {"code": code})
        while "has no tool 'late_addition'" in text_of(result):
            result = await client.call_tool("executeToolCode", {"code": code})
        assert text_of(result) == "there"
