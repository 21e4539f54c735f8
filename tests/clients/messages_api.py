"""A scripted stand-in for the Anthropic Messages API, on a loopback port of its own.

It records every request. Those of the main conversation, which offer tools and hold the prompt, are answered
by the script. The number of turns that the model has already taken picks the step, so a repeated request gets
the same answer. Everything else that a client asks is answered harmlessly and kept apart.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Body = dict[str, Any]

STOP_SECONDS = 5
"""How long open connections may keep the server when the run is over."""
BACKLOG = 64


@dataclass(frozen=True)
class Text:
    """The model says something and ends its turn."""

    text: str


@dataclass(frozen=True)
class ToolUse:
    """The model calls one tool."""

    name: str
    arguments: Body


Answer = Text | ToolUse
Step = Callable[[Body], Answer]
"""Decides from a request what the model answers."""


@dataclass
class Record:
    """What was asked, in order."""

    main: list[Body] = field(default_factory=list)
    side: list[tuple[str, Body | None]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class MessagesApi:
    """Runs while its `with` block does; `url` is what a client's base URL is set to."""

    def __init__(self, prompt: str, script: Sequence[Step], on_turn: Callable[[], None]) -> None:
        self.record = Record()
        self._prompt = prompt
        self._script = script
        self._on_turn = on_turn
        self._numbers = count(1)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes = [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self._count_tokens, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/{path:path}", self._anything, methods=["GET", "HEAD", "POST"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=STOP_SECONDS
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(2 * STOP_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise RuntimeError(f"the Messages API stand-in did not stop within {2 * STOP_SECONDS} s")

    async def _messages(self, request: Request) -> Response:
        body: Body = json.loads(await request.body())
        if not self._is_main(body):
            self.record.side.append((request.url.path, body))
            return self._respond(body, Text(_side_text(body)))
        self.record.main.append(body)
        self._on_turn()
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if turn >= len(self._script):
            return self._respond(body, Text("The script is over."))
        try:
            return self._respond(body, self._script[turn](body))
        except Exception as error:
            self.record.errors.append(f"step {turn}: {type(error).__name__}: {error}")
            return self._respond(body, Text("The script failed."))

    async def _count_tokens(self, request: Request) -> Response:
        body = await request.body()
        self.record.side.append((request.url.path, json.loads(body)))
        return JSONResponse({"input_tokens": len(body) // 4})

    async def _models(self, request: Request) -> Response:
        self.record.side.append((request.url.path, None))
        return JSONResponse({"data": [], "has_more": False, "first_id": None, "last_id": None})

    async def _anything(self, request: Request) -> Response:
        self.record.side.append((f"{request.method} {request.url.path}", None))
        return JSONResponse({})

    def _is_main(self, body: Body) -> bool:
        return bool(body.get("tools")) and self._prompt in json.dumps(body["messages"])

    def _respond(self, body: Body, answer: Answer) -> Response:
        message = self._message(body, answer)
        if body.get("stream"):
            return StreamingResponse(_events(message), media_type="text/event-stream")
        return JSONResponse(message)

    def _message(self, body: Body, answer: Answer) -> Body:
        """A whole message, its id new each time: Claude Code joins turns that share one, without end."""
        number = next(self._numbers)
        match answer:
            case Text(text):
                block: Body = {"type": "text", "text": text}
                reason = "end_turn"
            case ToolUse(name, arguments):
                block = {"type": "tool_use", "id": f"toolu_{number:024}", "name": name, "input": arguments}
                reason = "tool_use"
        return {
            "id": f"msg_{number:024}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [block],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": len(json.dumps(body)) // 4,
                "output_tokens": len(json.dumps(block)) // 4 + 1,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }


def last_result(body: Body) -> Body:
    """The newest tool_result block of a request."""
    for message in reversed(body["messages"]):
        content = message["content"]
        for block in reversed(content if isinstance(content, list) else []):
            if block["type"] == "tool_result":
                result: Body = block
                return result
    raise LookupError("the request has no tool_result")


def text_of(result: Body) -> str:
    """A tool_result's text, whichever of the two forms it has."""
    content = result.get("content", "")
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def _side_text(body: Body) -> str:
    """An answer that any side request can do with; one that wants JSON gets JSON."""
    wants_json = "json_schema" in json.dumps(body.get("output_config", {}))
    return '{"title": "A test"}' if wants_json else "A test"


def _events(message: Body) -> Iterator[str]:
    (block,) = message["content"]
    usage = message["usage"]
    if block["type"] == "text":
        opened, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        opened = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    started = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_start", message=started)
    yield _event("content_block_start", index=0, content_block=opened)
    yield _event("content_block_delta", index=0, delta=delta)
    yield _event("content_block_stop", index=0)
    yield _event("message_delta", delta=ended, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
