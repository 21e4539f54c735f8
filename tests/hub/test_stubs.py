"""What an agent reads of a tool: types, signatures, files and docs, for schemas as servers really have them."""

import ast
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.catalog import Server, Tool, build_server
from mcp_hub.hub.stubs import (
    DESCRIPTION_CHARACTERS,
    FIELDS,
    LITERALS,
    docs,
    example,
    line,
    one_line,
    resolve,
    server_file,
    signature,
    type_of,
)

TEXT = {"type": "string"}
NULL = {"type": "null"}
NODE = {
    "type": "object",
    "description": "A part of the tree.",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["name"],
}


def server(*tools: Mapping[str, Any], name: str = "shop", description: str = "") -> Server:
    return build_server(name, description, tools)


def tool(
    parameters: Mapping[str, Any] | None = None,
    required: tuple[str, ...] = (),
    *,
    name: str = "find",
    defs: Mapping[str, Any] | None = None,
    **raw: Any,
) -> Tool:
    schema = {"type": "object", "properties": parameters or {}, "required": list(required), "$defs": defs or {}}
    (made,) = server({"name": name, "inputSchema": schema, **raw}).tools.values()
    return made


def fits_a_line(text: str) -> bool:
    return len(text.splitlines()) == 1


# Types


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({"type": "null"}, "None"),
        ({"type": "array"}, "list"),
        ({"type": "object"}, "dict"),
        ({"type": "array", "items": TEXT}, "list[str]"),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, "list[list[str]]"),
        ({"type": "array", "items": {}}, "list"),
        ({"type": "array", "items": [TEXT, NULL]}, "list"),
        ({"type": "array", "prefixItems": [TEXT]}, "list"),
        ({"type": "object", "additionalProperties": TEXT}, "dict[str, str]"),
        ({"type": "object", "additionalProperties": True}, "dict"),
        ({"type": "object", "additionalProperties": {}}, "dict"),
        ({"type": "object", "properties": {}}, "dict"),
        ({"type": "string", "format": "date-time"}, "str"),
    ],
)
def test_a_plain_schema_is_the_python_type_that_it_means(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


@pytest.mark.parametrize(
    "schema",
    [{}, {"description": "anything"}, {"title": "X"}, True, False, None, [], "string", {"type": "file"}, {"type": 3}],
)
def test_a_schema_that_says_nothing_of_the_type_is_any(schema: Any) -> None:
    assert type_of(schema, {}) == "Any"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"anyOf": [TEXT, {"type": "integer"}]}, "str | int"),
        ({"oneOf": [TEXT, {"type": "integer"}]}, "str | int"),
        ({"anyOf": [NULL, TEXT]}, "str | None"),
        ({"anyOf": [TEXT, TEXT]}, "str"),
        ({"anyOf": [TEXT, {}]}, "Any"),
        ({"anyOf": []}, "Any"),
        ({"anyOf": None}, "Any"),
        ({"type": ["string", "null"]}, "str | None"),
        ({"type": ["null", "integer", "string"]}, "int | str | None"),
        ({"type": ["array", "null"], "items": TEXT}, "list[str] | None"),
        ({"type": ["string"]}, "str"),
        ({"type": []}, "Any"),
        ({"anyOf": [{"type": "array", "items": TEXT}, {"type": "object"}]}, "list[str] | dict"),
        ({"anyOf": [{"anyOf": [TEXT, NULL]}, {"type": "integer"}]}, "str | None | int"),
        ({"allOf": [TEXT]}, "str"),
        ({"allOf": [TEXT, {"minLength": 3}]}, "Any"),
        ({"type": "string", "allOf": [{"minLength": 3}]}, "str"),
        (
            {"oneOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": TEXT}, "required": ["b"]}]},
            "{a: str} | {b: str}",
        ),
    ],
)
def test_a_union_lists_its_members_once_and_none_last(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


def test_a_union_that_only_says_what_is_required_leaves_the_object_as_it_is() -> None:
    either = {"anyOf": [{"required": ["id"]}, {"required": ["name"]}]}
    assert type_of({"type": "object", "properties": {"id": TEXT, "name": TEXT}, **either}, {}) == (
        '{"id?": str, "name?": str}'
    )


def test_nullable_isnt_json_schema_and_a_validator_would_refuse_null() -> None:
    assert type_of({"type": "string", "nullable": True}, {}) == "str"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"enum": ["open", "closed"]}, 'Literal["open", "closed"]'),
        ({"type": "string", "enum": ["", "asc"]}, 'Literal["", "asc"]'),
        ({"enum": [1, 2.5, True, None, "x"]}, 'Literal[1, 2.5, True, None, "x"]'),
        ({"enum": [["a"], {"b": 1}]}, 'Literal[["a"], {"b": 1}]'),
        ({"type": "string", "enum": []}, "str"),
        ({"type": "string", "enum": "abc"}, "str"),
        ({"const": "x"}, 'Literal["x"]'),
        ({"const": None}, "Literal[None]"),
        ({"const": False}, "Literal[False]"),
        ({"enum": ['say "hi"', "C:\\dir\\", "größe", "a\nb"]}, r'Literal["say \"hi\"", "C:\\dir\\", "größe", "a\nb"]'),
        ({"enum": [f"v{i}" for i in range(LITERALS)]}, 'Literal["v0", "v1", "v2", "v3", "v4", "v5"]'),
        (
            {"enum": [f"v{i}" for i in range(32)]},
            'Literal["v0", "v1", "v2", "v3", "v4", "v5", "... 26 more"]',
        ),
    ],
)
def test_an_enum_or_const_is_a_literal_and_a_long_one_tells_how_many_more(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x0cb", "a\x7fb", "a\u200bb", "a\xa0b", "a\r\nb", "\ud800"])
def test_what_would_break_a_line_or_cant_be_seen_is_escaped(text: str) -> None:
    written = type_of({"const": text}, {})
    assert written.isprintable()
    assert ast.literal_eval(written.removeprefix("Literal[").removesuffix("]")) == text


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}, '{a: str, "b?": str}'),
        ({"type": "object", "properties": {"a": {}}, "required": True}, '{"a?": Any}'),
        ({"type": "object", "properties": {"a": {}}, "required": [{}, None, "a"]}, "{a: Any}"),
        ({"properties": {"from": TEXT, "a-b": TEXT}, "required": ["from", "a-b"]}, '{"from": str, "a-b": str}'),
        ({"properties": {"größe": TEXT, "": TEXT}, "required": ["größe", ""]}, '{"größe": str, "": str}'),
        ({"properties": {"type": TEXT, "properties": {"type": "object"}}}, '{"type?": str, "properties?": dict}'),
        ({"type": "object", "properties": "nonsense"}, "dict"),
    ],
)
def test_an_object_shows_its_fields_and_marks_the_optional_ones(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


def test_an_object_with_many_fields_shows_the_first_and_counts_the_rest() -> None:
    written = type_of({"properties": {f"f{i}": TEXT for i in range(205)}}, {})
    assert written.count(": str") == FIELDS
    assert written.endswith('"193 more": Any}')


def test_objects_deep_down_are_just_dicts() -> None:
    schema: Any = TEXT
    for _ in range(12):
        schema = {"type": "object", "properties": {"in": schema}, "required": ["in"]}
    assert type_of(schema, {}) == '{"in": {"in": {"in": dict}}}'


# References


@pytest.mark.parametrize(
    ("ref", "target"),
    [
        ("#/$defs/Node/name", "n"),
        ("#/definitions/Old", "o"),
        ("#/properties/a/items", "i"),
        ("#/properties/a/anyOf/1", "second"),
        ("#/$defs/a~1b", "slash"),
        ("#/$defs/a~0b", "tilde"),
        ("#/$defs/List%5Bint%5D", "percent"),
    ],
)
def test_a_reference_is_followed_into_the_schema(ref: str, target: str) -> None:
    root = {
        "$defs": {"Node": {"name": "n"}, "a/b": "slash", "a~b": "tilde", "List[int]": "percent"},
        "definitions": {"Old": "o"},
        "properties": {"a": {"items": "i", "anyOf": ["first", "second"]}},
    }
    assert resolve(ref, root) == target


@pytest.mark.parametrize("ref", ["#", "#/"])
def test_a_bare_hash_is_the_whole_schema(ref: str) -> None:
    assert resolve(ref, {"type": "object"}) == {"type": "object"}


@pytest.mark.parametrize(
    "ref", ["#/$defs/Gone", "#/$defs/Node/deeper", "#/list/9", "#/list/x", "#/list/-1", "https://x/y.json", "Node", ""]
)
def test_a_reference_to_what_isnt_there_says_nothing(ref: str) -> None:
    assert resolve(ref, {"$defs": {"Node": "text"}, "list": ["a"]}) == {}
    assert type_of({"$ref": ref}, None) == "Any"


def test_references_into_definitions_and_properties_are_written_out() -> None:
    written = signature(
        tool(
            {
                "since": {"type": "string", "format": "date"},
                "until": {"$ref": "#/properties/since"},
                "sort": {"$ref": "#/$defs/Sort"},
                "where": {"anyOf": [{"$ref": "#/$defs/Where"}, NULL]},
            },
            defs={
                "Sort": {"enum": ["up", "down"]},
                "Where": {"type": "object", "properties": {"by": {"$ref": "#/$defs/Sort"}}},
            },
        )
    )
    assert written == snapshot(
        'def find(*, since: str = None, until: str = None, sort: Literal["up", "down"] = None, where: '
        '{"by?": Literal["up", "down"]} | None = None) -> Any'
    )


def test_a_recursive_object_is_a_dict_where_it_comes_again() -> None:
    assert type_of({"$ref": "#/$defs/Node"}, {"$defs": {"Node": NODE}}) == '{name: str, "children?": list[dict]}'


def test_a_recursive_type_that_is_no_object_isnt_called_a_dict() -> None:
    json_value = {"anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/$defs/Json"}}]}
    assert type_of({"$ref": "#/$defs/Json"}, {"$defs": {"Json": json_value}}) == "str | list"
    assert type_of({"$ref": "#/$defs/Self"}, {"$defs": {"Self": {"$ref": "#/$defs/Self"}}}) == "Any"


def intertwined(count: int, kind: str) -> dict[str, Any]:
    """Definitions that all refer to all."""
    references = [{"$ref": f"#/$defs/d{i}"} for i in range(count)]
    fields = {f"p{i}": reference for i, reference in enumerate(references)}
    kinds = {
        "union": {"anyOf": [*references, TEXT]},
        "optional": {"type": "object", "properties": fields},
        "required": {"type": "object", "properties": fields, "required": list(fields)},
    }
    return {f"d{i}": kinds[kind] for i in range(count)}


@pytest.mark.parametrize("kind", ["union", "optional", "required"])
def test_definitions_that_all_refer_to_each_other_stay_short(kind: str) -> None:
    made = tool({"a": {"$ref": "#/$defs/d0"}}, ("a",), defs=intertwined(12, kind))
    assert len(signature(made)) < 2_000
    assert len(example(made)) < 4_000
    assert len(docs(made)) < 100_000


def test_a_type_that_would_be_too_large_is_written_with_fewer_levels() -> None:
    wide: Any = TEXT
    for _ in range(3):
        wide = {"type": "object", "properties": {f"field_{i}": wide for i in range(11)}}
    written = type_of({"type": "object", "properties": {"first": wide, "second": TEXT}}, {})
    assert '"field_0?": dict' in written
    assert '"second?": str' in written


def test_a_long_chain_of_references_is_any() -> None:
    chain: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5_000)}
    made = tool({"a": {"$ref": "#/$defs/d0"}}, ("a",), defs=chain)
    assert signature(made) == "def find(a: Any) -> Any"
    assert docs(made)


# Signatures


def test_a_signature_shows_required_then_optional_parameters_and_the_result() -> None:
    made = tool(
        {
            "limit": {"type": "integer", "default": 20},
            "query": TEXT,
            "exact": {"type": "boolean", "default": False},
            "tags": {"type": "array", "items": TEXT},
        },
        ("query",),
        outputSchema={"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]},
    )
    assert signature(made) == snapshot(
        "def find(query: str, *, limit: int = 20, exact: bool = False, tags: list[str] = None) -> {total: int}"
    )


@pytest.mark.parametrize(
    ("made", "written"),
    [
        (tool(), "def find() -> Any"),
        (tool({"a": TEXT}, ("a",)), "def find(a: str) -> Any"),
        (tool({"a": TEXT}), "def find(*, a: str = None) -> Any"),
        (tool({"a": {}}), "def find(*, a: Any = None) -> Any"),
        (tool({"from": TEXT, "async": TEXT}, ("from",)), "def find(from_: str, *, async_: str = None) -> Any"),
        (tool({"type": TEXT, "items": TEXT}), "def find(*, type: str = None, items: str = None) -> Any"),
        (
            tool({"StartTime": TEXT, "StartTime<": TEXT, "StartTime>": TEXT}),
            "def find(*, StartTime: str = None, StartTime_: str = None, StartTime__2: str = None) -> Any",
        ),
        (tool(name="get--All.v2"), "def get__All_v2() -> Any"),
        (tool(name="class"), "def class_() -> Any"),
        (tool(name="2fa"), "def _2fa() -> Any"),
    ],
)
def test_names_are_written_as_a_program_writes_them(made: Tool, written: str) -> None:
    assert signature(made) == written


@pytest.mark.parametrize(
    ("default", "written"),
    [
        (None, "None"),
        (True, "True"),
        (0, "0"),
        (-1.5, "-1.5"),
        ("", '""'),
        ('a"b', r'"a\"b"'),
        ([], "[]"),
        (["a", None], '["a", None]'),
        ({"a": {"b": False}}, '{"a": {"b": False}}'),
        ("x" * 58, f'"{"x" * 58}"'),
        ("x" * 59, "..."),
        ({"query": "x" * 500}, "..."),
    ],
)
def test_a_default_is_written_as_a_literal_unless_it_is_long(default: Any, written: str) -> None:
    assert signature(tool({"a": {"default": default}})) == f"def find(*, a: Any = {written}) -> Any"


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (TEXT, "str"),
        ({"type": "object", "properties": {"result": TEXT}, "required": ["result"]}, "str"),
        ({"type": "object", "properties": {"result": {"type": "array", "items": TEXT}}}, "list[str]"),
        ({"type": "object", "properties": {"result": True}}, "Any"),
        ({"type": "object", "properties": {"result": TEXT, "next": TEXT}}, '{"result?": str, "next?": str}'),
        (
            {"properties": {"result": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"type": "integer"}}},
            "int",
        ),
        ({"type": "object"}, "dict"),
        ({}, "Any"),
    ],
)
def test_the_result_is_typed_and_a_one_field_wrapper_is_opened(output: Any, written: str) -> None:
    assert signature(tool(outputSchema=output)) == f"def find() -> {written}"


def test_a_tool_with_two_hundred_parameters_names_them_all() -> None:
    written = signature(tool({f"p{i}": TEXT for i in range(205)}))
    assert written.count(": str = None") == 205


# Lines and files


def test_a_line_is_the_signature_and_the_start_of_the_description() -> None:
    assert line(tool(description="Finds an order.\n\nUse with care.")) == snapshot(
        "def find() -> Any  # Finds an order. Use with care."
    )
    assert line(tool()) == "def find() -> Any"


@pytest.mark.parametrize(
    "description",
    [
        "word " * 1_800,
        "x" * 8_879,
        "```python\nfind()\n```",
        "<b>bold</b>\r\n<script>",
        "back\\slash \\n",
        "Größe 大小 🚀 " * 40,
        "a\u2028b\x85c\x0bd",
    ],
)
def test_any_description_stays_on_the_line_and_within_its_room(description: str) -> None:
    written = line(tool(description=description))
    assert fits_a_line(written)
    assert len(written) <= len("def find() -> Any  # ") + DESCRIPTION_CHARACTERS
    ast.parse(written.replace("def find() -> Any", "pass"))


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("a short one", 20, "a short one"),
        ("exactly ten", 11, "exactly ten"),
        ("cut at a word's end", 12, "cut at a..."),
        ("unbreakable", 8, "unbre..."),
        ("  many\n\n  lines\there ", 40, "many lines here"),
        ("", 5, ""),
        ("\n\t ", 5, ""),
    ],
)
def test_a_text_is_cut_at_a_word_and_loses_its_line_breaks(text: str, most: int, cut: str) -> None:
    assert one_line(text, most) == cut


def test_a_servers_file_has_a_header_and_a_line_for_each_tool() -> None:
    made = server(
        {"name": "list-orders", "description": "All orders.", "inputSchema": {"properties": {"state": TEXT}}},
        {"name": "get", "inputSchema": {"properties": {"id": TEXT}, "required": ["id"]}},
        name="my-shop",
        description="Orders\nand customers",
    )
    assert server_file(made) == snapshot("""\
# my_shop: 2 tools. Orders and customers
# In a program: my_shop.TOOL(argument=value)
def get(id: str) -> Any
def list_orders(*, state: str = None) -> Any  # All orders.
""")


def test_a_file_of_one_tool_or_none_counts_right() -> None:
    assert server_file(server({"name": "a"})).startswith("# shop: 1 tool\n")
    assert server_file(server()) == snapshot("""\
# shop: 0 tools
# In a program: shop.TOOL(argument=value)
""")


# Docs


def test_docs_tell_everything_about_a_tool() -> None:
    made = tool(
        {
            "state": {"type": "string", "enum": ["open", "closed"], "description": "Which orders."},
            "order-by": {"type": "string", "default": "date", "pattern": "^[a-z]+$", "maxLength": 20},
            "page": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1},
            "where": {
                "type": "object",
                "description": "Only those.",
                "properties": {
                    "customer": {"type": "string", "description": "An id."},
                    "lines": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "object", "properties": {"sku": TEXT}, "required": ["sku"]},
                    },
                },
                "required": ["lines"],
            },
        },
        ("state", "where"),
        name="list-orders",
        description="Lists orders.\n\nNewest first.",
        outputSchema={"properties": {"result": {"type": "array", "items": {"type": "object"}}}},
        annotations={"title": "List", "readOnlyHint": True, "idempotentHint": False},
    )
    assert docs(made) == snapshot("""\
shop.list_orders
(the server calls it 'list-orders')
def list_orders(state: Literal["open", "closed"], where: {"customer?": str, lines: list[{sku: str}]}, *, order_by: str = "date", page: int = 1) -> list[dict]

Lists orders.

Newest first.

Parameters:
  state: Literal["open", "closed"] (required) Which orders.
  where: {"customer?": str, lines: list[{sku: str}]} (required) Only those.
    customer: str (default None) An id.
    lines: list[{sku: str}] (required; minItems 1)
      sku: str (required)
  order_by: str (default "date"; the server calls it 'order-by'; pattern "^[a-z]+$"; maxLength 20)
  page: int (default 1; minimum 1; maximum 100)

Example: shop.list_orders(state="open", where={"lines": [{"sku": "..."}]})

Returns: list[dict]

Annotations: readOnlyHint: true, idempotentHint: false
""")  # noqa: E501 - a signature is one line


def test_docs_of_a_tool_without_anything_are_short() -> None:
    assert docs(tool()) == snapshot("""\
shop.find
def find() -> Any

It takes no parameters.

Example: shop.find()
""")


def test_docs_list_every_value_of_a_long_enum() -> None:
    written = docs(tool({"a": {"type": "string", "enum": [f"value {i}" for i in range(32)]}}))
    assert all(f'"value {i}"' in written for i in range(32))


def test_docs_have_the_default_that_a_signature_leaves_out() -> None:
    assert f'default "{"x" * 500}"' in docs(tool({"a": {"type": "string", "default": "x" * 500}}))


def test_docs_describe_a_recursive_type_once() -> None:
    made = tool(
        {"tree": {"$ref": "#/$defs/Node"}, "other": {"anyOf": [{"$ref": "#/$defs/Node"}, NULL], "description": "Too."}},
        ("tree",),
        defs={"Node": NODE},
    )
    assert docs(made) == snapshot("""\
shop.find
def find(tree: {name: str, "children?": list[dict]}, *, other: {name: str, "children?": list[dict]} | None = None) -> Any

Parameters:
  tree: {name: str, "children?": list[dict]} (required) A part of the tree.
    name: str (required)
    children: list[{name: str, "children?": list[dict]}] (default None)
      the fields of tree, above
  other: {name: str, "children?": list[dict]} | None (default None) Too.
    the fields of tree, above

Example: shop.find(tree={"name": "..."})
""")  # noqa: E501 - a signature is one line


def test_docs_describe_the_fields_of_each_alternative() -> None:
    made = tool(
        {
            "target": {
                "oneOf": [
                    {"type": "object", "properties": {"user": TEXT}, "required": ["user"]},
                    {"type": "object", "properties": {"team": {"type": "integer", "description": "Its number."}}},
                    TEXT,
                ]
            }
        }
    )
    assert docs(made) == snapshot("""\
shop.find
def find(*, target: {user: str} | {"team?": int} | str = None) -> Any

Parameters:
  target: {user: str} | {"team?": int} | str (default None)
    user: str (required)
    or:
    team: int (default None) Its number.

Example: shop.find()
""")


def test_docs_reach_any_depth() -> None:
    schema: Any = {"type": "string", "description": "the innermost"}
    for level in range(12):
        schema = {"type": "object", "properties": {f"level{level}": schema}}
    assert "the innermost" in docs(tool({"a": schema}))


def test_docs_follow_a_reference_to_a_reference() -> None:
    made = tool(
        {"a": {"$ref": "#/$defs/A", "description": "Its own words."}, "b": {"$ref": "#/$defs/A"}},
        defs={"A": {"$ref": "#/$defs/B"}, "B": {"type": "object", "properties": {"x": TEXT}, "description": "B's."}},
    )
    written = docs(made)
    assert '  a: {"x?": str} (default None) Its own words.\n    x: str (default None)\n' in written
    assert '  b: {"x?": str} (default None) B\'s.\n    the fields of a, above\n' in written


@pytest.mark.parametrize("ref", ["#/properties/a", "#/$defs/Loop", "#"])
def test_a_reference_that_leads_back_to_itself_ends(ref: str) -> None:
    made = tool({"a": {"$ref": ref}}, ("a",), defs={"Loop": {"$ref": "#/$defs/Pool"}, "Pool": {"$ref": "#/$defs/Loop"}})
    assert "a: " in signature(made)
    assert "  a: " in docs(made)
    assert "a={" in example(made)


@pytest.mark.parametrize(
    "keyword", ["properties", "items", "anyOf", "oneOf", "allOf", "enum", "required", "$ref", "additionalProperties"]
)
@pytest.mark.parametrize("value", [None, True, 3, "text", [], {}, [3], {"x": 3}])
def test_a_keyword_with_a_value_that_makes_no_sense_is_passed_over(keyword: str, value: Any) -> None:
    for schema in ({keyword: value}, {"type": "object", keyword: value}, {"type": "array", keyword: value}):
        made = tool({"a": schema}, ("a",))
        ast.parse(f"{signature(made)}: ...")
        ast.parse(example(made))
        assert "  a: " in docs(made)


@pytest.mark.parametrize("required", [True, False, None, "x", 3, [[]], {"x": 1}])
def test_docs_survive_a_required_that_is_no_list_of_names(required: Any) -> None:
    assert "x: str (default None)" in docs(
        tool({"a": {"type": "object", "properties": {"x": TEXT}, "required": required}})
    )


# Examples


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (TEXT, '"..."'),
        ({"type": "integer"}, "1"),
        ({"type": "number", "minimum": 2.5}, "2.5"),
        ({"type": "boolean"}, "True"),
        (NULL, "None"),
        ({"type": ["integer", "null"]}, "1"),
        ({}, '"..."'),
        ({"enum": ["", "a"]}, '""'),
        ({"const": 7}, "7"),
        ({"type": "string", "default": "d"}, '"d"'),
        ({"type": "string", "default": None}, '"..."'),
        ({"type": "string", "examples": ["e"]}, '"e"'),
        ({"type": "array", "items": TEXT}, '["..."]'),
        ({"type": "array", "items": {"type": "object"}}, "[]"),
        ({"type": "object"}, "{}"),
        ({"properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}, '{"a": "..."}'),
        ({"anyOf": [{"type": "integer"}, NULL]}, "1"),
        ({"type": "string", "oneOf": [{"const": "a"}, {"const": "b"}]}, '"a"'),
        (
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "anyOf": [{"required": ["a"]}]},
            '{"a": "..."}',
        ),
        ({"$ref": "#/$defs/Node"}, '{"name": "..."}'),
        ({"$ref": "#/$defs/Gone"}, '"..."'),
    ],
)
def test_an_example_gives_each_required_argument_a_fitting_value(schema: Any, value: str) -> None:
    assert example(tool({"a": schema, "b": TEXT}, ("a",), defs={"Node": NODE})) == f"shop.find(a={value})"


def test_an_example_of_a_type_that_needs_itself_ends() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Endless"}}, "required": ["next"]}
    made = tool({"a": {"$ref": "#/$defs/Endless"}}, ("a",), defs={"Endless": endless})
    assert example(made) == 'shop.find(a={"next": {}})'


# Any schema at all

WORDS = st.sampled_from(
    [
        *("type", "properties", "items", "required", "enum", "const", "anyOf", "oneOf", "allOf", "default", "$ref"),
        *("additionalProperties", "description", "minimum", "examples", "$defs", "format", "title", "a", "from", "x-y"),
    ]
)
REFS = st.sampled_from(["#", "#/properties/a", "#/$defs/a", "#/properties/a/items", "#/anyOf/0", "#/gone", "x.json"])
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object", "file"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | REFS | TYPES | WORDS
ANYTHING = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, max_size=3)
    named = st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, max_size=2),
            "properties": named,
            "required": st.lists(WORDS, max_size=3) | st.booleans(),
            "items": inner | several,
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "additionalProperties": inner,
            "$ref": REFS,
            "$defs": named,
            "enum": st.lists(VALUES, max_size=8),
            "const": ANYTHING,
            "default": ANYTHING,
            "description": st.text(max_size=8),
        },
    )


SCHEMAS = st.recursive(st.just({}) | ANYTHING, schemas_of, max_leaves=10)


TOOLS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=12),
        "description": st.text(max_size=300),
        "inputSchema": ANYTHING
        | st.fixed_dictionaries(
            {"properties": st.dictionaries(WORDS | st.text(max_size=3), SCHEMAS, max_size=3)},
            optional={"required": st.lists(WORDS, max_size=3), "$defs": st.dictionaries(WORDS, SCHEMAS, max_size=2)},
        ),
        "outputSchema": SCHEMAS,
    }
)


@given(TOOLS)
@settings(deadline=None)
def test_any_tool_is_one_line_that_reads_as_python(raw: dict[str, Any]) -> None:
    (made,) = server(raw).tools.values()
    assert fits_a_line(line(made))
    ast.parse(f"{signature(made)}: ...")
    ast.parse(example(made))
    assert docs(made).endswith("\n")


@given(SCHEMAS)
@settings(deadline=None)
def test_any_schema_is_a_type_that_reads_as_python(schema: Any) -> None:
    written = type_of(schema, schema if isinstance(schema, dict) else None)
    assert fits_a_line(written)
    ast.parse(written, mode="eval")
