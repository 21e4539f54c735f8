"""Finding tools by plain words."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.hub.catalog import build_server
from mcp_hub.hub.search import QUERY_CHARACTERS, THESAURUS, Index, Thesaurus, words
from tests.hub.listed import tool

SERVERS: Mapping[str, Mapping[str, tuple[str, list[str]]]] = {
    "github": {
        "list_issues": ("List issues in a repository.", ["owner", "repo", "state"]),
        "create_issue": ("Create a new issue in a repository.", ["owner", "repo", "title"]),
        "createPullRequest": ("Open a pull request.", ["owner", "repo", "head"]),
        "get_file_contents": ("Read a file of a repository.", ["path"]),
    },
    "slack": {
        "post-message": ("Send a message to a channel.", ["channel", "text"]),
        "list_channels": ("Lists the channels of the workspace.", ["cursor"]),
    },
    "weather": {
        "getHTTPForecast": ("Forecast for a city, over HTTP.", ["city", "days"]),
        "größen": ("Umrechnung von Größen.", []),
    },
}


def index(servers: Mapping[str, Mapping[str, tuple[str, list[str]]]] = SERVERS) -> Index:
    def tools(of: Mapping[str, tuple[str, list[str]]]) -> list[dict[str, Any]]:
        return [
            {"name": name, "description": text, "inputSchema": {"properties": {each: {} for each in parameters}}}
            for name, (text, parameters) in of.items()
        ]

    return Index(tool for name, of in servers.items() for tool in build_server(name, "", tools(of)).tools.values())


def found(query: str, limit: int = 3) -> list[str]:
    return [f"{server}.{tool}" for server, tool in index().search(query, limit)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("create issue", "github.create_issue"),
        ("create_issue", "github.create_issue"),
        ("createIssue", "github.create_issue"),
        ("CREATE ISSUE", "github.create_issue"),
        ("creating issues", "github.create_issue"),
        ("open a pull request", "github.createPullRequest"),
        ("send a message to a channel", "slack.post_message"),
        ("post-message", "slack.post_message"),
        ("http forecast", "weather.getHTTPForecast"),
        ("slack channels", "slack.list_channels"),
        ("how can I read a file?", "github.get_file_contents"),
        ("city", "weather.getHTTPForecast"),
        ("Größen", "weather.gr__en"),
    ],
)
def test_the_tool_that_fits_best_comes_first(query: str, first: str) -> None:
    assert found(query)[0] == first


def test_the_listing_of_a_search_is_ranked_over_all_servers() -> None:
    assert found("list issues of a repository", 8) == snapshot(["github.list_issues", "github.create_issue"])


def test_a_word_in_a_name_weighs_more_than_in_a_description_and_that_more_than_in_a_parameter() -> None:
    made = index(
        {
            "s": {
                "alpha": ("Does things with a cursor here.", []),
                "beta_cursor": ("Does things here and there.", []),
                "gamma": ("Does things here and there.", ["cursor"]),
                "delta": ("Does things here and there.", []),
            }
        }
    )
    assert [name for _, name in made.search("cursor", 9, least=0)] == ["beta_cursor", "alpha", "gamma"]


def test_what_fits_far_worse_than_the_best_is_left_out_unless_it_is_asked_for() -> None:
    made = index({"s": {"cursor": ("Moves the cursor.", []), "gamma": ("Does things.", ["cursor"])}})
    assert made.search("cursor", 9) == [("s", "cursor")]
    assert made.search("cursor", 9, least=0) == [("s", "cursor"), ("s", "gamma")]


def test_tools_that_do_away_with_something_or_are_deprecated_come_last_unless_they_are_meant() -> None:
    made = index(
        {
            "s": {
                "delete_notes": ("Notes of a person.", []),
                "old_notes": ("DEPRECATED: notes of a person.", []),
                "read_notes": ("Notes of a person.", []),
            }
        }
    )
    assert made.search("notes of a person", 1) == [("s", "read_notes")]
    assert made.search("delete notes", 1) == [("s", "delete_notes")]


def test_values_and_results_that_schemas_name_are_found() -> None:
    output = {"type": "object", "properties": {"humidity": {"type": "number"}}}
    made = Index([tool({"place": {"enum": ["Chicago"]}}, name="sample", outputSchema=output), tool(name="other")])
    for query in ("chicago", "humidity"):
        assert [name for _, name in made.search(query, 9)] == ["sample"]


def test_a_request_in_other_words_finds_the_tool_by_words_that_mean_the_same() -> None:
    assert found("report a bug")[0] == "github.create_issue"
    assert found("tell the team in the chat")[0] == "slack.post_message"


def test_the_requests_own_words_weigh_more_than_those_that_mean_the_same() -> None:
    made = index({"s": {"delete_file": ("Deletes.", []), "remove_file": ("Removes.", [])}})
    assert made.search("remove", 2) == [("s", "remove_file"), ("s", "delete_file")]
    assert made.search("delete", 2) == [("s", "delete_file"), ("s", "remove_file")]


def test_a_search_of_one_server_finds_nothing_of_another() -> None:
    assert {server for server, _ in index().search("channel repository", 9, "slack")} == {"slack"}
    assert index().search("repository", 9, "weather") == []


@pytest.mark.parametrize("word", ["ticket", "tickets", "ticketed", "ticketing"])
def test_the_thesaurus_gives_the_other_words_of_every_group_that_a_word_stands_in(word: str) -> None:
    thesaurus = Thesaurus("# ticket comment\nissue ticket\nticket pass\nother group")
    assert thesaurus.related([word]) == ["issue", "pass"]


def test_the_thesaurus_repeats_no_word_of_the_request() -> None:
    assert Thesaurus("issue ticket bug").related(["bug", "issue"]) == ["ticket"]


def test_every_line_of_the_thesaurus_is_a_group_of_words_that_can_be_found() -> None:
    groups = [line.split() for line in THESAURUS.splitlines() if not line.startswith("#")]
    assert all(len(set(group)) == len(group) > 1 for group in groups)
    assert all(words(word) == word for group in groups for word in group)


def test_no_more_tools_come_than_asked_for() -> None:
    assert len(found("repository", 2)) == 2
    assert found("repository", 0) == []


@pytest.mark.parametrize("query", ["kubernetes", "", "   ", "?!", "_", '"', "\x00", "\ud800"])
def test_what_fits_nothing_finds_nothing(query: str) -> None:
    assert found(query) == []


@pytest.mark.parametrize(
    "query", ["issue AND NOT", "issue*", 'issue"', "NEAR(issue", "name:issue", "issue;--", "(issue"]
)
def test_the_syntax_of_the_index_has_no_meaning_in_a_query(query: str) -> None:
    assert "github.create_issue" in found(query)


def test_common_words_dont_count_unless_there_is_nothing_else() -> None:
    assert found("the weather and the") == found("weather")
    assert found("get")[0] in ("github.get_file_contents", "weather.getHTTPForecast")


def test_an_endless_query_is_searched_for_its_beginning() -> None:
    assert found("forecast " + "x" * 10_000_000) == found("forecast") != []
    assert found(" " * QUERY_CHARACTERS + "forecast") == []


def test_tools_that_fit_equally_come_in_the_order_of_their_names() -> None:
    made = index({"b": {"same": ("Same.", [])}, "a": {"same": ("Same.", [])}})
    assert made.search("same", 9) == [("a", "same"), ("b", "same")]


def test_an_empty_catalog_finds_nothing() -> None:
    assert Index([]).search("anything", 5) == []


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("listIssues", "list issues"),
        ("get-HTTP_response.v2", "get http response v2"),
        ("getHTTPResponse", "get http response"),
        ("listURLs", "list urls"),
        ("userIDsOf", "user ids of"),
        ("PRStatus", "pr status"),
        ("issue2pr", "issue2pr"),
        ("a  b\n\tc", "a b c"),
        ("__init__", "init"),
        ("Größe", "größe"),
        ("日本語", "日本語"),
        ("", ""),
    ],
)
def test_a_name_is_taken_apart_into_words(text: str, apart: str) -> None:
    assert words(text) == apart


@given(st.text(max_size=40), st.integers(0, 5))
def test_any_query_finds_at_most_the_limit_and_each_tool_once(query: str, limit: int) -> None:
    hits = SHARED.search(query, limit)
    assert len(set(hits)) == len(hits) <= limit


SHARED = index()


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True))
def test_any_name_with_a_letter_is_found_by_itself(wire_names: list[str]) -> None:
    tools = build_server("s", "", [{"name": name} for name in wire_names]).tools.values()
    made = Index(tools)
    for each in tools:
        if words(each.wire_name).isascii() and words(each.wire_name):
            assert ("s", each.name) in made.search(each.wire_name, len(wire_names))
