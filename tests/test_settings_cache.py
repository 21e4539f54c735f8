"""For how long results are remembered, as servers.toml says it: what it may say, what it can't, what keeps it."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.config import json_schema, parse
from mcp_hub.edit import add_server, remove_server, switch_server
from mcp_hub.errors import ConfigError
from mcp_hub.settings import LONGEST_CACHE, CacheRule, ServerSettings

PATH = Path("/home/ada/servers.toml")


def read(text: str, **environ: str) -> tuple[CacheRule, ...]:
    """The rules of the server `x` that says `text` beside its command."""
    return parse(f'[servers.x]\ncommand = ["x"]\n{text}\n', PATH, environ).servers["x"].cache


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        ('cache = "60s"', [("*", 60)]),
        ('cache = "1.5m"', [("*", 90)]),
        ('cache = "24h"', [("*", LONGEST_CACHE)]),
        ('cache = "0s"', [("*", 0)]),
        ("cache = {}", []),
        ('cache = { "search_*" = "5m", get_user = "60s" }', [("search_*", 300), ("get_user", 60)]),
        ('cache."get_*" = "2s"\ncache.b = "3s"', [("get_*", 2), ("b", 3)]),
        ('[servers.x.cache]\n"*" = "${FOR}"', [("*", 7)]),
    ],
)
def test_a_duration_holds_for_all_tools_or_for_those_of_a_glob(text: str, rules: list[tuple[str, float]]) -> None:
    assert [(rule.tool, rule.seconds) for rule in read(text, FOR="7s")] == rules


@pytest.mark.parametrize("text", ["60", "true", '""', '"60"', '"-1s"', '"60S"', '"60 s"', '"1h30m"', '["60s"]', '"٣s"'])
def test_what_is_no_duration_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"cache = {text}")
    assert caught.value.text == snapshot(
        "/home/ada/servers.toml:3: [servers.x.cache] must be a duration: a number with s, m or h, "
        'such as "60s", or a table of them by tool, such as { "get_*" = "5m" }.'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'cache = "25h"',
            snapshot(
                "/home/ada/servers.toml:3: [servers.x.cache] is too long; nothing is remembered for more than 24h."
            ),
        ),
        (
            'cache = { b = "5s", "a_*" = "90000s" }',
            snapshot(
                "/home/ada/servers.toml:3: [servers.x.cache.a_*] is too long; nothing is remembered for more than 24h."
            ),
        ),
        (
            '[servers.x.cache]\nb = "5s"\n"a_*" = 5',
            snapshot(
                "/home/ada/servers.toml:5: [servers.x.cache.a_*] must be a duration: a number with s, m or h, "
                'such as "60s".'
            ),
        ),
        (
            'cache = { "" = "5s" }',
            snapshot("/home/ada/servers.toml:3: [servers.x.cache] a glob over tool names can't be empty."),
        ),
        (
            'cache = { b = { c = "5s" } }',
            snapshot(
                "/home/ada/servers.toml:3: [servers.x.cache.b] must be a duration: a number with s, m or h, "
                'such as "60s".'
            ),
        ),
        (
            'cahce = "5s"',
            snapshot("/home/ada/servers.toml:3: [servers.x.cahce] unknown key 'cahce'. Did you mean 'cache'?"),
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.text == said


@given(st.text(alphabet="0123456789.smhe-+ _", max_size=12))
def test_whatever_is_written_is_a_bounded_duration_or_an_error(text: str) -> None:
    try:
        (rule,) = read(f"cache = {json.dumps(text)}")
    except ConfigError:
        return
    assert 0 <= rule.seconds <= LONGEST_CACHE
    assert text[-1] in "smh"


def test_a_number_beyond_all_numbers_is_too_long() -> None:
    with pytest.raises(ConfigError, match="more than 24h"):
        read(f'cache = "{"9" * 5000}s"')


def test_a_value_of_the_environment_is_in_no_error() -> None:
    for value in ("99999999h", "hunter2-hunter2"):
        with pytest.raises(ConfigError) as caught:
            read('cache = "${FOR}"', FOR=value)
        assert value not in caught.value.text


def test_a_running_server_is_left_alone_when_it_changes() -> None:
    before, after = (ServerSettings.model_validate({"command": ["x"], **more}) for more in ({}, {"cache": "60s"}))
    assert before.same_connection(after)
    assert before.fingerprint() == after.fingerprint()


def test_hubs_that_remember_otherwise_are_not_the_same() -> None:
    """A window attaches to a hub of the same settings only."""
    texts = [f'[servers.x]\ncommand = ["x"]\ncache = "{each}"\n' for each in ("60s", "61s")]
    one, other = (parse(text, PATH, {}).model_dump_json(exclude_unset=True) for text in texts)
    assert one != other


TABLES: list[Any] = ["60s", {"search_*": "5m", "get-user": "60s", "ünï": "1h"}]


@pytest.mark.parametrize("table", TABLES)
def test_it_is_written_as_it_is_read(table: Any) -> None:
    text = add_server("", "x", {"command": ["x"], "cache": table}, path=PATH)
    assert (
        parse(text, PATH, {}).servers["x"].cache
        == ServerSettings.model_validate({"command": ["x"], "cache": table}).cache
    )


def test_it_is_kept_when_servers_are_switched_added_and_removed() -> None:
    text = '[servers.x]\ncommand = ["x"]\ncache."get_*" = "5m"  # slow\n\n[servers.y]\nurl = "http://y"\n'
    changed = switch_server(text, "x", False, path=PATH)
    changed = add_server(remove_server(changed, "y", path=PATH), "z", {"command": ["z"]}, path=PATH)
    changed = switch_server(changed, "x", True, path=PATH)
    assert 'cache."get_*" = "5m"  # slow\n' in changed
    assert parse(changed, PATH, {}).servers["x"].cache == (CacheRule("get_*", 300),)


def test_an_editor_knows_both_forms() -> None:
    schema = json_schema()["$defs"]["ServerSettings"]["properties"]["cache"]
    assert [each["type"] for each in schema["anyOf"]] == ["string", "object"]
