"""Requests of every kind that clients of the Messages API send, from tables: bodies, headers, places, what is asked."""

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from tests.raw_http import RawRequest

MODEL = "claude-sonnet-4-6"
ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 64}
CACHED = {"cache_control": {"type": "ephemeral"}}
FOR_AN_HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PNG = base64.b64encode(bytes(range(256)) * 3).decode()
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}}}

Pairs = tuple[tuple[str, str], ...]


def said(content: object) -> list[dict[str, object]]:
    """One message of the user."""
    return [{"role": "user", "content": content}]


def text(words: str, **more: object) -> dict[str, object]:
    """A block of text."""
    return {"type": "text", "text": words, **more}


def body(*messages: dict[str, object], **fields: object) -> bytes:
    """A request's body as Anthropic's SDKs write it."""
    told = {**ASK, "messages": list(messages) or said("say hello"), **fields}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def nested(depth: int) -> object:
    """Lists and objects in one another."""
    return [{"a": nested(depth - 1)}] if depth else []


CLAUDE_CODE = {
    "model": MODEL,
    "messages": said([
        text("<system-reminder>\nAs you answer, you can use the following context:\n</system-reminder>\n"),
        text("say caf\u00e9", **CACHED),
    ]),
    "system": [
        text("x-anthropic-billing-header: cc_version=2.1.77.8f2; cc_entrypoint=cli; cch=00000;"),
        text("You are Claude Code, Anthropic's official CLI for Claude.", **CACHED),
        text("\nYou are an interactive agent that helps users with software engineering tasks.", **FOR_AN_HOUR),
    ],
    "tools": [{"description": "Look \u2014 anywhere", **TOOL, **CACHED}, {"name": "Bash", "input_schema": {}}],
    "metadata": {"user_id": json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": "5e55-10"})},
    "max_tokens": 32000,
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "stream": True,
}  # fmt: skip
"""As Claude Code 2.1 writes a turn of its main conversation."""

TURNS: tuple[dict[str, object], ...] = (
    {"role": "user", "content": "tools"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "h\u00fc", "signature": "EqQB+q=="},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
        {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"query": "\u0000\u2028", "n": 1.0}},
    ]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("found"), text("", **CACHED)]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": True, "content": ""},
    ]},
)  # fmt: skip

BODIES: dict[str, bytes] = {
    "plain": body(),
    "Claude Code": json.dumps(CLAUDE_CODE, separators=(",", ":"), ensure_ascii=False).encode(),
    "indented": json.dumps(json.loads(body(stream=True)), indent=2).encode(),
    "odd spaces": b' \r\n\t{ "model" :"claude-sonnet-4-6" ,\n"max_tokens":\t64,"messages":[ {"role":"user" , "content":'
    b'"say hello" } ] }\n\n',
    "escapes": b'{"m\\u006fdel":"claude\\u002dsonnet-4-6","max_tokens":64,"messages":[{"role":"user","content":"say'
    b' caf\\u00E9 \\ud83d\\ude00 \\/ \\u0000 \\ud800"}]}',
    "no escapes": '{"model":"claude-sonnet-4-6","max_tokens":64,"messages":[{"role":"user","content":"say'
    ' \u00e9\u2028\U0001f600\u007f"}]}'.encode(),
    "numbers": b'{"max_tokens":64,"temperature":1.0,"top_p":0.10,"model":"claude-sonnet-4-6","x":[1E2,1e+400,-0,-0.0,'
    b'123456789012345678901234567890,0.1000000000000000055511151231257827],"messages":[{"role":"user","content":""}]}',
    "fields in another order": b'{"stream":true,"messages":[{"content":"tools","role":"user"}],"max_tokens":64,'
    b'"model":"claude-sonnet-4-6"}',
    "unknown fields": body(of_tomorrow={"b": 1, "a": [None, True, {}]}, **{"": 1, "model ": "x", "Model": "y"}),
    "alike keys in different objects": body(metadata={"model": "x", "max_tokens": 1}, x=[{"model": 1}, {"model": 2}]),
    "betas": body(betas=["context-1m-2025-08-07"], stream=True),
    "empty arrays": body(system=[], tools=[], stop_sequences=[], metadata={}),
    "nulls": body(system=None, stream=None, tool_choice=None),
    "empty content": body({"role": "user", "content": []}),
    "deep": body(x=nested(60)),
    "100 KB": body({"role": "user", "content": "gr\u00fcn\n" * 17_000}, stream=True),
    "300 KB": body({"role": "user", "content": "\u4e00\n" * 80_000}, stream=True),
    "the system as text": body(system="Be \u201cbrief\u201d."),
    "the system as a message": body(*said("x"), {"role": "system", "content": "y"}, *said("think")),
    "breakpoints everywhere": body(
        {"role": "user", "content": [text("a", **CACHED), text("say b", **FOR_AN_HOUR)]},
        system=[text("c", **FOR_AN_HOUR), text("d", **CACHED)],
        tools=[{**TOOL, **CACHED}],
        **CACHED,
    ),
    "thinking": body(*said("think"), thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048, stream=True),
    "turns": body(*TURNS, tools=[TOOL], tool_choice={"type": "any", "disable_parallel_tool_use": True}),
    "turns, streamed": body(*TURNS, tools=[TOOL], stream=True),
    "a message to go on from": body(*said("x"), {"role": "assistant", "content": "The answer is ("}),
    "images": body({"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}, **CACHED},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a%20b.png?x=1#y"}},
        text("say what you see"),
    ]}),
    "documents": body({"role": "user", "content": [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Das Gras ist gr\u00fcn."},
         "title": "Natur", "citations": {"enabled": True}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        text("cite"),
    ]}, stream=True),
    "search results": body({"role": "user", "content": [
        {"type": "search_result", "source": "https://example.com", "title": "t", "content": [text("a")]}, text("cite"),
    ]}),
    "tools that the API runs": body(
        *said("search"),
        tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}, {**TOOL, "strict": True}],
        stream=True,
    ),
    "servers that the API calls": body(mcp_servers=[{"type": "url", "url": "https://example.com/mcp", "name": "m"}]),
    "a form of output": body(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}),
    "everything that steers": body(
        temperature=0.3, top_k=5, stop_sequences=["\n\nHuman:", "\u00e9"], service_tier="auto", inference_geo="us",
        metadata={"user_id": "user_0_account_1_session_00000000-0000-4000-8000-000000000000"}, container=None,
    ),
    "nothing to generate": body(max_tokens=0),
}  # fmt: skip
"""Bodies that the proxy has nothing to change in."""

SDK: Pairs = (
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "Anthropic/Python 0.70.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Retry-Count", "0"),
    ("anthropic-version", "2023-06-01"),
    ("Accept-Encoding", "gzip, deflate"),
)
CLAUDE_CODES: Pairs = (
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "claude-cli/2.1.77 (external, cli)"),
    ("x-app", "cli"),
    ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("anthropic-version", "2023-06-01"),
    ("x-claude-code-session-id", "5e551000-0000-4000-8000-000000000000"),
    ("x-stainless-timeout", "600"),
    ("accept-language", "*"),
    ("sec-fetch-mode", "cors"),
    ("accept-encoding", "br, gzip, deflate"),
)

HEADERS: dict[str, Pairs] = {
    "an SDK's": SDK,
    "Claude Code's": CLAUDE_CODES,
    "curl's": (("User-Agent", "curl/8.5.0"), ("Accept", "*/*"), ("content-type", "application/x-www-form-urlencoded")),
    "none": (),
    "repeated": (*SDK, ("anthropic-beta", "a, b"), ("Anthropic-Beta", "c"), ("x-odd", "1"), ("x-odd", "1")),
    "cookies": (*SDK, ("cookie", "a=1; b=2"), ("cookie", "c=3")),
    "odd values": (*SDK, ("x-empty", ""), ("X-QUOTED", 'a="1, 2"; b,  c\td'), ("x_underscore.dot~!", "%41{}")),
    "UTF-8": (*SDK, ("x-utf-8", "caf\u00e9 \u2014 \U0001f600".encode().decode("latin-1"))),
    "of other proxies": (
        *SDK,
        ("via", "1.1 squid"),
        ("x-forwarded-for", "203.0.113.7, 10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=203.0.113.7;proto=https"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ),
    "conditions": (*SDK, ("if-none-match", '"x"'), ("range", "bytes=0-1"), ("cache-control", "no-cache")),
    "a page of this machine": (*SDK, ("origin", "http://localhost:3000"), ("referer", "http://localhost:3000/x")),
    "the proxy's own": (*SDK, ("x-mcp-hub-model", "x"), ("x-request-id", "y"), ("idempotency-key", "z")),
    "long": (*SDK, ("x-long", "0123456789" * 500)),
    "an expectation": (*SDK, ("Expect", "100-continue")),
}

QUERIES = (
    "?beta=true",
    "?limit=20&after_id=msg_1",
    "?a=1&a=2&b",
    "?empty=&=x",
    "?q=caf%C3%A9%2f%2F",
    "?q=a+b%20c",
    "?q=it's,(a)*!;$:@/?",
    "?q=[x]{y}|^`\\",
    "?q=50%&r=%zz",
    '?q="<>"',
)

PLACES = (
    "GET /v1/models",
    "GET /v1/models/claude-sonnet-4-6",
    "GET /v1/models/Claude-Sonnet-4-6",
    "GET /v1/models/claude-x_y.z~1:2@20250929",
    "GET /v1/models/nobodys",
    "HEAD /v1/models",
    "HEAD /v1/models/claude-sonnet-4-6",
    "HEAD /v1/nowhere",
    "GET /v1/messages",
    "HEAD /v1/messages",
    "OPTIONS /v1/messages",
    "PUT /v1/messages",
    "POST /v1/Messages",
    "POST /v1/complete",
    "POST /v1/messages/batches",
    "GET /v1/messages/batches",
    "GET /v1/messages/batches/msgbatch_1",
    "GET /v1/messages/batches/msgbatch_1/results",
    "POST /v1/messages/batches/msgbatch_1/cancel",
    "DELETE /v1/messages/batches/msgbatch_1",
    "POST /v1/files",
    "GET /v1/files",
    "GET /v1/files/file_1/content",
    "HEAD /v1/files/file_1/content",
    "DELETE /v1/files/file_1",
    "PATCH /v1/files/file_1",
    "GET /v1/skills",
    "POST /v1/organizations/x/usage",
)

FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="caf\xc3\xa9.pdf"\r\n\r\n'
    + bytes(range(256))
    + b"\r\n--x--\r\n"
)

CONTENT = ("say caf\u00e9 \U0001f600", "tools", "think", "search", "cite", "unknown", "nothing", "bill")
STREAMED = (
    "",
    "odd",
    "crlf",
    "cr",
    "bom",
    "drip",
    "whole",
    "length",
    "close",
    "odd crlf drip",
    "odd cr whole",
    "odd bytewise close",
)
AT_ONCE = ("", "odd chunked", "drip chunked", "close")
REFUSED = tuple(
    f"{word} {status}"
    for word, statuses in {
        "error": (400, 401, 402, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503, 504, 520, 529),
        "page": (200, 403, 413, 502, 503, 529),
        "empty": (200, 202, 204, 304, 404, 500, 529),
        "redirect": (301, 302, 303, 307, 308),
        "binary": (200, 206, 500),
    }.items()
    for status in statuses
)
FRAMINGS = ("length", "chunked drip", "close", "odd length")

MALFORMED: dict[str, RawRequest] = {
    name: RawRequest("POST", "/v1/messages", SDK, sent)
    for name, sent in {
        "no body": b"",
        "half of it": body()[:-1],
        "a list": b"[]",
        "a text": b'"x"',
        "more than an object": body() + b"{}",
        "not UTF-8": body().replace(b"hello", b"\xff"),
        "a number that JSON lacks": body().replace(b"64", b"64,\"x\":NaN"),
        "no model": body(model=None),
        "no max_tokens": body(max_tokens=None),
    }.items()
} | {
    target: RawRequest("POST", target, SDK, body())
    for target in ("/v1//messages", "/v1/messages/", "/v1/x/../messages", "/v1/messages%2F", "/v1", "/V1/messages")
}  # fmt: skip
"""What the proxy answers by itself, in the API's place."""


def requests() -> dict[str, RawRequest]:
    """All that pass, by a name that says what is particular about each."""
    return dict([*_messages(), *_contents(), *_refused(), *_elsewhere()])


def _messages() -> Iterator[tuple[str, RawRequest]]:
    for (name, sent), query in zip(BODIES.items(), cycle(("", *QUERIES[:3]))):
        yield f"the body {name}", _post(sent, SDK, query)
        if name in ("Claude Code", "plain", "turns", "odd spaces"):
            yield f"counting {name}", RawRequest("POST", f"/v1/messages/count_tokens{query}", CLAUDE_CODES, sent)
    for name, headers in HEADERS.items():
        yield f"the headers {name}", _post(BODIES["Claude Code"], headers)
    for query in QUERIES:
        yield f"the query {query}", _post(body(), SDK, query)
    yield "a body in chunks", RawRequest("POST", "/v1/messages", SDK, BODIES["100 KB"], chunked=True)


def _contents() -> Iterator[tuple[str, RawRequest]]:
    headers = cycle((SDK, CLAUDE_CODES))
    for what in CONTENT:
        for stream, hows in ((True, STREAMED), (False, AT_ONCE)):
            for how in hows:
                asked = f"{what} | {how}" if how else what
                yield (
                    f"{asked}{', streamed' if stream else ''}",
                    _post(body(*said(asked), stream=stream), next(headers)),
                )
    yield "overload, streamed", _post(body(*said("overload | drip"), stream=True), SDK)


def _refused() -> Iterator[tuple[str, RawRequest]]:
    places: Sequence[tuple[str, bytes | None]] = (
        ("POST /v1/messages", body(stream=True)),
        ("POST /v1/messages", body()),
        ("GET /v1/models", None),
        ("HEAD /v1/models", None),
        ("POST /v1/messages/count_tokens", body()),
    )
    for what, framing, (place, sent) in zip(REFUSED, cycle(FRAMINGS), cycle(places)):
        asked = f"{what} | {framing}"
        method, target = place.split()
        yield f"{asked} at {place}", RawRequest(method, target, (*SDK, ("x-stand-in", asked)), sent)


def _elsewhere() -> Iterator[tuple[str, RawRequest]]:
    headers = cycle(pairs for name, pairs in HEADERS.items() if name != "none")
    for place, query in zip(PLACES, cycle(("", "?beta=true", "", QUERIES[1]))):
        method, path = place.split()
        sent = {"/v1/files": FORM}.get(path, b"{}") if method in ("POST", "PUT", "PATCH") else None
        yield place, RawRequest(method, f"{path}{query}", next(headers), sent)
    for query in QUERIES:
        yield f"models{query}", RawRequest("GET", f"/v1/models{query}", SDK)
    for what in ("binary 200 | gzip", "page 200 | gzip chunked", "error 404 | gzip"):
        yield what, RawRequest("GET", "/v1/files/file_1/content", (*SDK, ("x-stand-in", what)))
    yield "DELETE with an empty body", RawRequest("DELETE", "/v1/files/file_1", SDK, b"")


def _post(sent: bytes, headers: Pairs, query: str = "") -> RawRequest:
    return RawRequest("POST", f"/v1/messages{query}", headers, sent)
