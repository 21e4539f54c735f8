"""`serve --attach`: several windows, one set of servers; and what happens when the HTTP hub goes."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client

from tests.conftest import over_stdio
from tests.support import PATIENCE, HttpHub, LineHub, said, text_of

pytestmark = pytest.mark.anyio

ECHO = """
[servers.echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""


@pytest.fixture
def config(servers_toml: Callable[[str], Path], tmp_path: Path) -> Path:
    return servers_toml(ECHO % (tmp_path / "journal"))


def attached(config: Path, state: Path, mode: str = "auto") -> AbstractAsyncContextManager[Client]:
    return over_stdio(config, state, config.parent, mode, "--attach")


async def run(client: Client, code: str) -> str:
    return text_of(await client.call_tool("executeToolCode", {"code": code}))


async def test_windows_that_attach_share_the_servers_of_the_http_hub(
    config: Path, state: Path, tmp_path: Path, era: str
) -> None:
    hub = await anyio.to_thread.run_sync(HttpHub, config, state, tmp_path)
    async with attached(config, state, era) as one, attached(config, state, era) as two:
        assert [tool.name for tool in (await one.list_tools()).tools][-1] == "executeToolCode"
        assert "echo" in (one.instructions or "")
        pids = {await run(client, "result = echo.pid()") for client in (one, two)}
        assert len(pids) == 1
        assert "1 tool" not in text_of(await one.call_tool("listToolFiles", {}))
    assert hub.close() == 0


async def test_progress_prints_and_cancelling_pass_through(config: Path, state: Path, tmp_path: Path, era: str) -> None:
    journal = tmp_path / "journal"
    hub = await anyio.to_thread.run_sync(HttpHub, config, state, tmp_path)
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with attached(config, state, era) as client:
        code = "print('seen')\necho.sleep(seconds=0.1)\nresult = 1"
        result = await client.call_tool("executeToolCode", {"code": code}, progress_callback=on_progress)
        assert [block.text for block in result.content if block.type == "text"] == ["1", "printed:\nseen\n"]
        assert any(message.startswith("echo.sleep") for message in told)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "executeToolCode", {"code": "echo.sleep(seconds=60, label='long')"})
            await said(journal, "started long")
            tasks.cancel_scope.cancel()
        await said(journal, "cancelled long")
    assert hub.close() == 0


def test_an_attached_hub_starts_no_process(config: Path, state: Path, tmp_path: Path) -> None:
    hub = HttpHub(config, state, tmp_path)
    window = LineHub(config, state, tmp_path, "--attach")
    window.initialize()
    assert window.call("executeToolCode", code="result = echo.echo(value=3)['value']") == "3"
    assert window.descendants() == []
    assert window.close() == 0
    assert hub.close() == 0


def test_without_a_hub_of_its_configuration_it_serves_by_itself(config: Path, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("")
    hub = HttpHub(other, state, tmp_path)
    window = LineHub(config, state, tmp_path, "--attach")
    window.initialize()
    assert window.call("executeToolCode", code="result = echo.echo(value=3)['value']") == "3"
    assert window.descendants()
    assert window.close() == 0
    assert hub.close() == 0


def test_a_hub_that_was_killed_is_not_attached_to(config: Path, state: Path, tmp_path: Path) -> None:
    hub = HttpHub(config, state, tmp_path)
    hub.process.kill()
    hub.close()
    window = LineHub(config, state, tmp_path, "--attach")
    window.initialize()
    assert window.call("executeToolCode", code="result = 3") == "3"
    assert window.descendants()
    assert window.close() == 0


def test_a_hub_that_ends_is_told_and_its_successor_is_used(config: Path, state: Path, tmp_path: Path) -> None:
    hub = HttpHub(config, state, tmp_path)
    window = LineHub(config, state, tmp_path, "--attach")
    window.initialize()
    assert window.call("executeToolCode", code="result = 3") == "3"
    hub.close()
    told = [window.call("executeToolCode", code="result = 4") for _ in range(2)]
    gone = r"The hub at http://127\.0\.0\.1:\d+/mcp, to which this one is attached, doesn't answer\. Start it again .*"
    assert all(re.fullmatch(gone, text) for text in told)
    successor = HttpHub(config, state, tmp_path)
    assert window.call("executeToolCode", code="result = 5") == "5"
    assert window.call("executeToolCode", code="result = 6") == "6"
    assert window.close() == 0
    assert successor.close() == 0


async def test_the_record_is_of_use_with_a_name_of_the_windows_own_and_goes_with_the_hub(
    config: Path, state: Path, tmp_path: Path
) -> None:
    hub = await anyio.to_thread.run_sync(lambda: HttpHub(config, state, tmp_path, MCP_HUB_TOKEN="a-token-of-somebody"))
    (record,) = (state / "running").glob("*.json")
    secret = json.loads(record.read_text())["secret"]
    for token, status in ((secret, 401), (f"{secret}.window", 400)):
        answer = httpx2.post(hub.url, headers={"authorization": f"Bearer {token}"}, json={}, timeout=PATIENCE)
        assert answer.status_code == status
    assert hub.close() == 0
    assert not record.exists()
