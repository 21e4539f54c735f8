"""The Messages API <-> Vertex AI's rawPredict: where a request goes and what of it, and Google's errors as Anthropic's.

Pure. A model stands in the URL and not in the body, the API's version in the body and not in a header; all else of a
request passes byte for byte, and so does what answers it. Only errors that Google makes itself have another shape.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from mcp_hub.proxy.upstreams.fields import BETA_HEADER, BETAS, Fields
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.wire import STATUS, AnswerError, MessagesRequest, error_body

HOSTS = {
    "global": "https://aiplatform.googleapis.com",
    "us": "https://aiplatform.us.rep.googleapis.com",
    "eu": "https://aiplatform.eu.rep.googleapis.com",
}
"""Where the locations are that are no single region, as the anthropic SDK's AnthropicVertex has them."""

VERSION = "vertex-2023-10-16"
"""What `anthropic_version` says for the API's first version; later ones have one name everywhere."""

SAME_VERSION = ("", "2023-01-01", "2023-06-01")
VERSION_HEADER = "anthropic-version"

PASSED = ("accept", "content-type", "user-agent")
"""Headers of a client that go on. Its others are for Anthropic, and Google would take some of them for its own."""

MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
"""What can be a model's name. Google decodes what is escaped in a path: any other could name another thing there."""

DATED = re.compile(r"-(\d{8})$")
"""The end of a snapshot's id as Anthropic spells it; on Vertex AI it comes after an @."""

UNCOUNTED = {BETAS: None, "context_management": None}
"""What count-tokens doesn't take: it refuses betas that messages may have, and without its beta this field too."""

ERRORS: Mapping[str, str] = {
    "INVALID_ARGUMENT": "invalid_request_error",
    "FAILED_PRECONDITION": "invalid_request_error",
    "OUT_OF_RANGE": "invalid_request_error",
    "UNIMPLEMENTED": "invalid_request_error",
    "UNAUTHENTICATED": "authentication_error",
    "PERMISSION_DENIED": "permission_error",
    "NOT_FOUND": "not_found_error",
    "RESOURCE_EXHAUSTED": "rate_limit_error",
    "UNAVAILABLE": "overloaded_error",
    "DEADLINE_EXCEEDED": "timeout_error",
    "INTERNAL": "api_error",
    "UNKNOWN": "api_error",
    "DATA_LOSS": "api_error",
    "ABORTED": "api_error",
    "CANCELLED": "api_error",
}
"""Google's canonical status of an error -> Anthropic's type, which has an HTTP status of its own."""

_TYPES = {status: type for type, status in STATUS.items()} | {503: "overloaded_error"}
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class Call(NamedTuple):
    """A request as Vertex AI takes it: the URL's path, headers without the token, the body."""

    path: str
    headers: Headers
    body: bytes


class Failure(NamedTuple):
    """An error as the Messages API answers it."""

    status: int
    headers: Headers
    body: bytes


def host(region: str) -> str:
    """The base URL of a location: a region, `global`, or a multi-region."""
    return HOSTS.get(region) or f"https://{quote(region, safe='')}-aiplatform.googleapis.com"


def message(request: MessagesRequest, headers: Headers, project: str, region: str, fields: Fields) -> Call:
    """A request to /v1/messages. Raises AnswerError for a model that there can't be."""
    method = "streamRawPredict" if request.stream else "rawPredict"
    path = f"{_models(project, region)}/{quote(_named(request.model), safe='@')}:{method}"
    betas = fields.betas(headers, request.json)
    body = request.changed(**{"model": None, BETAS: None, "anthropic_version": _version(headers)})
    return Call(path, [*_passed(headers), *([(BETA_HEADER, ",".join(betas))] if betas else [])], body)


def count(request: MessagesRequest, headers: Headers, project: str, region: str) -> Call:
    """A request to count_tokens: there the model stays in the body. Raises AnswerError as `message` does."""
    changes = {**UNCOUNTED, "model": _named(request.model), "anthropic_version": _version(headers)}
    return Call(f"{_models(project, region)}/count-tokens:rawPredict", _passed(headers), request.changed(**changes))


def unscoped(request: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level fields that have a `cache_control.scope`, without it: Vertex AI refuses a request for one.

    A scope says who shares a part of the prompt's cache; the answer is the same without it.
    """
    changes: dict[str, Any] = {}
    for name in ("system", "tools", "messages"):
        blocks = request.get(name)
        if isinstance(blocks, list) and (cleaned := _unscoped_all(blocks)) is not blocks:
            changes[name] = cleaned
    control = request.get("cache_control")
    if isinstance(control, dict) and "scope" in control:
        changes["cache_control"] = _without_scope(control)
    return changes


def failure(status: int, headers: Headers, body: bytes) -> Failure:
    """An answer that isn't a success, as the Messages API would give it; one of Anthropic's own passes as it came."""
    value = _json(body)
    if isinstance(value, list):
        value = next(iter(value), None)
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(value, dict) and value.get("type") == "error" and isinstance(error, dict):
        return Failure(status, headers, body)
    told = error if isinstance(error, dict) else {}
    type, answered = _kind(status, told.get("status"))
    text = told.get("message") or error
    if not isinstance(text, str):
        text = _unsaid(status, body)
    told_headers = {name.lower(): value for name, value in headers}
    request_id = told_headers.get("request-id") or told_headers.get("x-request-id")
    kept = [("content-type", "application/json")]
    kept += [(name, told_headers[name]) for name in ("date", "retry-after") if name in told_headers]
    if "retry-after" not in told_headers and (delay := _delay(told)) is not None:
        kept.append(("retry-after", str(delay)))
    if request_id:
        kept.append(("request-id", request_id))
    return Failure(answered, kept, error_body(type, text, request_id))


def _models(project: str, region: str) -> str:
    place = f"projects/{quote(project, safe=':')}/locations/{quote(region, safe='')}"
    return f"/v1/{place}/publishers/anthropic/models"


def _named(model: str) -> str:
    """A model as Vertex AI spells it. Raises AnswerError, as the API answers for one that one hasn't."""
    if not MODEL.fullmatch(model) or model == "count-tokens":
        raise AnswerError("not_found_error", f"model: {model}")
    return DATED.sub(r"@\1", model)


def _version(headers: Headers) -> str:
    told = next((value.strip() for name, value in headers if name.lower() == VERSION_HEADER), "")
    return VERSION if told in SAME_VERSION else told


def _passed(headers: Headers) -> list[tuple[str, str]]:
    return [each for each in headers if each[0].lower() in PASSED]


def _unscoped_all(blocks: list[Any]) -> list[Any]:
    """The same list where there is nothing to change."""
    cleaned = [_unscoped(each) for each in blocks]
    return cleaned if any(one is not other for one, other in zip(cleaned, blocks, strict=True)) else blocks


def _unscoped(block: Any) -> Any:
    """A block, a tool or a message; what a tool is called with isn't looked into."""
    if not isinstance(block, dict):
        return block
    changed: dict[str, Any] = {}
    control, content = block.get("cache_control"), block.get("content")
    if isinstance(control, dict) and "scope" in control:
        changed["cache_control"] = _without_scope(control)
    if isinstance(content, list) and (cleaned := _unscoped_all(content)) is not content:
        changed["content"] = cleaned
    return {**block, **changed} if changed else block


def _without_scope(control: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in control.items() if name != "scope"}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _kind(status: int, name: object) -> tuple[str, int]:
    """Anthropic's type and status, by Google's canonical status, or by that of HTTP where there is none."""
    type = ERRORS.get(name) if isinstance(name, str) else None
    type = type or _TYPES.get(status)
    if type is not None:
        return type, STATUS[type]
    if 400 <= status < 500:
        return "invalid_request_error", status
    return "api_error", status if status >= 500 else 502


def _unsaid(status: int, body: bytes) -> str:
    if not body.strip():
        return f"Vertex AI answered {status} without saying why."
    return f"Vertex AI answered {status}, but not as its API does. Are the url and the region of the upstream right?"


def _delay(error: Mapping[str, Any]) -> int | None:
    """Whole seconds of a google.rpc.RetryInfo among an error's details."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        told = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(told, str) and (found := _DELAY.fullmatch(told)):
            return math.ceil(float(found[1]))
    return None
