"""check, tools, logs, policy test: what there is and how it stands."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.cli.commands import BARE, BROKEN, STOCK, mcp_hub
from tests.support import PATIENCE, ROOT


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
        broken, one = json.loads(done.stdout)["servers"]
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
def test_the_example_file_works_as_it_stands() -> None:
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("issue 1: the example's servers run in the .venv that make makes")
    done = mcp_hub("check", "--json", "--config", str(ROOT / "servers.toml"), cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert len(json.loads(done.stdout)["servers"]) == 3


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
            """\
mcp_hub: No tool fits 'zzzz'. Try other words, or read a file:
servers/one.pyi  2 tools
  def tool_000(text: str, *, count: int = 1) -> Any  # Process a text in way 0 and say how it went.
  def tool_001(text: str, *, count: int = 1) -> Any  # Process a text in way 1 and say how it went.
"""
        )


POLICY = (
    STOCK
    + """[policy]
mode = "read-only"
deny = ["stock.search_*"]
"""
)


@pytest.mark.usefixtures("stock_known")
@pytest.mark.xdist_group("the stock server is known")
class TestPolicy:
    def test_a_decision_is_told_with_its_reason_and_status(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(POLICY))
        told = {
            tool: mcp_hub("policy", "test", f"stock.{tool}", "--config", config, cwd=empty)
            for tool in ("restock", "search_products")
        }
        assert [done.returncode for done in told.values()] == [1, 1]
        assert "".join(done.stdout for done in told.values()).replace(config, "servers.toml") == snapshot("""\
stock.restock is denied: it isn't annotated as read-only, and mode is "read-only" in [policy] in servers.toml; no \
allow rule lists it.
stock.search_products (readOnly) is denied: the rule 'stock.search_*' in deny of [policy] in servers.toml.
""")

    def test_globs_decide_on_every_tool_that_fits(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = str(servers_toml(POLICY))
        done = mcp_hub("policy", "test", "s*.*", "--json", "--config", config, cwd=empty)
        assert done.returncode == 1
        rows = json.loads(done.stdout)
        assert {row["tool"]: row["allowed"] for row in rows} == {
            "get_product": True,
            "restock": False,
            "search_products": False,
            "shortages": True,
            "stock_levels": True,
        }
        assert rows[0]["annotations"] == ["readOnly"]

    def test_a_tool_that_is_not_there_is_told_with_the_nearest(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(POLICY))
        done = mcp_hub("policy", "test", "stock.restok", "--config", config, cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert "There is no tool 'restok' in stock. Did you mean 'restock'?" in done.stderr

    def test_what_is_no_tool_is_status_2(self, empty: Path) -> None:
        done = mcp_hub("policy", "test", "restock", cwd=empty)
        assert done.returncode == 2
        assert "'restock' must be SERVER.TOOL, such as github.list_issues." in done.stderr

    def test_check_tells_of_a_rule_that_fits_no_tool(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = servers_toml(STOCK + '[policy]\ndeny = ["stock.restok", "@destructive"]\n')
        done = mcp_hub("check", "--config", str(config), cwd=empty)
        assert done.returncode == 0
        assert done.stderr == f"mcp_hub: The rule 'stock.restok' of [policy] in {config} fits no tool.\n"


class TestLogs:
    @pytest.fixture
    def log(self, state: Path) -> Path:
        (state / "logs" / "servers").mkdir(parents=True)
        path = state / "logs" / "servers" / "one.log"
        path.write_text("".join(f"line {number}\n" for number in range(100)))
        return path

    def test_the_last_lines_of_a_servers_log_are_shown(self, log: Path, empty: Path) -> None:
        assert mcp_hub("logs", "one", cwd=empty).stdout.splitlines() == [f"line {number}" for number in range(60, 100)]
        assert mcp_hub("logs", "one", "-n", "2", cwd=empty).stdout == "line 98\nline 99\n"
        assert mcp_hub("logs", "one", "-n", "0", cwd=empty).stdout == ""

    def test_without_a_server_it_is_the_hubs_own(self, log: Path, empty: Path) -> None:
        (log.parent.parent / "hub.log").write_text("the hub\n")
        assert mcp_hub("logs", cwd=empty).stdout == "the hub\n"

    @pytest.mark.usefixtures("state")
    def test_a_server_that_is_not_there_is_told_with_the_nearest(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(BARE % "github"))
        done = mcp_hub("logs", "githb", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == (
            1,
            "mcp_hub: There is no server 'githb'. Did you mean 'github'? Servers: github.\n",
        )
        done = mcp_hub("logs", "github", "--config", config, cwd=empty)
        assert done.returncode == 0
        assert "nothing was written to" in done.stderr

    def test_a_log_is_followed_until_ctrl_c(self, log: Path, empty: Path) -> None:
        command = [sys.executable, "-m", "mcp_hub", "logs", "one", "-n", "1", "-f"]
        process = subprocess.Popen(command, cwd=empty, stdout=subprocess.PIPE, env=dict(os.environ))
        assert process.stdout is not None

        def next_line() -> bytes:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], PATIENCE)[0]
            return process.stdout.readline()

        assert next_line() == b"line 99\n"
        with log.open("a") as file:
            file.write("line 100\n")
        assert next_line() == b"line 100\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        process.stdout.close()
