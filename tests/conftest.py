"""What tests share: folders of their own, a hub as a real child process, real clients in both protocol eras."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import pytest
from hypothesis import HealthCheck, settings
from mcp import Client
from mcp.client.stdio import get_default_environment

from tests.prepared import Prepared, children_of
from tests.support import PATIENCE, HttpHub, client_of, command_of, family_of, filled, http_client

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""The processes that tests start, and pytest's own, would each compile everything again."""

# A busy machine is no failure. The suite tries the same examples each time, so that what fails is what was changed;
# HYPOTHESIS_PROFILE=explore tries others, and more of them.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("explore"), derandomize=True, max_examples=40)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one xdist_group run in one worker: where xdist 3.8 says so, pytest 9.2 doesn't look any more."""
    for item in items:
        if named := getattr(item, "_nodeid", None):
            item._id = type(item.id).parse(named)


TOKEN = "a-token-of-the-tests-0123456789"

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """The client's mode: `auto` speaks 2026-07-28, `legacy` the handshake."""
    return str(request.param)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of the test's own, for children and for this process."""
    folder = tmp_path / "state"
    monkeypatch.setenv("MCP_HUB_STATE_DIR", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("MCP_HUB_CONFIG", raising=False)
    return folder


@pytest.fixture
def servers_toml(tmp_path: Path) -> Callable[[str], Path]:
    """Write a servers.toml; `{python}` and `{fixtures}` in it stand for the interpreter and the fixtures' folder."""

    def write(text: str) -> Path:
        path = tmp_path / "servers.toml"
        path.write_text(filled(text))
        return path

    return write


BOTH_TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "http"])
"""For what a transport may change: its test is run over each."""


@pytest.fixture
def transport() -> str:
    """How the hub is served."""
    return "stdio"


@asynccontextmanager
async def over_stdio(config: Path, state: Path, cwd: Path, mode: str = "auto", *options: str) -> AsyncIterator[Client]:
    """The SDK's client, connected to a hub of its own over stdio."""
    process = Prepared(
        ["serve", "--config", str(config), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        cwd=cwd,
        env={**get_default_environment(), "MCP_HUB_STATE_DIR": str(state)},
    )
    async with client_of(process, mode) as client:
        yield client


@pytest.fixture
def connect(transport: str, state: Path, tmp_path: Path) -> Connect:
    """Start `mcp_hub serve` as a child process, on stdio and over HTTP, and connect the SDK's client to it."""

    def over_own_stdio(config: Path, mode: str = "auto") -> AbstractAsyncContextManager[Client]:
        return over_stdio(config, state, tmp_path, mode)

    @asynccontextmanager
    async def over_http(config: Path, mode: str = "auto") -> AsyncIterator[Client]:
        hub = await anyio.to_thread.run_sync(lambda: HttpHub(config, state, tmp_path, MCP_HUB_TOKEN=TOKEN))
        try:
            async with http_client(hub.url, mode, TOKEN) as client:
                yield client
        finally:
            hub.close()

    return {"stdio": over_own_stdio, "http": over_http}[transport]


@pytest.fixture(scope="session")
def shared() -> set[int]:
    """The pids of hubs that several tests use, and that end with the last of them."""
    return set()


@pytest.fixture(scope="module")
def hub_with(tmp_path_factory: pytest.TempPathFactory, shared: set[int]) -> Iterator[Callable[..., HttpHub]]:
    """The hub over HTTP that a servers.toml's text describes; a module's tests with the same one share it."""
    hubs: dict[str, HttpHub] = {}

    def with_(text: str, **environment: str) -> HttpHub:
        if text not in hubs:
            folder = tmp_path_factory.mktemp("hub")
            config = folder / "servers.toml"
            config.write_text(filled(text))
            hubs[text] = HttpHub(config, folder / "state", folder, **environment)
            shared.add(hubs[text].process.pid)
        return hubs[text]

    yield with_
    for hub in hubs.values():
        hub.close()


@pytest.fixture(autouse=True)
def nothing_left_behind(shared: set[int]) -> Iterator[None]:
    """Every process that a test started, and theirs, has ended with the test."""
    yield
    started = [pid for pid in children_of(os.getpid()) if pid not in shared]
    _, left = psutil.wait_procs([each for one in started for each in family_of(one)], timeout=PATIENCE)
    for process in left:
        process.kill()
    assert not left, f"left behind: {[command_of(process.pid) for process in left]}"
