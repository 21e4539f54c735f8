"""The hub's metrics over HTTP: what programs did is counted as it was, and only who may connect reads it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio.to_thread
import httpx2
import pytest

from tests.support import PATIENCE, HttpHub, http_client, series_in, until

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("metrics")]

ADA = "the-token-of-ada-01"
TOKENS = f'[hub.http.tokens]\nada = "{ADA}"\n'
SERVERS = """
[hub.limits]
calls = 3
[servers.my-echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
[servers.broken]
command = ["no-such-program"]
[servers.off]
command = ["no-such-program"]
enabled = false
"""
AUTH = {"authorization": f"Bearer {ADA}"}


@pytest.fixture
def guarded(hub_with: Callable[..., HttpHub]) -> HttpHub:
    """A hub that asks for a token."""
    return hub_with(TOKENS)


@pytest.fixture
def unguarded(hub_with: Callable[..., HttpHub]) -> HttpHub:
    """A hub without tokens, that has a name and an origin of its own."""
    return hub_with('[hub.http]\nhosts = ["hub.example.com"]\norigins = ["https://app.example.com"]\n')


def scrape(hub: HttpHub, **headers: str) -> httpx2.Response:
    return httpx2.get(hub.url.removesuffix("/mcp") + "/metrics", headers=headers, timeout=PATIENCE)


async def test_what_agents_did_is_what_a_scraper_reads(hub_with: Callable[..., HttpHub]) -> None:
    hub = await anyio.to_thread.run_sync(hub_with, TOKENS + SERVERS)
    asked = [
        ("listToolFiles", {}),
        ("listToolFiles", {"query": "echo"}),
        ("readToolFile", {"fileName": "my-echo"}),
        ("getToolDocs", {"server": "my-echo", "tool": "no_such_tool"}),
        ("executeToolCode", {"code": "print('é')\nresult = len(my_echo.big(bytes=5000))"}),
        ("executeToolCode", {"code": "[my_echo.echo(value=n) for n in range(4)]"}),
        ("executeToolCode", {"code": "my_echo.fail(message='no')"}),
        ("executeToolCode", {"code": "my_echo.no_such_tool()"}),
    ]
    answered = 0
    async with http_client(hub.url, "auto", ADA) as client:
        for tool, arguments in asked:
            result = await client.call_tool(tool, arguments)
            if tool == "executeToolCode":
                texts = [block.text for block in result.content if block.type == "text"]
                answered += sum(len(text.removeprefix("printed:\n").encode()) for text in texts)
    answer = await anyio.to_thread.run_sync(lambda: scrape(hub, **AUTH))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    series = series_in(answer.text)
    assert series.pop("run_seconds_sum") > 0
    assert series.pop("call_seconds_sum my-echo") > 0
    received = 5000 + len('""') + 3 * len('{"value":0}')
    assert series == {
        "runs_total ok": 1,
        "runs_total calls": 1,
        "runs_total tool": 1,
        "runs_total name": 1,
        "run_seconds_count": 4,
        "limits_hit_total calls": 1,
        "calls_total ok my-echo": 4,
        "calls_total failed my-echo": 1,
        "call_seconds_count my-echo": 5,
        "lookups_total listToolFiles": 2,
        "lookups_total readToolFile": 1,
        "lookups_total getToolDocs": 1,
        "result_bytes_total": received,
        "answer_bytes_total": answered,
        "tokens_saved_total": (5002 - len("5000é\n".encode())) // 4,
        "servers not started": 0,
        "servers connecting": 0,
        "servers ready": 1,
        "servers failed": 1,
    }


def test_without_a_right_token_nothing_is_told(guarded: HttpHub) -> None:
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {ADA}x"}, {"authorization": ADA}):
        refused = scrape(guarded, **given)
        assert refused.status_code == 401, given
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        assert "mcp_hub" not in refused.text
    assert scrape(guarded, **AUTH).status_code == 200


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (421, {"host": "evil.example"}),
        (421, {"host": "localhost.evil.example:80"}),
        (403, {"origin": "https://evil.example"}),
        (403, {"origin": "null"}),
        (200, {"host": "hub.example.com:8443"}),
        (200, {"origin": "https://app.example.com"}),
        (200, {}),
    ],
)
def test_a_web_page_reads_them_through_no_name_of_its_own(
    unguarded: HttpHub, status: int, headers: dict[str, str]
) -> None:
    answer = scrape(unguarded, **headers)
    assert answer.status_code == status
    assert ("mcp_hub_servers" in answer.text) == (status == 200)


def test_a_right_token_makes_no_foreign_name_good(guarded: HttpHub) -> None:
    assert scrape(guarded, host="evil.example", **AUTH).status_code == 421


def test_they_are_read_and_nothing_else(unguarded: HttpHub) -> None:
    page = unguarded.url.removesuffix("/mcp") + "/metrics"
    assert httpx2.post(page, timeout=PATIENCE).status_code == 405
    assert httpx2.get(f"{page}/x", timeout=PATIENCE).status_code == 404


@pytest.fixture
def own(state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]) -> Iterator[HttpHub]:
    """A hub without tokens whose servers.toml is changed."""
    hub = HttpHub(servers_toml(""), state, tmp_path)
    yield hub
    hub.close()


def test_a_changed_configuration_counts(own: HttpHub, servers_toml: Callable[[str], Path]) -> None:
    assert series_in(scrape(own).text)["servers failed"] == 0
    servers_toml('[servers.broken]\ncommand = ["no-such-program"]\n')
    until(lambda: series_in(scrape(own).text)["servers failed"] == 1)
    servers_toml(TOKENS)
    until(lambda: scrape(own).status_code == 401)
    assert series_in(scrape(own, **AUTH).text)["servers failed"] == 0
