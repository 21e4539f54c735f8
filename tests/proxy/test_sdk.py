"""Anthropic's SDK through the proxy: its helpers, its retries and its classes of errors are as they are without it."""

from typing import Any

import anthropic
import anyio
import pytest
from anthropic import AsyncAnthropic

from fixtures.messages_content import BLOCKS
from fixtures.messages_server import INPUT_TOKENS, MessagesServer
from tests.proxy.conftest import CREDENTIAL, MODEL, Serving
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 100}
TEXTS = ("say caf\u00e9 \U0001f600", *sorted(BLOCKS))
HOWS = ("", " | odd crlf drip")

ERRORS: dict[int, type[anthropic.APIStatusError]] = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    409: anthropic.ConflictError,
    413: anthropic.APIStatusError,
    422: anthropic.UnprocessableEntityError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    504: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def direct(upstream: MessagesServer) -> AsyncAnthropic:
    """The SDK's client without the proxy."""
    return AsyncAnthropic(base_url=upstream.url, api_key=CREDENTIAL, max_retries=0)


async def streamed(client: AsyncAnthropic, asked: str) -> tuple[list[str], dict[str, Any]]:
    """The text as it came, and the whole message."""
    async with client.messages.stream(**ASK, messages=said(asked)) as stream:
        pieces = [piece async for piece in stream.text_stream]
        return pieces, (await stream.get_final_message()).to_dict(warnings=False)


async def test_a_streams_text_and_its_final_message_are_the_same_as_without_the_proxy(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied() as running, running.client() as through, direct(upstream) as alone:
        for asked in [text + how for text in TEXTS for how in HOWS]:
            pieces, message = await streamed(through, asked)
            assert (pieces, message) == await streamed(alone, asked)
            assert "".join(pieces) == "".join(block.get("text", "") for block in message["content"])
            assert message["id"].startswith("msg_")


async def test_a_message_at_once_is_the_same_as_without_the_proxy(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, running.client() as through, direct(upstream) as alone:
        for asked in TEXTS:
            one, other = [
                (await client.messages.create(**ASK, messages=said(asked))).to_dict(warnings=False)
                for client in (through, alone)
            ]
            assert one == other
            assert one["content"] == BLOCKS.get(asked, [{"type": "text", "text": asked.removeprefix("say ")}])


async def test_several_tools_come_with_their_arguments_and_one_without_any(proxied: Serving) -> None:
    async with proxied() as running, running.client() as client:
        _, message = await streamed(client, "tools")
    asked = [block["input"] for block in message["content"] if block["type"] == "tool_use"]
    assert asked == [{"query": "caf\u00e9", "deep": {"a": [1.0, {}]}}, {}, {"query": 'a "quoted" \\ one\n'}]
    assert message["stop_reason"] == "tool_use"


async def test_counting_models_and_files_pass(proxied: Serving, upstream: MessagesServer) -> None:
    content = bytes(range(256))
    async with proxied() as running, running.client() as client:
        assert (await client.messages.count_tokens(model=MODEL, messages=said("hello"))).input_tokens == INPUT_TOKENS
        assert [model.id async for model in client.models.list()] == [MODEL]
        assert (await client.models.retrieve(MODEL)).display_name == "Claude Sonnet 4.6"
        file = await client.beta.files.upload(file=("caf\u00e9.pdf", content, "application/pdf"))
        assert content in upstream.requests[-1]["raw"]
        assert await (await client.beta.files.download(file.id)).read() == content * 4


@pytest.mark.parametrize("stream", [False, True])
async def test_an_overloaded_upstream_is_tried_again_by_the_client_and_each_try_is_a_request(
    proxied: Serving, upstream: MessagesServer, stream: bool
) -> None:
    asked = said("flaky 2")
    async with proxied() as running, running.client() as client:
        trying = client.with_options(max_retries=2)
        if stream:
            async with trying.messages.stream(**ASK, messages=asked) as told:
                message = await told.get_final_message()
        else:
            message = await trying.messages.create(**ASK, messages=asked)
        with anyio.fail_after(PATIENCE):  # the client leaves an error's body unread, and what it left is settled later
            while (row := running.spent("key")[0]).requests < 3:
                await anyio.sleep(0.01)
    assert message.stop_reason == "end_turn"
    tries = [dict(each["pairs"])["x-stainless-retry-count"] for each in upstream.requests]
    assert tries == ["0", "1", "2"]
    assert (row.requests, row.usage.input) == (3, INPUT_TOKENS)


async def test_a_client_that_gives_up_has_the_upstreams_last_error(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied() as running, running.client() as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded") as failed:
            await client.with_options(max_retries=1).messages.create(**ASK, messages=said("flaky 9"))
    assert (failed.value.status_code, len(upstream.requests)) == (529, 2)


async def test_an_error_is_of_the_class_that_it_is_without_the_proxy(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied() as running, running.client() as through, direct(upstream) as alone:
        for status, kind in ERRORS.items():
            for stream in (False, True):
                found = []
                for client in (through, alone):
                    with pytest.raises(kind, match="as you asked") as failed:
                        await client.messages.create(**ASK, messages=said(f"error {status}"), stream=stream)
                    found.append((type(failed.value), failed.value.status_code, failed.value.body))
                    assert failed.value.request_id == "req_stand_in"
                assert found[0] == found[1]
                assert found[0][1] == status


async def test_an_error_in_the_middle_of_a_stream_is_raised_after_what_came_before_it(
    proxied: Serving, upstream: MessagesServer
) -> None:
    told = []
    async with proxied() as running, running.client() as through, direct(upstream) as alone:
        for client in (through, alone):
            pieces: list[str] = []
            with pytest.raises(anthropic.APIStatusError) as failed:
                await heard(client, "overload", pieces)
            told.append((pieces, failed.value.body))
    assert told[0] == told[1]
    assert told[0][0] == ["overload"]
    assert "overloaded_error" in str(told[0][1])


async def heard(client: AsyncAnthropic, asked: str, pieces: list[str]) -> None:
    """Hear a stream to its end."""
    async with client.messages.stream(**ASK, messages=said(asked)) as stream:
        async for piece in stream.text_stream:
            pieces.append(piece)
