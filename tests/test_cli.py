"""Every command, run as a person runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.support import PATIENCE, LineHub

BARE = '[servers.%s]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--tools", "2"]\n'
BROKEN = '[servers.broken]\ncommand = ["no-such-program"]\n'


def mcp_hub(*arguments: str, cwd: Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mcp_hub", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A working directory without a servers.toml."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


@pytest.mark.usefixtures("state")
class TestCheck:
    def test_all_ready_is_a_table_and_status_0(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("check", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert done.returncode == 0
        assert [cell for cell in done.stdout.split() if cell in ("one", "ready", "2")] == ["one", "ready", "2"]
        assert "\x1b" not in done.stdout, "colour only on a terminal"

    def test_errors_stand_whole_below_the_table(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("check", "--config", str(servers_toml(BROKEN + BARE % "one")), cwd=empty)
        assert done.returncode == 1
        assert done.stdout.splitlines()[-1] == snapshot(
            "Server 'broken' can't start: there is no program 'no-such-program'. Install it, or correct "
            "servers.broken.command in servers.toml."
        )

    def test_one_that_failed_is_told_and_status_1(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("check", "--json", "--config", str(servers_toml(BROKEN + BARE % "one")), cwd=empty)
        assert done.returncode == 1
        broken, one = json.loads(done.stdout)
        assert (broken["state"], one["state"]) == ("failed", "ready")
        assert "correct servers.broken.command" in broken["error"]

    def test_a_malformed_file_is_status_2_and_no_traceback(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = servers_toml('[servers.a]\ncomand = ["x"]\n')
        done = mcp_hub("check", "--config", str(config), cwd=empty)
        assert done.returncode == 2
        assert done.stderr == f"mcp_hub: {config}:2: [servers.a.comand] unknown key 'comand'. Did you mean 'command'?\n"

    def test_a_named_file_that_is_not_there_is_status_2(self, empty: Path) -> None:
        done = mcp_hub("check", "--config", "nowhere.toml", cwd=empty)
        assert done.returncode == 2
        assert "nowhere.toml: can't be read: No such file or directory. Check the path." in done.stderr


@pytest.mark.usefixtures("state")
class TestTools:
    def test_every_signature_is_listed(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("tools", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert done.returncode == 0
        assert "# one: 2 tools" in done.stdout
        assert "def tool_000(text: str, *, count: int = 1) -> Any" in done.stdout

    def test_a_query_finds_and_json_is_for_programs(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = str(servers_toml(BARE % "one"))
        assert "one: def tool_001(" in mcp_hub("tools", "tool", "001", "--config", config, cwd=empty).stdout
        rows = json.loads(mcp_hub("tools", "--json", "--config", config, cwd=empty).stdout)
        assert [row["tool"] for row in rows] == ["tool_000", "tool_001"]

    def test_a_query_that_finds_nothing_is_status_1(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("tools", "zzzz", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert done.returncode == 1
        assert done.stderr == snapshot(
            "mcp_hub: No tool fits 'zzzz'. Servers and their tools: one (2). Try other words.\n"
        )


@pytest.mark.usefixtures("state")
class TestRun:
    def test_the_result_goes_to_stdout_and_prints_to_stderr(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        code = "print('one call')\nresult = one.tool_000(text='a')['ok']"
        done = mcp_hub("run", "-", "--config", str(servers_toml(BARE % "one")), cwd=empty, stdin=code)
        assert (done.returncode, done.stdout, done.stderr) == (0, "true\n", "one call\n")

    def test_a_program_that_fails_is_status_1_and_its_text(self, empty: Path) -> None:
        (empty / "bad.star").write_text("1 // 0\n")
        done = mcp_hub("run", "bad.star", cwd=empty)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr == snapshot("""\
error: Floor division by zero: 1 // 0
 --> program:1:1
  |
1 | 1 // 0
  | ^^^^^^
  |
""")

    def test_json_has_result_error_and_prints(self, empty: Path) -> None:
        done = mcp_hub("run", "-", "--json", cwd=empty, stdin="print('x')\nresult = [1]")
        assert json.loads(done.stdout) == {"result": [1], "error": None, "printed": "x\n", "calls": 0}
        failed = mcp_hub("run", "-", "--json", cwd=empty, stdin="nonsense")
        assert failed.returncode == 1
        assert json.loads(failed.stdout)["error"]["kind"] == "ScriptError"

    def test_only_the_servers_that_a_program_names_are_started(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        marker = tmp_path / "started"
        other = f'[servers.other]\ncommand = ["touch", "{marker}"]\n'
        done = mcp_hub(
            "run",
            "-",
            "--config",
            str(servers_toml(other + BARE % "one")),
            cwd=empty,
            stdin="result = one.tool_000(text='a')['ok']",
        )
        assert done.stdout == "true\n"
        assert not marker.exists()


@pytest.mark.usefixtures("state")
class TestTrust:
    def test_a_found_file_is_left_alone_until_it_is_trusted_and_again_when_it_changes(
        self, servers_toml: Callable[[str], Path], tmp_path: Path
    ) -> None:
        config = servers_toml(BARE % "one")
        untrusted = mcp_hub("check", cwd=tmp_path)
        assert f"{config} was found and left alone, because it isn't trusted yet" in untrusted.stderr
        assert "No server is configured. Looked for" in untrusted.stdout

        trusted = mcp_hub("trust", cwd=tmp_path)
        assert trusted.returncode == 0
        assert "bare_server.py --tools 2" in trusted.stdout
        assert "ready" in mcp_hub("check", cwd=tmp_path).stdout

        config.write_text(config.read_text() + "# changed\n")
        changed = mcp_hub("check", cwd=tmp_path)
        assert "has changed since it was trusted" in changed.stderr
        assert "one" not in changed.stdout

    def test_an_agent_is_told_of_a_file_that_was_left_alone(
        self, servers_toml: Callable[[str], Path], tmp_path: Path, state: Path
    ) -> None:
        servers_toml(BARE % "one")
        hub = LineHub(None, state, tmp_path)
        hub.initialize()
        assert "was found and left alone" in hub.call("listToolFiles")
        assert hub.close() == 0

    def test_what_a_file_starts_is_shown_without_its_secrets(
        self, servers_toml: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOKEN", "s3cr3t")
        servers_toml('[servers.a]\ncommand = ["prog", "--token=${TOKEN}"]\n')
        shown = mcp_hub("trust", cwd=tmp_path)
        assert "prog --token=${TOKEN}" in shown.stdout
        assert "s3cr3t" not in shown.stdout + shown.stderr

    def test_what_is_no_toml_is_not_trusted(self, tmp_path: Path) -> None:
        (tmp_path / "servers.toml").write_text("[servers\n")
        done = mcp_hub("trust", cwd=tmp_path)
        assert done.returncode == 2
        assert "servers.toml:1: this isn't TOML" in done.stderr


@pytest.mark.usefixtures("state")
def test_the_schema_accepts_the_example_and_refuses_a_misspelt_key(empty: Path) -> None:
    import tomllib

    from jsonschema import Draft202012Validator

    from tests.support import ROOT

    schema = json.loads(mcp_hub("config", "schema", cwd=empty).stdout)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(tomllib.loads((ROOT / "servers.toml").read_text()))
    assert not validator.is_valid({"servers": {"a": {"comand": ["x"]}}})


@pytest.mark.usefixtures("state")
def test_the_example_file_works_as_it_stands() -> None:
    from tests.support import ROOT

    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("issue 1: the example's servers run in the .venv that make makes")
    done = mcp_hub("check", "--json", "--config", str(ROOT / "servers.toml"), cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert len(json.loads(done.stdout)) == 3


def test_every_command_has_help_with_an_example(empty: Path) -> None:
    for command in ("serve", "check", "tools", "run", "trust", "config schema"):
        done = mcp_hub(*command.split(), "--help", cwd=empty)
        assert done.returncode == 0
        assert "Example:" in done.stdout, command
