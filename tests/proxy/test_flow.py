"""The way of a request: passed on as it came, pinned, admitted under every cap, and settled to what it used."""

import json
from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from anthropic import AuthenticationError, NotFoundError

from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from mcp_hub.proxy.keys import KeyRecord, new_key
from mcp_hub.proxy.pricing import PriceList, Usage, cost
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.keys import KeyStore
from tests.proxy.conftest import CREDENTIAL, KEY, MODEL, Running, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

PRICE = PriceList.shipped().of(MODEL)
HAIKU = "claude-haiku-4-5"
ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 100}
DAY = {"budget_duration": "1d"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def budget(dollars: str) -> dict[str, Any]:
    return {"budgets": {"team": {"web": {"budget_limit": dollars, **DAY}}}}


def one(running: Running, *by: str) -> Any:
    (row,) = running.spent(*by)
    return row


async def raw(running: Running, body: bytes, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=False, timeout=PATIENCE) as client:
        sent = {"x-api-key": KEY, "content-type": "application/json", **headers}
        return await client.post(f"{running.url}{path}", content=body, headers=sent)


async def test_an_answer_passes_and_what_it_used_is_in_the_ledger_to_the_nano_dollar(proxied: Serving) -> None:
    async with proxied() as running, running.client() as client:
        message = await client.messages.create(**ASK, messages=said("say hello"))
        row = one(running, "key", "team", "model")
    assert message.content[0].text == "hello"
    assert row.group == ("ci", "web", MODEL)
    used = Usage(input=INPUT_TOKENS, output=5, cache_read=3)
    assert PRICE is not None
    assert (row.usage, row.dollars, row.requests, row.errors) == (used, cost(used, PRICE), 1, 0)


async def test_a_stream_is_the_same_bytes_as_without_the_proxy(proxied: Serving, upstream: MessagesServer) -> None:
    body = json.dumps({**ASK, "stream": True, "messages": said("say café"), "unknown": {"b": 1, "a": [1.0]}}).encode()
    async with proxied() as running:
        through = await raw(running, body)
        direct = await raw(replace(running, url=upstream.url), body, **{"x-api-key": CREDENTIAL})
    assert json.loads(upstream.requests[0]["body"]) == json.loads(upstream.requests[1]["body"])
    assert upstream.requests[0]["body"].encode() == body
    assert through.content == direct.content
    assert through.headers["request-id"] == direct.headers["request-id"]
    assert through.headers["content-type"] == direct.headers["content-type"]
    assert through.headers["x-mcp-hub-model"] == MODEL


async def test_the_sdks_streaming_helper_reads_text_and_tools(proxied: Serving) -> None:
    async with proxied() as running, running.client() as client:
        async with client.messages.stream(**ASK, messages=said("say café")) as stream:
            assert await stream.get_final_text() == "café"
        async with client.messages.stream(**ASK, messages=said("tool")) as stream:
            final = await stream.get_final_message()
        row = one(running)
    assert final.stop_reason == "tool_use"
    assert final.content[0].input == {"query": "café"}  # type: ignore[union-attr]
    assert (row.requests, row.usage.input) == (2, 2 * INPUT_TOKENS)


async def test_the_key_stays_here_and_the_upstream_is_sent_its_own_credential(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied() as running, running.client() as client:
        await client.messages.create(**ASK, messages=said("say hello"), extra_headers={"anthropic-beta": "a,b"})
    (request,) = upstream.requests
    headers = {name.lower(): value for name, value in request["headers"].items()}
    assert headers["x-api-key"] == CREDENTIAL
    assert "authorization" not in headers
    assert headers["anthropic-beta"] == "a,b"
    assert KEY not in str(request)


async def test_who_has_no_key_is_refused(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running:
        for key in ("mh-unknown", "some-other-key"):
            async with running.client(key) as client:
                with pytest.raises(AuthenticationError, match="isn't one of this proxy's"):
                    await client.messages.create(**ASK, messages=said("say hello"))
    assert upstream.requests == []


async def test_an_upstreams_credential_is_for_clients_with_a_key_only(proxied: Serving) -> None:
    async with proxied(keys=[]) as running:
        answer = await raw(running, json.dumps({**ASK, "messages": said("say hello")}).encode())
    assert answer.status_code == 401


async def test_a_limited_key_reaches_no_other_path_that_may_ask_a_model(
    proxied: Serving, upstream: MessagesServer
) -> None:
    keys = [{"name": "ci", "key": KEY, "allowed_models": [HAIKU]}]
    async with proxied(keys=keys) as running:
        for path in ("/v1/Messages", "/v1/messages/batches", "/v1/complete"):
            assert (await raw(running, b"{}", path)).status_code == 404
    assert upstream.requests == []


async def test_without_keys_a_clients_own_credential_passes(proxied: Serving, upstream: MessagesServer) -> None:
    upstreams = [{"name": "anthropic", "url": upstream.url}]
    async with proxied(keys=[], upstreams=upstreams) as running, running.client(CREDENTIAL) as client:
        await client.messages.create(**ASK, messages=said("say hello"))
        assert one(running).group == ("",)
    assert upstream.requests[0]["headers"]["authorization"] == f"Bearer {CREDENTIAL}"


async def test_a_model_is_pinned_and_told(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(pins=[{"when": "claude-opus-*", "model": MODEL}]) as running, running.client() as client:
        answer = await client.messages.with_raw_response.create(
            model="claude-opus-4-6", max_tokens=100, messages=said("say hello")
        )
        counted = await client.messages.count_tokens(model="claude-opus-4-6", messages=said("say hello"))
        assert one(running, "model").group == (MODEL,)
    assert answer.headers["x-mcp-hub-model"] == MODEL
    assert answer.headers["x-mcp-hub-upstream"] == "anthropic"
    assert [json.loads(each["body"])["model"] for each in upstream.requests] == [MODEL, MODEL]
    assert counted.input_tokens == INPUT_TOKENS


async def test_a_model_that_is_not_allowed_is_refused_with_those_that_are(proxied: Serving) -> None:
    keys = [{"name": "ci", "key": KEY, "allowed_models": [HAIKU]}]
    async with proxied(keys=keys) as running, running.client() as client:
        with pytest.raises(NotFoundError, match=HAIKU):
            await client.messages.create(**ASK, messages=said("say hello"))


def messages(upstream: MessagesServer) -> list[Any]:
    """The bodies that were sent to be answered, and not only counted."""
    return [json.loads(each["body"]) for each in upstream.requests if each["path"] == "/v1/messages"]


def large(output: int) -> bytes:
    return json.dumps({"model": MODEL, "max_tokens": output, "messages": said("say hello")}).encode()


async def test_a_used_up_budget_is_402_with_the_cap_and_why(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**budget("0.001")) as running:
        refused = await raw(running, large(50_000))
    assert refused.status_code == 402
    error = refused.json()["error"]
    assert error["type"] == "billing_error"
    assert error["message"].startswith(
        "The budget of team 'web' (0.001 dollars a day) is less than this request may need: "
    )
    assert messages(upstream) == []


async def test_a_max_tokens_that_does_not_fit_is_lowered_and_told(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(**budget("0.1"), output_floor=16) as running:
        answer = await raw(running, large(128_000))
    lowered = int(answer.headers["x-mcp-hub-max-tokens"])
    assert 16 <= lowered < 128_000
    assert [each["max_tokens"] for each in messages(upstream)] == [lowered]


async def test_it_is_refused_in_place_of_lowered_where_that_is_asked_for(proxied: Serving) -> None:
    async with proxied(**budget("0.1"), when_too_large="refuse") as running:
        assert (await raw(running, large(128_000))).status_code == 402


async def test_max_tokens_is_never_lowered_to_the_thinking_budget(proxied: Serving, upstream: MessagesServer) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 20_000}}
    body = json.dumps({"model": MODEL, "max_tokens": 128_000, **thinking, "messages": said("say hello")}).encode()
    async with proxied(**budget("0.1"), output_floor=16) as running:
        assert (await raw(running, body)).status_code == 402
    assert messages(upstream) == []


async def test_an_upstreams_error_passes_as_it_is_and_costs_nothing(proxied: Serving) -> None:
    async with proxied() as running:
        answers = [
            await raw(running, json.dumps({**ASK, "stream": stream, "messages": said("error 429")}).encode())
            for stream in (False, True)
        ]
        row = one(running)
    for answer in answers:
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["request-id"] == "req_stand_in"
        assert answer.json()["error"] == {"type": "rate_limit_error", "message": "as you asked"}
    assert (row.requests, row.errors, row.dollars) == (2, 2, 0)


@pytest.mark.parametrize("how", ["cut", "torn"])
async def test_a_stream_that_is_cut_ends_in_an_error_event_and_is_charged_all_it_may_have_used(
    proxied: Serving, how: str
) -> None:
    async with proxied() as running:
        answer = await raw(running, json.dumps({**ASK, "stream": True, "messages": said(how)}).encode())
        row = one(running)
    assert answer.text.endswith("\n\n")
    *_, before, last = answer.text.strip().split("\n\n")
    assert json.loads(before.split("data: ")[1])["type"] == "content_block_delta"
    assert last.startswith("event: error\n")
    assert json.loads(last.split("data: ")[1])["error"]["type"] == "api_error"
    assert (row.errors, row.usage.output) == (1, ASK["max_tokens"])


async def test_an_upstream_that_cannot_be_reached_is_told_and_costs_nothing(proxied: Serving) -> None:
    upstreams = [{"name": "anthropic", "url": "http://127.0.0.1:9", "credential": CREDENTIAL}]
    async with proxied(upstreams=upstreams) as running:
        answer = await raw(running, json.dumps({**ASK, "messages": said("say hello")}).encode())
        row = one(running)
    assert answer.status_code == 502
    assert "'anthropic' can't be reached" in answer.json()["error"]["message"]
    assert (row.errors, row.dollars) == (1, 0)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": "m"}', b'{"model": 1, "max_tokens": 5}', b"\xff"])
async def test_a_malformed_request_is_the_clients_fault(
    proxied: Serving, upstream: MessagesServer, body: bytes
) -> None:
    async with proxied() as running:
        answer = await raw(running, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert upstream.requests == []


async def test_what_cannot_be_counted_is_refused_under_a_cap_only(proxied: Serving) -> None:
    async with proxied() as running:
        assert (await raw(running, b"{}", "/v1/messages/batches")).status_code == 200
    async with proxied(**budget("5")) as running:
        refused = await raw(running, b"{}", "/v1/messages/batches")
        async with running.client() as client:
            assert (await client.models.list()).data[0].id == MODEL
    assert refused.status_code == 402
    assert "can't be counted, and the cap of team 'web' needs that" in refused.text


async def test_a_model_without_a_price_is_refused_under_a_dollar_cap_only(proxied: Serving) -> None:
    body = json.dumps({**ASK, "model": "a-model-of-nobody", "messages": said("say hello")}).encode()
    async with proxied() as running:
        assert (await raw(running, body)).status_code == 200
    async with proxied(**budget("5")) as running:
        refused = await raw(running, body)
    assert refused.status_code == 402
    assert "has no price" in refused.text


@pytest.mark.parametrize("stream", [False, True])
async def test_no_cap_is_passed_by_many_at_once_and_the_ledger_is_what_was_served(
    proxied: Serving, upstream: MessagesServer, stream: bool
) -> None:
    """Against an upstream that uses all that it may."""
    assert PRICE is not None
    body = json.dumps({"model": MODEL, "max_tokens": 50, "stream": stream, "messages": said("bill")}).encode()
    answers: list[int] = []
    async with proxied(**budget("0.02"), wait_seconds=0, when_too_large="refuse") as running:

        async def ask() -> None:
            answers.append((await raw(running, body)).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask)
        row = one(running)
    served = [Usage.from_api(each) for each in upstream.served]
    assert 0 < answers.count(200) < 30
    assert set(answers) <= {200, 402, 429}
    assert len(served) == answers.count(200) == row.requests
    assert row.dollars == sum(cost(each, PRICE) for each in served)
    assert row.dollars <= 20_000_000


async def test_a_request_waits_for_others_to_settle(proxied: Serving, upstream: MessagesServer) -> None:
    """The first one reserves nearly all, and uses little."""
    body = json.dumps({"model": MODEL, "max_tokens": 4_000, "messages": said("say hello")}).encode()
    answers: list[int] = []
    async with proxied(**budget("0.1"), wait_seconds=PATIENCE, when_too_large="refuse") as running:

        async def ask() -> None:
            answers.append((await raw(running, body)).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(ask)
    assert answers == [200] * 6
    assert len(upstream.served) == 6


@pytest.mark.parametrize(("duration", "status"), [("1m", 429), ("1h", 402)])
async def test_a_rate_by_the_minute_is_a_429_that_says_when_to_try_again_and_a_longer_one_is_a_402(
    proxied: Serving, duration: str, status: int
) -> None:
    body = json.dumps({**ASK, "messages": said("say hello")}).encode()
    limit = {"request_limit": 1, "request_limit_duration": duration, "rolling": True}
    async with proxied(budgets={"team": {"web": limit}}) as running:
        answers = [await raw(running, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, status]
    assert 0 <= int(answers[1].headers.get("retry-after", 0)) <= 60
    assert ("retry-after" in answers[1].headers) is (status == 429)


async def test_a_key_needs_an_upstream_with_a_credential_for_its_own_goes_nowhere(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(upstreams=[{"name": "anthropic", "url": upstream.url}], keys=[]) as running:
        secret, digest = new_key()
        await anyio.to_thread.run_sync(KeyStore(running.state / FILE_NAME).create, KeyRecord("ci", digest))
        with anyio.fail_after(PATIENCE):
            while (answer := await raw(running, b"{}", **{"x-api-key": secret})).status_code == 401:
                await anyio.sleep(0.05)
        for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"):
            body = json.dumps({**ASK, "messages": said("say hello")}).encode()
            answer = await raw(running, body, path, **{"x-api-key": secret})
            assert answer.status_code == 503
            assert "has no credential of its own. Give it one" in answer.json()["error"]["message"]
    assert upstream.requests == []


async def test_a_credential_in_which_a_keys_beginning_stands_by_chance_passes(
    proxied: Serving, upstream: MessagesServer
) -> None:
    own = "sk-ant-oat01-abcmh-def"
    async with proxied(upstreams=[{"name": "anthropic", "url": upstream.url}], keys=[]) as running:
        await raw(running, json.dumps({**ASK, "messages": said("hi")}).encode(), **{"x-api-key": own})
    assert upstream.requests[0]["headers"]["x-api-key"] == own


async def test_a_declared_key_counts_beside_another_credential(proxied: Serving) -> None:
    headers = {"x-api-key": "sk-ant-of-the-client", "authorization": f"Bearer {KEY}"}
    async with proxied() as running:
        answer = await raw(running, json.dumps({**ASK, "messages": said("hi")}).encode(), **headers)
    assert answer.status_code == 200
