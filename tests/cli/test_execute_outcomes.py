"""run and call as whoever types them meets them: what comes on stdout, what on stderr, and the exit status."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from inline_snapshot import snapshot

from tests.cli.commands import BARE, BROKEN, STOCK, mcp_hub
from tests.cli.running import MISBEHAVING, started, wait_for, wrong
from tests.support import PATIENCE, wait_until_gone

pytestmark = pytest.mark.usefixtures("state")


class TestRun:
    def test_a_text_is_printed_as_it_is_and_json_keeps_its_quotes(self, empty: Path) -> None:
        code = 'result = "Malmö\\n2"'
        assert mcp_hub("run", "-", cwd=empty, stdin=code).stdout == "Malmö\n2\n"
        assert '"result": "Malmö\\n2", ' in mcp_hub("run", "-", "--json", cwd=empty, stdin=code).stdout

    def test_what_was_printed_before_a_failure_goes_before_its_text(self, empty: Path) -> None:
        done = mcp_hub("run", "-", cwd=empty, stdin='print("so far")\nfail("no more")')
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("so far\n")
        assert "\nerror: fail: no more\n" in done.stderr

    def test_a_limit_that_is_reached_is_status_1(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = str(servers_toml("[hub.limits]\nsteps = 1000\n"))
        code = "result = sum([i * i for i in range(100000)])"
        done = mcp_hub("run", "-", "--json", "--config", config, cwd=empty, stdin=code)
        assert done.returncode == 1
        assert json.loads(done.stdout)["error"]["kind"] == "LimitError"

    def test_a_tool_that_is_denied_ends_the_program(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        journal = tmp_path / "journal"
        config = str(servers_toml(MISBEHAVING % ("ok", journal) + '[policy]\ndeny = ["odd.fine"]\n'))
        done = mcp_hub("run", "-", "--config", config, cwd=empty, stdin="odd.fine()")
        assert (done.returncode, done.stdout) == (1, "")
        assert "odd.fine was not called, because the policy denies it" in done.stderr
        assert "tools/call" not in journal.read_text()

    def test_a_server_that_is_broken_is_told_to_the_program_that_names_it(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(BROKEN + BARE % "one"))
        named = mcp_hub("run", "-", "--config", config, cwd=empty, stdin="result = broken.tool()")
        assert (named.returncode, named.stdout) == (1, "")
        assert "Server 'broken' can't start: there is no program 'no-such-program'." in named.stderr
        other = mcp_hub("run", "-", "--config", config, cwd=empty, stdin="result = one.tool_000(text='a')['n']")
        assert (other.returncode, other.stdout, other.stderr) == (0, "1\n", "")

    def test_a_file_that_is_not_there_is_status_2(self, empty: Path) -> None:
        done = mcp_hub("run", "nowhere.star", cwd=empty)
        assert (done.returncode, wrong(done)) == (
            2,
            "Invalid value for 'FILE': 'nowhere.star': No such file or directory",
        )

    def test_a_file_that_is_not_utf_8_is_status_2(self, empty: Path) -> None:
        (empty / "bad.star").write_bytes(b'result = "caf\xe9"\n')
        done = mcp_hub("run", "bad.star", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "mcp_hub: bad.star: isn't UTF-8; save the file as UTF-8.\n"


class TestCall:
    def test_arguments_come_at_the_tool_in_its_own_types(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = ("--json", "--config", str(servers_toml(STOCK)))
        given = ("product_id=P-13", "quantity=3", "warehouse=south", 'delivery={"supplier": "42"}')
        level = mcp_hub("call", "stock.restock", *[f"--arg={each}" for each in given], *config, cwd=empty)
        assert (level.returncode, level.stderr) == (0, "")
        assert json.loads(level.stdout)["on_hand"] == {"north": 0, "south": 3}
        found = mcp_hub("call", "stock.search_products", "-a", "query=7", "-a", "category=null", *config, cwd=empty)
        assert (found.returncode, found.stdout) == (0, '{"products": [], "total": 0}\n')

    def test_an_answer_in_text_is_printed_as_it_is(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        config = str(servers_toml(MISBEHAVING % ("ok", tmp_path / "journal")))
        done = mcp_hub("call", "odd.fine", "--config", config, cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")

    def test_a_tool_that_fails_is_status_1_and_its_own_words(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        config = str(servers_toml(MISBEHAVING % ("ok", tmp_path / "journal")))
        done = mcp_hub("call", "odd.do", "-a", "what=error", "--json", "--config", config, cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.replace(str(tmp_path), "") == snapshot(
            "mcp_hub: Server 'odd' answered do with error -32000: the disk is full.\n"
        )

    def test_a_server_that_cannot_start_is_status_1(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("call", "broken.tool", "--config", str(servers_toml(BROKEN)), cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Server 'broken' can't start: there is no program 'no-such-program'." in done.stderr

    def test_a_server_that_is_not_there_is_told_with_the_nearest(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        done = mcp_hub("call", "brokn.tool", "--config", str(servers_toml(BROKEN)), cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "mcp_hub: There is no server 'brokn'. Did you mean 'broken'? Servers: broken.\n"

    def test_arguments_that_are_too_deep_to_read_are_told(self, empty: Path) -> None:
        done = mcp_hub("call", "a.b", "--args", "-", cwd=empty, stdin="[" * 100_000)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)

    def test_ctrl_c_ends_a_call_that_hangs_with_nothing_left_behind(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        journal = tmp_path / "journal"
        config = str(servers_toml(MISBEHAVING % ("ok", journal)))
        with started("call", "odd.do", "-a", "what=hang", "--config", config, cwd=empty) as command:
            wait_for(journal, "tools/call")
            below = [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
            assert below
            command.send_signal(signal.SIGINT)
            said = command.communicate(timeout=PATIENCE)
        assert (command.returncode, *said) == (130, "", "")
        assert wait_until_gone(below) == []
