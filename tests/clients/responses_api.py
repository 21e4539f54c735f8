"""A scripted stand-in for the OpenAI Responses API, which Codex speaks.

Codex offers the tools of an MCP server as a namespace, and calls name that and the tool apart.
"""

import json
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.clients.reach import NAME
from tests.clients.stand_in import Answer, Body, Result, StandIn, Text, ToolUse

NAMESPACE = f"mcp__{NAME}"


class ResponsesApi(StandIn):
    """`url` with /v1 is the base URL of a model provider in Codex's config.toml."""

    def routes(self) -> list[Route]:
        return [Route("/v1/responses", self._responses, methods=["POST"])]

    @staticmethod
    def spelled(tool: str) -> str:
        return f"{NAMESPACE}__{tool}"

    def offered(self, body: Body) -> list[str]:
        namespaces = [tool for tool in body["tools"] if tool["type"] == "namespace"]
        return [
            f"{each['name']}__{tool['name']}"
            for each in namespaces
            if each["name"].startswith("mcp__")
            for tool in each["tools"]
        ]

    def used(self, body: Body) -> list[str]:
        return [f"{item.get('namespace')}__{item['name']}" for item in body["input"] if item["type"] == "function_call"]

    def results(self, body: Body) -> list[Result]:
        items = [item for item in body["input"] if item["type"] == "function_call_output"]
        return [Result(_text(item["output"]), None) for item in items]

    async def _responses(self, request: Request) -> Response:
        body: Body = json.loads(await request.body())
        answer = self.answer(request.url.path, body)
        return StreamingResponse(_events(len(self.used(body)), answer), media_type="text/event-stream")


def _text(output: str | list[Body]) -> str:
    """A result's text: Codex puts the time that the tool took before it, as a block of its own."""
    if isinstance(output, str):
        return output
    return "\n".join(block["text"] for block in output if block["type"] == "input_text")


def _events(turn: int, answer: Answer) -> Iterator[str]:
    match answer:
        case Text(text):
            content = [{"type": "output_text", "text": text, "annotations": []}]
            item: Body = {"type": "message", "role": "assistant", "id": f"msg_{turn}", "content": content}
        case ToolUse(name, arguments):
            call = {"namespace": NAMESPACE, "name": name, "arguments": json.dumps(arguments)}
            item = {"type": "function_call", "id": f"fc_{turn}", "call_id": f"call_{turn}", **call}
    response = {"id": f"resp_{turn}"}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    yield _event("response.created", response=response)
    yield _event("response.output_item.done", output_index=0, item={**item, "status": "completed"})
    yield _event("response.completed", response={**response, "usage": usage})


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
