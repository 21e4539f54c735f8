"""Bytes to messages and back, over the descriptors of real processes."""

import socket
from collections.abc import Callable
from pathlib import Path

import anyio
import mcp_types as types
import pytest
from mcp.shared.message import SessionMessage

from mcp_hub.hub.direct import DirectCalls
from mcp_hub.hub.stdio import child_streams
from tests.support import PATIENCE, LineHub

pytestmark = pytest.mark.anyio


async def test_noise_and_oversized_messages_leave_the_others_whole() -> None:
    ours_in, theirs_in = socket.socketpair()
    ours_out, theirs_out = socket.socketpair()
    for each in (ours_in, ours_out):
        each.setblocking(False)
    noise: list[bytes] = []
    ended = anyio.Event()
    answer = '{"jsonrpc":"2.0","id":%d,"result":{"text":"%s"}}\n'
    with theirs_in, theirs_out, ours_in, ours_out, anyio.fail_after(PATIENCE):
        async with child_streams(ours_in, ours_out, 200, noise.append, ended.set, DirectCalls()) as (
            incoming,
            outgoing,
        ):
            theirs_out.sendall(b"starting...\n" + (answer % (1, "x" * 300)).encode() + (answer % (2, "é")).encode())
            first = await incoming.receive()
            second = await incoming.receive()
            assert isinstance(first, SessionMessage)
            assert isinstance(first.message, types.JSONRPCError)
            assert first.message.id == 1
            assert "the limit is 200 (hub.max_message_mib)" in first.message.error.message
            assert isinstance(second, SessionMessage)
            assert isinstance(second.message, types.JSONRPCResponse)
            assert second.message.result == {"text": "é"}
            await outgoing.send(SessionMessage(types.JSONRPCRequest(jsonrpc="2.0", id=3, method="ping")))
            await anyio.wait_readable(theirs_in)
            assert theirs_in.recv(1000) == b'{"jsonrpc":"2.0","id":3,"method":"ping"}\n'
            theirs_out.close()
            await ended.wait()
    assert noise == [b"starting..."]


def test_a_large_answer_is_written_whole_to_a_slow_reader(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = LineHub(servers_toml("[hub.limits]\nresult_characters = 1000000\n"), state, tmp_path)
    hub.initialize()
    assert hub.call("executeToolCode", code="result = 'é' * 900000") == "é" * 900_000
    assert hub.close() == 0


def test_a_client_that_stops_reading_does_not_stop_the_hub_from_ending(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
) -> None:
    hub = LineHub(servers_toml("[hub.limits]\nresult_characters = 1000000\n"), state, tmp_path)
    hub.initialize()
    hub.send("tools/call", {"name": "executeToolCode", "arguments": {"code": "result = 'x' * 900000"}})
    hub.process.terminate()
    assert hub.wait() == 0


@pytest.mark.parametrize("id_first", [True, False])
def test_a_request_that_is_too_large_is_refused_and_the_next_is_answered(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path], id_first: bool
) -> None:
    hub = LineHub(servers_toml(""), state, tmp_path)
    hub.initialize()
    padding = "x" * (17 * 1024 * 1024)
    params = f'"method":"tools/call","params":{{"name":"listToolFiles","arguments":{{"query":"{padding}"}}}}'
    line = f'{{"id":99,{params},"jsonrpc":"2.0"}}\n' if id_first else f'{{{params},"jsonrpc":"2.0","id":99}}\n'
    assert hub.process.stdin is not None
    hub.process.stdin.write(line.encode())
    hub.process.stdin.flush()
    answer = hub.receive()
    assert answer["id"] == 99
    assert "at most 16,777,216 are. Send less at a time." in answer["error"]["message"]
    assert "No server is configured" in hub.call("listToolFiles")
    assert hub.close() == 0


@pytest.mark.parametrize("source", ["/dev/null", "file"])
def test_a_stdin_that_cannot_be_polled_is_read_to_its_end(
    state: Path, tmp_path: Path, servers_toml: Callable[[str], Path], source: str
) -> None:
    import subprocess
    import sys

    path = Path("/dev/null")
    if source == "file":
        path = tmp_path / "requests"
        path.write_text('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    with path.open("rb") as stdin:
        command = [sys.executable, "-m", "mcp_hub", "serve", "--config", str(servers_toml(""))]
        done = subprocess.run(command, stdin=stdin, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
