"""Supervision: when a server is connected to, again, and what a call is told meanwhile."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from mcp_hub.config import parse
from mcp_hub.errors import DownstreamError
from mcp_hub.hub.children import Children
from mcp_hub.hub.downstream import Downstreams, OnListed, State
from mcp_hub.hub.results import to_value
from mcp_hub.hub.session import Listed
from tests.support import PATIENCE, alive

pytestmark = pytest.mark.anyio

Open = Callable[..., AbstractAsyncContextManager[Downstreams]]

BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "3"]\n'
BAD = (
    '[servers.bad]\ncommand = ["{python}", "-I", "-S", "{fixtures}/misbehaving_server.py", "--mode", "%s"]\n'
    "timeout = %s\n"
)


@pytest.fixture
def opened(servers_toml: Callable[[str], Path], tmp_path: Path) -> Open:
    """Downstreams of a servers.toml's text, without jitter; `seen` collects the lists, or `on_listed` takes them."""

    @asynccontextmanager
    async def open_them(
        text: str, seen: dict[str, Listed] | None = None, on_listed: OnListed | None = None
    ) -> AsyncIterator[Downstreams]:
        path = servers_toml(text)
        listed = {} if seen is None else seen

        async def collect(name: str, each: Listed) -> None:
            listed[name] = each

        async with Downstreams(
            parse(path.read_text(), path, {}).servers,
            children=Children(tmp_path / "logs", {"PATH": ""}),
            on_listed=on_listed or collect,
            max_message_bytes=1_000_000,
            jitter=lambda: 1.0,
        ) as downstreams:
            yield downstreams

    return open_them


async def test_nothing_is_started_until_it_is_wanted(opened: Open) -> None:
    async with opened(BARE % "one") as downstreams:
        await anyio.wait_all_tasks_blocked()
        assert downstreams["one"].status.state is State.IDLE


async def test_a_wanted_server_lists_its_tools_and_tells_how_it_stands(opened: Open) -> None:
    seen: dict[str, Listed] = {}
    async with opened(BARE % "one", seen) as downstreams:
        await downstreams.settle(["one"], PATIENCE)
        status = downstreams["one"].status
    assert (status.state, status.tools, status.error) == (State.READY, 3, None)
    assert [tool["name"] for tool in seen["one"].tools] == ["tool_000", "tool_001", "tool_002"]
    assert seen["one"].legacy


async def test_a_call_starts_a_server_that_nobody_wanted_yet(opened: Open) -> None:
    async with opened(BARE % "one") as downstreams:
        result = await downstreams.call("one", "tool_000", {"text": "a"}, None)
        assert to_value(result)["ok"] is True


async def test_calls_of_a_failed_server_wait_for_it_and_then_tell_when_it_is_tried_again(opened: Open) -> None:
    async with opened(BAD % ("exits-at-start", 1.2)) as downstreams:
        with pytest.raises(DownstreamError, match=r"exited with status 3 .* The next try is in \d+\.\d s\."):
            await downstreams.call("bad", "fine", {}, None)


async def test_each_failure_doubles_the_wait_up_to_a_most(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(BAD % ("exits-at-start", 5)) as downstreams:
        downstreams.want_all()
        with anyio.fail_after(PATIENCE):
            while len(caplog.records) < 3:
                await anyio.sleep(0.01)
    waits = [float(record.getMessage().rsplit(" in ", 1)[1].removesuffix(" s.")) for record in caplog.records[:3]]
    assert waits == [0.5, 1.0, 2.0]


async def test_more_servers_than_may_start_at_once_all_get_their_turn(opened: Open) -> None:
    names = [f"s{number}" for number in range(9)]
    seen: dict[str, Listed] = {}
    async with opened("".join(BARE % name for name in names), seen) as downstreams:
        downstreams.want_all()
        with anyio.fail_after(PATIENCE):
            while len(seen) < len(names):
                await anyio.sleep(0.01)


async def test_a_call_does_not_queue_behind_servers_that_never_get_ready(opened: Open) -> None:
    stuck = "".join(
        f'[servers.s{number}]\ncommand = ["{{python}}", "-I", "-S", "{{fixtures}}/misbehaving_server.py", '
        '"--mode", "never-answers-initialize"]\n'
        for number in range(6)
    )
    async with opened(stuck + BARE % "one") as downstreams:
        downstreams.want_all()
        with anyio.fail_after(PATIENCE):
            result = await downstreams.call("one", "tool_000", {"text": "a"}, None)
        assert to_value(result)["ok"] is True


async def test_a_server_that_ends_at_the_newer_protocols_first_message_is_tried_in_the_older(opened: Open) -> None:
    async with opened(BAD % ("ends-at-unknown", 10)) as downstreams:
        with anyio.fail_after(PATIENCE):
            assert to_value(await downstreams.call("bad", "fine", {}, None)) is not None
        assert downstreams["bad"].legacy


async def test_a_fault_of_the_hubs_own_costs_one_server_only(opened: Open) -> None:
    listed: list[str] = []

    async def on_listed(name: str, each: Listed) -> None:
        if name == "one":
            raise KeyError("a bug")
        listed.append(name)

    async with opened(BARE % "one" + BARE % "two", on_listed=on_listed) as downstreams:
        await downstreams.settle(["one", "two"], PATIENCE)
        assert "can't be used: KeyError (see hub.log)." in (downstreams["one"].status.error or "")
        assert listed == ["two"]


async def test_a_log_that_was_removed_does_not_end_the_hub(opened: Open, tmp_path: Path) -> None:
    async with opened(BAD % ("ok", 10)) as downstreams:
        await downstreams.settle(["bad"], PATIENCE)
        (tmp_path / "logs" / "bad.log").unlink()
        with pytest.raises(DownstreamError, match="exited with status 1 before it answered do"):
            await downstreams.call("bad", "do", {"what": "die"}, None)
        assert to_value(await downstreams.call("bad", "fine", {}, None)) is not None


async def test_a_session_that_is_lost_is_opened_again(opened: Open) -> None:
    seen: dict[str, Listed] = {}
    async with opened(BAD % ("ok", 10), seen) as downstreams:
        with pytest.raises(DownstreamError, match="it may or may not have done it"):
            await downstreams.call("bad", "do", {"what": "die"}, None)
        assert to_value(await downstreams.call("bad", "fine", {}, None)) is not None


ECHO = '[servers.echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\nidle_stop = %s\n'


async def until(downstreams: Downstreams, name: str, state: State) -> None:
    """Wait until a server stands so."""
    with anyio.fail_after(PATIENCE):
        while downstreams[name].status.state is not state:
            await anyio.sleep(0.01)


async def test_a_server_that_nobody_uses_is_stopped_and_started_again_by_the_next_call(opened: Open) -> None:
    async with opened(ECHO % 0.1) as downstreams:
        first = to_value(await downstreams.call("echo", "pid", {}, None))
        await until(downstreams, "echo", State.IDLE)
        status = downstreams["echo"].status
        assert status.error is None
        assert to_value(await downstreams.call("echo", "pid", {}, None)) != first


async def test_a_call_under_way_keeps_its_server_from_being_stopped(opened: Open) -> None:
    async with opened(ECHO % 0.1) as downstreams:
        first = to_value(await downstreams.call("echo", "pid", {}, None))
        await downstreams.call("echo", "sleep", {"seconds": 0.5}, None)
        assert to_value(await downstreams.call("echo", "pid", {}, None)) == first


async def test_without_idle_stop_a_server_is_left_running(opened: Open) -> None:
    async with opened(ECHO % 0) as downstreams:
        first = to_value(await downstreams.call("echo", "pid", {}, None))
        await anyio.wait_all_tasks_blocked()
        assert downstreams["echo"].status.state is State.READY
        assert to_value(await downstreams.call("echo", "pid", {}, None)) == first


async def test_a_changed_configuration_is_told_by_server(opened: Open) -> None:
    async with opened(BARE % "same" + BARE % "gone" + BARE % "other") as downstreams:
        before = {server.name: server.settings for server in downstreams}
        await downstreams.settle(before, PATIENCE)
        changed = before["other"].model_copy(update={"timeout": 7.0})
        described = before["same"].model_copy(update={"description": "the same"})
        changes = downstreams.configure({"new": before["gone"], "other": changed, "same": described})
        assert str(changes) == "added: new; removed: gone; changed: other"
        assert [server.name for server in downstreams] == ["new", "other", "same"]
        assert downstreams["same"].status.state is State.READY
        await until(downstreams, "same", State.READY)
        assert to_value(await downstreams.call("other", "tool_000", {"text": "a"}, None))["ok"] is True
        with pytest.raises(
            DownstreamError, match=r"'gone' was taken out of servers\.toml before tool_000 was called\."
        ):
            await downstreams.call("gone", "tool_000", {}, None)


async def test_a_changed_server_starts_when_the_one_before_has_ended(opened: Open) -> None:
    async with opened(ECHO % 0) as downstreams:
        settings = downstreams["echo"].settings
        pids = [to_value(await downstreams.call("echo", "pid", {}, None))]
        for timeout in (5.0, 6.0, 7.0):
            downstreams.configure({"echo": settings.model_copy(update={"timeout": timeout})})
        with anyio.fail_after(PATIENCE):
            pids.append(to_value(await downstreams.call("echo", "pid", {}, None)))
        assert not alive(pids[0]["pid"])
        assert pids[0] != pids[1]
