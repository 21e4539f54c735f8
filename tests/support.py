"""Helpers of the tests: reading answers, a hub driven line by line, whether a process is alive."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from socketserver import BaseServer
from threading import Thread
from typing import Any, ClassVar, TypeVar

import anyio
import anyio.to_thread
import httpx2
import psutil
from mcp import Client
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import CallToolResult, TextContent, jsonrpc_message_adapter
from prometheus_client.parser import text_string_to_metric_families

from tests.prepared import Prepared, started

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"

S = TypeVar("S", bound=BaseServer)

Start = Callable[..., Prepared | subprocess.Popen[bytes]]

PATIENCE = 20.0
"""Seconds within which anything a test waits for must have happened, on a slow and busy machine."""


NOT_YET = "ask again in a moment"
"""What a look-up says of a server that it didn't wait for: on a busy machine one may say so right after the start."""


def filled(text: str) -> str:
    """A servers.toml's text with the interpreter for `{python}` and the fixtures' folder for `{fixtures}`."""
    return text.replace("{python}", sys.executable).replace("{fixtures}", str(FIXTURES))


def series_in(exposition: str) -> dict[str, float]:
    """The series that a scraper reads, `NAME LABEL...` without the prefix; of histograms, their counts and sums."""
    samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]
    return {
        " ".join([sample.name.removeprefix("mcp_hub_"), *sample.labels.values()]): sample.value
        for sample in samples
        if not sample.name.endswith("_bucket")
    }


def text_of(result: CallToolResult) -> str:
    """The first text of a tool's answer."""
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


@contextmanager
def served(server: S) -> Iterator[S]:
    """A server that serves in a thread, until the end."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_of(pid: int) -> str:
    """A process's command line; "" once it has ended."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def descendants_of(pid: int) -> list[int]:
    """Every process that a process has started, and theirs."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def family_of(pid: int) -> list[psutil.Process]:
    """A process, those that it has started, and theirs; none once it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        select.select([], [], [], 0.02)


async def said(journal: Path, line: str) -> None:
    """Wait until a fixture server has written `line`."""
    with anyio.fail_after(PATIENCE):
        while not journal.exists() or line not in journal.read_text().splitlines():
            await anyio.sleep(0.01)


async def connected(client: Client) -> None:
    """Wait until a hub has tried all of its servers."""
    with anyio.fail_after(PATIENCE):
        while NOT_YET in text_of(await client.call_tool("listToolFiles", {})):
            await anyio.sleep(0.02)


def wait_until_gone(pids: list[int]) -> list[int]:
    """Wait for processes that aren't children of ours; the ones that are still alive after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and any(alive(pid) for pid in pids):
        select.select([], [], [], 0.02)
    return [pid for pid in pids if alive(pid)]


@asynccontextmanager
async def client_of(process: Prepared | subprocess.Popen[bytes], mode: str = "auto") -> AsyncIterator[Client]:
    """The SDK's client, connected over the stdin and stdout of a hub, which ends with it."""
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    into, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sent, out = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        rest = b""
        async with into:
            while data := await _read_when_there(stdout.fileno()):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    await into.send(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))

    async def write() -> None:
        async with out:
            async for each in out:
                stdin.write(each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                stdin.flush()

    @asynccontextmanager
    async def streams() -> AsyncIterator[TransportStreams]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            yield received, sent
            tasks.cancel_scope.cancel()

    try:
        async with Client(streams(), mode=mode) as client:
            yield client
    finally:
        stdin.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(process.wait, PATIENCE)
        stdout.close()
        for stream in (into, received, sent, out):
            stream.close()


async def _read_when_there(descriptor: int) -> bytes:
    await anyio.wait_readable(descriptor)
    return os.read(descriptor, 65536)


class HttpHub:
    """`mcp_hub serve --http` as a child process, at a free port of loopback, until `close`."""

    start: ClassVar[Start] = Prepared

    def __init__(self, config: Path | None, state: Path, cwd: Path, *options: str, **environment: str) -> None:
        command = ["serve", "--http", "127.0.0.1:0", *options]
        self.config = config
        self._log = cwd / f"http-{os.urandom(4).hex()}.log"
        with self._log.open("a") as log:
            self.process = self.start(
                [*command, "--config", str(config)] if config else command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, "MCP_HUB_STATE_DIR": str(state), **environment},
            )
        self.url = self._wait_for_url()

    def log(self) -> str:
        """What it wrote on stdout and stderr so far."""
        return self._log.read_text()

    def close(self) -> int:
        """Ask it to end and wait for that; its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"serving at (\S+)", self.log()):
                return found[1]
            select.select([], [], [], 0.02)
        self.process.kill()
        raise AssertionError(f"the hub doesn't serve: {self.log()}")


class StartedHttpHub(HttpHub):
    """The same with a start of its own."""

    start: ClassVar[Start] = staticmethod(started)


@asynccontextmanager
async def http_client(url: str, mode: str = "auto", token: str | None = None) -> AsyncIterator[Client]:
    """The SDK's client, connected over streamable HTTP."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            yield client


class LineHub:
    """`mcp_hub serve` as a child process, driven by lines of JSON-RPC with nothing between."""

    start: ClassVar[Start] = Prepared

    def __init__(self, config: Path | None, state: Path, cwd: Path, *options: str, **environment: str) -> None:
        command = ["serve", *options]
        self.process = self.start(
            [*command, "--config", str(config)] if config else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, "MCP_HUB_STATE_DIR": str(state), **environment},
        )
        self._ids = 0

    def send(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Send a request; its id."""
        self._ids += 1
        self._write({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params or {}})
        return self._ids

    def receive(self) -> dict[str, Any]:
        """The next message that the hub writes."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, "the hub didn't answer"
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return its result."""
        sent = self.send(method, params)
        while (message := self.receive()).get("id") != sent:
            pass
        return dict(message["result"])

    def initialize(self) -> dict[str, Any]:
        """The handshake of the legacy era; the hub's answer."""
        client = {"name": "test", "version": "1"}
        answer = self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def listed(self) -> str:
        """What listToolFiles answers once the hub has tried all of its servers."""
        until(lambda: NOT_YET not in self.call("listToolFiles"))
        return self.call("listToolFiles")

    def call(self, tool: str, **arguments: Any) -> str:
        """Call a meta-tool; the first text of its answer."""
        return str(self.ask("tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"])

    def descendants(self) -> list[int]:
        """Every process that the hub has started, and theirs."""
        return descendants_of(self.process.pid)

    def close(self) -> int:
        """Close the hub's stdin and wait for it to end; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Wait for the hub to end; its exit status."""
        status = self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return status

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()


class StartedLineHub(LineHub):
    """The same with a start of its own."""

    start: ClassVar[Start] = staticmethod(started)
