"""Schemas with their references followed and their `allOf` merged."""

from typing import Any

import pytest

from mcp_hub.hub.catalog import build_server
from mcp_hub.hub.examples import example_arguments
from mcp_hub.hub.schemas import Reader, TooLargeError, combined, resolve, type_name
from mcp_hub.hub.types import type_of

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


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("#/$defs/Node", "Node"),
        ("#/definitions/List%5Bint%5D", "List_int_"),
        ("#/properties/tree/items/anyOf/0", "tree"),
        ("#", "Self"),
        ("#/", "Self"),
        ("#/properties/class", "class_"),
    ],
)
def test_a_type_is_called_what_its_reference_ends_with(ref: str, name: str) -> None:
    assert type_name(ref) == name


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"minimum": 1, "maxLength": 5}, {"minimum": 3, "maxLength": 9}, {"minimum": 3, "maxLength": 5}),
        ({"required": ["a", "b"]}, {"required": ["b", "c"]}, {"required": ["a", "b", "c"]}),
        ({"type": ["string", "integer"]}, {"type": ["integer", "null"]}, {"type": "integer"}),
        ({"type": "number"}, {"type": "integer"}, {"type": "integer"}),
        ({"enum": [1, 2]}, {"enum": [2, 3]}, {"enum": [2]}),
        ({"description": "a", "title": "t"}, {"description": "b"}, {"description": "b", "title": "t"}),
        ({"items": {"a": 1}}, {"items": {"b": 2}}, {"items": {"allOf": [{"a": 1}, {"b": 2}]}}),
        ({"nullable": True}, {"nullable": False}, {"nullable": False}),
        (
            {"properties": {"x": {"a": 1}, "y": {}}},
            {"properties": {"z": {}, "x": {"b": 2}}},
            {"properties": {"x": {"allOf": [{"a": 1}, {"b": 2}]}, "y": {}, "z": {}}},
        ),
        ({"enum": [1, 2]}, {"const": 2}, {"enum": [1, 2], "const": 2}),
        ({"not": {"a": 1}}, {"not": {"b": 2}}, {"not": {"anyOf": [{"a": 1}, {"b": 2}]}}),
        ({"minimum": "x", "required": 1}, {"minimum": 1, "required": []}, {"minimum": 1, "required": []}),
        ({"type": 3}, {"type": "string"}, {"type": "string"}),
    ],
)
def test_two_schemas_become_one_that_asks_for_both(one: Any, other: Any, both: Any) -> None:
    assert combined(one, other) == both


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"enum": ["a", "b"]}, {"enum": ["c"]}),
        ({"enum": [True, "a"]}, {"enum": [1]}),
        ({"const": "a"}, {"const": "b"}),
        ({"const": "a"}, {"enum": ["b", "c"]}),
        ({"enum": ["b", "c"]}, {"const": "a", "description": "text"}),
        ({"type": "string"}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["integer", "boolean"]}),
    ],
)
def test_two_schemas_that_no_value_fits_become_never(one: Any, other: Any) -> None:
    never = {"allOf": [one, other, {"not": {"minimum": 3}}]}
    both = {"type": "object", "properties": {"a": never}, "required": ["a"]}
    assert type_of(never, None) == "Never"
    assert type_of(both, None) == "{a: Never}"
    assert type_of({"anyOf": [never, {"type": "number"}]}, None) == "float"
    assert example_arguments(build_server("s", "", [{"name": "t", "inputSchema": both}]).tools["t"]) is None


def test_null_is_what_is_left_of_two_nullable_enums_that_have_nothing_else_in_common() -> None:
    one, other = ({"enum": [value], "nullable": True} for value in "ab")
    assert type_of({"allOf": [one, other]}, None) == "None"
    assert type_of({"allOf": [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]}, None) == "None"


def test_of_a_constant_and_an_enum_that_has_it_the_constant_is_left() -> None:
    assert type_of({"allOf": [{"enum": ["a", "b"]}, {"const": "b"}]}, None) == 'Literal["b"]'


def test_an_enum_that_the_server_itself_left_empty_says_nothing() -> None:
    assert type_of({"type": "string", "enum": []}, None) == "str"


def test_a_schema_without_references_is_read_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}
    assert Reader({}, 1).flat(schema).schema is schema


def test_what_stands_beside_a_reference_counts_more_than_what_it_leads_to() -> None:
    root = {"$defs": {"A": {"$ref": "#/$defs/B", "title": "a"}, "B": {"title": "b", "type": "string", "default": 1}}}
    flat = Reader(root, 10).flat({"$ref": "#/$defs/A", "default": 2})
    assert flat.schema == {"title": "a", "type": "string", "default": 2}
    assert flat.seen == {"#/$defs/A", "#/$defs/B"}


def test_all_of_that_branches_without_end_is_too_large() -> None:
    defs = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
    with pytest.raises(TooLargeError):
        Reader({"$defs": defs}, 500).flat({"$ref": "#/$defs/d0"})
