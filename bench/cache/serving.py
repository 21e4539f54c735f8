"""A real proxy with the cache on, and a client that asks it on one kept connection with as little work as it can."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.cache.entries import KEY_NAME, TARGET, TEAM, UPSTREAM, VERSION
from bench.cache.filling import ROOM, TTL, Kind
from bench.processes import BenchError
from bench.proxy.contestants import CREDENTIAL, KEY, accepts, free_port, started

ANSWER_WAIT = 60.0
"""Seconds for a piece of an answer; what takes longer has failed."""

MIB = 1024 * 1024

HIT, LOOKED_UP, UNLOOKED = "", "no-store", "no-store, no-cache"
"""Cache-Control of three requests: one that is kept; one that isn't and is looked up in vain; one that isn't looked up.
The model answers the last two, and nothing of them is kept."""


@dataclass(frozen=True)
class Answered:
    """Seconds from the first byte sent to the last one of the answer, and what its Cache-Status says."""

    seconds: float
    status: str


class Client:
    """One connection to a proxy."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._host = where.netloc
        self._socket = socket.create_connection((where.hostname or "", where.port or 0), ANSWER_WAIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def ask(self, body: bytes, control: str) -> Answered:
        """Send a request and read its answer to its end. Raises BenchError where it fails."""
        name, version = VERSION
        lines = (
            f"POST {TARGET} HTTP/1.1",
            f"host: {self._host}",
            "content-type: application/json",
            f"x-api-key: {KEY}",
            f"{name}: {version}",
            f"content-length: {len(body)}",
            *([f"cache-control: {control}"] if control else []),
        )
        sent = "\r\n".join([*lines, "", ""]).encode() + body
        began = time.perf_counter()
        self._socket.sendall(sent)
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            self._more(received)
        told = dict(line.split(": ", 1) for line in received[:end].decode("latin-1").split("\r\n")[1:])
        if not received.startswith(b"HTTP/1.1 200"):
            raise BenchError(f"the proxy answered with {bytes(received[:600])!r}")
        length = told.get("content-length")
        while len(received) < end + 4 + int(length) if length is not None else not received.endswith(b"\r\n0\r\n\r\n"):
            self._more(received)
        return Answered(time.perf_counter() - began, told.get("cache-status", ""))

    def _more(self, received: bytearray) -> None:
        piece = self._socket.recv(1 << 18)
        if not piece:
            raise BenchError(f"the proxy closed the connection after {bytes(received[:600])!r}")
        received += piece


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs."""

    url: str
    process: psutil.Process

    def memory_mib(self) -> float:
        """Resident."""
        return round(self.process.memory_info().rss / MIB, 1)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A connection to it."""
        with closing(Client(self.url)) as client:
            yield client


@contextmanager
def serving(kind: Kind, state: Path, upstream: str) -> Iterator[Proxy]:
    """A proxy with its cache on, similar hits too for a kind that has them, over the database in `state`."""
    port = free_port()
    config, log = state / "servers.toml", state / "proxy.log"
    config.write_text(
        f"""
[proxy]
listen = "127.0.0.1:{port}"

[[proxy.upstreams]]
name = "{UPSTREAM}"
url = "{upstream}"
credential = "{CREDENTIAL}"

[[proxy.keys]]
name = "{KEY_NAME}"
key = "{KEY}"
team = "{TEAM}"

[proxy.cache]
ttl_seconds = {TTL}
size_mib = {ROOM // MIB}
similar_for = {'["*"]' if kind.is_similar else "[]"}
"""
    )
    command = [sys.executable, "-m", "mcp_hub", "proxy", "--config", str(config)]
    with started(command, log, {"MCP_HUB_STATE_DIR": str(state)}) as process:
        accepts(port, process, log)
        yield Proxy(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
