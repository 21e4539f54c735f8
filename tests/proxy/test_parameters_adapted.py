"""Parameters: what a pinned model doesn't take is left out or lowered, and nothing else is touched."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy.parameters import Parameters
from mcp_hub.proxy.pricing import usual_name

SHIPPED = Parameters.shipped()
NAMES = sorted(SHIPPED._models)
EDITS: dict[str, Any] = {
    "edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]
}


def adapted(model: str, **request: Any) -> dict[str, Any]:
    """What changes in a request for a model that isn't in the table, when it is pinned to `model`."""
    return SHIPPED.adapted({"model": "anything", "messages": [], **request}, model)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("global.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("claude-opus-4-1@20250805", "claude-opus-4-1"),
        ("claude-opus-4-8@default", "claude-opus-4-8"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("Claude-Opus-5[1m]", "claude-opus-5"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("arn:aws:bedrock:eu-west-1::x/eu.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("gpt-5", "gpt-5"),
        ("", ""),
    ],
)
def test_a_models_name_is_found_in_every_providers_spelling(model: str, name: str) -> None:
    assert usual_name(model) == name


@pytest.mark.parametrize(
    ("model", "thinking", "becomes"),
    [
        ("claude-haiku-4-5", {"type": "adaptive"}, None),
        ("claude-sonnet-4-5", {"type": "between_tools"}, {"type": "disabled"}),
        ("claude-opus-4-8", {"type": "enabled", "budget_tokens": 9_000}, {"type": "adaptive"}),
        (
            "claude-sonnet-5",
            {"type": "enabled", "budget_tokens": 9_000, "display": "omitted"},
            {"type": "adaptive", "display": "omitted"},
        ),
        ("claude-opus-5-5", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", {"type": "disabled"}, {"type": "between_tools"}),
    ],
)
def test_thinking_becomes_what_the_model_takes_or_is_left_out(
    model: str, thinking: dict[str, Any], becomes: dict[str, Any] | None
) -> None:
    assert adapted(model, thinking=thinking) == {"thinking": becomes}


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-haiku-4-5", {"type": "enabled", "budget_tokens": 9_000}),
        ("claude-opus-4-6", {"type": "adaptive"}),
        ("claude-opus-4-6", {"type": "enabled", "budget_tokens": 9_000}),
        ("claude-opus-5", {"type": "disabled"}),
        ("claude-opus-5", {"type": "of another time"}),
        ("claude-opus-5", {"type": []}),
        ("claude-opus-5", "yes"),
    ],
)
def test_thinking_that_the_model_takes_or_that_nobody_knows_is_left_alone(model: str, thinking: Any) -> None:
    assert adapted(model, thinking=thinking) == {}


def test_edits_that_need_thinking_go_with_it() -> None:
    changes = adapted("claude-haiku-4-5", thinking={"type": "adaptive"}, context_management=EDITS)
    assert changes == {"thinking": None, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    only = {"edits": EDITS["edits"][:1]}
    changes = adapted("claude-haiku-4-5", thinking={"type": "adaptive"}, context_management=only)
    assert changes == {"thinking": None, "context_management": None}


def test_edits_stay_where_the_model_still_thinks() -> None:
    changes = adapted("claude-opus-5", thinking={"type": "enabled", "budget_tokens": 9}, context_management=EDITS)
    assert changes == {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("model", "effort", "becomes"),
    [
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-opus-4-6", "max", "max"),
        ("claude-opus-4-5", "max", "high"),
        ("claude-opus-4-5", "low", "low"),
        ("claude-haiku-4-5", "low", None),
        ("claude-opus-5-5", "xhigh", "xhigh"),
        ("claude-haiku-4-5", "utmost", "utmost"),
    ],
)
def test_effort_becomes_the_next_lower_that_the_model_takes(model: str, effort: str, becomes: str | None) -> None:
    changed = {} if becomes == effort else {"output_config": {"effort": becomes} if becomes else None}
    assert adapted(model, output_config={"effort": effort}) == changed


def test_the_form_of_the_output_stays_when_effort_goes() -> None:
    output = {"effort": "high", "format": {"type": "json_schema"}}
    assert adapted("claude-haiku-4-5", output_config=output) == {"output_config": {"format": {"type": "json_schema"}}}


@pytest.mark.parametrize(("effort", "becomes"), [("max", "high"), ("high", "high"), ("low", "low")])
def test_without_thinking_effort_is_bounded_where_the_model_wants_it(effort: str, becomes: str) -> None:
    changes = adapted("claude-haiku-5-5", output_config={"effort": effort}, thinking={"type": "disabled"})
    assert changes == ({} if effort == becomes else {"output_config": {"effort": becomes}})
    assert adapted("claude-haiku-5-5", output_config={"effort": effort}) == {}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("claude-opus-4-7", {"temperature": None, "top_p": None, "top_k": None}),
        ("claude-sonnet-4-5", {"top_p": None}),
        ("claude-sonnet-4", {}),
    ],
)
def test_sampling_that_the_model_doesnt_take_is_left_out(model: str, changes: dict[str, None]) -> None:
    assert adapted(model, temperature=0.5, top_p=0.9, top_k=5) == changes
    assert adapted(model, top_p=0.9) == {name: None for name in changes if name == "top_p" and len(changes) == 3}


def test_more_tokens_than_the_model_can_answer_become_the_most_that_it_can() -> None:
    assert adapted("claude-haiku-4-5", max_tokens=128_000) == {"max_tokens": 64_000}
    assert adapted("claude-haiku-4-5", max_tokens=64_000) == {}
    assert adapted("claude-haiku-4-5", max_tokens="many") == {}


@pytest.mark.parametrize(("budget", "becomes"), [(127_999, 63_999), (64_000, 63_999), (63_999, 63_999), (1_024, 1_024)])
def test_a_thinking_budget_stays_below_the_lowered_tokens(budget: int, becomes: int) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget, "display": "omitted"}
    changes = adapted("claude-haiku-4-5", max_tokens=128_000, thinking=thinking)
    assert {**thinking, **(changes.get("thinking") or {})} == {**thinking, "budget_tokens": becomes}


FULL: dict[str, Any] = {
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "max"},
    "temperature": 1,
    "max_tokens": 10**6,
}


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5"])
def test_a_request_that_was_written_for_the_model_is_left_alone(model: str) -> None:
    assert SHIPPED.adapted({**FULL, "model": model}, "claude-haiku-4-5-20251001") == {}


@pytest.mark.parametrize("model", ["claude-opus-9", "my-model", "claude-3-haiku-20240307"])
def test_a_model_that_isnt_in_the_table_gets_everything_as_it_is(model: str) -> None:
    assert adapted(model, **FULL) == {}


def test_what_an_answer_is_for_is_never_touched() -> None:
    for model in NAMES:
        changes = adapted(model, tool_choice={"type": "any"}, stop_sequences=["x"], tools=[{}], **FULL)
        assert changes.keys() <= {"thinking", "output_config", "temperature", "max_tokens"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
requests = st.fixed_dictionaries(
    {"model": st.just("anything")},
    optional={
        "thinking": st.sampled_from([{"type": t} for t in ("adaptive", "disabled", "between_tools")])
        | st.builds(lambda budget: {"type": "enabled", "budget_tokens": budget}, st.integers(1, 200_000))
        | json_values,
        "output_config": st.builds(lambda e: {"effort": e}, st.sampled_from(["low", "high", "xhigh", "max"]))
        | json_values,
        "context_management": st.just(EDITS) | json_values,
        "max_tokens": st.integers(1, 200_000) | json_values,
        "temperature": json_values,
        "top_p": json_values,
    },
)


@given(requests, st.sampled_from(NAMES))
def test_any_request_can_be_adapted_and_then_needs_no_more(request: Mapping[str, Any], model: str) -> None:
    changes = SHIPPED.adapted(request, model)
    removed = {name for name, value in changes.items() if value is None}
    after = {name: value for name, value in {**request, **changes}.items() if name not in removed}
    assert SHIPPED.adapted(after, model) == {}


EFFORT_ALONE = {"role": "system", "content": [], "output_config": {"effort": "low"}}
REMINDER = {"role": "system", "content": "Be brief.", "output_config": {"effort": "low"}}
ASKED = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("model", "messages"),
    [
        ("claude-sonnet-5-5", [ASKED, EFFORT_ALONE, REMINDER, ASKED]),
        ("claude-sonnet-5", [ASKED, {"role": "system", "content": "Be brief."}, ASKED]),
        ("claude-sonnet-4-6", [ASKED, {"role": "user", "content": "Be brief."}, ASKED]),
    ],
)
def test_system_messages_and_their_effort_become_what_the_model_takes(model: str, messages: list[Any]) -> None:
    request = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [ASKED, EFFORT_ALONE, REMINDER, ASKED]}
    adapted = {**request, **Parameters.shipped().adapted(request, model)}
    assert adapted["messages"] == messages


def test_progress_updates_are_left_to_the_model_where_it_has_none() -> None:
    thinking = {"type": "adaptive", "display": "updates"}
    request = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [ASKED], "thinking": thinking}
    assert "thinking" not in Parameters.shipped().adapted(request, "claude-sonnet-5-5")
    assert Parameters.shipped().adapted(request, "claude-sonnet-4-6")["thinking"] == {"type": "adaptive"}
