"""Arguments as they stand in a program's text: what is told of them before anything is called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.arguments import PROBLEMS, bind, make_validator, planned_problems, violations
from tests.hub.one_tool import ARGUMENTS, ISSUES, takes, tool


def planned(*args: list[Any], schema: Any = ISSUES, open_ended: bool = False, **kwargs: Any) -> str:
    """What is wrong with a call in a program's text; a constant argument is [value], a computed one []."""
    made = tool(schema)
    return "; ".join(planned_problems(made, make_validator(made), args, kwargs, open_ended=open_ended))


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({}, snapshot("argument 'repo' is missing")),
        ({"repo": [7]}, snapshot("argument repo: expected str, got int 7")),
        ({"repo": [None]}, snapshot("argument repo: expected str, got None")),
        ({"rep": ["a"]}, snapshot("no parameter 'rep' (did you mean 'repo'?)")),
        (
            {"repo": ["a"], "state": ["opened"]},
            snapshot('argument state: expected one of "open", "closed"; got text "opened"'),
        ),
        ({"repo": ["a"], "labels": [["x", 3]]}, snapshot("argument labels[1]: expected str, got int 3")),
        ({"repo": ["a"], "where": [{}]}, snapshot("argument where: field 'by' is missing")),
        (
            {"limt": [], "state": ["opened"], "labels": [7]},
            snapshot(
                "no parameter 'limt' (did you mean 'limit'?); argument 'repo' is missing; argument state: expected "
                'one of "open", "closed"; got text "opened"; argument labels: expected list, got int 7'
            ),
        ),
    ],
)
def test_a_planned_call_is_told_what_is_wrong_with_it(kwargs: dict[str, Any], said: str) -> None:
    assert planned(**kwargs) == said


def test_what_a_program_computes_is_not_judged() -> None:
    assert planned(repo=[], state=[], limit=[], labels=[], where=[]) == ""
    assert planned([], [], [], []) == ""


def test_a_call_that_unpacks_arguments_may_have_all_of_them() -> None:
    assert planned(open_ended=True) == ""
    assert planned(open_ended=True, limit=[0]) == "argument limit: 0 is less than the minimum of 1"


def test_none_for_an_optional_parameter_is_no_problem() -> None:
    assert planned(repo=["a"], state=[None], limit=[None]) == ""


def test_too_many_and_doubly_given_arguments_are_seen_before_the_call() -> None:
    assert planned(["r"], repo=["r"]) == "argument 'repo' is given twice"
    assert planned(*[[]] * 8) == "it takes 7 arguments, 8 were given"


def test_a_planned_call_of_what_cant_be_checked_is_left_to_the_server() -> None:
    for schema in (takes(a={"type": "file"}), takes(a={"$ref": "#/$defs/Gone"}), takes(a={"$ref": "#/properties/a"})):
        assert planned(schema=schema, a=[7]) == ""


def test_of_a_long_constant_the_first_few_problems_are_found() -> None:
    found = planned(repo=["a"], labels=[list(range(1000))])
    assert found.count("expected str") == PROBLEMS + 1


@given(ARGUMENTS, st.data())
def test_a_call_that_would_be_made_is_never_refused_before_it(arguments: dict[str, Any], data: st.DataObject) -> None:
    made = tool(ISSUES)
    validator = make_validator(made)
    assert validator is not None
    computed = data.draw(st.sets(st.sampled_from(sorted(arguments)))) if arguments else set()
    written = {name: [] if name in computed else [value] for name, value in arguments.items()}
    found = planned_problems(made, validator, [], written, open_ended=False)
    try:
        wrong = violations(validator, made, bind(made, [], arguments))
    except CallerError:
        wrong = ["it can't be bound"]
    assert not found or wrong
    if not computed:
        assert bool(found) == bool(wrong)
