"""rawPredict: where a request goes, what becomes of it, and what is made of each of Google's errors."""

import json
from typing import Any

import pytest

from fixtures.vertex_server import ERRORS as STATUSES
from mcp_hub.proxy.upstreams.fields import Fields
from mcp_hub.proxy.upstreams.upstream import Headers
from mcp_hub.proxy.upstreams.vertex_wire import ERRORS, VERSION, count, failure, host, message, unscoped
from mcp_hub.proxy.wire import STATUS, AnswerError, MessagesRequest

FIELDS = Fields.shipped("vertex")
BODY = (
    b'{ "max_tokens" : 10,\n "model":"claude-opus-4-7" , "messages":[{"role":"user","content":'
    b'"caf\xc3\xa9 \\u2014 1e3"}], "unknown": 1.0e1 }'
)


def sent(headers: Headers = (), **fields: Any) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Where a message goes, its headers and its body."""
    asked = {"model": "claude-opus-4-7", "max_tokens": 10, "messages": [], **fields}
    call = message(MessagesRequest.parse(json.dumps(asked).encode()), headers, "a-project", "europe-west1", FIELDS)
    return call.path, dict(call.headers), json.loads(call.body)


def told(status: int, value: object, *headers: tuple[str, str]) -> tuple[int, dict[str, str], dict[str, Any]]:
    """An error as it goes on."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    answered = failure(status, headers, body)
    return answered.status, dict(answered.headers), json.loads(answered.body)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east5", "https://us-east5-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("evil.test/#", "https://evil.test%2F%23-aiplatform.googleapis.com"),
    ],
)
def test_each_location_has_its_host(region: str, url: str) -> None:
    assert host(region) == url


@pytest.mark.parametrize(
    ("model", "there"),
    [
        ("claude-opus-4-7", "claude-opus-4-7"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"),
    ],
)
def test_a_model_stands_in_the_url_as_vertex_spells_it(model: str, there: str) -> None:
    place = "/v1/projects/a-project/locations/europe-west1/publishers/anthropic/models"
    assert sent(model=model)[0] == f"{place}/{there}:rawPredict"
    assert sent(model=model, stream=True)[0] == f"{place}/{there}:streamRawPredict"
    assert sent(model=model, stream=False)[0] == f"{place}/{there}:rawPredict"


@pytest.mark.parametrize(
    "model", ["a/b", "../../google/models/gemini", "a:predict", "a?x", "a%2Fb", "..", "count-tokens"]
)
def test_what_names_another_place_is_no_model(model: str) -> None:
    with pytest.raises(AnswerError) as refused:
        sent(model=model)
    assert refused.value.status == 404


def test_a_body_loses_its_model_gets_a_version_and_stays_as_it_is() -> None:
    call = message(MessagesRequest.parse(BODY), [], "p", "r", FIELDS)
    changed = BODY.replace(b',\n "model":"claude-opus-4-7"', b"").replace(
        b" }", b',"anthropic_version":"' + VERSION.encode() + b'" }'
    )
    assert call.body == changed


@pytest.mark.parametrize(
    ("header", "version"),
    [(None, VERSION), ("2023-06-01", VERSION), ("2026-10-21", "2026-10-21")],
)
def test_the_version_that_a_client_asks_for_is_told_in_the_body(header: str | None, version: str) -> None:
    headers = [] if header is None else [("Anthropic-Version", header)]
    _, passed, body = sent(headers)
    assert body["anthropic_version"] == version
    assert passed == {}


def test_headers_of_the_client_stay_but_for_what_the_api_knows() -> None:
    given = [
        ("Accept", "application/json"),
        ("content-type", "application/json"),
        ("User-Agent", "claude-cli/2.1"),
        ("x-api-key", "secret"),
        ("authorization", "Bearer secret"),
        ("x-goog-user-project", "another"),
        ("x-goog-api-key", "secret"),
        ("x-stainless-lang", "js"),
        ("cookie", "a=b"),
    ]
    assert set(sent(given)[1]) == {"Accept", "content-type", "User-Agent"}


def test_betas_pass_in_one_header_but_for_those_that_are_refused() -> None:
    given = [
        ("anthropic-beta", "context-1m-2025-08-07, prompt-caching-scope-2026-01-05"),
        ("anthropic-beta", "of-tomorrow,context-1m-2025-08-07,advanced-tool-use-2025-11-20"),
    ]
    _, headers, body = sent(given, anthropic_beta=["of-the-body"])
    assert headers == {"anthropic-beta": "context-1m-2025-08-07,of-tomorrow,tool-search-tool-2025-10-19,of-the-body"}
    assert "anthropic_beta" not in body


def test_tokens_are_counted_with_the_model_in_the_body_and_without_betas() -> None:
    asked = {"model": "claude-haiku-4-5-20251001", "messages": [], "context_management": {"edits": []}, "tools": []}
    request = MessagesRequest.parse(json.dumps(asked).encode(), counts_tokens=True)
    call = count(request, [("anthropic-beta", "web-search-2025-03-05"), ("accept", "*/*")], "p", "global")
    assert call.path == "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict"
    assert call.headers == [("accept", "*/*")]
    assert json.loads(call.body) == {
        "model": "claude-haiku-4-5@20251001",
        "messages": [],
        "tools": [],
        "anthropic_version": VERSION,
    }


def test_a_scope_of_the_cache_is_left_out_wherever_it_stands_and_nothing_else() -> None:
    scoped, plain = {"type": "ephemeral", "scope": "global"}, {"type": "ephemeral"}
    called = {
        "type": "tool_use",
        "id": "1",
        "name": "n",
        "input": {"cache_control": scoped, "content": [{"a": scoped}]},
    }

    def request(control: object) -> dict[str, Any]:
        block = {"type": "text", "text": "x", "cache_control": control}
        return {
            "system": [{"type": "text", "text": "s"}, block],
            "tools": [{"name": "n", "cache_control": control}],
            "messages": [{"role": "user", "content": [{"type": "tool_result", "content": [block]}, called]}],
            "cache_control": control,
        }

    assert unscoped(request(scoped)) == request(plain)
    assert unscoped(request(plain)) == {}
    assert unscoped({"system": "text", "messages": [{"role": "user", "content": "scope"}, None], "tools": None}) == {}


@pytest.mark.parametrize("name", sorted(STATUSES))
def test_every_error_of_googles_has_anthropics_type_and_status_and_its_own_words(name: str) -> None:
    status, headers, body = told(STATUSES[name], {"error": {"code": STATUSES[name], "message": "why", "status": name}})
    assert status == STATUS[ERRORS[name]]
    assert headers["content-type"] == "application/json"
    assert body == {"type": "error", "error": {"type": ERRORS[name], "message": "why"}}


@pytest.mark.parametrize(
    ("name", "type", "status"),
    [
        ("RESOURCE_EXHAUSTED", "rate_limit_error", 429),
        ("UNAVAILABLE", "overloaded_error", 529),
        ("UNAUTHENTICATED", "authentication_error", 401),
        ("PERMISSION_DENIED", "permission_error", 403),
        ("NOT_FOUND", "not_found_error", 404),
        ("INVALID_ARGUMENT", "invalid_request_error", 400),
        ("FAILED_PRECONDITION", "invalid_request_error", 400),
        ("DEADLINE_EXCEEDED", "timeout_error", 504),
        ("INTERNAL", "api_error", 500),
    ],
)
def test_the_table_of_errors_is_this_one(name: str, type: str, status: int) -> None:
    for value in ({"error": {"status": name, "message": "m"}}, [{"error": {"status": name, "message": "m"}}]):
        answered, _, body = told(STATUSES[name], value)
        assert (answered, body["error"]["type"]) == (status, type)


@pytest.mark.parametrize(
    ("status", "answered", "type"),
    [
        (302, 502, "api_error"),
        (400, 400, "invalid_request_error"),
        (404, 404, "not_found_error"),
        (405, 405, "invalid_request_error"),
        (413, 413, "request_too_large"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Error</html>", b"[]", b"[1]", b"null", b'{"error": 1}', b'{"error": {"status": ["x"]}}', b"\xff"],
)
def test_what_has_no_status_of_googles_is_known_by_that_of_http(
    status: int, answered: int, type: str, body: bytes
) -> None:
    there, _, value = told(status, body)
    assert (there, value["error"]["type"]) == (answered, type)
    assert value["error"]["message"].startswith(f"Vertex AI answered {status}")


def test_an_error_of_anthropics_passes_as_it_came() -> None:
    body = b'{ "type":"error", "error":{"type":"of_tomorrow","message":"m"},"request_id":"req_vrtx_1"}'
    headers = [("Content-Type", "application/json"), ("request-id", "req_vrtx_1"), ("x-odd", "1")]
    assert failure(400, headers, body) == (400, headers, body)


def test_when_to_ask_again_is_told_by_the_header_or_by_the_error_itself() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "11.5s"}
    error = {"error": {"status": "RESOURCE_EXHAUSTED", "message": "m", "details": [{"@type": "x"}, 1, info]}}
    assert told(429, error, ("Retry-After", "3"))[1]["retry-after"] == "3"
    assert told(429, error)[1]["retry-after"] == "12"
    for odd in ("soon", None, "1", "-1s"):
        assert "retry-after" not in told(429, {"error": {"details": [{"retryDelay": odd}]}})[1]


def test_a_requests_id_is_kept() -> None:
    _, headers, body = told(500, {"error": {"message": "m"}}, ("X-Request-Id", "req_7"), ("server", "x"))
    assert headers["request-id"] == body["request_id"] == "req_7"
    assert "server" not in headers
