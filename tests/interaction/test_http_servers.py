"""Downstream servers over streamable HTTP: real ones on loopback."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.conftest import Connect
from tests.support import FIXTURES, text_of

pytestmark = pytest.mark.anyio


@contextmanager
def weather(*options: str) -> Iterator[str]:
    """A weather server; its URL."""
    command = [sys.executable, str(FIXTURES / "weather_server.py"), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["sse", "json"])
async def test_tools_of_an_http_server_are_called_like_any_other(
    connect: Connect, servers_toml: Callable[[str], Path], options: tuple[str, ...]
) -> None:
    with weather("--port", "0", "--token", "t0ken", *options) as url:
        config = servers_toml(
            f'[servers.weather]\nurl = "{url}"\nheaders = {{ Authorization = "Bearer ${{TOK:-t0ken}}" }}\n'
        )
        async with connect(config) as client:
            code = "result = [weather.current_weather(city=c)['city'] for c in weather.list_cities()][:2]"
            result = await client.call_tool("executeToolCode", {"code": code})
            assert text_of(result) == snapshot('["Lisbon", "Ghent"]')


async def test_refused_credentials_name_the_key_to_check(connect: Connect, servers_toml: Callable[[str], Path]) -> None:
    with weather("--port", "0", "--token", "t0ken") as url:
        config = servers_toml(f'[servers.w]\nurl = "{url}"\nheaders = {{ Authorization = "Bearer wrong" }}\n')
        async with connect(config) as client:
            assert (
                "servers/w.pyi  no tools yet  Server 'w' refused the credentials (HTTP 401). Check servers.w.headers."
            ) in text_of(await client.call_tool("listToolFiles", {}))


async def test_a_server_that_is_not_running_says_so(connect: Connect, servers_toml: Callable[[str], Path]) -> None:
    async with connect(servers_toml('[servers.w]\nurl = "http://127.0.0.1:9/mcp"\n')) as client:
        assert (
            "servers/w.pyi  no tools yet  Server 'w' can't be reached: All connection attempts failed. "
            "Check that it is running, and servers.w.url and headers. The next try is in "
        ) in text_of(await client.call_tool("listToolFiles", {}))


async def test_a_wrong_path_names_the_url(connect: Connect, servers_toml: Callable[[str], Path]) -> None:
    with weather("--port", "0") as url:
        async with connect(servers_toml(f'[servers.w]\nurl = "{url}/nothing"\n')) as client:
            assert "(HTTP 404). Check servers.w.url." in text_of(await client.call_tool("listToolFiles", {}))


async def test_a_server_that_goes_away_fails_the_call_and_is_found_again(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    code = "result = weather.list_cities()[0]"
    with weather("--port", "0") as url:
        config = servers_toml(f'[servers.weather]\nurl = "{url}"\ntimeout = 3\n')
        port = url.split(":")[2].split("/")[0]
        connection = connect(config)
        client = await connection.__aenter__()
        assert text_of(await client.call_tool("executeToolCode", {"code": code})) == "Lisbon"
    try:
        gone = await client.call_tool("executeToolCode", {"code": code})
        assert gone.is_error
        assert "Server 'weather' can't be reached" in text_of(gone)
        with weather("--port", port):
            answer = await client.call_tool("executeToolCode", {"code": code})
            while answer.is_error:
                answer = await client.call_tool("executeToolCode", {"code": code})
            assert text_of(answer) == "Lisbon"
    finally:
        await connection.__aexit__(None, None, None)
