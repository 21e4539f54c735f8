"""Similar hits in a proxy that is served: what asks the same in other words, and what only looks like it."""

import contextlib
import time
from pathlib import Path

import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.responses import Responses
from tests.proxy.caches import ask, kept, told
from tests.proxy.conftest import Serving

pytestmark = pytest.mark.anyio

SIMILAR = {"similar_for": ["*"]}
FIRST, OTHER_WORDS = "Please explain what parse_args does in cli.py", "Explain what parse_args does in cli.py"
OTHER_FILE = "Explain what parse_args does in app.py"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def plain(status: str) -> str:
    """A status without the similarity, which is the model's affair."""
    return "; ".join(part for part in status.split("; ") if not part.startswith("similarity="))


async def test_what_asks_the_same_is_answered_and_told_so(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache=SIMILAR) as running:
        first = await ask(running, FIRST)
        await kept(running, 1)
        second = await ask(running, OTHER_WORDS)
        (row,) = running.spent()
    assert plain(told(second)) == "mcp_hub; hit; kind=similar"
    assert second.json() == first.json()
    assert (row.requests, row.served) == (2, 1)
    assert len(upstream.served) == 1


async def test_another_file_is_another_question_and_the_header_says_so(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache=SIMILAR) as running:
        await ask(running, FIRST)
        await kept(running, 1)
        second = await ask(running, OTHER_FILE)
    assert plain(told(second)) == 'mcp_hub; fwd=miss; detail="the paths differ"'
    assert len(upstream.served) == 2


async def test_without_being_switched_on_only_the_very_same_is_answered(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache={"similar_for": ["another-*"]}) as running:
        await ask(running, FIRST)
        await kept(running, 1)
        second = await ask(running, OTHER_WORDS)
    assert told(second) == "mcp_hub; fwd=uri-miss"


async def test_a_long_conversation_is_not_looked_up(proxied: Serving, upstream: MessagesServer) -> None:
    before = [{"role": "user", "content": "say a"}, {"role": "assistant", "content": "a"}] * 2
    async with proxied(cache={**SIMILAR, "conversation_history_threshold": 4}) as running:
        for text in (FIRST, OTHER_WORDS):
            answer = await ask(running, messages=[*before, {"role": "user", "content": text}])
            await kept(running, 1 + (text == OTHER_WORDS))
    assert told(answer) == "mcp_hub; fwd=uri-miss"


async def test_another_history_is_another_conversation(proxied: Serving, upstream: MessagesServer) -> None:
    async with proxied(cache=SIMILAR) as running:
        for number, text in enumerate((FIRST, OTHER_WORDS), start=1):
            before = [{"role": "user", "content": f"say {number}"}, {"role": "assistant", "content": "so"}]
            answer = await ask(running, messages=[*before, {"role": "user", "content": text}])
            await kept(running, number)
    assert told(answer) == "mcp_hub; fwd=uri-miss"


async def test_a_pair_that_was_reported_as_wrong_is_never_taken_for_the_same_again(
    proxied: Serving, upstream: MessagesServer, tmp_path: Path
) -> None:
    async with proxied(cache=SIMILAR) as running:
        await ask(running, FIRST)
        await kept(running, 1)
        assert "hit" in told(await ask(running, OTHER_WORDS))
        with contextlib.closing(Responses(running.state / FILE_NAME, 0, 1e9)) as store:
            (pair,) = store.wrong(store.list(1)[0].id, time.time())
        assert {pair.text, pair.other} == {FIRST, OTHER_WORDS}
        assert told(await ask(running, FIRST)) == "mcp_hub; fwd=uri-miss"
        await kept(running, 1)
        again = await ask(running, OTHER_WORDS)
    assert 'detail="somebody has said that the two aren\'t the same"' in told(again)
    assert len(upstream.served) == 3


async def test_who_wants_nothing_kept_is_answered_and_their_words_are_not_kept(
    proxied: Serving, upstream: MessagesServer
) -> None:
    async with proxied(cache=SIMILAR) as running:
        await ask(running, FIRST)
        await kept(running, 1)
        assert "kind=similar" in told(await ask(running, OTHER_WORDS, cache_control="no-store"))
        with contextlib.closing(Responses(running.state / FILE_NAME, 0, 1e9)) as store:
            assert store.wrong(store.list(1)[0].id, time.time()) == []
