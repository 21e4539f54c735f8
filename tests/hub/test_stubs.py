"""Signatures and servers' files, for tools as servers really have them."""

import ast
import json
from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.examples import example
from mcp_hub.hub.stubs import (
    DESCRIPTION_CHARACTERS,
    LINE_CHARACTERS,
    LONGEST_CHARACTERS,
    RETURN_CHARACTERS,
    docs,
    line,
    server_file,
    signature,
)
from tests.hub.listed import NULL, TEXT, server, tool


def fits_a_line(text: str) -> bool:
    return len(text.splitlines()) == 1


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
        ({"type": "object", "properties": {"result": TEXT}, "required": ["result"]}, "Any"),
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
        'def find(*, since: str = None, until: str = None, sort: Literal["up", "down"] = None, '
        'where: {"by?": Literal["up", "down"]} = None) -> Any'
    )


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


def test_a_long_chain_of_references_is_any() -> None:
    chain: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5_000)}
    made = tool({"a": {"$ref": "#/$defs/d0"}}, ("a",), defs=chain)
    assert signature(made) == "def find(a: Any) -> Any"
    assert docs(made)


# Bounds


def objects(levels: int, width: int = 4) -> Any:
    schema: Any = TEXT
    for level in range(levels):
        schema = {"type": "object", "properties": {f"level_{level}_{i}": schema for i in range(width)}}
    return schema


def test_a_tool_with_two_hundred_parameters_names_those_that_fit_and_counts_the_others() -> None:
    written = signature(tool({f"p{i}": TEXT for i in range(205)}, ("p204",)))
    assert written.startswith("def find(p204: str, *, p0: str = None, p1: str = None, ")
    assert written.endswith(
        f", p{written.count(': str = None') - 1}: str = None, "
        f'_more: "{204 - written.count(": str = None")} more, see getToolDocs" = ...) -> Any'
    )
    assert LINE_CHARACTERS - 40 < len(written) <= LINE_CHARACTERS


def test_a_parameter_called_like_the_count_of_the_others_stays_apart() -> None:
    written = signature(tool({"_more": TEXT, **{f"p{i}": TEXT for i in range(205)}}))
    assert "*, _more: str = None, " in written
    assert ', __more: "' in written


def test_the_longest_type_gives_way_first() -> None:
    small = {"type": "object", "properties": {"a": TEXT, "b": {"type": "integer"}}}
    written = signature(tool({"large": objects(3), "small": small}, ("large",)))
    assert written.startswith('def find(large: {"level_2_0?": {"level_1_0?": dict, ')
    assert written.endswith('*, small: {"a?": str, "b?": int} = None) -> Any')


def test_when_types_dont_fit_every_name_still_does() -> None:
    enum = {"enum": ["alphabetical", "chronological", "by relevance", "by size"]}
    written = signature(tool({f"sorted_by_{i}": enum for i in range(20)}, ("sorted_by_0",)))
    assert [f"sorted_by_{i}: " in written for i in range(20)] == [True] * 20
    assert len(written) <= LINE_CHARACTERS


def test_required_parameters_are_all_named_even_beyond_a_line() -> None:
    names = [f"parameter_number_{i}" for i in range(60)]
    written = signature(tool(dict.fromkeys([*names, "x"], objects(1)), tuple(names)))
    assert all(f"{name}: dict, " in written for name in names)
    assert written.endswith('*, _more: "1 more, see getToolDocs" = ...) -> Any')


def test_a_result_never_takes_more_than_its_part_of_the_line() -> None:
    made = tool({"a": TEXT}, outputSchema=objects(3, 6))
    start = "def find(*, a: str = None) -> "
    assert signature(made).startswith(f'{start}{{"level_2_0?": dict, ')
    assert len(signature(made)) <= len(start) + RETURN_CHARACTERS


def test_a_schema_of_a_quarter_of_a_megabyte_has_a_stub_and_docs_like_any_other() -> None:
    described = {"type": "object", "description": "word " * 40, "properties": {f"p{i}": TEXT for i in range(20)}}
    made = tool({f"parameter_{i}": objects(3) | {"default": described} for i in range(120)}, ("parameter_7",))
    assert len(json.dumps(made.input_schema)) > 245_930
    assert signature(made).startswith('def find(parameter_7: {"level_2_0?": ')
    assert len(signature(made)) <= LINE_CHARACTERS
    assert "  parameter_0: " in docs(made)


# Observed results


OBSERVED = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}


def test_a_result_that_was_seen_is_typed_and_marked_as_seen() -> None:
    made = replace(tool(description="Finds one."), observed=OBSERVED)
    assert line(made) == snapshot("def find() -> {id: int}  # Observed return type. Finds one.")


def test_what_the_server_promises_counts_more_than_what_was_seen() -> None:
    made = replace(tool(outputSchema={"type": "object"}), observed=OBSERVED)
    assert line(made) == "def find() -> dict"


def test_a_seen_result_is_shown_as_it_was_without_opening_it() -> None:
    made = replace(tool(), observed={"type": "object", "properties": {"result": TEXT}, "required": ["result"]})
    assert signature(made) == "def find() -> {result: str}"


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


def test_of_very_many_required_parameters_the_first_are_shown_and_the_rest_counted() -> None:
    names = tuple(f"a_parameter_of_some_length_{number}" for number in range(300))
    written = signature(tool(dict.fromkeys((*names, "other"), TEXT), names))
    assert len(written) <= LONGEST_CHARACTERS
    shown = written.count(": str")
    assert 80 < shown < 300
    assert written.endswith(f', _more: "{301 - shown} more, see getToolDocs" = ...) -> Any')
