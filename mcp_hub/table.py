"""What the tables of servers.toml share: their base, and the checks of URLs, paths and addresses.

Pure. `settings` and `proxy_settings` are made of it.
"""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

NO_URL = "must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any"


class Table(BaseModel):
    """One table of servers.toml: frozen, without unknown keys, and without values in its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def is_url(text: str) -> bool:
    """Whether `text` is an http or https URL with a host and, if any, a port that can be connected to."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that don't match, a port that is no number
        return False


def checked_path(text: str) -> str:
    """`text`, as it is, when it can be a path. Raises ValueError when it can't."""
    try:
        if "\0" not in str(Path(text).expanduser()):
            return text
    except RuntimeError:
        raise ValueError("there is no such user") from None
    raise ValueError("must be a path")


def address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPV6]:PORT` or `PORT` (on 127.0.0.1) -> host and port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("give HOST:PORT, such as 127.0.0.1:8400, or [::1]:8400; port 0 is any")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def problem_at(problem: str, *at: str | int) -> PydanticCustomError:
    """An error to raise in a validator, about what stands at `at` inside the table that is validated."""
    return PydanticCustomError("problem_at", "{problem}", {"problem": problem, "at": at})
