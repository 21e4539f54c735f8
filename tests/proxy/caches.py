"""Helpers of the cache's tests: asking through a proxy, and what it has kept and told."""

import contextlib
import json
from typing import Any

import anyio
import httpx2

from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.ledger import Row
from mcp_hub.store.responses import Responses
from tests.proxy.conftest import KEY, MODEL, Running
from tests.support import PATIENCE

ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 100}
HEADERS = {"anthropic-version": "2026-10-21"}
"""As Anthropic's SDK sends it, so that its requests are the same as these."""


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


async def ask(running: Running, text: str = "say hello", key: str = KEY, **more: Any) -> httpx2.Response:
    """Ask once; some headers are given by names with `_`, a list being several lines, and all else is the body's."""
    named = [name for name in more if name in ("cache_control", "x_forwarded_for", "x_real_ip")]
    told = {name.replace("_", "-"): more.pop(name) for name in named}
    lines = [(name, line) for name, value in told.items() for line in ([value] if isinstance(value, str) else value)]
    headers = [*HEADERS.items(), ("x-api-key", key), *lines]
    async with httpx2.AsyncClient(verify=False, timeout=PATIENCE) as client:
        return await client.post(
            f"{running.url}/v1/messages", json={**ASK, "messages": said(text), **more}, headers=headers
        )


async def kept(running: Running, count: int) -> None:
    """Wait until so many answers are kept: the last client may have its answer a little before."""
    with anyio.fail_after(PATIENCE), contextlib.closing(Responses(running.state / FILE_NAME, 0, 1e9)) as store:
        while store.stats().entries != count:
            await anyio.sleep(0.01)


def entries(running: Running) -> int:
    """How many answers are kept, when the proxy has ended."""
    with contextlib.closing(Responses(running.state / FILE_NAME, 0, 1e9)) as store:
        return store.stats().entries


def ids(running: Running) -> list[str]:
    """Of the answers that are kept."""
    with contextlib.closing(Responses(running.state / FILE_NAME, 0, 1e9)) as store:
        return [each.id for each in store.list(100)]


async def settled(running: Running, requests: int) -> Row:
    """What the ledger says of all requests, once it knows of so many."""
    with anyio.fail_after(PATIENCE):
        while not (rows := running.spent()) or rows[0].requests < requests:
            await anyio.sleep(0.01)
    return rows[0]


def told(response: httpx2.Response) -> str:
    """What the cache says, without what differs each time."""
    parts = response.headers["cache-status"].split("; ")
    return "; ".join(part for part in parts if not part.startswith(("ttl=", "id=")))


def events_in(response: httpx2.Response) -> list[Any]:
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
