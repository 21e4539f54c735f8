"""What each error says: complete by itself, naming what happened, where, and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import (
    CallerError,
    ConfigError,
    DownstreamError,
    HubError,
    LimitError,
    ScriptError,
    ToolError,
    nearest,
)


def test_a_configuration_error_opens_with_file_line_and_key() -> None:
    error = ConfigError("must be a list.", file="servers.toml", line=7, key="servers.github.command")
    assert error.text == snapshot("servers.toml:7: [servers.github.command] must be a list.")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "it is wrong."),
        ({"file": "servers.toml"}, "servers.toml: it is wrong."),
        ({"file": "servers.toml", "line": 3}, "servers.toml:3: it is wrong."),
        ({"file": "servers.toml", "key": "hub"}, "servers.toml: [hub] it is wrong."),
        ({"line": 3}, "it is wrong."),
    ],
)
def test_a_configuration_error_says_as_much_of_the_place_as_is_known(place: dict[str, str], text: str) -> None:
    assert ConfigError("it is wrong.", **place).text == text  # type: ignore[arg-type]


def test_an_unknown_name_is_answered_with_the_nearest_ones_and_what_to_do() -> None:
    error = CallerError.unknown(
        "tool",
        "list_isues",
        ["list_issues", "list_users", "close_issue", "star"],
        "readToolFile('servers/github.pyi') lists all.",
        where="in github",
    )
    assert error.text == snapshot(
        "There is no tool 'list_isues' in github. Did you mean 'list_issues' or 'list_users' or 'close_issue'? "
        "readToolFile('servers/github.pyi') lists all."
    )


def test_an_unknown_name_with_nothing_like_it_gets_no_guess() -> None:
    assert CallerError.unknown("server", "zzz", ["github", "slack"]).text == "There is no server 'zzz'."


def test_a_downstream_error_names_the_server_the_next_try_and_the_log() -> None:
    error = DownstreamError("github", "exited with status 1.", log="/logs/github.log", retry_in=2.5)
    assert error.text == snapshot(
        "Server 'github' exited with status 1. The next try is in 2.5 s. Its log: /logs/github.log"
    )
    assert (error.server, error.problem, error.log) == ("github", "exited with status 1.", "/logs/github.log")


def test_a_downstream_error_without_a_log_or_a_next_try_says_nothing_of_them() -> None:
    assert DownstreamError("github", "can't be reached.").text == "Server 'github' can't be reached."


def test_a_next_try_that_is_due_is_told_as_a_moment_and_not_as_zero() -> None:
    assert "in 0.1 s" in DownstreamError("github", "closed.", retry_in=0.0).text


def test_the_same_downstream_error_can_be_told_again_with_another_next_try() -> None:
    first = DownstreamError("github", "exited.", log="/logs/github.log", retry_in=9)
    assert first.again_in(1).text == snapshot(
        "Server 'github' exited. The next try is in 1.0 s. Its log: /logs/github.log"
    )
    assert first.again_in(None).text == "Server 'github' exited. Its log: /logs/github.log"


def test_a_failed_tool_is_told_in_its_own_words() -> None:
    error = ToolError("github", "close_issue", "issue 7 is locked")
    assert error.text == "github.close_issue failed: issue 7 is locked"
    assert isinstance(error, DownstreamError)
    assert error.again_in(None).text == "Server 'github' failed in close_issue: issue 7 is locked"


def test_a_reached_limit_names_its_key_how_far_the_program_got_and_the_remedy() -> None:
    error = LimitError("calls", "256", "256 of the 256 tool calls succeeded.", "Do the work in several programs.")
    assert error.text == snapshot(
        "The program was ended: it reached the limit calls = 256 (hub.limits.calls in servers.toml). "
        "256 of the 256 tool calls succeeded. Do the work in several programs."
    )
    assert error.limit == "calls"


def test_a_script_error_keeps_its_kind() -> None:
    error = ScriptError("syntax", "line 3: unexpected indent")
    assert (error.kind, error.text) == ("syntax", "line 3: unexpected indent")


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("a"),
        CallerError("a"),
        ScriptError("name", "a"),
        DownstreamError("a", "b."),
        ToolError("a", "b", "c"),
        LimitError("calls", "1", "a", "b"),
    ],
)
def test_every_error_of_ours_is_a_hub_error(error: Exception) -> None:
    assert isinstance(error, HubError)
    assert str(error) == error.text


@pytest.mark.parametrize("written", ["List-Issues", "LIST_ISSUES", "list-issues", "list_issue", "lst_issues"])
def test_case_dashes_and_small_slips_still_find_the_name(written: str) -> None:
    assert nearest(written, ["list_issues", "create_issue"])[0] == "list_issues"


def test_a_fragment_of_a_name_finds_the_names_that_hold_it() -> None:
    assert nearest("issue", ["create_issue_comment_reply", "merge"]) == ["create_issue_comment_reply"]


@pytest.mark.parametrize("written", ["", "x", "is", "qqqq"])
def test_what_resembles_nothing_finds_nothing(written: str) -> None:
    assert nearest(written, ["list_issues", "create_issue"]) == []


def test_no_more_names_are_offered_than_asked_for() -> None:
    known = [f"list_issue_{letter}" for letter in "abcdef"]
    assert len(nearest("list_issue", known)) == 3
    assert len(nearest("list_issue", known, count=1)) == 1


def test_of_two_names_that_differ_in_case_only_the_first_is_offered() -> None:
    assert nearest("get-user", ["getUser", "get_user", "GET-USER"]) == ["get_user", "getUser"]


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_whatever_is_offered_exists(name: str, known: list[str]) -> None:
    assert set(nearest(name, known)) <= set(known)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=8))
def test_a_name_that_exists_is_its_own_nearest(known: list[str]) -> None:
    assert nearest(known[0], known)[0] == known[0]
