"""Keys: made, told apart, found in headers, and the caps that hold for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy.budgets import Cap, Period
from mcp_hub.proxy.keys import (
    PREFIX,
    KeyRecord,
    Keyring,
    caps_of,
    declared,
    digest_of,
    is_ours,
    new_key,
    presented,
    session_of,
    unused_budgets,
)
from mcp_hub.proxy_settings import ProxySettings

SETTINGS = ProxySettings.model_validate(
    {
        "keys": [
            {"name": "ci", "key": "the-key-of-ci", "team": "web", "customer": "acme", "upstream": "anthropic",
             "allowed_models": ["claude-*"], "budget_limit": "0.5", "budget_duration": "1d", "request_limit": 9,
             "request_limit_duration": "1m", "rolling": True},
            {"name": "ada", "key": "the-key-of-ada"},
            {"name": "old", "key": "the-key-of-old", "disabled": True},
        ],
        "budgets": {
            "customer": {"acme": {"budget_limit": 1, "budget_duration": "1Y"}},
            "team": {"web": {"budget_limit": 2, "budget_duration": "1M"},
                     "wbe": {"budget_limit": 2, "budget_duration": "1M"}},
            "key": {"ci": {"token_limit": 3, "token_limit_duration": "1w"}},
            "upstream": {"anthropic": {"budget_limit": 4, "budget_duration": "1h"}},
            "session": {"budget_limit": 5, "budget_duration": "1d"},
        },
    }
)  # fmt: skip
CI, ADA, OLD = declared(SETTINGS)
DOLLAR = 1_000_000_000


def test_a_key_that_is_made_is_known_by_its_digest_and_is_another_each_time() -> None:
    made = [new_key() for _ in range(50)]
    assert all(secret.startswith(PREFIX) and len(secret) >= 40 for secret, _ in made)
    assert all(digest == digest_of(secret) and secret not in digest for secret, digest in made)
    assert len({secret for secret, _ in made}) == len(made)


def test_a_key_is_found_by_what_it_is_and_by_nothing_else() -> None:
    keyring = Keyring([CI, ADA])
    assert keyring.who("the-key-of-ci") == CI
    assert keyring.who("the-key-of-ada") == ADA
    for wrong in ("", "the-key-of-c", "The-key-of-ci", "the-key-of-ci ", CI.digest, "ci", "\udcff"):
        assert keyring.who(wrong) is None


def test_a_disabled_key_is_nobodys() -> None:
    assert Keyring([CI, OLD]).who("the-key-of-old") is None


def test_of_two_records_of_one_key_the_first_counts() -> None:
    again = KeyRecord("again", CI.digest)
    assert Keyring([CI, again]).who("the-key-of-ci") == CI
    assert Keyring([KeyRecord("revoked", CI.digest, disabled=True), CI]).who("the-key-of-ci") is None


@given(st.lists(st.text(max_size=30), unique=True, max_size=8), st.text(max_size=30))
def test_any_key_is_told_apart_from_any_other(keys: list[str], given_key: str) -> None:
    keyring = Keyring(KeyRecord(f"k{number}", digest_of(key)) for number, key in enumerate(keys))
    found = keyring.who(given_key)
    assert (found.name if found else None) == (f"k{keys.index(given_key)}" if given_key in keys else None)


def test_a_record_shows_neither_key_nor_digest() -> None:
    assert CI.digest not in repr(CI)
    assert "the-key-of-ci" not in repr(CI)


@pytest.mark.parametrize(
    ("headers", "credentials"),
    [
        ({}, []),
        ({"x-api-key": ""}, []),
        ({"authorization": ""}, []),
        ({"authorization": "Basic abc"}, []),
        ({"authorization": "Bearer"}, []),
        ({"authorization": "Bearer "}, []),
        ({"x-api-key": "a"}, ["a"]),
        ({"authorization": "Bearer a"}, ["a"]),
        ({"authorization": "bearer  a "}, ["a"]),
        ({"x-api-key": "a", "authorization": "Bearer mh-b"}, ["a", "mh-b"]),
    ],
)
def test_a_credential_is_found_in_either_header(headers: dict[str, str], credentials: list[str]) -> None:
    assert presented(headers) == credentials


@pytest.mark.parametrize(("token", "ours"), [("mh-a", True), ("sk-ant-oat01-abcmh-def", False), ("", False)])
def test_a_key_of_ours_is_known_by_its_beginning(token: str, ours: bool) -> None:
    assert is_ours(token) is ours


def test_a_declared_key_is_what_servers_toml_says() -> None:
    expected = KeyRecord(
        name="ci",
        digest=digest_of("the-key-of-ci"),
        team="web",
        customer="acme",
        allowed_models=("claude-*",),
        caps=(
            Cap("key", "ci", "dollars", DOLLAR // 2, Period("1d", rolling=True)),
            Cap("key", "ci", "requests", 9, Period("1m", rolling=True)),
        ),
        upstream="anthropic",
    )
    assert expected == CI
    assert (ADA.team, ADA.customer, ADA.caps, ADA.upstream) == ("", "", (), None)


def test_the_caps_of_every_tier_hold_together() -> None:
    assert caps_of(SETTINGS, CI, upstream="anthropic", session="s1") == [
        Cap("customer", "acme", "dollars", DOLLAR, Period("1Y")),
        Cap("team", "web", "dollars", 2 * DOLLAR, Period("1M")),
        *CI.caps,
        Cap("key", "ci", "tokens", 3, Period("1w")),
        Cap("upstream", "anthropic", "dollars", 4 * DOLLAR, Period("1h")),
        Cap("session", "s1", "dollars", 5 * DOLLAR, Period("1d")),
    ]


@pytest.mark.parametrize("key", [ADA, None])
def test_a_key_of_no_team_and_a_client_without_a_key_have_the_caps_that_are_left(key: KeyRecord | None) -> None:
    tiers = [(cap.tier, cap.name) for cap in caps_of(SETTINGS, key, upstream="elsewhere", session="s1")]
    assert tiers == [("session", "s1")]


def test_without_budgets_nothing_is_capped() -> None:
    assert caps_of(ProxySettings(), ADA, upstream="anthropic", session="s1") == []


def test_a_budget_without_a_name_is_nobodys_and_is_told() -> None:
    nameless = {"team": {"": {"request_limit": 1, "request_limit_duration": "1d"}}}
    settings = ProxySettings.model_validate({"budgets": nameless})
    assert caps_of(settings, ADA, upstream="anthropic", session="s1") == []
    assert unused_budgets(settings, [ADA]) == ["No key fits [proxy.budgets.team.], so it limits nothing."]


def test_a_session_is_its_keys_and_one_that_isnt_told_is_one_for_each_key() -> None:
    assert (session_of("s1", CI), session_of("s1", None)) == ("ci/s1", "/s1")
    untold = {session_of(None, key) for key in (CI, ADA, None)} | {session_of("", CI)}
    assert len(untold) == 3
    assert all(untold)


def test_a_budget_that_fits_no_key_is_told() -> None:
    assert unused_budgets(SETTINGS, [CI]) == ["No key fits [proxy.budgets.team.wbe], so it limits nothing."]
    assert len(unused_budgets(SETTINGS, [])) == 4
