"""Bedrock as an upstream: requests that a server which checks signatures takes, and answers as Anthropic would give."""

import json
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import botocore.auth
import httpx2
import pytest
from anthropic import APIStatusError as StatusError
from anthropic import AsyncAnthropic, AsyncAnthropicBedrock
from botocore.credentials import Credentials

from fixtures.bedrock_server import ACCESS_KEY, MODEL, RECENT, REGION, SECRET, BedrockServer
from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from mcp_hub.errors import ConfigError
from mcp_hub.proxy.sse import SseParser
from mcp_hub.proxy.upstreams.bedrock import Bedrock, endpoint, open_bedrock
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.signing import AwsSigner
from mcp_hub.proxy.upstreams.upstream import BrokenError, Headers, Reply, UnreachedError
from mcp_hub.proxy.wire import BadRequestError
from mcp_hub.proxy_settings import UpstreamSettings
from tests.proxy.conftest import KEY, Serving
from tests.support import served

pytestmark = pytest.mark.anyio

BARE = "anthropic.claude-sonnet-4-6"
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0"
SAID = ["say hello", "tools", "think", "cite", "unknown", "nothing", "caf\u00e9 \u2014 \U0001f50e"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[BedrockServer]:
    with served(BedrockServer()) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of the stand-in, and nothing of this machine's own."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)


def settings(server: MessagesServer | None = None, **more: Any) -> UpstreamSettings:
    url = {} if server is None else {"url": server.url}
    return UpstreamSettings.model_validate({"name": "aws", "kind": "bedrock", "region": REGION, **url, **more})


@asynccontextmanager
async def opened(server: BedrockServer, secret: str | None = None, **more: Any) -> AsyncIterator[Bedrock]:
    upstream = open_bedrock(settings(server, **more), secret, connection(server.url))
    try:
        yield upstream
    finally:
        await upstream.close()


def connection(url: str) -> Connection:
    return Connection("aws", url, ssl.create_default_context())


def asking(text: str, **more: Any) -> bytes:
    request = {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **more}
    return json.dumps(request, ensure_ascii=False).encode()


async def answered(
    upstream: Bedrock, body: bytes, headers: Headers = (), path: str = "/v1/messages"
) -> tuple[int, dict[str, str], bytes]:
    reply = await upstream.send("POST", path, headers, body)
    try:
        told = b"".join([piece async for piece in reply.body])
    finally:
        reply.close()
    return reply.status, {name.lower(): value for name, value in reply.headers}, told


async def take(reply: Reply, came: list[bytes]) -> None:
    async for piece in reply.body:
        came.append(piece)


def events_of(told: bytes) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in SseParser().feed(told)]


# What is sent.


async def test_a_message_is_invoked_and_its_answer_passes(server: BedrockServer) -> None:
    async with opened(server) as upstream:
        status, headers, told = await answered(upstream, asking("say hello"))
    assert status == 200
    assert json.loads(told)["content"] == [{"type": "text", "text": "hello"}]
    assert headers["request-id"] == headers["x-amzn-requestid"]
    assert server.requests[0]["path"] == f"/model/{MODEL}/invoke"


async def test_a_body_changes_only_in_what_bedrock_has_elsewhere(server: BedrockServer) -> None:
    body = (
        f'{{ "model" : "{MODEL}",\n "max_tokens":64.0e0, "temperature": 1.0, "stream":false,'
        '"messages":[{"role":"user", "content":"\\u0063af\u00e9" }] }'
    ).replace("64.0e0", "64")
    async with opened(server) as upstream:
        assert (await answered(upstream, body.encode()))[0] == 200
    assert server.requests[0]["body"] == (
        '{ "max_tokens":64, "temperature": 1.0,'
        '"messages":[{"role":"user", "content":"\\u0063af\u00e9" }],"anthropic_version":"bedrock-2023-05-31" }'
    )


@pytest.mark.parametrize(
    "model",
    ["anthropic.claude-haiku-4-5-20251001-v1:0", PROFILE, "anthropic.a b/c%2F~\u00e9"],
)
async def test_any_model_id_is_one_segment_that_the_signature_covers(server: BedrockServer, model: str) -> None:
    async with opened(server) as upstream:
        assert (await answered(upstream, asking("hi", model=model)))[0] == 200
    place = server.requests[0]["path"].removeprefix("/model/").removesuffix("/invoke")
    assert not set(place) & set(":/ ")


async def test_only_headers_that_bedrock_needs_are_sent(server: BedrockServer) -> None:
    given = [
        ("user-agent", "claude-cli"),
        ("x-api-key", "theirs"),
        ("authorization", "Bearer theirs"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "effort-2025-11-24"),
        ("x-stainless-lang", "js"),
        ("cookie", "a=b"),
    ]
    async with opened(server) as upstream:
        assert (await answered(upstream, asking("hi"), given))[0] == 200
    sent = {name.lower() for name, _ in server.requests[0]["pairs"]}
    assert sent == {
        "host", "accept", "accept-encoding", "authorization", "content-length", "content-type", "x-amz-date",
    }  # fmt: skip


async def test_betas_go_into_the_body(server: BedrockServer) -> None:
    given = [("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20")]
    asked = asking("hi", anthropic_beta=["context-management-2025-06-27"], context_management={"edits": []})
    async with opened(server) as upstream:
        status, _, told = await answered(upstream, asked, given)
    assert (status, told[:1]) == (200, b"{")
    assert json.loads(server.requests[0]["body"])["anthropic_beta"] == [
        "interleaved-thinking-2025-05-14",
        "tool-search-tool-2025-10-19",
        "context-management-2025-06-27",
    ]


async def test_without_one_that_goes_on_there_is_no_such_field(server: BedrockServer) -> None:
    async with opened(server) as upstream:
        asked = asking("hi", anthropic_beta=["oauth-2025-04-20"])
        assert (await answered(upstream, asked, [("anthropic-beta", "fast-mode-2026-02-01")]))[0] == 200
    assert "anthropic_beta" not in json.loads(server.requests[0]["body"])


async def test_fields_are_left_out_or_refused_before_anything_is_sent(server: BedrockServer) -> None:
    async with opened(server) as upstream:
        assert upstream.changes({"metadata": {"user_id": "me"}, "model": MODEL}) == {"metadata": None}
        with pytest.raises(BadRequestError, match="mcp_servers"):
            upstream.changes({"mcp_servers": [{"name": "x"}]})
    assert not server.requests


# Who sends it.


async def test_a_session_is_proved_by_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token")
    with served(BedrockServer(session_token="the-token")) as server:
        async with opened(server) as upstream:
            assert (await answered(upstream, asking("hi")))[0] == 200
            monkeypatch.setenv("AWS_SESSION_TOKEN", "another")
            upstream._signer.forget()
            status, _, told = await answered(upstream, asking("hi"))
    assert (status, json.loads(told)["error"]["type"]) == (401, "authentication_error")


async def test_an_api_key_is_a_bearer() -> None:
    with served(BedrockServer(api_key="bedrock-api-key-1")) as server:
        async with opened(server, "bedrock-api-key-1") as upstream:
            assert (await answered(upstream, asking("hi")))[0] == 200
            assert (await answered(upstream, asking("hi", stream=True)))[0] == 200
        async with opened(server, "another") as upstream:
            assert (await answered(upstream, asking("hi")))[0] == 403
    assert server.requests[0]["headers"]["authorization"] == "Bearer bedrock-api-key-1"


@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_ACCESS_KEY_ID", "AKIANOBODY"), ("AWS_SECRET_ACCESS_KEY", "wrong-secret")]
)
async def test_wrong_credentials_are_told_as_such_and_not_shown(
    server: BedrockServer, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    async with opened(server) as upstream:
        status, headers, told = await answered(upstream, asking("hi"))
    assert (status, json.loads(told)["error"]["type"]) == (401, "authentication_error")
    assert value not in told.decode() + str(headers)


async def test_a_clock_that_is_wrong_is_told(server: BedrockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() - timedelta(minutes=6))
    async with opened(server) as upstream:
        status, _, told = await answered(upstream, asking("hi"))
    assert status == 401
    assert "Signature expired" in json.loads(told)["error"]["message"]


async def test_credentials_that_have_expired_are_found_anew(
    server: BedrockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server) as upstream:
        assert (await answered(upstream, asking("hi")))[0] == 200
        server.expired.add(ACCESS_KEY)
        server.secrets["AKIANEXT"] = SECRET
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEXT")
        assert (await answered(upstream, asking("hi")))[0] == 401
        assert (await answered(upstream, asking("hi")))[0] == 200


async def test_credentials_are_looked_for_in_a_thread_while_others_go_on(server: BedrockServer) -> None:
    threads, asked, found = [], threading.Event(), threading.Event()

    def find() -> Credentials:
        threads.append(threading.get_ident())
        asked.set()
        found.wait(10)
        return Credentials(ACCESS_KEY, SECRET)

    upstream = Bedrock("aws", server.url, AwsSigner("aws", REGION, find), connection(server.url))
    statuses = []

    async def ask() -> None:
        statuses.append((await answered(upstream, asking("hi")))[0])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        with anyio.fail_after(10):
            while not asked.is_set():
                await anyio.lowlevel.checkpoint()
        found.set()  # from the event loop, which would never come here if it waited too
    await upstream.close()
    assert statuses == [200]
    assert threading.get_ident() not in threads


async def test_without_credentials_nothing_is_sent(server: BedrockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    async with opened(server) as upstream:
        with pytest.raises(UnreachedError, match=r"'aws' has no AWS credentials\. Looked for in the environment"):
            await answered(upstream, asking("hi"))
    assert not server.requests


# What comes back.


@pytest.mark.parametrize("how", ["", " | bytewise", " | drip", " | whole"])
@pytest.mark.parametrize("what", [*SAID, "tomorrow"])
async def test_a_stream_is_anthropics_however_it_is_cut(server: BedrockServer, what: str, how: str) -> None:
    async with opened(server) as upstream:
        status, headers, told = await answered(upstream, asking(what + how, stream=True))
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    assert "content-length" not in headers
    events = events_of(told)
    assert [events[0]["type"], events[-1]] == ["message_start", {"type": "message_stop"}]
    assert server.requests[0]["path"].endswith("/invoke-with-response-stream")
    assert server.requests[0]["headers"]["accept"] == "application/vnd.amazon.eventstream"


EXCEPTIONS = [
    ("exception throttlingException", "rate_limit_error"),
    ("exception modelStreamErrorException", "api_error"),
    ("exception modelTimeoutException", "timeout_error"),
    ("exception internalServerException", "api_error"),
    ("exception serviceUnavailableException", "overloaded_error"),
    ("exception validationException", "invalid_request_error"),
    ("failure InternalFailure", "api_error"),
]


@pytest.mark.parametrize(("what", "type"), EXCEPTIONS)
async def test_an_exception_in_a_stream_is_an_error_event(server: BedrockServer, what: str, type: str) -> None:
    async with opened(server) as upstream:
        _, _, told = await answered(upstream, asking(f"{what} | bytewise", stream=True))
    events = events_of(told)
    assert events[-1] == {"type": "error", "error": {"type": type, "message": "as you asked"}}
    assert "content_block_delta" in [event["type"] for event in events]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("corrupt", "is damaged: ChecksumMismatch"),
        ("short", "broke off inside an event"),
        ("torn | whole", "broke off"),
        ("cut", "broke off"),
    ],
)
async def test_a_stream_that_is_not_whole_is_told_after_what_came(
    server: BedrockServer, what: str, problem: str
) -> None:
    came: list[bytes] = []
    async with opened(server) as upstream:
        reply = await upstream.send("POST", "/v1/messages", [], asking(what, stream=True))
        with pytest.raises(BrokenError, match=problem):
            await take(reply, came)
        reply.close()
    assert events_of(b"".join(came))[-1]["type"] == "content_block_delta"


ERRORS = [
    ("error 400", 400, "invalid_request_error"),
    ("error 403", 403, "permission_error"),
    ("error 404", 404, "not_found_error"),
    ("error 408", 504, "timeout_error"),
    ("error 424", 500, "api_error"),
    ("error 429", 429, "rate_limit_error"),
    ("error 500", 500, "api_error"),
    ("error 503", 529, "overloaded_error"),
    ("aws ServiceQuotaExceededException 400", 429, "rate_limit_error"),
    ("aws ModelNotReadyException 429", 529, "overloaded_error"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("what", "status", "type"), ERRORS)
async def test_an_error_has_anthropics_shape_and_status(
    server: BedrockServer, what: str, status: int, type: str, stream: bool
) -> None:
    async with opened(server) as upstream:
        seen, headers, told = await answered(upstream, asking(what, stream=stream))
    assert seen == status
    assert json.loads(told) == {
        "type": "error",
        "error": {"type": type, "message": "as you asked"},
        "request_id": headers["request-id"],
    }
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(told)
    assert headers.get("retry-after") == ("7" if what == "error 429" else headers.get("retry-after"))


async def test_what_bedrock_does_not_take_is_told_in_its_words(server: BedrockServer) -> None:
    async with opened(server) as upstream:
        status, _, told = await answered(upstream, asking("hi"), [("anthropic-beta", "of-tomorrow-2027-01-01")])
    assert (status, json.loads(told)["error"]["message"]) == (400, "invalid beta flag")


@pytest.mark.parametrize("what", ["page 502", "empty 503", "redirect 307"])
async def test_what_something_on_the_way_answers_is_an_error_too(server: BedrockServer, what: str) -> None:
    async with opened(server) as upstream:
        status, headers, told = await answered(upstream, asking(what))
    assert status >= 500
    assert json.loads(told)["type"] == "error"
    assert "location" not in headers


async def test_one_that_cannot_be_reached_is_told_by_its_name() -> None:
    upstream = open_bedrock(settings(url="http://127.0.0.1:9"), None, connection("http://127.0.0.1:9"))
    with pytest.raises(UnreachedError, match="'aws' can't be reached"):
        await answered(upstream, asking("hi"))
    await upstream.close()


# Other paths.


@pytest.mark.parametrize("model", [MODEL, BARE, PROFILE])
async def test_tokens_are_counted_by_the_model_of_all_regions(server: BedrockServer, model: str) -> None:
    asked = asking("hi", model=model, thinking={"type": "enabled", "budget_tokens": 2048})
    async with opened(server) as upstream:
        status, _, told = await answered(upstream, asked, [], "/v1/messages/count_tokens?beta=true")
    assert (status, json.loads(told)) == (200, {"input_tokens": INPUT_TOKENS})
    assert server.requests[0]["path"].startswith("/model/anthropic.claude-")


async def test_a_profile_that_does_not_tell_its_model_cannot_be_counted(server: BedrockServer) -> None:
    asked = asking("hi", model="arn:aws:bedrock:eu-central-1:1:application-inference-profile/anthropic.x/y")
    async with opened(server) as upstream:
        status, _, told = await answered(upstream, asked, [], "/v1/messages/count_tokens")
    assert (status, json.loads(told)["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models?limit=1"),
        ("GET", "/v1/messages"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/files"),
        ("DELETE", "/v1/files/file_1"),
    ],
)
async def test_paths_that_bedrock_has_nothing_for_are_a_404(server: BedrockServer, method: str, path: str) -> None:
    async with opened(server) as upstream:
        reply = await upstream.send(method, path, [], b"")
        told = json.loads(b"".join([piece async for piece in reply.body]))
        reply.close()
    assert (reply.status, told["error"]["type"]) == (404, "not_found_error")
    assert f"{method} {path.partition('?')[0]}" in told["error"]["message"]
    assert not server.requests


async def test_a_body_that_is_no_request_is_a_400(server: BedrockServer) -> None:
    async with opened(server) as upstream:
        assert (await answered(upstream, b"[]"))[0] == 400
    assert not server.requests


# How it is opened.


def test_without_the_extra_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    for secret in ("key", None):
        with pytest.raises(ConfigError, match=r"\[proxy.upstreams.aws\].*pip install 'mcp_hub\[bedrock\]'"):
            open_bedrock(settings(), secret, None)  # type: ignore[arg-type]


def test_the_endpoint_is_the_regions_unless_there_is_a_url() -> None:
    assert endpoint(settings()) == f"https://bedrock-runtime.{REGION}.amazonaws.com"
    assert endpoint(settings(region="us-gov-west-1")) == "https://bedrock-runtime.us-gov-west-1.amazonaws.com"
    assert endpoint(settings(region="cn-north-1")) == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    assert endpoint(settings(url="https://gateway.example/aws")) == "https://gateway.example/aws"


@pytest.mark.parametrize("region", ["global", "eu-central-1.evil.example/", "EU-CENTRAL-1"])
def test_what_is_no_region_is_told(region: str) -> None:
    with pytest.raises(ConfigError, match="is no region of AWS"):
        endpoint(settings(region=region))


# Against the SDKs.


def of_aws(server: BedrockServer, secret: str = SECRET) -> AsyncAnthropicBedrock:
    return AsyncAnthropicBedrock(
        aws_access_key=ACCESS_KEY, aws_secret_key=secret, aws_region=REGION, base_url=server.url, max_retries=0
    )


async def streamed(
    client: AsyncAnthropic | AsyncAnthropicBedrock, what: str, model: str = MODEL
) -> list[dict[str, Any]]:
    """The events as the SDK gives them, without the message's id, which is of the body."""
    async with client:
        stream = await client.messages.create(
            model=model, max_tokens=64, messages=[{"role": "user", "content": what}], stream=True
        )
        events: list[dict[str, Any]] = [event.to_dict(warnings=False) async for event in stream]
    assert events[0]["message"].pop("id").startswith("msg_")
    return events


async def created(client: AsyncAnthropicBedrock, model: str) -> Any:
    async with client:
        return await client.messages.create(
            model=model, max_tokens=64, messages=[{"role": "user", "content": "say hello"}]
        )


async def test_anthropics_own_client_of_bedrock_takes_the_stand_in_for_it(server: BedrockServer) -> None:
    message = await created(of_aws(server), RECENT)
    assert message.content[0].to_dict() == {"type": "text", "text": "hello"}


@pytest.mark.parametrize(
    ("model", "secret", "status", "told"),
    [
        ("x", SECRET, 400, "model identifier is invalid"),
        (RECENT, "wrong", 403, "does not match"),
        (MODEL, SECRET, 400, "Invalid API version: 2026-10-21"),
    ],
)
async def test_the_stand_in_refuses_what_bedrock_does(
    server: BedrockServer, model: str, secret: str, status: int, told: str
) -> None:
    with pytest.raises(StatusError, match=told) as failed:
        await created(of_aws(server, secret), model)
    assert failed.value.status_code == status


@pytest.mark.parametrize("what", SAID)
async def test_our_events_are_those_that_anthropics_own_client_reads(server: BedrockServer, what: str) -> None:
    *theirs, last = await streamed(of_aws(server), what, RECENT)
    async with opened(server) as upstream:
        _, _, told = await answered(upstream, asking(what, stream=True, model=RECENT))
    ours = events_of(told)
    del ours[0]["message"]["id"]
    assert "amazon-bedrock-invocationMetrics" in last
    assert ours == [*theirs, {"type": "message_stop"}]


# Through the proxy.


def upstreams_of(server: BedrockServer) -> list[dict[str, str]]:
    return [{"name": "aws", "kind": "bedrock", "region": REGION, "url": server.url}]


@pytest.mark.parametrize("what", SAID)
async def test_a_plain_client_of_the_proxy_sees_what_anthropic_would_send(
    server: BedrockServer, what: str, proxied: Serving
) -> None:
    with served(MessagesServer()) as anthropic:
        direct = AsyncAnthropic(base_url=anthropic.url, api_key="any", max_retries=0)
        expected = [event for event in await streamed(direct, what) if event["type"] != "ping"]
    async with proxied(upstreams=upstreams_of(server)) as running:
        assert await streamed(running.client(), what) == expected
        (row,) = running.spent("upstream", "model")
    assert (row.group, row.requests, row.errors) == (("aws", MODEL), 1, 0)
    assert row.usage.input == INPUT_TOKENS


async def test_the_proxy_counts_and_takes_what_claude_code_sends(server: BedrockServer, proxied: Serving) -> None:
    async with proxied(upstreams=upstreams_of(server)) as running, running.client() as client:
        counted = await client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}])
        message = await client.beta.messages.create(
            model=f"aws/{MODEL}",
            max_tokens=64,
            messages=[{"role": "user", "content": "say hello"}],
            metadata={"user_id": "me"},
            service_tier="auto",
            betas=["claude-code-20250219", "interleaved-thinking-2025-05-14", "prompt-caching-scope-2026-01-05"],
        )
    assert counted.input_tokens == INPUT_TOKENS
    assert message.content[0].to_dict() == {"type": "text", "text": "hello"}


async def test_the_proxy_refuses_what_bedrock_cannot_do(server: BedrockServer, proxied: Serving) -> None:
    async with proxied(upstreams=upstreams_of(server)) as running, running.client() as client:
        with pytest.raises(StatusError, match="web_search_20250305") as refused:
            await client.messages.create(
                model=MODEL,
                max_tokens=64,
                messages=[{"role": "user", "content": "hi"}],
                tools=[{"type": "web_search_20250305", "name": "web_search"}],
            )
        assert not running.spent("upstream")
    assert refused.value.status_code == 400
    assert not server.requests


@pytest.mark.parametrize(
    ("what", "type"), [("exception throttlingException", "rate_limit_error"), ("corrupt", "api_error")]
)
async def test_a_stream_that_fails_is_told_and_counted_as_one(
    server: BedrockServer, what: str, type: str, proxied: Serving
) -> None:
    async with proxied(upstreams=upstreams_of(server)) as running, httpx2.AsyncClient() as client:
        told = await client.post(
            f"{running.url}/v1/messages", headers={"x-api-key": KEY}, content=asking(what, stream=True)
        )
        (row,) = running.spent("upstream")
    assert events_of(told.content)[-1]["error"]["type"] == type
    assert (row.group, row.errors) == (("aws",), 1)
