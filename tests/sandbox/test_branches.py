"""Parallel and attempt: a program's branches have the meaning that it says, the bounds of one, and one end."""

import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import LimitError, ScriptError
from mcp_hub.sandbox.branches import FORK_DEPTH, Channel
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from mcp_hub.sandbox.protocol import MAIN_LINE, NO_ANSWER, encode
from tests.sandbox.running import TOOLS, Host, error, run, settled, several, until, value
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

AT_ONCE = 3


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    limits = Limits(wall_seconds=10, calls_parallel=AT_ONCE, calls=120, steps=400_000, memory_mib=64, log_bytes=4_000)
    async with Pool(limits) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_left_behind(pool: Pool) -> AsyncIterator[None]:
    """What each program forked has ended after it; the pool itself is the module's."""
    yield
    await settled()


def waiting_for(processes: int) -> Host:
    """A host whose `look` is answered once the program has that many processes; one that has given way may still end.

    A program of one process has no group of several: that is 0.
    """
    host = Host()
    host.look = lambda: until(lambda: len(several()) == processes)
    return host


# parallel


async def test_values_come_in_the_order_of_the_items_whichever_ends_first(pool: Pool) -> None:
    code = """
def f(i):
    if i == 0:
        api.look()
    api.get(i)
    return i * 10
result = parallel(f, [0, 1, 2, 3, 4])
"""
    host = Host()
    host.look = lambda: until(lambda: host.called.count("get") == 4)
    assert await value(pool, code, host) == [0, 10, 20, 30, 40]
    assert host.calls[-1][2] == [0]


async def test_a_branch_may_make_calls_that_depend_on_each_other(pool: Pool) -> None:
    code = "result = parallel(lambda i: api.get(api.get(i)['args'][0] + 1)['args'][0] * 2, range(5))"
    done = await run(pool, code)
    assert done.value == [2, 4, 6, 8, 10]
    assert (done.calls, done.succeeded) == (10, 10)


async def test_no_more_branches_run_at_once_than_calls_may(pool: Pool) -> None:
    host = Host(party=AT_ONCE)
    processes: list[int] = []

    async def meet(server: str, tool: str, args: list[object], kwargs: dict[str, object]) -> object:
        answer = await host.call(server, tool, args, kwargs)
        processes.append(len(several()))
        return answer

    with anyio.fail_after(PATIENCE):
        done = await pool.run(Job("result = len(parallel(lambda i: api.meet(i), range(12)))", TOOLS), meet)
    assert done.value == 12
    assert host.most_under_way == AT_ONCE
    assert max(processes) <= AT_ONCE + 1


async def test_a_hundred_items_are_a_hundred_values(pool: Pool) -> None:
    assert await value(pool, "result = parallel(lambda i: i * i, range(100))") == [i * i for i in range(100)]


async def test_nothing_to_do_is_an_empty_list_and_no_process(pool: Pool) -> None:
    code = "result = parallel(lambda i: i, [])\napi.look()"
    assert await value(pool, code, waiting_for(0)) == []


async def test_branches_have_branches_one_after_another(pool: Pool) -> None:
    host = Host(party=AT_ONCE)
    code = """
def f(i, j):
    api.meet() if j == 0 else api.get()
    return i * 10 + j
result = parallel(lambda i: parallel(lambda j: f(i, j), range(4)), range(3))
"""
    assert await value(pool, code, host) == [[i * 10 + j for j in range(4)] for i in range(3)]
    assert host.called == ["meet"] * 3 + ["get"] * 9


async def test_what_a_branch_changes_outside_stays_in_it(pool: Pool) -> None:
    assert await value(pool, "seen = []\nparallel(lambda i: seen.append(i), range(3))\nresult = seen") == []


async def test_what_branches_print_is_kept_whole_lines(pool: Pool) -> None:
    done = await run(pool, "print('a')\nparallel(lambda i: print('branch', i), range(3))\nprint('z')")
    lines = done.log.splitlines()
    assert (lines[0], lines[-1]) == ("a", "z")
    assert sorted(lines[1:-1]) == ["branch 0", "branch 1", "branch 2"]


async def test_what_branches_print_together_is_bounded_and_said_once(pool: Pool) -> None:
    done = await run(pool, "parallel(lambda i: print('x' * 3_000), range(4))")
    assert done.log.endswith("\n[the rest was left out: log_bytes]\n")
    assert done.log.count("[the rest") == 1
    assert len(done.log) < 4_300


async def test_a_failing_branch_fails_the_program_at_its_line_once_the_running_ones_have_ended(pool: Pool) -> None:
    code = """
def f(i):
    if i == 1:
        return 1 // 0
    api.look(i)
    return api.get(i)
result = parallel(f, range(9))
"""
    host = Host()

    def only_they_run() -> bool:  # the main line, branches 0 and 2; one may end before the other
        return "get" in host.called or (host.called.count("look") == 2 and len(several()) == AT_ONCE)

    host.look = lambda: until(only_they_run)
    failed = await error(pool, code, host)
    assert failed.text == snapshot("""\
Traceback (most recent call last):
  * program:7, in <module>
      result = parallel(f, range(9))
error: Floor division by zero: 1 // 0
 --> program:4:16
  |
4 |         return 1 // 0
  |                ^^^^^^
  |
""")
    assert sorted(args[0] for _, tool, args, _ in host.calls if tool == "get") == [0, 2]


async def test_a_failed_call_in_a_branch_is_an_error_of_its_kind(pool: Pool) -> None:
    for tool, kind in (("fail", "tool"), ("refuse", "arguments"), ("deny", "denied")):
        failed = await error(pool, f"parallel(lambda i: api.{tool}(), [1, 2])")
        assert isinstance(failed, ScriptError)
        assert failed.kind == kind


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (
            "len",
            snapshot(
                "error: the value of a branch holds a tool or function, which can't be written as JSON; return data"
            ),
        ),
        (
            "[api.get]",
            snapshot(
                "error: the value of a branch holds a tool or function, which can't be written as JSON; return data"
            ),
        ),
        (
            "api.get(len)",
            snapshot("error: an argument holds a tool or function, which can't be written as JSON; pass data"),
        ),
        ("{(1, 2): i}", snapshot("error: TypeError: unhashable type: 'list'")),
    ],
)
async def test_a_branchs_value_that_is_no_data_fails_the_program(pool: Pool, held: str, told: str) -> None:
    failed = await error(pool, f"parallel(lambda i: {held}, [1])")
    assert next(line for line in failed.text.splitlines() if "error:" in line) == told


async def test_a_branchs_value_comes_as_data(pool: Pool) -> None:
    code = "result = parallel(lambda i: (i, struct(a=[i]), {i: None}), [1])"
    assert await value(pool, code) == [[1, {"a": [1]}, {"1": None}]]


async def test_an_answer_to_a_branch_that_has_ended_is_nobody_elses() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for number, kind in ((7, "late"), (NO_ANSWER, "none"), (MAIN_LINE, "own")):
            theirs.sendall(encode({"type": kind}, number))
        assert Channel(ours).receive(MAIN_LINE) == {"type": "own"}


# attempt


async def test_what_succeeds_keeps_its_changes_and_what_fails_leaves_none(pool: Pool) -> None:
    code = """
seen = []
def add(i):
    seen.append(i)
    return 10 // i
good = attempt(lambda: add(2))
bad = attempt(lambda: add(0))
result = [seen, good, bad]
"""
    assert await value(pool, code) == snapshot(
        [
            [2],
            {"ok": True, "value": 5, "error": None},
            {"ok": False, "value": None, "error": "Floor division by zero: 10 // 0"},
        ]
    )


async def test_what_an_attempt_gives_is_what_its_function_returned_and_no_copy(pool: Pool) -> None:
    code = """
kept = [1]
same = attempt(lambda: kept).value
same.append(2)
made = attempt(lambda: struct(a = (1, 2), f = lambda x: x + 1)).value
result = [kept, type(made.a), made.f(1)]
"""
    assert await value(pool, code) == [[1, 2], "tuple", 2]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("api.fail(1)", "api.fail failed: the disk is full"),
        ("api.refuse(x = 1)", "api.refuse was not called: no parameter 'x'"),
        ("api.deny()", "api.deny was not called, because the policy denies it: it may not be called."),
        ("1 // 0", "Floor division by zero: 1 // 0"),
        ("{}['a']", 'Key `"a"` was not found'),
        ("fail('no way')", "fail: no way"),
        ("api.get(len)", "an argument holds a tool or function"),
    ],
)
async def test_an_attempt_tells_the_errors_own_words(pool: Pool, code: str, told: str) -> None:
    host = Host()
    ok, text = await value(pool, f"a = attempt(lambda: {code})\nresult = [a.ok, a.error]", host)
    assert not ok
    assert told in text
    assert "Traceback" not in text
    assert len(host.calls) == code.startswith(("api.f", "api.r", "api.d"))


async def test_a_call_in_an_attempt_is_made_once_and_counted(pool: Pool) -> None:
    host = Host()
    done = await run(pool, "a = attempt(lambda: api.get(1))\nattempt(lambda: api.fail())\napi.get(2)", host)
    assert host.called == ["get", "fail", "get"]
    assert (done.calls, done.succeeded) == (3, 2)


async def test_attempts_in_attempts_undo_what_each_of_them_did(pool: Pool) -> None:
    code = """
seen = []
def inner(i):
    seen.append("inner")
    return 1 // i
def middle(i):
    seen.append("middle")
    seen.append(attempt(lambda: inner(i)).ok)
    if i == 2:
        fail("middle")
def outer(i):
    seen.append("outer")
    seen.append(attempt(lambda: middle(i)).ok)
result = []
for i in range(3):
    attempt(lambda: outer(i))
    result.append(list(seen))
    seen.clear()
"""
    assert await value(pool, code) == snapshot(
        [["outer", "middle", False, True], ["outer", "middle", "inner", True, True], ["outer", False]]
    )


async def test_a_branch_may_attempt_and_an_attempt_may_branch(pool: Pool) -> None:
    code = """
def f(i):
    first = attempt(lambda: 10 // i)
    again = attempt(lambda: api.get(i)["args"][0])
    return [first.ok, again.value]
result = [parallel(f, range(5)), attempt(lambda: parallel(lambda i: 10 // i, [2, 1, 0])).error]
"""
    pairs = [[i > 0, i] for i in range(5)]
    assert await value(pool, code) == [pairs, "Floor division by zero: 10 // 0"]


async def test_what_is_printed_in_an_attempt_is_kept_whether_it_fails_or_not(pool: Pool) -> None:
    code = """
def f(i):
    print("in", i)
    return 1 // i
attempt(lambda: f(0))
attempt(lambda: f(1))
print("out")
"""
    assert (await run(pool, code)).log == "in 0\nin 1\nout\n"


async def test_many_attempts_leave_few_processes(pool: Pool) -> None:
    code = "n = []\nfor i in range(200):\n    attempt(lambda: n.append(i))\napi.look()\nresult = len(n)"
    assert await value(pool, code, waiting_for(2)) == 200


async def test_failed_attempts_leave_no_process(pool: Pool) -> None:
    code = "for i in range(20):\n    attempt(lambda: 1 // 0)\napi.look()\nresult = 1"
    assert await value(pool, code, waiting_for(0)) == 1


async def test_deeper_than_processes_may_stand_in_each_other_is_told(pool: Pool) -> None:
    code = """
def nest(n):
    if n == 0:
        return "bottom"
    deeper = attempt(lambda: nest(n - 1))
    return deeper.value if deeper.ok else [n, deeper.error]
result = nest(%d)
"""
    assert await value(pool, code % FORK_DEPTH) == "bottom"
    failed = await error(pool, code % (FORK_DEPTH + 1))
    assert isinstance(failed, ScriptError)
    assert (failed.kind, failed.text) == (
        "processes",
        f"parallel, attempt and try stand in each other more than {FORK_DEPTH} deep",
    )


# Bounds


@pytest.mark.parametrize("around", ["attempt(lambda: {})", "parallel(lambda i: {}, [1])"])
@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("[i for i in range(10_000_000)]", "steps"),
        ("'a' * 100_000_000", "memory_mib"),
        ("[api.get() for i in range(121)]", "calls"),
    ],
)
async def test_no_limit_can_be_caught(pool: Pool, around: str, code: str, limit: str) -> None:
    host = Host()
    failed = await error(pool, f"attempt(lambda: {around.format(code)})\napi.get('after')", host)
    assert isinstance(failed, LimitError), failed.text
    assert failed.limit == limit
    assert "after" not in str(host.calls)


async def test_calls_are_counted_over_all_branches(pool: Pool) -> None:
    host = Host()
    done = await run(pool, "parallel(lambda i: [api.get(i) for j in range(20)], range(7))", host)
    assert isinstance(done.error, LimitError)
    assert (done.error.limit, done.calls) == ("calls", 120)
    assert len(host.calls) <= 120


LOOP = """
def work(n):
    for i in range(n):
        pass
"""


async def test_steps_are_added_up_over_branches_and_attempts(pool: Pool) -> None:
    code = f"{LOOP}work(50_000)\nparallel(work, [50_000, 50_000])\nattempt(lambda: work(50_000))\nwork(50_000)"
    done = await run(pool, code)
    assert done.error is None
    assert 245_000 <= done.steps <= 255_000


async def test_no_branch_is_started_once_the_steps_are_used_up(pool: Pool) -> None:
    done = await run(pool, f"{LOOP}parallel(work, [100_000] * 20)")
    assert isinstance(done.error, LimitError)
    assert done.steps < 1_000_000


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("parallel(work, [100_000] * 9)", id="branches one after another"),
        pytest.param("parallel(work, [150_000] * 3)", id="branches at once"),
        pytest.param("parallel(lambda i: parallel(work, [100_000] * 5), [1])", id="branches of a branch"),
        pytest.param("[attempt(lambda: work(100_000)) for i in range(5)]", id="attempts"),
        pytest.param("[attempt(lambda: [work(100_000), fail('x')]) for i in range(5)]", id="attempts that fail"),
    ],
)
async def test_steps_are_bounded_over_branches_and_attempts(pool: Pool, code: str) -> None:
    failed = await error(pool, LOOP + code)
    assert isinstance(failed, LimitError), failed.text
    assert failed.limit == "steps"
