"""Amazon Bedrock's errors as the Messages API would tell them: over HTTP by a table of codes, and inside a stream.

Pure. The message is Bedrock's own. A code that isn't in the table goes by its status.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from mcp_hub.proxy import wire

CODES: Mapping[str, str] = {
    "accessdenied": "permission_error",
    "badcscore": "permission_error",
    "notauthorized": "permission_error",
    "optinrequired": "permission_error",
    "expiredtoken": "authentication_error",
    "incompletesignature": "authentication_error",
    "invalidclienttokenid": "authentication_error",
    "invalidsignature": "authentication_error",
    "missingauthenticationtoken": "authentication_error",
    "requestexpired": "authentication_error",
    "signaturedoesnotmatch": "authentication_error",
    "unrecognizedclient": "authentication_error",
    "ftuformnotfilled": "not_found_error",
    "resourcenotfound": "not_found_error",
    "unknownoperation": "not_found_error",
    "serialization": "invalid_request_error",
    "validation": "invalid_request_error",
    "validationerror": "invalid_request_error",
    "requestentitytoolarge": "request_too_large",
    "limitexceeded": "rate_limit_error",
    "servicequotaexceeded": "rate_limit_error",
    "throttling": "rate_limit_error",
    "toomanyrequests": "rate_limit_error",
    "modelnotready": "overloaded_error",
    "serviceunavailable": "overloaded_error",
    "modeltimeout": "timeout_error",
    "requesttimeout": "timeout_error",
    "internalfailure": "api_error",
    "internalserver": "api_error",
    "modelerror": "api_error",
    "modelstreamerror": "api_error",
}
"""Types of the Messages API by AWS's codes, without case and without "Exception" at their end."""

STALE = ("expiredtoken", "invalidclienttokenid", "requestexpired", "unrecognizedclient")
"""Codes of credentials that were good once, perhaps: there may be others where they came from."""

STATUSES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""For codes that aren't known; anything else is an api_error."""

MOST_CHARACTERS = 4000
"""Of a message that isn't in the shape of an error."""


class Told(NamedTuple):
    """An error in the Messages API's terms. `stale`: other credentials may do."""

    type: str
    status: int
    message: str
    stale: bool = False


def over_http(status: int, headers: Mapping[str, str], body: bytes) -> Told:
    """The error of an answer; `headers` by lower-case names."""
    fields = _object(body)
    nested = fields.get("error")
    nested_type = nested.get("type") if isinstance(nested, dict) else None
    if isinstance(nested, dict) and isinstance(nested_type, str) and nested_type in wire.STATUS:
        # A gateway on the way, or the model's own error passed through.
        return Told(nested_type, wire.STATUS[nested_type], str(nested.get("message", "")))
    code = headers.get("x-amzn-errortype") or str(fields.get("__type") or fields.get("code") or "")
    message = next((fields[name] for name in ("message", "Message") if isinstance(fields.get(name), str)), "")
    if not message and not body.startswith(b"{"):
        message = body.decode(errors="replace").strip()[:MOST_CHARACTERS]
    bare = _bare(code)
    type = CODES.get(bare) or STATUSES.get(status, "api_error")
    known = wire.STATUS[type] if type != "api_error" or status < 500 else status
    named = code.partition(":")[0].rpartition("#")[2]
    return Told(type, known, message or f"Amazon Bedrock answered {status} {named}".strip() + ".", bare in STALE)


def in_stream(headers: Mapping[str, Any], payload: bytes) -> Told:
    """The error that a frame tells which isn't an event; `headers` are the frame's."""
    code = str(headers.get(":exception-type") or headers.get(":error-code") or "")
    fields = _object(payload)
    told = fields.get("message") or fields.get("originalMessage") or headers.get(":error-message")
    bare = _bare(code)
    type = CODES.get(bare, "api_error")
    message = str(told or f"Amazon Bedrock ended the stream: {code or 'no reason given'}.")
    return Told(type, wire.STATUS[type], message, bare in STALE)


def _bare(code: str) -> str:
    """`com.amazon.coral.service#ThrottlingException:http://...` is `throttling`."""
    return code.partition(":")[0].rpartition("#")[2].strip().lower().removesuffix("exception")


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
