"""One session with one server: what it lists, and how its faults are told."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import anyio
import pytest

from mcp_hub.config import parse
from mcp_hub.errors import DownstreamError
from mcp_hub.hub.children import Children
from mcp_hub.hub.session import Listed, Session
from mcp_hub.settings import ServerSettings
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

Opened = tuple[Session, list[Listed]]
Open = Callable[..., AbstractAsyncContextManager[Opened]]


@pytest.fixture
def opened(servers_toml: Callable[[str], Path], tmp_path: Path) -> Open:
    """Open a session with a fixture server by its arguments."""

    @asynccontextmanager
    async def open_it(
        *arguments: str, legacy: bool = False, timeout: float = 15, on_changed: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Opened]:
        rest = ", ".join(f'"{argument}"' for argument in arguments[1:])
        path = servers_toml(
            f'[servers.s]\ncommand = ["{{python}}", "{{fixtures}}/{arguments[0]}.py", {rest}]\ntimeout = {timeout}\n'
        )
        settings = parse(path.read_text(), path, {}).servers["s"]
        children = Children(tmp_path / "logs", {"PATH": ""})
        session = Session("s", settings, None, on_changed)
        lists: list[Listed] = []

        async def on_listed(listed: Listed) -> None:
            lists.append(listed)

        try:
            async with session.opened(
                children, legacy=legacy, max_message_bytes=100_000, on_listed=on_listed
            ) as listed:
                assert lists == [listed]
                yield session, lists
        finally:
            await children.aclose()

    return open_it


@pytest.mark.parametrize(
    ("era", "legacy", "protocol"),
    [("modern", False, "2026-07-28"), ("legacy", False, "2025-11-25"), ("both", True, "2025-11-25")],
)
async def test_every_page_is_listed_in_either_era(opened: Open, era: str, legacy: bool, protocol: str) -> None:
    async with opened("echo_server", "--era", era, legacy=legacy) as (_, lists):
        assert lists[0].protocol == protocol
        assert len(lists[0].tools) == 15, "eight pages of two"


async def test_a_server_of_2024_is_spoken_to_in_its_own_version(opened: Open) -> None:
    async with opened("misbehaving_server", "--mode", "ok") as (_, lists):
        assert lists[0].protocol == "2024-11-05"


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_changed_list_is_told_of_and_listed_again(opened: Open, era: str) -> None:
    told: list[int] = []
    lists: list[Listed]
    async with opened("echo_server", "--era", era, on_changed=lambda: told.append(len(lists))) as (session, lists):
        await session.call("echo_text", {"text": "nothing changed"}, None)
        assert told == []
        with anyio.fail_after(PATIENCE):
            await session.call("grow", {"name": "one_more"}, None)
            while not any(tool["name"] == "one_more" for tool in lists[-1].tools):
                await anyio.sleep(0.01)
        assert told
        assert told[0] == 1, "before the new list was there"


async def test_a_session_that_is_lost_is_told_of_at_once_and_once(opened: Open) -> None:
    told: list[bool] = []
    with anyio.fail_after(PATIENCE):
        async with opened("misbehaving_server", "--mode", "ok", on_changed=lambda: told.append(True)) as (session, _):
            with pytest.raises(DownstreamError):
                await session.call("do", {"what": "die"}, None)
            assert told == [True]
    assert told == [True]


async def test_progress_of_a_call_is_passed_on(opened: Open) -> None:
    told: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with opened("light_echo_server") as (session, _):
        await session.call("sleep", {"seconds": 0.05}, on_progress)
        with anyio.fail_after(PATIENCE):
            while not told:
                await anyio.sleep(0.01)


async def test_a_tools_failure_is_a_result(opened: Open) -> None:
    async with opened("light_echo_server") as (session, _):
        result = await session.call("fail", {"message": "no"}, None)
    assert result.is_error


async def test_a_message_over_the_bound_fails_its_call_only(opened: Open) -> None:
    async with opened("light_echo_server") as (session, _):
        with pytest.raises(DownstreamError, match=r"a message of .* bytes; the limit is 100,000"):
            await session.call("big", {"bytes": 200_000}, None)
        assert not (await session.call("echo_text", {"text": "a"}, None)).is_error
        assert not session.lost.is_set()


async def test_an_error_code_that_the_sdk_uses_for_itself_is_still_the_servers(opened: Open) -> None:
    async with opened("misbehaving_server") as (session, _):
        with pytest.raises(DownstreamError, match="answered do with error -32000: the disk is full"):
            await session.call("do", {"what": "error"}, None)
        assert not session.lost.is_set()


async def test_a_server_that_dies_ends_the_session_and_the_call(opened: Open) -> None:
    async with opened("misbehaving_server") as (session, _):
        with pytest.raises(DownstreamError, match="exited with status 1 before it answered do"):
            await session.call("do", {"what": "die"}, None)
        assert session.lost.is_set()


async def test_a_server_that_is_too_slow_to_open_is_told_with_its_key(opened: Open) -> None:
    with pytest.raises(DownstreamError, match=r"didn't open a session within 0\.5 s \(servers\.s\.timeout\)"):
        async with opened("misbehaving_server", "--mode", "never-answers-initialize", timeout=0.5):
            pass


@contextmanager
def answering(*statuses: int) -> Iterator[str]:
    """An HTTP server that answers one request after the other with these statuses, and the rest with the last."""
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/mcp"
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_told_whatever_the_next_attempt_is_answered(status: int, tmp_path: Path) -> None:
    """A server of the newest protocol refuses the probe, and then the SDK's fall back to the handshake as malformed."""

    async def on_listed(_: Listed) -> None:
        return

    with answering(status, 400) as url:
        session = Session("s", ServerSettings(url=url), None)
        with pytest.raises(
            DownstreamError, match=rf"refused the credentials \(HTTP {status}\)\. Check servers\.s\.headers"
        ):
            async with session.opened(
                Children(tmp_path, {}), legacy=False, max_message_bytes=100_000, on_listed=on_listed
            ):
                pass
