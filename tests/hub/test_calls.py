"""One call's way: names looked up, arguments bound and checked, the server called, the answer converted."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import mcp_types as types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from jsonschema import Draft202012Validator

from mcp_hub.errors import CallerError, DeniedError, DownstreamError, ToolError
from mcp_hub.hub.calls import PROBLEMS, Calls, bind
from mcp_hub.hub.catalog import UNRESTRICTED, LiveCatalog, Tool, build_server
from mcp_hub.hub.downstream import Downstreams
from mcp_hub.hub.policy import Policy
from mcp_hub.hub.session import Progress
from mcp_hub.settings import PolicySettings, ServerSettings

TEXT = {"type": "string"}
ISSUES = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "enum": ["open", "closed"]},
        "repo": TEXT,
        "start-time": TEXT,
        "from": {"anyOf": [TEXT, {"type": "null"}]},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        "labels": {"type": "array", "items": TEXT},
        "where": {"type": "object", "properties": {"by": TEXT}, "required": ["by"], "additionalProperties": False},
    },
    "required": ["repo"],
}


class Recorder:
    """Stands in for the downstream servers: keeps what was called and gives one answer to all."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str, dict[str, Any]]] = []
        self.progress: list[Progress | None] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.answer: types.CallToolResult | DownstreamError = types.CallToolResult(content=[])

    async def call(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any],
        on_progress: Progress | None,
        check: Callable[[], None],
    ) -> types.CallToolResult:
        self.meanwhile()
        check()
        self.called.append((server, tool, arguments))
        self.progress.append(on_progress)
        if isinstance(self.answer, DownstreamError):
            raise self.answer
        return self.answer


class Hub:
    """Calls over one server, `my-hub`, with one tool, `list-issues`, that takes what `schema` says."""

    def __init__(self, schema: Mapping[str, Any] = ISSUES) -> None:
        self.live = LiveCatalog({"my-hub": ServerSettings(url="http://h")}, UNRESTRICTED)
        self.downstreams = Recorder()
        self.calls = Calls(lambda: self.live.snapshot, cast(Downstreams, self.downstreams))
        self.takes(schema)

    def takes(self, schema: Mapping[str, Any]) -> None:
        self.live.put("my-hub", [{"name": "list-issues", "inputSchema": schema}])

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        return await self.calls.call("my_hub", "list_issues", list(args), kwargs)

    async def sent(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments that the server gets for a call."""
        await self.call(*args, **kwargs)
        return self.downstreams.called[-1][2]

    async def refused(self, *args: Any, **kwargs: Any) -> str:
        """What a program is told whose call doesn't leave."""
        with pytest.raises(CallerError) as caught:
            await self.call(*args, **kwargs)
        assert self.downstreams.called == []
        return caught.value.text

    async def problems(self, *args: Any, **kwargs: Any) -> str:
        """Of that, what is wrong: without the tool's name before and its signature after."""
        return problems_in(await self.refused(*args, **kwargs))


def problems_in(said: str) -> str:
    return said.partition(" was not called: ")[2].partition(". It is: ")[0]


def tool(schema: Mapping[str, Any]) -> Tool:
    return build_server("s", "", [{"name": "t", "inputSchema": schema}]).tools["t"]


def takes(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


# The way of a call


@pytest.mark.anyio
async def test_what_the_policy_denies_by_the_time_of_sending_is_not_sent() -> None:
    hub = Hub()
    rules = PolicySettings(mode="read-only")
    hub.live.configure(hub.live.settings, Policy([(Path("/servers.toml"), rules)]))
    tool = {"name": "list-issues", "inputSchema": ISSUES}
    hub.live.put("my-hub", [{**tool, "annotations": {"readOnlyHint": True}}])

    def another_list_arrives() -> None:
        hub.live.put("my-hub", [{**tool, "annotations": {"readOnlyHint": False}}])

    hub.downstreams.meanwhile = another_list_arrives
    with pytest.raises(DeniedError, match=r"my_hub\.list_issues was not called, because the policy denies it"):
        await hub.call(repo="a")
    assert hub.downstreams.called == []


@pytest.mark.anyio
@pytest.mark.parametrize("names", [[], ["list_issues", "list-issues"]])
async def test_a_tool_that_has_gone_or_become_another_by_the_time_of_sending_is_not_called(names: list[str]) -> None:
    hub = Hub()

    def another_list_arrives() -> None:
        hub.live.put("my-hub", [{"name": name, "inputSchema": ISSUES} for name in names])

    hub.downstreams.meanwhile = another_list_arrives
    with pytest.raises(CallerError):
        await hub.call(repo="a")
    assert hub.downstreams.called == []


@pytest.mark.anyio
async def test_a_call_reaches_the_server_under_its_own_names() -> None:
    hub = Hub()
    await hub.call(repo="a", start_time="now", from_="b")
    assert hub.downstreams.called == [("my-hub", "list-issues", {"repo": "a", "start-time": "now", "from": "b"})]


@pytest.mark.anyio
async def test_progress_is_passed_along() -> None:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None: ...

    hub = Hub()
    await hub.calls.call("my_hub", "list_issues", [], {"repo": "a"}, on_progress)
    assert hub.downstreams.progress == [on_progress]


@pytest.mark.anyio
async def test_the_answer_comes_as_a_value() -> None:
    hub = Hub()
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text='[{"id": 1}]')])
    assert await hub.call(repo="a") == [{"id": 1}]
    hub.downstreams.answer = types.CallToolResult(content=[], structured_content={"result": "42"})
    assert await hub.call(repo="a") == "42"


@pytest.mark.anyio
async def test_a_tool_that_says_it_failed_is_an_error_in_its_own_words() -> None:
    hub = Hub()
    hub.downstreams.answer = types.CallToolResult(content=[types.TextContent(text="no such repo")], is_error=True)
    with pytest.raises(ToolError) as caught:
        await hub.call(repo="a")
    assert caught.value.text == "my_hub.list_issues failed: no such repo"


@pytest.mark.anyio
async def test_a_server_that_fails_is_an_error_as_it_is() -> None:
    hub = Hub()
    hub.downstreams.answer = DownstreamError("my-hub", "exited with status 1.")
    with pytest.raises(DownstreamError) as caught:
        await hub.call(repo="a")
    assert caught.value is hub.downstreams.answer


@pytest.mark.anyio
async def test_an_unknown_server_or_tool_is_told_with_the_nearest() -> None:
    hub = Hub()
    with pytest.raises(CallerError, match="Did you mean 'my_hub'"):
        await hub.calls.call("my_hubb", "list_issues", [], {})
    with pytest.raises(CallerError, match="Did you mean 'list_issues'"):
        await hub.calls.call("my_hub", "list_isues", [], {})
    assert hub.downstreams.called == []


@pytest.mark.anyio
async def test_a_changed_schema_is_checked_from_the_next_call_on() -> None:
    hub = Hub(takes(a={"type": "integer"}))
    await hub.call(a=1)
    hub.takes(takes(a={"type": "string"}))
    await hub.call(a="x")
    with pytest.raises(CallerError, match="expected str, got int 1"):
        await hub.call(a=1)


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
        {"type": "string", "nullable": True},
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
        ({"repo": ["a"]}, snapshot('argument repo: expected str, got a list ["a"]')),
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


ARGUMENTS = st.dictionaries(
    st.sampled_from(["repo", "state", "start_time", "from_", "from", "limit", "labels", "where", "other"]),
    st.none()
    | st.booleans()
    | st.integers(-1, 101)
    | st.sampled_from(["open", "text", [], ["a"], ["a", 1], {}, {"by": "x"}, {"by": None}]),
)


@given(ARGUMENTS)
@settings(deadline=None)
def test_a_server_only_gets_what_its_own_schema_accepts(arguments: dict[str, Any]) -> None:
    hub = Hub()
    with suppress(CallerError):
        anyio.run(partial(hub.call, **arguments))
    assert all(Draft202012Validator(ISSUES).is_valid(sent) for _, _, sent in hub.downstreams.called)
