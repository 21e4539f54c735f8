"""Tokens: got with Google's credentials, renewed once for many, ahead of their end; what is told when there is none."""

import logging
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from blockbuster import blockbuster_ctx
from google.auth import _helpers
from google.auth.credentials import TokenState

from fixtures import messages_answers as answers
from fixtures.vertex_server import REFRESH_TOKEN, VertexServer
from mcp_hub.errors import ConfigError
from mcp_hub.proxy.upstreams.google_tokens import SCOPE, GoogleTokens, Tokens, open_tokens, told
from mcp_hub.proxy.upstreams.upstream import UnreachedError
from tests.proxy.upstreams.conftest import new_key
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

STALE = _helpers.REFRESH_THRESHOLD / 2
"""The rest of a token's life in which it lasts, and is renewed already."""

AccountFile = Callable[..., str]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def opened(file: str | None = None, token: str | None = None) -> Tokens:
    return open_tokens("google", file, token, ssl.create_default_context())


class Dying:
    """Credentials whose tokens have as much of their life left as they are told."""

    def __init__(self, *lives: timedelta | Exception) -> None:
        self.token: str | None = None
        self.refreshed = 0
        self._lives = list(lives)
        self._expiry = _helpers.utcnow()  # type: ignore[no-untyped-call]
        self.waits: list[threading.Event] = []

    @property
    def token_state(self) -> TokenState:
        left = self._expiry - _helpers.utcnow()  # type: ignore[no-untyped-call]
        if self.token is None or left <= timedelta(0):
            return TokenState.INVALID
        return TokenState.STALE if left <= _helpers.REFRESH_THRESHOLD else TokenState.FRESH

    def refresh(self, request: Any) -> None:
        self.refreshed += 1
        for wait in self.waits:
            wait.wait(PATIENCE)
        life = self._lives.pop(0)
        if isinstance(life, Exception):
            raise life
        self.token = f"token {self.refreshed}"
        self._expiry = _helpers.utcnow() + life  # type: ignore[no-untyped-call]


def held(credentials: Dying) -> GoogleTokens:
    return GoogleTokens("google", lambda _: credentials, "Mend it.", ssl.create_default_context())


async def test_a_service_account_gets_a_token_for_its_signature_off_the_loop(
    vertex: VertexServer, account_file: AccountFile
) -> None:
    tokens = opened(account_file())
    with blockbuster_ctx(scanned_modules=["mcp_hub"]):
        assert await tokens.token() in vertex.tokens
        assert await tokens.token() in vertex.tokens
    assert len(vertex.grants) == 1


async def test_a_users_credentials_get_a_token(vertex: VertexServer, user_file: str) -> None:
    assert await opened(user_file).token() in vertex.tokens


async def test_without_a_file_it_is_the_default_of_the_machine(
    vertex: VertexServer, account_file: AccountFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", account_file())
    tokens = opened()
    with blockbuster_ctx(scanned_modules=["mcp_hub"]):
        assert await tokens.token() in vertex.tokens


async def test_without_any_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(UnreachedError, match=r"'google' has no token of Google's: .*gcloud auth application-default"):
        await opened().token()


async def test_a_token_that_is_given_is_the_token_until_it_is_refused() -> None:
    tokens = opened(token=" ya29.given\n")
    assert await tokens.token() == "ya29.given"
    assert await tokens.token(refused="ya29.given") is None


async def test_many_requests_at_once_have_one_renewal(vertex: VertexServer, account_file: AccountFile) -> None:
    vertex.lifetime = 1  # it is stale at once
    tokens = opened(account_file())
    vertex.holds.clear()
    got: list[str | None] = []

    async def ask() -> None:
        got.append(await tokens.token())

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        vertex.holds.set()
    assert len(got) == 50
    assert len(set(got)) == len(vertex.grants) == 1


async def test_a_token_is_renewed_ahead_of_its_end() -> None:
    credentials = Dying(STALE, timedelta(hours=1))
    tokens = held(credentials)
    assert [await tokens.token() for _ in range(3)] == ["token 1", "token 2", "token 2"]


async def test_while_an_old_token_lasts_only_one_request_waits_for_the_new_one() -> None:
    credentials = Dying(STALE, timedelta(hours=1))
    tokens = held(credentials)
    await tokens.token()
    credentials.waits = [renewed := threading.Event()]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tokens.token)
        await anyio.wait_all_tasks_blocked()
        assert await tokens.token() == "token 1"
        renewed.set()
    assert await tokens.token() == "token 2"


async def test_a_renewal_that_fails_is_no_error_as_long_as_the_old_token_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokens = held(Dying(STALE, ValueError("not now"), timedelta(hours=1)))
    with caplog.at_level(logging.WARNING):
        assert [await tokens.token() for _ in range(3)] == ["token 1", "token 1", "token 3"]
    assert "the token of the upstream 'google' isn't renewed yet: not now." in caplog.text


async def test_a_failure_is_shared_by_all_who_waited_and_tried_again_by_the_next() -> None:
    credentials = Dying(ValueError("not now"), timedelta(hours=1))
    tokens = held(credentials)
    credentials.waits = [tried := threading.Event()]
    failures: list[str] = []

    async def ask() -> None:
        with pytest.raises(UnreachedError) as failed:
            await tokens.token()
        failures.append(failed.value.text)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        tried.set()
    assert failures == ["The upstream 'google' has no token of Google's: not now. Mend it."] * 20
    assert credentials.refreshed == 1
    assert await tokens.token() == "token 2"


async def test_another_token_than_one_that_was_refused_is_got_once() -> None:
    credentials = Dying(timedelta(hours=1), timedelta(hours=1))
    tokens = held(credentials)
    refused = await tokens.token()
    got: list[str] = []

    async def ask() -> None:
        got.append(await tokens.token(refused=refused))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert got == ["token 2"] * 20
    assert credentials.refreshed == 2


async def test_a_token_that_has_expired_as_it_comes_is_none() -> None:
    with pytest.raises(UnreachedError, match="is the clock right"):
        await held(Dying(timedelta(seconds=-1))).token()


async def test_who_goes_away_is_let_go_and_the_next_one_renews() -> None:
    credentials = Dying(timedelta(hours=1), timedelta(hours=1))
    tokens = held(credentials)
    credentials.waits = [hangs := threading.Event()]
    with anyio.move_on_after(0.05) as gone:
        await tokens.token()
    assert gone.cancelled_caught
    credentials.waits = []
    with anyio.fail_after(PATIENCE):
        assert await tokens.token() == f"token {credentials.refreshed}"
    hangs.set()


@pytest.mark.parametrize(
    "answer",
    [
        answers.of(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
        answers.of(401, {"error": "invalid_client"}),
        answers.page(404),
        answers.redirect(302),
        answers.of(200, {"no": "token"}),
        answers.of(200, [1]),
        answers.binary(200),
        answers.of(400, {"error": "echo", "error_description": REFRESH_TOKEN}),
        answers.of(200, {"refresh_token": REFRESH_TOKEN}),
    ],
)
async def test_whatever_answers_in_place_of_a_token_is_told_without_a_secret(
    vertex: VertexServer,
    account_file: AccountFile,
    user_file: str,
    google_key: tuple[str, bytes],
    answer: answers.Answer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vertex.refuses = answer
    for file in (account_file(), user_file):
        with caplog.at_level(logging.DEBUG), pytest.raises(UnreachedError) as failed:
            await opened(file).token()
        assert failed.value.text.startswith("The upstream 'google' has no token of Google's: ")
        assert f"Is the credential_file {file} still valid" in failed.value.text
        for secret in (
            REFRESH_TOKEN,
            google_key[0].splitlines()[3],
            vertex.grants[-1].get("assertion", "no assertion"),
        ):
            assert secret not in failed.value.text
            assert secret not in caplog.text
    assert len(vertex.grants) == 2
    assert not vertex.requests  # a redirect isn't followed


async def test_a_grant_that_another_key_has_signed_is_refused(vertex: VertexServer, account_file: AccountFile) -> None:
    with pytest.raises(UnreachedError, match="Invalid JWT Signature"):
        await opened(account_file(private_key=new_key()[0])).token()
    with pytest.raises(UnreachedError, match=r"Invalid JWT\."):
        await opened(account_file(client_email="another@a-project.iam.gserviceaccount.com")).token()


async def test_a_place_for_tokens_that_cannot_be_reached_is_told(account_file: AccountFile) -> None:
    with pytest.raises(UnreachedError, match=r"127\.0\.0\.1 can't be reached: .*refused"):
        await opened(account_file(token_uri="http://127.0.0.1:9/token")).token()
    with pytest.raises(UnreachedError, match="can't be reached"):
        await opened(account_file(token_uri=f"file://{__file__}")).token()


async def test_the_scope_is_the_clouds(vertex: VertexServer, account_file: AccountFile) -> None:
    assert SCOPE == "https://www.googleapis.com/auth/cloud-platform"
    await opened(account_file()).token()
    assert vertex.grants[0]["grant_type"].endswith("jwt-bearer")


def test_without_google_auth_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, account_file: AccountFile
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    for file in (account_file(), None):
        with pytest.raises(ConfigError, match=r"\[proxy.upstreams.google\] .*pip install 'mcp_hub\[vertex\]'"):
            opened(file)
    opened(token="ya29.given")


def test_a_file_that_is_none_of_googles_is_told_with_its_name(
    tmp_path: Path, account_file: AccountFile, google_key: tuple[str, bytes]
) -> None:
    broken = tmp_path / "broken.json"
    directory = tmp_path / "directory"
    directory.mkdir()
    for text in (
        "",
        "{",
        "[]",
        "{}",
        '{"type": "service_account"}',
        '{"type": "of_tomorrow"}',
        "secret-secret-secret-secret-secret",
    ):
        broken.write_text(text)
        with pytest.raises(ConfigError) as failed:
            opened(str(broken))
        assert f"the credential_file {broken} can't be used: " in failed.value.text
        assert "secret-secret" not in failed.value.text
    broken.write_bytes(b"\xff\xfe")
    half = google_key[0][: len(google_key[0]) // 2]
    for file in (str(broken), str(directory), str(tmp_path / "none.json"), account_file(private_key=half)):
        with pytest.raises(ConfigError) as failed:
            opened(file)
        assert half.splitlines()[3] not in failed.value.text


def test_a_token_that_no_header_can_have_is_refused() -> None:
    for token in ("a\nb", "caf\u00e9"):
        with pytest.raises(ConfigError, match="a character that no header can have"):
            opened(token=token)


def test_foreign_errors_are_told_in_a_line_without_what_could_be_a_key() -> None:
    assert told(ValueError("a\nb  c.")) == "a b c."
    assert told(KeyError()) == "KeyError."
    assert told(ValueError("bad " + "x" * 40 + " key")) == "bad ... key."
    assert len(told(ValueError("word " * 500))) < 310
