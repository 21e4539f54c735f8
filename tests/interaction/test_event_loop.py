"""Nothing blocks the event loop: a hub in this process does its whole work under a watch for blocking calls."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest
from blockbuster import BlockBuster, BlockingError, blockbuster_ctx

from mcp_hub import app
from mcp_hub.config import Loaded, parse
from mcp_hub.configuration import Configuration
from mcp_hub.folders import Folders
from mcp_hub.reload import stamps
from mcp_hub.serving import serve_over_http
from tests.support import PATIENCE, http_client, series_in, text_of

pytestmark = pytest.mark.anyio

SERVERS = """
[servers.bare]
command = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]
[servers.broken]
command = ["no-such-program"]
[servers.down]
url = "http://127.0.0.1:9/mcp"
"""


@pytest.fixture
def loaded(servers_toml: Callable[[str], Path]) -> Loaded:
    path = servers_toml(SERVERS)
    return Loaded(parse(path.read_text(), path, {}), (path,))


@pytest.fixture
def watched() -> Iterator[BlockBuster]:
    """Blocking calls from the hub's own modules raise while the loop runs."""
    with blockbuster_ctx(scanned_modules=["mcp_hub"]) as blockbuster:
        # Not waiting for anything: a socket that was told to be non-blocking, and waitpid with WNOHANG.
        for name in ("socket.socket.recv", "socket.socket.send", "socket.socket.sendmsg"):
            if name in blockbuster.functions:
                blockbuster.functions[name].deactivate()
        yield blockbuster


async def test_a_hub_starts_runs_programs_and_ends_without_blocking(
    loaded: Loaded, tmp_path: Path, watched: BlockBuster
) -> None:
    for _ in range(2):  # the second time with a kept catalog
        async with app.open_hub(loaded, Folders(tmp_path, tmp_path / "state")) as hub:
            await hub.begin()
            await hub.downstreams.settle(["bare", "broken", "down"], PATIENCE)
            for tool, arguments in (
                ("listToolFiles", {}),
                ("listToolFiles", {"query": "tool"}),
                ("readToolFile", {"fileName": "bare"}),
                ("getToolDocs", {"server": "bare", "tool": "tool_000"}),
                ("executeToolCode", {"code": "print('x')\nresult = bare.tool_000(text='a')['ok']"}),
                ("executeToolCode", {"code": "x = 'a' * 2000000000"}),
            ):
                answer = await hub.meta_tools.answer(tool, arguments)
                assert answer.is_error == (arguments.get("code") == "x = 'a' * 2000000000"), answer.parts


async def test_a_hub_serves_over_http_and_takes_over_a_change_without_blocking(
    servers_toml: Callable[[str], Path], tmp_path: Path, watched: BlockBuster, era: str
) -> None:
    configuration = Configuration(servers_toml(SERVERS), Folders(tmp_path, tmp_path / "state"), {}, tmp_path)
    seen = await anyio.to_thread.run_sync(stamps, configuration.files)
    loaded = await anyio.to_thread.run_sync(configuration.load)
    urls: list[str] = []
    listening = anyio.Event()

    def on_listening(url: str, _: bool) -> None:
        urls.append(url)
        listening.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_over_http, configuration, loaded, seen, "127.0.0.1", 0, on_listening)
        await listening.wait()
        async with http_client(urls[0], era) as client:
            code = {"code": "result = bare.tool_000(text='a')['ok']"}
            assert text_of(await client.call_tool("executeToolCode", code)) == "true"
            await anyio.to_thread.run_sync(servers_toml, SERVERS.replace("bare]", "other]"))
            with anyio.fail_after(PATIENCE):
                while "servers/other.pyi" not in text_of(await client.call_tool("listToolFiles", {})):
                    await anyio.sleep(0.05)
        async with httpx2.AsyncClient(timeout=PATIENCE) as scraper:
            scraped = await scraper.get(urls[0].removesuffix("/mcp") + "/metrics")
        assert series_in(scraped.text)["runs_total ok"] == 1
        tasks.cancel_scope.cancel()


async def test_the_watch_would_see_a_blocking_call(watched: BlockBuster) -> None:
    import time

    with pytest.raises(BlockingError):
        exec(compile("time.sleep(0)", str(app.__file__), "exec"), {"time": time})
