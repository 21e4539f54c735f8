"""The cache's recorded sessions: what a request is, what the cache said to it, and what differs are told right."""

import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from bench.cache.session import chosen_pairs
from bench.cache.session_model import SessionApi, prefix_of
from bench.cache.session_report import Outcome, reasons, table
from bench.cache.session_requests import (
    IDS,
    NOT_KEPT,
    Asked,
    Kind,
    Verdict,
    differences,
    kind_of,
    nearest,
    obstacles,
    verdict_of,
)
from bench.cache.session_task import TASK, Repository, task_turns
from bench.cache.session_world import Money
from mcp_hub.proxy.cache_key import CacheKey, Scope, key_of
from mcp_hub.proxy.pins import Route
from tests.clients.stand_in import Text, ToolUse

Message = dict[str, Any]

TOOLS = [{"name": "Read", "input_schema": {"type": "object"}}]
REMINDER = "<system-reminder>\n{}\n</system-reminder>"


def text(said: str) -> Message:
    return {"type": "text", "text": said}


def user(*blocks: Message | str) -> Message:
    return {"role": "user", "content": [text(block) if isinstance(block, str) else block for block in blocks]}


def note(said: str) -> Message:
    return {"role": "system", "content": said}


def call(id: str, name: str = "Read", **given: str) -> Message:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": name, "input": given}]}


def result(id: str, said: str) -> Message:
    return user({"type": "tool_result", "tool_use_id": id, "content": said})


def body(*messages: Message, **fields: Any) -> Message:
    return {"model": "claude-x", "tools": TOOLS, "messages": list(messages), **fields}


SCOPE = Scope("team shop", "here", "clean")


def key(*messages: Message, scope: Scope = SCOPE, beta: str = "a", **fields: Any) -> CacheKey:
    headers = [("anthropic-beta", beta)]
    return key_of(body(*messages, **fields), Route("claude-x", "anthropic"), "/v1/messages", headers, scope)


def asked(
    *messages: Message,
    kind: Kind = Kind.TOOL_RESULT,
    verdict: Verdict = Verdict.MISS,
    detail: str = "",
    called_tools: bool = False,
) -> Asked:
    return Asked(kind, verdict, detail, key(*messages), called_tools)


@pytest.mark.parametrize(
    ("request_body", "kind"),
    [
        (body(user("Fix it")), Kind.QUESTION),
        (body(user("Fix it"), note("Today is a day.")), Kind.QUESTION),
        (body({"role": "user", "content": "Fix it"}), Kind.QUESTION),
        (body(user("Fix it"), call("1"), result("1", "text")), Kind.TOOL_RESULT),
        (body(user("Fix it"), call("1"), result("1", "text"), note("Say something.")), Kind.TOOL_RESULT),
        (body(user("Fix it"), call("1"), result("1", "text"), call("2"), user("Stop")), Kind.QUESTION),
        (body(user("A title for: Fix it")) | {"tools": []}, Kind.SIDE),
        ({"model": "claude-x", "messages": [user("quota")]}, Kind.SIDE),
        (body(), Kind.QUESTION),
        (None, Kind.SIDE),
    ],
)
def test_a_request_is_of_the_kind_in_which_it_ends_whatever_the_client_notes_after_it(
    request_body: Message | None, kind: Kind
) -> None:
    assert kind_of("/v1/messages?beta=true", request_body) is kind


def test_counting_tokens_is_no_request_to_a_model() -> None:
    assert kind_of("/v1/messages/count_tokens?beta=true", body(user("Fix it"))) is Kind.TOKENS


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("mcp_hub; hit; kind=exact; ttl=3540; id=mhc_1", (Verdict.EXACT, "")),
        ("mcp_hub; hit; kind=similar; ttl=1; id=mhc_1; similarity=0.9", (Verdict.SIMILAR, "")),
        ("mcp_hub; fwd=miss; collapsed", (Verdict.SHARED, "")),
        ("mcp_hub; fwd=uri-miss", (Verdict.MISS, "")),
        (r'mcp_hub; fwd=miss; detail="quoted: \"a\"; hit"', (Verdict.MISS, 'quoted: "a"; hit')),
        ('mcp_hub; fwd=bypass; detail="the API runs tools in it"', (Verdict.BYPASS, "the API runs tools in it")),
        ("", (Verdict.NONE, "")),
    ],
)
def test_the_verdict_is_what_the_header_says(status: str, told: tuple[Verdict, str]) -> None:
    assert verdict_of(status) == told


SAME = (user("Fix it"), call("1", file="/a"), result("1", "Ran 2 tests in 0.001s"))


def test_nothing_differs_in_the_same_request() -> None:
    assert differences(key(*SAME), key(*SAME)) == []


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (key(*SAME, scope=SCOPE._replace(sharing="key ada")), ["who shares"]),
        (key(*SAME, scope=SCOPE._replace(place="there")), ["where the upstream is"]),
        (key(*SAME, scope=SCOPE._replace(workspace="changed")), ["the state of the workspace"]),
        (key(*SAME, beta="b"), ["the headers"]),
        (key(*SAME, tools=[]), ["the tools"]),
        (key(*SAME, max_tokens=5), ["the field max_tokens"]),
        (key(*SAME[:2]), ["the number of messages"]),
        (key(user("Mend it"), *SAME[1:]), ["the user's words"]),
        (key(user("Fix it", "now"), *SAME[1:]), ["the user's words: the number of blocks"]),
        (key(SAME[0], call("2", file="/a"), result("2", "Ran 2 tests in 0.001s")), [IDS]),
        (key(SAME[0], call("2", file="/a"), SAME[2]), [IDS]),
        (key(SAME[0], call("1", file="/b"), SAME[2]), ["what a tool is called with"]),
        (key(*SAME[:2], result("1", "Ran 2 tests in 0.013s")), ["a tool's result: how long the tests took"]),
        (
            key(SAME[0], call("2", file="/a"), result("2", "Ran 2 tests in 0.013s")),
            [IDS, "a tool's result: how long the tests took"],
        ),
        (key(SAME[0], {"role": "assistant", "content": "Done."}, SAME[2]), ["the model's words: a block"]),
        (key(SAME[0], note("So."), SAME[2]), ["whose turn it is"]),
    ],
)
def test_what_differs_is_named_and_nothing_else(other: CacheKey, named: list[str]) -> None:
    assert differences(key(*SAME), other) == named


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        ("Today's date is 2026-04-01.", "Today's date is 2026-04-02.", "today's date"),
        (" - Primary working directory: /home/ada/shop", " - Primary working directory: /home/bob/shop", "the folder"),
        ("Memory is in `/home/ada/.claude/m/`.", "Memory is in `/home/bob/.claude/m/`.", "a path"),
        ("# gitStatus\nM shop/prices.py", "# gitStatus\n(clean)", "git's status at the start"),
        (
            "Servers: orders",
            "Servers: orders\n\nUsed often here, ready to call:\norders: def a()",
            "what the hub has seen used often",
        ),
        (
            "It rains.",
            "It snows all day long, and nobody knows how many inches it will be at the end.",
            repr("It snows all day long, and nobody knows how many inches i..."),
        ),
        ("It rains.", "It rains.\n\nBut not here.", "'But not here.'"),
    ],
)
def test_a_line_that_differs_has_a_name_or_is_quoted(one: str, other: str, named: str) -> None:
    for whose, before, now in (
        ("the client's notes", note(one), note(other)),
        ("the client's notes", user(REMINDER.format(one), "Fix it"), user(REMINDER.format(other), "Fix it")),
        ("a tool's result", result("1", one), result("1", other)),
    ):
        assert differences(key(before), key(now)) == [f"{whose}: {named}"]


def test_the_system_prompt_is_compared_line_by_line() -> None:
    before, now = key(*SAME, system="Be kind.\nYou are in /a."), key(*SAME, system="Be kind.\nYou are in /b.")
    assert differences(before, now) == ["the system prompt: a path"]


def test_the_nearest_is_as_long_and_has_the_most_in_common() -> None:
    shorter, other, near = asked(*SAME[:2]), asked(user("Run it"), *SAME[1:]), asked(*SAME[:2], result("1", "OK"))
    assert nearest(key(*SAME), [near, other, shorter]) is near
    assert nearest(key(*SAME), [shorter]) is shorter
    assert nearest(key(*SAME), []) is None


def test_a_request_that_came_before_isnt_served_where_its_answer_called_tools() -> None:
    assert obstacles(asked(*SAME), [asked(*SAME, called_tools=True)]) == [NOT_KEPT]
    assert obstacles(asked(*SAME), [asked(*SAME)]) == ["nothing"]
    assert obstacles(asked(*SAME), []) == ["nothing like it came before"]


def test_what_passes_by_the_cache_does_so_for_the_reason_that_the_cache_gives() -> None:
    passing = asked(*SAME, verdict=Verdict.BYPASS, detail="git took too long")
    assert obstacles(passing, [asked(*SAME)]) == ["git took too long"]


def outcome() -> Outcome:
    first = [asked(user("Fix it"), kind=Kind.QUESTION, called_tools=True), asked(*SAME)]
    second = [
        asked(user("Fix it"), kind=Kind.QUESTION, verdict=Verdict.EXACT, called_tools=True),
        asked(*SAME[:2], result("1", "Ran 2 tests in 0.002s")),
        asked(user("Fix it"), note("Be kind."), kind=Kind.QUESTION),
    ]
    return Outcome("again", "tool_calls on", first, second, Money(900, Decimal("0.9"), 100, Decimal("0.1")))


def test_an_outcome_counts_what_was_served_of_each_kind_and_why_the_rest_was_not() -> None:
    told = outcome().as_json()
    assert told["by_kind"] == {
        "question": {"requests": 2, "served": 1},
        "tool result": {"requests": 1, "served": 0},
    }
    assert told["by_verdict"] == {"exact": 1, "miss": 2}
    assert (told["dollars_paid"], told["dollars_saved"]) == ("0.900000", "0.100000")
    assert told["first_obstacles"] == {
        "a tool's result: how long the tests took": 1,
        "whose turn it is": 1,
    }


def test_the_table_has_a_line_for_each_outcome_and_the_share_of_the_dollars() -> None:
    told = outcome().as_json()
    assert table([told]) == snapshot("""\
| the second run | setting | requests | exact | similar | questions served | tool results served | saved |
|---|---|---|---|---|---|---|---|
| again | tool_calls on | 3 | 1 | 0 | 1 of 2 | 0 of 1 | 10% |\
""")
    assert reasons([told, told]) == snapshot("""\
the first obstacle:
     2 a tool's result: how long the tests took
     2 whose turn it is
among the obstacles:
     2 a tool's result: how long the tests took
     2 whose turn it is
     2 the number of messages\
""")


def test_the_repository_is_the_same_commit_wherever_it_is_made(tmp_path: Path) -> None:
    heads = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = Repository(tmp_path / name).make().clone(tmp_path / f"{name}-clone")
        heads.add(subprocess.check_output(["git", "-C", str(made.folder), "rev-parse", "HEAD"]))
    assert len(heads) == 1


def test_a_reset_undoes_what_a_session_does(tmp_path: Path) -> None:
    repository = Repository(tmp_path).make()
    (tmp_path / "shop/prices.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    repository.reset()
    status = subprocess.check_output(["git", "-C", str(tmp_path), "status", "--porcelain"])
    assert status == b""


def test_the_edit_of_the_script_fits_the_repository(tmp_path: Path) -> None:
    Repository(tmp_path).make()
    (edit,) = (turn for turn in task_turns(tmp_path) if isinstance(turn, ToolUse) and turn.name == "Edit")
    assert Path(edit.arguments["file_path"]).read_text().count(edit.arguments["old_string"]) == 1


def test_the_model_goes_on_with_the_script_of_the_last_prompt() -> None:
    with SessionApi() as api:
        api.scripts = {"Fix it": [ToolUse("Read", {}), Text("Fixed.")], "Why?": [Text("So.")]}
        begun = [user(REMINDER.format("Be kind."), "Fix it"), note("Now.")]
        ended = [*begun, call("1"), result("1", "text")]
        continued = [*ended, {"role": "assistant", "content": "Fixed."}, user("Why?")]
        assert api.next_answer(body(*begun)) == ToolUse("Read", {})
        assert api.next_answer(body(*ended)) == Text("Fixed.")
        assert api.next_answer(body(*continued)) == Text("So.")
        assert not api.is_main(body(user("Something else")))


def test_a_prompt_that_was_sent_before_is_read_from_the_prompt_cache_and_only_the_rest_written() -> None:
    with SessionApi() as api:
        block = text("Fixed.")
        first = api.usage(body(*SAME[:1]), block)
        again = api.usage(body(*SAME[:1]), block)
        longer = api.usage(body(*SAME), block)
    assert first["cache_read_input_tokens"] == again["cache_creation_input_tokens"] == 0
    assert again["cache_read_input_tokens"] == longer["cache_read_input_tokens"]
    assert again["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert longer["cache_creation_input_tokens"] > 0


def test_the_marks_of_the_prompt_cache_dont_make_another_prefix() -> None:
    marked = user({**text("Fix it"), "cache_control": {"type": "ephemeral"}})
    assert prefix_of(body(marked)) == prefix_of(body({"role": "user", "content": "Fix it"}))


def test_the_questions_in_other_words_are_held_out_ones_and_two_mustnt_share() -> None:
    chosen = chosen_pairs()
    assert {pair.half for pair in chosen} == {"test"}
    assert [pair.same for pair in chosen].count(False) == 2
    assert len({pair.template for pair in chosen if pair.same}) == len([pair for pair in chosen if pair.same]) > 4
    assert TASK not in {pair.a for pair in chosen}
