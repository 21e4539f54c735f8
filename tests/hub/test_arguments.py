"""A call's arguments: bound to the server's names, and checked against the tool's schema."""

from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from inline_snapshot import snapshot
from jsonschema import Draft202012Validator

from mcp_hub.errors import CallerError
from mcp_hub.hub.arguments import PROBLEMS, bind, make_validator, violations
from tests.hub.one_tool import ARGUMENTS, ISSUES, TEXT, Hub, problems_in, takes, tool

# Binding


@pytest.mark.parametrize(
    ("args", "kwargs", "bound"),
    [
        ([], {}, {}),
        (["r"], {}, {"repo": "r"}),
        (["r", "open"], {}, {"repo": "r", "state": "open"}),
        (["r"], {"state": "open"}, {"repo": "r", "state": "open"}),
        ([], {"start_time": "t"}, {"start-time": "t"}),
        ([], {"start-time": "t"}, {"start-time": "t"}),
        ([], {"from_": "t"}, {"from": "t"}),
        ([], {"from": "t"}, {"from": "t"}),
        ([], {"labels": [], "limit": 0, "state": ""}, {"labels": [], "limit": 0, "state": ""}),
    ],
)
def test_arguments_go_by_position_in_the_signatures_order_or_by_either_name(
    args: list[Any], kwargs: dict[str, Any], bound: dict[str, Any]
) -> None:
    assert bind(tool(ISSUES), args, kwargs) == bound


def test_parameters_whose_names_collide_are_told_apart_by_their_spellings() -> None:
    colliding = tool(takes(**{"a-b": TEXT, "a_b": TEXT, "a.b": TEXT}))
    assert bind(colliding, [], {"a_b": 1, "a_b_2": 2, "a_b_3": 3}) == {"a_b": 1, "a-b": 2, "a.b": 3}


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ([], {"repos": "r"}, snapshot("no parameter 'repos' (did you mean 'repo'?)")),
        ([], {"zzz": "r"}, snapshot("no parameter 'zzz'")),
        (
            [],
            {"stat": "open", "limits": 3},
            snapshot("no parameter 'stat' (did you mean 'state'?); no parameter 'limits' (did you mean 'limit'?)"),
        ),
        (["r"], {"repo": "r"}, snapshot("argument 'repo' is given twice")),
        ([], {"from_": "a", "from": "b"}, snapshot("argument 'from' is given twice")),
        (list("abcdefgh"), {}, snapshot("it takes 7 arguments, 8 were given")),
    ],
)
def test_an_argument_that_fits_no_parameter_is_told_with_the_nearest(
    args: list[Any], kwargs: dict[str, Any], said: str
) -> None:
    with pytest.raises(CallerError) as caught:
        bind(tool(ISSUES), args, kwargs)
    assert problems_in(caught.value.text) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "it takes 0 arguments, 3 were given"), (1, "it takes 1 argument, 3 were given")],
)
def test_too_many_positional_arguments_are_counted(count: int, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        bind(tool(takes(**{f"p{i}": TEXT for i in range(count)})), [1, 2, 3], {})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": True},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "patternProperties": {"^x": TEXT}},
        {"type": "object"},
        {},
    ],
)
def test_a_tool_that_takes_more_gets_any_argument_under_the_name_as_written(schema: dict[str, Any]) -> None:
    assert bind(tool(schema), [], {"x-any": "1"}) == {"x-any": "1"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": False},
        {"type": "object", "properties": {"a": TEXT}},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
    ],
)
def test_any_other_tool_takes_what_its_signature_shows(schema: dict[str, Any]) -> None:
    with pytest.raises(CallerError, match="no parameter 'x'"):
        bind(tool(schema), [], {"x": "1"})


# None


@pytest.mark.parametrize(
    "schema",
    [
        TEXT,
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"properties": {"a": TEXT}},
        {"enum": ["None", "All"]},
        {"const": "None"},
        {"type": ["string", "integer"]},
        {"anyOf": [TEXT, {"type": "array", "items": {"type": "null"}}]},
        {"$ref": "#/$defs/Text"},
        {"$ref": "#/properties/a"},
    ],
)
def test_none_for_an_optional_parameter_that_takes_no_null_means_not_given(schema: Any) -> None:
    made = tool({**takes(a=schema), "$defs": {"Text": TEXT}})
    assert bind(made, [], {"a": None}) == {}
    assert bind(made, [None], {}) == {}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "null"},
        {"type": ["string", "null"]},
        {"type": "string", "nullable": True},
        {"allOf": [{"$ref": "#/$defs/Maybe"}], "nullable": True},
        {"anyOf": [TEXT, {"type": "null"}]},
        {"oneOf": [TEXT, {}]},
        {"enum": ["a", None]},
        {"const": None},
        {"$ref": "#/$defs/Maybe"},
        {"anyOf": [TEXT, {"$ref": "#/$defs/Maybe"}]},
    ],
)
def test_none_for_a_parameter_that_takes_null_is_null(schema: Any) -> None:
    made = tool({**takes(a=schema), "$defs": {"Maybe": {"type": ["integer", "null"]}}})
    assert bind(made, [], {"a": None}) == {"a": None}


def test_references_that_branch_without_end_are_followed_once() -> None:
    chain = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    made = tool({**takes(a={"$ref": "#/$defs/d0"}), "$defs": {**chain, "d40": TEXT}})
    assert bind(made, [], {"a": None}) == {}


@pytest.mark.anyio
async def test_none_for_a_required_parameter_is_refused_as_what_it_is() -> None:
    assert await Hub().problems(repo=None) == "argument repo: expected str, got None"


@pytest.mark.anyio
async def test_none_inside_a_value_is_left_where_it_is() -> None:
    hub = Hub(takes(a={"type": "object"}))
    assert await hub.sent(a={"b": None}) == {"a": {"b": None}}


# Checking


@pytest.mark.anyio
async def test_a_refusal_names_the_tool_what_is_wrong_and_its_signature() -> None:
    hub = Hub({**takes(repo=TEXT, limit={"type": "integer"}), "required": ["repo"]})
    assert await hub.refused(limit="10") == snapshot(
        "my_hub.list_issues was not called: argument 'repo' is missing; argument limit: expected int, "
        'got text "10". It is: def list_issues(repo: str, *, limit: int = None) -> Any'
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({}, snapshot("argument 'repo' is missing")),
        ({"repo": 7}, snapshot("argument repo: expected str, got int 7")),
        ({"repo": True}, snapshot("argument repo: expected str, got bool true")),
        (
            {"repo": ["a"]},
            snapshot(
                'argument repo: expected str, got a list ["a"]; if a tool gave it as text, '
                "json.dumps(value) writes it again"
            ),
        ),
        (
            {"repo": "a", "state": "opened"},
            snapshot('argument state: expected one of "open", "closed"; got text "opened"'),
        ),
        ({"repo": "a", "limit": 0}, snapshot("argument limit: 0 is less than the minimum of 1")),
        ({"repo": "a", "limit": "10"}, snapshot('argument limit: expected int, got text "10"')),
        ({"repo": "a", "labels": ["x", 3]}, snapshot("argument labels[1]: expected str, got int 3")),
        ({"repo": "a", "where": {}}, snapshot("argument where: field 'by' is missing")),
        (
            {"repo": "a", "where": {"by": "x", "and": "y"}},
            snapshot("argument where: Additional properties are not allowed ('and' was unexpected)"),
        ),
        ({"repo": "a", "from_": 7}, snapshot("argument from_: expected str | None, got int 7")),
        (
            {"repo": "a", "start_time": {"a": "long " * 100}},
            snapshot(
                "argument start_time: expected str, got an object "
                '{"a": "long long long long long long long long long long...'
                "; if a tool gave it as text, json.dumps(value) writes it again"
            ),
        ),
        (
            {"state": "opened", "limit": 1000},
            snapshot(
                "argument 'repo' is missing; argument limit: 1000 is greater than the maximum of 100; "
                'argument state: expected one of "open", "closed"; got text "opened"'
            ),
        ),
    ],
)
async def test_a_wrong_argument_is_told_with_what_was_expected_and_what_came(kwargs: dict[str, Any], said: str) -> None:
    assert await Hub().problems(**kwargs) == said


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 40 + "!"),
        ({"type": "object", "patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 40 + "!": 1}),
        ({"type": "array", "uniqueItems": True}, [{"n": n} for n in range(5000)]),
    ],
)
async def test_what_takes_unbounded_time_to_check_is_left_to_the_server(schema: Any, value: Any) -> None:
    hub = Hub(takes(given=schema))
    with anyio.fail_after(20):
        assert await hub.sent(given=value) == {"given": value}


@pytest.mark.anyio
async def test_a_long_list_of_wrong_values_is_told_by_its_first_few() -> None:
    hub = Hub(takes(ids={"type": "array", "items": TEXT}))
    with anyio.fail_after(20):
        assert "(and more)" in await hub.refused(ids=list(range(100_000)))


@pytest.mark.anyio
async def test_of_many_problems_the_first_few_are_told_and_the_rest_counted() -> None:
    hub = Hub(takes(**{f"p{i}": TEXT for i in range(PROBLEMS + 3)}))
    said = await hub.refused(**{f"p{i}": i for i in range(PROBLEMS + 3)})
    assert said.count("expected str") == PROBLEMS
    assert "(and more)" in said


@pytest.mark.anyio
async def test_a_long_enum_is_told_up_to_thirty_values() -> None:
    hub = Hub(takes(a={"enum": [f"v{i}" for i in range(40)]}))
    said = await hub.problems(a="x")
    assert '"v29"' in said
    assert '"v30"' not in said


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"$ref": "#/$defs/Id"}, 7, "7"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None, "7"),
        ({"type": "string", "maxLength": 2}, "aa", "aaa"),
        ({"type": "array", "minItems": 1}, [1, 2], []),
        ({"const": "x"}, "x", "y"),
        ({"type": "integer"}, 3.0, 3.5),
        ({"type": "number"}, 3, True),
        ({"type": "object", "properties": {"in": {"$ref": "#/properties/a"}}}, {"in": {"in": {}}}, {"in": {"in": 1}}),
        ({"type": "object", "minProperties": 1}, {"x": 1}, {}),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}]}, 3, 2),
    ],
)
async def test_arguments_are_checked_against_the_whole_schema(schema: Any, good: Any, bad: Any) -> None:
    whole = {**takes(a=schema), "required": ["a"], "$defs": {"Id": {"type": "integer"}}}
    assert await Hub(whole).sent(a=good) == {"a": good}
    assert "argument a" in await Hub(whole).refused(a=bad)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("schema", "kwargs", "said"),
    [
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            snapshot("argument 'a' is missing or argument 'b' is missing"),
        ),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": "x", "b": "x"},
            snapshot("{'a': 'x', 'b': 'x'} is valid under each of {'required': ['b']}, {'required': ['a']}"),
        ),
        ({"minProperties": 1}, {}, snapshot("{} should be non-empty")),
        ({"dependentRequired": {"a": ["b"]}}, {"a": "x"}, snapshot("'b' is a dependency of 'a'")),
        (
            {"not": {"required": ["a"]}},
            {"a": "x"},
            snapshot("{'a': 'x'} should not be valid under {'required': ['a']}"),
        ),
    ],
)
async def test_a_check_of_all_arguments_together_is_told_too(
    schema: dict[str, Any], kwargs: dict[str, Any], said: str
) -> None:
    assert await Hub({**takes(a=TEXT, b=TEXT), **schema}).problems(**kwargs) == said


@pytest.mark.anyio
@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"$schema": "https://example.com/own"},
        {"$id": "https://example.com/tool.json"},
    ],
)
async def test_any_declared_dialect_is_checked(schema: dict[str, Any]) -> None:
    whole = {**schema, **takes(a={"$ref": "#/$defs/Id"}), "$defs": {"Id": {"type": "integer"}}}
    assert await Hub(whole).sent(a=1) == {"a": 1}
    assert "expected int, got text" in await Hub(whole).refused(a="x")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "schema",
    [
        takes(a={"type": "file"}),
        takes(a={"type": "string", "minLength": "three"}),
        takes(a={"type": "string", "pattern": "[unclosed"}),
        takes(a={"$ref": "#/$defs/Gone"}),
        takes(a={"$ref": "https://example.com/schema.json"}),
        takes(a={"$ref": "#/properties/a"}),
        {**takes(a={"$ref": "#/x"}), "x": {"minimum": "three"}},
        {**takes(a={"$ref": "#/x"}), "x": {"type": 3}},
        {**takes(a=TEXT), "$schema": []},
        {**takes(a=TEXT), "$schema": 7},
        {**takes(a=TEXT), "$schema": "http://["},
        {**takes(a=TEXT), "required": "a"},
    ],
)
async def test_a_schema_that_cant_be_checked_leaves_the_checking_to_the_server(schema: dict[str, Any]) -> None:
    assert await Hub(schema).sent(a=7) == {"a": 7}


@pytest.mark.anyio
async def test_a_reference_to_elsewhere_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Any] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda request, *_: fetched.append(request))
    await Hub(takes(a={"$ref": "https://example.com/schema.json"})).sent(a=7)
    assert fetched == []


@pytest.mark.anyio
@pytest.mark.parametrize("value", [10**400, "x" * 100_000, "\u2028", {"a": [[[[1]]]]}])
async def test_a_refusal_stays_short_and_on_one_line_whatever_came(value: Any) -> None:
    said = await Hub(takes(a={"type": "boolean"})).refused(a=value)
    assert len(said) < 400
    assert len(said.splitlines()) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("schema", [{"enum": ["n" * 50_000, "b"]}, {"required": ["n" * 50_000], "type": "object"}])
async def test_a_refusal_stays_short_whatever_the_schema_names(schema: dict[str, Any]) -> None:
    assert len(await Hub(takes(a=schema)).refused(a={})) < 1_000


@given(ARGUMENTS)
def test_a_server_only_gets_what_its_own_schema_accepts(arguments: dict[str, Any]) -> None:
    hub = Hub()
    with suppress(CallerError):
        anyio.run(partial(hub.call, **arguments))
    assert all(Draft202012Validator(ISSUES).is_valid(sent) for _, _, sent in hub.downstreams.called)


@pytest.mark.parametrize("beside", [TEXT, {"enum": ["x"]}, {"const": "x"}, {"allOf": [TEXT]}, {"anyOf": [TEXT]}])
def test_null_fits_where_openapis_nullable_says_so_and_nowhere_else(beside: dict[str, Any]) -> None:
    made = tool({**takes(a={**beside, "nullable": True}, b=TEXT), "required": ["a", "b"]})
    validator = make_validator(made)
    assert validator is not None
    assert violations(validator, made, {"a": None, "b": "x"}) == []
    assert len(violations(validator, made, {"a": 1, "b": "x"})) == 1
    assert len(violations(validator, made, {"a": None, "b": None})) == 1


@pytest.mark.anyio
async def test_a_schema_that_branches_without_end_leaves_the_value_to_the_server() -> None:
    node = {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/$defs/Node"}] * 2}}, "required": ["a"]}
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"a": value}
    hub = Hub({**takes(node={"$ref": "#/$defs/Node"}), "$defs": {"Node": node}})
    with anyio.fail_after(20):
        assert await hub.sent(node=value) == {"node": value}


@pytest.mark.parametrize(
    ("schema", "bound"),
    [
        ({"allOf": [{"$ref": "#/$defs/Text"}], "default": "x"}, {}),
        ({"allOf": [{"type": ["string", "null"]}, {"type": ["string", "null"], "maxLength": 3}]}, {"a": None}),
        ({"allOf": [TEXT], "nullable": True}, {"a": None}),
    ],
)
def test_none_for_a_parameter_of_several_schemas_is_null_where_all_of_them_take_it(
    schema: dict[str, Any], bound: dict[str, Any]
) -> None:
    assert bind(tool({**takes(a=schema), "$defs": {"Text": TEXT}}), [], {"a": None}) == bound
