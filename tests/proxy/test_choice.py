"""Which upstream is asked first: one that works, and for a session the one that has its prompt cache."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy import choice as module
from mcp_hub.proxy.choice import FAILURES, LEFT_ALONE, LEFT_ALONE_MOST, REMEMBERED_FOR, TRIAL_WITHIN, Choice, State
from mcp_hub.proxy.pins import Route

ROUTES = [Route("m", name) for name in ("one", "two", "three")]
ONE, TWO, THREE = (route.upstream for route in ROUTES)


class Told:
    """A choice, with what it has told of its upstreams."""

    def __init__(self) -> None:
        self.states: list[tuple[str, State]] = []
        self.reasons: list[str] = []
        self.choice = Choice([ONE, TWO, THREE], self._changed)

    def _changed(self, standing: module.Standing) -> None:
        self.states.append((standing.upstream, standing.state))
        self.reasons.append(standing.reason)

    def order(self, now: float, session: str | None = None) -> list[str]:
        """The upstreams in their order; the first is asked."""
        ordered = [route.upstream for route in self.choice.order(ROUTES, session, now)]
        self.choice.asked(ordered[0], now)
        return ordered

    def fail(self, upstream: str, now: float, times: int = FAILURES) -> None:
        for _ in range(times):
            self.choice.failed(upstream, "it answered 529", now)


def test_where_all_work_the_order_is_the_pins() -> None:
    assert Told().order(0) == [ONE, TWO, THREE]


def test_one_that_fails_again_and_again_is_left_alone_and_then_tried_by_one_request() -> None:
    told = Told()
    told.fail(ONE, 0, FAILURES - 1)
    assert told.order(1) == [ONE, TWO, THREE]
    told.fail(ONE, 1, 1)
    assert told.order(LEFT_ALONE) == [TWO, THREE, ONE]
    assert told.order(LEFT_ALONE + 1) == [ONE, TWO, THREE]
    assert told.order(LEFT_ALONE + 1) == [TWO, THREE, ONE], "another request doesn't try it too"
    told.choice.answered(ONE, None, LEFT_ALONE + 2)
    assert told.order(LEFT_ALONE + 2) == [ONE, TWO, THREE]
    assert told.states == [(ONE, State.OPEN), (ONE, State.TRIED), (ONE, State.CLOSED)]
    assert told.reasons == ["it answered 529", "it answered 529", ""]


def test_each_time_that_a_trial_fails_it_is_left_alone_for_twice_as_long_up_to_a_bound() -> None:
    told = Told()
    told.fail(ONE, 0)
    now, times = LEFT_ALONE, []
    for _ in range(6):
        assert told.order(now)[0] == ONE
        told.fail(ONE, now, 1)
        began = now
        while told.order(now)[0] != ONE:
            now += LEFT_ALONE / 2
        times.append(now - began)
        told.choice._breakers[ONE].until = now  # as if nobody had asked yet
    assert times == [2 * LEFT_ALONE, 4 * LEFT_ALONE, 8 * LEFT_ALONE, *[LEFT_ALONE_MOST] * 3]


def test_a_trial_whose_end_nobody_tells_keeps_others_from_one_for_a_bounded_time() -> None:
    told = Told()
    told.fail(ONE, 0)
    assert told.order(LEFT_ALONE)[0] == ONE
    assert told.order(LEFT_ALONE + TRIAL_WITHIN - 1)[0] == TWO
    assert told.order(LEFT_ALONE + TRIAL_WITHIN)[0] == ONE


def test_a_success_in_between_begins_the_count_anew() -> None:
    told = Told()
    told.fail(ONE, 0, FAILURES - 1)
    told.choice.answered(ONE, None, 0)
    told.fail(ONE, 0, FAILURES - 1)
    assert told.order(0)[0] == ONE
    assert told.states == []


@pytest.mark.parametrize(("told_seconds", "left_alone"), [(7.0, 7.0), (1e6, LEFT_ALONE_MOST)])
def test_a_429_that_says_when_to_come_again_is_believed_at_once(told_seconds: float, left_alone: float) -> None:
    told = Told()
    told.choice.failed(ONE, "it answered 429", 0, again_after=told_seconds)
    assert told.order(left_alone - 0.1)[0] == TWO
    assert told.order(left_alone)[0] == ONE


def test_where_none_works_the_order_is_the_pins() -> None:
    told = Told()
    for upstream in (ONE, TWO, THREE):
        told.fail(upstream, 0)
    assert told.order(1) == [ONE, TWO, THREE]


def test_a_session_stays_where_it_was_answered_last_for_as_long_as_a_prompt_cache_lives() -> None:
    told = Told()
    told.choice.answered(TWO, "s", 0)
    assert told.order(REMEMBERED_FOR, "s") == [TWO, ONE, THREE]
    assert told.order(REMEMBERED_FOR + 1, "s") == [ONE, TWO, THREE]
    assert told.order(0, "another") == told.order(0) == [ONE, TWO, THREE]


def test_a_session_leaves_an_upstream_that_fails() -> None:
    told = Told()
    told.choice.answered(TWO, "s", 0)
    told.fail(TWO, 0)
    assert told.order(1, "s") == [ONE, THREE, TWO]
    told.choice.answered(ONE, "s", 1)
    told.choice.answered(TWO, None, 2)
    assert told.order(2, "s") == [ONE, TWO, THREE]


def test_of_many_sessions_those_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED_SESSIONS", 2)
    told = Told()
    for session in ("a", "b", "a", "c"):
        told.choice.answered(THREE, session, 0)
    assert [told.order(0, session)[0] for session in ("a", "b", "c")] == [THREE, ONE, THREE]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "failed", "answered"]),
        st.sampled_from([ONE, TWO, THREE]),
        st.sampled_from([None, "s", "t"]),
        st.floats(0, 200),
        st.none() | st.floats(0, 100),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_each_route_is_tried_once(
    steps: list[tuple[str, str, str | None, float, float | None]],
) -> None:
    told, now = Told(), 0.0
    for what, upstream, session, later, again in steps:
        now += later
        if what == "failed":
            told.choice.failed(upstream, "it failed", now, again_after=again)
        elif what == "answered":
            told.choice.answered(upstream, session, now)
        else:
            assert sorted(told.order(now, session)) == sorted([ONE, TWO, THREE])


def test_requests_that_were_under_way_when_it_was_left_alone_do_not_count_as_trials() -> None:
    told = Told()
    told.fail(ONE, 0, 3 * FAILURES)
    assert told.order(LEFT_ALONE - 1)[0] == TWO
    assert told.order(LEFT_ALONE)[0] == ONE


@pytest.mark.parametrize(("again", "left_alone"), [(0.0, LEFT_ALONE), (1.0, LEFT_ALONE), (90.0, 90.0)])
def test_a_retry_after_of_such_a_request_never_shortens_the_time(again: float, left_alone: float) -> None:
    told = Told()
    told.fail(ONE, 0)
    told.choice.failed(ONE, "it answered 429", 0, again_after=again)
    assert told.order(left_alone - 1)[0] == TWO
    assert told.order(left_alone)[0] == ONE


def test_one_that_is_under_trial_is_asked_by_others_only_where_nothing_else_is_left() -> None:
    told = Told()
    told.fail(TWO, 0)
    told.choice.asked(TWO, LEFT_ALONE)
    assert told.order(LEFT_ALONE + 1) == [ONE, THREE, TWO]
