"""Requests of 100 KB as agents send them, with their keys and answers: what the latency bench keeps and asks for.

All have the same head of 90 KB, system prompt and tools. A conversation has messages of its own and ends with a tool's
result. A question is one of a family: the same conversation before it, and only its text is another one. Everything is
made from numbers, so each run has the same.
"""

import json
import random
from functools import cache
from typing import Any

from bench.proxy.contestants import KEY
from bench.proxy.stand_in import MODEL, events
from mcp_hub.caching import place_of
from mcp_hub.proxy import keeping
from mcp_hub.proxy.cache_key import CacheKey, Scope, key_of
from mcp_hub.proxy.flights import Piece
from mcp_hub.proxy.keys import digest_of
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.responses import KeptAnswer
from mcp_hub.proxy.wire import MessagesRequest
from mcp_hub.proxy_settings import UpstreamSettings

SYSTEM_BYTES, TOOLS, TOOL_BYTES = 27_000, 20, 3_000
"""Of the head, 90 KB in all."""

MESSAGE_BYTES = 10_000
"""Of the messages, in all."""

KEY_NAME, TEAM, UPSTREAM = "bench", "web", "anthropic"
VERSION = ("anthropic-version", "2023-06-01")
TARGET = "/v1/messages"

DOLLARS = 84_000_000
"""What an answer had cost, in nano-dollars."""

DELTA = b"as much text as a delta mostly has "
"""The stand-in's, in whose place each answer has words of its own."""

BETWEEN = 0.02
"""Seconds between two events of an answer as it came."""

TASKS = (
    "fix the type errors in {}",
    "explain what {} does",
    "add unit tests for {}",
    "refactor {} into smaller functions",
    "find where {} is used",
    "add docstrings to {}",
    "remove the dead code in {}",
    "review {}",
    "simplify the loops in {}",
    "rename the variables in {}",
    "describe how {} handles errors",
    "add logging to {}",
    "list the functions in {}",
    "check {} for race conditions",
    "move the constants in {} to the top",
    "sort the imports in {}",
    "summarize {}",
    "show me the tests of {}",
    "write a fuzz test for {}",
    "replace the print statements in {} with logging",
)
FOLDERS = (
    "billing catalog orders search accounts shipping payments reports auth cache queue mailer uploads inventory "
    "pricing metrics sessions webhooks exports imports"
)
THINGS = (
    "invoice customer product basket refund address voucher currency tax rate order item token user role group event "
    "job worker lock retry batch page query index filter field form table schema"
)
ENDS = "parser writer reader store client server helpers model view factory loader validator router serializer"
EXTENSIONS = "py ts go rs"
"""What questions are about: 20 tasks on 33,600 files."""


def question(number: int) -> str:
    """The text of one question of the family; of 672,000 numbers, each has another one."""
    choices = [TASKS, *(names.split() for names in (FOLDERS, THINGS, ENDS, EXTENSIONS))]
    number *= 7_919  # a prime, so that neighbours are unlike and none is met twice
    chosen = []
    for each in choices:
        number, at = divmod(number, len(each))
        chosen.append(each[at])
    task, folder, thing, end, extension = chosen
    return task.format(f"src/{folder}/{thing}_{end}.{extension}")


def in_other_words(text: str) -> str:
    """A question that asks the same as one of the family."""
    return f"Could you please {text}?"


def conversation(number: int) -> bytes:
    """The request of a conversation with messages of its own."""
    words = _words(number)
    use = {"type": "tool_use", "id": f"toolu_{number}", "name": "tool_00", "input": {"path": words[:40]}}
    result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": words[: MESSAGE_BYTES // 2]}
    return _sent(
        [
            {"role": "user", "content": words[-MESSAGE_BYTES // 4 :]},
            {"role": "assistant", "content": [{"type": "text", "text": words[: MESSAGE_BYTES // 4]}, use]},
            {"role": "user", "content": [result]},
        ]
    )


def asking(text: str) -> bytes:
    """The request of the family that asks this."""
    before = _words(0)
    return _sent(
        [
            {"role": "user", "content": before[: MESSAGE_BYTES // 2]},
            {"role": "assistant", "content": before[-MESSAGE_BYTES // 2 :]},
            {"role": "user", "content": text},
        ]
    )


def key(body: bytes, upstream: str) -> CacheKey:
    """A request's key, as the proxy that `serving` starts makes it, whose upstream has this URL."""
    place = place_of(UpstreamSettings(name=UPSTREAM, url=upstream))
    scope = Scope(f"key {KEY_NAME} {digest_of(KEY)}", place)
    return key_of(MessagesRequest.parse(body).json, Route(MODEL, UPSTREAM), TARGET, [VERSION], scope)


def id_of(number: int) -> str:
    """The id of the kept answer of this number."""
    return f"mhc_{number:016x}"


def answer(number: int, of: CacheKey, kept_at: float) -> KeptAnswer:
    """A kept answer to the request with this key: the stand-in's stream, 300 events and 47 KB, in words of its own."""
    told = events()
    words = _words(number, len(told) * len(DELTA)).encode()
    deltas = [words[at : at + len(DELTA)] for at in range(0, len(words), len(DELTA))]
    pieces = [
        Piece(at * BETWEEN, event.replace(DELTA, delta))
        for at, (event, delta) in enumerate(zip(told, deltas, strict=True))
    ]
    reading = keeping.read(pieces, streams=True, tool_calls=False)
    assert reading is not None
    assert reading.is_kept
    return KeptAnswer(
        id=id_of(number),
        digest=of.digest,
        parts=of.parts,
        family=of.family,
        text=of.text,
        key=KEY_NAME,
        team=TEAM,
        model=MODEL,
        upstream=UPSTREAM,
        kept_at=kept_at,
        message=reading.message,
        stream=reading.stream,
        pace=reading.pace,
        usage=reading.usage,
        dollars=DOLLARS,
    )


def _sent(messages: list[dict[str, Any]]) -> bytes:
    """A request as it is sent."""
    told = {"model": MODEL, "max_tokens": 4096, "stream": True, **_head(), "messages": messages}
    return json.dumps(told).encode()


@cache
def _head() -> dict[str, Any]:
    """System prompt and tools."""
    tools = []
    for number in range(TOOLS):
        words = _words(-1 - number, TOOL_BYTES)
        schema = {"type": "object", "properties": {"path": {"type": "string", "description": words[:500]}}}
        tools.append({"name": f"tool_{number:02}", "description": words[500:], "input_schema": schema})
    return {"system": [{"type": "text", "text": _words(-100, SYSTEM_BYTES)}], "tools": tools}


def _words(number: int, length: int = MESSAGE_BYTES) -> str:
    """So many characters of words, other ones for each number."""
    chosen = random.Random(number).choices(_vocabulary(), k=length // 3)
    return " ".join(chosen)[:length]


@cache
def _vocabulary() -> list[str]:
    chance = random.Random(0)
    letters = "eeeettaaooiinnsshrrdlucmfwypvbgk"
    return ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(3_000)]
