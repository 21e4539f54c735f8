"""import: taking over other clients' servers, and telling what was left and why."""

import json
import tomllib
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.cli.commands import mcp_hub


@pytest.fixture
def home(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with Claude Code's and Cursor's servers."""
    folder = tmp_path / "home"
    (folder / ".cursor").mkdir(parents=True)
    (folder / ".claude.json").write_text(
        json.dumps(
            {
                "numStartups": 3,
                "mcpServers": {
                    "github": {"command": "npx", "args": ["-y", "gh"], "env": {"TOKEN": "s3cr3t-of-ada"}},
                    "mcp_hub": {"command": "mcp_hub", "args": ["serve"]},
                    "old": {"type": "sse", "url": "http://h/sse"},
                },
            }
        )
    )
    (folder / ".cursor" / "mcp.json").write_text(
        '{ // comments are allowed\n"mcpServers": {"github": {"command": "other"}, "notes": {"url": "http://h/mcp"},}}'
    )
    monkeypatch.setenv("HOME", str(folder))
    return folder


def users_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "mcp_hub" / "servers.toml"


def test_the_users_servers_are_taken_over_and_the_rest_is_told(home: Path, empty: Path, tmp_path: Path) -> None:
    done = mcp_hub("import", cwd=empty)
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace(str(tmp_path), "") == snapshot("""\
Claude Code, /home/.claude.json:
  github  npx -y gh
  mcp_hub  left out: it is this hub
  old  left out: it speaks SSE, which the hub doesn't; add its streamable HTTP address, if it has one
Cursor, /home/.cursor/mcp.json:
  notes  http://h/mcp
  github  left out: another server of this name was taken from /home/.claude.json
2 servers added to /config/mcp_hub/servers.toml. `mcp_hub check` connects to all; \
take them out of the clients yourself.
""")
    assert tomllib.loads(users_file(tmp_path).read_text()) == {
        "servers": {
            "github": {"command": ["npx", "-y", "gh"], "env": {"TOKEN": "s3cr3t-of-ada"}},
            "notes": {"url": "http://h/mcp"},
        }
    }
    assert users_file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert "s3cr3t" not in done.stdout + done.stderr


def test_a_second_import_changes_nothing(home: Path, empty: Path, tmp_path: Path) -> None:
    mcp_hub("import", cwd=empty)
    before = users_file(tmp_path).read_text()
    done = mcp_hub("import", cwd=empty)
    assert "Nothing was added." in done.stdout
    assert "github  left out: servers.toml has a server of this name already" in done.stdout
    assert users_file(tmp_path).read_text() == before


def test_a_dry_run_writes_nothing(home: Path, empty: Path, tmp_path: Path) -> None:
    done = mcp_hub("import", "--dry-run", cwd=empty)
    assert f"2 servers would be added to {users_file(tmp_path)}." in done.stdout
    assert not users_file(tmp_path).exists()


def test_json_names_what_was_taken_and_left_and_no_value(home: Path, empty: Path) -> None:
    done = mcp_hub("import", "--json", "--client", "claude-code", cwd=empty)
    told = json.loads(done.stdout)
    assert [each["name"] for each in told["imported"]] == ["github"]
    assert {each["name"]: each["client"] for each in told["left"]} == {"mcp_hub": "claude-code", "old": "claude-code"}
    assert "s3cr3t" not in done.stdout


def test_a_projects_file_is_read_when_it_is_named(home: Path, empty: Path, tmp_path: Path) -> None:
    (empty / ".mcp.json").write_text('{"mcpServers": {"evil": {"command": "touch", "args": ["x"]}}}')
    (home / ".claude.json").unlink()
    (home / ".cursor" / "mcp.json").unlink()
    done = mcp_hub("import", cwd=empty)
    assert done.stdout == snapshot("""\
No other client has a server that could be taken over.
Not read, because the project brings it along: mcp_hub import .mcp.json
""")
    assert not users_file(tmp_path).exists()
    assert mcp_hub("import", ".mcp.json", "--scope", "project", cwd=empty).returncode == 0
    assert "[servers.evil]" in (empty / "servers.toml").read_text()


def test_any_file_is_read_in_the_format_of_its_name_or_of_the_client_that_is_named(
    home: Path, empty: Path, tmp_path: Path
) -> None:
    (empty / ".vscode").mkdir()
    (empty / ".vscode" / "mcp.json").write_text('{"servers": {"a": {"command": "x"},},}')
    (empty / "some.toml").write_text('[mcp_servers.b]\ncommand = "x"\n')
    (empty / "some.json").write_text('{"context_servers": {"c": {"command": "x"}}}')
    for arguments in ((".vscode/mcp.json",), ("some.toml",), ("some.json", "--client", "zed")):
        done = mcp_hub("import", *arguments, "--config", "x.toml", cwd=empty)
        assert "1 server added" in done.stdout, done.stdout + done.stderr
    assert list(tomllib.loads((empty / "x.toml").read_text())["servers"]) == ["a", "b", "c"]


def test_only_the_servers_that_are_asked_for_are_taken(home: Path, empty: Path, tmp_path: Path) -> None:
    done = mcp_hub("import", "--only", "notes", cwd=empty)
    assert "github  left out: it wasn't asked for (--only)" in done.stdout
    assert list(tomllib.loads(users_file(tmp_path).read_text())["servers"]) == ["notes"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "bad.json:1: "), ("[]", "bad.json: "), (None, "bad.json: can't be read: No such file or directory.")],
)
def test_a_file_that_cannot_be_read_is_status_2(home: Path, empty: Path, content: str | None, said: str) -> None:
    if content is not None:
        (empty / "bad.json").write_text(content)
    done = mcp_hub("import", "bad.json", cwd=empty)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_client_that_is_not_known_is_status_2(home: Path, empty: Path) -> None:
    done = mcp_hub("import", "--client", "emacs", cwd=empty)
    assert done.returncode == 2
    assert "there is no client 'emacs'; known are claude-code," in done.stderr
