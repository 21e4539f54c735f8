"""Read-only calls are asked once: for how long, for whom, and after what they are asked again."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.abc
import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, DeniedError, DownstreamError, HubError, ToolError
from mcp_hub.hub.calls import Calls
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.policy import Policy
from mcp_hub.hub.remembering import (
    ALL_BYTES,
    RESULT_BYTES,
    UNSETTLED_SECONDS,
    Remembering,
    key_of,
    seconds_for,
    without_effect,
)
from mcp_hub.hub.session import Progress
from mcp_hub.settings import CacheRule, PolicySettings, ServerSettings
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

TEXT = {"type": "object", "properties": {"text": {}, "number": {"type": "number"}, "flag": {}}}
READ_ONLY = {"readOnlyHint": True}


def listed(name: str, annotations: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"name": name, "inputSchema": TEXT, **({} if annotations is None else {"annotations": annotations})}


TOOLS = [
    listed("look", READ_ONLY),
    listed("look-again", READ_ONLY),
    listed("unsaid", None),
    listed("harmless", {"readOnlyHint": False, "destructiveHint": False}),
    listed("odd", {"readOnlyHint": "true"}),
    listed("write", {"readOnlyHint": False}),
]


class Servers:
    """Stands in for the downstream servers: counts what reaches them; what is `held` is answered when let go."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str, dict[str, Any]]] = []
        self.progress: list[Progress | None] = []
        self.held: dict[str, anyio.Event] = {}
        self.connected: anyio.Event | None = None
        self.cancelled = 0
        self.answer: Callable[[], types.CallToolResult] = self.count

    def count(self) -> types.CallToolResult:
        return types.CallToolResult(content=[], structured_content={"asked": len(self.called), "list": []})

    async def call(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Progress | None,
        check: Callable[[], None],
    ) -> types.CallToolResult:
        if self.connected is not None:
            await self.connected.wait()
        check()
        self.called.append((server, tool, arguments))
        self.progress.append(on_progress)
        answer = self.answer()  # what the server knows as it is asked
        if tool in self.held:
            try:
                await self.held[tool].wait()
            except BaseException:
                self.cancelled += 1
                raise
        return answer

    def hold(self, tool: str) -> anyio.Event:
        self.held[tool] = anyio.Event()
        return self.held[tool]


class Hub:
    """Calls over two servers, `one` and `two`, with a memory whose clock stands still."""

    def __init__(self, cache: Any = "60s") -> None:
        self.now = 1000.0
        self.answered: list[str] = []
        self.live = LiveCatalog(
            {
                name: ServerSettings.model_validate({"url": url, "cache": cache})
                for name, url in (("one", "http://one"), ("two", "http://two"), ("one-more", "http://one"))
            },
            UNRESTRICTED,
        )
        for name in self.live.settings:
            self.live.put(name, TOOLS)
        self.servers = Servers()
        self.memory = Remembering(lambda: self.live.settings, lambda: self.now, self.answered.append)
        self.calls = Calls(lambda: self.live.snapshot, cast(Downstreams, self.servers), remembering=self.memory)

    async def call(
        self,
        tool: str = "look",
        server: str = "one",
        client: str = "ada",
        on_progress: Progress | None = None,
        **arguments: Any,
    ) -> Any:
        """A call as the journal makes it."""
        bound = await self.calls.bound(server, tool, [], arguments)
        known = await self.calls.remembered(bound, client)
        return known.value if known is not None else await self.calls.send(bound, on_progress, client)

    async def is_asked_for(self, tool: str = "look", **how: Any) -> bool:
        """Whether a call reaches the server."""
        before = len(self.servers.called)
        await self.call(tool, **how)
        return len(self.servers.called) > before


@asynccontextmanager
async def hub_of(cache: Any = "60s") -> AsyncIterator[Hub]:
    hub = Hub(cache)
    with anyio.fail_after(PATIENCE):
        async with hub.memory:
            yield hub


@asynccontextmanager
async def under_way(hub: Hub, tool: str, **how: Any) -> AsyncIterator[anyio.abc.TaskGroup]:
    """A call that has reached its server and is answered at the end."""
    event = hub.servers.hold(tool)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(hub.call, tool, **how))
        await anyio.wait_all_tasks_blocked()
        yield tasks
        del hub.servers.held[tool]
        event.set()


# What is remembered


async def test_a_call_that_was_answered_is_not_asked_again() -> None:
    async with hub_of() as hub:
        first = await hub.call(text="a")
        assert await hub.call(text="a") == first == {"asked": 1, "list": []}
        assert hub.servers.called == [("one", "look", {"text": "a"})]
        assert hub.answered == ["one"]


async def test_what_a_program_gets_is_its_own() -> None:
    async with hub_of() as hub:
        for _ in range(3):
            value = await hub.call()
            assert value == {"asked": 1, "list": []}
            value["list"].append("mine")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        0,
        False,
        [],
        {"a": 1.0, "b": 1},
        10**40,
        1e300,
        "\ud800",
        "é\n",
        [None] * 3,
        {"many": list(range(2000))},
    ],
    ids=repr,
)
async def test_a_remembered_value_is_what_the_server_gave(value: Any) -> None:
    async with hub_of() as hub:
        hub.servers.answer = lambda: types.CallToolResult(content=[], structured_content={"result": value})
        first = await hub.call()
        again = await hub.call()
        assert len(hub.servers.called) == 1
        assert repr(again) == repr(first) == repr(value)


async def test_nothing_is_remembered_unless_it_is_configured() -> None:
    for cache in ("0s", {}, {"other_*": "60s"}, {"*": "60s", "look": "0s"}):
        async with hub_of(cache) as hub:
            assert [await hub.is_asked_for() for _ in range(2)] == [True, True], cache
            assert hub.answered == []


@pytest.mark.parametrize("tool", ["unsaid", "harmless", "odd", "write"])
async def test_a_tool_that_is_not_annotated_read_only_is_always_asked(tool: str) -> None:
    async with hub_of({tool: "60s", "*": "60s"}) as hub:
        assert [await hub.is_asked_for(tool) for _ in range(3)] == [True, True, True]


async def test_an_answer_is_remembered_until_its_time_is_over() -> None:
    async with hub_of({"*": "1m", "look_again": "2m"}) as hub:
        for tool, seconds in (("look", 60), ("look-again", 120)):
            await hub.call(tool)
            hub.now += seconds - 0.001
            assert not await hub.is_asked_for(tool)
            hub.now += 0.001
            assert await hub.is_asked_for(tool)
            assert not await hub.is_asked_for(tool)


@pytest.mark.parametrize(
    ("cache", "seconds"),
    [
        ({"*": "1s", "get_*": "2s", "get_user": "3s"}, 3),
        ({"get_user": "3s", "get_*": "2s", "*": "1s"}, 3),
        ({"get-user": "4s", "*": "1s"}, 4),
        ({"*": "1s", "g*": "2s", "get_*": "3s"}, 3),
        ({"*": "1s", "get_user": "0s"}, 0),
        ({"GET_user": "1s"}, 0),
        ({}, 0),
    ],
)
async def test_the_most_specific_rule_decides(cache: dict[str, str], seconds: float) -> None:
    settings = ServerSettings.model_validate({"command": ["x"], "cache": cache})
    assert seconds_for(settings.cache, "get-user", "get_user") == seconds


async def test_a_failure_is_not_remembered() -> None:
    async with hub_of() as hub:
        hub.servers.answer = lambda: types.CallToolResult(content=[types.TextContent(text="no")], is_error=True)
        for _ in range(2):
            with pytest.raises(ToolError):
                await hub.call()

        def fails() -> types.CallToolResult:
            raise DownstreamError("one", "is gone.")

        hub.servers.answer = fails
        with pytest.raises(DownstreamError):
            await hub.call()
        hub.servers.answer = hub.servers.count
        assert await hub.call() == {"asked": 4, "list": []}


# Which calls are the same

NUMBERS = [{"number": 1}, {"number": 1.0}, {"flag": True}, {"flag": 1}, {"flag": "1"}, {"flag": None}, {}]
CASES = [{"text": "a"}, {"text": "A"}, {"text": "a "}, {"text": ["a"]}, {"text": {"a": 1}}, {"text": {"A": 1}}]


async def test_only_the_same_call_of_the_same_client_is_answered_from_memory() -> None:
    async with hub_of() as hub:
        different = [
            *({"text": "x", **how} for how in ({}, {"server": "two"}, {"tool": "look_again"}, {"client": "bob"})),
            {"text": "x", "server": "one_more"},
            *NUMBERS,
            *CASES,
        ]
        assert [await hub.is_asked_for(**cast(Any, how)) for how in different] == [True] * len(different)
        assert [await hub.is_asked_for(**cast(Any, how)) for how in different] == [False] * len(different)


async def test_the_order_of_names_makes_no_other_call() -> None:
    async with hub_of() as hub:
        await hub.call(text={"a": 1, "b": 2}, flag=1)
        assert not await hub.is_asked_for(flag=1, text={"b": 2, "a": 1})


async def test_another_server_under_the_same_name_is_another_server() -> None:
    async with hub_of() as hub:
        await hub.call()
        settings = {**hub.live.settings, "one": ServerSettings.model_validate({"url": "http://other", "cache": "60s"})}
        hub.live.configure(settings, UNRESTRICTED)
        assert await hub.is_asked_for()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
NAME = st.text(max_size=4)
CALL = st.tuples(NAME, NAME, NAME, NAME, st.dictionaries(st.text(max_size=3), JSON, max_size=3))


def told_apart(value: Any) -> Any:
    """A value as it is compared: with its types, and without the order of names."""
    if isinstance(value, dict):
        return "dict", sorted((name, repr(told_apart(each))) for name, each in value.items())
    if isinstance(value, list | tuple):
        return "list", [told_apart(each) for each in value]
    return type(value).__name__, repr(value)


@given(CALL, CALL, st.sets(st.integers(0, 4)))
def test_two_calls_have_the_same_key_if_nothing_in_them_differs(call: Any, other: Any, changed: set[int]) -> None:
    second = tuple(other[at] if at in changed else call[at] for at in range(5))
    assert (key_of(*call) == key_of(*second)) == (told_apart(call) == told_apart(second))


async def test_a_call_that_cant_be_told_apart_is_asked_each_time() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert key_of("", "", "", "", {"text": deep}) is None
    async with hub_of() as hub:
        bound = await hub.calls.bound("one", "look", [], {})
        assert hub.memory.question("one", bound.tool, {"text": deep}, "ada") is None


# What is asked before


async def test_what_the_policy_denies_by_now_is_not_answered_from_memory() -> None:
    async with hub_of() as hub:
        bound = await hub.calls.bound("one", "look", [], {})
        await hub.calls.send(bound, None, "ada")
        denied = PolicySettings.model_validate({"deny": ["one.look"]})
        hub.live.configure(hub.live.settings, Policy([(Path("/servers.toml"), denied)]))
        with pytest.raises(DeniedError):
            await hub.calls.remembered(bound, "ada")
        with pytest.raises(DeniedError):
            await hub.call()


async def test_whoever_the_policy_denies_it_by_now_does_not_join_a_call_under_way() -> None:
    async with hub_of() as hub:
        bound = await hub.calls.bound("one", "look", [], {})
        async with under_way(hub, "look"):
            denied = PolicySettings.model_validate({"deny": ["one.look"]})
            hub.live.configure(hub.live.settings, Policy([(Path("/servers.toml"), denied)]))
            with pytest.raises(DeniedError):
                await hub.calls.send(bound, None, "ada")


async def test_arguments_are_checked_whatever_is_remembered() -> None:
    async with hub_of() as hub:
        await hub.call(number=1)
        hub.live.put("one", [{**TOOLS[0], "inputSchema": {"type": "object", "properties": {"number": {"const": 2}}}}])
        with pytest.raises(CallerError):
            await hub.call(number=1)


# When it is dropped


@pytest.mark.parametrize("tool", ["unsaid", "harmless", "odd", "write"])
async def test_a_call_that_may_change_something_drops_its_servers_answers_as_it_begins(tool: str) -> None:
    async with hub_of() as hub:
        for server in ("one", "two"):
            await hub.call(server=server)
        async with under_way(hub, tool):
            assert await hub.is_asked_for()
            assert not await hub.is_asked_for(server="two")


async def test_nothing_is_remembered_or_shared_while_something_may_be_changing() -> None:
    async with hub_of() as hub:
        async with under_way(hub, "write"):
            assert [await hub.is_asked_for() for _ in range(2)] == [True, True]
            async with under_way(hub, "look") as tasks:
                tasks.start_soon(hub.call)
                await anyio.wait_all_tasks_blocked()
                assert len(hub.servers.called) == 5
        assert await hub.is_asked_for(), "what was read meanwhile"
        assert not await hub.is_asked_for()


async def test_nothing_is_remembered_until_the_last_of_several_changes_has_ended() -> None:
    async with hub_of() as hub:
        async with under_way(hub, "write"):
            async with under_way(hub, "unsaid"):
                pass
            assert [await hub.is_asked_for() for _ in range(2)] == [True, True]
        assert [await hub.is_asked_for() for _ in range(2)] == [True, False]


async def test_what_was_under_way_when_a_change_began_is_answered_and_not_remembered() -> None:
    async with hub_of() as hub:
        async with under_way(hub, "look"):
            await hub.call("write")
        assert [await hub.is_asked_for() for _ in range(2)] == [True, False]


async def test_what_was_asked_during_a_change_and_answered_after_it_is_not_remembered() -> None:
    async with hub_of() as hub:
        change = hub.servers.hold("write")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.call, "write")
            await anyio.wait_all_tasks_blocked()
            async with under_way(hub, "look"):
                change.set()
                await anyio.wait_all_tasks_blocked()
        assert [await hub.is_asked_for() for _ in range(2)] == [True, False]


async def test_what_waited_for_its_server_and_was_sent_during_a_change_is_not_joined_after_it() -> None:
    async with hub_of() as hub:
        connected = hub.servers.connected = anyio.Event()
        change, look = hub.servers.hold("write"), hub.servers.hold("look")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.call)
            await anyio.wait_all_tasks_blocked()
            hub.servers.connected = None
            tasks.start_soon(hub.call, "write")
            await anyio.wait_all_tasks_blocked()
            connected.set()
            await anyio.wait_all_tasks_blocked()
            change.set()
            await anyio.wait_all_tasks_blocked()
            del hub.servers.held["look"]
            assert await hub.is_asked_for(), "the one under way has read during the change"
            look.set()


async def test_what_was_sent_during_a_change_and_answered_in_it_is_not_remembered() -> None:
    async with hub_of() as hub:
        connected = hub.servers.connected = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.call)
            await anyio.wait_all_tasks_blocked()
            hub.servers.connected = None
            async with under_way(hub, "write"):
                connected.set()
                await anyio.wait_all_tasks_blocked()
                assert len(hub.servers.called) == 2
        assert await hub.is_asked_for()


async def test_who_asks_after_a_change_does_not_join_a_call_from_before() -> None:
    async with hub_of() as hub:
        async with under_way(hub, "look"):
            await hub.call("write")
            del hub.servers.held["look"]
            assert await hub.call() == {"asked": 3, "list": []}
            hub.servers.hold("look")
        assert await hub.call() == {"asked": 3, "list": []}, "the older answer came later and took no place"


async def test_a_change_that_waits_for_its_server_has_not_begun() -> None:
    async with hub_of() as hub:
        await hub.call()
        hub.servers.connected = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.call, "write")
            await anyio.wait_all_tasks_blocked()
            assert not await hub.is_asked_for()
            hub.servers.connected.set()
        assert await hub.is_asked_for()


async def test_a_tool_that_is_no_longer_read_only_as_it_is_sent_may_change_something() -> None:
    async with hub_of() as hub:
        await hub.call("look_again")
        hub.servers.connected = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.call)
            await anyio.wait_all_tasks_blocked()
            hub.live.put("one", [listed("look", None), *TOOLS[1:]])
            hub.servers.connected.set()
        assert await hub.is_asked_for("look_again")
        hub.live.put("one", TOOLS)
        assert await hub.is_asked_for("look"), "its answer is none of a read-only tool"


async def unheard(hub: Hub, error: Exception | None) -> None:
    """A change that ends with an error, or is cancelled."""
    if error is None:
        async with anyio.create_task_group() as tasks:
            hub.servers.hold("write")
            tasks.start_soon(hub.call, "write")
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        return

    def fails() -> types.CallToolResult:
        raise error

    hub.servers.answer = fails
    with pytest.raises(type(error)):
        await hub.call("write")
    hub.servers.answer = hub.servers.count


@pytest.mark.parametrize(
    "error", [None, DownstreamError("one", "didn't answer.", may_have_run=True), KeyError("a bug")]
)
async def test_a_change_whose_end_nobody_heard_of_may_go_on_for_a_while(error: Exception | None) -> None:
    async with hub_of() as hub:
        await unheard(hub, error)
        hub.now += UNSETTLED_SECONDS - 1
        assert [await hub.is_asked_for() for _ in range(2)] == [True, True]
        assert [await hub.is_asked_for(server="two") for _ in range(2)] == [True, False]
        hub.now += 1
        assert [await hub.is_asked_for() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("error", [DownstreamError("one", "refused."), ToolError("one", "write", "no"), HubError("no")])
async def test_a_change_that_failed_for_certain_has_ended(error: HubError) -> None:
    async with hub_of() as hub:
        await unheard(hub, error)
        assert [await hub.is_asked_for() for _ in range(2)] == [True, False]


async def test_one_server_is_forgotten_or_all_of_them() -> None:
    async with hub_of() as hub:
        for server in ("one", "two"):
            await hub.call(server=server)
        hub.memory.forget("one")
        assert [await hub.is_asked_for(server=server) for server in ("one", "two")] == [True, False]
        hub.memory.forget_all()
        assert [await hub.is_asked_for(server=server) for server in ("one", "two")] == [True, True]


async def test_what_was_asked_before_a_server_was_forgotten_is_not_remembered_after() -> None:
    async with hub_of() as hub:
        async with under_way(hub, "look"):
            hub.memory.forget("one")
        assert await hub.is_asked_for()


async def test_a_call_that_waited_for_a_session_to_open_is_remembered() -> None:
    async with hub_of() as hub:
        hub.servers.connected = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(hub.call)
                await anyio.wait_all_tasks_blocked()
                hub.memory.forget("one")
            hub.servers.connected.set()
        assert len(hub.servers.called) == 1, "who asked later waited for the same"
        assert not await hub.is_asked_for()


# How much is remembered


def text_of(size: int) -> types.CallToolResult:
    """A result that has so many bytes as JSON."""
    return types.CallToolResult(content=[types.TextContent(text="x" * (size - 2))])


async def test_a_result_over_the_bound_is_not_remembered() -> None:
    async with hub_of() as hub:
        for size, again in ((RESULT_BYTES, False), (RESULT_BYTES + 1, True)):
            hub.servers.answer = partial(text_of, size)
            assert await hub.is_asked_for(number=size)
            assert await hub.is_asked_for(number=size) is again


async def test_what_was_used_least_recently_makes_room() -> None:
    async with hub_of() as hub:
        hub.servers.answer = partial(text_of, RESULT_BYTES)
        fit = ALL_BYTES // (RESULT_BYTES + 500)
        for number in range(fit):
            await hub.call(number=number)
        assert not await hub.is_asked_for(number=0), "all of them fit"
        await hub.call(number=fit)
        assert not await hub.is_asked_for(number=0)
        assert not await hub.is_asked_for(number=2)
        assert await hub.is_asked_for(number=1)


async def test_what_was_dropped_takes_no_room() -> None:
    async with hub_of() as hub:
        hub.servers.answer = partial(text_of, RESULT_BYTES)
        await hub.call(server="two")
        for number in range(2 * ALL_BYTES // RESULT_BYTES):
            await hub.call(number=number)
            hub.memory.forget("one")
        assert not await hub.is_asked_for(server="two")


# Calls under way


async def test_identical_calls_under_way_share_one_and_each_gets_a_value_of_its_own() -> None:
    async with hub_of() as hub:
        values: list[Any] = []

        async def ask() -> None:
            values.append(await hub.call(text="a"))

        async with under_way(hub, "look", text="a") as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
            tasks.start_soon(partial(hub.call, text="b"))
            tasks.start_soon(partial(hub.call, text="a", client="bob"))
            await anyio.wait_all_tasks_blocked()
            assert len(hub.servers.called) == 3
        assert values == [{"asked": 1, "list": []}] * 3
        assert len({id(value["list"]) for value in values}) == 3
        assert hub.answered == ["one"] * 3


async def test_calls_that_are_not_remembered_are_not_shared() -> None:
    for cache, tool in (({"look_again": "60s"}, "look"), ("60s", "unsaid")):
        async with hub_of(cache) as hub, under_way(hub, tool) as tasks:
            tasks.start_soon(hub.call, tool)
            await anyio.wait_all_tasks_blocked()
            assert len(hub.servers.called) == 2


async def test_changes_that_wait_for_their_server_are_each_made() -> None:
    async with hub_of({"write": "60s", "*": "60s"}) as hub:
        hub.servers.connected = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(hub.call, "write")
            await anyio.wait_all_tasks_blocked()
            hub.servers.connected.set()
        assert len(hub.servers.called) == 2


@pytest.mark.parametrize("leaves", [0, 1])
async def test_whoever_is_cancelled_leaves_a_shared_call_to_the_others(leaves: int) -> None:
    async with hub_of() as hub:
        event = hub.servers.hold("look")
        scopes = [anyio.CancelScope(), anyio.CancelScope()]
        values: list[Any] = []

        async def ask(scope: anyio.CancelScope) -> None:
            with scope:
                values.append(await hub.call())

        async with anyio.create_task_group() as tasks:
            for scope in scopes:
                tasks.start_soon(ask, scope)
                await anyio.wait_all_tasks_blocked()
            scopes[leaves].cancel()
            await anyio.wait_all_tasks_blocked()
            event.set()
        assert values == [{"asked": 1, "list": []}]
        assert (len(hub.servers.called), hub.servers.cancelled) == (1, 0)
        assert not await hub.is_asked_for()


async def test_with_the_last_who_waits_the_call_is_cancelled_and_the_next_is_a_new_one() -> None:
    async with hub_of() as hub:
        hub.servers.hold("look")
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(hub.call)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert (len(hub.servers.called), hub.servers.cancelled) == (1, 1)
        hub.servers.held.clear()
        assert await hub.is_asked_for()


async def test_a_shared_failure_is_told_to_all_and_remembered_by_none() -> None:
    async with hub_of() as hub:
        hub.servers.answer = lambda: types.CallToolResult(content=[types.TextContent(text="no")], is_error=True)
        failed: list[str] = []

        async def ask() -> None:
            with pytest.raises(ToolError) as caught:
                await hub.call()
            failed.append(caught.value.text)

        event = hub.servers.hold("look")
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            event.set()
        assert failed == ["one.look failed: no"] * 2
        assert len(hub.servers.called) == 1
        hub.servers.answer = hub.servers.count
        assert await hub.is_asked_for()


async def test_progress_reaches_each_who_waits_and_what_one_does_with_it_is_its_own() -> None:
    async with hub_of() as hub:
        told: list[tuple[str, float]] = []

        async def first(progress: float, total: float | None, message: str | None) -> None:
            told.append(("first", progress))

        async def fails(progress: float, total: float | None, message: str | None) -> None:
            raise ValueError

        async def ask_and_fail() -> None:
            with pytest.raises(ValueError):  # noqa: PT011 - raised here, without a word
                await hub.call(on_progress=fails)

        async with under_way(hub, "look", on_progress=first) as tasks:
            tasks.start_soon(ask_and_fail)
            await anyio.wait_all_tasks_blocked()
            (progress,) = hub.servers.progress
            assert progress is not None
            await progress(1, 2, None)
            await anyio.wait_all_tasks_blocked()
            await progress(2, 2, None)
            await anyio.wait_all_tasks_blocked()
        assert told == [("first", 1), ("first", 2)]
        assert not await hub.is_asked_for()


async def test_progress_is_not_asked_for_when_nobody_wants_it() -> None:
    async with hub_of() as hub:
        await hub.call()
        assert hub.servers.progress == [None]


async def test_at_the_end_nothing_is_left_under_way() -> None:
    async with anyio.create_task_group() as tasks:
        async with hub_of() as hub:
            hub.servers.hold("look")
            tasks.start_soon(hub.call)
            await anyio.wait_all_tasks_blocked()
        assert hub.servers.cancelled == 1
        tasks.cancel_scope.cancel()


# What a person is told


async def test_settings_without_an_effect_are_told() -> None:
    rules = [CacheRule(tool, 60) for tool in ("*", "look*", "unsaid", "lok", "*s*")]
    hub = Hub()
    tools = list(hub.live.snapshot.servers["one"].tools.values())
    assert without_effect("one", [*rules, CacheRule("write", 0)], tools) == snapshot(
        [
            "'unsaid' of servers.one.cache has no effect: no tool that it fits is annotated as read-only.",
            "'lok' of servers.one.cache has no effect: it fits no tool.",
            "'*s*' of servers.one.cache has no effect: no tool that it fits is annotated as read-only.",
        ]
    )
    only_writes = [tool for tool in tools if tool.name == "write"]
    assert without_effect("one", rules[:1], only_writes) == snapshot(
        ["servers.one.cache has no effect: no tool that it fits is annotated as read-only."]
    )
    assert without_effect("one", (), tools) == []
