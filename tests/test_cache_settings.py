"""`[proxy.cache]`: what it turns on, what is refused, and how that is told."""

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from mcp_hub.cache_settings import MOST_SECONDS, CacheSettings
from mcp_hub.config import parse, validate
from mcp_hub.errors import ConfigError

FILE = Path("/home/ada/servers.toml")

FULL = """\
[proxy.cache]
ttl_seconds = 600
models = ["claude-*"]
exact_for = ["ci", "web-*"]
similar_for = ["ci"]
shared_by = "team"
similarity_threshold = 0.8
conversation_history_threshold = 1
roots = ["/srv/code", "~/code"]
max_temperature = 0
tool_calls = true
pace = "recorded"
size_mib = 8
"""


def read(text: str) -> CacheSettings | None:
    return parse(text, FILE, {}).proxy.cache


def told(text: str) -> str:
    """What somebody is told who wrote this file."""
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE, {})
    return caught.value.text


@pytest.mark.parametrize("text", ["", "[proxy]", "[proxy]\nwait_seconds = 3"])
def test_without_its_table_nothing_is_kept(text: str) -> None:
    assert read(text) is None


def test_the_table_alone_turns_it_on_for_everybody_by_themselves_and_for_the_very_same_only() -> None:
    settings = read("[proxy.cache]")
    assert settings == CacheSettings()
    assert settings.model_dump() == snapshot(
        {
            "ttl_seconds": 3600,
            "models": ("*",),
            "exact_for": ("*",),
            "similar_for": (),
            "shared_by": "key",
            "similarity_threshold": 0.7,
            "conversation_history_threshold": 3,
            "roots": (),
            "max_temperature": 1.0,
            "tool_calls": False,
            "pace": "at_once",
            "size_mib": 256,
        }
    )
    validate("[proxy.cache]", FILE)


def test_every_field_is_taken_over() -> None:
    settings = read(FULL)
    assert settings is not None
    assert set(re.findall(r"^(\w+) =", FULL, re.MULTILINE)) == set(CacheSettings.model_fields)
    assert settings.model_dump() == snapshot(
        {
            "ttl_seconds": 600,
            "models": ("claude-*",),
            "exact_for": ("ci", "web-*"),
            "similar_for": ("ci",),
            "shared_by": "team",
            "similarity_threshold": 0.8,
            "conversation_history_threshold": 1,
            "roots": ("/srv/code", "~/code"),
            "max_temperature": 0.0,
            "tool_calls": True,
            "pace": "recorded",
            "size_mib": 8,
        }
    )
    assert all(value != default for value, default in zip(settings, CacheSettings(), strict=True))


def test_roots_are_folders_also_below_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = read(FULL)
    assert settings is not None
    assert settings.folders == (Path("/srv/code"), Path("/home/ada/code"))
    assert CacheSettings().folders == ()


@pytest.mark.parametrize(
    "text",
    [
        "ttl_seconds = 1",
        f"ttl_seconds = {MOST_SECONDS}",
        "similarity_threshold = 0",
        "similarity_threshold = 1",
        "conversation_history_threshold = 1000",
        "max_temperature = 0",
        "size_mib = 100_000",
        "models = []",
        "exact_for = []",
    ],
)
def test_values_at_their_limits_are_taken(text: str) -> None:
    assert read(f"[proxy.cache]\n{text}") is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "ttl_seconds = 0",
            snapshot("[proxy.cache.ttl_seconds] should be greater than or equal to 1."),
        ),
        (
            f"ttl_seconds = {MOST_SECONDS + 1}",
            snapshot("[proxy.cache.ttl_seconds] should be less than or equal to 2592000."),
        ),
        (
            "ttl_seconds = 1.5",
            snapshot("[proxy.cache.ttl_seconds] should be a valid integer, got a number with a fractional part."),
        ),
        (
            "ttl_seconds = '1h'",
            snapshot("[proxy.cache.ttl_seconds] should be a valid integer, unable to parse string as an integer."),
        ),
        ("models = 'claude-*'", snapshot("[proxy.cache.models] should be a list.")),
        ("exact_for = [3]", snapshot("[proxy.cache.exact_for] should be a valid string.")),
        ("similar_for = true", snapshot("[proxy.cache.similar_for] should be a list.")),
        ("shared_by = 'all'", snapshot("[proxy.cache.shared_by] should be 'key' or 'team'.")),
        (
            "similarity_threshold = 1.01",
            snapshot("[proxy.cache.similarity_threshold] should be less than or equal to 1."),
        ),
        (
            "similarity_threshold = -0.1",
            snapshot("[proxy.cache.similarity_threshold] should be greater than or equal to 0."),
        ),
        (
            "similarity_threshold = nan",
            snapshot("[proxy.cache.similarity_threshold] should be less than or equal to 1."),
        ),
        (
            "conversation_history_threshold = 0",
            snapshot("[proxy.cache.conversation_history_threshold] should be greater than or equal to 1."),
        ),
        (
            "max_temperature = -1",
            snapshot("[proxy.cache.max_temperature] should be greater than or equal to 0."),
        ),
        (
            "tool_calls = 'sometimes'",
            snapshot("[proxy.cache.tool_calls] should be a valid boolean, unable to interpret input."),
        ),
        ("pace = 'slow'", snapshot("[proxy.cache.pace] should be 'at_once' or 'recorded'.")),
        (
            "size_mib = 7",
            snapshot("[proxy.cache.size_mib] should be greater than or equal to 8."),
        ),
        (
            "size_mib = 100_001",
            snapshot("[proxy.cache.size_mib] should be less than or equal to 100000."),
        ),
        (
            "roots = ['code']",
            snapshot("[proxy.cache.roots] must be absolute paths, or begin with ~."),
        ),
        (
            "roots = ['/srv', './code']",
            snapshot("[proxy.cache.roots] must be absolute paths, or begin with ~."),
        ),
        (
            "roots = ['~nobody-of-that-name/code']",
            snapshot("[proxy.cache.roots] there is no such user."),
        ),
        ('roots = ["/srv/\\u0000"]', snapshot("[proxy.cache.roots] must be a path.")),
        ("roots = '/srv'", snapshot("[proxy.cache.roots] should be a list.")),
        (
            "ttl = 3",
            snapshot("[proxy.cache.ttl] unknown key 'ttl'. Did you mean 'ttl_seconds'?"),
        ),
        (
            "similar_to = ['ci']",
            snapshot("[proxy.cache.similar_to] unknown key 'similar_to'. Did you mean 'similar_for'?"),
        ),
        (
            "tools_calls = true",
            snapshot("[proxy.cache.tools_calls] unknown key 'tools_calls'. Did you mean 'tool_calls'?"),
        ),
    ],
)
def test_what_cant_be_so_is_refused_with_its_place(text: str, said: str) -> None:
    assert told(f"[proxy.cache]\n{text}\n") == f"{FILE}:2: {said}"


def test_a_misspelt_table_is_refused() -> None:
    assert told("[proxy.caches]\n") == snapshot(
        "/home/ada/servers.toml:1: [proxy.caches] unknown key 'caches'. Did you mean 'cache'?"
    )
    assert told("[proxy]\ncache = true\n") == snapshot("/home/ada/servers.toml:2: [proxy.cache] should be a table.")
