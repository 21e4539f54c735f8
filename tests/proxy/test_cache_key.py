"""What makes two requests the same: each change that matters makes another key, and none that doesn't."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.cache_key import CacheKey, Scope, key_of, uncacheable
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import MessagesRequest
from tests.proxied_requests import CLAUDE_CODE, body, nested

Path = tuple[str | int, ...]
Block = dict[str, Any]

ROUTE = Route("claude-sonnet-4-6", "anthropic")
TARGET = "/v1/messages?beta=true"
SCOPE = Scope("key ci", "place-1", "state-1")
HEADERS: Headers = [
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "context-management-2025-06-27,interleaved-thinking-2025-05-14"),
    ("x-api-key", "k"),
    ("anthropic-workspace", "w-1"),
]
BILLING = "x-anthropic-billing-header: cc_version=2.1.77.8f2; cc_entrypoint=cli; cch={};"


def key(request: Mapping[str, Any], headers: Headers = HEADERS) -> CacheKey:
    return key_of(request, ROUTE, TARGET, headers, SCOPE)


def digest(request: Mapping[str, Any], headers: Headers = HEADERS) -> str:
    return key(request, headers).digest


def said(*content: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(content)}


def asks(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": ROUTE.model, "max_tokens": 100, **fields, "messages": list(messages)}


def text(words: str, **more: Any) -> Block:
    return {"type": "text", "text": words, **more}


# Requests as clients write them, without anything that can't matter

WORDS = st.sampled_from(
    ["Read src/a.py", "read SRC/A.PY", "Straße", "İstanbul", "\u017f", " ", "", "x\n", "\u0000\u2028"]
)
TEXT = WORDS | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**70) | st.sampled_from([0.5, 1.0, 1e-9]) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["cache_control", "type", "a", "A"]), inner, max_size=3)
    ),
    max_leaves=4,
)


def block(kind: str, optional: Mapping[str, Any] | None = None, **fields: Any) -> Any:
    """Blocks of a kind; fields are strategies, or what they are."""
    told: dict[str, Any] = {"type": kind, **fields}
    strategies = {name: each if isinstance(each, st.SearchStrategy) else st.just(each) for name, each in told.items()}
    return st.fixed_dictionaries(strategies, optional=dict(optional or {}))


TEXTS = block("text", text=TEXT)
CITED = block("text", text=TEXT, citations=st.lists(block("char_location", cited_text=TEXT, end_char_index=3)))
IMAGES = block(
    "image",
    source=st.sampled_from([
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo"},
        {"type": "file", "file_id": "file_1"},
    ]),
)  # fmt: skip
DOCUMENTS = block(
    "document",
    optional={"title": TEXT, "citations": st.just({"enabled": True})},
    source=block("text", media_type="text/plain", data=TEXT) | block("content", content=st.lists(TEXTS, max_size=2)),
)
FOUND = block("search_result", source=TEXT, title=TEXT, content=st.lists(TEXTS, min_size=1, max_size=2))
RESULTS = block(
    "tool_result",
    tool_use_id="toolu_1",
    content=TEXT | st.lists(TEXTS | IMAGES | DOCUMENTS | FOUND, max_size=2),
    optional={"is_error": st.booleans()},
)
ASSISTANTS = st.one_of(
    TEXTS,
    CITED,
    block("thinking", thinking=TEXT, signature=TEXT),
    block("redacted_thinking", data=TEXT),
    block("tool_use", id="toolu_1", name=TEXT, input=st.dictionaries(st.sampled_from(["cache_control", "q"]), JSON)),
    block("server_tool_use", id="srvtoolu_1", name="web_search", input=JSON),
    block("web_search_tool_result", tool_use_id="srvtoolu_1", content=st.lists(block("web_search_result", url=TEXT))),
    block("hologram", parts=JSON),
)
USERS = st.one_of(TEXTS, RESULTS, IMAGES, DOCUMENTS, FOUND, block("hologram", content=JSON))
MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda content: {"role": "user", "content": content}, TEXT | st.lists(USERS, max_size=3)),
        st.builds(lambda content: {"role": "assistant", "content": content}, TEXT | st.lists(ASSISTANTS, max_size=3)),
        st.builds(lambda content: {"role": "system", "content": content}, TEXT | st.lists(TEXTS, max_size=2)),
    ),
    min_size=1,
    max_size=3,
)
SCHEMA = {"type": "object", "properties": {"cache_control": {"type": "string"}, "q": {"enum": ["a", "A"]}}}
TOOLS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXT, "input_schema": st.sampled_from([SCHEMA, {}, {"type": "object", "cache_control": None}])},
        optional={"description": TEXT, "type": st.just("custom"), "defer_loading": st.just(True)},
    ),
    max_size=2,
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.just(ROUTE.model), "max_tokens": st.integers(1, 3), "messages": MESSAGES},
    optional={
        "system": TEXT | st.lists(TEXTS, min_size=1, max_size=2),
        "tools": TOOLS,
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "tool", "name": "q"}]),
        "temperature": st.sampled_from([0, 0.5, 1.0]),
        "stop_sequences": st.lists(TEXT, max_size=2),
        "thinking": st.just({"type": "enabled", "budget_tokens": 1024}),
        "output_config": st.just({"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}}),
        "context_management": st.just({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}),
        "unknown": JSON,
    },
)


RICH = asks(
    said(text("look"), text("closer"), IMAGE := {"type": "image", "source": {"type": "file", "file_id": "f"}}),
    said(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        text("a", citations=[{"type": "char_location", "cited_text": "c"}]),
        {"type": "tool_use", "id": "t", "name": "n", "input": {"cache_control": {"type": "ephemeral"}, "q": [1, 1.5]}},
        {"type": "tool_use", "id": "u", "name": "n", "input": {}},
        role="assistant",
    ),
    said(
        {"type": "tool_result", "tool_use_id": "t", "is_error": False, "content": [
            text("b"),
            IMAGE,
            {"type": "search_result", "source": "s", "title": "t", "content": [text("found")]},
            {"type": "document", "source": {"type": "content", "content": [text("inner"), text("most")]}},
        ]},
        {"type": "tool_result", "tool_use_id": "u", "content": "done"},
        {"type": "tool_result", "tool_use_id": "v", "content": [text("done")]},
        {"type": "document", "title": "d", "source": {"type": "content", "content": [text("page")]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [text("found")]},
    ),
    {"role": "system", "content": "go on"},
    said(text("Straße")),
    system=[text("be brief"), text("be kind")],
    tools=[{"name": "n", "input_schema": SCHEMA}, {"name": "o", "input_schema": {}, "type": "custom"}],
    temperature=0.5,
)  # fmt: skip
"""A block of every kind in every place."""


# Every change at one place


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What is in a value, and where; `model` isn't looked at, since the route has it."""
    if path:
        yield path, value
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        if (*path, name) != ("model",):
            yield from places(each, (*path, name))


def put(holder: Any, name: Any, value: Any) -> Any:
    """The holder with this value at that place."""
    if isinstance(holder, dict):
        return {**holder, name: value}
    return [*holder[:name], value, *holder[name + 1 :]]


def with_(holder: Any, path: Path, change: Callable[[Any, Any], Any]) -> Any:
    """The request after `change(holder, name)` at that place, which gives what takes the place of the holder."""
    name, *rest = path
    return put(holder, name, with_(holder[name], tuple(rest), change)) if rest else change(holder, name)


def others_of(value: Any) -> list[Any]:
    """Other values, like this one or of another type."""
    match value:
        case bool():
            return [not value, int(value), str(value)]
        case int():
            return [value + 1, -value - 1, float(value) if value < 2**50 else None, str(value)]
        case float():
            return [value + 1, value * 2, str(value)]
        case str():
            return [f"{value} ", f" {value}", f"{value}\n", [value], None, *{value.swapcase(), value[:-1]} - {value}]
        case None:
            return [False, 0, "", "null", {}]
        case dict():
            return [{**value, "more": None}, {**value, "": 0}, [value]]
    return [[*value, None], [value], [*value, *value[-1:], "x"]]


def spelt(value: Any) -> Any:
    """A message in one spelling; anything else as it is."""
    content = value.get("content") if isinstance(value, dict) else None
    return {**value, "content": [text(content)]} if isinstance(content, str) else value


def changes(request: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every request that differs at one place, and which that is."""

    def without(holder: Any, name: Any) -> Any:
        if isinstance(holder, list):
            return [*holder[:name], *holder[name + 1 :]]
        return {each: holder[each] for each in holder if each != name}

    def renamed(holder: Any, name: Any) -> Any:
        return {f"{each}_" if each == name else each: holder[each] for each in holder}

    def twice(holder: Any, name: Any) -> Any:
        return [*holder[: name + 1], *holder[name:]]

    def swapped(holder: Any, name: Any) -> Any:
        return [*holder[:name], holder[name + 1], holder[name], *holder[name + 2 :]]

    for path, value in places(request):
        for other in others_of(value):
            yield path, with_(request, path, partial(put, value=other))
        yield path, with_(request, path, without)
        if isinstance(path[-1], str):
            yield path, with_(request, path, renamed)
        else:
            yield path, with_(request, path, twice)
        if isinstance(value, list):
            for index in range(len(value) - 1):
                if json.dumps(spelt(value[index])) != json.dumps(spelt(value[index + 1])):
                    yield path, with_(request, (*path, index), swapped)


# Every change that can't matter


def respelt(request: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same request in other words: marks, spelling, order of names, what is told of the session."""
    random = Random(seed)
    told = {**request, "messages": [message_respelt(random, each) for each in request["messages"]]}
    if "tools" in request:
        told["tools"] = [shuffled(random, marked(random, tool)) for tool in request["tools"]]
    if "system" in request:
        system = told["system"] = content_respelt(random, request["system"])
        if isinstance(system, list) and random.random() < 0.7:
            system.insert(random.randrange(len(system) + 1), marked(random, text(BILLING.format(random.random()))))
    session: dict[str, list[Any]] = {
        "stream": [True, False, None],
        "metadata": [{"user_id": f"session {random.random()}"}, None],
        "cache_control": [{"type": "ephemeral"}],
    }
    for name, values in session.items():
        if random.random() < 0.6:
            told[name] = random.choice(values)
    return shuffled(random, told)


def message_respelt(random: Random, message: dict[str, Any]) -> dict[str, Any]:
    return shuffled(random, {**message, "content": content_respelt(random, message["content"])})


def content_respelt(random: Random, content: Any) -> Any:
    if isinstance(content, str) and random.random() < 0.5:
        content = [text(content)]
    elif isinstance(content, list) and [set(each) for each in content] == [{"type", "text"}] and random.random() < 0.3:
        return content[0]["text"]
    return content if isinstance(content, str) else blocks_respelt(random, content)


def blocks_respelt(random: Random, blocks: Sequence[Block]) -> list[Block]:
    return [shuffled(random, marked(random, block_respelt(random, each))) for each in blocks]


def block_respelt(random: Random, told: Block) -> Block:
    if told["type"] == "tool_result":
        return {**told, "content": content_respelt(random, told["content"])}
    if told["type"] == "search_result":
        return {**told, "content": blocks_respelt(random, told["content"])}
    if told["type"] == "document" and told["source"]["type"] == "content":
        return {**told, "source": {**told["source"], "content": blocks_respelt(random, told["source"]["content"])}}
    return told


def marked(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    mark = random.choice([..., ..., {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, None])
    return value if mark is ... else {**value, "cache_control": mark}


def shuffled(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in random.sample(list(value), len(value))}


SEEDS = st.integers(0, 2**32)
AS_FOUND = (Phase.explicit, Phase.generate)
"""Of what tries hundreds of changes: what it says is short already, and to make it shorter takes minutes."""


@settings(max_examples=15, phases=AS_FOUND)
@given(REQUESTS)
@example(RICH)
def test_any_change_at_any_place_that_matters_makes_another_request(request: dict[str, Any]) -> None:
    known = digest(request)
    for path, changed in changes(request):
        is_same = digest(changed) == known
        assert not is_same, (path, changed)


@settings(max_examples=40)
@given(REQUESTS, SEEDS)
@example(RICH, 0)
def test_no_change_that_cant_matter_makes_another_request(request: dict[str, Any], seed: int) -> None:
    known = key(request)
    for number in range(40 if request is RICH else 3):
        told = key(respelt(request, seed + number))
        assert (told.digest, told.parts, told.family, told.text) == (
            known.digest,
            known.parts,
            known.family,
            known.text,
        )


def test_a_mark_at_any_single_block_or_tool_makes_no_other_request() -> None:
    marks = 0
    for path, value in places(RICH):
        is_tool = path[0] == "tools" and len(path) == 2
        is_block = len(path) > 1 and path[-2] in ("content", "system")
        if is_tool or is_block:
            marks += 1
            changed = with_(RICH, path, partial(put, value={"cache_control": {"type": "ephemeral"}, **value}))
            assert digest(changed) == digest(RICH), path
    assert marks == snapshot(27)


# What stands beside the body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("route", Route("claude-sonnet-4-5", "anthropic")),
        ("route", Route("Claude-sonnet-4-6", "anthropic")),
        ("route", Route("claude-sonnet-4-6", "bedrock")),
        ("target", "/v1/messages"),
        ("target", "/V1/messages?beta=true"),
        ("scope", Scope("key CI", "place-1", "state-1")),
        ("scope", Scope("key ci", "place-2", "state-1")),
        ("scope", Scope("key ci", "place-1", "state-2")),
        ("scope", Scope("key ci", "place-1")),
        ("scope", Scope("key ciplace-1", "", "state-1")),
    ],
)
def test_where_it_is_answered_for_whom_and_in_which_workspace_matters(name: str, value: Any) -> None:
    at: dict[str, Any] = {"route": ROUTE, "target": TARGET, "headers": HEADERS, "scope": SCOPE}
    assert key_of(CLAUDE_CODE, **at).digest != key_of(CLAUDE_CODE, **{**at, name: value}).digest


BETA = "context-management-2025-06-27"


@pytest.mark.parametrize(
    "headers",
    [
        [("anthropic-version", "2023-06-02")],
        [("anthropic-version", "2023-06-01"), ("anthropic-version", "2023-06-01")],
        [],
        [("anthropic-version", "2023-06-01"), ("anthropic-beta", BETA)],
        [("anthropic-version", "2023-06-01"), ("anthropic-beta", BETA.upper())],
        [("anthropic-version", "2023-06-01"), ("anthropic-beta", f"{BETA},fast-mode-2026-02-01")],
        [("anthropic-version", "2023-06-01"), ("anthropic-unknown", "")],
        [("anthropic-version", "2023-06-01"), ("anthropic-unknown", "1")],
        [("anthropic-version", "2023-06-01"), ("anthropic-unknown", BETA)],
    ],
    ids=str,
)
def test_a_header_of_the_api_matters(headers: Headers) -> None:
    alike = [[], [("anthropic-version", "2023-06-02")], [("anthropic-version", "2023-06-01")]]
    assert all(digest(CLAUDE_CODE, headers) != digest(CLAUDE_CODE, other) for other in alike if other != headers)


VERSION = ("anthropic-version", "2023-06-01")


@pytest.mark.parametrize(
    "headers",
    [
        [("ANTHROPIC-Version", " 2023-06-01 "), ("anthropic-beta", "b,a")],
        [("anthropic-beta", "a, b,,a ,"), VERSION],
        [("anthropic-beta", "b"), VERSION, ("Anthropic-Beta", "a")],
        [VERSION, ("anthropic-beta", "a,prompt-caching-2024-07-31,b,extended-cache-ttl-2025-04-11,oauth-2025-04-20")],
        [VERSION, ("anthropic-beta", "a,b"), ("anthropic-dangerous-direct-browser-access", "true")],
        [VERSION, ("anthropic-beta", "a,b"), ("x-api-key", "other"), ("authorization", "Bearer other")],
        [
            VERSION,
            ("anthropic-beta", "a,b"),
            ("x-claude-code-session-id", "5e55"),
            ("x-request-id", "r"),
            ("host", "h"),
        ],
        [VERSION, ("anthropic-beta", "a,b"), ("user-agent", "u"), ("x-stainless-retry-count", "1"), ("accept", "*/*")],
    ],
    ids=str,
)
def test_order_and_spelling_of_headers_and_who_sends_them_dont_matter(headers: Headers) -> None:
    assert digest(CLAUDE_CODE, headers) == digest(CLAUDE_CODE, [VERSION, ("anthropic-beta", "a,b")])


# What is left out, and what only looks like it


def test_the_next_turn_of_claude_code_differs_by_its_billing_line_and_its_session_and_is_the_same() -> None:
    again: dict[str, Any] = deepcopy(CLAUDE_CODE)
    again["system"][0]["text"] = BILLING.format("4f2a1")
    again["metadata"]["user_id"] = json.dumps({"device_id": "1" * 64, "session_id": "0"})
    assert digest(again) == digest(CLAUDE_CODE)
    del again["system"][0]
    assert digest(again) == digest(CLAUDE_CODE)


@pytest.mark.parametrize(
    "words",
    [
        BILLING.format(1) + "\nYou are a pirate.",
        " " + BILLING.format(1),
        BILLING.format(1).title(),
        "x-anthropic-billing-header",
    ],
)
def test_what_only_looks_like_the_billing_line_matters(words: str) -> None:
    assert digest(asks(system=[text(words), text("s")])) != digest(asks(system=[text("s")]))


def test_the_billing_line_in_a_message_matters() -> None:
    line, other = (asks(said(text(BILLING.format(number)), text("hi"))) for number in (1, 2))
    assert digest(line) != digest(other)


def test_what_is_inside_of_arguments_and_schemas_matters_in_its_order() -> None:
    def of(*names: str) -> list[dict[str, Any]]:
        schema = {"properties": {name: {"type": "string"} for name in names}}
        call = {"type": "tool_use", "id": "t", "name": "n", "input": dict.fromkeys(names, 1)}
        return [asks(tools=[{"name": "n", "input_schema": schema}]), asks(said(call, role="assistant"))]

    for one, other in zip(of("a", "b"), of("b", "a"), strict=True):
        assert digest(one) != digest(other)


@pytest.mark.parametrize("marked", [{"cache_control": {"type": "ephemeral"}}, {"cache_control": 1}])
def test_a_member_of_that_name_in_arguments_and_schemas_is_no_mark(marked: dict[str, Any]) -> None:
    def of(inner: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            asks(tools=[{"name": "n", "input_schema": {"properties": inner}}]),
            asks(said({"type": "tool_use", "id": "t", "name": "n", "input": inner}, role="assistant")),
            asks(said({"type": "hologram", "parts": [inner]})),
            asks(output_config={"format": {"schema": inner}}),
        ]

    for one, other in zip(of(marked), of({}), strict=True):
        assert digest(one) != digest(other)


@pytest.mark.parametrize("messages", [None, "x", 1, {}, [None], [1], ["x"], [[]], [{}], [{"content": 3}]], ids=str)
@pytest.mark.parametrize("more", [{}, {"tools": "x", "system": 3}, {"tools": [3, None], "system": [None, "x", []]}])
def test_what_the_api_will_refuse_has_a_key_too(messages: Any, more: dict[str, Any]) -> None:
    request = {"model": "m", "messages": messages, **more}
    assert key(request).family is None
    assert digest(request) != digest(asks(said(text("hello"))))
    uncacheable(request, 1)


def test_results_in_results_as_deep_as_a_body_may_be_have_a_key() -> None:
    content: Any = "x"
    for _ in range(470):
        content = [{"type": "tool_result", "content": content}]
    request = MessagesRequest.parse(body({"role": "user", "content": content}))
    assert digest(request.json) != digest(asks(said(text("x"))))
    assert uncacheable(request.json, 1) is None
    deep = MessagesRequest.parse(body(tools=nested(300)))
    assert len(digest(deep.json)) == 64


def test_half_a_surrogate_pair_is_a_text_of_its_own() -> None:
    assert len({digest(asks(said(text(each)))) for each in ("\ud800", "?", "\ufffd", "\\ud800")}) == 4


# Parts


CUTS = st.sets(st.integers(1, 4))


@settings(max_examples=40)
@given(st.text("123", min_size=5, max_size=5), CUTS, CUTS)
def test_the_same_bytes_cut_into_other_parts_have_another_digest(digits: str, one: set[int], other: set[int]) -> None:
    def cut(places: set[int]) -> str:
        return digest(asks(*(int(digits[a:b]) for a, b in pairwise([0, *sorted(places), 5]))))

    assert (cut(one) == cut(other)) == (one == other)


def test_messages_that_read_alike_when_joined_are_different() -> None:
    assert digest(asks(1, 23)) != digest(asks(12, 3))
    assert digest(asks(123)) != digest(asks(12, 3))


def test_a_longer_conversation_has_the_parts_of_the_shorter_one() -> None:
    short = [said(text("a")), said(text("b"), role="assistant")]
    assert key(asks(*short, said(text("c")))).parts[:-1] == key(asks(*short)).parts


# The family


LAST = st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), min_size=1, max_size=2)


@settings(max_examples=8, phases=AS_FOUND)
@given(REQUESTS, LAST)
def test_a_family_differs_in_nothing_but_the_last_text(request: dict[str, Any], content: list[Block]) -> None:
    request = {**request, "messages": [*request["messages"], {"role": "user", "content": content}]}
    free: Path = ("messages", len(request["messages"]) - 1, "content", len(content) - 1, "text")
    known = key(request)
    assert known.family is not None
    assert known.text == content[-1]["text"]
    for path, changed in changes(request):
        told = key(changed)
        if path == free and told.family is not None:
            assert (told.family, told.parts[:-1]) == (known.family, known.parts[:-1])
            assert told.digest != known.digest
            assert told.text == changed["messages"][-1]["content"][-1]["text"] != known.text
        else:
            assert told.family != known.family, (path, changed)


def test_only_the_last_of_several_texts_may_differ() -> None:
    families = [key(asks(said(text(one), text(other)))).family for one, other in ("ab", "ac", "bb")]
    assert families[0] == families[1] != families[2]


@settings(max_examples=25)
@given(TEXT, TEXT)
def test_a_text_as_a_string_and_as_a_block_is_of_one_family(one: str, other: str) -> None:
    told = key(asks({"role": "user", "content": one})), key(asks(said(text(other, cache_control=None))))
    assert told[0].family == told[1].family is not None
    assert (told[0].text, told[1].text) == (one, other)


@pytest.mark.parametrize(
    "last",
    [
        said({"type": "tool_result", "tool_use_id": "t", "content": "done"}),
        said({"type": "tool_result", "tool_use_id": "t", "content": "done"}, text("go on")),
        said(text("what is it?"), {"type": "image", "source": {"type": "file", "file_id": "f"}}),
        said({"type": "image", "source": {"type": "file", "file_id": "f"}}, text("what is it?")),
        said({"type": "document", "source": {"type": "text", "data": "d"}}, text("what is it?")),
        said({"type": "hologram"}, text("what is it?")),
        said(text("It is"), role="assistant"),
        said(text("go on"), role="User"),
        said(text("as I said", citations=[])),
        said(text("as I said", citations=None)),
        said(text("a"), {"type": "text", "text": 3}),
        said({"type": "text"}),
        said(),
        {"role": "user"},
        {"content": [text("who says so?")]},
        "go on",
    ],
    ids=str,
)
def test_where_anything_but_texts_of_the_user_comes_last_nothing_may_differ(last: Any) -> None:
    told = key(asks(said(text("hello")), last))
    assert (told.family, told.text) == (None, "")


def test_notes_of_the_client_may_come_after_the_users_text_and_are_the_same_in_a_family() -> None:
    note = text("<system-reminder>\nToday is Friday.\n</system-reminder>")
    system = said(text("go on"), role="system")
    one, two = (key(asks(said(text("first"), text(words), note), system)) for words in ("hello", "hi"))
    assert one.family == two.family is not None
    assert (one.text, two.text) == ("hello", "hi")
    assert [part for each in (one, two) for at, part in enumerate(each.parts) if at == each.at] != []
    assert [part for at, part in enumerate(one.parts) if at != one.at] == [
        part for at, part in enumerate(two.parts) if at != two.at
    ]
    for other in (
        asks(
            said(text("first"), text("hello"), text("<system-reminder>\nToday is Monday.\n</system-reminder>")), system
        ),
        asks(said(text("first"), text("hello"), note), said(text("stop"), role="system")),
        asks(said(text("other"), text("hello"), note), system),
    ):
        assert key(other).family != one.family
    assert key(asks(said(note))).family is None


def test_a_family_is_of_one_client_in_one_state_of_its_workspace() -> None:
    request = asks(said(text("hello")))
    scopes = [Scope("key a", "", "1"), Scope("key a", "", "2"), Scope("key b", "", "1"), Scope("key a", "p", "1")]
    assert len({key_of(request, ROUTE, TARGET, HEADERS, each).family for each in scopes}) == 4


# What isn't kept

CUSTOM = [{"name": "n", "input_schema": {}}, {"type": "custom", "name": "o"}]
THEIRS = ("bash_20250124", "text_editor_20250728", "computer_20251124", "memory_20250818")
URL = {"type": "image", "source": {"type": "url", "url": "https://example.com/now.png"}}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0.7},
        {"temperature": None},
        {"temperature": "hot"},
        {"tools": CUSTOM},
        {"tools": [*CUSTOM, *({"type": kind, "name": kind} for kind in THEIRS)]},
        {"tools": None, "mcp_servers": [], "container": None},
        {"messages": [said(text("see https://example.com/now.png"), {"type": "image", "source": {"type": "file"}})]},
    ],
    ids=str,
)
def test_an_answer_that_may_be_given_again_is_kept(fields: dict[str, Any]) -> None:
    assert uncacheable({**asks(said(text("hello"))), **fields}, 0.7) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"temperature": 0.71}, snapshot("its temperature asks for variety")),
        ({"temperature": 1}, snapshot("its temperature asks for variety")),
        ({"tools": [*CUSTOM, {"type": "web_search_20260209"}]}, snapshot("the API runs tools in it")),
        ({"tools": [{"type": "code_execution_20250825"}]}, snapshot("the API runs tools in it")),
        ({"tools": [{"type": "mcp_toolset"}]}, snapshot("the API runs tools in it")),
        ({"tools": [{"type": "Bash_20250124"}]}, snapshot("the API runs tools in it")),
        ({"tools": [{"type": ["custom"]}]}, snapshot("the API runs tools in it")),
        ({"mcp_servers": [{"url": "https://example.com"}]}, snapshot("the API runs tools in it")),
        ({"container": "container_1"}, snapshot("it goes on in a container")),
        ({"container": {"skills": []}}, snapshot("it goes on in a container")),
        ({"max_tokens": 0}, snapshot("it only fills the prompt cache")),
        (
            {"messages": [said(URL)]},
            snapshot("the API fetches something for it from a URL, where something else may be by then"),
        ),
        (
            {"messages": [said({"type": "tool_result", "content": [text("a"), URL]}), said(text("b"))]},
            snapshot("the API fetches something for it from a URL, where something else may be by then"),
        ),
        (
            {"messages": [said({"type": "document", "source": {"type": "content", "content": [URL]}})]},
            snapshot("the API fetches something for it from a URL, where something else may be by then"),
        ),
    ],
    ids=str,
)
def test_what_is_answered_anew_each_time_passes_by_and_says_why(fields: dict[str, Any], why: str) -> None:
    assert uncacheable({**asks(said(text("hello"))), **fields}, 0.7) == why


def test_a_header_that_nobody_knows_counts_and_its_value_is_not_kept() -> None:
    keys = [key(CLAUDE_CODE, [*HEADERS, ("cf-aig-authorization", secret)]) for secret in ("secret-1", "secret-2")]
    assert len({key(CLAUDE_CODE).digest, *(each.digest for each in keys)}) == 3
    assert not [part for each in keys for part in each.parts if b"secret" in part]


def test_who_shares_is_in_the_digest_and_in_no_part() -> None:
    one, other = (
        key_of(CLAUDE_CODE, ROUTE, TARGET, HEADERS, SCOPE._replace(sharing=sharing)) for sharing in ("key a", "key b")
    )
    assert one.parts == other.parts
    assert one.digest != other.digest
