"""Whatever schema a server has: its stub reads as Python, values pass through it, its example is valid."""

import ast
import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator

from mcp_hub.hub.arguments import bind
from mcp_hub.hub.catalog import Tool, build_server
from mcp_hub.hub.docs import DOCS_CHARACTERS
from mcp_hub.hub.examples import SHAPE_ONLY, example, example_arguments
from mcp_hub.hub.stubs import LINE_CHARACTERS, RETURN_CHARACTERS, docs, line, signature
from mcp_hub.hub.types import TYPE_CHARACTERS, type_of


def tool(raw: Mapping[str, Any]) -> Tool:
    (made,) = build_server("shop", "", [raw]).tools.values()
    return made


def fits_a_line(text: str) -> bool:
    return len(text.splitlines()) == 1


# Anything that JSON can be

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
def test_any_tool_is_one_line_that_reads_as_python(raw: dict[str, Any]) -> None:
    made = tool(raw)
    assert fits_a_line(line(made))
    assert len(signature(made)) <= LINE_CHARACTERS
    ast.parse(f"{signature(made)}: ...")
    ast.parse(example(made))


@given(TOOLS)
def test_the_docs_of_any_tool_are_bounded(raw: dict[str, Any]) -> None:
    written = docs(tool(raw))
    assert written.endswith("\n")
    assert len(written) <= DOCS_CHARACTERS


@given(SCHEMAS)
def test_any_schema_is_a_type_that_reads_as_python(schema: Any) -> None:
    written = type_of(schema, schema if isinstance(schema, dict) else None)
    assert fits_a_line(written)
    assert len(written) <= TYPE_CHARACTERS
    ast.parse(written, mode="eval")


@given(SCHEMAS)
def test_any_result_is_a_type_that_reads_as_python(schema: Any) -> None:
    made = tool({"name": "find", "outputSchema": schema})
    assert len(signature(made)) <= len("def find() -> ") + RETURN_CHARACTERS
    ast.parse(f"{signature(made)}: ...")


# Schemas that make sense

NAMES = st.sampled_from(
    [
        *("a", "b", "order_by", "orderBy", "order-by", "order.by", "StartTime", "StartTime<", "StartTime>", "größe"),
        *("from", "async", "class", "type", "filter", "id", "hash", "properties", "items", "required", "$ref", "enum"),
        *("_more", "2fa", " ", "a b", "a\nb", "x" * 71),
    ]
)
JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.just([]) | st.just({"a": 1})
)
LEAVES = st.one_of(
    st.just({}),
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
    st.builds(
        lambda kinds: {"type": kinds}, st.lists(st.sampled_from(["string", "null", "integer"]), min_size=1, unique=True)
    ),
    st.builds(
        lambda low, size: {"type": "integer", "minimum": low, "maximum": low + size},
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-9, 9)),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        st.integers(0, 6),
        st.integers(0, 6),
    ),
    st.sampled_from([{"type": "string", "format": each} for each in ("date", "email", "uuid")]),
    st.sampled_from([{"type": "string", "pattern": each} for each in ("^[a-z]{2}$", "^v[0-9]+$", "^$", "[A-Z]")]),
    st.builds(lambda values: {"enum": values}, st.lists(JSON, min_size=1, max_size=8, unique_by=repr)),
    st.builds(lambda value: {"const": value}, JSON),
    st.sampled_from([{"$ref": f"#/$defs/{name}"} for name in ("Leaf", "Node")]),
)
DEFS = {
    "Leaf": {"type": "string", "enum": ["red", "", "green"]},
    "Node": {
        "type": "object",
        "properties": {"value": {"$ref": "#/$defs/Leaf"}, "weight": {"type": "integer"}},
        "required": ["value"],
    },
}


def objects_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects whose fields are some of `inner`, some of them required, with and without further ones."""
    return st.dictionaries(NAMES, inner, max_size=4).flatmap(
        lambda properties: st.builds(
            lambda required, more: {"type": "object", "properties": properties, "required": required, **more},
            st.lists(st.sampled_from(sorted(properties)), unique=True) if properties else st.just([]),
            st.sampled_from([{}, {"additionalProperties": False}]),
        )
    )


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        objects_of(inner),
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner),
        st.builds(lambda members: {"anyOf": members}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}], "default": None}, inner),
        st.builds(lambda one: {"allOf": [one], "description": "Some words."}, inner),
    )


INPUTS = objects_of(st.recursive(LEAVES, larger, max_leaves=6)).map(
    lambda schema: {**schema, "additionalProperties": False, "$defs": DEFS}
)
SLOW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@given(INPUTS)
@SLOW
def test_the_stub_of_a_schema_names_every_parameter_and_reads_as_python(schema: dict[str, Any]) -> None:
    made = tool({"name": "find", "inputSchema": schema})
    (function,) = ast.parse(f"{signature(made)}: ...").body
    assert isinstance(function, ast.FunctionDef)
    assert [each.arg for each in function.args.args] == [each.name for each in made.parameters if each.required]
    optional = [each.name for each in made.parameters if not each.required]
    assert [each.arg for each in function.args.kwonlyargs] == optional


@given(st.data())
@SLOW
def test_a_value_that_fits_a_schema_passes_through_the_stubs_parameters_unchanged(data: st.DataObject) -> None:
    schema = data.draw(INPUTS)
    value: Any = data.draw(from_schema(schema))
    made = tool({"name": "find", "inputSchema": schema})
    names = {parameter.wire_name: parameter.name for parameter in made.parameters}
    sent = bind(made, [], {names[wire]: given for wire, given in value.items()})
    assert json.dumps(sent, sort_keys=True) == json.dumps(value, sort_keys=True)


@given(INPUTS)
@SLOW
def test_an_example_is_valid_or_says_that_it_may_not_be(schema: dict[str, Any]) -> None:
    made = tool({"name": "find", "inputSchema": schema})
    arguments = example_arguments(made)
    assert (arguments is None) == example(made).endswith(SHAPE_ONLY)
    if arguments is not None:
        Draft202012Validator(schema).validate(arguments)
        assert bind(made, [], arguments) == arguments


@given(INPUTS)
@SLOW
def test_a_schema_of_common_kinds_has_a_valid_example(schema: dict[str, Any]) -> None:
    assert example_arguments(tool({"name": "find", "inputSchema": schema})) is not None


@given(st.lists(INPUTS, max_size=5), st.randoms())
@settings(SLOW, max_examples=10)
def test_the_same_tools_in_any_order_have_the_same_stubs(schemas: list[dict[str, Any]], random: Any) -> None:
    listed = [{"name": f"find-{i}", "inputSchema": schema} for i, schema in enumerate(schemas)]
    shuffled = [json.loads(json.dumps(each)) for each in listed]
    random.shuffle(shuffled)
    for each in shuffled:
        random.shuffle(each["inputSchema"]["required"])
    one, other = build_server("shop", "", listed), build_server("shop", "", shuffled)
    assert [(line(each), docs(each)) for each in one.tools.values()] == [
        (line(each), docs(each)) for each in other.tools.values()
    ]
