"""Upstreams are opened by their kind, with the credential that servers.toml has for them."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.messages_server import MessagesServer
from mcp_hub.errors import ConfigError
from mcp_hub.proxy.upstreams.bedrock import Bedrock
from mcp_hub.proxy.upstreams.compatible import Compatible
from mcp_hub.proxy.upstreams.opening import opened
from mcp_hub.proxy.upstreams.openrouter import OpenRouter
from mcp_hub.proxy.upstreams.upstream import Upstream
from mcp_hub.proxy.upstreams.vertex import Vertex
from mcp_hub.proxy_settings import UpstreamSettings
from tests.proxy.conftest import CREDENTIAL

pytestmark = pytest.mark.anyio

TRUST = ssl.create_default_context()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def made(**settings: Any) -> Upstream:
    return await opened(UpstreamSettings.model_validate({"name": "one", **settings}), TRUST)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"url": "https://api.example"}, Compatible),
        ({"kind": "openrouter"}, OpenRouter),
        ({"kind": "bedrock", "region": "eu-central-1", "credential": "a-bedrock-key"}, Bedrock),
        ({"kind": "vertex", "region": "global", "project": "p", "credential": "a-token"}, Vertex),
    ],
)
async def test_each_kind_has_its_own(settings: Mapping[str, Any], kind: type[Upstream]) -> None:
    upstream = await made(**settings)
    assert type(upstream) is kind
    await upstream.close()


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_credential_comes_from_a_file_without_the_blanks_around_it_in_the_header_that_takes_it(
    tmp_path: Path, upstream: MessagesServer, header: str
) -> None:
    (tmp_path / "secret").write_text(f"\n{CREDENTIAL} \n")
    one = await made(url=upstream.url, credential_file=str(tmp_path / "secret"), credential_header=header)
    reply = await one.send("GET", "/v1/models", [("x-api-key", "the-clients")], b"")
    assert reply.status == 200
    reply.close()
    await one.close()
    sent = {name.lower(): value for name, value in upstream.requests[0]["headers"].items()}
    assert sent[header] == (CREDENTIAL if header == "x-api-key" else f"Bearer {CREDENTIAL}")
    assert "the-clients" not in sent.values()


@pytest.mark.parametrize("content", [b"\xff", b"a\nb", "größe".encode()])
async def test_a_credential_that_no_header_can_have_is_told_without_itself(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match="one") as failed:
        await made(url="https://api.example", credential_file=str(tmp_path / "secret"))
    assert "größe" not in failed.value.text


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[proxy.upstreams.one\] the credential_file .* can't be read"):
        await made(url="https://api.example", credential_file=str(tmp_path / "missing"))
