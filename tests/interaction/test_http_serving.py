"""The hub over HTTP: who is let in, what is refused, and clients that must not see each other."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client, MCPError

from mcp_hub.hub.http import REQUEST_BYTES
from tests.support import PATIENCE, HttpHub, descendants_of, http_client, said, text_of, until, wait_until_gone

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("serving over HTTP")]

ADA, BOB = "the-token-of-ada-01", "the-token-of-bob-02"
TOKENS = f'[hub.http.tokens]\nada = "{ADA}"\nbob = "${{BOBS_TOKEN}}"\n'
ECHO = """
[servers.echo]
command = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]
env = { ECHO_JOURNAL = "%s" }
"""

Start = Callable[..., HttpHub]


@pytest.fixture
def start(state: Path, tmp_path: Path, servers_toml: Callable[[str], Path]) -> Iterator[Start]:
    """Start `serve --http` with a servers.toml's text; it is ended with the test."""
    hubs: list[HttpHub] = []

    def started(text: str = TOKENS, *options: str) -> HttpHub:
        hubs.append(HttpHub(servers_toml(text), state, tmp_path, *options, BOBS_TOKEN=BOB))
        return hubs[-1]

    yield started
    for hub in hubs:
        if hub.process.poll() is None:
            hub.close()


@pytest.fixture
def guarded(hub_with: Callable[..., HttpHub]) -> HttpHub:
    """A hub with two tokens and no servers, for what is refused and changes nothing."""
    return hub_with(TOKENS, BOBS_TOKEN=BOB)


@pytest.fixture
def unguarded(hub_with: Callable[..., HttpHub]) -> HttpHub:
    """A hub without tokens, that has names and origins of its own."""
    return hub_with('[hub.http]\nhosts = ["hub.example.com"]\norigins = ["https://app.example.com"]\n')


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the echo server of the hub that tests share says what it is asked."""
    return tmp_path_factory.mktemp("echo") / "journal"


@pytest.fixture(scope="module")
def echoing(hub_with: Callable[..., HttpHub], journal: Path) -> HttpHub:
    """A hub with two tokens over the echo server, for clients side by side."""
    return hub_with(TOKENS + ECHO % journal, BOBS_TOKEN=BOB)


def post(hub: HttpHub, body: object, *, version: str = "2025-06-18", **headers: str) -> httpx2.Response:
    """One POST of a JSON-RPC message, or of bytes as they are."""
    given = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": version,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(hub.url, content=content, headers=given, timeout=PATIENCE)


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
DISCOVER = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}


ERAS = pytest.mark.parametrize(("body", "version"), [(INITIALIZE, "2025-06-18"), (DISCOVER, "2026-07-28")])


@ERAS
def test_without_a_right_token_nothing_is_answered(guarded: HttpHub, body: object, version: str) -> None:
    for given in (None, "Bearer", "Bearer wrong", f"Bearer {ADA}x", f"Bearer {ADA[:-1]}", f"Bearer {BOB.upper()}", ADA):
        headers = {} if given is None else {"authorization": given}
        for sent in (body, b"x" * (REQUEST_BYTES + 1)):
            refused = post(guarded, sent, version=version, mcp_method="server/discover", **headers)
            assert refused.status_code == 401, given
            assert refused.headers["www-authenticate"].startswith("Bearer ")
            assert "mcp-session-id" not in refused.headers
    assert ADA not in guarded.log()


def test_discovery_and_the_handshake_are_both_answered(guarded: HttpHub) -> None:
    auth = f"Bearer {BOB}"
    discovered = post(guarded, DISCOVER, version="2026-07-28", mcp_method="server/discover", authorization=auth)
    assert discovered.status_code == 200
    assert discovered.json()["result"]["supportedVersions"]
    assert "mcp-session-id" not in discovered.headers
    shaken = post(guarded, INITIALIZE, authorization=auth)
    assert shaken.status_code == 200
    assert shaken.headers["mcp-session-id"]


@ERAS
def test_a_request_from_elsewhere_is_refused(unguarded: HttpHub, body: object, version: str) -> None:
    # Without tokens, these checks are all that stands between a web page and the tools.
    refused = [
        (421, {"host": "evil.example"}),
        (421, {"host": "evil.example:80"}),
        (421, {"host": "localhost.evil.example:80"}),
        (403, {"origin": "https://evil.example"}),
        (403, {"origin": "http://localhost:1"}),
        (403, {"origin": "null"}),
        (400, {"content_type": "text/plain"}),
        (406, {"accept": "text/html"}),
    ]
    for status, headers in refused:
        answer = post(unguarded, body, version=version, mcp_method="server/discover", **headers)
        assert answer.status_code == status, headers


def test_configured_names_and_origins_are_let_in(unguarded: HttpHub) -> None:
    own = unguarded.url.removesuffix("/mcp")
    for headers in (
        {"host": "hub.example.com"},
        {"host": "hub.example.com:8443"},
        {"origin": "https://app.example.com"},
        {"origin": own},
    ):
        assert post(unguarded, INITIALIZE, **headers).status_code == 200, headers


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_a_body_that_is_no_message_is_refused_and_the_hub_goes_on(guarded: HttpHub, version: str) -> None:
    auth = f"Bearer {ADA}"
    for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', b"\xff", b"[" * 100_000):
        assert post(guarded, body, version=version, authorization=auth).status_code == 400, body[:20]
    assert post(guarded, INITIALIZE, authorization=auth).status_code == 200
    assert "Traceback" not in guarded.log()


def test_an_oversized_body_is_refused(guarded: HttpHub) -> None:
    auth = f"Bearer {ADA}"
    large = {**INITIALIZE, "padding": "x" * REQUEST_BYTES}
    assert post(guarded, large, authorization=auth).status_code == 413
    chunks = (b"x" * 65536 for _ in range(REQUEST_BYTES // 65536 + 1))
    headers = {"authorization": auth, "content-type": "application/json", "accept": "application/json"}
    streamed = httpx2.post(guarded.url, content=chunks, headers=headers, timeout=PATIENCE)
    assert streamed.status_code == 413


def test_every_other_path_is_not_found(guarded: HttpHub) -> None:
    root = guarded.url.removesuffix("/mcp")
    for path in ("/", "/mcp/x", "/sse", "/.well-known/oauth-protected-resource", "/docs"):
        assert httpx2.get(root + path, timeout=PATIENCE).status_code == 404


def test_a_session_is_found_by_the_client_that_opened_it_only(guarded: HttpHub) -> None:
    session = post(guarded, INITIALIZE, authorization=f"Bearer {ADA}").headers["mcp-session-id"]
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert post(guarded, ping, authorization=f"Bearer {BOB}", mcp_session_id=session).status_code == 404
    assert (
        httpx2.delete(
            guarded.url, headers={"authorization": f"Bearer {BOB}", "mcp-session-id": session}, timeout=PATIENCE
        ).status_code
        == 404
    )
    assert post(guarded, ping, authorization=f"Bearer {ADA}", mcp_session_id=session).status_code == 200


async def test_two_clients_at_once_see_nothing_of_each_other(echoing: HttpHub, era: str) -> None:
    told: dict[str, list[str]] = {"ada": [], "bob": []}
    answers: dict[str, list[str]] = {}

    async def session(name: str, token: str) -> None:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            told[name].append(message or "")

        code = f"print('{name} prints')\necho.sleep(seconds=0.2, label='{name}')\nresult = '{name} answers'"
        async with http_client(echoing.url, era, token) as client:
            result = await client.call_tool("executeToolCode", {"code": code}, progress_callback=on_progress)
            answers[name] = [block.text for block in result.content if block.type == "text"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session, "ada", ADA)
        tasks.start_soon(session, "bob", BOB)
    assert answers == {name: [f"{name} answers", f"printed:\n{name} prints\n"] for name in ("ada", "bob")}
    for name, other in (("ada", "bob"), ("bob", "ada")):
        assert told[name]
        assert not [message for message in told[name] if other in message]


async def test_what_a_client_ran_and_kept_is_not_there_for_another(echoing: HttpHub, journal: Path, era: str) -> None:
    code = f"echo.echo(value='kept {era}')\nprint(1)\nresult = 'x' * 30000"
    async with http_client(echoing.url, era, ADA) as ada, http_client(echoing.url, era, BOB) as bob:
        failed = text_of(await ada.call_tool("executeToolCode", {"code": f"{code}\nfail('stop')"}))
        kept = text_of(await ada.call_tool("executeToolCode", {"code": code}))
        again = {"code": code, "resume": failed.partition('resume="')[2].partition('"')[0]}
        recall = {"code": f"result = len(recall('{kept.partition('recall(' + chr(34))[2].partition(chr(34))[0]}'))"}
        assert text_of(await bob.call_tool("executeToolCode", again)).startswith("There is no run ")
        assert "There is nothing to recall" in text_of(await bob.call_tool("executeToolCode", recall))
        assert not (await ada.call_tool("executeToolCode", again)).is_error
        assert text_of(await ada.call_tool("executeToolCode", recall)) == "30000"
    calls = [line for line in journal.read_text().splitlines() if line.startswith("call")]
    assert sum(f"kept {era}" in call for call in calls) == 2


async def test_a_client_that_has_all_of_its_programs_running_does_not_hold_up_another(
    start: Start, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    limits = "[hub.limits]\nprograms_client = 2\n"
    hub = await anyio.to_thread.run_sync(start, f"{TOKENS}{limits}{ECHO % journal}")
    async with http_client(hub.url, "auto", ADA) as ada, http_client(hub.url, "auto", BOB) as bob:
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                code = f"echo.sleep(seconds=60, label='ada {number}')"
                tasks.start_soon(ada.call_tool, "executeToolCode", {"code": code})
            with anyio.fail_after(PATIENCE):
                while not journal.exists() or journal.read_text().count("started ada") < 2:
                    await anyio.sleep(0.01)
            assert (
                text_of(await bob.call_tool("executeToolCode", {"code": "result = echo.echo(value=1)['value']"})) == "1"
            )
            assert journal.read_text().count("started ada") == 2
            tasks.cancel_scope.cancel()


async def test_a_client_cannot_cancel_what_another_asked_for(echoing: HttpHub, journal: Path, era: str) -> None:
    a, b = f"a {era}", f"b {era}"
    code = f"echo.sleep(seconds=1, label='{a}')\n7"
    done: list[str] = []

    async def ask(client: Client) -> None:
        done.append(text_of(await client.call_tool("executeToolCode", {"code": code})))

    async with http_client(echoing.url, era, ADA) as ada, http_client(echoing.url, era, BOB) as bob:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, ada)
            await said(journal, f"started {a}")
            for request_id in range(20):  # every number that ada's client may have used
                cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}
                await anyio.to_thread.run_sync(partial(post, echoing, cancel, authorization=f"Bearer {BOB}"))
            async with anyio.create_task_group() as bobs:
                bobs.start_soon(bob.call_tool, "executeToolCode", {"code": f"echo.sleep(seconds=60, label='{b}')"})
                await said(journal, f"started {b}")
                bobs.cancel_scope.cancel()
            await said(journal, f"cancelled {b}")
    assert done == ["7"]
    assert f"cancelled {a}" not in journal.read_text()


async def test_a_token_that_is_taken_out_of_the_configuration_is_refused_from_then_on(
    start: Start, servers_toml: Callable[[str], Path]
) -> None:
    hub = await anyio.to_thread.run_sync(start)
    async with http_client(hub.url, "auto", ADA) as client:
        assert len((await client.list_tools()).tools) == 4
        servers_toml(f'[hub.http.tokens]\nbob = "{BOB}"\n')

        async def until_refused() -> None:
            while True:
                await client.call_tool("listToolFiles", {})
                await anyio.sleep(0.05)

        with anyio.fail_after(PATIENCE), pytest.raises((MCPError, httpx2.HTTPError)):
            await until_refused()
    async with http_client(hub.url, "auto", BOB) as client:
        assert len((await client.list_tools()).tools) == 4


def test_a_token_that_is_configured_later_protects_the_hub_from_then_on(
    start: Start, servers_toml: Callable[[str], Path]
) -> None:
    hub = start("")
    assert post(hub, INITIALIZE).status_code == 200
    servers_toml('[hub.http.tokens]\nada = "short"\n')
    until(lambda: "the token is too short to be a secret" in hub.log())
    assert post(hub, INITIALIZE).status_code == 200
    servers_toml(f'[hub.http.tokens]\nada = "{ADA}"\n')
    until(lambda: post(hub, INITIALIZE).status_code == 401)
    assert post(hub, INITIALIZE, authorization=f"Bearer {ADA}").status_code == 200
    servers_toml("")
    until(lambda: post(hub, INITIALIZE, authorization=f"Bearer {ADA}").status_code == 401)


def test_a_hub_that_can_keep_nothing_serves_over_http_too(tmp_path: Path, servers_toml: Callable[[str], Path]) -> None:
    (tmp_path / "file").write_text("")
    hub = HttpHub(servers_toml(""), tmp_path / "file" / "state", tmp_path)
    assert post(hub, INITIALIZE).status_code == 200
    assert "no other hub can attach" in hub.log()
    assert "Traceback" not in hub.log()
    assert hub.close() == 0


async def test_sigterm_ends_the_hub_its_servers_and_a_running_program(start: Start, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    hub = await anyio.to_thread.run_sync(start, TOKENS + ECHO % journal)
    pids: list[int] = []
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with http_client(hub.url, "auto", ADA) as client:
                with pytest.raises(MCPError):
                    await client.call_tool("executeToolCode", {"code": "echo.sleep(seconds=60, label='a')"})

        tasks.start_soon(ask)
        await said(journal, "started a")
        pids += descendants_of(hub.process.pid)
        await anyio.to_thread.run_sync(hub.close)
    assert len(pids) >= 3
    assert wait_until_gone(pids) == []


def test_a_hub_that_needs_no_token_says_so(guarded: HttpHub, unguarded: HttpHub) -> None:
    assert "no token is needed: every program on this machine can call your tools" in unguarded.log()
    assert "no token" not in guarded.log()
