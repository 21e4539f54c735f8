"""The settings: rules of the policy, tokens, what makes a running server another one."""

import pytest
from inline_snapshot import snapshot
from pydantic import ValidationError

from mcp_hub.settings import HubSettings, PolicySettings, Rule, ServerSettings


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("github.delete_*", ("github", "delete_*", None)),
        ("github.a.b", ("github", "a.b", None)),
        ("@destructive", ("*", "*", "destructive")),
        ("github.*@readOnly", ("github", "*", "readOnly")),
    ],
)
def test_a_rule_is_read_into_its_parts(text: str, parts: tuple[str, str, str | None]) -> None:
    rule = Rule.parse(text)
    assert (rule.server, rule.tool, rule.annotation, rule.text) == (*parts, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "github",
            snapshot("'github' must be SERVER.TOOL, such as 'github.*', or an annotation, such as '@destructive'"),
        ),
        ("*", snapshot("'*' must be SERVER.TOOL, such as '*.*', or an annotation, such as '@destructive'")),
        (".x", snapshot("'.x' must be SERVER.TOOL, such as 'x.*', or an annotation, such as '@destructive'")),
        (
            "github.",
            snapshot("'github.' must be SERVER.TOOL, such as 'github.*', or an annotation, such as '@destructive'"),
        ),
        ("", snapshot("'' must be SERVER.TOOL, such as 'github.delete_*', or an annotation, such as '@destructive'")),
        ("@destructiv", snapshot("'@destructiv': there is no annotation 'destructiv'; did you mean '@destructive'?")),
        (
            "github.*@",
            snapshot(
                "'github.*@': there is no annotation ''; known are @readOnly, @destructive, @openWorld, @unannotated"
            ),
        ),
        (
            "github.*@writes",
            snapshot(
                "'github.*@writes': there is no annotation 'writes'; "
                "known are @readOnly, @destructive, @openWorld, @unannotated"
            ),
        ),
    ],
)
def test_what_is_no_rule_is_told_with_a_form_that_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"must be|no annotation") as caught:
        Rule.parse(text)
    assert str(caught.value) == said


def test_a_rule_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError):
        PolicySettings.model_validate({"deny": [3]})


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"description": "x"}, True),
        ({"tools": {"deny": ["a"]}}, True),
        ({"timeout": 5}, False),
        ({"env": {"A": "1"}}, False),
        ({"idle_stop": 5}, True),
        ({"command": ["y"]}, False),
    ],
)
def test_a_server_is_another_one_when_more_differs_than_an_agent_reads(change: dict[str, object], same: bool) -> None:
    before = ServerSettings.model_validate({"command": ["x"]})
    assert before.same_connection(ServerSettings.model_validate({"command": ["x"], **change})) is same


def test_a_token_is_in_no_representation() -> None:
    hub = HubSettings.model_validate({"http": {"tokens": {"ada": "a-secret-of-hers"}}})
    assert "a-secret-of-hers" not in repr(hub)
