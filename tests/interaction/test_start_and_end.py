"""How the hub starts, with and without a kept catalog, and how it ends, however it is ended."""

import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support import LineHub, StartedLineHub, command_of, wait_until_gone

BARE = '[servers.{name}]\ncommand = ["{{python}}", "-I", "-S", "{{fixtures}}/bare_server.py", "--tools", "{tools}"]\n'
SLOW = '[servers.slow]\ncommand = ["{python}", "-I", "-S", "{fixtures}/bare_server.py", "--start-delay", "120"]\n'
STUBBORN = '[servers.bad]\ncommand = ["{python}", "-I", "-S", "{fixtures}/misbehaving_server.py", "--mode", "%s"]\n'


def bare(name: str, tools: int = 3) -> str:
    return BARE.format(name=name, tools=tools)


def test_a_call_may_be_the_first_thing_that_a_client_sends(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = LineHub(servers_toml(bare("one")), state, tmp_path)
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    code = "result = one.tool_000(text='a')['ok']"
    params = {"name": "executeToolCode", "arguments": {"code": code}, "_meta": meta}
    assert hub.ask("tools/call", params)["content"][0]["text"] == "true"
    assert hub.close() == 0


def test_a_hub_that_cannot_keep_anything_still_works(tmp_path: Path, servers_toml: Callable[[str], Path]) -> None:
    (tmp_path / "file").write_text("")
    hub = LineHub(servers_toml(bare("one")), tmp_path / "file" / "state", tmp_path)
    hub.initialize()
    assert "3 tools" in hub.listed()
    assert hub.call("executeToolCode", code="result = one.tool_000(text='a')['ok']") == "true"
    assert hub.close() == 0


def test_what_was_asked_before_stdin_ended_is_answered(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = LineHub(servers_toml(""), state, tmp_path)
    client = {"name": "test", "version": "1"}
    hub.send("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
    assert hub.process.stdin is not None
    hub.process.stdin.close()
    assert hub.receive()["result"]["serverInfo"]["name"] == "mcp_hub"
    assert hub.wait() == 0


def test_nothing_is_started_before_the_first_answer(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = StartedLineHub(servers_toml(bare("one")), state, tmp_path)
    client = {"name": "test", "version": "1"}
    hub.process.send_signal(signal.SIGCONT)  # it runs, with nobody having asked anything
    assert hub.descendants() == []
    answer = hub.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
    assert answer["serverInfo"]["name"] == "mcp_hub"
    assert "- one" in answer["instructions"]
    assert "3 tools" in hub.listed()
    assert hub.close() == 0


def test_the_second_start_lists_what_was_seen_while_servers_are_still_starting(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    first = LineHub(servers_toml(bare("one")), state, tmp_path)
    first.initialize()
    assert "3 tools" in first.listed()
    assert first.close() == 0

    # The same configuration, so the same fingerprint, of a server that now hangs at its start.
    config = servers_toml(SLOW)
    with sqlite3.connect(state / "hub.db") as database:
        database.execute("update catalogs set fingerprint = ?", [fingerprint_of(config)])
    database.close()

    second = LineHub(config, state, tmp_path)
    second.initialize()
    assert "servers/slow.pyi  3 tools" in second.call("listToolFiles")
    assert "def tool_000(text: str" in second.call("readToolFile", fileName="slow")
    second.process.kill()
    second.wait()


def test_a_changed_list_replaces_the_kept_one_and_is_logged(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    config = servers_toml(bare("one", 2))
    first = LineHub(config, state, tmp_path)
    first.initialize()
    assert "2 tools" in first.listed()
    assert first.close() == 0
    grown = servers_toml(bare("one", 4))
    with sqlite3.connect(state / "hub.db") as database:
        database.execute("update catalogs set fingerprint = ?", [fingerprint_of(grown)])
    database.close()

    second = LineHub(grown, state, tmp_path)
    second.initialize()
    assert "2 tools" in second.call("listToolFiles"), "what was kept is answered at once"
    assert second.call("executeToolCode", code="result = one.tool_000(text='a')['ok']") == "true"
    while "4 tools" not in second.call("listToolFiles"):
        pass
    assert second.close() == 0
    assert (
        "server 'one' lists other tools than before: added: tool_002, tool_003"
        in (state / "logs" / "hub.log").read_text()
    )


def test_a_slow_server_delays_no_other(state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]) -> None:
    hub = LineHub(servers_toml(SLOW + bare("fast")), state, tmp_path)
    hub.initialize()
    assert hub.call("executeToolCode", code="result = fast.tool_000(text='a')['ok']") == "true"
    assert hub.close() == 0


def test_a_damaged_database_costs_the_kept_catalogs_and_nothing_else(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    state.mkdir()
    (state / "hub.db").write_bytes(b"this is no database" * 100)
    hub = LineHub(servers_toml(bare("one")), state, tmp_path)
    hub.initialize()
    assert "3 tools" in hub.listed()
    assert hub.close() == 0
    assert "can't be used, so nothing is kept" in (state / "logs" / "hub.log").read_text()


@pytest.mark.parametrize(
    ("mode", "ending"),
    [
        ("ok", "stdin"),
        ("ok", "SIGKILL"),
        *(("ignores-sigterm", each) for each in ("stdin", "SIGTERM", "SIGINT", "SIGKILL")),
    ],
)
def test_no_process_is_left_however_the_hub_ends(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path], ending: str, mode: str
) -> None:
    if ending == "SIGKILL" and not Path("/proc").exists():
        pytest.skip("issue 1 asks for this on Linux")
    hub = LineHub(servers_toml(STUBBORN % mode + bare("two")), state, tmp_path)
    hub.initialize()
    assert hub.call("executeToolCode", code="bad.fine()\ntwo.tool_000(text='a')\nresult = 1") == "1"
    started = hub.descendants()
    assert sum("fixtures" in command_of(pid) for pid in started) >= 2
    if ending == "stdin":
        assert hub.close() == 0
    else:
        hub.process.send_signal(getattr(signal, ending))
        hub.wait()
    assert wait_until_gone(started) == []


def seconds_used(pid: int) -> float:
    """The processor time that a process has used; 0 once it has ended."""
    try:
        return psutil.Process(pid).cpu_times().user
    except psutil.NoSuchProcess:
        return 0.0


def test_a_program_that_is_running_ends_with_the_hub(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = LineHub(servers_toml("[hub.limits]\nsteps = 1000000000000\n"), state, tmp_path)
    hub.initialize()
    assert hub.call("executeToolCode", code="1") == "1"
    endless = "for i in range(1000000000):\n    for j in range(1000000000):\n        pass"
    hub.send("tools/call", {"name": "executeToolCode", "arguments": {"code": endless}})
    started = hub.descendants()
    while not any(seconds_used(pid) > 0.2 for pid in started):
        started = hub.descendants()
    hub.process.kill()
    hub.wait()
    assert wait_until_gone(started) == []


def test_stdout_carries_nothing_but_the_protocol(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = StartedLineHub(servers_toml(STUBBORN % "exits-at-start"), state, tmp_path)
    hub.initialize()
    assert "exited with status 3" in hub.listed()
    assert hub.process.stdin is not None
    hub.process.stdin.write(b"this is no JSON\n")
    hub.process.stdin.flush()
    assert "exited with status 3" in hub.listed()
    assert hub.close() == 0


def test_a_secret_of_the_configuration_is_in_no_log_and_no_answer(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    code = "import os, sys; sys.exit('the key ' + os.environ['KEY'] + ' was refused')"
    config = servers_toml(f'[servers.s]\ncommand = ["{{python}}", "-c", "{code}"]\nenv = {{ KEY = "${{TOKEN}}" }}\n')
    hub = LineHub(config, state, tmp_path, TOKEN="s3cr3t-value")
    hub.initialize()
    answer = hub.listed()
    assert "the key *** was refused" in answer
    assert hub.close() == 0
    assert "s3cr3t" not in (state / "logs" / "hub.log").read_text()


def fingerprint_of(config: Path) -> str:
    """The fingerprint of the one server in a file."""
    from mcp_hub.config import parse

    (server,) = parse(config.read_text(), config, {}).servers.values()
    return server.fingerprint()
