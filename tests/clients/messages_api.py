"""A scripted stand-in for the Anthropic Messages API, which Claude Code speaks."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.clients.reach import NAME
from tests.clients.stand_in import Answer, Body, Result, StandIn, Text, ToolUse

PREFIX = "mcp__"


class MessagesApi(StandIn):
    """`url` is Claude Code's ANTHROPIC_BASE_URL."""

    def routes(self) -> list[Route]:
        return [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self._count_tokens, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
        ]

    @staticmethod
    def spelled(tool: str) -> str:
        return f"{PREFIX}{NAME}__{tool}"

    def offered(self, body: Body) -> list[str]:
        return [tool["name"] for tool in body["tools"] if tool["name"].startswith(PREFIX)]

    def used(self, body: Body) -> list[str]:
        return [block["name"] for block in _blocks(body, "assistant") if block["type"] == "tool_use"]

    def arguments(self, body: Body) -> list[Body]:
        """What the tools were called with."""
        return [block["input"] for block in _blocks(body, "assistant") if block["type"] == "tool_use"]

    def results(self, body: Body) -> list[Result]:
        blocks = [block for block in _blocks(body, "user") if block["type"] == "tool_result"]
        return [Result(_text(block), block.get("is_error") is True) for block in blocks]

    async def _messages(self, request: Request) -> Response:
        body: Body = json.loads(await request.body())
        return self._respond(body, self.answer(request.url.path, body, _side_text))

    async def _count_tokens(self, request: Request) -> Response:
        body = await request.body()
        self.record.side.append((request.url.path, json.loads(body)))
        return JSONResponse({"input_tokens": len(body) // 4})

    async def _models(self, request: Request) -> Response:
        self.record.side.append((request.url.path, None))
        return JSONResponse({"data": [], "has_more": False, "first_id": None, "last_id": None})

    def _respond(self, body: Body, answer: Answer) -> Response:
        message = self._message(body, answer)
        if body.get("stream"):
            return StreamingResponse(_events(message), media_type="text/event-stream")
        return JSONResponse(message)

    def _message(self, body: Body, answer: Answer) -> Body:
        """A whole message, its id new each time: Claude Code joins turns that share one, without end."""
        number = uuid4().hex
        match answer:
            case Text(text):
                block: Body = {"type": "text", "text": text}
                reason = "end_turn"
            case ToolUse(name, arguments):
                use = {"id": f"toolu_{number}", "name": self.spelled(name), "input": arguments}
                block = {"type": "tool_use", **use}
                reason = "tool_use"
        return {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [block],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": self.usage(body, block),
        }

    def usage(self, body: Body, block: Body) -> Body:
        """The usage that is told of an answer of this block, roughly."""
        return {
            "input_tokens": len(json.dumps(body)) // 4,
            "output_tokens": len(json.dumps(block)) // 4 + 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        }


def _blocks(body: Body, role: str) -> list[Body]:
    """Every content block of one side of the conversation."""
    return [
        block
        for message in body["messages"]
        if message["role"] == role and isinstance(message["content"], list)
        for block in message["content"]
    ]


def _text(result: Body) -> str:
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
