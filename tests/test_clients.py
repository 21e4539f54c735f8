"""Other clients' configuration files: where they are, how they are parsed, and where in them the servers stand."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.clients import CLIENTS, Entries, Source, known_sources, read_entries
from mcp_hub.errors import ConfigError

HOME = Path("/home/ada")
CWD = Path("/home/ada/shop")
LINUX = known_sources(HOME, CWD, "linux")


def source_of(client: str, scope: str = "user", name: str = "") -> Source:
    """The file of a client; `name` tells apart those that VS Code has two of."""
    (found,) = (
        each for each in LINUX if (each.client, each.scope) == (client, scope) and each.path.name.startswith(name)
    )
    return found


def read(text: str, client: str, scope: str = "user", name: str = "m") -> Entries:
    return read_entries(text, source_of(client, scope, name if client == "vscode" else ""), cwd=CWD)


def told(text: str, client: str, scope: str = "user") -> str:
    """What somebody is told whose file can't be read."""
    with pytest.raises(ConfigError) as caught:
        read(text, client, scope)
    return caught.value.text


def test_each_client_keeps_its_servers_in_known_files_on_linux() -> None:
    assert [f"{each.client} {each.scope} {each.path}" for each in LINUX] == snapshot(
        [
            "claude-code project /home/ada/shop/.mcp.json",
            "claude-code local /home/ada/.claude.json",
            "claude-code user /home/ada/.claude.json",
            "claude-desktop user /home/ada/.config/Claude/claude_desktop_config.json",
            "cursor project /home/ada/shop/.cursor/mcp.json",
            "cursor user /home/ada/.cursor/mcp.json",
            "vscode project /home/ada/shop/.vscode/mcp.json",
            "vscode user /home/ada/.config/Code/User/mcp.json",
            "vscode user /home/ada/.config/Code/User/settings.json",
            "codex project /home/ada/shop/.codex/config.toml",
            "codex user /home/ada/.codex/config.toml",
            "gemini project /home/ada/shop/.gemini/settings.json",
            "gemini user /home/ada/.gemini/settings.json",
            "zed project /home/ada/shop/.zed/settings.json",
            "zed user /home/ada/.config/zed/settings.json",
        ]
    )


def test_macos_has_application_folders_of_its_own() -> None:
    mac = known_sources(HOME, CWD, "darwin")
    assert [str(each.path) for each in mac if each not in LINUX] == snapshot(
        [
            "/home/ada/Library/Application Support/Claude/claude_desktop_config.json",
            "/home/ada/Library/Application Support/Code/User/mcp.json",
            "/home/ada/Library/Application Support/Code/User/settings.json",
        ]
    )


def test_the_home_folder_as_a_project_names_no_file_twice_but_for_claude_codes_two_scopes() -> None:
    at_home = known_sources(HOME, HOME, "linux")
    assert len({each.path for each in at_home}) == len(at_home) - 1
    assert [each.scope for each in at_home if each.client == "cursor"] == ["user"]


def test_every_client_has_a_name_that_people_know() -> None:
    assert {each.client for each in LINUX} == set(CLIENTS)
    assert source_of("codex").label == "Codex CLI"


@pytest.mark.parametrize(
    ("client", "scope", "name", "document"),
    [
        ("claude-code", "project", "", {"mcpServers": {"a": 1}}),
        ("claude-code", "user", "", {"numStartups": 3, "mcpServers": {"a": 1}}),
        ("claude-code", "local", "", {"mcpServers": {"b": 1}, "projects": {str(CWD): {"mcpServers": {"a": 1}}}}),
        ("claude-desktop", "user", "", {"mcpServers": {"a": 1}}),
        ("cursor", "project", "", {"mcpServers": {"a": 1}}),
        ("vscode", "project", "", {"servers": {"a": 1}}),
        ("vscode", "user", "mcp", {"servers": {"a": 1}}),
        ("vscode", "user", "settings", {"servers": {"b": 1}, "mcp": {"servers": {"a": 1}}}),
        ("gemini", "user", "", {"mcp": {}, "mcpServers": {"a": 1}}),
        ("zed", "user", "", {"context_servers": {"a": 1}}),
    ],
)
def test_the_servers_are_found_where_the_client_has_them(
    client: str, scope: str, name: str, document: dict[str, Any]
) -> None:
    source = source_of(client, scope, name)
    assert read_entries(json.dumps(document), source, cwd=CWD).servers == {"a": 1}
    assert read_entries("{}", source, cwd=CWD).servers == {}
    assert read_entries(" \n", source, cwd=CWD).servers == {}


def test_codex_keeps_its_servers_in_toml() -> None:
    text = 'model = "gpt-5"\n\n[mcp_servers.a]\ncommand = "x"\n'
    assert read(text, "codex").servers == {"a": {"command": "x"}}
    assert read("\ufeff" + text, "codex").servers == {"a": {"command": "x"}}


@pytest.mark.parametrize("client", ["cursor", "vscode", "gemini", "zed"])
def test_editors_files_may_have_comments_and_trailing_commas(client: str) -> None:
    key = {"vscode": "servers", "zed": "context_servers"}.get(client, "mcpServers")
    text = f'// mine\n{{\n  /* all\n of them */ "{key}": {{\n "a": "http://h", // no comment in it\n }},\n}}\n'
    assert read(text, client).servers == {"a": "http://h"}


@pytest.mark.parametrize("client", ["claude-code", "claude-desktop"])
def test_claudes_files_are_strict_json(client: str) -> None:
    assert told("{\n // mine\n}", client).endswith(
        ":2: this isn't JSON: Expecting property name enclosed in double quotes."
    )


@pytest.mark.parametrize(
    ("client", "text", "said"),
    [
        (
            "claude-desktop",
            '{\n "a": }',
            snapshot("/home/ada/.config/Claude/claude_desktop_config.json:2: this isn't JSON: Expecting value."),
        ),
        (
            "vscode",
            '{\n // c\n "servers": {"a": 1 "b": 2}\n}',
            snapshot('/home/ada/.config/Code/User/mcp.json:3: this isn\'t JSON: Unexpected """ at column 21.'),
        ),
        (
            "cursor",
            "{",
            snapshot("/home/ada/.cursor/mcp.json:1: this isn't JSON: Unexpected end of input at column 2."),
        ),
        (
            "cursor",
            '{"a": "x\n"}',
            snapshot('/home/ada/.cursor/mcp.json:1: this isn\'t JSON: Unexpected "\\n" at column 9.'),
        ),
        (
            "cursor",
            "{\x1b[2J}",
            snapshot('/home/ada/.cursor/mcp.json:1: this isn\'t JSON: Unexpected "[" at column 3.'),
        ),
        (
            "codex",
            "[mcp_servers.a]\ncommand = x",
            snapshot("/home/ada/.codex/config.toml:2: this isn't TOML: Invalid value."),
        ),
        (
            "claude-desktop",
            "1" * 5000,
            snapshot("/home/ada/.config/Claude/claude_desktop_config.json: this isn't JSON: a number can't be read."),
        ),
        ("cursor", "1" * 5000, snapshot("/home/ada/.cursor/mcp.json: this isn't JSON: a number can't be read.")),
        ("codex", "x = " + "1" * 5000, snapshot("/home/ada/.codex/config.toml: holds a number that can't be read.")),
        (
            "claude-desktop",
            "[" * 100_000,
            snapshot("/home/ada/.config/Claude/claude_desktop_config.json: is nested too deeply to be read."),
        ),
        ("cursor", "[" * 100_000, snapshot("/home/ada/.cursor/mcp.json: is nested too deeply to be read.")),
        ("codex", "x = " + "[" * 100_000, snapshot("/home/ada/.codex/config.toml: is nested too deeply to be read.")),
        ("cursor", "[]", snapshot("/home/ada/.cursor/mcp.json: should hold an object.")),
        (
            "claude-desktop",
            '{"mcpServers": [1]}',
            snapshot("/home/ada/.config/Claude/claude_desktop_config.json: [mcpServers] should be an object."),
        ),
        (
            "zed",
            '{"context_servers": "x"}',
            snapshot("/home/ada/.config/zed/settings.json: [context_servers] should be an object."),
        ),
        ("codex", "mcp_servers = 3", snapshot("/home/ada/.codex/config.toml: [mcp_servers] should be an object.")),
    ],
)
def test_a_file_that_cant_be_read_is_told_with_the_line_where_it_is_known(client: str, text: str, said: str) -> None:
    assert told(text, client) == said


def test_a_broken_entry_on_the_way_to_the_servers_is_named() -> None:
    text = json.dumps({"projects": {str(CWD): {"mcpServers": 5}}})
    assert told(text, "claude-code", "local") == snapshot(
        "/home/ada/.claude.json: [projects./home/ada/shop.mcpServers] should be an object."
    )
    assert told('{"projects": []}', "claude-code", "local") == snapshot(
        "/home/ada/.claude.json: [projects] should be an object."
    )


def test_servers_that_are_switched_off_elsewhere_in_the_file_are_known() -> None:
    claude = json.dumps({"projects": {str(CWD): {"disabledMcpServers": ["a", 3]}}})
    assert read(claude, "claude-code", "local").off == {"a"}
    assert read(claude, "claude-code", "user").off == {"a"}
    assert read(claude, "claude-code", "project").off == set()
    assert read('{"mcp": {"excluded": ["b"]}}', "gemini").off == {"b"}
    assert read('{"mcp": {"excluded": "b"}}', "gemini").off == set()


def test_what_vs_code_asks_for_is_known_with_its_description() -> None:
    inputs = [{"id": "key", "type": "promptString", "description": "The key"}, {"id": "b"}, {"id": 3}, "x", None]
    assert read(json.dumps({"inputs": inputs}), "vscode").inputs == {"key": "The key", "b": ""}
    assert read(json.dumps({"mcp": {"inputs": inputs}}), "vscode", name="s").inputs == {"key": "The key", "b": ""}


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(["mcpServers", "servers", "mcp", "inputs", "id", "projects", str(CWD), "excluded"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(anything, st.sampled_from(LINUX))
def test_whatever_json_a_file_holds_it_is_read_or_refused(document: Any, source: Source) -> None:
    try:
        entries = read_entries(json.dumps(document), source, cwd=CWD)
    except ConfigError:
        return
    assert all(isinstance(name, str) for name in (*entries.servers, *entries.inputs, *entries.off))


@given(st.text(max_size=30) | st.text("{}[]:,\"'/*\\ \n1aexu.-+#=", max_size=30), st.sampled_from(LINUX))
def test_whatever_text_a_file_holds_it_is_read_or_refused(text: str, source: Source) -> None:
    with suppress(ConfigError):
        read_entries(text, source, cwd=CWD)
