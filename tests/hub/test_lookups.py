"""What an agent looks up: the listing at every size, what a search shows, and what names mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub import stubs
from mcp_hub.hub.arguments import bind, told
from mcp_hub.hub.catalog import Server, build_server
from mcp_hub.hub.docs import DOCS_CHARACTERS
from mcp_hub.hub.lookups import (
    FOUND_CHARACTERS,
    LISTING_CHARACTERS,
    Pattern,
    Row,
    found,
    listing,
    named,
    names_in,
    pattern_of,
    servers_fitting,
    tools_fitting,
)
from mcp_hub.hub.policy import Policy
from mcp_hub.settings import PolicySettings

TEXT = {"type": "string"}


def tool(name: str, description: str = "", **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}}


def server(name: str, *tools: dict[str, Any], purpose: str = "") -> Server:
    return build_server(name, purpose, tools)


def row(server: Server) -> Row:
    return Row(f"servers/{server.name}.pyi", f"{len(server.tools)} tools", server.description, server)


GITHUB = server(
    "github",
    tool("create-issue", "Opens an issue.", title=TEXT),
    tool("listIssues", "Lists issues.", state=TEXT),
    purpose="Code and issues",
)
SLACK = server("slack", tool("post", "Posts a message.", text=TEXT))


def large(name: str, tools: int, purpose: str = "") -> Server:
    return server(
        name, *(tool(f"do_{name}_{number}", "Does a thing. " * 9) for number in range(tools)), purpose=purpose
    )


def test_a_small_catalog_is_listed_with_every_signature() -> None:
    rows = [row(GITHUB), row(SLACK), Row("scripts/triage.star", "script", "triage(repo)")]
    assert listing(rows) == snapshot("""\
servers/github.pyi   2 tools  Code and issues
  def create_issue(*, title: str = None) -> Any  # Opens an issue.
  def listIssues(*, state: str = None) -> Any  # Lists issues.
servers/slack.pyi    1 tools
  def post(*, text: str = None) -> Any  # Posts a message.
scripts/triage.star  script   triage(repo)\
""")


def test_a_larger_catalog_is_listed_with_what_each_server_is_for() -> None:
    rows = [row(large("github", 30, "Code and issues")), row(large("slack", 12))]
    assert listing(rows) == snapshot("""\
servers/github.pyi  30 tools  Code and issues
servers/slack.pyi   12 tools  do_slack_0, do_slack_1, do_slack_10, do_slack_11, do_slack_2, ...\
""")


def test_of_many_servers_purposes_are_cut_shorter() -> None:
    text = listing(
        [row(large(f"server_{number:02}", 40, "It is for things of many kinds. " * 4)) for number in range(50)]
    )
    assert text.splitlines()[:2] == snapshot(
        [
            "servers/server_00.pyi  40 tools  It is for things of many...",
            "servers/server_01.pyi  40 tools  It is for things of many...",
        ]
    )
    assert len(text.splitlines()) == 50


def test_why_a_server_cannot_be_used_is_never_cut() -> None:
    reason = "Server 'bad' can't start: there is no program 'no-such-program'. " * 3
    rows = [row(large("github", 60)), Row("servers/bad.pyi", "no tools yet", reason, urgent=True)]
    assert reason.strip() in listing(rows)


def test_five_thousand_tools_are_listed_in_at_most_1200_tokens() -> None:
    from bpe_openai import get_encoding  # its tables take a second, which nobody else needs to wait

    words = ("cloud", "data", "billing", "search", "files", "mail", "graph", "build")
    for servers, tools in ((25, 200), (100, 50), (500, 10), (2500, 2)):
        named = [large(f"{words[number % 8]}_{number}", tools, "Things that it is for") for number in range(servers)]
        text = listing([row(each) for each in named])
        assert len(get_encoding("o200k_base").encode(text)) <= 1200, servers
        assert f"{words[0]}_0" in text
        if servers > 500:
            assert "more: listToolFiles(query=...) finds their tools" in text


@given(st.lists(st.tuples(st.integers(0, 60), st.text(max_size=200)), max_size=300))
def test_a_listing_keeps_to_its_characters(servers: list[tuple[int, str]]) -> None:
    rows = [
        row(server(f"s{number}", *(tool(f"t{n}") for n in range(count)), purpose=purpose))
        for number, (count, purpose) in enumerate(servers)
    ]
    assert len(listing(rows)) <= LISTING_CHARACTERS


def test_a_search_shows_signatures_ready_to_call() -> None:
    assert found(list(GITHUB.tools.values())) == snapshot("""\
github: def create_issue(*, title: str = None) -> Any  # Opens an issue.
github: def listIssues(*, state: str = None) -> Any  # Lists issues.\
""")


def test_a_search_leaves_out_descriptions_and_then_tools_that_do_not_fit() -> None:
    tools = list(
        server(
            "s",
            *(tool(f"t{number}", "What it does. " * 20, **{f"a{n}": TEXT for n in range(30)}) for number in range(5)),
        ).tools.values()
    )
    lines = found(tools).splitlines()
    assert sum(map(len, lines)) <= FOUND_CHARACTERS
    assert [line.split("(")[0] for line in lines] == [f"s: def t{number}" for number in range(len(lines))]
    assert "#" not in lines[-1]


def test_a_search_that_asks_for_a_number_gets_it_whole() -> None:
    tools = list(server("s", *(tool(f"t{number}", "What it does. " * 20) for number in range(40))).tools.values())
    assert len(found(tools, 40).splitlines()) == 40


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("servers/github.pyi", ["servers/github.pyi"]),
        ("github, slack", ["github", "slack"]),
        (["github", "slack,time"], ["github", "slack", "time"]),
        ("github, github, slack", ["github", "slack"]),
    ],
)
def test_names_come_alone_with_commas_or_as_a_list(given: str | list[str], names: list[str]) -> None:
    assert names_in(given) == names


@pytest.mark.parametrize("given", ["", " , ", []])
def test_no_name_at_all_is_told(given: str | list[str]) -> None:
    with pytest.raises(CallerError, match="No name was given"):
        names_in(given)


def test_too_many_names_at_once_are_told() -> None:
    with pytest.raises(CallerError, match="200 names are too many at once; at most 50"):
        names_in(",".join(f"n{number}" for number in range(200)))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("servers/github.pyi", Pattern("github")),
        ("Servers/GitHub.PYI", Pattern("GitHub")),
        ("./servers/github", Pattern("github")),
        ("github", Pattern("github")),
        ("servers/github/create_issue.pyi", Pattern("github", "create_issue")),
        ("github.create_issue", Pattern("github", "create_issue")),
        ("servers/*.pyi", Pattern("*")),
        ("git*/list_*", Pattern("git*", "list_*")),
        ("servers/a/b.c.pyi", Pattern("a", "b.c")),
        ("github.deploy.py", Pattern("github", "deploy.py")),
        ("github.repos/list.all", Pattern("github", "repos/list.all")),
        ("servers/My Server/Repos/List All.pyi", Pattern("My Server", "Repos/List All")),
    ],
)
def test_a_files_name_means_a_server_or_tools_of_it(name: str, pattern: Pattern) -> None:
    assert pattern_of(name) == pattern


@pytest.mark.parametrize("name", ["create_issue", "create-issue", "CREATE_ISSUE", "Create-Issue"])
def test_a_tool_is_found_in_either_spelling_and_any_case(name: str) -> None:
    assert [each.wire_name for each in tools_fitting(GITHUB, name)] == ["create-issue"]


ODD = server("odd", *(tool(name) for name in ("A-b", "a-b", "Get It", "x[1]", "repos/List.All", "one, two", "*")))


@pytest.mark.parametrize("name", ["A-b", "a-b", "Get It", "x[1]", "repos/List.All", "one, two", "*"])
def test_a_tool_is_found_by_the_servers_own_name_before_any_other_reading(name: str) -> None:
    assert [each.wire_name for each in tools_fitting(ODD, name)] == [name]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("Get It", ["Get It"]),
        (" get it , a-b", ["get it", "a-b"]),
        ("one, two", ["one, two"]),
        (["one, two", "a-b Get"], ["one, two", "a-b", "Get"]),
    ],
)
def test_blanks_and_commas_of_a_known_name_part_nothing(given: str | list[str], names: list[str]) -> None:
    assert names_in(given, lambda name: named(ODD, name) is not None) == names


def test_a_glob_means_every_tool_that_fits() -> None:
    assert [each.name for each in tools_fitting(GITHUB, "*ISSUE*")] == ["create_issue", "listIssues"]
    assert [each.name for each in tools_fitting(GITHUB, "list*")] == ["listIssues"]


def test_a_tool_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(CallerError) as raised:
        tools_fitting(GITHUB, "create_issues")
    assert str(raised.value) == snapshot(
        "There is no tool 'create_issues' in github. Did you mean 'create_issue' or 'listIssues'? "
        "readToolFile('servers/github.pyi') lists all."
    )
    with pytest.raises(CallerError) as raised:
        tools_fitting(GITHUB, "delete_*")
    assert str(raised.value) == snapshot(
        "No tool of github fits 'delete_*'. readToolFile('servers/github.pyi') lists all."
    )


def test_a_servers_glob_means_every_server_that_fits() -> None:
    assert servers_fitting("git*", ["github", "GitLab", "slack"]) == ["github", "GitLab"]
    with pytest.raises(CallerError, match=r"No server fits 'x\*'\. Servers: github, slack\."):
        servers_fitting("x*", ["github", "slack"])


# Names and descriptions of any length

LONG = "n" * 50_000
ENDLESS: list[dict[str, Any]] = [
    {
        "name": LONG + each,
        "description": LONG,
        "annotations": {LONG: LONG},
        "inputSchema": {
            "properties": {
                f"{LONG}p": {"enum": [LONG, "a"], "default": LONG, "description": LONG},
                "nested": {"type": "object", "properties": {LONG: {"$ref": f"#/$defs/{LONG}"}}},
            },
            "required": [f"{LONG}p", f"{LONG}r"],
            "$defs": {LONG: {"type": "object", "title": LONG, "properties": {"a": {"$ref": f"#/$defs/{LONG}"}}}},
        },
        "outputSchema": {"type": "object", "properties": {LONG: {"enum": [LONG]}, "b": {"description": LONG}}},
    }
    for each in "ab"
]


@pytest.mark.parametrize("mode", ["open", "read-only"])
def test_names_and_descriptions_of_any_length_leave_everything_short(mode: Any) -> None:
    rules = Policy([(Path("/servers.toml"), PolicySettings(mode=mode))])
    endless = build_server("endless", LONG, ENDLESS, policy=rules)
    tools = list(endless.tools.values())
    denied = mode == "read-only"
    assert all(("DENIED by policy." in stubs.line(each)) is denied for each in tools)
    assert all(len(stubs.line(each)) <= stubs.LINE_CHARACTERS + 200 for each in tools)
    assert all(("DENIED by policy:" in stubs.docs(each)) is denied for each in tools)
    assert all(len(stubs.docs(each)) <= DOCS_CHARACTERS for each in tools)
    assert len(stubs.server_file(endless)) <= 2 * (stubs.LINE_CHARACTERS + 200)
    assert len(found(tools)) <= FOUND_CHARACTERS
    assert len(found(tools, 2)) <= FOUND_CHARACTERS
    assert len(listing([row(endless)])) <= LISTING_CHARACTERS
    assert LONG[:100] in listing([row(endless)])


def test_a_tool_with_a_very_long_name_is_found_and_called_by_its_short_spelling() -> None:
    endless = server("endless", *ENDLESS)
    assert [endless.tool(name).wire_name for name in endless.tools] == [each["name"] for each in ENDLESS]
    (first, _) = endless.tools.values()
    assert bind(first, ["a"], {}) == {f"{LONG}p": "a"}
    assert len(told(first, ["something is wrong"])) < 1_000
