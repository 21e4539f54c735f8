"""Pins: which rule decides, which upstream a spelling selects, and what a key may not have."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.proxy.keys import KeyRecord
from mcp_hub.proxy.pins import ModelNotAllowedError, Pins, Route
from mcp_hub.proxy_settings import PinSettings

UPSTREAMS = ("anthropic", "bedrock", "vertex")
OPUS, SONNET, HAIKU = "claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5"


def pins(*rules: Mapping[str, Any]) -> Pins:
    return Pins([PinSettings.model_validate(rule) for rule in rules], UPSTREAMS)


def key(name: str = "ci", team: str = "web", upstream: str | None = None, allowed: tuple[str, ...] = ()) -> KeyRecord:
    return KeyRecord(name, "digest", team=team, upstream=upstream, allowed_models=allowed)


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        (OPUS, Route(OPUS, "anthropic")),
        ("anthropic/claude-opus-4-7", Route(OPUS, "anthropic")),
        (
            "bedrock/global.anthropic.claude-sonnet-4-6",
            Route("global.anthropic.claude-sonnet-4-6", "bedrock"),
        ),
        ("vertex/claude-opus-4-1@20250805", Route("claude-opus-4-1@20250805", "vertex")),
        ("bedrock/arn:aws:bedrock:x/y", Route("arn:aws:bedrock:x/y", "bedrock")),
        ("meta-llama/llama-4", Route("meta-llama/llama-4", "anthropic")),
        ("bedrock/", Route("bedrock/", "anthropic")),
        ("/x", Route("/x", "anthropic")),
    ],
)
def test_without_pins_a_model_is_itself_at_the_upstream_before_its_name(asked: str, route: Route) -> None:
    assert pins().resolve(asked, None)[0] == route


@pytest.mark.parametrize(
    ("asked", "who", "model"),
    [
        (OPUS, None, SONNET),
        (OPUS, key("other", "other"), SONNET),
        (OPUS, key("other", "web"), HAIKU),
        (OPUS, key("ci", "web"), OPUS),
        (HAIKU, key("ci", "web"), HAIKU),
        (OPUS, key("", ""), SONNET),
    ],
)
def test_a_pin_for_the_key_goes_before_its_teams_and_this_before_one_for_all(
    asked: str, who: KeyRecord | None, model: str
) -> None:
    rules = pins(
        {"when": "claude-opus-*", "model": SONNET},
        {"when": "claude-opus-*", "model": HAIKU, "team": "web"},
        {"when": "*", "upstream": "bedrock", "key": "ci"},
    )
    assert rules.resolve(asked, who)[0].model == model


def test_in_a_scope_the_first_that_fits_decides_and_leads_nowhere_further() -> None:
    rules = pins(
        {"when": "claude-opus-*", "model": SONNET},
        {"when": "claude-*", "model": HAIKU},
        {"when": SONNET, "model": "other"},
    )
    assert rules.resolve(OPUS, None)[0].model == SONNET
    assert rules.resolve("claude-sonnet-5", None)[0].model == HAIKU


@pytest.mark.parametrize("asked", [OPUS, f"anthropic/{OPUS}", f"bedrock/{OPUS}", "Claude-OPUS-4-7", f"vertex/{OPUS}"])
def test_no_spelling_gets_around_a_pin(asked: str) -> None:
    assert pins({"when": "claude-opus-*", "model": SONNET}).resolve(asked, None)[0] == Route(SONNET, "anthropic")


@pytest.mark.parametrize(
    ("pin", "route"),
    [
        ({"upstream": "vertex"}, Route(OPUS, "vertex")),
        ({"model": SONNET}, Route(SONNET, "anthropic")),
        ({"model": f"vertex/{SONNET}"}, Route(SONNET, "vertex")),
        ({"model": f"anthropic/{SONNET}", "upstream": "vertex"}, Route(f"anthropic/{SONNET}", "vertex")),
    ],
)
def test_a_pin_says_where_its_model_is(pin: dict[str, str], route: Route) -> None:
    assert pins({"when": "*", **pin}).resolve(f"bedrock/{OPUS}", None)[0] == route


def test_a_keys_own_upstream_is_asked_unless_a_pin_says_otherwise() -> None:
    own = key(upstream="bedrock")
    assert pins().resolve(OPUS, own)[0] == Route(OPUS, "bedrock")
    assert pins().resolve(f"bedrock/{OPUS}", own)[0] == Route(OPUS, "bedrock")
    assert pins({"when": "*", "model": SONNET}).resolve(OPUS, own)[0] == Route(SONNET, "bedrock")
    assert pins({"when": "*", "upstream": "vertex"}).resolve(OPUS, own)[0] == Route(OPUS, "vertex")


def test_a_key_of_one_upstream_cant_spell_its_way_to_another() -> None:
    with pytest.raises(ModelNotAllowedError) as caught:
        pins().resolve("vertex/claude-opus-4-7", key(upstream="bedrock"))
    assert caught.value.text == snapshot(
        "The model 'vertex/claude-opus-4-7' is of the upstream 'vertex'. The key 'ci' is for models of 'bedrock' only; "
        "ask for one of these, without an upstream's name before it."
    )


@pytest.mark.parametrize("allowed", ["claude-sonnet-*", "CLAUDE-SONNET-4-6", "anthropic/*", "*sonnet*"])
def test_what_a_pin_leads_to_is_what_must_be_allowed(allowed: str) -> None:
    rules = pins({"when": "claude-opus-*", "model": SONNET})
    assert rules.resolve(OPUS, key(allowed=("other", allowed)))[0] == Route(SONNET, "anthropic")


def test_a_model_that_isnt_allowed_is_refused_with_those_that_are() -> None:
    with pytest.raises(ModelNotAllowedError) as caught:
        pins().resolve(OPUS, key(allowed=("claude-sonnet-*", "claude-haiku-*")))
    assert caught.value.text == snapshot(
        "The model 'claude-opus-4-7' isn't allowed for the key 'ci'. Allowed: claude-sonnet-*, claude-haiku-*."
    )


def test_a_pin_to_a_model_that_isnt_allowed_is_told() -> None:
    with pytest.raises(ModelNotAllowedError) as caught:
        pins({"when": "*", "model": SONNET}).resolve(OPUS, key(allowed=("claude-haiku-*",)))
    assert caught.value.text == snapshot(
        "The model 'claude-sonnet-4-6', which 'claude-opus-4-7' is pinned to, isn't allowed for the key 'ci'. Allowed: "
        "claude-haiku-*."
    )


@pytest.mark.parametrize(
    ("asked", "who"),
    [
        ("x" * 100_000, key(allowed=("claude-haiku-*",))),
        ("opus" * 100_000, key(allowed=("claude-haiku-*",))),
        ("vertex/" + "x" * 100_000, key(upstream="bedrock")),
    ],
)
def test_a_models_name_of_any_length_makes_a_short_error(asked: str, who: KeyRecord) -> None:
    with pytest.raises(ModelNotAllowedError) as caught:
        pins({"when": "opus*", "model": SONNET}).resolve(asked, who)
    assert len(caught.value.text) < 500


@given(
    st.text(max_size=20) | st.sampled_from([OPUS, SONNET, f"bedrock/{OPUS}"]),
    st.lists(
        st.fixed_dictionaries(
            {
                "when": st.sampled_from(["*", "claude-*", "*opus*"]),
                "model": st.sampled_from([SONNET, f"vertex/{HAIKU}"]),
            },
            optional={"team": st.sampled_from(["web", "other"])},
        ),
        max_size=4,
    ),
    st.sampled_from([None, "bedrock"]),
    st.sampled_from([(), ("claude-*",), ("vertex/*",)]),
)
def test_any_model_gets_a_known_upstream_and_an_allowed_model_or_an_error(
    asked: str, rules: list[dict[str, str]], upstream: str | None, allowed: tuple[str, ...]
) -> None:
    who = key(upstream=upstream, allowed=allowed)
    try:
        route = pins(*rules).resolve(asked, who)[0]
    except ModelNotAllowedError:
        assert allowed or upstream
        return
    assert route.upstream in UPSTREAMS
    assert allowed != ("claude-*",) or route.model.lower().startswith("claude-")
    assert allowed != ("vertex/*",) or route.upstream == "vertex" or route.model.lower().startswith("vertex/")


def test_fallbacks_are_a_pins_own_in_its_order_and_none_is_asked_twice() -> None:
    rules = pins(
        {"when": "*", "upstream": "vertex", "fallbacks": ["bedrock/eu." + OPUS, "anthropic", "vertex", "anthropic"]}
    )
    assert rules.resolve(OPUS, None) == [
        Route(OPUS, "vertex"),
        Route("eu." + OPUS, "bedrock"),
        Route(OPUS, "anthropic"),
    ]
    assert pins().resolve(OPUS, None) == [Route(OPUS, "anthropic")]


def test_a_key_falls_back_only_to_what_it_may_use() -> None:
    rules = pins({"when": "*", "fallbacks": [f"vertex/{SONNET}", f"bedrock/{HAIKU}"]})
    assert rules.resolve(OPUS, key(allowed=("claude-opus-*", "claude-haiku-*"))) == [
        Route(OPUS, "anthropic"),
        Route(HAIKU, "bedrock"),
    ]
