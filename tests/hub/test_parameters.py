"""A tool's parameters, wherever in its input schema they stand; and what stub, docs and binding make of them."""

from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub import stubs
from mcp_hub.hub.arguments import bind, make_validator, planned_problems, violations
from mcp_hub.hub.catalog import Tool, build_server
from mcp_hub.hub.examples import example_arguments
from mcp_hub.hub.parameters import PARTS, taken_by

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def properties(*required: str, **schemas: Any) -> dict[str, Any]:
    return {"type": "object", "properties": schemas, "required": list(required)}


def tool(schema: dict[str, Any]) -> Tool:
    return build_server("shop", "", [{"name": "find", "inputSchema": schema}]).tools["find"]


def signature(schema: dict[str, Any]) -> str:
    return stubs.signature(tool(schema)).removeprefix("def find(").removesuffix(") -> Any")


SEARCH = {"$ref": "#/$defs/Search", "$defs": {"Search": properties("text", text=TEXT, limit=NUMBER)}}
CARD = properties("kind", "card", kind={"const": "card"}, card=TEXT, pin=NUMBER)
BANK = properties("kind", "bank", kind={"const": "bank"}, bank=TEXT)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (SEARCH, "text: str, *, limit: int = None"),
        ({"allOf": [properties("a", a=TEXT), properties(b=NUMBER)]}, "a: str, *, b: int = None"),
        (
            {**properties(c=TEXT), "allOf": [SEARCH], **{"$defs": SEARCH["$defs"]}},
            "text: str, *, limit: int = None, c: str = None",
        ),
        (
            {"type": "object", "oneOf": [CARD, BANK]},
            'kind: Literal["card"] | Literal["bank"], *, card: str = None, pin: int = None, bank: str = None',
        ),
        ({"anyOf": [properties("a", a=TEXT), properties("a", a=NUMBER)]}, "a: str | int"),
        (
            {**properties(a=TEXT, b=TEXT), "anyOf": [{"required": ["a"]}, {"required": ["b", "a"]}]},
            "a: str, *, b: str = None",
        ),
        ({**properties(a=TEXT), "anyOf": [{"required": ["a"]}, False]}, "a: str"),
        (
            {"allOf": [{"oneOf": [properties("a", a=TEXT), {"oneOf": [properties("a", "b", a=TEXT, b=TEXT)]}]}]},
            "a: str, *, b: str = None",
        ),
        (
            {
                **properties("kind", kind=TEXT),
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": properties("extra", extra=TEXT),
            },
            "kind: str, *, extra: str = None",
        ),
        (
            {**properties(a=TEXT), "dependentSchemas": {"a": properties("b", b=NUMBER)}},
            "*, a: str = None, b: int = None",
        ),
        ({**properties(a=TEXT), "anyOf": [{"$ref": "#"}, properties(b=TEXT)]}, "*, a: str = None, b: str = None"),
        ({**properties(a=TEXT), "$ref": "#/$defs/Gone"}, "*, a: str = None"),
        (
            {**properties(a=TEXT), "allOf": 7, "anyOf": {"x": 1}, "oneOf": [3], "dependentSchemas": []},
            "*, a: str = None",
        ),
        ({"$ref": "#"}, ""),
    ],
)
def test_a_signature_has_the_parameters_of_every_part_and_requires_those_that_all_need(
    schema: dict[str, Any], said: str
) -> None:
    assert signature(schema) == said


def test_a_schema_with_more_parts_than_are_read_has_the_parameters_at_its_top() -> None:
    members = [properties(**{f"p{number}": TEXT}) for number in range(PARTS)]
    assert signature({**properties("a", a=TEXT), "anyOf": members}) == "a: str"


def test_the_docs_describe_what_stands_behind_references_and_unions() -> None:
    described = {"card": {"type": "string", "description": "Its number."}}
    schema = {"allOf": [SEARCH, {"anyOf": [properties(**described), properties(bank=TEXT)]}], "$defs": SEARCH["$defs"]}
    assert stubs.docs(tool(schema)) == snapshot("""\
shop.find
def find(text: str, *, limit: int = None, card: str = None, bank: str = None) -> Any

Parameters:
  text: str (required)
  limit: int (optional)
  card: str (optional) Its number.
  bank: str (optional)

Example: shop.find(text="...")
""")


@pytest.mark.parametrize(
    ("args", "kwargs", "bound"),
    [
        (["t"], {"limit": 3}, {"text": "t", "limit": 3}),
        (["t"], {"limit": None}, {"text": "t"}),
    ],
)
def test_arguments_are_bound_to_parameters_behind_a_reference(
    args: list[Any], kwargs: dict[str, Any], bound: dict[str, Any]
) -> None:
    assert bind(tool(SEARCH), args, kwargs) == bound


def test_a_misspelt_parameter_behind_a_reference_is_told_with_the_nearest() -> None:
    with pytest.raises(CallerError, match=r"no parameter 'limits' \(did you mean 'limit'\?\)"):
        bind(tool(SEARCH), ["t"], {"limits": 3})


@pytest.mark.parametrize(
    ("schema", "more"),
    [
        ({"allOf": [properties(a=TEXT), {"additionalProperties": True}]}, True),
        ({"allOf": [{**properties(a=TEXT), "additionalProperties": True}, {"additionalProperties": False}]}, False),
        ({"anyOf": [properties(a=TEXT), {"patternProperties": {"^x": TEXT}}]}, True),
        ({"anyOf": [properties(a=TEXT), properties(b=TEXT)]}, False),
        ({"$ref": "#/$defs/Gone"}, True),
    ],
)
def test_a_tool_takes_more_where_any_part_says_so(schema: dict[str, Any], more: bool) -> None:
    assert taken_by(schema).more is more


PAID = {"oneOf": [properties("kind", "by", kind={"const": "a"}, by=NUMBER), properties("kind", kind={"const": "b"})]}


@pytest.mark.parametrize(
    ("schema", "arguments", "said"),
    [
        (PAID, {"kind": "b", "by": "x"}, []),
        (PAID, {"by": 1}, ["argument 'kind' is missing"]),
        (SEARCH, {"text": 7}, ["argument text: expected str, got int 7"]),
        (SEARCH, {"limit": 7}, ["argument 'text' is missing"]),
    ],
)
def test_a_planned_call_is_told_only_what_is_wrong_whichever_member_of_a_union_it_fits(
    schema: dict[str, Any], arguments: dict[str, Any], said: list[str]
) -> None:
    made = tool(schema)
    validator = make_validator(made)
    assert validator is not None
    planned = {name: [value] for name, value in arguments.items()}
    assert planned_problems(made, validator, [], planned, open_ended=False) == said
    assert bool(violations(validator, made, arguments)) == bool(said)


@pytest.mark.parametrize("schema", [SEARCH, {"oneOf": [CARD, BANK]}, PAID])
def test_an_example_gives_what_is_required_behind_references_and_unions(schema: dict[str, Any]) -> None:
    made = tool(schema)
    arguments, validator = example_arguments(made), make_validator(made)
    assert arguments is not None
    assert validator is not None
    assert violations(validator, made, bind(made, [], arguments)) == []
