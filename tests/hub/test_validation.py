"""Values are held against any schema within a number of steps; where that isn't enough, nobody says that they fit."""

from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from mcp_hub.hub.validation import BoundedValidator, Steps, UnknowableError

TREE = {
    "$defs": {"Node": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#/$defs/Node"}}]}},
    "properties": {"tree": {"$ref": "#/$defs/Node"}},
}


def branching(union: str) -> dict[str, Any]:
    """Each level refers twice to the next: to hold a value against all of it takes 2 ** 60 steps."""
    defs: dict[str, Any] = {f"d{level}": {union: [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(60)}
    return {"$defs": {**defs, "d60": {"type": "string"}}, "$ref": "#/$defs/d0"}


def bounded(schema: dict[str, Any], kind: Any = Draft202012Validator) -> BoundedValidator:
    return BoundedValidator(kind, schema, {})


def told(validator: BoundedValidator, value: Any, steps: int = 100) -> list[str]:
    return [error.message for error in validator.errors(value, 5, Steps(steps))]


@pytest.mark.parametrize(("union", "value"), [("anyOf", 1), ("oneOf", 1), ("allOf", "x")])
def test_a_schema_whose_references_branch_at_each_level_ends_in_nobody_knows(union: str, value: Any) -> None:
    with pytest.raises(UnknowableError):
        told(bounded(branching(union)), value)


def test_a_schema_that_branches_back_to_its_root_is_bounded_whatever_dialect_its_root_names() -> None:
    again = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}], "type": "object"}
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": again}, "required": ["a"]}
    value: dict[str, Any] = {}
    for _ in range(30):
        value = {"a": value}
    with pytest.raises(UnknowableError):
        told(bounded(schema, Draft7Validator), value, 1000)


def test_a_keyword_that_is_checked_otherwise_stays_so_below_a_reference_to_the_root() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"$ref": "#"}, "b": {"pattern": "^x"}},
    }
    validator = BoundedValidator(Draft7Validator, schema, {"pattern": lambda *_: iter(())})
    assert told(validator, {"a": {"b": "y"}}) == []


def test_a_recursive_schema_is_checked_to_the_end_where_the_steps_are_enough() -> None:
    assert told(bounded(TREE), {"tree": [1, [2, [3]]]}) == []
    assert told(bounded(TREE), {"tree": [1, [2, ["x"]]]}) == [
        "[1, [2, ['x']]] is not valid under any of the given schemas"
    ]


def test_steps_may_be_those_of_several_checks_together() -> None:
    steps = Steps(10)
    validator = bounded({"items": {"type": "integer"}})
    assert validator.errors([1] * 6, 5, steps) == []
    with pytest.raises(UnknowableError):
        validator.errors([1] * 6, 5, steps)
    assert validator.errors([1] * 6, 5, Steps(10)) == []


def test_a_value_is_checked_against_a_schema_inside_with_the_references_of_the_whole() -> None:
    validator = bounded({"$defs": {"Id": {"type": "integer"}}})
    assert validator.fits(7, {"$ref": "#/$defs/Id"}, Steps())
    assert not validator.fits("7", {"$ref": "#/$defs/Id"}, Steps())
    (error,) = validator.errors("7", 5, Steps(), {"$ref": "#/$defs/Id"}, "id")
    assert list(error.path) == ["id"]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Gone"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#"},
        {"type": "file"},
        {"minimum": "three"},
    ],
)
def test_what_cannot_be_checked_is_not_known_to_fit(schema: dict[str, Any]) -> None:
    with pytest.raises(UnknowableError):
        bounded(schema).fits(7, schema, Steps())
