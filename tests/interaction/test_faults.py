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


BAD_SERVER = """
[servers.%s]
command = ["{python}", "-I", "-S", "{fixtures}/misbehaving_server.py", "--mode", "%s", "--delay", "%s"]
timeout = %s
"""
GOOD = """
[servers.good]
command = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]
"""


def plain(text: str) -> str:
    """A told text without what differs from run to run."""
    text = re.sub(r"/\S*/logs/servers/", "LOGS/", text)
    return re.sub(r"\d+\.\d+ s\b", "N s", text)


def between_tries(text: str) -> str:
    """A told text without when the server is tried next: nothing is said of that while it is."""
    return text.replace(" The next try is in N s.", "")


async def told(client: Client, code: str) -> str:
    """The line of a failed program's answer that says what was wrong."""
    result = await client.call_tool("executeToolCode", {"code": code})
    assert result.is_error, text_of(result)
    lines = [line for line in text_of(result).splitlines() if line.startswith(("error: ", "line "))]
    return plain(lines[0])


async def test_a_server_that_prints_or_asks_out_of_turn_works_all_the_same(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    modes = {"chatty": "chatty", "early": "early-request", "garbled": "bad-json"}
    async with connect(servers_toml("".join(BAD_SERVER % (*each, 0, 10) for each in modes.items()))) as client:
        for name in modes:
            result = await client.call_tool("executeToolCode", {"code": f"result = {name}.fine()"})
            assert not result.is_error, (name, text_of(result))


async def test_a_fault_during_a_call_is_told_and_the_next_call_works(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    faults = ["die", "garbage", "late", "wrong-id", "huge", "not-a-result", "error"]
    lines: dict[str, str] = {}
    async with connect(servers_toml(BAD_SERVER % ("bad", "ok", 3, 2))) as client:
        for what in faults:
            lines[what] = await told(client, f"result = bad.do(what='{what}')")
            result = await client.call_tool("executeToolCode", {"code": "result = bad.fine()"})
            assert not result.is_error, (what, text_of(result))
    assert lines == snapshot(
        {
            "die": (
                "error: Server 'bad' exited with status 1 before it answered do; it may or may not have done it. "
                "Its log: LOGS/bad.log"
            ),
            "garbage": (
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
            "late": (
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
            "wrong-id": (
                "error: Server 'bad' didn't answer do within 2 s (servers.bad.timeout); it may still have done it. "
                "Its log: LOGS/bad.log"
            ),
            "huge": (
                "error: Server 'bad' answered do with error -32603: a message of 20,000,109 bytes; the limit is "
                "16,777,216 (hub.max_message_mib); it may still have done it."
            ),
            "not-a-result": (
                "error: Server 'bad' answered do with what is no tool result (MCP, tools/call). Its log: LOGS/bad.log"
            ),
            "error": ("error: Server 'bad' answered do with error -32000: the disk is full."),
        }
    )


async def test_a_server_that_never_gets_ready_is_told_and_hides_no_other(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    modes = {"exits": "exits-at-start", "silent": "never-answers-initialize", "slow": "slow-list"}
    bad = "".join(BAD_SERVER % (name, mode, 60, 1) for name, mode in modes.items())
    async with connect(servers_toml(bad + GOOD)) as client:
        listed = between_tries(plain(text_of(await client.call_tool("listToolFiles", {}))))
        reasons = {name: between_tries(await told(client, f"result = {name}.fine()")) for name in modes}
        fine = await client.call_tool("executeToolCode", {"code": "result = good.tool_000(text='a')['ok']"})
        assert text_of(fine) == "true"
    assert reasons == snapshot(
        {
            "exits": (
                "line 1: Server 'exits' exited with status 3 (its last words: \"misbehaving_server: no licence was "
                'found") N s after its start, before a session was open. '
                "Its log: LOGS/exits.log"
            ),
            "silent": (
                "line 1: Server 'silent' didn't open a session within 1 s (servers.silent.timeout). "
                "Its log: LOGS/silent.log"
            ),
            "slow": (
                "line 1: Server 'slow' didn't open a session within 1 s (servers.slow.timeout). Its log: LOGS/slow.log"
            ),
        }
    )
    why = {name: f"no tools yet  {line.removeprefix('line 1: ')}" for name, line in reasons.items()}
    assert [line for line in listed.splitlines() if line.startswith("servers/")] == [
        f"servers/exits.pyi   {why['exits']}",
        f"servers/silent.pyi  {why['silent']}",
        f"servers/slow.pyi    {why['slow']}",
        "servers/good.pyi    2 tools",
    ]


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
    config = servers_toml('[servers.echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\n')
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
        f'[servers.echo]\ncommand = ["{{python}}", "-I", "-S", "{{fixtures}}/light_echo_server.py"]\n'
        f'env = {{ ECHO_JOURNAL = "{journal}" }}\n'
    )
    async with connect(config) as client:
        assert await told(client, "echo.odd_params(from_='a', type='three', options={'max-depth': 'x'})") == snapshot(
            'line 1: echo.odd_params: argument type: expected one of "one", "two"; got text "three"; '
            'argument options["max-depth"]: expected int, got text "x"; '
            "argument options: field 'class' is missing. It is: def odd_params(from_: str, *, "
            'a_b: int = None, type: Literal["one", "two"] = None, options: {"class": str, "max-depth?": int} = None) '
            "-> Any"
        )
        assert await told(client, "echo.echo_text(txt='a')") == snapshot(
            "line 1: echo.echo_text: no parameter 'txt' (did you mean 'text'?). It is: def echo_text(text: str) -> Any"
        )
    assert not journal.exists()


async def test_a_server_gets_only_the_environment_it_was_given(
    connect: Connect, servers_toml: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = servers_toml(
        '[servers.echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\n'
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
