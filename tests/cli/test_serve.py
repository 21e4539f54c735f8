"""serve: what it refuses to do, and how it ends over HTTP. What it serves is tested in interaction/."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import BARE, mcp_hub
from tests.support import StartedHttpHub

pytestmark = pytest.mark.usefixtures("state")

TOKEN = "a-token-that-is-long-enough"


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("--http", "0.0.0.0:0"), "", "0.0.0.0 can be reached from other machines, so clients need a token."),
        (("--http", "[::]:0"), "", ":: can be reached from other machines, so clients need a token."),
        (("--http", "localhost"), "", "--http localhost: give HOST:PORT, such as 127.0.0.1:8400"),
        (("--http", "127.0.0.1:0"), "short", "the token is too short to be a secret."),
        (("--http", "127.0.0.1:0", "--attach"), TOKEN, "--http and --attach exclude each other"),
        (("--config", "nowhere.toml"), "", "nowhere.toml: can't be read"),
    ],
)
def test_what_cannot_be_served_is_refused(empty: Path, arguments: tuple[str, ...], token: str, said: str) -> None:
    done = mcp_hub("serve", *arguments, cwd=empty, MCP_HUB_TOKEN=token)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(empty: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = mcp_hub("serve", "--http", address, cwd=empty)
    assert done.returncode == 2
    assert f"can't listen on {address}: Address already in use. Choose another address with --http." in done.stderr


def test_sigterm_ends_a_hub_that_serves_http(state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]) -> None:
    hub = StartedHttpHub(servers_toml(BARE % "one"), state, tmp_path, MCP_HUB_TOKEN=TOKEN)
    assert list((state / "running").glob("*.json"))
    assert hub.close() == 0
    assert not list((state / "running").glob("*.json"))
