"""Types that an agent reads, for schemas as servers really have them."""

import ast
from typing import Any

import pytest

from mcp_hub.hub.types import TYPE_CHARACTERS, one_line, type_of
from tests.hub.listed import NODE, NULL, TEXT

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
        ({"type": "array", "items": [TEXT, NULL]}, "tuple[str, None]"),
        ({"type": "array", "prefixItems": [TEXT, {"type": "integer"}]}, "tuple[str, int]"),
        ({"type": "array", "prefixItems": [TEXT], "items": {"type": "integer"}}, "tuple[str, ...]"),
        ({"type": "array", "prefixItems": [TEXT], "items": False}, "tuple[str]"),
        ({"type": "array", "prefixItems": []}, "list"),
        ({"type": "array", "items": False}, "list[Never]"),
        ({"items": TEXT}, "list[str]"),
        ({"type": "object", "additionalProperties": TEXT}, "dict[str, str]"),
        ({"type": "object", "additionalProperties": True}, "dict"),
        ({"type": "object", "additionalProperties": {}}, "dict"),
        ({"type": "object", "properties": {}}, "dict"),
        ({"type": "object", "properties": {"gone": False}}, "dict"),
        ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, "dict[str, int]"),
        (
            {"type": "object", "patternProperties": {"^x": TEXT}, "additionalProperties": {"type": "integer"}},
            "dict[str, int | str]",
        ),
        ({"type": "string", "pattern": "^a", "minLength": 1, "maxLength": 9}, "str"),
        ({"type": "string", "format": "date-time"}, "str"),
    ],
)
def test_a_plain_schema_is_the_python_type_that_it_means(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


@pytest.mark.parametrize(
    "schema",
    [{}, {"description": "anything"}, {"title": "X"}, True, None, [], "string", {"type": "file"}, {"type": 3}],
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
        ({"anyOf": [{"anyOf": [TEXT, NULL]}, {"type": "integer"}]}, "str | int | None"),
        ({"allOf": [TEXT]}, "str"),
        ({"allOf": [TEXT, {"minLength": 3}]}, "str"),
        ({"anyOf": [TEXT, False]}, "str"),
        ({"type": "string", "anyOf": [{"format": "date"}, {"format": "time"}]}, "str"),
        ({"anyOf": [TEXT, {"type": "integer"}], "description": "Either."}, "str | int"),
        ({"oneOf": [{"enum": ["a", "b"]}, {"const": "c"}]}, 'Literal["a", "b"] | Literal["c"]'),
        (
            {
                "type": "object",
                "properties": {"to": TEXT},
                "oneOf": [{"properties": {"a": TEXT}}, {"required": ["to"]}],
            },
            '{"to?": str, "a?": str} | {to: str}',
        ),
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


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string", "nullable": True}, "str | None"),
        ({"type": "string", "nullable": False}, "str"),
        ({"type": "string", "enum": ["a"], "nullable": True}, 'Literal["a"] | None'),
        ({"type": ["string", "null"], "nullable": True}, "str | None"),
        ({"type": "array", "items": {"type": "integer", "nullable": True}}, "list[int | None]"),
    ],
)
def test_nullable_is_a_union_with_none(schema: Any, written: str) -> None:
    assert type_of(schema, {}) == written


def test_what_nothing_fits_is_never() -> None:
    assert type_of(False, {}) == type_of({"not": {}}, {}) == type_of({"anyOf": [False]}, {}) == "Never"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        (
            {
                "allOf": [
                    {"properties": {"a": TEXT}, "required": ["a"]},
                    {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
                ]
            },
            "{a: str, b: int}",
        ),
        ({"properties": {"a": TEXT}, "allOf": [{"required": ["a"]}]}, "{a: str}"),
        ({"properties": {"a": {}}, "allOf": [{"properties": {"a": TEXT}}]}, '{"a?": str}'),
        ({"allOf": [{"type": ["string", "null"]}, TEXT]}, "str"),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, "int"),
        ({"allOf": [{"enum": ["a", "b", "c"]}, {"enum": ["b", "c", "d"]}]}, 'Literal["b", "c"]'),
        ({"allOf": [{"anyOf": [TEXT, NULL]}, {"description": "x"}]}, "str | None"),
        ({"allOf": [{"allOf": [TEXT]}]}, "str"),
        ({"allOf": [{"$ref": "#/$defs/A"}], "properties": {"b": TEXT}}, '{a: int, "b?": str}'),
        ({"$ref": "#/$defs/A", "required": ["b"], "properties": {"b": TEXT}}, "{a: int, b: str}"),
        ({"$ref": "#/$defs/A", "description": "Its own words."}, "{a: int}"),
    ],
)
def test_all_of_and_what_stands_beside_a_reference_are_one_type(schema: Any, written: str) -> None:
    defs = {"A": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}
    assert type_of(schema, {"$defs": defs}) == written


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
        ({"enum": [f"v{i}" for i in range(6)]}, 'Literal["v0", "v1", "v2", "v3", "v4", "v5"]'),
        (
            {"enum": [f"v{i}" for i in range(32)]},
            'Literal["v0", "v1", "v2", "v3", "v4", "v5", "... 26 more"]',
        ),
        ({"enum": ["x" * 60, "y" * 60, "z"]}, f'Literal["{"x" * 60}", "... 2 more"]'),
        ({"enum": ["x" * 200, None, 1]}, "str | int | None"),
        ({"const": ["x" * 200]}, "list"),
        ({"const": {"x": "x" * 200}}, "dict"),
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
    assert written.count(": str") == 12
    assert written.endswith('"193 more": Any}')


def test_of_many_fields_the_required_ones_are_shown() -> None:
    schema = {"properties": {f"f{i}": TEXT for i in range(40)}, "required": ["f39", "f20"]}
    written = type_of(schema, {})
    assert written.endswith('f20: str, f39: str, "28 more": Any}')
    assert written.startswith('{"f0?": str, ')


def test_objects_deep_down_are_just_dicts() -> None:
    schema: Any = TEXT
    for _ in range(12):
        schema = {"type": "object", "properties": {"in": schema}, "required": ["in"]}
    assert type_of(schema, {}) == '{"in": {"in": {"in": dict}}}'


# References


@pytest.mark.parametrize(
    ("ref", "root", "written"),
    [
        ("#/$defs/Node", {"$defs": {"Node": NODE}}, '{name: str, "children?": list[Node]}'),
        (
            "#/definitions/my-node",
            {"definitions": {"my-node": {"items": {"$ref": "#/definitions/my-node"}}}},
            "list[my_node]",
        ),
        ("#", {"properties": {"parent": {"$ref": "#"}}}, '{"parent?": Self}'),
        (
            "#/properties/tree/items",
            {"properties": {"tree": {"items": {"anyOf": [TEXT, {"$ref": "#/properties/tree/items"}]}}}},
            "str | tree",
        ),
        (
            "#/$defs/Json",
            {"$defs": {"Json": {"anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/$defs/Json"}}]}}},
            "str | list[Json]",
        ),
        ("#/$defs/Self", {"$defs": {"Self": {"$ref": "#/$defs/Self"}}}, "Self"),
    ],
)
def test_where_a_type_begins_again_inside_itself_its_name_stands(ref: str, root: Any, written: str) -> None:
    assert type_of({"$ref": ref}, root) == written


def test_a_type_that_is_used_twice_but_not_inside_itself_is_written_out() -> None:
    root = {"$defs": {"Id": {"type": "integer"}}}
    fields = {"a": {"$ref": "#/$defs/Id"}, "b": {"$ref": "#/$defs/Id"}}
    assert type_of({"properties": fields}, root) == '{"a?": int, "b?": int}'


def test_what_nests_deeper_than_anyone_reads_is_any() -> None:
    schema: Any = TEXT
    for _ in range(3_000):
        schema = {"type": "array", "items": schema}
    assert type_of(schema, {}) == "Any"


def wide(levels: int, width: int) -> Any:
    schema: Any = TEXT
    for _ in range(levels):
        schema = {"type": "object", "properties": {f"field_{i}": schema for i in range(width)}}
    return schema


def test_a_type_that_would_be_too_long_is_written_with_fewer_levels() -> None:
    written = type_of({"type": "object", "properties": {"first": wide(3, 11), "second": TEXT}}, {})
    assert written.startswith('{"first?": {"field_0?": dict, "field_1?": dict, ')
    assert written.endswith(', "second?": str}')


@pytest.mark.parametrize(
    ("most", "written"),
    [
        (100, '{"field_0?": str, "field_1?": str, "field_2?": str, "37 more": Any}'),
        (50, "dict"),
        (3, "Any"),
    ],
)  # fmt: skip
def test_a_type_has_as_many_fields_as_its_room_allows(most: int, written: str) -> None:
    assert type_of(wide(1, 40), {}, most) == written


def test_no_type_is_longer_than_asked_for() -> None:
    union = {"anyOf": [{"type": "object", "properties": {f"name_{i}": wide(2, 4)}} for i in range(40)]}
    assert len(type_of(union, {})) <= TYPE_CHARACTERS


# Texts


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
