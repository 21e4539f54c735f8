"""A scripted stand-in for the Gemini API, which Gemini CLI speaks."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clients.reach import NAME
from tests.clients.stand_in import Answer, Body, Result, StandIn, Text, ToolUse

PREFIX = "mcp_"


class GeminiApi(StandIn):
    """`url` is Gemini CLI's GOOGLE_GEMINI_BASE_URL."""

    def routes(self) -> list[Route]:
        return [Route("/v1beta/models/{call}", self._generate, methods=["POST"])]

    @staticmethod
    def spelled(tool: str) -> str:
        """`mcp_SERVER_TOOL`; a server's name that begins with mcp_ already is left as it is."""
        return f"{NAME}_{tool}" if NAME.startswith(PREFIX) else f"{PREFIX}{NAME}_{tool}"

    def offered(self, body: Body) -> list[str]:
        functions = [function for group in body["tools"] for function in group.get("functionDeclarations", [])]
        return [function["name"] for function in functions if function["name"].startswith(PREFIX)]

    def used(self, body: Body) -> list[str]:
        return [part["functionCall"]["name"] for part in _parts(body) if "functionCall" in part]

    def results(self, body: Body) -> list[Result]:
        answers = [part["functionResponse"]["response"] for part in _parts(body) if "functionResponse" in part]
        return [Result(str(answer.get("output") or answer.get("error")), "error" in answer) for answer in answers]

    async def _generate(self, request: Request) -> Response:
        body: Body = json.loads(await request.body())
        answer = self.answer(request.url.path, body)
        message = self._message(answer)
        if "stream" in request.url.path:
            return Response(f"data: {json.dumps(message)}\r\n\r\n", media_type="text/event-stream")
        return JSONResponse(message)

    def _message(self, answer: Answer) -> Body:
        match answer:
            case Text(text):
                part: dict[str, Any] = {"text": text}
            case ToolUse(name, arguments):
                part = {"functionCall": {"name": self.spelled(name), "args": arguments}}
        content = {"role": "model", "parts": [part]}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        }


def _parts(body: Body) -> list[Body]:
    return [part for content in body["contents"] for part in content["parts"]]
