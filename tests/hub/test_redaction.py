"""No secret reaches the journal by its name, its mark or its value; what is none stays readable."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from pydantic import ValidationError

from mcp_hub.hub.redaction import (
    REDACTED,
    SHORT_CHARACTERS,
    CallKey,
    marked_for,
    names_a_secret,
    redacted,
    short,
    without,
)
from mcp_hub.settings import ServerSettings

SECRET_NAMES = """
password Password PASSWORD passwd pwd db_password dbPassword newpassword password2 user_passwords smtp_pass pass
passphrase secret client_secret clientSecret CLIENT_SECRET clientsecret secrets app-secret
token TOKEN accessToken access_token accesstoken github_token githubToken refresh_token id_token bot_token csrfToken
auth_token X-Auth-Token tokens access_tokens api_tokens token2 next_access_token
api_key apikey apiKey APIKey API_KEY api-key X-Api-Key api_keys OPENAI_API_KEY private_key privateKey ssh_key
access_key secret_access_key secretKey session_key encryption_key master_key signing.key
authorization Authorization Proxy-Authorization auth basic_auth cookie Cookie Set-Cookie cookies bearer bearer_token
credential credentials google_credentials creds jwt otp totp password_hint
"""

OTHER_NAMES = """
tokens_used max_tokens maxTokens total_tokens token_count tokenCount token_limit token_type page_token pageToken
next_page_token nextPageToken nextToken continuation_token sync_token cursor_token prompt_tokens token_usage
key keys sort_key primary_key issue_key foreignKey keyboard monkey author authors authority author_id tokenizer
secretary password_length password_policy secret_name secretId access_key_id expires_in token_expires_at
passenger compass bypass pass_rate passed auth_mode auth_type cookie_name cookbook credential_type title body text
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_of_a_secret_is_known_however_it_is_spelt(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", [*OTHER_NAMES.split(), "", "_", "größe", "令牌"])
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert not names_a_secret(name)


def test_secrets_are_left_out_at_any_depth_and_the_rest_stays() -> None:
    arguments = {
        "user": "ada",
        "password": "hunter2",
        "login": {"otp": 123456, "steps": [{"accessToken": "t1", "page_token": "p1"}, "x"]},
        "credentials": {"user": "ada", "value": "v"},
        "max_tokens": 500,
    }
    assert redacted(arguments) == {
        "user": "ada",
        "password": REDACTED,
        "login": {"otp": REDACTED, "steps": [{"accessToken": REDACTED, "page_token": "p1"}, "x"]},
        "credentials": REDACTED,
        "max_tokens": 500,
    }


def test_what_tells_no_secret_stays_readable_under_a_secrets_name() -> None:
    arguments = {"password": None, "auth": True, "secret": "", "token": 0}
    assert redacted(arguments) == {**arguments, "token": REDACTED}


@pytest.mark.parametrize("naming", ["name", "key", "header", "Name"])
def test_a_named_value_is_left_out_when_its_name_is_a_secrets(naming: str) -> None:
    variables = {"env": [{naming: "API_KEY", "value": "abc"}, {naming: "REGION", "value": "eu"}]}
    assert redacted(variables) == {"env": [{naming: "API_KEY", "value": REDACTED}, {naming: "REGION", "value": "eu"}]}


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        (["body"], {"body": REDACTED, "user": {"phone": "1", "body": REDACTED}, "posts": [{"body": REDACTED}]}),
        (["user.phone"], {"body": "b", "user": {"phone": REDACTED, "body": "c"}, "posts": [{"body": "d"}]}),
        (["posts.*"], {"body": "b", "user": {"phone": "1", "body": "c"}, "posts": [{"body": REDACTED}]}),
        (["POSTS"], {"body": "b", "user": {"phone": "1", "body": "c"}, "posts": REDACTED}),
        (["*"], {"body": REDACTED, "user": REDACTED, "posts": REDACTED}),
        (["phone.*", "bo"], {"body": "b", "user": {"phone": "1", "body": "c"}, "posts": [{"body": "d"}]}),
    ],
)
def test_what_servers_toml_marks_is_left_out(marked: list[str], left: dict[str, Any]) -> None:
    assert redacted({"body": "b", "user": {"phone": "1", "body": "c"}, "posts": [{"body": "d"}]}, marked) == left


def test_the_marks_of_a_tool_are_those_whose_glob_fits_one_of_its_names() -> None:
    redact = ("create_secret.value", "*.body", "create_*.a.b", "delete.x")
    assert marked_for(redact, "create_secret") == ("value", "body", "a.b")
    assert marked_for(redact, "delete_it", "delete") == ("body", "x")
    assert marked_for((), "create_secret") == ()


@pytest.mark.parametrize("text", ["value", "create_secret.", ".value", ""])
def test_a_mark_that_is_no_tool_and_argument_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"must be TOOL\.ARGUMENT"):
        ServerSettings.model_validate({"command": ["x"], "redact": [text]})


def test_a_server_stays_connected_when_only_its_marks_change() -> None:
    before = server_with({})
    assert before.same_connection(server_with({"redact": ["*.body"]}))


def server_with(more: dict[str, Any]) -> ServerSettings:
    return ServerSettings.model_validate({"command": ["x"], **more})


def test_the_hubs_own_secrets_are_taken_out_of_texts_and_names() -> None:
    arguments = {"url": "x?key=s3cret-abc", "s3cret": [1, "s3cret"]}
    assert redacted(arguments, (), ("s3cret-abc", "s3cret")) == {"url": f"x?key={REDACTED}", REDACTED: [1, REDACTED]}
    assert without("a s3cret b", ("s3cret",)) == f"a {REDACTED} b"


def test_who_logs_in_by_a_url_is_taken_out_of_it() -> None:
    arguments = {"dsn": "postgres://ada:pw@db/x", "url": "https://a.b/c@d", "text": "see ftp://u@h and me@a.b"}
    assert redacted(arguments) == {
        "dsn": f"postgres://{REDACTED}@db/x",
        "url": "https://a.b/c@d",
        "text": f"see ftp://{REDACTED}@h and me@a.b",
    }


def test_endless_nesting_is_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(50_000):
        deep = {"a": deep}
    assert "[nested too deeply]" in json.dumps(redacted(deep))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc :/", max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_holds_no_secret_stays_as_it_is(value: Any) -> None:
    assert redacted(value) == value


@given(
    st.dictionaries(st.sampled_from(["a", "token", "body", "list"]), JSON, max_size=4),
    st.sampled_from(SECRET_NAMES.split()),
)
def test_no_secret_is_left_wherever_it_stands(arguments: dict[str, Any], name: str) -> None:
    planted = {**arguments, "more": [{"deep": {name: "PLANTED"}}], "text": "a PLANTED-TOO b"}
    assert "PLANTED" not in json.dumps(redacted(planted, (), ("PLANTED-TOO",)))


class TestShort:
    def test_is_json_in_one_line(self) -> None:
        assert short({"a": "größe\n", "b": [1, None]}) == '{"a": "größe\\n", "b": [1, null]}'

    def test_says_what_it_cut(self) -> None:
        assert short({"body": "x" * 1_000, "n": 1}) == f'{{"body": "{"x" * 80}… (+920 characters)", "n": 1}}'
        assert short(list(range(1_000))) == snapshot(
            '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "… 980 more"]'
        )
        assert short({str(number): number for number in range(22)}).endswith('"… 2 more": null}')
        assert short(["x" * 60] * 5).endswith("… (+120 characters)")

    @given(JSON)
    def test_is_short_and_one_line_whatever_it_is_given(self, value: Any) -> None:
        text = short(value)
        assert len(text) < SHORT_CHARACTERS + 40
        assert "\n" not in text


KEY = CallKey(b"k" * 32)


class TestCallKey:
    def test_is_the_same_for_the_same_call_in_whatever_order(self) -> None:
        assert KEY.of("s", "t", {"a": 1, "b": {"c": 2, "d": 3}}) == KEY.of("s", "t", {"b": {"d": 3, "c": 2}, "a": 1})

    @pytest.mark.parametrize(
        "other",
        [
            ("s2", "t", {"a": 1}),
            ("s", "t2", {"a": 1}),
            ("s", "t", {"a": 2}),
            ("s", "t", {"a": "1"}),
            ("s", "t", {"a": True}),
            ("s", "t", {"a": 1.5}),
            ("s", "t", {"a": [1]}),
            ("s", "t", {"a": None}),
            ("s", "t", {}),
            ("s", "t", {"a": 1, "b": None}),
        ],
    )
    def test_is_another_for_another_call(self, other: tuple[str, str, dict[str, Any]]) -> None:
        assert KEY.of(*other) != KEY.of("s", "t", {"a": 1})

    @pytest.mark.parametrize(("a", "b"), [(1, 1.0), (0, -0.0), (10**16, 1e16), ([{"x": 2}], [{"x": 2.0}])])
    def test_is_the_same_for_numbers_that_json_doesnt_tell_apart(self, a: Any, b: Any) -> None:
        assert KEY.of("s", "t", {"a": a}) == KEY.of("s", "t", {"a": b})

    def test_needs_the_secret(self) -> None:
        assert CallKey(b"j" * 32).of("s", "t", {}) != KEY.of("s", "t", {})

    def test_stays_the_same_over_versions(self) -> None:
        assert KEY.of("github", "create_issue", {"title": "größe", "n": [1, 2.5, None, True]}) == snapshot(
            "d962d1ffab7654b134d95b586165087f604976f892f8e7dc1de6479d7daf4b07"
        )

    def test_takes_any_text(self) -> None:
        assert KEY.of("s", "t", {"a": "\ud800"}) != KEY.of("s", "t", {"a": "\ud801"})

    @given(JSON, JSON)
    def test_is_the_same_exactly_for_equal_arguments(self, a: Any, b: Any) -> None:
        same = json.dumps(_comparable(a), sort_keys=True) == json.dumps(_comparable(b), sort_keys=True)
        assert (KEY.of("s", "t", {"a": a}) == KEY.of("s", "t", {"a": b})) == same


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    return int(value) if isinstance(value, float) and value == int(value) else value
