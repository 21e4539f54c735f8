"""What an agent knows at its start: every signature of a small catalog, else the servers and what is used often."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.catalog import Catalog, build_server
from mcp_hub.hub.policy import Policy
from mcp_hub.hub.upfront import INSTRUCTION_CHARACTERS, instructions
from mcp_hub.settings import PolicySettings

TEXT = {"type": "string"}


def tool(name: str, description: str = "", *required: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict.fromkeys(required, TEXT), "required": list(required)}
    return {"name": name, "description": description, "inputSchema": schema}


def catalog(**servers: list[dict[str, Any]]) -> Catalog:
    return Catalog({name: build_server(name, "", tools) for name, tools in servers.items()})


def many(name: str, count: int) -> list[dict[str, Any]]:
    return [
        tool(f"{name}_{number}", "What it does, in a sentence of some length.", "owner", "repo")
        for number in range(count)
    ]


NOTHING = Catalog({})


def test_a_small_catalog_is_told_whole() -> None:
    known = catalog(orders=[tool("get_order", "Gets an order.", "id"), tool("late")], slack=[tool("post", "", "text")])
    assert instructions({"orders": "The shop", "slack": ""}, known, ()) == snapshot("""\
The tools of all servers, ready to call in one program with executeToolCode:
orders: def get_order(id: str) -> Any  # Gets an order.
orders: def late() -> Any
slack: def post(text: str) -> Any\
""")


def test_descriptions_are_left_out_where_signatures_alone_fit() -> None:
    text = instructions({"a": ""}, catalog(a=many("list_things_of", 25)), ())
    assert "a: def list_things_of_24(owner: str, repo: str) -> Any" in text
    assert "What it does" not in text


def test_a_large_catalog_is_told_by_its_servers_and_what_is_used_often() -> None:
    known = catalog(github=many("list", 60), slack=[tool("post", "Posts.", "text")])
    used = [("slack", "post"), ("github", "list_7"), ("github", "gone"), ("gone", "list_1")]
    assert instructions({"github": "Code and issues", "slack": ""}, known, used) == snapshot("""\
MCP servers behind four tools. Find signatures with listToolFiles(query) or readToolFile, then do the whole task in \
one executeToolCode. Servers:
- github: Code and issues
- slack
Used often here, ready to call:
slack: def post(text: str) -> Any
github: def list_7(owner: str, repo: str) -> Any\
""")


def test_what_the_policy_denies_is_not_offered() -> None:
    denied = build_server(
        "slack", "", [tool("post")], policy=Policy([(Path("servers.toml"), PolicySettings(deny=["slack.post"]))])
    )
    known = Catalog({**catalog(github=many("list", 60)).servers, "slack": denied})
    assert "post" not in instructions({"github": "", "slack": ""}, known, [("slack", "post")])


def test_a_denied_tool_of_a_small_catalog_takes_no_room() -> None:
    denied = build_server(
        "slack", "", [tool("post"), tool("read")], policy=Policy([(Path("x"), PolicySettings(deny=["slack.post"]))])
    )
    assert instructions({"slack": ""}, Catalog({"slack": denied}), ()).splitlines()[1:] == ["slack: def read() -> Any"]


def test_no_server_is_left_out_where_all_names_fit() -> None:
    text = instructions({f"server_with_a_long_name_{number:04}": "x" * 200 for number in range(55)}, NOTHING, ())
    assert len(text) <= INSTRUCTION_CHARACTERS
    assert "more" not in text.splitlines()[-1]


def test_servers_nobody_has_seen_yet_are_named() -> None:
    assert instructions({"github": "Code and issues", "time": ""}, NOTHING, ()) == snapshot("""\
MCP servers behind four tools. Find signatures with listToolFiles(query) or readToolFile, then do the whole task in \
one executeToolCode. Servers:
- github: Code and issues
- time\
""")


def test_servers_of_which_nothing_is_said_share_a_line() -> None:
    text = instructions({"time": "", "github": "Code and issues", "memory": "", "git": ""}, NOTHING, ())
    assert text.splitlines()[1:] == ["- github: Code and issues", "- time, memory, git"]


def test_with_many_servers_the_last_ones_are_counted() -> None:
    text = instructions({f"server_{number}": "x" * 80 for number in range(500)}, NOTHING, ())
    assert len(text) <= INSTRUCTION_CHARACTERS
    assert text.splitlines()[-1] == snapshot("- and 355 more: listToolFiles() names all")


def test_used_signatures_have_room_beside_many_servers() -> None:
    known = catalog(github=many("list", 60))
    text = instructions(
        {"github": "", **{f"server_{number}": "x" * 80 for number in range(500)}}, known, [("github", "list_7")]
    )
    assert len(text) <= INSTRUCTION_CHARACTERS
    assert text.splitlines()[-1] == "github: def list_7(owner: str, repo: str) -> Any"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,30}", fullmatch=True), st.tuples(st.text(max_size=300), st.integers(0, 40)), max_size=60
    ),
    st.integers(0, 40),
)
def test_the_text_keeps_to_its_characters_and_is_the_same_each_time(
    servers: dict[str, tuple[str, int]], used: int
) -> None:
    known = catalog(**{name: many("list", count) for name, (_, count) in servers.items()})
    purposes = {name: purpose for name, (purpose, _) in servers.items()}
    most = [(name, "list_0") for name in servers][:used]
    text = instructions(purposes, known, most)
    assert len(text) <= INSTRUCTION_CHARACTERS
    assert text == instructions(purposes, known, most)
