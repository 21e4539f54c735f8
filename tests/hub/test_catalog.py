"""Names that a program can write, for whatever names servers use; the catalog that they are looked up in."""

import ast
import keyword
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.catalog import UNRESTRICTED, Catalog, LiveCatalog, Tool, build_server
from mcp_hub.names import identifier, spellings
from mcp_hub.settings import ServerSettings


def listed(*names: str, **each: Any) -> list[dict[str, Any]]:
    """A tools/list answer with these tools."""
    return [{"name": name, "inputSchema": {"type": "object"}, **each} for name in names]


def tool(schema: Mapping[str, Any]) -> Tool:
    """A tool that takes this."""
    return build_server("s", "", listed("t", inputSchema=schema)).tools["t"]


# One name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("list_issues", "list_issues"),
        ("listIssues", "listIssues"),
        ("LIST", "LIST"),
        ("list-issues", "list_issues"),
        ("a--b", "a__b"),
        ("files.read", "files_read"),
        ("StartTime<", "StartTime_"),
        ("2fa", "_2fa"),
        ("from", "from_"),
        ("async", "async_"),
        ("load", "load_"),
        ("None", "None_"),
        ("type", "type"),
        ("filter", "filter"),
        ("", "unnamed"),
        ("-", "unnamed_1"),
        ("日本", "unnamed_2"),
        ("___", "unnamed_3"),
        ("größe", "gr__e"),
        ("x" * 71, "x" * 71),
    ],
)
def test_a_name_becomes_one_that_a_program_can_write(name: str, written: str) -> None:
    assert identifier(name) == written


@given(st.text(max_size=30))
def test_every_name_becomes_an_ascii_identifier_and_no_keyword(name: str) -> None:
    written = identifier(name)
    assert written.isidentifier()
    assert written.isascii()
    assert not keyword.iskeyword(written)
    assert written != "load"
    assert identifier(written) == written


# Several names beside each other

names = st.text(st.sampled_from("aAb_-.2<é"), max_size=5) | st.sampled_from(
    ["from", "from_", "load", "load_", "a_2", "unnamed", "unnamed_1"]
)


@given(st.lists(names, max_size=12).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
@example((["from", "from_", "from-"], ["from-", "from", "from_"]))
def test_names_stay_different_writable_and_independent_of_their_order(orders: tuple[list[str], list[str]]) -> None:
    spelled = spellings(orders[0])
    assert set(spelled) == set(orders[0])
    assert len(set(spelled.values())) == len(spelled)
    assert all(identifier(written) == written for written in spelled.values())
    assert spellings(orders[1]) == spelled


@given(st.lists(names, max_size=12))
def test_a_name_that_can_be_written_keeps_its_spelling_whatever_is_beside_it(given_names: list[str]) -> None:
    spelled = spellings(given_names)
    assert all(spelled[name] == name for name in given_names if identifier(name) == name)


@pytest.mark.parametrize(
    ("given_names", "written"),
    [
        (["a-b", "a.b", "a_b"], {"a_b": "a_b", "a-b": "a_b_2", "a.b": "a_b_3"}),
        (["a.b", "a-b"], {"a-b": "a_b", "a.b": "a_b_2"}),
        (["a-b", "a_b", "a_b_2"], {"a_b": "a_b", "a_b_2": "a_b_2", "a-b": "a_b_3"}),
        (
            ["StartTime", "StartTime<", "StartTime>"],
            {"StartTime": "StartTime", "StartTime<": "StartTime_", "StartTime>": "StartTime__2"},
        ),
        (["orderBy", "order_by"], {"orderBy": "orderBy", "order_by": "order_by"}),
        (["from", "from_"], {"from_": "from_", "from": "from__2"}),
        (["x", "x"], {"x": "x"}),
        ([], {}),
    ],
)
def test_names_that_collide_get_numbers_in_alphabetical_order(given_names: list[str], written: dict[str, str]) -> None:
    assert spellings(given_names) == written


# A tool's parameters


def test_required_parameters_come_first_each_group_in_the_servers_order() -> None:
    record = tool({"properties": {"b": {}, "d": {}, "c": {}, "a": {}}, "required": ["a", "d"]})
    assert [(each.name, each.required) for each in record.parameters] == [
        ("d", True),
        ("a", True),
        ("b", False),
        ("c", False),
    ]


def test_parameters_named_like_schema_keywords_are_parameters() -> None:
    record = tool({"properties": {"properties": {}, "items": {}, "type": {}, "$ref": {}, "required": {}}})
    assert [each.name for each in record.parameters] == ["properties", "items", "type", "_ref", "required"]


def test_a_parameter_that_is_no_identifier_keeps_the_servers_name_for_the_wire() -> None:
    record = tool({"properties": {"start-time": {}, "from": {}, "$top": {}}, "required": ["from"]})
    assert [(each.name, each.wire_name, each.required) for each in record.parameters] == [
        ("from_", "from", True),
        ("start_time", "start-time", False),
        ("_top", "$top", False),
    ]


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "object"}, {"properties": None}, {"properties": []}, {"properties": {}}, {"required": ["ghost"]}],
)
def test_a_schema_without_properties_has_no_parameters(schema: dict[str, Any]) -> None:
    assert tool(schema).parameters == ()


@pytest.mark.parametrize("required", [True, "a", None, 3, {"a": True}, [["a"]], [{}], [None]])
def test_a_required_that_is_no_list_of_names_requires_nothing(required: Any) -> None:
    (parameter,) = tool({"properties": {"a": {}}, "required": required}).parameters
    assert not parameter.required


@pytest.mark.parametrize("schema", [True, False, None, "string", []])
def test_a_parameter_without_a_schema_takes_anything(schema: Any) -> None:
    (parameter,) = tool({"properties": {"a": schema}}).parameters
    assert parameter.schema == {}


# A server's list


def test_a_tool_is_known_by_its_spelling_and_keeps_what_the_server_said() -> None:
    server = build_server(
        "my-api",
        "an API",
        [
            {
                "name": "get-it",
                "description": "Gets it.",
                "inputSchema": {"properties": {"a": {}}},
                "outputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": True},
            }
        ],
    )
    assert (server.name, server.key, server.description) == ("my_api", "my-api", "an API")
    assert server.tools["get_it"] == Tool(
        server="my_api",
        name="get_it",
        wire_name="get-it",
        description="Gets it.",
        input_schema={"properties": {"a": {}}},
        output_schema={"type": "object"},
        annotations={"readOnlyHint": True},
    )


@pytest.mark.parametrize(
    ("raw", "description"),
    [
        ({"description": "d", "title": "t"}, "d"),
        ({"description": "", "title": "t"}, "t"),
        ({"title": "t"}, "t"),
        ({"description": None}, ""),
        ({}, ""),
    ],
)
def test_a_title_stands_in_for_a_missing_description(raw: dict[str, Any], description: str) -> None:
    assert build_server("s", "", [{"name": "t", **raw}]).tools["t"].description == description


@pytest.mark.parametrize("key", ["inputSchema", "outputSchema", "annotations"])
@pytest.mark.parametrize("value", [None, [], "x", 3, True])
def test_what_should_be_an_object_and_isnt_is_taken_as_absent(key: str, value: Any) -> None:
    plain = build_server("s", "", [{"name": "t"}])
    assert build_server("s", "", [{"name": "t", key: value}]) == plain


def test_the_same_tools_in_another_order_are_the_same_server() -> None:
    tools = listed("b-c", "b_c", "a", "b.c")
    assert build_server("s", "", tools) == build_server("s", "", tools[::-1])
    assert list(build_server("s", "", tools).tools) == ["a", "b_c_2", "b_c_3", "b_c"]


def test_of_two_tools_with_one_name_the_first_counts() -> None:
    server = build_server("s", "", [{"name": "t", "description": "1"}, {"name": "t", "description": "2"}])
    assert [each.description for each in server.tools.values()] == ["1"]


@pytest.mark.parametrize(
    ("allow", "deny", "kept"),
    [
        (["*"], [], ["List_All", "list_all", "list_one", "remove"]),
        ([], [], []),
        (["list_*"], [], ["list_all", "list_one"]),
        (["list_*"], ["*_all"], ["list_one"]),
        (["*"], ["remove", "[Ll]ist_all"], ["List_All", "list_one"]),
        (["remove", "list_one"], ["*"], []),
    ],
)
def test_allow_and_deny_choose_tools_by_the_servers_own_names_and_deny_wins(
    allow: list[str], deny: list[str], kept: list[str]
) -> None:
    server = build_server("s", "", listed("list_all", "list_one", "remove", "List_All"), allow=allow, deny=deny)
    assert [each.wire_name for each in server.tools.values()] == kept


def test_a_glob_may_name_a_tool_by_its_spelling_in_programs() -> None:
    both = listed("delete-all.now", "list")
    assert list(build_server("s", "", both, deny=["delete_all_now"]).tools) == ["list"]
    assert list(build_server("s", "", both, deny=["delete-all.*"]).tools) == ["list"]
    assert list(build_server("s", "", both, allow=["delete_all_now"]).tools) == ["delete_all_now"]


@given(st.lists(st.text(max_size=8), max_size=10))
def test_every_tool_of_any_list_can_be_called_by_a_program(wire_names: list[str]) -> None:
    server = build_server("s", "", listed(*wire_names))
    assert {each.wire_name for each in server.tools.values()} == set(wire_names)
    for name, each in server.tools.items():
        assert each.name == name
        ast.parse(f"s.{name}()")


# Looking up


@pytest.fixture
def catalog() -> Catalog:
    live = LiveCatalog(
        {"my-api": ServerSettings(url="http://h"), "github": ServerSettings(url="http://h")}, UNRESTRICTED
    )
    live.put("github", listed("list_issues", "create-issue"))
    live.put("my-api", listed("ping"))
    return live.snapshot


@pytest.mark.parametrize("name", ["my_api", "my-api", "MY_API", "My-Api"])
def test_a_server_is_found_by_either_of_its_names_in_any_case(catalog: Catalog, name: str) -> None:
    assert catalog.server(name).key == "my-api"


@pytest.mark.parametrize("name", ["create_issue", "create-issue"])
def test_a_tool_is_found_by_either_of_its_names(catalog: Catalog, name: str) -> None:
    assert catalog.server("github").tool(name).wire_name == "create-issue"


def test_tools_whose_names_collide_are_each_found_by_their_own() -> None:
    server = build_server("s", "", listed("from", "from__2", "from_"))
    assert server.tool("from_").wire_name == "from_"
    assert server.tool("from").wire_name == "from"


def test_an_unknown_server_is_answered_with_the_nearest_and_all(catalog: Catalog) -> None:
    with pytest.raises(CallerError) as caught:
        catalog.server("gitub")
    assert caught.value.text == snapshot("There is no server 'gitub'. Did you mean 'github'? Servers: my_api, github.")


def test_an_unknown_tool_is_answered_with_the_nearest_and_where_all_are(catalog: Catalog) -> None:
    with pytest.raises(CallerError) as caught:
        catalog.server("github").tool("list_isues")
    assert caught.value.text == snapshot(
        "There is no tool 'list_isues' in github. Did you mean 'list_issues'? "
        "readToolFile('servers/github.pyi') lists all."
    )


def test_in_an_empty_catalog_an_unknown_server_is_told_that_there_is_none() -> None:
    with pytest.raises(CallerError) as caught:
        Catalog({}).server("github")
    assert caught.value.text == snapshot("There is no server 'github'. Servers: none.")


def test_tools_come_in_the_order_of_the_configuration(catalog: Catalog) -> None:
    assert [(each.server, each.name) for each in catalog.tools()] == [
        ("my_api", "ping"),
        ("github", "create_issue"),
        ("github", "list_issues"),
    ]


# The catalog as it is now


@pytest.fixture
def live() -> LiveCatalog:
    return LiveCatalog(
        {"b": ServerSettings(url="http://h", description="the b"), "a": ServerSettings(url="http://h")}, UNRESTRICTED
    )


def test_a_server_is_unknown_until_its_list_was_seen(live: LiveCatalog) -> None:
    assert not live.knows("a")
    assert live.snapshot.servers == {}
    live.put("a", [])
    assert live.knows("a")
    assert not live.knows("b")
    assert list(live.snapshot.servers) == ["a"]


def test_servers_come_in_the_order_of_the_configuration_whichever_was_seen_first(live: LiveCatalog) -> None:
    live.put("a", listed("x"))
    live.put("b", listed("x"))
    assert list(live.snapshot.servers) == ["b", "a"]


def test_the_description_is_the_configurations(live: LiveCatalog) -> None:
    live.put("a", [])
    live.put("b", [])
    assert [server.description for server in live.snapshot.servers.values()] == ["the b", ""]


def test_a_snapshot_doesnt_change_when_the_catalog_does(live: LiveCatalog) -> None:
    live.put("a", listed("x"))
    before = live.snapshot
    live.put("a", listed("y"))
    assert list(before.servers["a"].tools) == ["x"]
    assert list(live.snapshot.servers["a"].tools) == ["y"]


def test_the_same_list_again_in_any_order_changes_nothing(live: LiveCatalog) -> None:
    live.put("a", listed("x", "y"))
    before = live.snapshot
    assert live.put("a", listed("y", "x")) is None
    assert live.snapshot is before


def test_what_changed_in_a_list_is_told_by_name(live: LiveCatalog) -> None:
    first = live.put("a", listed("stays", "goes", "changes"))
    assert str(first) == "added: changes, goes, stays"
    second = live.put("a", [*listed("stays", "comes"), *listed("changes", description="new")])
    assert str(second) == "added: comes; removed: goes; altered: changes"


def test_a_tool_that_is_left_out_changes_nothing_when_it_changes() -> None:
    settings = ServerSettings.model_validate({"url": "http://h", "tools": {"deny": ["hidden"]}})
    live = LiveCatalog({"a": settings}, UNRESTRICTED)
    live.put("a", listed("shown", "hidden"))
    assert live.put("a", [*listed("shown"), *listed("hidden", description="new")]) is None


def test_one_servers_list_leaves_the_others_as_they_are(live: LiveCatalog) -> None:
    live.put("a", listed("x"))
    live.put("b", listed("x"))
    before = live.snapshot.servers["b"]
    live.put("a", [])
    assert live.snapshot.servers["b"] is before


def test_a_default_that_comes_in_another_order_at_each_start_changes_nothing() -> None:
    def listed(*defaults: Any) -> list[dict[str, Any]]:
        properties = {f"p{number}": {"type": "string", "default": each} for number, each in enumerate(defaults)}
        return [{"name": "t", "inputSchema": {"type": "object", "properties": properties}}]

    live = LiveCatalog({"s": ServerSettings(command=("x",))}, UNRESTRICTED)
    live.put("s", listed("b, a", ["y", "x"]))
    before = live.snapshot
    assert live.put("s", listed("a, b", ["x", "y"])) is None
    assert live.snapshot is before
    changed = live.put("s", listed("a, c", ["x", "y"]))
    assert changed is not None
    assert changed.altered == ["t"]
