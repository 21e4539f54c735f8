"""The docs of one tool: everything there is to know, within bounds."""

import ast
from dataclasses import replace
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.hub.docs import DOCS_CHARACTERS
from mcp_hub.hub.examples import example
from mcp_hub.hub.policy import Decision
from mcp_hub.hub.stubs import docs, signature
from tests.hub.listed import NODE, NULL, TEXT, tool


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
def list_orders(state: Literal["open", "closed"], where: {"customer?": str, lines: list[{sku: str}]}, \
*, order_by: str = "date", page: int = 1) -> list[dict]

Lists orders.

Newest first.

Parameters:
  state: Literal["open", "closed"] (required) Which orders.
  where: {"customer?": str, lines: list[{sku: str}]} (required) Only those.
    customer: str (optional) An id.
    lines: list[{sku: str}] (required; minItems 1)
      sku: str (required)
  order_by: str (default "date"; the server calls it 'order-by'; pattern "^[a-z]+$"; maxLength 20)
  page: int (default 1; minimum 1; maximum 100)

Example: shop.list_orders(state="open", where={"lines": [{"sku": "..."}]})

Returns: list[dict]

Annotations: readOnlyHint: true, idempotentHint: false
""")


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
def find(tree: {name: str, "children?": list[Node]}, *, other: {name: str, "children?": list[Node]} = None) -> Any

Parameters:
  tree: {name: str, "children?": list[Node]} (required) A part of the tree.
    name: str (required)
    children: list[{name: str, "children?": list[Node]}] (optional)
      the fields of tree, above
  other: {name: str, "children?": list[Node]} | None (optional) Too.
    the fields of tree, above

Example: shop.find(tree={"name": "..."})
""")


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
  target: {user: str} | {"team?": int} | str (optional)
    user: str (required)
    or:
    team: int (optional) Its number.

Example: shop.find()
""")


def test_docs_tell_what_each_member_of_a_union_must_fulfil() -> None:
    optional_date = {"anyOf": [{"type": "string", "format": "date", "maxLength": 10}, NULL], "default": None}
    either = {"oneOf": [{"type": "string", "pattern": "^#"}, {"type": "integer", "minimum": 0}]}
    several = {"type": "array", "maxItems": 3, "items": {"type": "string", "format": "email"}}
    written = docs(tool({"on": optional_date, "which": either, "to": several}, ("which", "to")))
    assert '  on: str | None (default None; format "date"; maxLength 10)\n' in written
    assert '  which: str | int (required; str: pattern "^#"; int: minimum 0)\n' in written
    assert '  to: list[str] (required; maxItems 3; each item: format "email")\n' in written


def test_docs_list_the_values_that_a_type_leaves_out_wherever_they_are() -> None:
    codes = [f"code-{i}" for i in range(30)]
    written = docs(
        tool({"a": {"anyOf": [{"type": "array", "items": {"enum": codes}}, NULL]}, "b": {"const": "x" * 200}})
    )
    listed = ", ".join(f'"{code}"' for code in codes)
    assert f"each item: one of {listed})" in written
    assert f'one of "{"x" * 200}"' in written


def test_docs_tell_the_fields_beside_a_union_and_those_of_further_fields() -> None:
    made = tool(
        {
            "shape": {
                "type": "object",
                "properties": {"color": TEXT},
                "oneOf": [
                    {"properties": {"radius": {"type": "number"}}, "required": ["radius"]},
                    {"properties": {"side": {"type": "number"}}, "required": ["side"]},
                ],
            },
            "by_name": {"type": "object", "additionalProperties": {"properties": {"size": {"type": "integer"}}}},
        },
        ("shape",),
    )
    assert docs(made) == snapshot("""\
shop.find
def find(shape: {"color?": str, radius: float} | {"color?": str, side: float}, *, by_name: \
dict[str, {"size?": int}] = None) -> Any

Parameters:
  shape: {"color?": str, radius: float} | {"color?": str, side: float} (required)
    color: str (optional)
    and one of:
    radius: float (required)
    or:
    side: float (required)
  by_name: dict[str, {"size?": int}] (optional)
    in each further field:
    size: int (optional)

Example: shop.find(shape={"radius": 1})
""")


def test_docs_tell_what_all_of_asks_for() -> None:
    parts = [{"properties": {"a": {"type": "string", "minLength": 2}}, "required": ["a"]}, {"$ref": "#/$defs/B"}]
    made = tool({"x": {"allOf": parts}}, ("x",), defs={"B": {"properties": {"b": TEXT}}})
    assert '  x: {a: str, "b?": str} (required)\n    a: str (required; minLength 2)\n    b: str (optional)\n' in docs(
        made
    )


# What comes back


def test_docs_tell_the_fields_of_a_result_that_the_server_describes() -> None:
    output = {
        "type": "object",
        "properties": {"id": {"type": "integer", "description": "Its number."}, "when": TEXT},
        "required": ["id"],
    }
    assert docs(tool(outputSchema=output)) == snapshot("""\
shop.find
def find() -> {id: int, "when?": str}

It takes no parameters.

Example: shop.find()

Returns: {id: int, "when?": str}
  id: int Its number.
  when: str (optional)
""")


def test_docs_dont_repeat_a_result_of_which_the_type_says_all() -> None:
    output = {"type": "object", "properties": {"id": {"type": "integer"}}}
    assert docs(tool(outputSchema=output)).endswith('\nReturns: {"id?": int}\n')


def test_docs_say_that_a_result_was_seen_and_not_promised() -> None:
    made = replace(tool(), observed={"type": "array", "items": TEXT})
    assert docs(made).endswith("\nReturns (as seen in earlier results; not promised by the server): list[str]\n")


# Policy


def test_docs_say_why_a_tool_is_allowed_or_denied() -> None:
    allowed = replace(tool(), decision=Decision(True, "the rule 'shop.*' allows it."))
    denied = replace(tool(), decision=Decision(False, "the rule 'shop.find' denies it."))
    assert docs(allowed).endswith("\n\nPolicy: allowed: the rule 'shop.*' allows it.\n")
    assert "\nDENIED by policy: the rule 'shop.find' denies it.\n" in docs(denied)
    assert "olicy" not in docs(tool())


# Bounds


def deep(levels: int, width: int) -> Any:
    schema: Any = TEXT
    for level in range(levels):
        schema = {"type": "object", "properties": {f"level_{level}_{i}": schema for i in range(width)}}
    return schema


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_long_description_is_cut_and_the_last_line_says_so() -> None:
    written = docs(tool(description="x" * 8_879))
    assert last_line(written) == "[left out for length: the last 4,879 characters of the description]"
    assert "x" * 4_000 + " [...]\n" in written


def test_of_too_many_fields_the_deepest_are_left_out_and_the_last_line_says_so() -> None:
    written = docs(tool({"a": deep(4, 7)}))
    assert "      level_2_6: " in written
    assert last_line(written) == "[left out for length: fields more than 3 levels deep]"


def test_of_too_many_parameters_the_last_are_left_out_and_the_last_line_says_so() -> None:
    written = docs(tool({f"parameter_{i}": {"type": "object", "description": "x" * 100} for i in range(300)}))
    shown = written.count("(optional)")
    assert last_line(written) == f"[left out for length: the last {300 - shown} parameters and the fields of all]"
    assert DOCS_CHARACTERS - 1_000 < len(written) <= DOCS_CHARACTERS


def test_a_huge_example_isnt_shown() -> None:
    names = [f"parameter_{i}" for i in range(200)]
    assert "\nExample: too long to be shown\n" in docs(tool(dict.fromkeys(names, TEXT), tuple(names)))


def test_docs_are_bounded_whatever_is_large() -> None:
    names = tuple(f"parameter_{i}" for i in range(300))
    made = tool(
        {name: {**deep(3, 5), "default": "x" * 3_000} for name in names},
        names,
        name="n" * 5_000,
        description="word " * 9_000,
        outputSchema=deep(6, 6),
        annotations={f"hint {i}": "x" * 50 for i in range(100)},
    )
    made = replace(made, decision=Decision(False, "reason " * 900))
    assert len(docs(made)) <= DOCS_CHARACTERS


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
    assert '  a: {"x?": str} (optional) Its own words.\n    x: str (optional)\n' in written
    assert '  b: {"x?": str} (optional) B\'s.\n    the fields of a, above\n' in written


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
    assert "x: str (optional)" in docs(tool({"a": {"type": "object", "properties": {"x": TEXT}, "required": required}}))
