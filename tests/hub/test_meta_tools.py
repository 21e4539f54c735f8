"""The four meta-tools without a client: what each answers over a catalog of its own."""

from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, LimitError, ScriptError
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog
from mcp_hub.hub.meta_tools import META_TOOLS, MetaTools
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Job, Run
from mcp_hub.settings import ServerSettings

pytestmark = pytest.mark.anyio


class Servers:
    """Stands in for the downstream servers: none is ever connected."""

    def __init__(self, error: str | None = None) -> None:
        self._error = error
        self.waited_for: list[str] = []

    async def settle(self, names: list[str], timeout: float) -> None:
        self.waited_for += names

    def __getitem__(self, name: str) -> Any:
        return type("Server", (), {"why_not_ready": self._error or f"Server '{name}' is still connecting."})


class Programs:
    """Stands in for the pool: answers every program alike and keeps the job."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.job: Job | None = None

    async def run(self, job: Job, call_tool: Any) -> Run:
        self.job = job
        return self._run


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}}


def meta_tools(
    *, run: Run | None = None, servers: Servers | None = None, notes: tuple[str, ...] = (), count: int = 2
) -> tuple[MetaTools, Programs]:
    """Meta-tools over two servers: `git-hub`, which has been seen, and `slack`, which hasn't."""
    settings = {
        "git-hub": ServerSettings(command=("x",), description="Code and issues"),
        "slack": ServerSettings(command=("y",)),
    }
    live = LiveCatalog(settings, UNRESTRICTED)
    tools = [tool("list_issues", "List issues.", owner={"type": "string"}), tool("create-issue", "Create an issue.")]
    live.put("git-hub", (tools * count)[:2] + [tool(f"tool_{n}", "x" * 100) for n in range(count - 2)])
    kept = anyio.Event()
    kept.set()
    programs = Programs(run or Run(value=1))
    made = MetaTools(
        live=live,
        kept_loaded=kept,
        downstreams=servers or Servers(),  # type: ignore[arg-type]
        calls=None,  # type: ignore[arg-type]
        pool=programs,  # type: ignore[arg-type]
        limits=Limits(result_characters=100),
        notes=lambda: notes,
    )
    return made, programs


async def answer(made: MetaTools, name: str, **arguments: Any) -> str:
    """A meta-tool's first text."""
    return (await made.answer(name, arguments)).parts[0]


async def test_files_are_listed_with_what_is_known_of_each_server() -> None:
    made, _ = meta_tools(notes=("./servers.toml was left alone.",))
    assert await answer(made, "listToolFiles") == snapshot("""\
servers/git_hub.pyi  2 tools       Code and issues
servers/slack.pyi    no tools yet  Server 'slack' is still connecting.
./servers.toml was left alone.\
""")


async def test_no_server_at_all_says_what_to_do() -> None:
    kept = anyio.Event()
    kept.set()
    made = MetaTools(
        live=LiveCatalog({}, UNRESTRICTED),
        kept_loaded=kept,
        downstreams=Servers(),  # type: ignore[arg-type]
        calls=None,  # type: ignore[arg-type]
        pool=None,  # type: ignore[arg-type]
        limits=Limits(),
    )
    assert await answer(made, "listToolFiles") == snapshot(
        "No server is configured. Add one to servers.toml; `mcp_hub config schema` describes it."
    )


async def test_a_search_shows_signatures_ready_to_call() -> None:
    made, _ = meta_tools()
    assert await answer(made, "listToolFiles", query="create issues") == snapshot("""\
git_hub: def create_issue() -> Any  # Create an issue.
git_hub: def list_issues(*, owner: str = None) -> Any  # List issues.
Not searched: Server 'slack' is still connecting.\
""")


@pytest.mark.parametrize(
    "name", ["servers/git_hub.pyi", "git_hub.pyi", "git_hub", "git-hub", "./servers/GIT_HUB.pyi", "GitHub.py"]
)
async def test_a_file_is_found_however_it_is_spelt(name: str) -> None:
    made, _ = meta_tools()
    text = await answer(made, "readToolFile", fileName=name)
    if name == "GitHub.py":
        assert text.startswith("There is no server 'GitHub'. Did you mean 'git_hub'?")
    else:
        assert text.startswith("# git_hub: 2 tools. Code and issues\n# In a program: git_hub.TOOL(argument=value)\n")


async def test_lines_of_a_file_are_read_by_number() -> None:
    made, _ = meta_tools()
    assert await answer(made, "readToolFile", fileName="git_hub", startLine=3, endLine=3) == snapshot(
        "def create_issue() -> Any  # Create an issue."
    )


async def test_a_long_file_ends_with_where_to_go_on() -> None:
    made, _ = meta_tools(count=600)
    text = await answer(made, "readToolFile", fileName="git_hub")
    assert len(text) < 41_000
    number = int(text.rsplit("startLine ", 1)[1].split(";")[0])
    rest = await answer(made, "readToolFile", fileName="git_hub", startLine=number)
    assert text.splitlines()[-2] not in rest
    assert len(text.splitlines()) - 1 + len(rest.splitlines()) == 602


async def test_docs_are_found_by_the_servers_own_names_too() -> None:
    made, _ = meta_tools()
    docs = await answer(made, "getToolDocs", server="git-hub", tool="create-issue")
    assert docs.startswith("git_hub.create_issue\n(the server calls it 'create-issue')\n")


async def test_a_server_that_failed_is_told_wherever_it_is_asked_for() -> None:
    servers = Servers("Server 'slack' can't start.")
    made, programs = meta_tools(servers=servers)
    assert (await made.answer("readToolFile", {"fileName": "slack"})).is_error
    assert await answer(made, "getToolDocs", server="slack", tool="x") == "Server 'slack' can't start."
    await answer(made, "executeToolCode", code="slack.post()")
    assert programs.job is not None
    assert programs.job.unavailable == {"slack": "Server 'slack' can't start."}
    assert set(servers.waited_for) == {"slack"}


async def test_only_servers_that_a_program_names_are_handed_to_it() -> None:
    made, programs = meta_tools()
    await answer(made, "executeToolCode", code="result = git_hub.list_issues()")
    assert programs.job is not None
    assert dict(programs.job.namespaces) == {"git_hub": ["create_issue", "list_issues"]}
    assert programs.job.unavailable == {}
    assert list(programs.job.servers) == ["git_hub", "slack"]


@pytest.mark.parametrize(
    ("run", "parts"),
    [
        (Run(value={"é": [1, None, True]}), ('{"é": [1, null, true]}',)),
        (Run(value="plain"), ("plain",)),
        (Run(value=None, log="working\n"), ("null", "printed:\nworking\n")),
        (
            Run(answered=False),
            ("null: the program gave no answer. Set result, return it from main(), or end with an expression.",),
        ),
    ],
)
async def test_an_answer_is_text_or_json_and_prints_come_apart(run: Run, parts: tuple[str, ...]) -> None:
    made, _ = meta_tools(run=run)
    answered = await made.answer("executeToolCode", {"code": ""})
    assert (answered.parts, answered.is_error) == (parts, False)


async def test_a_failure_says_its_kind_and_what_had_been_done() -> None:
    made, _ = meta_tools(run=Run(error=ScriptError("name", "line 1: no"), calls=3, succeeded=2, log="x\n"))
    assert (await made.answer("executeToolCode", {"code": ""})).parts == snapshot(
        ("The program failed (name). Before that, 2 of the 3 tool calls succeeded.\nline 1: no", "printed:\nx\n")
    )
    limit = LimitError("calls", "3", "How far.", "What now.")
    made, _ = meta_tools(run=Run(error=limit))
    assert (await made.answer("executeToolCode", {"code": ""})).is_error


async def test_misuse_is_told_and_an_unknown_tool_is_raised() -> None:
    made, _ = meta_tools()
    assert await answer(made, "readToolFile", fileName=3) == snapshot("readToolFile: fileName must be text.")
    assert await answer(made, "readToolFile", fileName="git_hub", startLine=0) == snapshot(
        "readToolFile: startLine starts at 1."
    )
    assert await answer(made, "readToolFile", fileName="git_hub", startLine=True) == snapshot(
        "readToolFile: startLine must be a whole number."
    )
    assert await answer(made, "listToolFiles", qurey="x") == snapshot(
        "There is no argument 'qurey' of listToolFiles. Did you mean 'query'?"
    )
    with pytest.raises(CallerError, match="Did you mean 'listToolFiles'"):
        await made.answer("listTools", {})


def test_each_meta_tools_schema_names_what_is_required() -> None:
    assert {each.name: each.input_schema.get("required", []) for each in META_TOOLS} == {
        "listToolFiles": [],
        "readToolFile": ["fileName"],
        "getToolDocs": ["server", "tool"],
        "executeToolCode": ["code"],
    }
