"""Wherever the model runs, the same conversations have the same events: text, tools, thinking, images, errors, cuts."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from fixtures.bedrock_server import ACCESS_KEY, REGION, SECRET, BedrockServer
from fixtures.bedrock_server import MODEL as BEDROCK_MODEL
from fixtures.messages_server import MessagesServer
from fixtures.vertex_server import MODEL as VERTEX_MODEL
from fixtures.vertex_server import PROJECT, VertexServer
from fixtures.vertex_server import REGION as VERTEX_REGION
from mcp_hub.proxy.sse import SseParser
from tests.proxy.conftest import CREDENTIAL, KEY, MODEL, Running, Serving
from tests.support import PATIENCE, served

pytestmark = pytest.mark.anyio

TOKEN = "ya29.a-token-of-the-stand-in"

CACHED = {"cache_control": {"type": "ephemeral"}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Das Gras ist grün."}}
LOOK = {"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {"query": {}}}}
CALL = {"type": "tool_use", "id": "toolu_0", "name": "look", "input": {"query": "café"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_0", "content": [{"type": "text", "text": "nothing"}]}
THOUGHT = {
    "type": "thinking",
    "thinking": "hm",
    "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/+q==",
}


def user(*content: object) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(*content: object) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


HISTORIES: dict[str, dict[str, Any]] = {
    "a question": {"messages": []},
    "a system prompt in cached blocks": {"messages": [], "system": [text("You are."), text("Be brief.", **CACHED)]},
    "tools on offer": {
        "messages": [],
        "tools": [LOOK, {**LOOK, "name": "now", **CACHED}],
        "tool_choice": {"type": "auto"},
    },
    "after a tool's result": {
        "messages": [user(text("look")), assistant(CALL), user(RESULT), assistant(text("so"))],
        "tools": [LOOK],
    },
    "after a thought": {
        "messages": [user(text("think")), assistant(THOUGHT, text("so"))],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "max_tokens": 2048,
    },
    "an image": {"messages": [user(text("what is it?"), IMAGE), assistant(text("a pixel"))]},
    "a document": {"messages": [user(DOCUMENT, text("read")), assistant(text("done"))]},
    "many turns": {"messages": [turn for n in range(9) for turn in (user(text(f"{n}?")), assistant(text(f"{n}!")))]},
    "sampling": {"messages": [], "temperature": 0.5, "stop_sequences": ["\n\nHuman:"]},
    "plain texts": {"messages": [{"role": "user", "content": "größe"}, {"role": "assistant", "content": "ja 🔎"}]},
}

SAID = ("say café — 🔎", "tools | bytewise", "think | drip", "cite", "unknown")

CONVERSATIONS = {f"{name}: {said}": (history, said) for name, history in HISTORIES.items() for said in SAID}

FAILING = ("error 400", "error 403", "error 404", "error 429", "error 500", "error 529", "cut", "torn")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=PATIENCE) as opened:
        yield opened


@asynccontextmanager
async def through(kind: str, proxied: Serving, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Running, str]]:
    """A proxy whose upstream is of a kind, and how the model is called there."""
    if kind == "bedrock":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
            monkeypatch.delenv(name, raising=False)
        server: MessagesServer = BedrockServer()
        own: dict[str, Any] = {"region": REGION}
        model = BEDROCK_MODEL
    elif kind == "vertex":
        server, own, model = (
            VertexServer(TOKEN),
            {"project": PROJECT, "region": VERTEX_REGION, "credential": TOKEN},
            VERTEX_MODEL,
        )
    else:
        server, own, model = MessagesServer(CREDENTIAL), {"credential": CREDENTIAL}, MODEL
    with served(server):
        upstream = {"name": "one", "kind": kind, "url": server.url, **own}
        async with proxied(upstreams=[upstream]) as running:
            yield running, f"one/{model}"


async def events(
    client: httpx2.AsyncClient, url: str, key: str, model: str, history: dict[str, Any], said: str
) -> tuple[int, list[Any]]:
    """The status, and what a client reads of a stream, but for what names the answer and its model."""
    messages = [*history["messages"], user(text(said))]
    body = {"model": model, "max_tokens": 512, "stream": True, **history, "messages": messages}
    answer = await client.post(f"{url}/v1/messages", json=body, headers={"x-api-key": key})
    if answer.status_code != 200:
        return answer.status_code, [answer.json()["error"]["type"]]
    read = [json.loads(event.data) for event in SseParser().feed(answer.content) if event.data]
    for event in read:
        for name in ("id", "model"):
            event.get("message", {}).pop(name, None)
        if event["type"] == "error":
            del event["error"]["message"]  # it names the upstream
    return 200, [event for event in read if event["type"] != "ping"]


KINDS = ("anthropic", "openrouter", "bedrock", "vertex")


async def test_fifty_conversations_have_the_same_events(
    proxied: Serving, upstream: MessagesServer, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CONVERSATIONS) == 50
    expected = {
        name: await events(client, upstream.url, CREDENTIAL, MODEL, history, said)
        for name, (history, said) in CONVERSATIONS.items()
    }
    assert {status for status, _ in expected.values()} == {200}
    for kind in KINDS:
        async with through(kind, proxied, monkeypatch) as (running, model):
            found = {
                name: await events(client, running.url, KEY, model, history, said)
                for name, (history, said) in CONVERSATIONS.items()
            }
        different = {name: (kind, found[name], expected[name]) for name in found if found[name] != expected[name]}
        assert different == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_and_streams_that_break_off_are_told_alike(
    kind: str, proxied: Serving, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = HISTORIES["a question"]
    async with through(kind, proxied, monkeypatch) as (running, model):
        told = {said: await events(client, running.url, KEY, model, history, said) for said in FAILING}
    errors = {said: (status, read) for said, (status, read) in told.items() if said.startswith("error")}
    assert errors == {
        "error 400": (400, ["invalid_request_error"]),
        "error 403": (403, ["permission_error"]),
        "error 404": (404, ["not_found_error"]),
        "error 429": (429, ["rate_limit_error"]),
        "error 500": (500, ["api_error"]),
        "error 529": (529, ["overloaded_error"]),
    }
    for said in ("cut", "torn"):
        status, read = told[said]
        assert (status, read[0]["type"]) == (200, "message_start")
        assert read[-1] == {"type": "error", "error": {"type": "api_error"}}
        assert not [event for event in read if event["type"] == "message_stop"]
