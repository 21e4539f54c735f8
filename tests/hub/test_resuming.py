"""What a resumed run is answered from the record: decided over histories that no real run would take the time for."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError
from mcp_hub.hub.resuming import Decision, Recorded, Resume, parse, still_standing, told, undecided
from mcp_hub.store.runs import Outcome, RecordedCall


def recorded(
    number: int, key: str, outcome: Outcome, value: Any = None, *, kept: bool = True, read_only: bool = False
) -> RecordedCall:
    """A call as a run records it; a value of a call that succeeded is kept unless it was too large."""
    done = outcome in (Outcome.OK, Outcome.REUSED)
    return RecordedCall(
        number=number,
        server="api",
        tool="add",
        arguments=f'{{"text": "{key}"}}',
        key=key,
        read_only=read_only,
        outcome=outcome,
        result=value if done and kept else None,
        has_result=done and kept,
        digest=f"digest of {value}" if done else None,
    )


def ok(number: int, key: str, value: Any) -> RecordedCall:
    return recorded(number, key, Outcome.OK, value)


# The parameter


@pytest.mark.parametrize(
    ("text", "resume"),
    [
        ("abc234", Resume("abc234", None)),
        (" abc234 ", Resume("abc234", None)),
        ("abc234 retry", Resume("abc234", "retry")),
        ("abc234:skip", Resume("abc234", "skip")),
        ("abc234, retry", Resume("abc234", "retry")),
    ],
)
def test_resume_is_a_run_and_maybe_a_decision(text: str, resume: Resume) -> None:
    assert parse(text) == resume


@pytest.mark.parametrize("text", ["", "abc234 again", "ABC", "abc189", "abc234 retry skip", "retry abc234", "a\0b"])
def test_what_is_no_run_is_told_with_what_is_one(text: str) -> None:
    with pytest.raises(CallerError, match='must be a run\'s id, or the id and a decision: "RUN retry" or "RUN skip"'):
        parse(text)


@given(st.text())
def test_any_other_text_is_read_or_refused(text: str) -> None:
    with suppress(CallerError):
        assert parse(text).run in text


# What stands in for a call


def taken(calls: Iterable[RecordedCall], key: str, decision: Decision | None = None) -> list[Any]:
    """Every value that is left for a key."""
    left = Recorded(calls, decision)
    values = []
    while left.has(key):
        values.append(left.take(key))
    return values


def test_each_value_is_given_once_and_in_order() -> None:
    calls = [ok(1, "a", 1), ok(2, "b", 2), ok(3, "a", 3)]
    assert (taken(calls, "a"), taken(calls, "b"), taken(calls, "c")) == ([1, 3], [2], [])


def test_a_value_that_is_none_counts_as_one() -> None:
    assert taken([ok(1, "a", None)], "a") == [None]


def test_a_call_that_failed_for_certain_is_made_again() -> None:
    assert taken([recorded(1, "a", Outcome.FAILED), ok(2, "a", 2)], "a") == [2]
    assert undecided([recorded(1, "a", Outcome.FAILED)]) == []


@pytest.mark.parametrize("outcome", [Outcome.STARTED, Outcome.UNKNOWN])
def test_a_call_of_which_nobody_knows_asks_and_is_skipped_or_made_again_as_decided(outcome: Outcome) -> None:
    calls = [recorded(1, "a", outcome), ok(2, "a", 2)]
    assert undecided(calls) == calls[:1]
    assert taken(calls, "a", "retry") == [2]
    assert taken(calls, "a", "skip") == [None, 2]


@pytest.mark.parametrize("outcome", [Outcome.STARTED, Outcome.UNKNOWN, Outcome.OK])
def test_a_call_that_only_reads_is_simply_made_again(outcome: Outcome) -> None:
    calls = [recorded(1, "a", outcome, kept=False, read_only=True)]
    assert undecided(calls) == []
    assert taken(calls, "a", "skip") == []


def test_a_call_whose_result_was_too_large_to_be_kept_asks() -> None:
    calls = [recorded(1, "a", Outcome.OK, "large", kept=False)]
    assert undecided(calls) == calls
    assert (taken(calls, "a", "skip"), taken(calls, "a", "retry")) == ([None], [])


def test_the_question_names_each_call_and_why_nobody_knows() -> None:
    lost = recorded(2, "b", Outcome.STARTED)
    large = recorded(3, "c", Outcome.OK, "large", kept=False)
    assert told("abc234", [lost]) == snapshot("""\
Nothing was run. One call of run abc234 may have been done:
  2. api.add({"text": "b"}): it was sent, and no answer came before the run ended
Find out with a read-only call, then decide: resume="abc234 skip" takes it as done (the value is None), \
resume="abc234 retry" calls again.\
""")
    text = told("abc234", [lost, large, *[lost] * 10])
    assert "it succeeded, and its result was too large to be kept" in text
    assert "12 calls of run abc234" in text
    assert "  and 2 more\n" in text


# Runs that resumed each other


def test_what_an_interrupted_run_never_asked_for_stands_from_the_run_before() -> None:
    first = [ok(1, "a", 1), ok(2, "b", 2), ok(3, "a", 3)]
    second = [recorded(1, "a", Outcome.REUSED, 1)]
    standing = still_standing([second, first])
    assert (taken(standing, "a"), taken(standing, "b")) == ([1, 3], [2])


def test_a_value_that_stood_behind_a_failure_of_the_same_call_is_not_given_twice() -> None:
    first = [recorded(1, "a", Outcome.FAILED), ok(2, "a", 2)]
    assert taken(still_standing([[recorded(1, "a", Outcome.REUSED, 2)], first]), "a") == [2]


def test_an_unknown_call_still_asks_when_the_next_run_was_answered_with_another_ones_value() -> None:
    lost = recorded(1, "a", Outcome.UNKNOWN)
    second = [
        recorded(1, "a", Outcome.REUSED, 2)
    ]  # it was resumed with retry, and ended before the call was made again
    assert undecided(still_standing([second, [lost, ok(2, "a", 2)]])) == [lost]


def test_a_call_that_was_made_again_settles_the_unknown_one() -> None:
    lost = recorded(1, "a", Outcome.UNKNOWN)
    standing = still_standing([[ok(1, "a", 5)], [lost]])
    assert (undecided(standing), taken(standing, "a")) == ([], [5])


def test_a_call_that_was_skipped_stays_done() -> None:
    standing = still_standing([[recorded(1, "a", Outcome.REUSED, None)], [recorded(1, "a", Outcome.UNKNOWN)]])
    assert (undecided(standing), taken(standing, "a")) == ([], [None])


# Any history

ENDS = st.sampled_from([Outcome.OK, Outcome.OK, Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN, Outcome.STARTED])


class World:
    """Runs one program again and again, as the journal does, with what becomes of each call drawn by hypothesis."""

    def __init__(self, program: list[str], data: st.DataObject) -> None:
        self.program = program
        self.chain: list[list[RecordedCall]] = []
        self.done: Counter[str] = Counter()
        """Calls that were answered with a value, by key."""
        self.skipped: Counter[str] = Counter()
        self._data = data
        self._values = 0

    def run(self, asks: int, *, lucky: bool) -> list[tuple[str, Any]]:
        """A run that ends after its first `asks` calls: each call's key and value. A lucky one's calls succeed."""
        standing = still_standing(self.chain)
        decision: Decision | None = None
        if undecided(standing):
            decision = self._data.draw(st.sampled_from(["retry", "skip"]))
        left = Recorded(standing, decision)
        made: list[RecordedCall] = []
        values: list[tuple[str, Any]] = []
        for number, key in enumerate(self.program[:asks], start=1):
            if left.has(key):
                value = left.take(key)
                self.skipped[key] += value is None
                made.append(recorded(number, key, Outcome.REUSED, value))
                values.append((key, value))
                continue
            outcome = Outcome.OK if lucky else self._data.draw(ENDS)
            self._values += 1
            made.append(recorded(number, key, outcome, self._values))
            if outcome is Outcome.OK:
                self.done[key] += 1
                values.append((key, self._values))
            elif outcome is not Outcome.FAILED:
                break  # the run ended while it was under way
        self.chain.insert(0, made)
        return values


@settings(max_examples=300)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.data())
def test_in_any_history_no_call_that_succeeded_is_made_again_and_no_value_is_given_twice(
    program: list[str], data: st.DataObject
) -> None:
    world = World(program, data)
    for asks in data.draw(st.lists(st.integers(0, len(program)), max_size=6)):
        got = [value for _, value in world.run(asks, lucky=False) if value is not None]
        assert len(got) == len(set(got))
    before = world.done.copy()
    values = world.run(len(program), lucky=True)
    got = [value for _, value in values if value is not None]
    assert [key for key, _ in values] == program
    assert len(got) == len(set(got))
    asked = Counter(program)
    assert all(before[key] <= asked[key] and world.done[key] <= asked[key] for key in asked), "a success was repeated"
    nones = Counter(key for key, value in values if value is None)
    assert all(world.done[key] + nones[key] == asked[key] for key in asked), (
        "every call was made, or skipped as decided"
    )
