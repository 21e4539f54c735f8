"""Waiting for servers that nobody has seen yet: which, how long, and from when on."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog
from mcp_hub.hub.downstream import ENDING
from mcp_hub.hub.unseen import Unseen
from mcp_hub.settings import ServerSettings

pytestmark = pytest.mark.anyio


class Servers:
    """Stands in for the downstream servers: keeps who was waited for, and how long at most."""

    def __init__(self) -> None:
        self.waits: list[tuple[list[str], float]] = []

    async def settle(self, names: list[str], timeout: float) -> None:
        self.waits.append((names, timeout))


def unseen(loaded: bool = True) -> tuple[Unseen, Servers, LiveCatalog, anyio.Event]:
    """Over three servers, of which `seen` has listed its tools."""
    settings = {
        name: ServerSettings(command=("x",), timeout=timeout)
        for name, timeout in (("seen", 90), ("new", 10), ("slow", 40))
    }
    live = LiveCatalog(settings, UNRESTRICTED)
    live.put("seen", [{"name": "a", "inputSchema": {}}])
    kept = anyio.Event()
    if loaded:
        kept.set()
    servers: Any = Servers()
    return Unseen(live, servers, kept), servers, live, kept


async def test_only_those_that_nobody_has_seen_are_waited_for_as_long_as_the_slowest_may_take() -> None:
    waiting, servers, _, _ = unseen()
    await waiting.wait(["seen", "new", "slow", "no-server"])
    assert servers.waits == [(["new", "slow"], 40 + ENDING)]


async def test_a_bound_holds_for_all_together() -> None:
    waiting, servers, _, _ = unseen()
    await waiting.wait(["new", "slow"], 5)
    await waiting.wait(["new"], 60)
    assert [most for _, most in servers.waits] == [5, 10]


async def test_servers_that_were_seen_hold_nobody_up() -> None:
    waiting, servers, live, _ = unseen()
    live.put("new", [])
    await waiting.wait(["seen", "new"])
    assert servers.waits == []


async def test_what_was_kept_is_loaded_first() -> None:
    waiting, servers, live, kept = unseen(loaded=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiting.wait, ["new"])
        await anyio.lowlevel.checkpoint()
        assert servers.waits == []
        live.put("new", [])
        kept.set()
    assert servers.waits == [], "it was among what was kept"
