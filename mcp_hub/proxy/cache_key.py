"""What makes two requests to the Messages API the same: the canonical request, its digest, and what may differ in it.

Pure. Canonical is all that the model sees or the answer depends on, in one spelling: where it is answered, for whom, in
which state of the workspace, and the body without what can't matter. Nothing is case-folded, and what isn't known here
matters: an unknown field, header or block makes another request. Only what is listed is left out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mcp_hub.proxy.keys import CREDENTIAL_HEADERS, digest_of
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.upstreams.upstream import Headers

FIELDS_LEFT_OUT = frozenset({"messages", "system", "tools", "stream", "metadata", "cache_control"})
"""Of the body's own: the first three are spelt in another way, the others only say who asks and how to answer."""

BILLING = "x-anthropic-billing-header:"
"""Begins a block of the system prompt with which Claude Code tells its version and a checksum of each request."""

NOTE = "<system-reminder>"
"""Begins a text of the user's message that is Claude Code's own. In a family, all of these are the same."""

BETAS_LEFT_OUT = ("prompt-caching-", "extended-cache-ttl-", "oauth-")
"""What the prompt cache may do, and how one has logged in: neither changes what is answered."""

HEADERS_LEFT_OUT = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "content-length", "content-type", "host", "user-agent"),
        *("connection", "keep-alive", "te", "priority", "date", "cache-control", "pragma"),
        *("x-app", "x-claude-code-session-id", "x-client-request-id", "x-request-id", "idempotency-key"),
        *("traceparent", "tracestate", "baggage"),
        *("anthropic-beta", "anthropic-dangerous-direct-browser-access"),
        *CREDENTIAL_HEADERS,
    )
)
"""Betas count one by one, and credentials by who may share. The others say how a client is made, where it runs, how the
answer is to be carried, or which request this is of many. What isn't here may steer an upstream, and counts."""

PREFIXES_LEFT_OUT = ("x-stainless-", "sec-")
"""What Anthropic's SDKs tell of themselves, and browsers."""

DEEPEST = 3
"""Blocks in one another that the API knows: a document's text, in a document, in a tool's result."""

CLIENT_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
"""How the types of those tools of the API's own begin that a client runs. What the API runs answers anew each time."""


@dataclass(frozen=True)
class CacheKey:
    """A request as the cache knows it.

    digest: SHA-256 of the canonical request, which `parts` are: all but the messages, then each message.
    family: SHA-256 of all but `text`, the user's last one, to which the answer is; None where nothing of it may differ.
    at: the number of the part that has this text.
    """

    digest: str
    parts: tuple[bytes, ...] = field(repr=False)
    family: str | None
    text: str = field(repr=False)
    at: int


class Scope(NamedTuple):
    """What must be the same beside the request: who may be given each other's answers; where the upstream is, as
    another one may have its name tomorrow; and the state of the workspace, "" where none is named.
    """

    sharing: str
    place: str
    workspace: str = ""


def key_of(request: Mapping[str, Any], route: Route, target: str, headers: Headers, scope: Scope) -> CacheKey:
    """The key of a request whose body is `request`, as it is sent to `route`; `target` is the path with its query.

    Of who shares, and of headers' values, which may be credentials, the parts have nothing, or a digest.
    """
    head = {
        "place": scope.place,
        "workspace": scope.workspace,
        "upstream": route.upstream,
        "model": route.model,
        "target": target,
        "headers": _headers(headers),
        "system": _system(request.get("system")),
        "tools": _tools(request.get("tools")),
        "fields": {name: request[name] for name in sorted(request) if name not in FIELDS_LEFT_OUT and name != "model"},
    }
    told = request.get("messages")
    messages: list[Any] = [_message(each) for each in told] if isinstance(told, list) else [told]
    parts = (_json(head), *map(_json, messages))
    sharing = scope.sharing.encode()
    digest = _digest((sharing, *parts))
    at = _last_of_user(messages)
    block = None if at is None else _varying(messages[at])
    if at is None or block is None:
        return CacheKey(digest, parts, None, "", 0)
    content = messages[at]["content"]
    same = {**messages[at], "content": [*content[:block], None, *content[block + 1 :]]}
    others = (*parts[: at + 1], _json(same), *parts[at + 2 :])
    return CacheKey(digest, parts, _digest((sharing, *others)), content[block]["text"], at + 1)


def uncacheable(request: Mapping[str, Any], max_temperature: float) -> str | None:
    """Why no answer to this request may be kept; None where it may."""
    temperature = request.get("temperature")
    if isinstance(temperature, int | float) and temperature > max_temperature:
        return "its temperature asks for variety"
    if any(_runs_there(tool) for tool in _listed(request.get("tools"))) or request.get("mcp_servers"):
        return "the API runs tools in it"
    if request.get("container") is not None:
        return "it goes on in a container"
    if request.get("max_tokens") == 0:
        return "it only fills the prompt cache"
    if _fetches(request.get("messages")):
        return "the API fetches something for it from a URL, where something else may be by then"
    return None


def _runs_there(tool: Any) -> bool:
    kind = tool.get("type", "custom") if isinstance(tool, dict) else None
    return kind != "custom" and not (isinstance(kind, str) and kind.startswith(CLIENT_TOOLS))


def _fetches(messages: Any) -> bool:
    """Whether a picture or a document is given by its URL."""
    waiting = [message.get("content") for message in _listed(messages) if isinstance(message, dict)]
    while waiting:
        for block in _listed(waiting.pop()):
            if isinstance(block, dict):
                source = block.get("source")
                if isinstance(source, dict) and source.get("type") == "url":
                    return True
                waiting += [block.get("content"), source.get("content") if isinstance(source, dict) else None]
    return False


def _headers(headers: Headers) -> list[Any]:
    named = [(name.lower(), value.strip()) for name, value in headers]
    betas = {beta.strip() for name, value in named if name == "anthropic-beta" for beta in value.split(",")}
    kept = sorted(beta for beta in betas if beta and not beta.startswith(BETAS_LEFT_OUT))
    others = sorted(
        (name, digest_of(value))
        for name, value in named
        if name not in HEADERS_LEFT_OUT and not name.startswith(PREFIXES_LEFT_OUT)
    )
    return [kept, others]


def _system(system: Any) -> Any:
    blocks = _blocks(system)
    if not isinstance(blocks, list):
        return blocks
    return [block for block in blocks if not _is_billing(block)]


def _is_billing(block: Any) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.startswith(BILLING) and "\n" not in text.strip()


def _tools(tools: Any) -> Any:
    return [_without_mark(tool) for tool in tools] if isinstance(tools, list) else tools


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {**_sorted(message), "content": _blocks(message.get("content"))}


def _blocks(content: Any, depth: int = DEEPEST) -> Any:
    """Content in one spelling: a text is a list of one block, and no block has the mark of the prompt cache.

    A client that moves its marks along spells the same message in both ways.
    """
    if isinstance(content, str):
        return [{"text": content, "type": "text"}]
    return _clean(content, depth)


def _clean(content: Any, depth: int) -> Any:
    return [_block(block, depth - 1) for block in content] if isinstance(content, list) and depth else content


def _block(block: Any, depth: int) -> Any:
    clean = _without_mark(block)
    if not isinstance(clean, dict):
        return clean
    match clean:
        case {"type": "tool_result", "content": content}:
            return {**clean, "content": _blocks(content, depth)}
        case {"type": "search_result", "content": content}:
            return {**clean, "content": _clean(content, depth)}
        case {"type": "document", "source": {"content": content} as source}:
            return {**clean, "source": {**source, "content": _clean(content, depth)}}
    return clean


def _without_mark(value: Any) -> Any:
    """A block or a tool in the order of its names, without `cache_control`; what is inside stays in its own order.

    A tool's schema and a call's arguments may have a member of that name, and the model reads them as they are written.
    """
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in _sorted(value).items() if name != "cache_control"}


def _sorted(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in sorted(value)}


def _last_of_user(messages: Sequence[Any]) -> int | None:
    """Where the user's message is that is to be answered: the last one, but for notes of the role `system` after it."""
    for at in reversed(range(len(messages))):
        role = messages[at].get("role") if isinstance(messages[at], dict) else None
        if role != "system":
            return at if role == "user" else None
    return None


def _varying(message: Mapping[str, Any]) -> int | None:
    """Which block of a user's message may differ, if it is nothing but texts: the last that isn't a client's note."""
    blocks = message["content"]
    if not isinstance(blocks, list) or not all(_is_plain(block) for block in blocks):
        return None
    own = [at for at, block in enumerate(blocks) if not block["text"].lstrip().startswith(NOTE)]
    return own[-1] if own else None


def _is_plain(block: Any) -> bool:
    return (
        isinstance(block, dict)
        and set(block) == {"type", "text"}
        and block["type"] == "text"
        and isinstance(block["text"], str)
    )


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _digest(parts: Sequence[bytes]) -> str:
    """Of the parts with their lengths, so that no two lists of parts have one digest."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()
