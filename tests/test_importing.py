"""Other clients' servers as tables for servers.toml: what is taken over, what is told, what is left out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.clients import Source, known_sources
from mcp_hub.config import parse
from mcp_hub.edit import add_server
from mcp_hub.errors import ConfigError
from mcp_hub.importing import Imported, Skipped, read_source
from mcp_hub.settings import SERVER_NAME, ServerSettings

HOME = Path("/home/ada")
CWD = Path("/home/ada/shop")
SOURCES = known_sources(HOME, CWD, "linux")
FILE = Path("/home/ada/servers.toml")


def read(text: str, client: str, scope: str = "user", file: str = "") -> tuple[list[Imported], list[Skipped]]:
    """What comes out of a client's file; `file` tells apart the two that VS Code has."""
    (source, *_) = (
        each for each in SOURCES if (each.client, each.scope) == (client, scope) and each.path.name.startswith(file)
    )
    return read_source(text, source, cwd=CWD, home=HOME)


HOLDERS = {"vscode": "servers", "zed": "context_servers"}


def one(entry: Any, client: str = "claude-code", scope: str = "user", **beside: Any) -> Imported:
    """The server that comes out of a single entry of a client's JSON."""
    text = json.dumps({HOLDERS.get(client, "mcpServers"): {"a": entry}, **beside})
    (imported,), skipped = read(text, client, scope)
    assert skipped == []
    return imported


def refused(entry: Any, client: str = "claude-code", scope: str = "user") -> str:
    """Why a single entry is left out."""
    imported, (skipped,) = read(json.dumps({HOLDERS.get(client, "mcpServers"): {"a": entry}}), client, scope)
    assert (imported, skipped.name) == ([], "a")
    return skipped.reason


def names_of(*originals: str) -> tuple[list[Imported], list[Skipped]]:
    return read(json.dumps({"mcpServers": {name: {"command": "x"} for name in originals}}), "claude-code")


# Each client's own file

CLAUDE_CODE_PROJECT = """\
{
  "mcpServers": {
    "github": {
      "type": "http",
      "url": "https://api.githubcopilot.com/mcp/",
      "headers": { "Authorization": "Bearer ${GITHUB_TOKEN}" }
    },
    "postgres": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "@bytebase/dbhub", "--dsn", "${DATABASE_URL:-postgresql://localhost/shop}"],
      "env": {},
      "timeout": 600000
    },
    "notes": {
      "command": "${CLAUDE_PROJECT_DIR:-.}/bin/notes",
      "env": { "CACHE_DIR": "${XDG_CACHE_HOME}" }
    },
    "asana": { "type": "sse", "url": "https://mcp.asana.com/sse" },
    "events": { "type": "ws", "url": "wss://events.example.com/mcp" },
    "internal": {
      "type": "streamable-http",
      "url": "https://internal.example.com/mcp",
      "headersHelper": "/opt/bin/mcp-auth",
      "oauth": { "clientId": "shop", "callbackPort": 8080 }
    }
  }
}
"""


def test_claude_codes_project_file() -> None:
    assert read(CLAUDE_CODE_PROJECT, "claude-code", "project") == snapshot(
        (
            [
                Imported(
                    name="github",
                    table={
                        "url": "https://api.githubcopilot.com/mcp/",
                        "headers": {"Authorization": "Bearer ${GITHUB_TOKEN}"},
                    },
                    notes=(),
                ),
                Imported(
                    name="postgres",
                    table={
                        "command": [
                            "npx",
                            "-y",
                            "@bytebase/dbhub",
                            "--dsn",
                            "${DATABASE_URL:-postgresql://localhost/shop}",
                        ],
                        "timeout": 600,
                    },
                    notes=(),
                ),
                Imported(
                    name="notes",
                    table={"command": ["/home/ada/shop/bin/notes"], "env": {"CACHE_DIR": "${XDG_CACHE_HOME}"}},
                    notes=(),
                ),
                Imported(
                    name="internal",
                    table={"url": "https://internal.example.com/mcp"},
                    notes=(
                        "its headersHelper isn't run; put the headers into headers",
                        "the hub doesn't sign in with OAuth; put a token into headers",
                    ),
                ),
            ],
            [
                Skipped(
                    name="asana",
                    reason="it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one",
                ),
                Skipped(
                    name="events", reason="it has a type that the hub doesn't know; it speaks stdio and streamable HTTP"
                ),
            ],
        )
    )


CLAUDE_CODE_USER = """\
{
  "numStartups": 512,
  "tipsHistory": { "new-user-warmup": 3 },
  "mcpServers": {
    "context7": { "type": "stdio", "command": "npx", "args": ["-y", "@upstash/context7-mcp"], "env": {} },
    "linear": { "type": "http", "url": "https://mcp.linear.app/mcp" }
  },
  "projects": {
    "/home/ada/shop": {
      "allowedTools": [],
      "mcpServers": {
        "stripe": {
          "type": "stdio",
          "command": "npx",
          "args": ["-y", "@stripe/mcp", "--tools=all"],
          "env": { "STRIPE_SECRET_KEY": "sk_test_1234" }
        },
        "mcp_hub": { "type": "stdio", "command": "mcp_hub", "args": ["serve"], "env": {} }
      },
      "disabledMcpServers": ["linear"]
    },
    "/home/ada/other": { "mcpServers": { "elsewhere": { "command": "x" } } }
  }
}
"""


def test_claude_codes_own_file_has_servers_for_the_user_and_for_this_project() -> None:
    assert read(CLAUDE_CODE_USER, "claude-code", "user") == snapshot(
        (
            [
                Imported(name="context7", table={"command": ["npx", "-y", "@upstash/context7-mcp"]}, notes=()),
                Imported(name="linear", table={"url": "https://mcp.linear.app/mcp", "enabled": False}, notes=()),
            ],
            [],
        )
    )
    assert read(CLAUDE_CODE_USER, "claude-code", "local") == snapshot(
        (
            [
                Imported(
                    name="stripe",
                    table={
                        "command": ["npx", "-y", "@stripe/mcp", "--tools=all"],
                        "env": {"STRIPE_SECRET_KEY": "sk_test_1234"},
                    },
                    notes=(),
                )
            ],
            [Skipped(name="mcp_hub", reason="it is this hub")],
        )
    )


CLAUDE_DESKTOP = """\
{
  "globalShortcut": "",
  "mcpServers": {
    "filesystem": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/ada/Desktop"]
    },
    "brave search": {
      "command": "/usr/local/bin/npx",
      "args": ["-y", "@modelcontextprotocol/server-brave-search", "--cache=${HOME}/.cache"],
      "env": { "BRAVE_API_KEY": "BSA-1234", "RETRIES": 3, "VERBOSE": true, "PROXY": null }
    },
    "hub": { "command": "uvx", "args": ["--from", "git+https://example.com/hub", "mcp_hub", "serve"] }
  }
}
"""


def test_claude_desktops_file() -> None:
    assert read(CLAUDE_DESKTOP, "claude-desktop") == snapshot(
        (
            [
                Imported(
                    name="filesystem",
                    table={"command": ["npx", "-y", "@modelcontextprotocol/server-filesystem", "/home/ada/Desktop"]},
                    notes=(),
                ),
                Imported(
                    name="brave-search",
                    table={
                        "command": [
                            "/usr/local/bin/npx",
                            "-y",
                            "@modelcontextprotocol/server-brave-search",
                            "--cache=${HOME}/.cache",
                        ],
                        "env": {"BRAVE_API_KEY": "BSA-1234", "RETRIES": "3", "VERBOSE": "true"},
                    },
                    notes=(
                        "Claude Desktop calls it 'brave search'",
                        "the hub will put the environment variable HOME where Claude Desktop leaves ${...} as it is",
                    ),
                ),
            ],
            [Skipped(name="hub", reason="it is this hub")],
        )
    )


CURSOR = """\
{
  // Servers of this project
  "mcpServers": {
    "python": {
      "type": "stdio",
      "command": "python",
      "args": ["${workspaceFolder}/mcp-server.py", "--name", "${workspaceFolderBasename}"],
      "env": { "API_KEY": "${env:API_KEY}", "HOME_DIR": "${userHome}${/}data${pathSeparator}x" },
      "envFile": "${workspaceFolder}/.env",
    },
    "remote": {
      "url": "https://api.example.com/mcp",
      "headers": { "Authorization": "Bearer ${env:MY_SERVICE_TOKEN}" },
    },
    "oauth": {
      "url": "https://oauth.example.com/sse",
      "auth": { "CLIENT_ID": "${env:MCP_CLIENT_ID}", "CLIENT_SECRET": "${env:MCP_CLIENT_SECRET}" },
    },
    "shell": { "command": "sh", "args": ["-c", "exec server --root ${ROOT}"] },
  },
}
"""


def test_cursors_file() -> None:
    assert read(CURSOR, "cursor", "project") == snapshot(
        (
            [
                Imported(
                    name="python",
                    table={
                        "command": ["python", "/home/ada/shop/mcp-server.py", "--name", "shop"],
                        "env": {"API_KEY": "${API_KEY}", "HOME_DIR": "/home/ada/data/x"},
                    },
                    notes=("its envFile isn't read; put what it sets into env",),
                ),
                Imported(
                    name="remote",
                    table={
                        "url": "https://api.example.com/mcp",
                        "headers": {"Authorization": "Bearer ${MY_SERVICE_TOKEN}"},
                    },
                    notes=(),
                ),
                Imported(
                    name="oauth",
                    table={"url": "https://oauth.example.com/sse"},
                    notes=(
                        "it may speak SSE only, which the hub doesn't; if so, look for its streamable HTTP address",
                        "the hub doesn't sign in with OAuth; put a token into headers",
                    ),
                ),
                Imported(
                    name="shell",
                    table={"command": ["sh", "-c", "exec server --root ${ROOT}"]},
                    notes=("the hub will put the environment variable ROOT where Cursor leaves ${...} as it is",),
                ),
            ],
            [],
        )
    )


VSCODE = """\
{
  "inputs": [
    {
      "type": "promptString",
      "id": "perplexity-key",
      "description": "Perplexity API Key",
      "password": true
    },
    { "type": "promptString", "id": "2nd", "description": "" },
  ],
  "servers": {
    // https://github.com/github/github-mcp-server
    "github": { "type": "http", "url": "https://api.githubcopilot.com/mcp/" },
    "Perplexity": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "server-perplexity-ask"],
      "env": { "PERPLEXITY_API_KEY": "${input:perplexity-key}", "OTHER": "${input:2nd}", "PORT": 8080 },
      "cwd": "tools/perplexity",
      "envFile": "${workspaceFolder}/.env",
      "dev": { "watch": "src/**/*.ts", "debug": { "type": "node" } }
    },
    "sandboxed": {
      "command": "node",
      "args": ["server.js", "${command:pick.account}", "${config:shop.region}"],
      "sandboxEnabled": true,
      "sandbox": { "network": { "allowedDomains": ["example.com"] } }
    },
    "old": { "type": "sse", "url": "http://localhost:3000/sse" },
    "socket": { "type": "http", "url": "unix:///tmp/server.sock" }
  }
}
"""


def test_vs_codes_file() -> None:
    assert read(VSCODE, "vscode", "project") == snapshot(
        (
            [
                Imported(name="github", table={"url": "https://api.githubcopilot.com/mcp/"}, notes=()),
                Imported(
                    name="Perplexity",
                    table={
                        "command": ["npx", "-y", "server-perplexity-ask"],
                        "env": {"PERPLEXITY_API_KEY": "${PERPLEXITY_KEY}", "OTHER": "${INPUT_2ND}", "PORT": "8080"},
                        "cwd": "/home/ada/shop/tools/perplexity",
                    },
                    notes=(
                        "set the environment variable PERPLEXITY_KEY, which VS Code asks for: Perplexity API Key",
                        "set the environment variable INPUT_2ND, which VS Code asks for",
                        "its envFile isn't read; put what it sets into env",
                    ),
                ),
                Imported(
                    name="sandboxed",
                    table={"command": ["node", "server.js", "${command:pick.account}", "${config:shop.region}"]},
                    notes=(
                        "the hub can't fill in ${command:...} as VS Code does; write out what is meant",
                        "the hub can't fill in ${config:...} as VS Code does; write out what is meant",
                        "it will run without the sandbox that VS Code gives it",
                    ),
                ),
            ],
            [
                Skipped(
                    name="old",
                    reason="it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one",
                ),
                Skipped(
                    name="socket",
                    reason="its url must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any",
                ),
            ],
        )
    )


VSCODE_SETTINGS = """\
{
  "editor.fontSize": 13, // comfortable
  "mcp": {
    "inputs": [{ "type": "promptString", "id": "token", "description": "A token" }],
    "servers": {
      "time": { "command": "python", "args": ["-m", "mcp_server_time", "--key=${input:token}"], "env": {} }
    }
  },
  "servers": { "not": "these" },
}
"""


def test_vs_codes_settings_from_before_it_had_a_file_for_servers() -> None:
    assert read(VSCODE_SETTINGS, "vscode", "user", "settings") == snapshot(
        (
            [
                Imported(
                    name="time",
                    table={"command": ["python", "-m", "mcp_server_time", "--key=${TOKEN}"]},
                    notes=("set the environment variable TOKEN, which VS Code asks for: A token",),
                )
            ],
            [],
        )
    )


CODEX = """\
model = "gpt-5-codex"
approval_policy = "on-request"

[mcp_servers.context7]
command = "npx"
args = ["-y", "@upstash/context7-mcp"]
env_vars = ["LOCAL_TOKEN", "not-a-name", 3, { name = "REMOTE_TOKEN", source = "local" }]
startup_timeout_sec = 20
tool_timeout_sec = 45.5
enabled_tools = ["resolve-library-id", "get-library-docs"]
disabled_tools = ["delete[all]"]

[mcp_servers.context7.env]
MY_ENV_VAR = "MY_ENV_VALUE"

[mcp_servers.figma]
url = "https://mcp.figma.com/mcp"
bearer_token_env_var = "FIGMA_OAUTH_TOKEN"
http_headers = { "X-Figma-Region" = "us-east-1" }
env_http_headers = { "X-Team" = "FIGMA_TEAM" }
enabled = false

[mcp_servers.slow]
command = "./slow"
cwd = "tools"
startup_timeout_ms = 90000

[mcp_servers.quick]
command = "quick"
startup_timeout_sec = 5
"""


def test_codexs_file() -> None:
    assert read(CODEX, "codex") == snapshot(
        (
            [
                Imported(
                    name="context7",
                    table={
                        "command": ["npx", "-y", "@upstash/context7-mcp"],
                        "env": {
                            "MY_ENV_VAR": "MY_ENV_VALUE",
                            "LOCAL_TOKEN": "${LOCAL_TOKEN:-}",
                            "REMOTE_TOKEN": "${REMOTE_TOKEN:-}",
                        },
                        "timeout": 45.5,
                        "tools": {"allow": ["resolve-library-id", "get-library-docs"], "deny": ["delete[[]all]"]},
                    },
                    notes=(),
                ),
                Imported(
                    name="figma",
                    table={
                        "url": "https://mcp.figma.com/mcp",
                        "headers": {
                            "X-Figma-Region": "us-east-1",
                            "Authorization": "Bearer ${FIGMA_OAUTH_TOKEN}",
                            "X-Team": "${FIGMA_TEAM}",
                        },
                        "enabled": False,
                    },
                    notes=(),
                ),
                Imported(name="slow", table={"command": ["./slow"], "cwd": "tools", "timeout": 90}, notes=()),
                Imported(name="quick", table={"command": ["quick"], "timeout": 30}, notes=()),
            ],
            [],
        )
    )


GEMINI = """\
{
  "theme": "GitHub",
  "mcp": { "excluded": ["off"] },
  "mcpServers": {
    "pythonTools": {
      "command": "python",
      "args": ["-m", "my_mcp_server", "--port", 8080, "--root=$PWD/data"],
      "cwd": "./mcp-servers/python",
      "env": { "DATABASE_URL": "$DB_CONNECTION_STRING", "API_KEY": "${EXTERNAL_API_KEY}", "PRICE": "5$" },
      "timeout": 15000,
      "trust": true,
      "includeTools": ["safe_tool", "run(ls)"],
      // "excludeTools": ["dangerous_tool"],
    },
    "httpServer": {
      "httpUrl": "http://localhost:3000/mcp",
      "headers": { "Authorization": "Bearer $MY_TOKEN", "X-Empty": "" },
      "timeout": 7200000
    },
    "typed": { "url": "https://api.example.com/mcp", "type": "http" },
    "untyped": { "url": "https://api.example.com/other" },
    "sse": { "url": "https://api.example.com/events", "type": "sse" },
    "google": {
      "httpUrl": "https://my-gcp-service.run.app/mcp",
      "authProviderType": "google_credentials",
      "oauth": { "scopes": ["https://www.googleapis.com/auth/userinfo.email"] }
    },
    "socket": { "tcp": "localhost:9000" },
    "off": { "command": "off" },
  },
}
"""


def test_geminis_file() -> None:
    assert read(GEMINI, "gemini", "project") == snapshot(
        (
            [
                Imported(
                    name="pythonTools",
                    table={
                        "command": ["python", "-m", "my_mcp_server", "--port", "8080", "--root=${PWD}/data"],
                        "env": {
                            "DATABASE_URL": "${DB_CONNECTION_STRING}",
                            "API_KEY": "${EXTERNAL_API_KEY}",
                            "PRICE": "5$",
                        },
                        "cwd": "/home/ada/shop/mcp-servers/python",
                        "timeout": 15,
                        "tools": {"allow": ["safe_tool", "run"]},
                    },
                    notes=(),
                ),
                Imported(
                    name="httpServer",
                    table={
                        "url": "http://localhost:3000/mcp",
                        "headers": {"Authorization": "Bearer ${MY_TOKEN}"},
                        "timeout": 3600,
                    },
                    notes=(
                        "the header 'X-Empty' is left out: it is empty, or not printable ASCII without blanks around",
                        "its timeout is cut to 3600 seconds",
                    ),
                ),
                Imported(name="typed", table={"url": "https://api.example.com/mcp"}, notes=()),
                Imported(
                    name="untyped",
                    table={"url": "https://api.example.com/other"},
                    notes=(
                        "it may speak SSE only, which the hub doesn't; if so, look for its streamable HTTP address",
                    ),
                ),
                Imported(
                    name="google",
                    table={"url": "https://my-gcp-service.run.app/mcp"},
                    notes=("the hub doesn't sign in with OAuth; put a token into headers",),
                ),
                Imported(name="off", table={"command": ["off"], "enabled": False}, notes=()),
            ],
            [
                Skipped(
                    name="sse",
                    reason="it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one",
                ),
                Skipped(name="socket", reason="it has neither command nor url"),
            ],
        )
    )


ZED = """\
// Zed settings
{
  "theme": "One Dark",
  "context_servers": {
    "local": {
      "source": "custom",
      "command": "some-command",
      "args": ["arg-1", "arg-2"],
      "env": { "TOKEN": "${TOKEN}" },
      "timeout": 120,
    },
    "remote": {
      "url": "https://example.com/mcp",
      "headers": { "Authorization": "Bearer abc123" },
      "enabled": false,
    },
    "nested": {
      "command": { "path": "old", "args": ["x"], "env": { "A": "b" } },
      "settings": {},
    },
    "mcp-server-context7": { "source": "extension", "enabled": true, "settings": { "tokens": "10000" } },
  },
}
"""


def test_zeds_file() -> None:
    assert read(ZED, "zed") == snapshot(
        (
            [
                Imported(
                    name="local",
                    table={"command": ["some-command", "arg-1", "arg-2"], "env": {"TOKEN": "${TOKEN}"}, "timeout": 120},
                    notes=("the hub will put the environment variable TOKEN where Zed leaves ${...} as it is",),
                ),
                Imported(
                    name="remote",
                    table={
                        "url": "https://example.com/mcp",
                        "headers": {"Authorization": "Bearer abc123"},
                        "enabled": False,
                    },
                    notes=(),
                ),
                Imported(name="nested", table={"command": ["old", "x"], "env": {"A": "b"}}, notes=()),
            ],
            [
                Skipped(
                    name="mcp-server-context7",
                    reason="it comes from a Zed extension, which knows its command; add it with that command",
                )
            ],
        )
    )


# Names


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("My Server (local)", "My-Server-local"),
        ("@modelcontextprotocol/server-github", "modelcontextprotocol-server-github"),
        ("1password", "server-1password"),
        ("_private", "private"),
        ("café", "cafe"),
        ("天気", "server"),
        ("", "server"),
        ("--", "server"),
        ("a" * 70, "a" * 64),
        ("9" * 70, "server-" + "9" * 57),
        ("a\x1b[2Jb", "a-2Jb"),
    ],
)
def test_a_name_that_servers_toml_cant_have_is_changed_and_told(original: str, name: str) -> None:
    (imported,), _ = names_of(original)
    assert imported.name == name
    assert imported.notes == (f"Claude Code calls it {original!r}",)


@pytest.mark.parametrize("name", ["a", "my-server", "My_Server2", "a" * 64])
def test_a_valid_name_stays(name: str) -> None:
    (imported,), _ = names_of(name)
    assert (imported.name, imported.notes) == (name, ())


def test_of_two_names_that_are_one_in_a_program_the_second_is_left_out() -> None:
    imported, skipped = names_of("my-api", "My_API", "my api", "from", "from_")
    assert [each.name for each in imported] == ["my-api", "from"]
    assert [each.name for each in skipped] == ["My_API", "my api", "from_"]
    assert skipped[0].reason == snapshot(
        "it would have the same name in a program as 'my-api'; rename one of them there"
    )


def test_a_server_that_is_left_out_takes_no_name() -> None:
    text = json.dumps({"mcpServers": {"a b": {"type": "sse", "url": "http://h"}, "a-b": {"command": "x"}}})
    imported, skipped = read(text, "claude-code")
    assert ([each.name for each in imported], [each.name for each in skipped]) == (["a-b"], ["a b"])


def test_what_a_terminal_would_act_on_in_a_name_is_escaped() -> None:
    _, (skipped,) = read('{"mcpServers": {"a\\u001b[8m\\ud800": 5}}', "claude-code")
    assert skipped == Skipped(r"a\x1b[8m\ud800", "it should be an object")


# The hub itself


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("mcp_hub", ["serve"]),
        ("/home/ada/.local/bin/mcp_hub", []),
        ("C:\\Tools\\mcp_hub.exe", ["serve", "--config", "x"]),
        ("python", ["-m", "mcp_hub", "serve"]),
        ("uvx", ["mcp_hub", "serve"]),
        ("uvx", ["mcp_hub@latest", "serve"]),
        ("uv", ["run", "--with", "x", "/opt/mcp_hub", "serve"]),
    ],
)
def test_the_hub_itself_is_left_out(command: str, args: list[str]) -> None:
    assert refused({"command": command, "args": args}) == "it is this hub"


@pytest.mark.parametrize(
    ("command", "args"),
    [("mcp_hub_tools", ["serve"]), ("ls", ["mcp_hub"]), ("npx", ["mcp-hub", "serve"]), ("cat", ["x/mcp_hub/serve"])],
)
def test_another_server_of_a_similar_name_is_not_the_hub(command: str, args: list[str]) -> None:
    assert one({"command": command, "args": args}).table == {"command": [command, *args]}


# How a server is reached


@pytest.mark.parametrize("kind", ["http", "streamable-http", "streamableHttp", "streamable_http", "HTTP", None])
@pytest.mark.parametrize("key", ["type", "transport"])
def test_a_url_is_taken_as_streamable_http(kind: str | None, key: str) -> None:
    read_one = one({key: kind, "url": "https://h/mcp", "headers": {"A": "b"}})
    assert read_one.table == {"url": "https://h/mcp", "headers": {"A": "b"}}


@pytest.mark.parametrize("kind", ["stdio", "local", "STDIO", None, ""])
def test_a_command_and_its_arguments_are_one_list(kind: str | None) -> None:
    entry = {"type": kind, "command": "npx", "args": ["-y", 3, 2.0, 2.5, True], "headers": {"A": "b"}}
    assert one(entry).table == {"command": ["npx", "-y", "3", "2", "2.5", "true"]}
    assert one({"command": "npx"}).table == one({"command": "npx", "args": None}).table == {"command": ["npx"]}


def test_the_type_decides_between_a_command_and_a_url() -> None:
    both = {"command": "x", "url": "http://h"}
    assert one({**both, "type": "http"}).table == {"url": "http://h"}
    assert one({**both, "type": "stdio"}).table == {"command": ["x"]}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            {"type": "sse", "url": "http://h/sse"},
            snapshot("it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one"),
        ),
        (
            {"transport": "sse", "url": "http://h/sse"},
            snapshot("it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one"),
        ),
        (
            {"type": "ws", "url": "ws://h"},
            snapshot("it has a type that the hub doesn't know; it speaks stdio and streamable HTTP"),
        ),
        (
            {"type": ["stdio"], "command": "x"},
            snapshot("it has a type that the hub doesn't know; it speaks stdio and streamable HTTP"),
        ),
        ({}, snapshot("it has neither command nor url")),
        ({"command": ""}, snapshot("it has neither command nor url")),
        ({"command": "x", "url": "http://h"}, snapshot("it has both command and url; take one of them out")),
        ({"type": "http", "command": "x"}, snapshot("it has a type that needs a url")),
        ({"type": "stdio", "url": "http://h"}, snapshot("it has a type that needs a command")),
        ([], snapshot("it should be an object")),
        (None, snapshot("it should be an object")),
        ({"command": ["x"]}, snapshot("its command should be a text")),
        ({"url": 5}, snapshot("its url should be a text")),
        ({"command": "x", "args": "-y"}, snapshot("its args should be a list")),
        ({"command": "x", "args": [None]}, snapshot("its args should hold texts only")),
        ({"command": "x", "env": ["A=b"]}, snapshot("its env should be an object")),
        ({"command": "x", "env": {"A": {}}}, snapshot("its env should hold texts only")),
        ({"command": "x", "cwd": 3}, snapshot("its cwd should be a text")),
        ({"command": "x", "cwd": "~bob/x"}, snapshot("its cwd is in another user's home; write it in full")),
        ({"url": "http://h", "headers": "A: b"}, snapshot("its headers should be an object")),
        (
            {"url": "example.com/mcp"},
            snapshot("its url must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any"),
        ),
        (
            {"url": "http://h:x/mcp"},
            snapshot("its url must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any"),
        ),
        ({"command": "x\0"}, snapshot("it holds a character that can't be written or handed on")),
        ({"command": "x", "env": {"\ud800": "x"}}, snapshot("it holds a character that can't be written or handed on")),
        ({"command": "x", "excludeTools": "all"}, snapshot("its excludeTools should be a list of texts")),
        (
            {"url": "http://h", "bearer_token_env_var": "A B"},
            snapshot("its bearer_token_env_var should name environment variables"),
        ),
        (
            {"url": "http://h", "env_http_headers": {"X": "A-B"}},
            snapshot("its env_http_headers should name environment variables"),
        ),
    ],
)
def test_a_server_that_cant_be_taken_over_is_left_out_with_the_reason(entry: Any, reason: str) -> None:
    assert refused(entry) == reason


def test_an_sse_address_is_no_obstacle_beside_a_streamable_http_one() -> None:
    assert one({"type": "sse", "httpUrl": "http://h/mcp", "url": "http://h/x"}, "gemini").table == {
        "url": "http://h/mcp"
    }


@pytest.mark.parametrize("url", ["https://h/sse", "https://h/v1/sse/", "https://h/sse?x=1"])
def test_an_address_that_looks_like_sse_is_taken_over_with_a_note(url: str) -> None:
    imported = one({"url": url}, "cursor")
    assert imported.table == {"url": url}
    assert imported.notes == snapshot(
        ("it may speak SSE only, which the hub doesn't; if so, look for its streamable HTTP address",)
    )
    assert one({"url": "https://h/assess"}, "cursor").notes == ()


@pytest.mark.parametrize("url", ["https://${HOST}/mcp", "${BASE}/mcp", "http://h:${PORT}/mcp", "${URL:-http://h/mcp}"])
def test_a_url_may_hold_variables(url: str) -> None:
    assert one({"url": url}).table == {"url": url}


def test_a_url_of_variables_is_taken_over_in_a_server_that_is_off_too() -> None:
    for url in ("https://${HOST}/mcp", "${BASE}/mcp"):
        assert one({"url": url, "disabled": True}).table["url"] == url


def test_a_header_that_cant_be_sent_is_left_out_with_a_note() -> None:
    imported = one({"url": "http://h", "headers": {"A": "b", "B": "", "C": "é1234", "D d": "e", "E": " f", "F": None}})
    assert imported.table == {"url": "http://h", "headers": {"A": "b"}}
    assert imported.notes == snapshot(
        (
            "the header 'B' is left out: it is empty, or not printable ASCII without blanks around",
            "the header 'C' is left out: it is empty, or not printable ASCII without blanks around",
            "the header 'D d' is left out: it is empty, or not printable ASCII without blanks around",
            "the header 'E' is left out: it is empty, or not printable ASCII without blanks around",
        )
    )


# The environment and the other variables


@pytest.mark.parametrize(
    ("client", "written", "meant"),
    [
        ("claude-code", "${A}-${B:-c}", "${A}-${B:-c}"),
        ("claude-code", "${env:A}", "${A}"),
        ("claude-code", "${CLAUDE_PROJECT_DIR}/x", "/home/ada/shop/x"),
        ("claude-code", "$A", "$A"),
        ("vscode", "${env:A}/${workspaceFolder}/${cwd}", "${A}//home/ada/shop//home/ada/shop"),
        ("vscode", "${input:my.api-key}", "${MY_API_KEY}"),
        ("cursor", "${userHome}${/}${workspaceFolderBasename}${pathSeparator}", "/home/ada/shop/"),
        ("cursor", "${env:}${}${", "${env:}${}${"),
        ("gemini", "$A/${B}/${C:-d}/$1/$", "${A}/${B}/${C:-d}/$1/$"),
        ("claude-desktop", "${env:A}/${workspaceFolder}/$A", "${env:A}/${workspaceFolder}/$A"),
        ("zed", "${A:-b}", "${A:-b}"),
    ],
)
def test_a_clients_variables_are_spelt_as_the_hub_spells_them(client: str, written: str, meant: str) -> None:
    stdio = one({"command": written, "args": [written], "env": {"X": written}, "cwd": f"/{written}"}, client)
    assert stdio.table == {"command": [meant, meant], "env": {"X": meant}, "cwd": f"/{meant}"}
    http = one({"url": f"http://h/{written}", "headers": {"X": f"x{written}."}}, client)
    assert http.table == {"url": f"http://h/{meant}", "headers": {"X": f"x{meant}."}}


@pytest.mark.parametrize(
    ("client", "written", "told"),
    [
        (
            "claude-desktop",
            "${A}${A}${B:-c}",
            snapshot(
                (
                    "the hub will put the environment variable A where Claude Desktop leaves ${...} as it is",
                    "the hub will put the environment variable B where Claude Desktop leaves ${...} as it is",
                )
            ),
        ),
        ("zed", "${A}", snapshot(("the hub will put the environment variable A where Zed leaves ${...} as it is",))),
        (
            "vscode",
            "${A}",
            snapshot(("the hub will put the environment variable A where VS Code leaves ${...} as it is",)),
        ),
        (
            "cursor",
            "${A}",
            snapshot(("the hub will put the environment variable A where Cursor leaves ${...} as it is",)),
        ),
        (
            "cursor",
            "${command:x}",
            snapshot(("the hub can't fill in ${command:...} as Cursor does; write out what is meant",)),
        ),
        (
            "vscode",
            "${workspaceFolder:api}",
            snapshot(("the hub can't fill in ${workspaceFolder:...} as VS Code does; write out what is meant",)),
        ),
        ("vscode", "${hunter2!}", snapshot(("the hub can't fill in ${...} as VS Code does; write out what is meant",))),
        ("claude-code", "${hunter2!}${command:x}", snapshot(())),
        ("claude-code", "${A}", snapshot(())),
        ("claude-desktop", "${env:A}$A", snapshot(())),
        ("gemini", "$A${B}", snapshot(())),
    ],
)
def test_a_variable_that_would_be_read_otherwise_is_noted(client: str, written: str, told: tuple[str, ...]) -> None:
    assert one({"command": "x", "env": {"X": written}}, client).notes == told


def test_an_input_is_told_as_the_variable_to_set_with_its_description() -> None:
    inputs = [{"id": "key", "description": "The key\x1b[8m"}]
    entry = {"command": "x", "env": {"A": "${input:key}", "B": "${input:key}", "C": "${input:9}"}}
    imported = one(entry, "vscode", inputs=inputs)
    assert imported.table["env"] == {"A": "${KEY}", "B": "${KEY}", "C": "${INPUT_9}"}
    assert imported.notes == snapshot(
        (
            "set the environment variable KEY, which VS Code asks for: The key\\x1b[8m",
            "set the environment variable INPUT_9, which VS Code asks for",
        )
    )


def test_values_that_are_no_texts_become_texts_and_null_is_left_out() -> None:
    env = {"A": 1, "B": 1.0, "C": 2.5, "D": True, "E": False, "F": None, "G": "", "H": 1e300}
    assert one({"command": "x", "env": env}).table["env"] == snapshot(
        {"A": "1", "B": "1", "C": "2.5", "D": "true", "E": "false", "G": "", "H": "1e+300"}
    )
    assert "env" not in one({"command": "x", "env": {"F": None}}).table


def test_a_number_of_thousands_of_digits_is_no_value() -> None:
    text = '{"mcpServers": {"a": {"command": "x", "env": {"A": 0x' + "f" * 5000 + "}}}}"
    assert read(text, "cursor")[1] == [Skipped("a", "a number in its env is too long")]


# The other keys


@pytest.mark.parametrize(
    ("scope", "written", "meant"),
    [
        ("project", "tools/x", "/home/ada/shop/tools/x"),
        ("project", ".", "/home/ada/shop"),
        ("project", "/srv", "/srv"),
        ("project", "~/x", "~/x"),
        ("project", "${ROOT}/x", "${ROOT}/x"),
        ("project", "${workspaceFolder}/x", "/home/ada/shop/x"),
        ("user", "tools/x", "tools/x"),
        ("user", "${workspaceFolder}", "/home/ada/shop"),
    ],
)
def test_a_relative_cwd_counts_from_the_project_in_a_projects_file(scope: str, written: str, meant: str) -> None:
    assert one({"command": "x", "cwd": written}, "cursor", scope).table["cwd"] == meant


@pytest.mark.parametrize("entry", [{"disabled": True}, {"enabled": False}])
def test_a_server_that_is_switched_off_stays_so(entry: dict[str, Any]) -> None:
    assert one({"command": "x", **entry}).table["enabled"] is False
    assert "enabled" not in one({"command": "x", "disabled": False, "enabled": True}).table


@pytest.mark.parametrize(
    ("client", "timeout", "seconds"),
    [
        ("claude-code", 30000, 30),
        ("gemini", 1500, 1.5),
        ("zed", 120, 120),
        ("zed", 3600, 3600),
        ("gemini", 0, None),
        ("gemini", -5, None),
        ("gemini", "30000", None),
        ("gemini", True, None),
        ("gemini", 5e-324, None),
        ("zed", float("nan"), None),
        ("cursor", 30000, None),
        ("claude-desktop", 30000, None),
    ],
)
def test_a_timeout_is_taken_over_in_seconds_where_the_client_has_one(
    client: str, timeout: Any, seconds: float | None
) -> None:
    imported = one({"command": "x", "timeout": timeout}, client)
    assert imported.table.get("timeout") == seconds
    assert imported.notes == ()


@pytest.mark.parametrize("timeout", [7_200_000, 10**400, float("inf")])
def test_a_timeout_that_is_too_long_is_cut_and_told(timeout: float) -> None:
    imported = one({"command": "x", "timeout": timeout}, "gemini")
    assert imported.table["timeout"] == 3600
    assert imported.notes == ("its timeout is cut to 3600 seconds",)


def test_codexs_two_timeouts_become_one_that_shortens_neither_calls_nor_starts() -> None:
    def timeout(**keys: int) -> Any:
        lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
        (imported,), _ = read(f'[mcp_servers.a]\ncommand = "x"\n{lines}\n', "codex")
        return imported.table.get("timeout")

    assert timeout(startup_timeout_sec=90, tool_timeout_sec=60) == 90
    assert timeout(startup_timeout_sec=20, tool_timeout_sec=60) == 60
    assert timeout(tool_timeout_sec=5) == 5
    assert timeout(startup_timeout_sec=5) == ServerSettings.model_fields["timeout"].default
    assert timeout() is None


def test_codexs_inline_token_is_told_and_not_taken_over() -> None:
    (imported,), _ = read('[mcp_servers.a]\nurl = "http://h"\nbearer_token = "s3cret-1"\n', "codex")
    assert imported.table == {"url": "http://h"}
    assert imported.notes == snapshot(
        ('its bearer_token isn\'t taken over; add the header Authorization = "Bearer ..." to headers',)
    )


def test_what_only_toml_has_is_no_text() -> None:
    imported, skipped = read(
        '[mcp_servers.a]\ncommand = "x"\nargs = [2026-01-01]\n[mcp_servers]\nb = 07:30:00\n', "codex"
    )
    assert (imported, [each.reason for each in skipped]) == (
        [],
        ["its args should hold texts only", "it should be an object"],
    )


def test_unknown_keys_are_passed_over() -> None:
    entry = {"command": "x", "trust": True, "alwaysAllow": ["y"], "gallery": True, "version": "1.0.0"}
    assert one(entry) == Imported("a", {"command": ["x"]}, ())


# Any file

SECRET = st.from_regex(r"s3cret-[a-z]{4}", fullmatch=True)
VALUE = st.one_of(
    SECRET,
    st.sampled_from(["${A}", "${env:B}", "x-${C:-d}", "$E", "${input:f-g}", "${workspaceFolder}/x", "${command:h}"]),
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.floats(),
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "command": st.sampled_from(["npx", "./x", "mcp_hub", "${A}/x", "", "~/x"]) | st.text(max_size=5),
        "args": st.lists(VALUE, max_size=3),
        "env": st.dictionaries(st.text(max_size=5) | st.just("TOKEN"), VALUE, max_size=3),
        "cwd": st.sampled_from(["x", "/x", "~/x", "~x", "${A}", ".", ""]) | st.text(max_size=5),
        "url": st.sampled_from(
            ["https://h/mcp", "https://${A}/mcp", "${URL}/mcp", "http://h:${PORT}", "ftp://h", "//["]
        ),
        "httpUrl": st.just("https://h/mcp"),
        "type": st.sampled_from(["stdio", "http", "sse", "streamable-http", "ws"]),
        "headers": st.dictionaries(st.text(max_size=5) | st.just("Authorization"), VALUE, max_size=3),
        "timeout": st.integers() | st.floats(),
        "disabled": st.booleans(),
        "includeTools": st.lists(st.text(max_size=5), max_size=2),
        "bearer_token_env_var": st.sampled_from(["TOKEN", "A B"]),
        "oauth": st.just({}) | st.just({"clientId": "s3cret-oauth"}),
        "envFile": st.just(".env"),
    },
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["command", "args", "env", "cwd", "url", "type", "headers", "timeout", "enabled", "includeTools", "env_vars"]
ODD_ENTRY = ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING | VALUE, max_size=5)
JSON_SOURCES = [source for source in SOURCES if source.client != "codex"]


def document_of(source: Source, servers: Any) -> str:
    """A client's file with these servers where it has them."""
    document: dict[str, Any] = {HOLDERS.get(source.client, "mcpServers"): servers}
    if source.scope == "local":
        document = {"projects": {str(CWD): document}}
    return json.dumps({"mcp": document, "inputs": [{"id": "f-g", "description": "D"}], **document})


def environ_for(table: dict[str, Any]) -> dict[str, str]:
    """A value for each variable that a table names: a URL for one that a URL starts with, otherwise a number."""
    names = re.findall(r"\$\{(\w+)", json.dumps(table, ensure_ascii=False))
    first = re.match(r"\$\{(\w+)", table.get("url", ""))
    return dict.fromkeys(names, "1") | ({first[1]: "http://host"} if first else {})


@given(st.dictionaries(st.text(max_size=8), ENTRY | ODD_ENTRY, max_size=4), st.sampled_from(JSON_SOURCES))
@settings(max_examples=300)
def test_every_server_that_is_taken_over_is_valid_in_servers_toml(servers: dict[str, Any], source: Source) -> None:
    imported, skipped = read_source(document_of(source, servers), source, cwd=CWD, home=HOME)
    assert len(imported) + len(skipped) == len(servers)
    text = ""
    for each in imported:
        assert SERVER_NAME.fullmatch(each.name)
        text = add_server(text, each.name, each.table, path=FILE)
        alone = parse(add_server("", each.name, each.table, path=FILE), FILE, environ_for(each.table))
        assert list(alone.servers) == [each.name]
    text.encode()


@given(ANYTHING, st.sampled_from(SOURCES))
@settings(max_examples=200)
def test_whatever_stands_where_the_servers_should_be_ends_in_reasons_or_an_error(value: Any, source: Source) -> None:
    try:
        imported, skipped = read_source(document_of(source, value), source, cwd=CWD, home=HOME)
    except ConfigError:
        return
    assert all(isinstance(each, Imported) for each in imported)
    assert all(each.reason for each in skipped)


@given(ENTRY, st.sampled_from(JSON_SOURCES))
@settings(max_examples=200)
def test_no_note_and_no_reason_repeats_a_value(entry: dict[str, Any], source: Source) -> None:
    imported, skipped = read_source(document_of(source, {"a": entry}), source, cwd=CWD, home=HOME)
    told = " ".join([note for each in imported for note in each.notes] + [each.reason for each in skipped])
    assert "s3cret" not in told
    values = [*entry.get("env", {}).values(), *entry.get("headers", {}).values()]
    assert not [value for value in values if isinstance(value, str) and len(value) > 3 and value in told]


def test_a_value_that_cant_be_taken_over_is_not_repeated() -> None:
    for entry in (
        {"url": "http://h", "headers": {"Authorization": "s3cret\n"}},
        {"url": "http://h", "headers": {"Authorization": "Bearer é s3cret"}},
        {"command": "x", "env": {"A": "s3cret\0"}},
        {"command": "x", "env": {"A": "${command:s3cret}${s3cret value}${s3:cret}"}},
        {"command": "x", "env": {"A": ["s3cret"]}},
        {"url": "http://s3cret:x", "headers": {"A": "s3cret"}},
    ):
        imported, skipped = read(json.dumps({"mcpServers": {"a": entry}}), "cursor")
        assert "s3cret" not in repr([each.notes for each in imported] + skipped)
