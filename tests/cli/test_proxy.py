"""The proxy's commands: keys are shown once, usage adds up, and the proxy serves until it is told to end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from inline_snapshot import snapshot

from mcp_hub.cli import proxy
from mcp_hub.proxy.budgets import Want
from mcp_hub.proxy.keys import PREFIX, digest_of
from mcp_hub.proxy.pricing import Usage
from mcp_hub.store import ledger
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.keys import KeyStore
from mcp_hub.store.ledger import Entry, Ledger, Served, ServedBy, Status
from mcp_hub.store.upstream_states import UpstreamState, UpstreamStates
from tests.cli.commands import mcp_hub
from tests.support import PATIENCE

DOLLAR = 1_000_000_000


@pytest.fixture
def spent(state: Path) -> Path:
    """A ledger with two requests of one key, and one of another."""
    open_database(state).conn.close()
    kept = Ledger(state / FILE_NAME, "tests")
    for number, (key, model, dollars) in enumerate(
        [("ci", "claude-sonnet-4-6", DOLLAR), ("ci", "claude-sonnet-4-6", DOLLAR // 2), ("web", "claude-opus-4-6", 7)]
    ):
        at = time.time()
        entry = Entry(f"r{number}", at, key, "team", "", "anthropic", "s", model, model)
        kept.reserve(entry, [], Want(dollars, 100), at)
        kept.settle(entry.id, Usage(input=90, output=10), dollars, Status.OK, 0.1, 0.2, 200)
    kept.close()
    return state


class TestKeys:
    def test_a_key_is_shown_once_and_kept_as_its_digest(self, state: Path, empty: Path) -> None:
        made = mcp_hub("keys", "create", "ci", "--team", "web", "--budget", "50/1d", "--allow", "claude-*", cwd=empty)
        secret = made.stdout.strip()
        assert made.returncode == 0
        assert secret.startswith(PREFIX)
        (record,) = KeyStore(state / FILE_NAME).read()
        assert (record.name, record.digest, record.team, record.allowed_models) == (
            "ci",
            digest_of(secret),
            "web",
            ("claude-*",),
        )
        assert [(cap.kind, cap.limit, cap.period.duration) for cap in record.caps] == [("dollars", 50 * DOLLAR, "1d")]
        listed = mcp_hub("keys", "list", cwd=empty)
        assert re.sub(r"\d{4}-\S+", "TIME", listed.stdout) == snapshot(
            "ci                   web          claude-*  made TIME\n"
        )
        assert secret not in listed.stdout
        (told,) = json.loads(mcp_hub("keys", "list", "--json", cwd=empty).stdout)
        assert (told["name"], told["revoked_at"]) == ("ci", None)

    def test_a_revoked_key_stays_known_and_its_name_taken(self, state: Path, empty: Path) -> None:
        mcp_hub("keys", "create", "ci", cwd=empty)
        assert mcp_hub("keys", "revoke", "ci", cwd=empty).returncode == 0
        (record,) = KeyStore(state / FILE_NAME).read()
        assert record.disabled
        assert "revoked" in mcp_hub("keys", "list", cwd=empty).stdout
        again = mcp_hub("keys", "create", "ci", cwd=empty)
        assert again.returncode == 1
        assert "There is a key 'ci' already" in again.stderr

    @pytest.mark.usefixtures("state")
    def test_an_unknown_key_cannot_be_revoked(self, empty: Path) -> None:
        done = mcp_hub("keys", "revoke", "ci", cwd=empty)
        assert done.returncode == 1
        assert "There is no key 'ci'." in done.stderr

    @pytest.mark.usefixtures("state")
    @pytest.mark.parametrize("budget", ["50", "x/1d", "-1/1d", "50/2d", "0.0000000001/1d"])
    def test_a_budget_that_is_none_is_refused(self, empty: Path, budget: str) -> None:
        done = mcp_hub("keys", "create", "ci", "--budget", budget, cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")

    @pytest.mark.usefixtures("state")
    @pytest.mark.parametrize("arguments", [("a b",), ("ci", "--team", "we/b"), ("ci", "--customer", "-")])
    def test_a_name_that_no_budget_could_have_is_refused(self, empty: Path, arguments: tuple[str, ...]) -> None:
        done = mcp_hub("keys", "create", *arguments, cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert "must hold only letters, digits" in done.stderr

    @pytest.mark.usefixtures("state")
    def test_without_keys_it_is_said_how_one_is_made(self, empty: Path) -> None:
        assert "mcp_hub keys create NAME" in mcp_hub("keys", "list", cwd=empty).stderr


class TestUsage:
    @pytest.mark.usefixtures("spent")
    def test_it_is_a_table_by_what_is_asked_for(self, empty: Path) -> None:
        assert mcp_hub("usage", cwd=empty).stdout == snapshot("""\
 key  model              requests  errors  tokens  input  written  read  output      dollars  first byte \n\
 ci   claude-sonnet-4-6         2       0     200    180        0     0      20         1.50       0.1 s \n\
 web  claude-opus-4-6           1       0     100     90        0     0      10  0.000000007       0.1 s \n\
""")
        assert mcp_hub("usage", "--by", "team", cwd=empty).stdout == snapshot("""\
 team  requests  errors  tokens  input  written  read  output      dollars  first byte \n\
 team         3       0     300    270        0     0      30  1.500000007       0.1 s \n\
""")

    @pytest.mark.usefixtures("spent")
    def test_programs_read_json_and_csv(self, empty: Path) -> None:
        first, second = json.loads(mcp_hub("usage", "--by", "key", "--json", cwd=empty).stdout)
        assert (first["key"], first["requests"], first["dollars"], first["input"]) == ("ci", 2, "1.50", 180)
        assert (first["first_byte_seconds"], first["answer_seconds"]) == (0.1, 0.2)
        assert second["key"] == "web"
        assert mcp_hub("usage", "--by", "key", "--csv", cwd=empty).stdout.splitlines()[:2] == [
            ",".join(first),
            ",".join(str(value) for value in first.values()),
        ]

    def test_what_the_cache_has_answered_has_columns_of_its_own(self, spent: Path, empty: Path) -> None:
        with closing(Ledger(spent / FILE_NAME, "tests")) as kept:
            entry = Entry(
                "hit", time.time(), "ci", "team", "", "anthropic", "s", "claude-sonnet-4-6", "claude-sonnet-4-6"
            )
            kept.served(entry, Served(ServedBy.EXACT, DOLLAR // 2, 100), time.time(), 0.002)
        assert mcp_hub("usage", "--by", "key", cwd=empty).stdout == snapshot("""\
 key  requests  errors  tokens  input  written  read  output      dollars  first byte   cached  saved \n\
 ci          3       0     200    180        0     0      20         1.50       0.1 s  1 (33%)   0.50 \n\
 web         1       0     100     90        0     0      10  0.000000007       0.1 s   0 (0%)   0.00 \n\
""")
        row, _ = json.loads(mcp_hub("usage", "--by", "key", "--json", cwd=empty).stdout)
        assert (row["cached_requests"], row["saved_dollars"], row["saved_tokens"]) == (1, "0.50", 100)

    def test_it_can_be_grouped_by_all_that_the_ledger_groups_by(self) -> None:
        assert set(proxy.GROUPS) == set(ledger.GROUPS)

    def test_upstreams_are_told_with_how_they_stand(self, spent: Path, empty: Path) -> None:
        states = UpstreamStates(spent / FILE_NAME)
        states.write(UpstreamState("anthropic", "closed", 0, ""))
        states.write(UpstreamState("bedrock", "open", 0, "bedrock answered 529"))
        assert mcp_hub("usage", "--upstreams", cwd=empty).stdout == snapshot("""\
 upstream   state   since                      requests  errors  reason               \n\
 anthropic  closed  1970-01-01T00:00:00+00:00         3       0                       \n\
 bedrock    open    1970-01-01T00:00:00+00:00         0       0  bedrock answered 529 \n\
""")
        first, second = json.loads(mcp_hub("usage", "--upstreams", "--json", cwd=empty).stdout)
        assert (first["upstream"], first["requests"], second["reason"]) == ("anthropic", 3, "bedrock answered 529")
        assert mcp_hub("usage", "--upstreams", "--by", "key", cwd=empty).returncode == 2

    @pytest.mark.usefixtures("state")
    def test_before_a_proxy_has_run_there_are_no_upstreams(self, empty: Path) -> None:
        done = mcp_hub("usage", "--upstreams", cwd=empty)
        assert (done.returncode, done.stdout) == (0, "")
        assert "No proxy has run yet" in done.stderr

    @pytest.mark.usefixtures("state")
    def test_nothing_yet_is_said(self, empty: Path) -> None:
        done = mcp_hub("usage", "--since", "week", cwd=empty)
        assert (done.returncode, done.stdout) == (0, "")
        assert "Nothing went through the proxy in the last week." in done.stderr


class TestProxy:
    @pytest.mark.usefixtures("state")
    def test_the_lines_for_a_shell_have_the_configured_address(self, empty: Path) -> None:
        (empty / "mine.toml").write_text('[proxy]\nlisten = "127.0.0.1:9999"\n')
        done = mcp_hub("proxy", "env", "--config", "mine.toml", cwd=empty)
        assert done.stdout == "export ANTHROPIC_BASE_URL=http://127.0.0.1:9999\nexport ENABLE_TOOL_SEARCH=true\n"

    @pytest.mark.usefixtures("state")
    def test_it_does_not_listen_to_others_without_keys(self, empty: Path) -> None:
        done = mcp_hub("proxy", "--listen", "0.0.0.0:0", cwd=empty)
        assert done.returncode == 2
        assert "0.0.0.0 can be reached from other machines, so clients need keys" in done.stderr

    def test_it_serves_until_it_is_told_to_end(self, state: Path, empty: Path) -> None:
        command = [sys.executable, "-m", "mcp_hub", "proxy", "--listen", "127.0.0.1:0"]
        environ = {**os.environ, "MCP_HUB_STATE_DIR": str(state)}
        process = subprocess.Popen(command, cwd=empty, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            url = process.stderr.readline().strip().removeprefix("mcp_hub: the proxy is at ")
            assert httpx2.head(url).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.communicate()

    @pytest.mark.usefixtures("state")
    def test_an_address_that_is_none_is_told(self, empty: Path) -> None:
        done = mcp_hub("proxy", "--listen", "foo", cwd=empty)
        assert done.returncode == 2
        assert "--listen foo: give HOST:PORT" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.usefixtures("state")
    def test_what_a_shell_evaluates_is_quoted(self, empty: Path) -> None:
        config = empty / "servers.toml"
        config.write_text('[proxy]\nlisten = "$(touch hacked):8484"\n')
        done = mcp_hub("proxy", "env", "--config", str(config), cwd=empty)
        subprocess.run(["sh", "-c", done.stdout], cwd=empty, check=False)
        assert not (empty / "hacked").exists()
