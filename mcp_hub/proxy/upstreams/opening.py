"""Opens an upstream of the kind that servers.toml says, with the credential that it has for it."""

import ssl
from pathlib import Path

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.upstreams.bedrock import endpoint, open_bedrock
from mcp_hub.proxy.upstreams.compatible import Compatible
from mcp_hub.proxy.upstreams.connection import Connection
from mcp_hub.proxy.upstreams.openrouter import OpenRouter
from mcp_hub.proxy.upstreams.upstream import Upstream
from mcp_hub.proxy.upstreams.vertex import open_vertex, url_of
from mcp_hub.proxy_settings import UpstreamSettings

OPENROUTER = "https://openrouter.ai/api"


async def opened(settings: UpstreamSettings, trust: ssl.SSLContext) -> Upstream:
    """The upstream of these settings, to be closed. Raises ConfigError."""
    match settings.kind:
        case "bedrock":
            url = endpoint(settings)
        case "vertex":
            url = url_of(settings)
        case _:
            url = settings.url or OPENROUTER
    connection = Connection(settings.name, url, trust)
    try:
        match settings.kind:
            case "bedrock":
                return open_bedrock(settings, _secret(settings) or None, connection)
            case "vertex":
                return open_vertex(settings, settings.credential, connection, trust)
            case "openrouter":
                return OpenRouter(url, _credential(settings), connection)
            case "anthropic":
                return Compatible(url, _credential(settings), connection)
    except ConfigError:
        await connection.close()
        raise


def _credential(upstream: UpstreamSettings) -> tuple[str, str] | None:
    """The header that takes the credential, and its value."""
    if not (secret := _secret(upstream)):
        return None
    return ("x-api-key", secret) if upstream.credential_header == "x-api-key" else ("authorization", f"Bearer {secret}")


def _secret(upstream: UpstreamSettings) -> str:
    """The credential, "" if there is none."""
    secret = upstream.credential
    if upstream.credential_file is not None:
        file = Path(upstream.credential_file)
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            text = f"the credential_file {file} can't be read: {error}."
            raise ConfigError(text, key=f"proxy.upstreams.{upstream.name}") from None
    secret = (secret or "").strip()
    if secret and (not secret.isascii() or not secret.isprintable()):
        raise ConfigError(
            "the credential has a character that no header can have.", key=f"proxy.upstreams.{upstream.name}"
        )
    return secret
