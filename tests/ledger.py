"""A hub in this process over `fixtures/ledger_server.py`, which records every call that it receives."""

import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil

from mcp_hub import app
from mcp_hub.config import Loaded, parse
from mcp_hub.folders import Folders
from mcp_hub.hub.journal import LOCAL
from mcp_hub.hub.programs import Executed
from mcp_hub.store.runs import RecordedCall, RunStore
from tests.prepared import children_of
from tests.support import FIXTURES, PATIENCE, family_of

SERVER = """
[servers.api]
command = ["{python}", "-I", "-S", "{fixtures}/ledger_server.py"]
env = { LEDGER = "{ledger}" }
timeout = 20
"""


@dataclass
class LedgerHub:
    """A hub, and what its server received."""

    hub: app.Hub
    ledger: Path

    async def run(self, code: str, resume: str | None = None, client: str = LOCAL) -> Executed:
        """Run a program; what came of it."""
        with anyio.fail_after(PATIENCE):
            return await self.hub.programs.execute(code, client, resume)

    async def value(self, code: str, resume: str | None = None, client: str = LOCAL) -> Any:
        """The value of a program that must not fail."""
        done = await self.run(code, resume, client)
        assert done.run.error is None, done.text
        return done.run.value

    async def failed(self, code: str, resume: str | None = None, client: str = LOCAL) -> Executed:
        """What came of a program that must fail."""
        done = await self.run(code, resume, client)
        assert done.run.error is not None, done.text
        return done

    async def answer(self, client: str = LOCAL, **arguments: Any) -> str:
        """What an agent reads when it calls executeToolCode."""
        with anyio.fail_after(PATIENCE):
            return (await self.hub.meta_tools.answer("executeToolCode", arguments, client)).parts[0]

    def received(self, text: str | None = None) -> list[str]:
        """The calls that the server received, `TOOL ARGUMENT...`; those with that text in an argument."""
        return received(self.ledger, text)

    async def receives(self, text: str, count: int = 1) -> None:
        """Wait until the server has received `count` calls with that text."""
        with anyio.fail_after(PATIENCE):
            while len(self.received(text)) < count:
                await anyio.sleep(0.005)

    @property
    def store(self) -> RunStore:
        """The open journal."""
        assert self.hub.journal.store is not None
        return self.hub.journal.store

    async def calls(self, run: str) -> list[RecordedCall]:
        """A run's calls as the journal has them."""
        await self.store.written()
        return self.store.calls(run)


def received(ledger: Path, text: str | None = None) -> list[str]:
    """The calls in a ledger, `TOOL ARGUMENT...`; those with that text in an argument."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    calls = [[line["tool"], *map(str, line["arguments"].values())] for line in lines]
    return [" ".join(call) for call in calls if text is None or text in call[1:]]


def configuration(folder: Path, more: str = "", server: str = SERVER) -> Path:
    """A servers.toml in a folder, over the ledger server there."""
    path = folder / "servers.toml"
    places = {"{python}": sys.executable, "{fixtures}": str(FIXTURES), "{ledger}": str(folder / "ledger")}
    text = server + more
    for name, place in places.items():
        text = text.replace(name, place)
    path.write_text(text)
    return path


@asynccontextmanager
async def ledger_hub(
    folder: Path, more: str = "", server: str = SERVER, *, measured: bool = False
) -> AsyncIterator[LedgerHub]:
    """A hub that has begun; its state, its ledger and its configuration are in `folder`, which may be used again."""
    path = configuration(folder, more, server)
    settings = parse(path.read_text(), path, {})
    loaded = Loaded(settings, (path,), parts=((path, settings),))
    async with app.open_hub(loaded, Folders(folder, folder / "state"), measured=measured) as hub:
        await hub.begin()
        yield LedgerHub(hub, folder / "ledger")


@contextmanager
def nothing_left() -> Iterator[None]:
    """Every process that was started meanwhile has ended; for hubs that several tests share."""
    before = set(_all_below())
    yield
    started = [process for process in _all_below() if process not in before]
    _, left = psutil.wait_procs(started, timeout=PATIENCE)
    assert not left


def _all_below() -> list[psutil.Process]:
    return [process for pid in children_of(os.getpid()) for process in family_of(pid)]
