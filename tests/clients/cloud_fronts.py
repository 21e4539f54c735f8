"""Clouds in front of a scripted model: their verifying stand-ins check a request, and frame what the model answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx2

from fixtures import bedrock_server as aws
from fixtures import messages_answers as answers
from fixtures import vertex_server as google
from fixtures.broken_streams import TEXT, Event, said, start, stop, stream
from fixtures.messages_answers import Answer
from fixtures.messages_server import MessagesServer
from fixtures.openrouter_server import OpenRouterServer
from tests.clients.messages_api import MessagesApi
from tests.clients.stand_in import Body

MODEL_SECONDS = 30.0
"""The scripted model answers at once; what it waits for is a snapshot of processes."""

OVERLOADED_REQUESTS = 2
"""Requests of the conversation before which the overloaded upstream isn't well again."""

TOKEN, ROUTER_KEY, CREDENTIAL = "ya29.a-token-of-the-clients", "sk-or-v1-the-routers-key", "the-first-ones-credential"


@dataclass(frozen=True)
class Front:
    """A stand-in that runs.

    `model` is how the model is called there, `env` what the proxy needs besides its settings, `requests` all that came.
    """

    name: str
    model: str
    settings: dict[str, str]
    env: dict[str, str]
    requests: list[Any]
    broken_calls: list[Body] = field(default_factory=list)
    """The arguments of calls that were told where no client looks for them."""

    @property
    def table(self) -> str:
        """Its part of servers.toml."""
        told = {"name": self.name, **self.settings}
        return "[[proxy.upstreams]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())


Opened = Callable[[MessagesApi], AbstractContextManager[Front]]


@contextmanager
def bedrock(api: MessagesApi) -> Iterator[Front]:
    """Signatures are recomputed, the body is checked, and the stream comes in AWS's frames."""
    server = aws.BedrockServer()
    _answer_with(server, lambda body: _asked(api, body))
    env = {
        "AWS_ACCESS_KEY_ID": aws.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": aws.SECRET,
        "AWS_SESSION_TOKEN": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    settings = {"kind": "bedrock", "region": aws.REGION, "url": server.url}
    with _serving(server):
        yield Front("bedrock", "global.anthropic.claude-opus-5-5", settings, env, server.requests)


@contextmanager
def vertex(api: MessagesApi) -> Iterator[Front]:
    """The token, the URL, the betas and the body are checked."""
    server = google.VertexServer(TOKEN)
    _answer_with(server, lambda body: _asked(api, body))
    place = {"project": google.PROJECT, "region": google.REGION}
    settings = {"kind": "vertex", **place, "url": server.url, "credential": TOKEN}
    with _serving(server):
        yield Front("vertex", "claude-opus-5-5", settings, {}, server.requests)


@contextmanager
def openrouter(api: MessagesApi) -> Iterator[Front]:
    """The key is checked; each call's arguments come in content_block_start, where Claude Code doesn't look."""
    server = OpenRouterServer(ROUTER_KEY)
    settings = {"kind": "openrouter", "url": server.url, "credential": ROUTER_KEY}
    front = Front("openrouter", "anthropic/claude-opus-5.5", settings, {}, server.requests)

    class Scripted(server.RequestHandlerClass):  # type: ignore[name-defined,misc]
        def _message(self, body: Body) -> None:
            message = json.loads(_asked(api, json.dumps({**body, "stream": False}).encode()).body)
            if body.get("stream") is not True:
                self._send(200, message)
                return
            front.broken_calls.extend(block["input"] for block in message["content"] if block["type"] == "tool_use")
            self._begin(200, "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(_broken(message))

    server.RequestHandlerClass = Scripted
    with _serving(server):
        yield front


@contextmanager
def overloaded(api: MessagesApi) -> Iterator[Front]:
    """Anthropic itself, which answers 529 until the conversation goes on elsewhere; then it would answer."""
    server = MessagesServer(CREDENTIAL)

    def answer(body: bytes) -> Answer:
        ill = len(api.record.main) < OVERLOADED_REQUESTS
        return answers.error(529, "Overloaded") if ill else _asked(api, body)

    _answer_with(server, answer)
    with _serving(server):
        yield Front("first", "", {"url": server.url, "credential": CREDENTIAL}, {}, server.requests)


def _answer_with(server: MessagesServer, answer: Callable[[bytes], Answer]) -> None:
    """What a stand-in has checked is answered so, and not by the words of its text."""

    class Scripted(server.RequestHandlerClass):  # type: ignore[name-defined,misc]
        def _message(self, body: bytes) -> Answer:
            return answer(body)

    server.RequestHandlerClass = Scripted


def _asked(api: MessagesApi, body: bytes) -> Answer:
    """What the scripted model answers to a request as the Messages API has it."""
    kind = {"content-type": "application/json"}
    reply = httpx2.post(f"{api.url}/v1/messages", content=body, headers=kind, timeout=MODEL_SECONDS, trust_env=False)
    framing = (("content-type", reply.headers["content-type"]),)
    return Answer(reply.status_code, (reply.content,), framing, "chunked")


def _broken(message: Body) -> bytes:
    """A message's stream, as broken_streams' "arguments at the start" has it."""
    told: list[Event] = []
    for index, block in enumerate(message["content"]):
        text = block["type"] == "text"
        told += [start(index, TEXT), *said(index, block["text"])] if text else [start(index, block)]
        told.append(stop(index))
    usage = {**message["usage"], "cost": 0.00042}
    return stream(told, message["model"], id=message["id"], reason=message["stop_reason"], usage=usage)


@contextmanager
def _serving(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
