"""Downstream servers over streamable HTTP: real ones on loopback."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from inline_snapshot import snapshot

from tests.conftest import Connect
from tests.support import FIXTURES, PATIENCE, HttpHub, http_client, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("servers over HTTP")]


@contextmanager
def weather(*options: str, shared: set[int] | None = None) -> Iterator[str]:
    """A weather server; its URL. One that several tests use has its pid in `shared`."""
    command = [sys.executable, str(FIXTURES / "weather_server.py"), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    if shared is not None:
        shared.add(process.pid)
    try:
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def hub(hub_with: Callable[..., HttpHub], shared: set[int]) -> Iterator[HttpHub]:
    """A hub over servers that are there, one by SSE and one by JSON, and over some that can't be used."""
    with (
        weather("--port", "0", "--token", "t0ken", shared=shared) as url,
        weather("--port", "0", "--token", "t0ken", "--json", shared=shared) as json,
    ):
        right, wrong = 'headers.Authorization = "Bearer ${TOK:-t0ken}"', 'headers.Authorization = "Bearer wrong"'
        yield hub_with(f"""
[servers.by_sse]
url = "{url}"
{right}
[servers.by_json]
url = "{json}"
{right}
[servers.refused]
url = "{url}"
{wrong}
[servers.lost]
url = "{url}/nothing"
{right}
[servers.off]
url = "http://127.0.0.1:9/mcp"
""")


async def listed(hub: HttpHub, name: str, words: str) -> str:
    """What is listed of a server, once those words are in it: some aren't while it is tried again."""
    async with http_client(hub.url) as client:
        with anyio.fail_after(PATIENCE):
            while True:
                lines = text_of(await client.call_tool("listToolFiles", {})).splitlines()
                (line,) = (each for each in lines if each.startswith(f"servers/{name}.pyi"))
                if words in line:
                    return line


@pytest.mark.parametrize("name", ["by_sse", "by_json"], ids=["sse", "json"])
async def test_tools_of_an_http_server_are_called_like_any_other(hub: HttpHub, name: str) -> None:
    async with http_client(hub.url) as client:
        code = f"result = [{name}.current_weather(city=c)['city'] for c in {name}.list_cities()][:2]"
        result = await client.call_tool("executeToolCode", {"code": code})
        assert text_of(result) == snapshot('["Lisbon", "Ghent"]')


async def test_refused_credentials_name_the_key_to_check(hub: HttpHub) -> None:
    told = "no tools yet  Server 'refused' refused the credentials (HTTP 401). Check servers.refused.headers."
    assert told in await listed(hub, "refused", "no tools yet")


async def test_a_server_that_is_not_running_says_so(hub: HttpHub) -> None:
    assert (
        "no tools yet  Server 'off' can't be reached: All connection attempts failed. "
        "Check that it is running, and servers.off.url and headers. The next try is in "
    ) in await listed(hub, "off", "next try")


async def test_a_wrong_path_names_the_url(hub: HttpHub) -> None:
    assert "(HTTP 404). Check servers.lost.url." in await listed(hub, "lost", "no tools yet")


async def test_a_server_that_goes_away_fails_the_call_and_is_found_again(
    connect: Connect, servers_toml: Callable[[str], Path]
) -> None:
    code = "result = weather.list_cities()[0]"
    with weather("--port", "0") as url:
        config = servers_toml(f'[servers.weather]\nurl = "{url}"\ntimeout = 15\n')
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
