"""The four meta-tools without a client: what each answers over a catalog of its own."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, ScriptError
from mcp_hub.hub import stubs
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog
from mcp_hub.hub.meta_tools import DOCS_CHARACTERS, META_TOOLS, MetaTools
from mcp_hub.hub.programs import Executed, Report
from mcp_hub.hub.scripts import SharedScripts
from mcp_hub.hub.unseen import Unseen
from mcp_hub.sandbox.conversation import Run
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
    """Stands in for what runs programs: answers every program alike, and keeps what was asked of it."""

    def __init__(self, executed: Executed | CallerError) -> None:
        self._executed = executed
        self.asked: list[tuple[str, str, str | None]] = []

    async def execute(
        self, code: str, client: str, resume: str | None = None, report: Report | None = None
    ) -> Executed:
        self.asked.append((code, client, resume))
        if isinstance(self._executed, CallerError):
            raise self._executed
        return self._executed


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}}


def meta_tools(
    *,
    executed: Executed | CallerError | None = None,
    servers: Servers | None = None,
    notes: tuple[str, ...] = (),
    count: int = 2,
    scripts: SharedScripts | None = None,
) -> tuple[MetaTools, Programs]:
    """Meta-tools over two servers: `git-hub`, which has been seen, and `slack`, which hasn't."""
    settings = {
        "git-hub": ServerSettings(command=("x",), description="Code and issues"),
        "slack": ServerSettings(command=("y",)),
    }
    live = LiveCatalog(settings, UNRESTRICTED)
    tools = [tool("list_issues", "List issues.", owner={"type": "string"}), tool("create-issue", "Create an issue.")]
    live.put("git-hub", (tools * count)[:2] + [tool(f"tool_{n}", "x" * 100) for n in range(count - 2)])
    programs = Programs(executed or Executed(Run(value=1), "abc234", "1"))
    return over(live, servers or Servers(), programs, notes, scripts), programs


def over(
    live: LiveCatalog,
    servers: Servers,
    programs: Programs,
    notes: tuple[str, ...] = (),
    scripts: SharedScripts | None = None,
) -> MetaTools:
    kept = anyio.Event()
    kept.set()
    downstreams: Any = servers
    runs: Any = programs
    return MetaTools(
        live=live,
        unseen=Unseen(live, downstreams, kept),
        downstreams=downstreams,
        programs=runs,
        scripts=lambda: scripts or SharedScripts(None),
        notes=lambda: notes,
    )


async def answer(made: MetaTools, name: str, **arguments: Any) -> str:
    """A meta-tool's first text."""
    return (await made.answer(name, arguments)).parts[0]


async def test_files_are_listed_with_what_is_known_of_each_server() -> None:
    made, _ = meta_tools(notes=("./servers.toml was left alone.",))
    assert await answer(made, "listToolFiles") == snapshot("""\
servers/git_hub.pyi  2 tools       Code and issues
  def create_issue() -> Any  # Create an issue.
  def list_issues(*, owner: str = None) -> Any  # List issues.
servers/slack.pyi    no tools yet  Server 'slack' is still connecting.
./servers.toml was left alone.\
""")


async def test_no_server_at_all_says_what_to_do() -> None:
    made = over(LiveCatalog({}, UNRESTRICTED), Servers(), Programs(CallerError("no")))
    assert await answer(made, "listToolFiles") == snapshot(
        "No server is configured. Add one to servers.toml; `mcp_hub config schema` describes it."
    )


async def test_shared_scripts_are_listed_below_the_servers_and_read_by_line(tmp_path: Path) -> None:
    (tmp_path / "triage.star").write_text("# Sorts issues.\ndef triage():\n    return 1\n")
    made, _ = meta_tools(scripts=SharedScripts(tmp_path))
    assert await answer(made, "listToolFiles") == snapshot("""\
servers/git_hub.pyi  2 tools       Code and issues
  def create_issue() -> Any  # Create an issue.
  def list_issues(*, owner: str = None) -> Any  # List issues.
servers/slack.pyi    no tools yet  Server 'slack' is still connecting.
scripts/triage.star  script        triage: Sorts issues.\
""")
    assert await answer(made, "readToolFile", fileName="./scripts/triage.star", startLine=2, endLine=2) == (
        "def triage():"
    )
    assert (await answer(made, "readToolFile", fileName="scripts/triag.star")).startswith("There is no shared script")


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


async def test_several_files_are_read_at_once_and_a_tool_has_a_file_of_its_own() -> None:
    made, _ = meta_tools()
    whole = await answer(made, "readToolFile", fileName="git_hub")
    assert await answer(made, "readToolFile", fileName="servers/git*.pyi, git_hub") == f"{whole}\n{whole}"
    assert await answer(made, "readToolFile", fileName=["git_hub"]) == whole
    one = "git_hub: def create_issue() -> Any  # Create an issue."
    for name in ("servers/git_hub/create_issue.pyi", "git_hub.create_issue", "GIT_HUB/create-issue", "*/create*"):
        assert await answer(made, "readToolFile", fileName=name) == one, name


async def test_a_file_that_is_not_there_is_told_with_the_nearest() -> None:
    made, _ = meta_tools()
    told = [
        await answer(made, "readToolFile", fileName=name) for name in ("git_hab", "git_hub.create", "*/x*", "x*", ",")
    ]
    assert told == snapshot(
        [
            "There is no server 'git_hab'. Did you mean 'git_hub'? Servers: git_hub, slack.",
            "There is no tool 'create' in git_hub. Did you mean 'create_issue'? "
            "readToolFile('servers/git_hub.pyi') lists all.",
            "No tool of git_hub fits 'x*'. readToolFile('servers/git_hub.pyi') lists all.",
            "No server fits 'x*'. Servers: git_hub.",
            "No name was given. listToolFiles() lists the files.",
        ]
    )


async def test_docs_of_several_tools_come_one_after_the_other() -> None:
    made, _ = meta_tools()
    both = [await answer(made, "getToolDocs", server="git_hub", tool=name) for name in ("list_issues", "create-issue")]
    assert await answer(made, "getToolDocs", server="git_hub", tool="list_issues, create-issue") == "\n".join(both)
    assert await answer(made, "getToolDocs", server="git_hub", tool="git_hub.list_issues") == both[0]
    assert await answer(made, "getToolDocs", server="git_hub", tool=["create_issue"]) == both[1]


async def test_docs_that_are_too_many_name_the_tools_they_leave_out() -> None:
    made, _ = meta_tools(count=400)
    text = await answer(made, "getToolDocs", server="git_hub", tool="*")
    assert len(text) < 40_000
    assert text.splitlines()[-1].startswith("[not shown: tool_")


async def test_of_very_many_tools_whose_docs_are_left_out_not_even_every_name_is_told() -> None:
    made, _ = meta_tools(count=2_000)
    text = await answer(made, "getToolDocs", server="git_hub", tool="*")
    assert len(text) < DOCS_CHARACTERS + 3_000
    assert text.endswith("...]")


async def test_a_search_keeps_to_one_server_and_to_the_number_asked_for() -> None:
    made, _ = meta_tools(count=40)
    assert len((await answer(made, "listToolFiles", query="issue tool", limit=20)).splitlines()) >= 2
    assert await answer(made, "listToolFiles", query="list issues", server="git-hub", limit=1) == (
        "git_hub: def list_issues(*, owner: str = None) -> Any  # List issues."
    )
    assert await answer(made, "listToolFiles", query="nothing of the kind", server="git-hub") == snapshot("""\
No tool in git_hub fits 'nothing of the kind'. Try other words, or read a file:
servers/git_hub.pyi  40 tools      Code and issues
servers/slack.pyi    no tools yet  Server 'slack' is still connecting.
Not searched: Server 'slack' is still connecting.\
""")
    assert len((await answer(made, "listToolFiles", server="git_hub", limit=2)).splitlines()) == 4


ODD = ("Get It", "Repos/List.All", "git_hub.x", "a, b", "plain")


def oddly_named() -> MetaTools:
    """Meta-tools over one server, `git-hub`, with the tools of ODD."""
    live = LiveCatalog({"git-hub": ServerSettings(command=("x",))}, UNRESTRICTED)
    live.put("git-hub", [tool(name) for name in ODD])
    return over(live, Servers(), Programs(CallerError("no")))


@pytest.mark.parametrize("wire_name", ODD)
async def test_a_tool_whose_name_has_odd_characters_is_found_under_both_spellings(wire_name: str) -> None:
    made = oddly_named()
    found = await made.find_tool("git-hub", wire_name)
    line = f"git_hub: {stubs.line(found)}"
    servers = ("git_hub", "Git-Hub", "git hub")
    for spelled in (found.name, wire_name, wire_name.upper()):
        for server in servers:
            for name in (f"servers/{server}/{spelled}.pyi", f"{server}/{spelled}", f"{server}.{spelled}"):
                assert await answer(made, "readToolFile", fileName=name) == line, name
            assert await answer(made, "getToolDocs", server=server, tool=spelled) == stubs.docs(found)
            assert await answer(made, "getToolDocs", server=server, tool=f"{server}.{spelled}") == stubs.docs(found)


async def test_files_of_odd_names_are_read_together() -> None:
    made = oddly_named()
    text = await answer(
        made, "readToolFile", fileName="servers/git hub/Get It.pyi, git_hub/plain git_hub.Repos/List.All"
    )
    assert [line.partition("(")[0] for line in text.splitlines()] == [
        "git_hub: def Get_It",
        "git_hub: def plain",
        "git_hub: def Repos_List_All",
    ]


async def test_a_server_that_failed_is_told_wherever_it_is_asked_for() -> None:
    servers = Servers("Server 'slack' can't start.")
    made, _ = meta_tools(servers=servers)
    assert (await made.answer("readToolFile", {"fileName": "slack"})).is_error
    assert await answer(made, "getToolDocs", server="slack", tool="x") == "Server 'slack' can't start."
    assert set(servers.waited_for) == {"slack"}


async def test_a_program_is_run_for_the_client_that_sent_it() -> None:
    made, programs = meta_tools()
    await made.answer("executeToolCode", {"code": "1"}, "client:ada")
    await made.answer("executeToolCode", {"code": "2", "resume": "abc234 skip"})
    assert programs.asked == [("1", "client:ada", None), ("2", "local", "abc234 skip")]


async def test_prints_come_apart_from_the_answer() -> None:
    made, _ = meta_tools(executed=Executed(Run(value=None, log="working\n"), "abc234", "null"))
    answered = await made.answer("executeToolCode", {"code": ""})
    assert (answered.parts, answered.is_error) == (("null", "printed:\nworking\n"), False)


async def test_a_failed_program_is_an_error_with_what_it_printed() -> None:
    run = Run(error=ScriptError("name", "line 1: no"), log="x\n")
    made, _ = meta_tools(executed=Executed(run, "abc234", "The program failed (name)."))
    answered = await made.answer("executeToolCode", {"code": ""})
    assert (answered.parts, answered.is_error) == (("The program failed (name).", "printed:\nx\n"), True)


async def test_a_program_that_is_not_run_is_an_error_with_the_reason() -> None:
    made, _ = meta_tools(executed=CallerError("There is no run 'abc234' to resume."))
    answered = await made.answer("executeToolCode", {"code": "", "resume": "abc234"})
    assert (answered.parts, answered.is_error) == (("There is no run 'abc234' to resume.",), True)


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
