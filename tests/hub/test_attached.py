"""An attached hub, against stand-ins for its session: what an agent is told when the other hub has gone."""

from typing import Any

import pytest
from inline_snapshot import snapshot
from mcp_types import CallToolResult, TextContent

from mcp_hub.errors import CallerError, DownstreamError
from mcp_hub.hub.attached import NAME, Attached, connection
from mcp_hub.settings import ServerSettings
from mcp_hub.store.running import RunningHub

pytestmark = pytest.mark.anyio

HERE = connection(RunningHub(1, "http://127.0.0.1:8400/mcp", "secret", "print"), "me", 60)
ELSEWHERE = connection(RunningHub(2, "http://127.0.0.1:8401/mcp", "secret", "print"), "me", 60)


class Session:
    """Stands in for Downstreams with one server."""

    def __init__(self, *, ready: bool = True, fails: bool = False) -> None:
        self.is_ready = ready
        self.fails = fails
        self.calls = 0
        self.configured: dict[str, ServerSettings] = {}

    def __getitem__(self, name: str) -> "Session":
        assert name == NAME
        return self

    async def ready(self, _timeout: float) -> bool:
        return self.is_ready

    async def call(self, _server: str, tool: str, arguments: dict[str, Any], on_progress: Any) -> CallToolResult:
        self.calls += 1
        if self.fails:
            raise DownstreamError(NAME, "can't be reached.")
        if on_progress:
            await on_progress(1.0, None, None)
        return CallToolResult(
            content=[TextContent(type="text", text=f"{tool} {arguments}"), TextContent(type="text", text="printed")],
            is_error=True,
        )

    def configure(self, servers: dict[str, ServerSettings]) -> None:
        self.configured = servers
        self.is_ready = True


def attached(session: Session, found: ServerSettings | None = HERE) -> Attached:
    async def find() -> ServerSettings | None:
        return found

    return Attached(session, HERE, find)  # type: ignore[arg-type]


async def test_an_answer_is_the_other_hubs_with_its_progress() -> None:
    told: list[tuple[float, str]] = []

    async def report(progress: float, message: str) -> None:
        told.append((progress, message))

    answer = await attached(Session()).answer("getToolDocs", {"server": "a"}, report=report)
    assert (answer.parts, answer.is_error) == (("getToolDocs {'server': 'a'}", "printed"), True)
    assert told == [(1.0, "")]


async def test_a_name_that_is_no_meta_tool_isn_t_asked_for() -> None:
    with pytest.raises(CallerError, match="There is no tool 'runCode'"):
        await attached(Session()).answer("runCode", {})


async def test_of_two_calls_that_find_the_successor_at_once_both_are_answered() -> None:
    session = Session(ready=False)
    made = attached(session, ELSEWHERE)
    await made.answer("listToolFiles", {})
    session.is_ready = False

    async def soon_ready(_timeout: float) -> bool:
        ready, session.is_ready = session.is_ready, True
        return ready

    session.ready = soon_ready  # type: ignore[method-assign]
    assert (await made.answer("listToolFiles", {})).parts[0] == "listToolFiles {}"


@pytest.mark.parametrize("found", [None, HERE])
async def test_a_hub_that_has_gone_is_told_with_what_to_do(found: ServerSettings | None) -> None:
    answer = await attached(Session(ready=False), found).answer("listToolFiles", {})
    assert answer.is_error
    assert answer.parts[0] == snapshot(
        "The hub at http://127.0.0.1:8400/mcp, to which this one is attached, doesn't answer. Start it again with "
        "`mcp_hub serve --http` and ask again, or restart this client without --attach."
    )


async def test_a_hub_that_goes_while_it_is_asked_may_have_done_something_and_is_asked_once() -> None:
    session = Session(fails=True)
    answer = await attached(session, ELSEWHERE).answer("executeToolCode", {"code": "1"})
    assert answer.parts[0].endswith(" If it was running a program, that may have done part of its work.")
    assert session.calls == 1


async def test_a_hub_that_was_started_again_is_asked_in_its_place() -> None:
    session = Session(ready=False)
    answer = await attached(session, ELSEWHERE).answer("listToolFiles", {})
    assert answer.parts[0] == "listToolFiles {}"
    assert session.configured == {NAME: ELSEWHERE}


def test_the_other_hub_is_told_its_secret_and_who_is_asking() -> None:
    assert HERE.headers == {"Authorization": "Bearer secret.me"}
