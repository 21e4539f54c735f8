"""An agent's program from its text to the answer: what is told before it runs, what it gets, what is kept for later."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog
from mcp_hub.hub.journal import Journal
from mcp_hub.hub.programs import Programs
from mcp_hub.hub.scripts import SharedScripts
from mcp_hub.hub.unseen import Unseen
from mcp_hub.sandbox.conversation import CallTool, Job, Run
from mcp_hub.sandbox.limits import Limits
from mcp_hub.settings import JournalSettings, ServerSettings
from tests.ledger import LedgerHub, ledger_hub, nothing_left

pytestmark = pytest.mark.anyio

MORE = """
[servers.broken]
command = ["no-such-program"]
[policy]
deny = ["api.release"]
[hub.limits]
result_characters = 1000
"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LedgerHub]:
    """A hub over the ledger server and one that can't start, for all tests of this file."""
    async with ledger_hub(tmp_path_factory.mktemp("programs"), MORE) as opened:
        yield opened


# What is told before anything is called


async def test_everything_that_is_wrong_is_told_at_once_with_its_lines_and_nothing_is_called(api: LedgerHub) -> None:
    before = api.received()
    code = """\
api.add(text="before")
api.create_isue(title="a")
api.create_issue(titel="a", state="opened")
for i in range(3):
    api.create_issue(title=3, labels=["a", 3], where={})
api.add()
nobody.knows()
"""
    text = await api.answer(code=code)
    assert text == snapshot("""\
The program failed (name).
line 2: api has no tool 'create_isue'. Did you mean api.create_issue?
line 3: api.create_issue: no parameter 'titel' (did you mean 'title'?); argument state: expected one of "open", "closed"; got text "opened". It is: def create_issue(title: str, *, state: Literal["open", "closed"] = None, limit: int = None, labels: list[str] = None, where: {by: str} = None) -> Any
line 5: api.create_issue: argument title: expected str, got int 3; argument labels[1]: expected str, got int 3; argument where: field 'by' is missing. It is: def create_issue(title: str, *, state: Literal["open", "closed"] = None, limit: int = None, labels: list[str] = None, where: {by: str} = None) -> Any
line 6: api.add: argument 'text' is missing. It is: def add(text: str) -> Any
line 7: nothing is called 'nobody', no server and nothing in the program. Servers: api, broken.
Next: nothing was called, so mend the program and send it again.\
""")  # noqa: E501
    assert api.received() == before


async def test_a_call_that_the_policy_denies_is_told_before_anything_is_called(api: LedgerHub) -> None:
    before = api.received()
    text = await api.answer(code='api.add(text="a")\nif False:\n    api.release()\n')
    assert text.startswith("The program failed (denied).\nline 3: api.release was not called, because the policy")
    assert "the rule 'api.release' in deny of [policy]" in text
    assert api.received() == before


async def test_what_a_program_computes_is_judged_when_it_is_called(api: LedgerHub) -> None:
    code = """\
given = {"title": "computed", "state": "opened"}
first = api.create_issue(title="computed" + "", limit=len("ab"), **{"state": "open"})
api.create_issue(**given)
"""
    done = await api.failed(code)
    assert done.text.startswith("The program failed (arguments).")
    assert 'argument state: expected one of "open", "closed"; got text "opened"' in done.text
    assert api.received("computed") == ["create_issue computed 2 open"]


async def test_none_for_an_optional_argument_is_not_given(api: LedgerHub) -> None:
    await api.value('api.create_issue(title="nones", state=None, limit=None)')
    assert api.received("nones") == ["create_issue nones"]


async def test_a_server_that_cannot_start_is_told_to_the_program_that_names_it(api: LedgerHub) -> None:
    assert "line 1: Server 'broken' can't start" in (await api.failed("broken.tool()")).text
    assert await api.value('result = api.look(text="broken")["calls"] > 0')


# Answers


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ('result = {"é": [1, None, True]}', '{"é": [1, null, true]}'),
        ('result = "plain"', "plain"),
        ("result = None", "null"),
        ("def main():\n    return [1]", "[1]"),
        ("1 + 1", "2"),
        (
            "x = 1",
            snapshot("null: the program gave no answer. Set result, return it from main(), or end with an expression."),
        ),
    ],
)
async def test_an_answer_is_text_or_json(api: LedgerHub, code: str, text: str) -> None:
    assert await api.answer(code=code) == text


def handle_in(text: str) -> str:
    return text.partition('recall("')[2].partition('"')[0]


async def test_a_large_answer_is_cut_and_recalled_whole_by_a_later_program(api: LedgerHub) -> None:
    text = await api.answer(code='result = [{"n": n, "name": "x" * 20} for n in range(1000)]')
    assert len(text) < 1600
    assert text.startswith('[{"n": 0, "name": "xxxxxxxxxxxxxxxxxxxx"}')
    code = f'rows = recall("{handle_in(text)}")\nresult = [len(rows), rows[999]["n"], type(rows[0])]'
    assert await api.value(code) == [1000, 999, "dict"]


async def test_a_handle_is_its_own_clients(api: LedgerHub) -> None:
    handle = handle_in(await api.answer("client:ada", code='result = "x" * 5000'))
    code = f'result = len(recall("{handle}"))'
    assert await api.value(code, client="client:ada") == 5000
    for other in ("client:bob", "http", "local"):
        assert f"There is nothing to recall under '{handle}'" in (await api.failed(code, client=other)).text


async def test_what_was_never_kept_is_told(api: LedgerHub) -> None:
    text = (await api.failed('recall("nonsense")')).text
    assert "There is nothing to recall under 'nonsense'; handles stand where an answer was cut." in text


async def test_an_answer_within_the_limit_is_not_kept(api: LedgerHub) -> None:
    assert "recall" not in await api.answer(code='result = "x" * 1000')


# Progress


async def test_progress_is_told_after_each_call_and_only_grows(api: LedgerHub) -> None:
    told: list[tuple[float, str]] = []

    async def report(progress: float, message: str) -> None:
        told.append((progress, message))

    code = 'api.add(text="p")\nparallel(lambda n: api.look(text="p"), range(3))'
    await api.hub.programs.execute(code, "local", None, report)
    assert told == [(1.0, "api.add"), (2.0, "api.look"), (3.0, "api.look"), (4.0, "api.look")]


# What a program is given


class Pool:
    """Stands in for the pool: keeps the job, and answers nothing."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def run(self, job: Job, call_tool: CallTool) -> Run:
        self.jobs.append(job)
        return Run(value=1)


class Servers:
    """Stands in for the downstream servers: none is ever connected."""

    def __init__(self) -> None:
        self.waited_for: list[str] = []

    async def settle(self, names: list[str], timeout: float) -> None:
        self.waited_for += names

    def __getitem__(self, name: str) -> Any:
        return type("Server", (), {"why_not_ready": f"Server '{name}' can't start."})


async def job_of(code: str, scripts: SharedScripts | None = None) -> tuple[Job, Servers]:
    """What the pool is handed for a program, over `git-hub`, which has been seen, and `slack`, which hasn't."""
    live = LiveCatalog(
        {"git-hub": ServerSettings(command=("x",)), "slack": ServerSettings(command=("y",))}, UNRESTRICTED
    )
    live.put("git-hub", [{"name": "list_issues", "inputSchema": {}}, {"name": "create-issue", "inputSchema": {}}])
    kept = anyio.Event()
    kept.set()
    servers: Any = Servers()
    pool: Any = Pool()
    calls: Any = type("Calls", (), {"problems": None})
    programs = Programs(
        live=live,
        downstreams=servers,
        calls=calls,
        journal=Journal(JournalSettings(), calls, lambda: live.settings),
        pool=pool,
        scripts=lambda: scripts or SharedScripts(None),
        limits=Limits(),
        unseen=Unseen(live, servers, kept),
    )
    await programs.execute(code, "client:ada")
    return pool.jobs[0], servers


async def test_only_servers_that_a_program_names_are_handed_to_it_and_waited_for() -> None:
    job, servers = await job_of("result = git_hub.list_issues()")
    assert dict(job.namespaces) == {"git_hub": ["create_issue", "list_issues"]}
    assert (job.unavailable, list(job.servers), job.client) == ({}, ["git_hub", "slack"], "client:ada")
    assert servers.waited_for == []
    job, servers = await job_of("slack.post()")
    assert (job.namespaces, job.unavailable) == ({}, {"slack": "Server 'slack' can't start."})
    assert servers.waited_for == ["slack"]


async def test_servers_that_a_loaded_script_names_are_handed_along_with_it(tmp_path: Any) -> None:
    (tmp_path / "a.star").write_text("def f():\n    return git_hub.list_issues()\n")
    job, _ = await job_of('load("scripts/a.star", "f")\nresult = f()', SharedScripts(tmp_path))
    assert list(job.namespaces) == ["git_hub"]
    assert list(job.scripts) == ["scripts/a.star"]


async def test_a_program_that_loads_what_is_not_there_is_not_run(tmp_path: Any) -> None:
    with pytest.raises(CallerError, match=r"There is no shared script 'scripts/a\.star'"):
        await job_of('load("scripts/a.star", "f")', SharedScripts(tmp_path))
