"""What an agent reads of a program that failed: for every kind of failure, and for few and many calls."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import HubError, LimitError, ScriptError
from mcp_hub.hub.failures import FIRST, LAST, kind_of, told
from mcp_hub.sandbox.conversation import Run
from mcp_hub.store.runs import Outcome, RecordedCall


def call(
    number: int, outcome: Outcome = Outcome.OK, error: str | None = None, *, size: int = 11, read_only: bool = False
) -> RecordedCall:
    done = outcome in (Outcome.OK, Outcome.REUSED)
    return RecordedCall(
        number=number,
        server="api",
        tool="add",
        arguments=f'{{"text": "{number}"}}',
        key=str(number),
        read_only=read_only,
        outcome=outcome,
        error=error,
        bytes=size if done else None,
    )


def failed(kind: str, text: str, made: Sequence[RecordedCall] = (), resumable: str | None = "abc234") -> str:
    return told(Run(error=ScriptError(kind, text)), made, resumable)


@pytest.mark.parametrize("kind", ["syntax", "name", "arguments", "tool", "denied", "script", "result"])
def test_the_kind_stands_first_then_the_error_as_it_is(kind: str) -> None:
    assert failed(kind, "line 1: no\n") == (
        f"The program failed ({kind}).\nline 1: no\nNext: nothing was called, so mend the program and send it again."
    )


def test_a_limit_is_named_with_its_key() -> None:
    error = LimitError("steps", "1000", "Before that, 1 of the 1 tool call succeeded.", "Loop over less.")
    assert told(Run(error=error), [call(1)], "abc234") == snapshot("""\
The program failed (limit steps).
The program was ended: it reached the limit steps = 1000 (hub.limits.steps in servers.toml). Before that, 1 of the \
1 tool call succeeded. Loop over less.
The call:
  1. api.add({"text": "1"}): ok, 11 bytes
Next: mend the program and send it with resume="abc234": the call that succeeded isn't made again.\
""")


def test_the_error_that_ended_the_program_is_told_once() -> None:
    text = "error: api.add failed: the disk is full"
    listed = failed("tool", text, [call(1, Outcome.FAILED, "api.add failed: the disk is full")])
    assert listed.count("the disk is full") == 1
    assert '  1. api.add({"text": "1"}): failed, as told above' in listed
    other = failed("tool", text, [call(1, Outcome.FAILED, "full")])
    assert '  1. api.add({"text": "1"}): failed: full' in other


def test_what_is_nobodys_fault_but_the_hubs_is_its_own_kind() -> None:
    assert kind_of(HubError("The interpreter couldn't be started.")) == "hub"


def test_a_failed_call_stands_below_those_that_succeeded() -> None:
    made = [call(1), call(2, Outcome.REUSED), call(3, Outcome.FAILED, "api.add failed:\n the disk is full")]
    assert failed("tool", "error: api.add failed: the disk is full", made) == snapshot("""\
The program failed (tool).
error: api.add failed: the disk is full
Calls:
  1. api.add({"text": "1"}): ok, 11 bytes
  2. api.add({"text": "2"}): ok, from the run before, not called again
  3. api.add({"text": "3"}): failed: api.add failed: the disk is full
Next: mend the program and send it with resume="abc234": the 2 calls that succeeded aren't made again.\
""")


@pytest.mark.parametrize(
    ("kind", "next_"),
    [
        (
            "tool",
            snapshot(
                "Next: mend the program and send it again. attempt(lambda: ...) or try goes on in spite of a "
                "failed call."
            ),
        ),
        ("script", snapshot("Next: mend the program and send it again.")),
    ],
)
def test_when_no_call_succeeded_there_is_nothing_to_resume(kind: str, next_: str) -> None:
    assert failed(kind, "error", [call(1, Outcome.FAILED, "no")]).splitlines()[-1] == next_


def test_of_forty_calls_the_first_and_the_last_are_told() -> None:
    made = [call(number) for number in range(1, 41)]
    lines = failed("script", "error", made).splitlines()
    listed = [line for line in lines if "api.add" in line]
    assert len(listed) == FIRST + LAST
    assert listed[0].startswith("  1. ")
    assert listed[-1].startswith("  40. ")
    assert "  ... 34 more, all ok ..." in lines
    made[20] = call(21, Outcome.FAILED, "no")
    assert "  ... 34 more, 1 of them failed ..." in failed("script", "error", made).splitlines()


def test_a_call_of_which_nobody_knows_asks_to_find_out() -> None:
    made = [call(1), call(2, Outcome.UNKNOWN, "the server ended before it answered"), call(3, Outcome.STARTED)]
    assert failed("tool", "error: the server ended", made) == snapshot("""\
The program failed (tool).
error: the server ended
Calls:
  1. api.add({"text": "1"}): ok, 11 bytes
  2. api.add({"text": "2"}): nobody knows whether it was done: the server ended before it answered
  3. api.add({"text": "3"}): nobody knows whether it was done: it was still under way
Next: find out whether calls 2 and 3 were done, then send the program again with resume="abc234 skip" (it was: its \
value is None) or resume="abc234 retry" (call it again).\
""")


def test_a_call_that_only_reads_asks_for_nothing() -> None:
    assert "find out" not in failed("tool", "error", [call(1, Outcome.UNKNOWN, "it ended", read_only=True)])


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.UNKNOWN])
def test_without_a_journal_no_run_is_named(outcome: Outcome) -> None:
    text = failed("tool", "error", [call(1, outcome)], resumable=None)
    assert "resume" not in text
    assert text.splitlines()[-1].startswith("Next: mend the program and send it again.")


def test_sizes_are_readable_and_long_errors_are_cut() -> None:
    text = failed("tool", "error", [call(1, size=2_400_000), call(2, Outcome.FAILED, "long " * 1000)])
    assert "ok, 2,400 kB" in text
    assert max(map(len, text.splitlines())) < 400


@given(
    st.sampled_from(["syntax", "tool", "limit"]),
    st.lists(st.sampled_from(list(Outcome)), max_size=60),
    st.none() | st.just("abc234"),
    st.text(max_size=2000),
)
def test_every_answer_says_its_kind_and_what_to_do_and_stays_short(
    kind: str, outcomes: list[Outcome], resumable: str | None, error: str
) -> None:
    made = [call(number, outcome, error) for number, outcome in enumerate(outcomes, start=1)]
    text = failed(kind, "what happened", made, resumable)
    assert text.startswith(f"The program failed ({kind}).\nwhat happened\n")
    assert text.splitlines()[-1].startswith("Next: ")
    assert ("resume=" in text) <= (resumable is not None)
    assert len(text) < 10_000
