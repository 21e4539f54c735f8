"""A stand-in for the Messages API that costs as little as it can: one prepared stream for every request.

`python -m bench.proxy.stand_in` listens on a free port of loopback and prints it. Each event is a chunk and a write of
its own, as an API's are. Of the request, which it reads to its end, only one thing counts: whether PACED is in it.
"""

import asyncio
import json
from typing import Any

EVENTS = 300
"""Of a stream, all kinds together."""

MODEL = "claude-sonnet-4-6"

PACED = b"Take your time. "
"""In a request's text: only `message_start` is written at once, and the rest PAUSE seconds later. So the first byte is
on its way while the machine has nothing else to do, as with a model; a whole stream at once keeps a core busy."""
PAUSE = 0.02

INPUT_TOKENS = 25_000
OUTPUT_TOKENS = 600

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_stand_in\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def events() -> list[bytes]:
    """The stream, event by event: a message of one text."""
    usage = {"input_tokens": INPUT_TOKENS, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": []}
    start = {**message, "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    text = {"type": "text_delta", "text": "as much text as a delta mostly has "}
    before: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    after: list[dict[str, Any]] = [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {**usage, "output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]
    delta = {"type": "content_block_delta", "index": 0, "delta": text}
    told = [*before, *[delta] * (EVENTS - len(before) - len(after)), *after]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in told]


class StandIn(asyncio.Protocol):
    """One connection."""

    chunks = tuple(f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in events())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = end + 4 + int(length or 0)
            if len(self._received) < whole:
                return
            paced = PACED in self._received[:whole]
            del self._received[:whole]
            self._transport.write(HEAD)
            self._transport.write(self.chunks[0])
            if paced:
                asyncio.get_running_loop().call_later(PAUSE, self._rest)
            else:
                self._rest()

    def _rest(self) -> None:
        for chunk in self.chunks[1:]:
            self._transport.write(chunk)
        self._transport.write(b"0\r\n\r\n")


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(StandIn, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
