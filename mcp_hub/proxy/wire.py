"""The Messages API on the wire: the fields of a request that the proxy acts on, and errors as the API shapes them.

Pure. A request's body stays the text that the client wrote: what has to change is cut out of it and put in by its
place, and everything else is passed on byte for byte, unknown fields, spaces and the order of keys included. A prompt
cache compares what it is sent by content, and a client may sign or hash it: neither must notice that a proxy was there.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeGuard

from mcp_hub.errors import HubError

STATUS: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status of each type of error, as in the Messages API's documentation, under "Errors"."""

MESSAGES, COUNT_TOKENS = "/v1/messages", "/v1/messages/count_tokens"

MOST_TOKENS = 1_000_000_000
"""Of max_tokens: far above what any model takes, far below what sums of money have room for."""

MOST_SESSION_CHARACTERS = 200
"""Of a session's id, which is kept: more is nothing that a client would use as one. A UUID has 36."""

_SPACE = re.compile(r"[ \t\n\r]*")
_SESSION_SUFFIX = re.compile(r"_session_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z", re.IGNORECASE)
"""The end of `metadata.user_id` in earlier versions of Claude Code: user_HASH_account_UUID_session_UUID."""


class AnswerError(HubError):
    """A request that is answered by an error of the proxy's own, in the Messages API's shape.

    `type` is one of STATUS, `retry_after` in seconds.
    """

    def __init__(self, type: str, text: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.type = type
        self.status = STATUS[type] if status is None else status
        self.retry_after = retry_after


class BadRequestError(AnswerError):
    """A request that the Messages API wouldn't take; `field` is the one at fault, "" for the body as a whole."""

    def __init__(self, problem: str, *, field: str = "") -> None:
        super().__init__("invalid_request_error", f"{field}: {problem}" if field else f"The request body {problem}")
        self.field = field


class _Member(NamedTuple):
    """A top-level field in the body's text: where its key begins, where its value begins and where it ends."""

    name: str
    key: int
    value: int
    end: int


@dataclass(frozen=True)
class MessagesRequest:
    """A request to /v1/messages, or to its count_tokens.

    body: as the client sent it. json: the same, parsed.
    max_tokens: 0 writes the prompt cache and generates nothing; 0 too for a request to count tokens, which has none.
    session: the id of the client's session as Claude Code tells it in `metadata.user_id`, None where it doesn't.
    thinking_budget: tokens of `thinking.budget_tokens`, which max_tokens must be above; None where there is none.
    """

    body: bytes = field(repr=False)
    json: dict[str, Any] = field(repr=False)
    model: str
    max_tokens: int
    stream: bool
    session: str | None
    thinking_budget: int | None
    _text: str = field(repr=False)
    _members: tuple[_Member, ...] = field(repr=False)

    @classmethod
    def parse(cls, body: bytes, *, counts_tokens: bool = False) -> "MessagesRequest":
        """Read a request's body; `counts_tokens`: one to count_tokens, which needs no max_tokens.

        Raises BadRequestError for what isn't a JSON object in UTF-8 with each key once in its object, or has no usable
        model or max_tokens.
        """
        text, fields, members = _read(body)
        return cls(
            body=body,
            json=fields,
            model=_model(fields),
            max_tokens=0 if counts_tokens else _max_tokens(fields),
            stream=fields.get("stream") is True,
            session=_session(fields),
            thinking_budget=_thinking_budget(fields),
            _text=text,
            _members=members,
        )

    def changed(self, **fields: Any) -> bytes:
        """The body with these top-level fields set, or taken out where the value is None; the rest byte for byte.

        A text, number or truth value that is the same already stays as it is written. A new field is written last.
        """
        text, members = self._text, self._members
        written: list[str] = []
        for index, member in enumerate(members):
            change = fields.get(member.name, ...)
            if change is None:
                continue
            if written:
                written.append(text[members[index - 1].end : member.key])
            written.append(text[member.key : member.value])
            stays = change is ... or _same(change, self.json[member.name])
            written.append(text[member.value : member.end] if stays else _json(change))
        for name, value in fields.items():
            if value is not None and name not in self.json:
                written.append(f"{',' if written else ''}{_json(name)}:{_json(value)}")
        return "".join([text[: members[0].key], *written, text[members[-1].end :]]).encode()


def session_id(told: object) -> str | None:
    """A session's id as a client tells it; None for what can't be one."""
    usable = isinstance(told, str) and told.isprintable() and 0 < len(told) <= MOST_SESSION_CHARACTERS
    return str(told) if usable else None


def error_body(type: str, message: str, request_id: str | None = None) -> bytes:
    """An error as the API answers it; `type` is one of STATUS."""
    error: dict[str, Any] = {"type": "error", "error": {"type": type, "message": message}}
    return _json(error | ({"request_id": request_id} if request_id else {})).encode()


def error_event(type: str, message: str) -> bytes:
    """An error as the API tells it in a stream that has begun: an SSE event, after which nothing comes."""
    return b"event: error\ndata: " + error_body(type, message) + b"\n\n"


def _read(body: bytes) -> tuple[str, dict[str, Any], tuple[_Member, ...]]:
    """A body's text, its fields, and where they stand. Raises BadRequestError."""
    try:
        text = body.decode()
        fields, members = _object(text)
    except UnicodeDecodeError as error:
        raise BadRequestError(f"is not UTF-8 text: see byte {error.start}.") from None
    except ValueError as error:
        raise BadRequestError(f"is not a valid JSON object: {error}.") from None
    except RecursionError:
        raise BadRequestError("is nested too deep.") from None
    return text, fields, members


def _object(text: str) -> tuple[dict[str, Any], tuple[_Member, ...]]:
    """Read a text that is a JSON object. Raises ValueError where it isn't one, as the json module does."""
    pairs: list[tuple[str, Any]] = []
    members: list[_Member] = []
    at = _mark("{", text, _after_space(text, 0))
    more = not text.startswith("}", at := _after_space(text, at))
    while more:
        key = _mark('"', text, _after_space(text, at)) - 1
        name, colon = _DECODER.raw_decode(text, key)
        start = _after_space(text, _mark(":", text, _after_space(text, colon)))
        value, end = _DECODER.raw_decode(text, start)
        pairs.append((name, value))
        members.append(_Member(name, key, start, end))
        at = _after_space(text, end)
        more = text.startswith(",", at)
        at += more
    if (left := _after_space(text, _mark("}", text, at))) != len(text):
        raise json.JSONDecodeError("Extra data", text, left)
    return _unique(pairs), tuple(members)


def _mark(mark: str, text: str, at: int) -> int:
    """The place after a mark that must stand at this one."""
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)
    return at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _same(one: object, other: object) -> bool:
    """Whether two plain values are spelt alike: 1, 1.0 and true are equal to Python."""
    return type(one) is type(other) and not isinstance(one, dict | list) and one == other


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are different: of two alike, the upstream might take the one that wasn't looked at."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return fields


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is none of its numbers")


_DECODER = json.JSONDecoder(parse_constant=_no_json, object_pairs_hook=_unique)


def _model(fields: Mapping[str, Any]) -> str:
    model = fields.get("model")
    if not isinstance(model, str) or not model.strip() or model != model.strip() or not model.isprintable():
        raise BadRequestError("must be given: the name of a model.", field="model")
    return model


def _max_tokens(fields: Mapping[str, Any]) -> int:
    tokens = fields.get("max_tokens")
    if not _is_count(tokens) or tokens > MOST_TOKENS:
        raise BadRequestError("must be given: a whole number of tokens, 0 or more.", field="max_tokens")
    return tokens


def _thinking_budget(fields: Mapping[str, Any]) -> int | None:
    thinking = fields.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget if _is_count(budget) else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _session(fields: Mapping[str, Any]) -> str | None:
    metadata = fields.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return None
    if found := _SESSION_SUFFIX.search(user):
        return found[1]
    try:
        told = json.loads(user)
    except (ValueError, RecursionError):
        return None
    return session_id(told.get("session_id") if isinstance(told, dict) else None)
