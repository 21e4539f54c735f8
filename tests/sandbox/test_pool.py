"""Programs in worker processes: what they answer, how they fail, what bounds them."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import LimitError, ScriptError
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.sandbox.running import TOOLS, Host, error, run, settled, value
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(Limits(wall_seconds=10, call_seconds=5)) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_left_behind(pool: Pool) -> AsyncIterator[None]:
    """What each program forked has ended after it; the pool itself is the module's."""
    yield
    await settled()


async def test_values_cross_as_json(pool: Pool, host: Host) -> None:
    code = "result = api.get(1, 'é', a=(1, 2), b=struct(c=1.5), d=None, e={1: True}, big=1 << 70)"
    expected = {"a": [1, 2], "b": {"c": 1.5}, "d": None, "e": {"1": True}, "big": 1 << 70}
    assert await value(pool, code, host) == {"args": [1, "é"], "kwargs": expected}
    assert host.calls == [("api", "get", [1, "é"], expected)]


async def test_nan_and_infinity_become_null(pool: Pool) -> None:
    assert await value(pool, "result = [float('nan'), float('inf'), 1.0]") == [None, None, 1.0]


async def test_starlarks_usual_constructs_work(pool: Pool) -> None:
    code = """
def double(x, *, by = 2):
    return x * by
total = 0
for i in range(5):
    if i % 2:
        continue
    total += double(i)
words = sorted(["b", "a"], key = lambda w: w, reverse = True)
name = "x"
result = [total, words, f"{name}!", {k: v for k, v in enumerate(["a", "b"])}, sum([1, 2]), json.decode("[1]"), 7 // 2]
"""
    assert await value(pool, code) == [12, ["b", "a"], "x!", {"0": "a", "1": "b"}, 3, [1], 3]


async def test_a_tool_may_be_reached_by_a_computed_name(pool: Pool) -> None:
    assert await value(pool, "result = getattr(api, 'g' + 'et')(1)['args']") == [1]
    assert await value(pool, "result = sorted(dir(api))") == sorted(TOOLS["api"])


async def test_a_namespace_may_be_handed_to_a_function(pool: Pool) -> None:
    assert await value(pool, "def f(server):\n    return server.get(2)['args']\nresult = f(api)") == [2]


async def test_a_name_that_the_program_assigns_is_its_own(pool: Pool) -> None:
    assert await value(pool, "api = struct(got = 3)\nresult = api.got") == 3


async def test_the_answer_is_null_without_result_main_or_expression(pool: Pool) -> None:
    assert await value(pool, "x = 1") is None
    assert await value(pool, "") is None
    assert await value(pool, "result = None\n3") is None


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("def main():\n    api.get()\n    return 1\nmain()", 1),
        ("def main():\n    api.get()\n    return 1\nresult = main()", 1),
        ("def main():\n    api.get()\n    return 1\nprint(main())", None),
        ("def main():\n    api.get()\n    return 1", 1),
    ],
)
async def test_main_runs_once_whoever_calls_it(pool: Pool, host: Host, code: str, answer: Any) -> None:
    assert await value(pool, code, host) == answer
    assert len(host.calls) == 1


async def test_a_tool_as_the_last_expression_is_told_as_no_data(pool: Pool) -> None:
    assert (await error(pool, "result = 1\napi.get")).text == snapshot(
        "The last expression is a tool or function, which can't be written as JSON. Answer with data."
    )


async def test_a_failed_call_ends_the_program_at_its_line(pool: Pool, host: Host) -> None:
    failed = await error(pool, "api.get()\napi.fail(a=1)\napi.get()", host)
    assert isinstance(failed, ScriptError)
    assert failed.kind == "tool"
    assert failed.text == snapshot("""\
Traceback (most recent call last):
  * program:2, in <module>
      api.fail(a=1)
error: api.fail failed: the disk is full
 --> program:2:1
  |
2 | api.fail(a=1)
  | ^^^^^^^^^^^^^
  |
""")
    assert host.called == ["get", "fail"]


async def test_an_answer_nested_too_deep_fails_its_call(pool: Pool) -> None:
    async def deep(server: str, tool: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        value: Any = []
        for _ in range(100_000):
            value = [value]
        return value

    with anyio.fail_after(PATIENCE):
        done = await pool.run(Job("api.get()", TOOLS), deep)
    assert done.error is not None
    assert "api.get answered with data that is nested too deep for a program." in done.error.text


async def test_refused_arguments_are_a_kind_of_their_own(pool: Pool) -> None:
    failed = await error(pool, "api.refuse(x=1)")
    assert isinstance(failed, ScriptError)
    assert failed.kind == "arguments"


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (
            "for in x",
            "syntax",
            snapshot("""\
error: Parse error: unexpected keyword 'in' here
 --> program:1:5
  |
1 | for in x
  |     ^^
  |
"""),
        ),
        (
            "result = len",
            "result",
            snapshot("The result holds a tool or function, which can't be written as JSON. Answer with data."),
        ),
        (
            "result = api.get",
            "result",
            snapshot("The result holds a tool or function, which can't be written as JSON. Answer with data."),
        ),
        (
            "result = {(1, 2): 3}",
            "result",
            snapshot(
                "The result can't be written as JSON (unhashable type: 'list'). Answer with text, numbers, "
                "lists and dicts with text keys."
            ),
        ),
        (
            "githbu.get()",
            "name",
            snapshot("line 1: nothing is called 'githbu', no server and nothing in the program. Did you mean github?"),
        ),
        ("api.gte()", "name", snapshot("line 1: api has no tool 'gte'. Did you mean api.get?")),
        (
            "fail('no way')",
            "script",
            snapshot("""\
Traceback (most recent call last):
  * program:1, in <module>
      fail('no way')
error: fail: no way
 --> program:1:1
  |
1 | fail('no way')
  | ^^^^^^^^^^^^^^
  |
"""),
        ),
        (
            "api.get(a=len)",
            "arguments",
            snapshot("""\
Traceback (most recent call last):
  * program:1, in <module>
      api.get(a=len)
error: an argument holds a tool or function, which can't be written as JSON; pass data
 --> program:1:1
  |
1 | api.get(a=len)
  | ^^^^^^^^^^^^^^
  |
"""),
        ),
    ],
)
async def test_a_mistake_is_told_by_kind(pool: Pool, code: str, kind: str, told: str) -> None:
    failed = await error(pool, code)
    assert isinstance(failed, ScriptError)
    assert failed.kind == kind
    assert failed.text == told


async def test_what_was_printed_before_a_failure_is_kept(pool: Pool) -> None:
    done = await run(pool, "print('one', 2, sep='-')\nprint(struct(a=1), len)\nfail('x')")
    assert done.log == "one-2\nstruct(a=1) len\n"


async def test_printing_is_bounded_and_says_so() -> None:
    async with Pool(Limits(log_bytes=10)) as pool:
        done = await run(pool, "for i in range(1000):\n    print('äääää')")
        assert done.log.startswith("äääää")
        assert done.log.endswith("[the rest was left out: log_bytes]\n")
        assert len(done.log) < 100


@pytest.mark.parametrize(
    ("limits", "code", "limit"),
    [
        ({"wall_seconds": 0.3, "steps": 10**12}, "for i in range(1000000000):\n    pass", "wall_seconds"),
        ({"wall_seconds": 0.3}, "api.wait()", "wall_seconds"),
        ({"wall_seconds": 0.3, "memory_mib": 1024}, "x = sorted(range(20000000))\ny = sorted(x)", "wall_seconds"),
        ({"steps": 5000}, "x = [i for i in range(1000000)]", "steps"),
        ({"memory_mib": 32}, "x = 'a' * 100000000", "memory_mib"),
        ({"memory_mib": 32}, "x = []\nfor i in range(10000000):\n    x.append(str(i) * 10)", "memory_mib"),
        ({"calls": 2}, "api.get()\napi.get()\napi.get()", "calls"),
        ({"source_bytes": 256}, "#" + "x" * 256, "source_bytes"),
        ({"call_depth": 10}, "def f(n):\n    return f(n)\nf(1)", "call_depth"),
        ({}, "result = 'x' * 5000000", "result_characters"),
        ({}, "api.get(x='x' * 5000000)", "result_characters"),
    ],
)
async def test_a_limit_ends_the_program_and_names_itself(limits: dict[str, Any], code: str, limit: str) -> None:
    async with Pool(Limits(**limits)) as pool:
        failed = await error(pool, code)
        assert isinstance(failed, LimitError), failed.text
        assert failed.limit == limit, failed.text
        with anyio.fail_after(PATIENCE):
            while (await run(pool, "1")).value != 1:  # on a busy machine 0.3 s may be over before a worker has begun
                pass


async def test_a_limits_error_says_how_far_the_program_got() -> None:
    async with Pool(Limits(calls=2)) as pool:
        assert (await error(pool, "for i in range(5):\n    api.get(i)")).text == snapshot(
            "The program was ended: it reached the limit calls = 2 (hub.limits.calls in servers.toml). "
            "Before that, 2 of the 2 tool calls succeeded. Do the work in several programs, or ask for less."
        )


async def test_a_worker_serves_one_program(pool: Pool) -> None:
    await value(pool, "leak = 1\nresult = leak")
    failed = await error(pool, "result = leak")
    assert "nothing is called 'leak'" in failed.text


async def test_more_programs_than_may_run_at_once_wait_for_their_turn() -> None:
    hosts = [Host(), Host(), Host()]
    async with Pool(Limits(programs=2)) as pool, anyio.create_task_group() as tasks:
        for each in hosts:
            tasks.start_soon(run, pool, "api.wait()", each)
        await hosts[0].waiting.wait()
        await hosts[1].waiting.wait()
        assert not hosts[2].calls
        tasks.cancel_scope.cancel()


async def test_a_program_cannot_reach_python_through_a_tool(pool: Pool) -> None:
    for code in ("api.get.__globals__", "api.__class__", "getattr(api.get, '__call__')", "print.__code__"):
        failed = await error(pool, code)
        assert isinstance(failed, ScriptError), code


async def test_a_clients_programs_wait_for_its_share_and_others_dont() -> None:
    hosts = {name: Host() for name in ("a1", "a2", "b1")}
    async with Pool(Limits(programs=3, programs_client=1)) as pool, anyio.create_task_group() as tasks:
        for name, host in hosts.items():
            tasks.start_soon(pool.run, Job("api.wait()", TOOLS, client=name[0]), host.call)
        await hosts["a1"].waiting.wait()
        await hosts["b1"].waiting.wait()
        assert not hosts["a2"].calls
        hosts["a1"].released.set()
        await hosts["a2"].waiting.wait()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "code", ["attempt(lambda: api.wait())", "parallel(lambda i: attempt(lambda: api.wait()), [1])[0]"]
)
async def test_a_call_that_takes_too_long_can_be_caught(code: str) -> None:
    host = Host()
    async with Pool(Limits(call_seconds=0.2)) as pool:
        tried = await value(pool, f"result = {code}", host)
    assert not tried["ok"]
    assert tried["error"].startswith("api.wait didn't answer within call_seconds = 0.2 ")
    assert host.cancelled
