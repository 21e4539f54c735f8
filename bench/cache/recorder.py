"""Stands before a messages proxy and keeps each request that goes to it, with what its cache said of the answer.

It hands everything on as it is, on loopback, and knows nothing of what is in it. In front of it is a client, behind it
`mcp_hub proxy`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.support import served

ANSWER_SECONDS = 60.0
"""For one answer of the proxy, whose upstream is a stand-in that answers at once."""

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Exchange:
    """One request and what was said of it. `headers` are the request's own; `cache_status` is "" where there is none.

    `seen` is what the recorder's `look` gave, just before the request went on.
    """

    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    status: int
    cache_status: str
    answer: bytes = field(repr=False)
    seen: str


class Recorder(ThreadingHTTPServer):
    """Serves at `url`, once `recorded` has started it."""

    daemon_threads = True

    def __init__(self, upstream: str, look: Callable[[bytes], str]) -> None:
        """`upstream` is the proxy's URL; `look` is given each request's body before the proxy is."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream)
        self.look = look
        self.lock = threading.Lock()
        self._exchanges: list[Exchange] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, exchange: Exchange) -> None:
        """Keep one, in the order in which the answers ended."""
        with self.lock:
            self._exchanges.append(exchange)

    def taken(self) -> list[Exchange]:
        """What has been kept, which is kept no longer."""
        with self.lock:
            taken, self._exchanges = self._exchanges, []
        return taken


class _Handler(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._hand_on()

    def do_HEAD(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        seen = self.server.look(body)
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP]
        upstream = self.server.upstream
        connection = HTTPConnection(str(upstream.hostname), upstream.port, timeout=ANSWER_SECONDS)
        try:
            connection.putrequest(self.command, self.path, skip_accept_encoding=True)
            for name, value in (*headers, ("content-length", str(len(body)))):
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        status = answer.getheader("cache-status", "")
        self.server.add(Exchange(self.path, tuple(headers), body, answer.status, status, told, seen))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)


@contextmanager
def recorded(upstream: str, look: Callable[[bytes], str]) -> Iterator[Recorder]:
    """A recorder that serves while its block runs."""
    with served(Recorder(upstream, look)) as recorder:
        yield recorder
