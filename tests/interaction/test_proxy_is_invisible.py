"""The proxy beside no proxy: what it has nothing to change in is the same bytes on both sides, whatever is asked.

Every request of tests/proxied_requests.py goes to the stand-in by itself and through `mcp_hub proxy`, by bare sockets.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fixtures.messages_server import MessagesServer
from tests.proxied_requests import BODIES, MALFORMED, SDK, requests
from tests.raw_http import RawAnswer, RawRequest, exchange
from tests.support import PATIENCE, served

pytestmark = pytest.mark.xdist_group("the proxy beside none")

CREDENTIAL = "the-credential-of-the-upstream"
KEY = "a-key-of-the-proxy-0123456789"

PASSING = '[[proxy.upstreams]]\nname = "anthropic"\nurl = "{url}"\n'
KEYS = f"""{PASSING}credential = "{CREDENTIAL}"

[[proxy.keys]]
name = "ci"
key = "{KEY}"
team = "web"
budget_limit = 1_000_000
budget_duration = "1Y"

[proxy.budgets.team.web]
token_limit = 1_000_000_000_000
token_limit_duration = "1Y"

[proxy.budgets.session]
request_limit = 1_000_000
request_limit_duration = "1d"
"""

ONE_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding"})
"""Headers of an answer that are about its connection (RFC 9110, 7.6.1); the client's is another than the proxy's."""

OF_A_STREAM = frozenset({"content-length"})
"""Headers that a stream has no more behind the proxy, which ends one that breaks off with an error event."""

BY_THE_PROXY = "x-mcp-hub-"
"""Headers of an answer that say what the proxy did."""

OF_THE_NEXT_HOP = frozenset({"connection", "expect"})
"""Headers of a request that are about its connection, with whether to wait with the body: the proxy has it whole."""

ASKED_FOR = ("accept-encoding", "identity")
"""The header that the proxy sends in place of the client's: it reads what an answer used."""

FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Of a request in chunks, whose body the proxy has whole before it asks anyone; the same of a body of no bytes."""

COUNTED = ("POST /v1/messages", "POST /v1/messages/count_tokens", "GET /v1/models", "HEAD /v1/models")
"""What is served under a cap."""

Sides = tuple[Any, Any]
"""What it is without the proxy, and with it."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[MessagesServer]:
    with served(MessagesServer(CREDENTIAL)) as server:
        yield server


@contextmanager
def proxy(folder: Path, settings: str, shared: set[int]) -> Iterator[int]:
    """`mcp_hub proxy` with these settings; its port."""
    (folder / "proxy.toml").write_text(settings)
    config = ["--config", str(folder / "proxy.toml")]
    command = [sys.executable, "-m", "mcp_hub", "proxy", *config, "--listen", "127.0.0.1:0"]
    environ = {**os.environ, "MCP_HUB_STATE_DIR": str(folder / "state")}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=subprocess.PIPE, text=True)
    shared.add(process.pid)
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        found = re.search(r"http://\S+", told)
        assert found, told + process.stderr.read()
        yield urlsplit(found[0]).port or 0
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def passing(upstream: MessagesServer, tmp_path_factory: pytest.TempPathFactory, shared: set[int]) -> Iterator[int]:
    """A proxy without keys, to which clients bring their own credential."""
    with proxy(tmp_path_factory.mktemp("passing"), PASSING.format(url=upstream.url), shared) as port:
        yield port


@pytest.fixture(scope="module")
def capped(upstream: MessagesServer, tmp_path_factory: pytest.TempPathFactory, shared: set[int]) -> Iterator[int]:
    """A proxy with a key, and caps of every kind."""
    with proxy(tmp_path_factory.mktemp("capped"), KEYS.format(url=upstream.url), shared) as port:
        yield port


def with_header(request: RawRequest, *headers: tuple[str, str]) -> RawRequest:
    return replace(request, headers=(*request.headers, *headers))


def told(answer: RawAnswer) -> dict[str, Any]:
    """What a client is told: the order of headers says nothing, but for those of one name."""
    streams = any(value.startswith("text/event-stream") for value in answer.values("content-type"))
    left_out = ONE_HOPS | (OF_A_STREAM if streams else frozenset())
    headers = [each for each in answer.headers if each[0] not in left_out and not each[0].startswith(BY_THE_PROXY)]
    return {"status": answer.status, "headers": sorted(headers, key=lambda each: each[0]), "body": answer.body}


def received(upstream: MessagesServer, request: RawRequest) -> list[dict[str, Any]]:
    """What has reached the stand-in; it forgets it."""
    left_out = OF_THE_NEXT_HOP | (FRAMING if request.chunked or not request.body else frozenset())
    seen = [
        {
            "line": f"{each['method']} {each['path']}",
            "headers": sorted(
                ((name.lower(), value.strip()) for name, value in each["pairs"] if name.lower() not in left_out),
                key=lambda pair: pair[0],
            ),
            "body": each["raw"],
        }
        for each in upstream.requests
    ]
    upstream.requests.clear()
    return seen


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Sides]:
    """What isn't the same: of headers those that only one side has, of bytes where they part."""
    found: dict[str, Sides] = {}
    for part in sorted(one.keys() | other.keys()):
        here, there = one.get(part), other.get(part)
        if here == there:
            continue
        if isinstance(here, bytes) and isinstance(there, bytes):
            same = next((at for at, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]), None)
            start = max(0, (min(len(here), len(there)) if same is None else same) - 20)
            here, there = here[start : start + 80], there[start : start + 80]
        elif isinstance(here, list) and isinstance(there, list) and sorted(here) != sorted(there):
            here, there = [each for each in here if each not in there], [each for each in there if each not in here]
        found[part] = here, there
    return found


def answered(port: int, request: RawRequest) -> dict[str, Any]:
    """What a server tells, or how it fails to."""
    try:
        return told(exchange(port, request))
    except (OSError, AssertionError, ValueError) as error:
        return {"failure": repr(error)}


def compared(upstream: MessagesServer, port: int, straight: RawRequest, through: RawRequest) -> dict[str, Any]:
    """What is different in a request's two ways: in its answer, and in what the stand-in received."""
    upstream.requests.clear()
    alone, alone_seen = answered(upstream.server_port, straight), received(upstream, straight)
    proxied, seen = answered(port, through), received(upstream, through)
    assert "failure" not in alone
    assert len(alone_seen) == 1
    kept = [each for each in alone_seen[0]["headers"] if each[0] != ASKED_FOR[0]]
    alone_seen[0]["headers"] = sorted([*kept, ASKED_FOR], key=lambda pair: pair[0])
    found = {"answered": differences(alone, proxied)}
    if len(seen) == 1:
        found["received"] = differences(alone_seen[0], seen[0])
    else:
        found["received"] = {"requests": ([each["line"] for each in alone_seen], [each["line"] for each in seen])}
    return {where: what for where, what in found.items() if what}


def listed(different: dict[str, Any]) -> str:
    """Differences, a line for each request."""
    return "\n".join(f"{name}: {what}" for name, what in different.items())


def test_without_keys_every_request_and_answer_is_the_same_as_without_the_proxy(
    upstream: MessagesServer, passing: int
) -> None:
    credentials = cycle(
        (
            [("x-api-key", CREDENTIAL)],
            [("Authorization", f"Bearer {CREDENTIAL}")],
            [("X-Api-Key", CREDENTIAL), ("authorization", "Bearer another")],
        )
    )
    different: dict[str, Any] = {}
    asked = requests()
    for (name, request), credential in zip(asked.items(), credentials, strict=False):
        own = with_header(request, *credential)
        if found := compared(upstream, passing, own, own):
            different[name] = found
    assert len(asked) >= 200
    assert not different, listed(different)


def test_with_keys_and_caps_that_are_far_away_they_are_the_same_too(upstream: MessagesServer, capped: int) -> None:
    """The client has the proxy's key, and the stand-in is sent its own credential."""
    different: dict[str, Any] = {}
    asked = {
        name: request
        for name, request in requests().items()
        if f"{request.method} {request.target.partition('?')[0]}" in COUNTED
    }
    for name, request in asked.items():
        straight = with_header(request, ("x-api-key", CREDENTIAL))
        if found := compared(upstream, capped, straight, with_header(request, ("x-api-key", KEY))):
            different[name] = found
    assert len(asked) >= 200
    assert not different, listed(different)


def test_an_error_that_says_it_is_a_stream_and_is_none_passes_as_it_is(upstream: MessagesServer, passing: int) -> None:
    different: dict[str, Any] = {}
    for asked in ("error 529 | typed", "page 502 | typed chunked", "empty 500 | typed"):
        request = RawRequest(
            "POST", "/v1/messages", (*SDK, ("x-stand-in", asked), ("x-api-key", CREDENTIAL)), BODIES["plain"]
        )
        if found := compared(upstream, passing, request, request):
            different[asked] = found
    assert not different, listed(different)


def test_what_the_proxy_answers_by_itself_has_the_apis_shape_and_status(upstream: MessagesServer, passing: int) -> None:
    """Malformed requests: the proxy can't say what they would cost, or where they would end up."""
    different: dict[str, Any] = {}
    for name, request in MALFORMED.items():
        own = with_header(request, ("x-api-key", CREDENTIAL))
        alone = shape(exchange(upstream.server_port, own))
        upstream.requests.clear()
        proxied = shape(exchange(passing, own))
        if alone != proxied or upstream.requests:
            different[name] = alone, proxied, upstream.requests
    assert not different, listed(different)


def shape(answer: RawAnswer) -> dict[str, Any]:
    """What a client reads an error by."""
    error = json.loads(answer.body)
    return {
        "status": answer.status,
        "content-type": answer.values("content-type"),
        "type": error["type"],
        "error": sorted(error["error"]),
        "error type": error["error"]["type"],
    }
