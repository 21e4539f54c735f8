"""What tests of the proxy share: a stand-in upstream, and a proxy in front of it on a port of its own."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

from fixtures.messages_server import MessagesServer
from mcp_hub.listening import listen, serve
from mcp_hub.proxy.server import Application
from mcp_hub.proxy_settings import ProxySettings
from mcp_hub.proxying import open_proxy
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.ledger import Ledger, Row
from tests.support import served

CREDENTIAL = "the-upstreams-own-credential"
KEY = "a-key-of-the-tests-0123456789"
MODEL = "claude-sonnet-4-6"


@pytest.fixture(scope="module")
def upstream() -> Iterator[MessagesServer]:
    with served(MessagesServer(CREDENTIAL)) as server:
        yield server


@pytest.fixture(autouse=True)
def forgotten(upstream: MessagesServer) -> None:
    """What the stand-in has seen of earlier tests."""
    upstream.requests.clear()
    upstream.served.clear()
    upstream.failed.clear()


@dataclass
class Running:
    """A proxy that is served."""

    url: str
    state: Path
    app: Application

    def client(self, key: str = KEY) -> AsyncAnthropic:
        plain = DefaultAsyncHttpxClient(verify=False)  # reading the system's certificates takes a while
        return AsyncAnthropic(base_url=self.url, api_key=key, max_retries=0, http_client=plain)

    def spent(self, *by: str) -> list[Row]:
        """What the ledger says, settled."""
        return Ledger(self.state / FILE_NAME, "").usage(time.time() - 3600, by or ("key",))


Serving = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def proxied(upstream: MessagesServer, tmp_path: Path) -> Serving:
    """Serves a proxy with these settings; there is one key, and one upstream, unless they say otherwise."""

    @asynccontextmanager
    async def serving(**settings: Any) -> AsyncIterator[Running]:
        given = {
            "upstreams": [{"name": "anthropic", "url": upstream.url, "credential": CREDENTIAL}],
            "keys": [{"name": "ci", "key": KEY, "team": "web"}],
            **settings,
        }
        checked = ProxySettings.model_validate(given)
        listener = listen("127.0.0.1", 0, "")
        async with open_proxy(checked, tmp_path) as proxy, anyio.create_task_group() as tasks:
            app = Application(proxy.handle, 1024 * 1024, checked.hosts)
            tasks.start_soon(partial(serve, app, listener, end_within=1))
            yield Running(f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path, app)
            tasks.cancel_scope.cancel()
        listener.close()

    return serving
