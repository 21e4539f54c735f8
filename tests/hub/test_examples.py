"""Example calls: they are valid, or say that they aren't known to be."""

from typing import Any

import pytest

from mcp_hub.hub.examples import SHAPE_ONLY, example, example_arguments
from tests.hub.listed import NODE, NULL, TEXT, server, tool

DEFS = {
    "Node": NODE,
    "Endless": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Endless"}}, "required": ["next"]},
}


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
        ({"type": "array", "items": {"type": "object"}}, "[{}]"),
        ({"type": "object"}, "{}"),
        ({"properties": {"a": TEXT, "b": TEXT}, "required": ["a"]}, '{"a": "..."}'),
        ({"anyOf": [{"type": "integer"}, NULL]}, "1"),
        ({"type": "string", "oneOf": [{"const": "a"}, {"const": "b"}]}, '"a"'),
        (
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "anyOf": [{"required": ["a"]}]},
            '{"a": "..."}',
        ),
        ({"$ref": "#/$defs/Node"}, '{"name": "..."}'),
        ({"$ref": "#/$defs/Node", "description": "beside"}, '{"name": "..."}'),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, "8"),
        ({"type": "integer", "exclusiveMinimum": 5}, "6"),
        ({"type": "integer", "maximum": -3}, "-3"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "0.5"),
        ({"type": "number", "minimum": 0.25, "maximum": 0.25}, "0.25"),
        ({"type": "string", "minLength": 5}, '"....."'),
        ({"type": "string", "maxLength": 2}, '".."'),
        ({"type": "string", "format": "date"}, '"2025-01-31"'),
        ({"type": "string", "format": "date-time"}, '"2025-01-31T09:00:00Z"'),
        ({"type": "string", "format": "uri"}, '"https://example.com"'),
        ({"type": "string", "format": "email"}, '"a@example.com"'),
        ({"type": "string", "format": "uuid"}, '"123e4567-e89b-12d3-a456-426614174000"'),
        ({"type": "string", "pattern": "^[a-z]+$"}, '"a"'),
        ({"type": "string", "pattern": "^$"}, '""'),
        ({"type": "string", "pattern": "^me:$"}, '"me:"'),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, '"ABC"'),
        ({"type": "string", "pattern": "^[0-9a-f]{40}$"}, f'"{"a" * 40}"'),
        ({"type": "string", "pattern": "^proj_[a-z0-9]+$"}, '"proj_a"'),
        ({"type": "string", "pattern": "^https://"}, '"https://example.com"'),
        ({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}, '"2025-01-31"'),
        ({"type": "string", "pattern": "^[a-z]+(-[a-z]+)*$"}, '"a"'),
        ({"type": "string", "default": "nonsense", "enum": ["a"]}, '"a"'),
        ({"type": "string", "examples": [3, "e"]}, '"e"'),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, "[1, 1]"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}, "[1, 0, 2]"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True}, '["a", "b"]'),
        ({"type": "array", "prefixItems": [{"type": "integer"}, TEXT], "minItems": 2, "items": False}, '[1, "..."]'),
        ({"type": "array", "contains": {"const": 7}}, "[7]"),
        ({"type": "array", "maxItems": 0, "items": TEXT}, "[]"),
        ({"type": "object", "minProperties": 1, "additionalProperties": {"type": "integer"}}, '{"key1": 1}'),
        ({"type": "object", "properties": {"a": TEXT}, "minProperties": 1}, '{"a": "..."}'),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, "3"),
        ({"allOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"required": ["b"]}]}, '{"a": "...", "b": "..."}'),
        (
            {
                "type": "object",
                "properties": {"a": TEXT, "b": TEXT},
                "anyOf": [{"required": ["b"]}, {"required": ["a"]}],
            },
            '{"b": "..."}',
        ),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "1.5"),
        ({"anyOf": [{"$ref": "#/$defs/Endless"}, NULL]}, "None"),
        ({"type": ["null", "string"]}, "None"),
        ({"not": {"type": "string"}}, "1"),
    ],
)
def test_an_example_gives_each_required_argument_a_fitting_value(schema: Any, value: str) -> None:
    assert example(tool({"a": schema, "b": TEXT}, ("a",), defs=DEFS)) == f"shop.find(a={value})"


def test_an_example_of_a_type_that_needs_itself_has_the_right_shape_only() -> None:
    assert example(tool({"a": {"$ref": "#/$defs/Endless"}}, ("a",), defs=DEFS)) == (
        'shop.find(a={"next": {}})  # shape only'
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Gone"},
        {"$ref": "https://example.com/schema.json"},
        False,
        {"type": "string", "pattern": "^(?=.*q)(?=.*z).{3}$"},
        {"type": "string", "pattern": "(unclosed"},
        {"type": "string", "minLength": 10_000},
        {"type": "array", "minItems": 1_000},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "integer", "minimum": "low"},
        {"type": "object", "patternProperties": {"^x": TEXT}},
        {"const": 1, "type": "string"},
    ],
)
def test_where_no_valid_value_is_found_the_example_says_so(schema: Any) -> None:
    made = tool({"a": schema}, ("a",))
    assert example(made).endswith(f"  {SHAPE_ONLY}")
    assert example_arguments(made) is None


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*b$", "^((a+)+)+!$", ".*.*.*.*.*.*.*.*.*=$", "^(.*){20}!$"])
def test_a_pattern_that_could_take_long_is_left_alone(pattern: str) -> None:
    text = "a" * 40
    made = tool({"a": {"type": "string", "pattern": pattern, "minLength": 30, "default": text}}, ("a",))
    assert example(made).endswith(SHAPE_ONLY)


def test_references_that_branch_without_end_are_left_alone() -> None:
    defs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)} | {"d60": {"const": "b"}}
    made = tool({"a": {"not": {"$ref": "#/$defs/d0"}}}, ("a",), defs=defs)
    assert example(made) == 'shop.find(a="...")  # shape only'


def test_arguments_that_depend_on_each_other_are_given_together() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": TEXT, "exact": {"type": "boolean"}},
        "oneOf": [{"required": ["id"]}, {"required": ["name", "exact"]}],
    }
    (made,) = server({"name": "find", "inputSchema": schema}).tools.values()
    assert example(made) == "shop.find(id=1)"
    assert example_arguments(made) == {"id": 1}


def test_arguments_are_spelt_as_a_program_writes_them() -> None:
    made = tool({"from": TEXT, "start-time": TEXT, "größe": {"type": "integer"}}, ("start-time", "from", "größe"))
    assert example(made) == 'shop.find(from_="...", start_time="...", gr__e=1)'


def test_an_argument_that_no_parameter_stands_for_is_unpacked() -> None:
    schema = {"type": "object", "required": ["x-id"], "additionalProperties": {"type": "integer"}}
    (made,) = server({"name": "find", "inputSchema": schema}).tools.values()
    assert example(made) == 'shop.find(**{"x-id": 1})'


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": [{"type": "integer"}, TEXT], "minItems": 2}, '[1, "..."]'),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, "4"),
    ],
)
def test_older_generations_of_json_schema_are_understood(schema: Any, value: str) -> None:
    assert example(tool({"a": schema}, ("a",))) == f"shop.find(a={value})"


@pytest.mark.parametrize("pattern", [r"^(|){20}x$", r"^(a|aa){30}$", r"^(a|b|ab)*c$", "|".join(["word"] * 500)])
def test_a_pattern_that_might_take_long_is_not_run(pattern: str) -> None:
    made = tool({"a": {"type": "string", "pattern": pattern, "default": "a" * 30}}, ("a",))
    assert example(made).endswith("# shape only")
