"""A changed servers.toml is taken over by a running hub: servers come, go and start again, the others go on."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client

from mcp_hub.store.trust import TrustStore
from tests.conftest import BOTH_TRANSPORTS, Connect
from tests.support import FIXTURES, PATIENCE, HttpHub, LineHub, filled, http_client, said, text_of, until

pytestmark = pytest.mark.anyio

ECHO = """
[servers.%s]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""
BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "%s"]\n'


SHARE_A_HUB = pytest.mark.xdist_group("a changed configuration")


@pytest.fixture(scope="module")
def running(hub_with: Callable[..., HttpHub]) -> HttpHub:
    """A hub whose file each of the tests that share it begins to write anew."""
    return hub_with("")


@asynccontextmanager
async def taken_over(hub: HttpHub, text: str, holds: Callable[[str], bool]) -> AsyncIterator[Client]:
    """A client of the shared hub, once the hub goes by that text: its list of files is as it should be."""
    rewrite(hub, text)
    async with http_client(hub.url) as client:
        await until_listed(client, lambda listed: "isn't used" not in listed and holds(listed))
        yield client


def rewrite(hub: HttpHub, text: str) -> Path:
    """Change the shared hub's file."""
    assert hub.config is not None
    hub.config.write_text(filled(text))
    return hub.config


async def listing(client: Client) -> str:
    return text_of(await client.call_tool("listToolFiles", {}))


async def until_listed(client: Client, holds: Callable[[str], bool]) -> str:
    """Wait until the list of files is as it should be."""
    with anyio.fail_after(PATIENCE):
        while not holds(text := await listing(client)):
            await anyio.sleep(0.05)
    return text


async def run(client: Client, code: str) -> str:
    return text_of(await client.call_tool("executeToolCode", {"code": code}))


@BOTH_TRANSPORTS
async def test_servers_come_and_go_and_the_others_are_left_alone(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    kept = ECHO % ("kept", tmp_path / "journal")
    config = servers_toml(kept + BARE % ("old", 2))
    async with connect(config) as client:
        before = await run(client, "result = kept.pid()")
        assert "old.pyi" in await listing(client)
        servers_toml(BARE % ("new", 3) + kept)
        text = await until_listed(client, lambda text: "new.pyi   3 tools" in text)
        files = [line.split()[0] for line in text.splitlines() if line.startswith("servers/")]
        assert files == ["servers/new.pyi", "servers/kept.pyi"]
        assert await run(client, "result = kept.pid()") == before
        assert await run(client, 'result = new.tool_002(text="a")["ok"]') == "true"
        assert "nothing is called 'old'" in await run(client, 'result = old.tool_000(text="a")')


@SHARE_A_HUB
async def test_a_server_whose_command_changed_is_another_one(running: HttpHub) -> None:
    async with taken_over(running, BARE % ("command", 2), lambda text: "command.pyi  2 tools" in text) as client:
        rewrite(running, BARE % ("command", 4))
        await until_listed(client, lambda text: "command.pyi  4 tools" in text)
        assert await run(client, 'result = command.tool_003(text="a")["ok"]') == "true"


@SHARE_A_HUB
async def test_what_an_agent_reads_of_a_server_changes_without_a_new_start(running: HttpHub, tmp_path: Path) -> None:
    echo = ECHO % ("echo", tmp_path / "journal")
    async with taken_over(running, echo, lambda text: "echo.pyi" in text and "Says it" not in text) as client:
        before = await run(client, "result = echo.pid()")
        rewrite(running, f'{echo}description = "Says it again"\ntools.deny = ["fail"]\n[policy]\ndeny = ["echo.big"]\n')
        await until_listed(client, lambda text: "Says it again" in text)
        assert await run(client, "result = echo.pid()") == before
        assert "echo has no tool 'fail'" in await run(client, "echo.fail(message='x')")
        assert "the policy denies it: the rule 'echo.big'" in await run(client, "echo.big(bytes=1)")


@BOTH_TRANSPORTS
async def test_a_running_program_goes_on_with_the_servers_that_stay(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    kept = ECHO % ("kept", journal)
    answers: list[str] = []
    async with connect(servers_toml(kept + BARE % ("old", 2))) as client:

        async def program() -> None:
            code = """
old.tool_000(text="before")
first = kept.pid()
for i in range(200):
    kept.sleep(seconds=0.05, label="nap")
    if kept.echo(value=i)["value"] == 5:
        kept.sleep(seconds=0.2, label="now")
    if i > 60:
        break
result = first == kept.pid()
"""
            answers.append(await run(client, code))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(program)
            await said(journal, "started now")
            servers_toml(kept + BARE % ("new", 1))
            await until_listed(client, lambda text: "old" not in text and "1 tool" in text)
            assert not answers
    assert answers == ["true"]


@SHARE_A_HUB
async def test_a_call_under_way_to_a_server_that_is_taken_out_is_told_so(running: HttpHub, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    answers: list[str] = []
    async with taken_over(running, ECHO % ("long", journal), lambda text: "long.pyi" in text) as client:

        async def program() -> None:
            answers.append(await run(client, "long.sleep(seconds=60, label='long')"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(program)
            await said(journal, "started long")
            rewrite(running, BARE % ("new", 1))
    assert (
        "Server 'long' was taken out of servers.toml before it answered sleep; it may or may not have done it."
        in answers[0]
    )


@SHARE_A_HUB
async def test_a_file_that_cannot_be_used_is_told_and_the_hub_goes_on_with_what_it_had(running: HttpHub) -> None:
    async with taken_over(running, BARE % ("kept", 2), lambda text: "kept.pyi  2 tools" in text) as client:
        path = rewrite(running, "[servers.kept]\ncomand = 3\n")
        text = await until_listed(client, lambda text: "isn't used" in text)
        assert text.splitlines()[-1] == (
            "A changed servers.toml isn't used, and the hub goes on with what it had: "
            f"{path}:2: [servers.kept.comand] unknown key 'comand'. Did you mean 'command'?"
        )
        assert await run(client, 'result = kept.tool_000(text="a")["ok"]') == "true"
        rewrite(running, BARE % ("two", 2))
        text = await until_listed(client, lambda text: "two.pyi" in text)
        assert "isn't used" not in text


def test_a_trusted_file_that_changed_counts_once_it_is_trusted_again(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    path = servers_toml(BARE % ("one", 2))
    trust = TrustStore(state)
    trust.trust(path, path.read_bytes())
    hub = LineHub(None, state, tmp_path)
    hub.initialize()
    assert "one.pyi  2 tools" in hub.listed()
    servers_toml(BARE % ("two", 3))
    while "Read it, then run: mcp_hub trust" not in (text := hub.call("listToolFiles")):
        pass
    assert "The hub goes on with what it had" in text
    assert json.loads(hub.call("executeToolCode", code='result = one.tool_000(text="a")["ok"]')) is True
    trust.trust(path, path.read_bytes())
    while "two.pyi  3 tools" not in (text := hub.call("listToolFiles")):
        pass
    assert "trust" not in text
    assert hub.close() == 0


def test_a_change_of_the_users_own_counts_while_the_projects_file_waits_to_be_trusted(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    users = tmp_path / "config" / "mcp_hub" / "servers.toml"
    users.parent.mkdir(parents=True)
    users.write_text("")
    path = servers_toml(BARE % ("one", 2))
    TrustStore(state).trust(path, path.read_bytes())
    hub = LineHub(None, state, tmp_path)
    hub.initialize()
    hub.listed()
    assert "def tool_000" in hub.call("readToolFile", fileName="one")
    servers_toml(BARE % ("two", 3))
    until(lambda: "The hub goes on with what it had" in hub.call("listToolFiles"))
    users.write_text('[policy]\ndeny = ["one.*"]\n')
    until(lambda: "DENIED by policy" in hub.call("readToolFile", fileName="one"))
    assert "The hub goes on with what it had" in hub.call("listToolFiles")
    assert hub.close() == 0


async def test_a_server_that_is_taken_out_and_put_back_starts_when_it_has_ended(
    connect: Connect, servers_toml: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    server = f"{sys.executable} -I -S {FIXTURES}/bare_server.py --tools 1"
    slow = f"""[servers.slow]
command = ["sh", "-c", "echo start >> {journal}; {server}; sleep 1.5; echo end >> {journal}"]
"""
    async with connect(servers_toml(slow)) as client:
        assert await run(client, 'result = slow.tool_000(text="a")["ok"]') == "true"
        servers_toml("")
        await until_listed(client, lambda text: "slow" not in text)
        servers_toml(slow)
        await until_listed(client, lambda text: "slow" in text)
        assert await run(client, 'result = slow.tool_000(text="a")["ok"]') == "true"
        assert journal.read_text().split() == ["start", "end", "start"]
