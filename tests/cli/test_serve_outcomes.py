"""serve as whoever starts it meets it: what it says on stderr, and how each way of ending it ends it."""

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cli.commands import BARE, mcp_hub
from tests.cli.running import MISBEHAVING, alone, prepared, wait_for, wrong
from tests.support import PATIENCE, HttpHub, wait_until_gone

pytestmark = pytest.mark.usefixtures("state")


class TestOnStdio:
    def test_it_ends_with_stdin_and_stdout_is_the_protocols_alone(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        done = alone("serve", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_file_that_was_left_alone_is_told_and_it_serves_all_the_same(
        self, servers_toml: Callable[[str], Path], tmp_path: Path
    ) -> None:
        config = servers_toml(BARE % "one")
        done = prepared("serve", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.startswith(f"mcp_hub: {config} was found and left alone, because it isn't trusted yet")

    def test_the_log_level_decides_what_is_said(self, empty: Path) -> None:
        line = "mcp_hub: no hub of this configuration is served over HTTP, so this one serves by itself\n"
        said = {level: prepared("serve", "--attach", "--log-level", level, cwd=empty) for level in ("WARNING", "ERROR")}
        assert {level: (done.returncode, done.stderr) for level, done in said.items()} == {
            "WARNING": (0, line),
            "ERROR": (0, ""),
        }

    def test_a_log_level_that_is_none_is_refused(self, empty: Path) -> None:
        done = mcp_hub("serve", "--log-level", "LOUD", cwd=empty)
        assert done.returncode == 2
        assert "'LOUD' is not one of" in wrong(done)


class TestTokens:
    @pytest.mark.parametrize(
        ("token", "said"),
        [
            ("tiny-s3cr3t", "mcp_hub: [hub.http.tokens.laptop] the token is too short to be a secret."),
            ("${LAPTOP_TOKEN}", "mcp_hub: [hub.http.tokens.laptop] the token is empty: is its environment variable"),
        ],
    )
    def test_a_token_that_protects_nothing_is_told_by_name_and_not_shown(
        self, token: str, said: str, servers_toml: Callable[[str], Path], empty: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LAPTOP_TOKEN", raising=False)
        config = str(servers_toml(f'[hub.http.tokens]\nlaptop = "{token}"\n'))
        done = mcp_hub("serve", "--http", "127.0.0.1:0", "--config", config, cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(said)
        assert "s3cr3t" not in done.stderr

    def test_only_http_needs_them(
        self, servers_toml: Callable[[str], Path], empty: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LAPTOP_TOKEN", raising=False)
        config = str(servers_toml('[hub.http.tokens]\nlaptop = "${LAPTOP_TOKEN}"\n'))
        done = prepared("serve", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_hub_that_serves_http_with_nothing_left_behind(
    number: signal.Signals, servers_toml: Callable[[str], Path], state: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    hub = HttpHub(servers_toml(MISBEHAVING % ("ok", journal)), state, tmp_path)
    wait_for(journal, "tools/list")
    started = [child.pid for child in psutil.Process(hub.process.pid).children(recursive=True)]
    assert started
    hub.process.send_signal(number)
    assert hub.process.wait(PATIENCE) == 0
    assert wait_until_gone(started) == []
    assert list((state / "running").iterdir()) == []
    said = hub.log()
    hub.close()
    assert said.splitlines()[0] == f"mcp_hub: serving at {hub.url}"
    assert "Traceback" not in said
