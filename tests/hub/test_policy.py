"""The policy: a test for each line of docs/policy.md's tables, and properties that hold for all rules."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.catalog import build_server
from mcp_hub.hub.policy import Decision, Policy, told_annotations
from mcp_hub.settings import PolicySettings, Rule

FILE = Path("/home/ada/servers.toml")
READ_ONLY = {"readOnlyHint": True}
DESTRUCTIVE = {"readOnlyHint": False, "destructiveHint": True}
HARMLESS = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}


def policy(allow: list[str] | None = None, deny: list[str] | None = None, mode: str = "open") -> Policy:
    settings = PolicySettings.model_validate({"allow": allow or [], "deny": deny or [], "mode": mode})
    return Policy([(FILE, settings)])


def decide(rules: Policy, name: str, annotations: dict[str, Any] | None = None) -> Decision:
    server, _, tool = name.partition(".")
    return rules.decide((server,), (tool,), annotations or {})


@pytest.mark.parametrize(
    ("rule", "fits", "fits_not"),
    [
        ("github.create_issue", ["github.create_issue"], ["github.create_issues", "gitlab.create_issue"]),
        ("github.delete_*", ["github.delete_repo", "github.delete_"], ["github.undelete_repo", "x.delete_repo"]),
        ("github.delete_?", ["github.delete_a"], ["github.delete_ab"]),
        ("github.[ab]*", ["github.a", "github.bx"], ["github.c"]),
        ("*.delete_*", ["github.delete_repo", "files.delete_"], ["github.list"]),
        ("github.*", ["github.anything", "github.a.b"], ["gitlab.anything"]),
    ],
)
def test_a_rule_fits_by_globs_over_both_names(rule: str, fits: list[str], fits_not: list[str]) -> None:
    denying = policy(deny=[rule])
    assert not [name for name in fits if decide(denying, name).allowed]
    assert not [name for name in fits_not if not decide(denying, name).allowed]


@pytest.mark.parametrize("rule", ["my-server.get-item", "my_server.get_item_2", "my-server.get_item_2"])
def test_a_rule_may_use_the_names_that_programs_use(rule: str) -> None:
    names = ("my-server", "my_server"), ("get-item", "get_item_2")
    assert not policy(deny=[rule]).decide(*names, {}).allowed
    assert policy(deny=["my_server.get_item"]).decide(*names, {}).allowed


def test_a_rule_by_the_programs_name_denies_also_when_a_sibling_takes_that_name() -> None:
    rules = policy(deny=["s.get_item"])
    for listed in (["get-item"], ["get-item", "get_item"]):
        tools = build_server("s", "", [{"name": name} for name in listed], policy=rules).tools
        assert not [tool.wire_name for tool in tools.values() if tool.decision.allowed]


def test_a_rule_with_an_annotation_fits_what_has_it() -> None:
    assert not decide(policy(deny=["@destructive"]), "github.x", DESTRUCTIVE).allowed
    assert decide(policy(deny=["@destructive"]), "github.x", READ_ONLY).allowed
    both = policy(deny=["github.*@destructive"])
    assert not decide(both, "github.x", DESTRUCTIVE).allowed
    assert decide(both, "gitlab.x", DESTRUCTIVE).allowed
    assert decide(both, "github.x", READ_ONLY).allowed


@pytest.mark.parametrize(
    ("hints", "told"),
    [
        ({"readOnlyHint": True}, {"readOnly", "openWorld"}),
        ({"readOnlyHint": True, "openWorldHint": False}, {"readOnly"}),
        ({"readOnlyHint": True, "destructiveHint": True, "openWorldHint": False}, {"readOnly"}),
        ({"readOnlyHint": False}, {"destructive", "openWorld"}),
        ({"destructiveHint": True}, {"destructive", "openWorld"}),
        ({"destructiveHint": False}, {"openWorld"}),
        ({"openWorldHint": True}, {"destructive", "openWorld"}),
        ({"openWorldHint": False}, {"destructive"}),
        (HARMLESS, set()),
        ({}, {"unannotated"}),
        ({"title": "Delete", "idempotentHint": True}, {"unannotated"}),
        ({"readOnlyHint": "true", "destructiveHint": None}, {"unannotated"}),
        ({"readOnlyHint": "true", "destructiveHint": False}, {"openWorld"}),
    ],
)
def test_hints_have_the_specifications_defaults(hints: dict[str, Any], told: set[str]) -> None:
    assert told_annotations(hints) == told


@pytest.mark.parametrize(
    ("stronger", "weaker", "name"),
    [
        ("*.delete_repo", "github.delete_*", "github.delete_repo"),
        ("*.delete_*", "github.*", "github.delete_repo"),
        ("github.delete_*", "git*.delete_*", "github.delete_repo"),
        ("git*.delete_*", "*.delete_*", "github.delete_repo"),
        ("github.*@destructive", "github.*", "github.delete_repo"),
        ("github.*", "@destructive", "github.delete_repo"),
        ("*.delete_re*", "*.delete_*", "github.delete_repo"),
        ("github.delete_repo", "*.*", "github.delete_repo"),
    ],
)
def test_the_more_specific_rule_decides_whichever_list_it_is_in(stronger: str, weaker: str, name: str) -> None:
    assert decide(policy(allow=[stronger], deny=[weaker]), name, DESTRUCTIVE).allowed
    assert not decide(policy(allow=[weaker], deny=[stronger]), name, DESTRUCTIVE).allowed


def test_of_two_equally_specific_rules_deny_decides() -> None:
    assert not decide(policy(allow=["github.x"], deny=["github.x"]), "github.x").allowed
    assert not decide(policy(allow=["@readOnly"], deny=["@openWorld"]), "github.x", READ_ONLY).allowed


def test_where_no_rule_fits_the_mode_decides() -> None:
    assert decide(policy(), "github.x").allowed
    read_only = policy(mode="read-only", allow=["github.create_issue"], deny=["github.list_secrets"])
    assert decide(read_only, "github.list", READ_ONLY).allowed
    assert decide(read_only, "github.create_issue", DESTRUCTIVE).allowed
    for name, hints in (("github.x", DESTRUCTIVE), ("github.x", {}), ("github.x", HARMLESS)):
        assert not decide(read_only, name, hints).allowed
    assert not decide(read_only, "github.list_secrets", READ_ONLY).allowed


def test_without_a_policy_everything_is_allowed() -> None:
    assert Policy([]).decide(("a",), ("b",), {}) == Decision(True, "no [policy] is configured.")


def test_every_files_policy_must_allow() -> None:
    users = PolicySettings(deny=(Rule.parse("*.delete_*"),))
    projects = PolicySettings(allow=(Rule.parse("github.delete_repo"),), mode="read-only")
    both = Policy([(FILE, users), (Path("/work/servers.toml"), projects)])
    assert "'*.delete_*' in deny of [policy] in /home/ada/" in decide(both, "github.delete_repo").reason
    assert 'mode is "read-only" in [policy] in /work/' in decide(both, "github.create").reason
    assert decide(both, "github.list", READ_ONLY).allowed


def test_a_decision_tells_the_rule_the_list_and_the_file() -> None:
    rules = policy(allow=["notes.*"], deny=["@destructive"], mode="read-only")
    reasons = [
        decide(rules, "notes.add").reason,
        decide(rules, "files.drop", DESTRUCTIVE).reason,
        decide(rules, "files.touch", HARMLESS).reason,
        decide(rules, "files.read", READ_ONLY).reason,
        decide(policy(), "files.read").reason,
    ]
    assert reasons == snapshot(
        [
            "the rule 'notes.*' in allow of [policy] in /home/ada/servers.toml.",
            "the rule '@destructive' in deny of [policy] in /home/ada/servers.toml.",
            'it isn\'t annotated as read-only, and mode is "read-only" in [policy] in /home/ada/servers.toml; '
            "no allow rule lists it.",
            'it is annotated as read-only, and mode is "read-only" in [policy] in /home/ada/servers.toml.',
            'no rule of [policy] in /home/ada/servers.toml fits it, and mode is "open".',
        ]
    )


def test_rules_that_name_something_and_fit_nothing_are_told() -> None:
    tools = [(("github",), ("list",), READ_ONLY), (("github",), ("drop",), DESTRUCTIVE)]
    rules = policy(
        allow=["github.lst", "github.list"], deny=["gitlab.*", "@unannotated", "*.*", "github.*@unannotated"]
    )
    assert rules.unused(tools) == snapshot(
        [
            "The rule 'github.lst' of [policy] in /home/ada/servers.toml fits no tool.",
            "The rule 'gitlab.*' of [policy] in /home/ada/servers.toml fits no tool.",
            "The rule 'github.*@unannotated' of [policy] in /home/ada/servers.toml fits no tool.",
        ]
    )


NAMES = st.text("abcxyz_", min_size=1, max_size=6)
GLOBS = st.text("abcxyz_*?", min_size=1, max_size=6)
HINTS = st.dictionaries(st.sampled_from(["readOnlyHint", "destructiveHint", "openWorldHint"]), st.booleans())
RULES = st.builds(
    lambda server, tool, annotation: f"{server}.{tool}{annotation}",
    GLOBS,
    GLOBS,
    st.sampled_from(["", "@readOnly", "@destructive", "@openWorld", "@unannotated"]),
)


@given(
    st.lists(RULES, max_size=5),
    st.lists(RULES, max_size=5),
    NAMES,
    NAMES,
    HINTS,
    st.sampled_from(["open", "read-only"]),
)
def test_a_rule_in_full_for_one_tool_always_decides(
    allow: list[str], deny: list[str], server: str, tool: str, hints: dict[str, bool], mode: str
) -> None:
    for annotation in told_annotations(hints):
        exact = f"{server}.{tool}@{annotation}"
        assert not policy(allow, [*deny, exact], mode).decide((server,), (tool,), hints).allowed
        others = [rule for rule in deny if rule.rpartition("@")[0] != f"{server}.{tool}"]
        assert policy([*allow, exact], others, mode).decide((server,), (tool,), hints).allowed


@given(st.lists(RULES, max_size=5), st.lists(RULES, max_size=5), NAMES, NAMES, HINTS)
def test_the_order_of_the_rules_does_not_count(
    allow: list[str], deny: list[str], server: str, tool: str, hints: dict[str, bool]
) -> None:
    forwards = policy(allow, deny).decide((server,), (tool,), hints)
    backwards = policy(allow[::-1], deny[::-1]).decide((server,), (tool,), hints)
    assert forwards.allowed == backwards.allowed


@given(st.lists(RULES, max_size=5), NAMES, NAMES, HINTS)
def test_more_deny_rules_never_allow_more(deny: list[str], server: str, tool: str, hints: dict[str, bool]) -> None:
    for count in range(len(deny)):
        fewer = policy(["a*.*", "*.b*"], deny[:count]).decide((server,), (tool,), hints)
        more = policy(["a*.*", "*.b*"], deny[: count + 1]).decide((server,), (tool,), hints)
        assert fewer.allowed or not more.allowed
