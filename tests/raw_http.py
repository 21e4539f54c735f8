"""HTTP/1.1 over a bare socket: no client library stands between a test and the bytes of an answer."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from tests.support import PATIENCE

BODILESS = (204, 304)

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class RawRequest:
    """A request as it is written; `target` with its query. No body is none at all: b"" has a content-length of 0."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    chunked: bool = False

    def written(self, host: str) -> bytes:
        """Its bytes. The server is to close the connection, so that nothing after the answer is missed."""
        headers = [("Host", host), *self.headers]
        sent = self.body or b""
        if self.chunked:
            headers.append(("Transfer-Encoding", "chunked"))
            pieces = [sent[at : at + 1000] for at in range(0, len(sent), 1000)]
            sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        elif self.body is not None:
            headers.append(("Content-Length", str(len(sent))))
        headers.append(("Connection", "close"))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + sent


@dataclass(frozen=True)
class RawAnswer:
    """An answer: headers by lower-case names, in their order, and the body without its framing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for each, value in self.headers if each == name]


def exchange(port: int, request: RawRequest) -> RawAnswer:
    """Ask a server of this machine. Raises AssertionError for an answer whose framing isn't HTTP's."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request.written(f"127.0.0.1:{port}"))
        told = bytearray()
        while piece := connection.recv(65536):
            told += piece
    return read(bytes(told), request.method)


def read(told: bytes, method: str) -> RawAnswer:
    """An answer from all that came on its connection."""
    head, end, rest = told.partition(b"\r\n\r\n")
    assert end, f"no whole head came: {told[:200]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = first.split(" ", 2)
    assert version == "HTTP/1.1", first
    if status.startswith("1"):
        return read(rest, method)  # an interim one, such as 100 Continue
    pairs = [line.partition(":") for line in lines]
    headers = tuple((name.lower(), value.strip(" \t")) for name, _, value in pairs)
    answer = RawAnswer(int(status), headers, rest)
    lengths, chunked = answer.values("content-length"), answer.values("transfer-encoding")
    assert len(lengths) + len(chunked) <= 1, f"framed twice: {headers}"
    if method == "HEAD" or answer.status in BODILESS:
        assert not rest, f"a body where there can't be one: {rest[:200]!r}"
    elif lengths:
        assert len(rest) == int(lengths[0]), f"{lengths[0]} bytes are announced, {len(rest)} came"
    elif chunked:
        return RawAnswer(answer.status, headers, _without_chunks(rest))
    return answer


def _without_chunks(rest: bytes) -> bytes:
    body = bytearray()
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n", "a chunk doesn't end where it says"
        if not length:
            assert rest == b"\r\n", f"after the last chunk came {rest[:200]!r}"
            return bytes(body)
        body += rest[:length]
        rest = rest[length + 2 :]
