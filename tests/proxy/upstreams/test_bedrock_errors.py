"""Bedrock's errors: what type and status the client sees, with the message that Bedrock gave."""

import json

import pytest

from mcp_hub.proxy import wire
from mcp_hub.proxy.upstreams import bedrock_errors
from mcp_hub.proxy.upstreams.bedrock_errors import CODES, STATUSES

OVER_HTTP = [
    ("AccessDeniedException", 403, "permission_error", 403),
    ("ResourceNotFoundException", 404, "not_found_error", 404),
    ("ThrottlingException", 429, "rate_limit_error", 429),
    ("ServiceQuotaExceededException", 400, "rate_limit_error", 429),
    ("ModelNotReadyException", 429, "overloaded_error", 529),
    ("ServiceUnavailableException", 503, "overloaded_error", 529),
    ("ModelTimeoutException", 408, "timeout_error", 504),
    ("ModelErrorException", 424, "api_error", 500),
    ("InternalServerException", 500, "api_error", 500),
    ("ValidationException", 400, "invalid_request_error", 400),
    ("UnrecognizedClientException", 403, "authentication_error", 401),
    ("InvalidSignatureException", 403, "authentication_error", 401),
    ("ExpiredTokenException", 403, "authentication_error", 401),
    ("MissingAuthenticationTokenException", 403, "authentication_error", 401),
    ("SomethingNewException", 403, "permission_error", 403),
    ("SomethingNewException", 418, "api_error", 500),
    ("SomethingNewException", 502, "api_error", 502),
    ("", 429, "rate_limit_error", 429),
]


@pytest.mark.parametrize(("code", "status", "type", "seen"), OVER_HTTP)
def test_a_code_over_http_has_its_type_and_status(code: str, status: int, type: str, seen: int) -> None:
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    told = bedrock_errors.over_http(status, headers, b'{"message": "so it is"}')
    assert (told.type, told.status, told.message) == (type, seen, "so it is")


@pytest.mark.parametrize(
    "fields",
    [
        {"__type": "com.amazon.coral.service#ThrottlingException", "Message": "slow"},
        {"code": "ThrottlingException", "message": "slow"},
        {"__type": "Throttling", "message": "slow"},
    ],
    ids=str,
)
def test_a_code_may_stand_in_the_body(fields: dict[str, str]) -> None:
    told = bedrock_errors.over_http(400, {}, json.dumps(fields).encode())
    assert (told.type, told.message) == ("rate_limit_error", "slow")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Amazon Bedrock answered 503 ServiceUnavailableException."),
        (b"{}", "Amazon Bedrock answered 503 ServiceUnavailableException."),
        (b"[1]", "[1]"),
        (b"upstream connect error\n", "upstream connect error"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_body_that_is_no_error_is_told_as_it_is(body: bytes, message: str) -> None:
    told = bedrock_errors.over_http(503, {"x-amzn-errortype": "ServiceUnavailableException"}, body)
    assert (told.type, told.message) == ("overloaded_error", message)


def test_an_error_in_the_messages_apis_own_shape_passes() -> None:
    body = wire.error_body("request_too_large", "too much")
    assert bedrock_errors.over_http(400, {}, body)[:3] == ("request_too_large", 413, "too much")


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"])
def test_credentials_that_were_refused_are_stale(code: str) -> None:
    assert bedrock_errors.over_http(403, {"x-amzn-errortype": code}, b"").stale
    assert not bedrock_errors.over_http(403, {"x-amzn-errortype": "AccessDeniedException"}, b"").stale


IN_STREAM = [
    ("throttlingException", "rate_limit_error"),
    ("modelStreamErrorException", "api_error"),
    ("modelTimeoutException", "timeout_error"),
    ("internalServerException", "api_error"),
    ("serviceUnavailableException", "overloaded_error"),
    ("validationException", "invalid_request_error"),
    ("somethingNewException", "api_error"),
]


@pytest.mark.parametrize(("kind", "type"), IN_STREAM)
def test_an_exception_in_a_stream_has_its_type(kind: str, type: str) -> None:
    told = bedrock_errors.in_stream({":exception-type": kind}, b'{"message": "so it is"}')
    assert (told.type, told.message) == (type, "so it is")


def test_an_error_in_a_stream_is_told_by_its_headers() -> None:
    told = bedrock_errors.in_stream({":error-code": "InternalFailure", ":error-message": "so it is"}, b"")
    assert told[:3] == ("api_error", 500, "so it is")
    assert "InternalFailure" in bedrock_errors.in_stream({":error-code": "InternalFailure"}, b"").message


def test_every_type_of_the_tables_is_the_messages_apis() -> None:
    assert {*CODES.values(), *STATUSES.values()} <= wire.STATUS.keys()
    assert all(code == code.lower() and not code.endswith("exception") for code in CODES)
