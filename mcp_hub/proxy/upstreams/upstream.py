"""What every upstream is to the flow: something that a request is sent to, and whose answer comes piece by piece.

Requests and answers are the Messages API's, whatever an upstream speaks itself. No POST is sent twice to one upstream:
what it has begun to answer, or may have, is billed.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcp_hub.errors import HubError

Headers = Sequence[tuple[str, str]]


class UnreachedError(HubError):
    """The request never reached the upstream, so nothing is billed."""


class BrokenError(HubError):
    """The upstream was reached and its answer isn't whole: something may be billed."""


@dataclass(frozen=True)
class Reply:
    """An upstream's answer, whose body is still to come; `close` must be called, also after its end."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes] = field(repr=False)
    """Raises BrokenError where it breaks off."""
    close: Callable[[], None] = field(repr=False)
    """Lets the connection go; one whose answer isn't read to its end is closed, which cancels the answer."""

    def header(self, name: str) -> str:
        """A header's value, "" if there is none; `name` in lower case."""
        return next((value for each, value in self.headers if each.lower() == name), "")


class Upstream(Protocol):
    """Where models are."""

    def changes(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The top-level fields of a request to /v1/messages that must change for it to be taken there.

        None is one to leave out. Raises BadRequestError for what can't be done there.
        """
        ...

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Reply:
        """Send a request; its answer as soon as it begins. Raises UnreachedError and BrokenError."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
