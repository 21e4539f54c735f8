"""Serving over HTTP, the decisions: addresses, tokens, who a token belongs to."""

import socket
from contextlib import closing

import pytest
from inline_snapshot import snapshot
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

from mcp_hub.errors import ConfigError
from mcp_hub.hub.http import (
    ANYONE,
    Clients,
    check_tokens,
    current_client,
    parse_address,
    url_of,
)
from mcp_hub.hub.journal import LOCAL, owner_of
from mcp_hub.listening import listen
from mcp_hub.settings import HttpSettings
from mcp_hub.table import is_loopback

pytestmark = pytest.mark.anyio

ADA, BOB = "the-token-of-ada-1", "the-token-of-bob-2"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8400", ("127.0.0.1", 8400)),
        ("8400", ("127.0.0.1", 8400)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8400", ("::1", 8400)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["localhost", ":", ":80", "host:", "host:port", "host:70000", "host:-1", ""])
def test_what_is_no_address_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"give HOST:PORT, such as 127\.0\.0\.1:8400"):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert check_tokens(host, HttpSettings()) is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_beyond_loopback_a_token_is_needed(host: str) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines, so clients need a token"):
        check_tokens(host, HttpSettings())
    assert check_tokens(host, HttpSettings(tokens={"ada": ADA})) is True


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (
            "",
            snapshot(
                "[hub.http.tokens.bob] the token is empty: is its environment variable set? Use 16 characters or "
                "more, such as `openssl rand -hex 32` prints."
            ),
        ),
        (
            "short",
            snapshot(
                "[hub.http.tokens.bob] the token is too short to be a secret. Use 16 characters or more, such as "
                "`openssl rand -hex 32` prints."
            ),
        ),
    ],
)
def test_a_token_that_protects_nothing_is_refused_and_not_repeated(token: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_tokens("127.0.0.1", HttpSettings(tokens={"ada": ADA, "bob": token}))
    assert caught.value.text == said


async def test_a_token_is_one_clients() -> None:
    clients = Clients(lambda: {"ada": ADA, "bob": BOB, "nobody": ""}, "the-hubs-own-secret")
    found = {token: await clients.verify_token(token) for token in (ADA, BOB, ADA + "x", ADA[:-1], "", ".", "nobody")}
    names = {token: each.client_id for token, each in found.items() if each}
    assert names == {ADA: "client:ada", BOB: "client:bob"}


async def test_attached_hubs_have_the_hubs_secret_and_names_of_their_own() -> None:
    clients = Clients(lambda: {"attached": ADA}, "the-hubs-own-secret")
    one, two, named = [
        await clients.verify_token(token) for token in ("the-hubs-own-secret.1", "the-hubs-own-secret.2", ADA)
    ]
    assert one
    assert two
    assert named
    assert len({one.client_id, two.client_id, named.client_id}) == 3
    assert await clients.verify_token("the-hubs-own-secret") is None


async def test_a_request_is_its_tokens_and_of_nobody_in_particular_without_one() -> None:
    clients = Clients(lambda: {"ada": ADA}, "the-hubs-own-secret")
    asking = []
    for token in (ADA, "the-hubs-own-secret.window-1"):
        access = await clients.verify_token(token)
        assert access
        before = auth_context_var.set(AuthenticatedUser(access))
        asking.append(current_client())
        auth_context_var.reset(before)
    asking.append(current_client())
    assert asking == ["client:ada", "attached:window-1", ANYONE]


@pytest.mark.parametrize(
    ("client", "owner"),
    [
        (LOCAL, LOCAL),
        ("attached:window-1", LOCAL),
        ("client:ada", "client:ada"),
        ("client:attached:x", "client:attached:x"),
        (ANYONE, ANYONE),
    ],
)
def test_attached_windows_share_what_is_the_users_and_tokens_share_nothing(client: str, owner: str) -> None:
    assert owner_of(client) == owner


async def test_a_token_counts_from_when_it_is_configured_until_it_is_taken_out() -> None:
    tokens: dict[str, str] = {}
    clients = Clients(lambda: tokens, "the-hubs-own-secret")
    assert await clients.verify_token(ADA) is None
    tokens["ada"] = ADA
    assert await clients.verify_token(ADA)
    del tokens["ada"]
    assert await clients.verify_token(ADA) is None


def test_the_url_of_a_listening_socket_can_be_used() -> None:
    with closing(listen("127.0.0.1", 0, "")) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    if socket.has_ipv6:
        with closing(listen("::1", 0, "")) as listener:
            assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}/mcp"
