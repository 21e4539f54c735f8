"""What the scripted stand-ins for a model's API share: a loopback port, a record of the requests, the script.

Requests of the main conversation, which offer tools and hold the prompt, are answered by the script. The number of
tool calls that the model has already made picks the step, so a repeated request gets the same answer. Everything
else that a client asks is answered harmlessly and kept apart.
"""

import json
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
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
    """The model calls one of the hub's tools, by the tool's own name."""

    name: str
    arguments: Body


Answer = Text | ToolUse

Step = Callable[[str], Answer]
"""Decides from the newest tool result, "" at first, what the model answers."""


@dataclass(frozen=True)
class Result:
    """A tool's result, as the client told it to its model."""

    text: str
    is_error: bool | None
    """None: the client's API has no word for it."""


@dataclass
class Record:
    """What was asked, in order."""

    main: list[Body] = field(default_factory=list)
    side: list[tuple[str, Body | None]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class StandIn(ABC):
    """Runs while its `with` block does; `url` is what a client's base URL is set to."""

    def __init__(self, prompt: str, script: Sequence[Step], on_turn: Callable[[], None] = lambda: None) -> None:
        self.record = Record()
        self._prompt = prompt
        self._script = script
        self._on_turn = on_turn
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        anything = Route("/{path:path}", self._anything, methods=["GET", "HEAD", "POST"])
        config = uvicorn.Config(
            Starlette(routes=[*self.routes(), anything]),
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=STOP_SECONDS,
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
            raise RuntimeError(f"the stand-in of a model's API did not stop within {2 * STOP_SECONDS} s")

    @abstractmethod
    def routes(self) -> list[Route]:
        """What the API answers."""

    @staticmethod
    @abstractmethod
    def spelled(tool: str) -> str:
        """What the client calls the hub's tool `tool` towards its model."""

    @abstractmethod
    def offered(self, body: Body) -> list[str]:
        """The names of all tools of MCP servers that a request offers."""

    @abstractmethod
    def used(self, body: Body) -> list[str]:
        """The tools that the model has called so far."""

    @abstractmethod
    def results(self, body: Body) -> list[Result]:
        """What came of them."""

    def is_main(self, body: Body) -> bool:
        """Whether a request belongs to the conversation, and isn't one of the client's own."""
        return bool(body.get("tools")) and self._prompt in json.dumps(body)

    def answer(self, path: str, body: Body, aside: Callable[[Body], str] = lambda _: "A test") -> Answer:
        """The script's answer in the conversation; to what a client asks beside it, `aside`, harmless."""
        if self.is_main(body):
            return self.next_answer(body)
        self.record.side.append((path, body))
        return Text(aside(body))

    def next_answer(self, body: Body) -> Answer:
        """Record a request of the conversation and take the script's next step."""
        self.record.main.append(body)
        self._on_turn()
        turn = len(self.used(body))
        if turn >= len(self._script):
            return Text("The script is over.")
        results = self.results(body)
        try:
            return self._script[turn](results[-1].text if results else "")
        except Exception as error:
            self.record.errors.append(f"step {turn}: {type(error).__name__}: {error}")
            return Text("The script failed.")

    async def _anything(self, request: Request) -> Response:
        self.record.side.append((f"{request.method} {request.url.path}", None))
        return JSONResponse({})
