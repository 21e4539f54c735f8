"""What misbehaving servers get: each is told apart, names what to do, and harms nobody else."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from mcp import Client

from tests.conftest import Connect
from tests.support import HttpHub, alive, connected, http_client, text_of

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


ONE_EACH = (
    "".join(
        BAD_SERVER % (*each, 0, 10)
        for each in (("chatty", "chatty"), ("early", "early-request"), ("garbled", "bad-json"))
    )
    + """
[servers.gone]
command = ["no-such-program", "x"]
[servers.lost]
command = ["true"]
cwd = "nowhere"
[servers.crashing]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
[servers.echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
[servers.told]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { GIVEN = "yes" }
env_pass = ["MCP_HUB_STATE_DIR"]
"""
)

SHARE_A_HUB = pytest.mark.xdist_group("faults of one each")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the echo server of the shared hub says what it is asked."""
    return tmp_path_factory.mktemp("echo") / "journal"


@pytest.fixture(scope="module")
def hub(hub_with: Callable[..., HttpHub], journal: Path) -> HttpHub:
    """A hub over one server for each fault that harms no other server."""
    return hub_with(ONE_EACH % journal)


async def listed(client: Client, name: str) -> str:
    """The line of a server in the list of files, with what differs from run to run left out."""
    await connected(client)
    lines = text_of(await client.call_tool("listToolFiles", {})).splitlines()
    (line,) = (each for each in lines if each.startswith(f"servers/{name}.pyi"))
    return between_tries(plain(line))


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


@SHARE_A_HUB
@pytest.mark.parametrize("name", ["chatty", "early", "garbled"])
async def test_a_server_that_prints_or_asks_out_of_turn_works_all_the_same(hub: HttpHub, name: str) -> None:
    async with http_client(hub.url) as client:
        result = await client.call_tool("executeToolCode", {"code": f"result = {name}.fine()"})
        assert not result.is_error, text_of(result)


async def test_a_fault_during_a_call_is_told_and_the_next_call_works(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    faults = {"mute": ["garbage", "late", "wrong-id"], "bad": ["die", "huge", "not-a-result", "error"]}
    lines: dict[str, str] = {}
    servers = BAD_SERVER % ("mute", "ok", 4, 3) + BAD_SERVER % ("bad", "ok", 0, 30)
    async with connect(servers_toml(servers)) as client:
        for server, what in ((server, what) for server, each in faults.items() for what in each):
            lines[what] = await told(client, f"result = {server}.do(what='{what}')")
            result = await client.call_tool("executeToolCode", {"code": f"result = {server}.fine()"})
            assert not result.is_error, (what, text_of(result))
    assert lines == snapshot(
        {
            "garbage": (
                "error: Server 'mute' didn't answer do within 3 s (servers.mute.timeout); it may still have done it. "
                "Its log: LOGS/mute.log"
            ),
            "late": (
                "error: Server 'mute' didn't answer do within 3 s (servers.mute.timeout); it may still have done it. "
                "Its log: LOGS/mute.log"
            ),
            "wrong-id": (
                "error: Server 'mute' didn't answer do within 3 s (servers.mute.timeout); it may still have done it. "
                "Its log: LOGS/mute.log"
            ),
            "die": (
                "error: Server 'bad' exited with status 1 before it answered do; it may or may not have done it. "
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
    seconds = {"exits": 30, "silent": 1, "slow": 1}
    bad = "".join(BAD_SERVER % (name, mode, 60, seconds[name]) for name, mode in modes.items())
    async with connect(servers_toml(bad + GOOD)) as client:
        await connected(client)
        files = between_tries(plain(text_of(await client.call_tool("listToolFiles", {}))))
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
    assert [line for line in files.splitlines() if line.startswith("servers/")] == [
        f"servers/exits.pyi   {why['exits']}",
        f"servers/silent.pyi  {why['silent']}",
        f"servers/slow.pyi    {why['slow']}",
        "servers/good.pyi    2 tools",
    ]


@SHARE_A_HUB
async def test_a_command_that_does_not_exist_names_the_key_to_correct(hub: HttpHub) -> None:
    async with http_client(hub.url) as client:
        assert (
            "no tools yet  Server 'gone' can't start: there is no program 'no-such-program'. "
            "Install it, or correct servers.gone.command in servers.toml."
        ) in await listed(client, "gone")


@SHARE_A_HUB
async def test_a_working_directory_that_does_not_exist_names_the_key_to_correct(hub: HttpHub) -> None:
    assert hub.config is not None
    nowhere = hub.config.parent / "nowhere"
    async with http_client(hub.url) as client:
        told = f"its working directory {nowhere} doesn't exist. Correct servers.lost.cwd."
        assert told in await listed(client, "lost")


@SHARE_A_HUB
async def test_a_crashed_server_is_started_again_for_the_next_call(hub: HttpHub) -> None:
    async with http_client(hub.url) as client:

        async def pid() -> int:
            result = await client.call_tool("executeToolCode", {"code": "result = crashing.pid()['pid']"})
            assert not result.is_error, text_of(result)
            return int(text_of(result))

        first = await pid()
        assert "exited with status 7 before it answered exit" in await told(client, "crashing.exit(code=7)")
        second = await pid()
        assert second != first
        assert not alive(first)


@SHARE_A_HUB
async def test_an_argument_that_does_not_fit_never_leaves_the_hub(hub: HttpHub, journal: Path) -> None:
    async with http_client(hub.url) as client:
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


@SHARE_A_HUB
async def test_a_server_gets_only_the_environment_it_was_given(hub: HttpHub) -> None:
    async with http_client(hub.url) as client:
        result = await client.call_tool("executeToolCode", {"code": "result = told.env()"})
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
