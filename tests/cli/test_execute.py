"""run and call: the servers without a client."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.cli.execute import typed
from mcp_hub.hub.catalog import build_server
from tests.cli.commands import BARE, mcp_hub


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
The program failed (script).
error: Floor division by zero: 1 // 0
 --> program:1:1
  |
1 | 1 // 0
  | ^^^^^^
  |
Next: nothing was called, so mend the program and send it again.
""")

    def test_json_has_the_runs_id_its_result_error_and_prints(self, empty: Path) -> None:
        done = mcp_hub("run", "-", "--json", cwd=empty, stdin="print('x')\nresult = [1]")
        told = json.loads(done.stdout)
        assert json.loads(mcp_hub("runs", "show", told.pop("run"), "--json", cwd=empty).stdout)["answer"] == "[1]"
        assert told == {"result": [1], "error": None, "printed": "x\n", "calls": 0}
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

    def test_a_run_that_failed_is_resumed_and_calls_nothing_again(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = ("--config", str(servers_toml(BARE % "one")))
        code = "result = one.tool_000(text='a')['n']\n"
        failed = mcp_hub("run", "-", *config, cwd=empty, stdin=f"{code}fail('stop')")
        run = failed.stderr.partition('resume="')[2].partition('"')[0]
        other = "one.tool_001(text='b')\n"
        resumed = mcp_hub("run", "-", "--resume", run, *config, cwd=empty, stdin=f"{other}{code}")
        assert (resumed.returncode, resumed.stdout) == (0, "1\n"), "a new server would count 2 for its second call"
        gone = mcp_hub("run", "-", "--resume", "nosuchrun", *config, cwd=empty, stdin=code)
        assert (gone.returncode, gone.stdout) == (1, "")
        assert gone.stderr == snapshot(
            "mcp_hub: There is no run 'nosuchrun' to resume. Send the program without resume.\n"
        )


ECHO = """
[servers.echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
[policy]
deny = ["echo.fail"]
"""


def test_an_argument_is_text_where_text_is_taken_and_json_elsewhere() -> None:
    types: dict[str, Any] = {
        "text": {"type": "string"},
        "choice": {"enum": ["1", "two"]},
        "optional": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "string"}},
        "anything": {},
    }
    listed = [{"name": "tool", "inputSchema": {"type": "object", "properties": types}}]
    tool = build_server("server", "", listed).tools["tool"]
    texts = {
        "text": ["42", "[1]", "null", "plain"],
        "choice": ["1"],
        "optional": ["1", "null"],
        "number": ["1.5", "soon"],
        "flag": ["true"],
        "list": ['["a"]', "a"],
        "anything": ['{"a": null}', "plain words"],
        "unknown": ["1"],
    }
    assert {name: [typed(tool, name, text) for text in given] for name, given in texts.items()} == {
        "text": ["42", "[1]", "null", "plain"],
        "choice": ["1"],
        "optional": ["1", None],
        "number": [1.5, "soon"],
        "flag": [True],
        "list": [["a"], "a"],
        "anything": [{"a": None}, "plain words"],
        "unknown": [1],
    }


@pytest.mark.usefixtures("state")
class TestCall:
    @pytest.fixture
    def journal(self, tmp_path: Path) -> Path:
        return tmp_path / "journal"

    @pytest.fixture
    def config(self, servers_toml: Callable[[str], Path], journal: Path) -> str:
        return str(servers_toml(ECHO % journal))

    def test_the_answer_is_readable_or_json(self, config: str, empty: Path) -> None:
        text = ("call", "echo.echo_text", "--arg", "text=4 = 2", "--config", config, "--json")
        assert mcp_hub(*text, cwd=empty).stdout == '"4 = 2"\n'
        whole = ("call", "echo.echo", "--args", '{"value": {"a": 1}}', "--config", config)
        assert mcp_hub(*whole, cwd=empty).stdout == '{\n  "value": {\n    "a": 1\n  }\n}\n'

    def test_all_arguments_may_come_from_stdin_and_single_ones_go_over_them(self, config: str, empty: Path) -> None:
        done = mcp_hub(
            *("call", "echo.echo", "--args", "-", "-a", "value=2", "--json", "--config", config),
            cwd=empty,
            stdin='{"value": 1}',
        )
        assert json.loads(done.stdout) == {"value": 2}

    @pytest.mark.parametrize(
        ("arguments", "status", "said"),
        [
            (
                ("echo.ecko",),
                1,
                snapshot(
                    "mcp_hub: There is no tool 'ecko' in echo. Did you mean 'echo'? "
                    "readToolFile('servers/echo.pyi') lists all.\n"
                ),
            ),
            (
                ("echo.echo_text", "--arg", "txt=a"),
                1,
                snapshot(
                    "mcp_hub: echo.echo_text was not called: no parameter 'txt' (did you mean 'text'?). It is: def "
                    "echo_text(text: str) -> Any\n"
                ),
            ),
            (
                ("echo.sleep", "--arg", "seconds=soon"),
                1,
                snapshot(
                    'mcp_hub: echo.sleep was not called: argument seconds: expected float, got text "soon". It is: '
                    'def sleep(seconds: float, *, label: str = "sleep") -> Any\n'
                ),
            ),
            (
                ("echo.fail", "--arg", "message=x"),
                1,
                snapshot(
                    "mcp_hub: echo.fail was not called, because the policy denies it: the rule 'echo.fail' in deny "
                    "of [policy] in servers.toml. Do without it, or ask the person who runs the hub to allow it.\n"
                ),
            ),
        ],
    )
    def test_what_goes_wrong_is_told_and_status_1(
        self, config: str, empty: Path, arguments: tuple[str, ...], status: int, said: str, journal: Path
    ) -> None:
        done = mcp_hub("call", *arguments, "--config", config, cwd=empty)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.replace(config, "servers.toml") == said
        assert not [line for line in (journal.read_text() if journal.exists() else "").splitlines() if "call" in line]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("echo",), "'echo' must be SERVER.TOOL, such as github.list_issues."),
            (("echo.echo", "--arg", "value"), "--arg 'value' must be NAME=VALUE."),
            (("echo.echo", "--args", "{"), "--args isn't JSON:"),
            (("echo.echo", "--args", "[]"), '--args must be a JSON object, such as {"owner": "a"}.'),
        ],
    )
    def test_a_call_that_cannot_be_read_is_status_2(self, empty: Path, arguments: tuple[str, ...], said: str) -> None:
        done = mcp_hub("call", *arguments, cwd=empty)
        assert done.returncode == 2
        assert said in done.stderr
