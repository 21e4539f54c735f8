"""Rounds of many clients at once against proxies that may be killed: what each client got of its answer.

Above it is the test that holds the ledger against the upstream's bills, below it what is asked and billed, `spending`.
"""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from fixtures.billing_server import Bill, BillingServer
from tests.spending import Ask, Draw, settings
from tests.support import PATIENCE

CLIENTS, EARLY = 200, 30
"""At once in a round; and of them, those that ask before a second proxy starts."""

KILLED, TWO = (0, 2), (1, 2)
"""Of each four rounds, those in which a proxy is killed, and those with two of them. A start takes longer than a round,
so there are few: one that is killed alone is started anew, and of two the other goes on alone, into the next rounds."""

REFUSALS, BROKEN = (402, 429, 503), 502
"""Statuses of the proxy's own: of what it doesn't send (503: its database is locked for long, on a slow machine), and
of what has no answer."""


class Proxy:
    """`mcp_hub proxy` as a child process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        assert process.stderr is not None
        self.process = process
        self.port = port
        self._told = asyncio.create_task(process.stderr.read())

    @classmethod
    async def start(cls, config: Path, state: Path) -> "Proxy":
        """One that listens."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_hub", "proxy", "--config", str(config), "--listen", "127.0.0.1:0"),
            env={**os.environ, "MCP_HUB_STATE_DIR": str(state)},
            cwd=config.parent,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        told = b""
        while line := await process.stderr.readline():
            if found := re.search(rb"the proxy is at http://127.0.0.1:(\d+)", line):
                return cls(process, int(found[1]))
            told += line
        await process.wait()
        raise AssertionError(f"the proxy doesn't start: {told.decode()}")

    async def kill(self) -> None:
        """End it as `kill -9` does, and wait until it is gone: a zombie still has its number."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def end(self) -> str:
        """Tell it to end, if it hasn't; all that it has told on stderr."""
        if self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
        return (await self._told).decode()


@dataclass(frozen=True)
class Outcome:
    """What a client got. `whole`: the answer to its end; `error`: the upstream's, to its end; `refused`: by the proxy;
    `partial`: less than that, because something broke off or the client went away. `fault`: nothing of these.
    """

    kind: Literal["whole", "error", "refused", "partial", "fault"]
    status: int = 0
    text: str = ""


@dataclass
class World:
    """Proxies on one database, their upstream, and all that was asked so far and came of it."""

    config: Path
    state: Path
    upstream: BillingServer
    asks: dict[str, Ask]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    proxies: list[Proxy] = field(default_factory=list)
    killed: int = 0

    async def round(self, seed: int, number: int) -> None:
        """CLIENTS ask at once; in some rounds a proxy is killed as soon as some of them have their answers."""
        draw = Draw(seed, number)
        asks = [draw.ask() for _ in range(CLIENTS)]
        if not self.proxies:
            self.proxies.append(await Proxy.start(self.config, self.state))
        answered, enough, goes_on = 0, asyncio.Event(), asyncio.Event()
        kills_after = draw.random.randrange(10, CLIENTS * 3 // 4) if number % 4 in KILLED else 0

        async def client(ask: Ask, port: int) -> None:
            nonlocal answered
            outcome = await self._asked(ask, port)
            answered += 1
            if answered == kills_after:
                enough.set()
            if kills_after and outcome.status == 0 and ask.leaves == "never" and ask.asks_again:
                await goes_on.wait()
                await self._asked(replace(ask, session=f"{ask.session}-again"), self.proxies[0].port)

        async def killer() -> None:
            await enough.wait()
            await self.proxies.pop(0).kill()
            self.killed += 1
            if not self.proxies:
                self.proxies.append(await Proxy.start(self.config, self.state))
            goes_on.set()

        async with asyncio.TaskGroup() as tasks:
            if number % 4 in TWO and len(self.proxies) == 1:  # the second finds reservations of a proxy that lives
                self.upstream.answers.clear()
                for _ in range(EARLY):
                    tasks.create_task(client(asks.pop(), self.proxies[0].port))
                self.proxies.append(await Proxy.start(self.config, self.state))
                self.upstream.answers.set()
            ports = [proxy.port for proxy in self.proxies]
            for ask in asks:
                tasks.create_task(client(ask, draw.random.choice(ports)))
            if kills_after:
                tasks.create_task(killer())

    async def end(self) -> None:
        """End the proxies; none of them had a fault of its own."""
        while self.proxies:
            told = await self.proxies.pop().end()
            assert "Traceback" not in told, told

    async def _asked(self, ask: Ask, port: int) -> Outcome:
        self.asks[ask.session] = ask
        self.upstream.plans[ask.session] = ask.plan
        async with asyncio.timeout(PATIENCE * 2):
            outcome = outcome_of(ask, await _heard(ask, port, self.upstream.came[ask.session]))
        self.outcomes[ask.session] = outcome
        return outcome


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """An upstream, and a folder for the proxies' configuration and state."""
    asks: dict[str, Ask] = {}

    def bill(session: str, request: dict[str, Any], size: int, counted: bool) -> Bill:
        return asks[session].bill(request, size, counted)

    config = folder / "servers.toml"
    async with BillingServer(bill) as upstream:
        config.write_text(settings(upstream.url))
        made = World(config, folder / "state", upstream, asks)
        try:
            yield made
        finally:
            for proxy in made.proxies:
                await proxy.kill()


async def _heard(ask: Ask, port: int, came: asyncio.Event) -> bytes:
    """What a client hears of its answer, until that has ended or the client goes away."""
    heard = bytearray()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return b""  # the proxy was killed before

    async def listen() -> None:
        while part := await reader.read(65536):
            heard.extend(part)
            if ask.leaves == "first byte":
                return

    try:
        writer.write(ask.sent)
        await writer.drain()
        if ask.leaves == "when it has come":
            waits = {asyncio.create_task(listen()), asyncio.create_task(came.wait())}
            _, still = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in still:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        elif ask.leaves != "at once":
            await listen()
    except OSError:
        pass  # the proxy was killed meanwhile
    finally:
        writer.transport.abort()
    return bytes(heard)


def outcome_of(ask: Ask, heard: bytes) -> Outcome:
    """What the bytes that a client has heard are."""
    head, there, body = heard.partition(b"\r\n\r\n")
    if not there:
        return Outcome("partial")
    status, head, text = int(head.split()[1]), head.lower(), body.decode(errors="replace")
    passed = b"x-mcp-hub-model:" in head  # else the proxy has answered by itself
    if not passed and status != BROKEN:
        return Outcome("refused" if status in REFUSALS else "fault", status, text)
    length = re.search(rb"content-length: (\d+)", head)
    ended = len(body) == int(length[1]) if length else body.endswith(b"0\r\n\r\n")
    if passed and ended and status >= 400:
        return Outcome("error", status, text)
    if passed and ended and (not ask.stream or "event: message_stop" in text):
        return Outcome("whole", status, text)
    return Outcome("partial", status, text)
