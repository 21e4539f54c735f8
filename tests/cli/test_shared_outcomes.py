"""What commands have in common as one meets it: exit statuses, signals, texts without tracebacks, completed names."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import click
import pytest
from click.testing import CliRunner

from mcp_hub.cli.shared import FAILED, OK, UNUSABLE, run_to_end, says_what_is_wrong
from mcp_hub.errors import CallerError, ConfigError, DownstreamError, HubError, LimitError
from tests.cli.commands import BARE, mcp_hub
from tests.cli.running import wrong
from tests.support import PATIENCE


class TestSaysWhatIsWrong:
    @pytest.mark.parametrize(
        ("error", "status", "text"),
        [
            (ConfigError("is odd.", file="servers.toml", line=3, key="hub"), UNUSABLE, "servers.toml:3: [hub] is odd."),
            (CallerError("There is no such tool."), FAILED, "There is no such tool."),
            (DownstreamError("github", "is gone."), FAILED, "Server 'github' is gone."),
            (
                LimitError("seconds", "1", "", ""),
                FAILED,
                "The program was ended: it reached the limit seconds = 1 (hub.limits.seconds in servers.toml).",
            ),
            (PermissionError(13, "Permission denied", "/x"), UNUSABLE, "[Errno 13] Permission denied: '/x'"),
        ],
        ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
    )
    def test_an_error_is_its_text_on_stderr_and_a_status(self, error: Exception, status: int, text: str) -> None:
        @click.command()
        @says_what_is_wrong
        def fails() -> None:
            raise error

        done = CliRunner().invoke(fails)
        assert (done.exit_code, done.stdout, done.stderr) == (status, "", f"mcp_hub: {text}\n")

    def test_a_fault_of_ours_is_not_hidden(self) -> None:
        @click.command()
        @says_what_is_wrong
        def fails() -> None:
            raise ZeroDivisionError

        assert isinstance(CliRunner().invoke(fails).exception, ZeroDivisionError)


class TestRunToEnd:
    def test_the_status_is_handed_on(self) -> None:
        async def work() -> int:
            return FAILED

        assert run_to_end(work) == FAILED

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_the_work_in_order_and_is_the_status_that_shells_have(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        ended = []

        async def work() -> int:
            await anyio.wait_all_tasks_blocked()  # until signals are listened to
            os.kill(os.getpid(), number)
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("in order")
            return OK

        assert run_to_end(work) == 128 + number
        assert ended == ["in order"]
        assert signal.getsignal(number) is before

    def test_an_error_from_within_task_groups_comes_out_by_itself(self) -> None:
        async def fail() -> None:
            raise CallerError("no")

        async def work() -> int:
            async with anyio.create_task_group() as outer, anyio.create_task_group() as inner:
                inner.start_soon(fail)
                outer.start_soon(anyio.sleep_forever)
            return OK

        with pytest.raises(HubError, match=r"^no$"):
            run_to_end(work)

    def test_no_loop_is_left_running(self) -> None:
        async def work() -> int:
            return OK

        run_to_end(work)
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()


@pytest.mark.usefixtures("state")
class TestConfigOption:
    """--config and $MCP_HUB_CONFIG, for every command that reads a servers.toml."""

    @pytest.mark.parametrize(
        "command",
        [
            ("check",),
            ("tools",),
            ("run", "-"),
            ("call", "a.b"),
            ("policy", "test", "a.b"),
            ("serve",),
        ],
        ids=" ".join,
    )
    def test_a_file_that_is_wrong_is_told_with_its_line_and_status_2(
        self, command: tuple[str, ...], empty: Path
    ) -> None:
        (empty / "mine.toml").write_text('[servers.a]\ncomand = ["x"]\n')
        done = mcp_hub(*command, "--config", "mine.toml", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"mcp_hub: {empty / 'mine.toml'}:2: [servers.a.comand] unknown key 'comand'. Did you mean 'command'?\n"
        )

    def test_the_variable_names_the_file_too_and_the_option_goes_before_it(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        (empty / "other.toml").write_text("[servers\n")
        config = str(servers_toml("[servers.a]\ncommand = ['x']\nenabled = false\n"))
        from_variable = mcp_hub("check", cwd=empty, MCP_HUB_CONFIG=config)
        assert (from_variable.returncode, from_variable.stdout) == (0, f"No server is switched on in {config}.\n")
        from_option = mcp_hub("check", "--config", config, cwd=empty, MCP_HUB_CONFIG=str(empty / "other.toml"))
        assert from_option.stdout == from_variable.stdout

    def test_a_home_that_is_nobodys_is_told(self, empty: Path) -> None:
        done = mcp_hub("check", "--config", "~no-such-user-here/servers.toml", cwd=empty)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


@pytest.mark.usefixtures("state")
def test_a_reader_that_has_gone_is_no_error_to_tell(empty: Path, state: Path) -> None:
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "hub.log").write_text("a line\n" * 100)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "mcp_hub", "logs"],
        cwd=empty,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(write)
    assert done.stderr == ""


@pytest.mark.usefixtures("state")
class TestCompleteServers:
    def completed(self, cwd: Path, typed: str, **environment: str) -> list[str]:
        """What a shell offers after a command line."""
        words = {"_MCP_HUB_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
        done = mcp_hub(cwd=cwd, **words, **environment)
        return [line.removeprefix("plain,") for line in done.stdout.split()]

    def test_names_of_both_files_are_offered_once_each_in_order(self, tmp_path: Path, empty: Path) -> None:
        users = tmp_path / "config" / "mcp_hub" / "servers.toml"
        users.parent.mkdir(parents=True)
        users.write_text(BARE % "zeta" + BARE % "both" + "enabled = false\n")
        (empty / "servers.toml").write_text(BARE % "both" + BARE % "alpha")
        assert self.completed(empty, "mcp_hub logs ") == ["alpha", "both", "zeta"]
        assert self.completed(empty, "mcp_hub logs b") == ["both"]

    def test_a_named_files_names_are_offered_alone(self, empty: Path) -> None:
        (empty / "servers.toml").write_text(BARE % "here")
        (empty / "mine.toml").write_text(BARE % "there")
        assert self.completed(empty, "mcp_hub remove --config mine.toml ") == ["there"]
        assert self.completed(empty, "mcp_hub remove ", MCP_HUB_CONFIG=str(empty / "mine.toml")) == ["there"]

    def test_a_file_that_cannot_be_read_offers_nothing_and_says_nothing(self, tmp_path: Path, empty: Path) -> None:
        users = tmp_path / "config" / "mcp_hub" / "servers.toml"
        users.mkdir(parents=True)
        (empty / "servers.toml").write_text("[servers\n")
        assert self.completed(empty, "mcp_hub logs ") == []


@pytest.mark.parametrize("command", [("call",), ("policy", "test")], ids=" ".join)
def test_a_tool_without_a_server_is_status_2_before_anything_is_read(command: tuple[str, ...], empty: Path) -> None:
    done = mcp_hub(*command, "list_issues", "--config", "nowhere.toml", cwd=empty)
    assert done.returncode == 2
    assert wrong(done) == "Invalid value: 'list_issues' must be SERVER.TOOL, such as github.list_issues."
