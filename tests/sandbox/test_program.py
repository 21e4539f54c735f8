"""One program while it runs: checked before its first call; its answer, what it recalls and loads, how deep data is."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.errors import CallerError, LimitError, ScriptError
from mcp_hub.sandbox.conversation import Job, PlannedCall
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.sandbox.running import TOOLS, Host, error, run, settled, value
from tests.support import PATIENCE

pytestmark = pytest.mark.anyio

Problems = list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    async with Pool(Limits(wall_seconds=10, value_nesting=8)) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def nothing_left_behind(pool: Pool) -> AsyncIterator[None]:
    """What each program forked has ended after it; the pool itself is the module's."""
    yield
    await settled()


class Checker:
    """A check that finds these problems and notes in what order it and the host were asked."""

    def __init__(self, *problems: tuple[int, str, str]) -> None:
        self.asked: list[Sequence[PlannedCall]] = []
        self.calls_before: list[int] = []
        self.host = Host()
        self._problems = list(problems)

    async def check(self, calls: Sequence[PlannedCall]) -> Problems:
        self.asked.append(calls)
        self.calls_before.append(len(self.host.calls))
        return self._problems


# The check


async def test_the_check_is_asked_once_for_all_calls_in_the_text_before_the_first_is_made(pool: Pool) -> None:
    checker = Checker()
    code = "x = 2\nif x == 3:\n    api.fail(x, a=[1])\nfor i in range(3):\n    api.get(*[i])"
    done = await run(pool, code, checker.host, check=checker.check)
    assert done.error is None
    assert checker.asked == snapshot(
        [
            [
                PlannedCall(line=3, server="api", tool="fail", args=[[]], kwargs={"a": [[1]]}, open=False),
                PlannedCall(line=5, server="api", tool="get", args=[], kwargs={}, open=True),
            ]
        ]
    )
    assert checker.calls_before == [0]
    assert checker.host.called == ["get", "get", "get"]


async def test_a_problem_with_any_call_keeps_every_call_from_being_made(pool: Pool) -> None:
    checker = Checker((2, "arguments", "api.fail has no parameter 'b'."))
    done = await run(pool, "api.get()\napi.fail(b=1)\n", checker.host, check=checker.check)
    assert isinstance(done.error, ScriptError)
    assert (done.error.kind, done.error.text) == ("arguments", "line 2: api.fail has no parameter 'b'.")
    assert (checker.host.calls, done.calls) == ([], 0)


async def test_all_that_is_wrong_is_told_in_one_answer_by_line(pool: Pool) -> None:
    checker = Checker((5, "denied", "api.deny is denied."), (1, "arguments", "api.get needs x."))
    code = "api.get()\napi.gte()\nfoo(1)\nimport os\napi.deny()"
    done = await run(pool, code, checker.host, check=checker.check)
    assert isinstance(done.error, ScriptError)
    assert done.error.text == snapshot("""\
line 1: api.get needs x.
line 2: api has no tool 'gte'. Did you mean api.get?
line 3: nothing is called 'foo', no server and nothing in the program. Servers: api, github.
line 4: there are no files: a server's tools read and write.
line 5: api.deny is denied.\
""")
    assert (done.error.kind, checker.host.calls) == ("syntax", [])


async def test_a_program_that_calls_nothing_is_not_checked(pool: Pool) -> None:
    checker = Checker((1, "arguments", "no."))
    done = await run(pool, "result = 1", checker.host, check=checker.check)
    assert (done.value, checker.asked) == (1, [])


async def test_a_lowered_program_is_checked_by_its_own_lines(pool: Pool) -> None:
    checker = Checker()
    code = "n = 2\nwhile n > 0:\n    n -= 1\ntry:\n    api.fail()\nexcept Exception:\n    api.get(n)"
    done = await run(pool, code, checker.host, check=checker.check)
    assert done.error is None
    assert [(call.line, call.tool) for call in checker.asked[0]] == [(5, "fail"), (7, "get")]
    assert checker.host.called == ["fail", "get"]


async def test_a_constant_that_is_no_json_is_told_at_its_line(pool: Pool) -> None:
    checker = Checker()
    done = await run(pool, "x = 1\napi.get({(1, 2): 3})", checker.host, check=checker.check)
    assert done.error is not None
    assert " --> program:2:1" in done.error.text
    assert checker.host.calls == []


# The answer


@pytest.mark.parametrize(
    ("code", "answer", "answered"),
    [
        ("result = 1", 1, True),
        ("result = None", None, True),
        ("1 + 1", 2, True),
        ("def main():\n    return [1]", [1], True),
        ("x = 1", None, False),
        ("api.get()\nprint(1)", None, False),
        ("", None, False),
    ],
)
async def test_whether_a_program_has_answered_is_told(pool: Pool, code: str, answer: Any, answered: bool) -> None:
    done = await run(pool, code)
    assert done.error is None
    assert (done.value, done.answered) == (answer, answered)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        pytest.param("import sys\nresult = [1]\nif True:\n    sys.exit()\nresult = [2]", [1], id="at the top level"),
        pytest.param("def f():\n    exit()\nresult = [1]\nf()\nresult = [2]", [1], id="in a function"),
        pytest.param("result = 1\nattempt(lambda: exit())\nresult = 2", 1, id="in an attempt"),
        pytest.param("def f():\n    raise SystemExit\nresult = 1\nf()\nresult = 2", 1, id="raised"),
        pytest.param("def main():\n    if True:\n        return 1\n    return 2", 1, id="by return"),
    ],
)
async def test_a_program_may_end_early_with_what_it_has_answered(pool: Pool, code: str, answer: Any) -> None:
    host = Host()
    assert await value(pool, f"{code}\napi.get()" if "main" not in code else code, host) == answer
    assert host.calls == []


async def test_a_branch_cant_end_the_program_early(pool: Pool) -> None:
    failed = await error(pool, "result = 1\nparallel(lambda i: exit(), [1])\nresult = 2")
    assert "exit() can't end the program from a branch of parallel: return, and look at the values" in failed.text


# Nesting


@pytest.mark.parametrize("kept", ["api.get({})", "api.get(a={})", "attempt(lambda: api.get({}))"])
async def test_an_argument_may_be_nested_as_deep_as_the_limit_and_no_deeper(pool: Pool, kept: str) -> None:
    host = Host()
    assert await value(pool, f"{kept.format('[' * 8 + ']' * 8)}\nresult = 1", host) == 1
    assert len(host.calls) == 1
    code = f"x = {kept.format('[' * 9 + ']' * 9)}\nresult = x.error"
    if kept.startswith("attempt"):
        assert await value(pool, code, host) == "an argument has lists or dicts nested more than 8 deep"
    else:
        failed = await error(pool, code, host)
        assert isinstance(failed, LimitError)
        assert failed.limit == "value_nesting"
        assert "an argument has lists or dicts nested more than 8 deep\n --> program:1:5" in failed.text
    assert len(host.calls) == 1


@pytest.mark.parametrize(
    "answer", ["result = {}", "{}", "def main():\n    return {}", "result = parallel(lambda i: {}, [1])[0]"]
)
async def test_an_answer_may_be_nested_as_deep_as_the_limit_and_no_deeper(pool: Pool, answer: str) -> None:
    deep: Any = {}
    for _ in range(3):
        deep = {"a": (deep,)}
    written = repr([deep])
    assert await value(pool, answer.replace("{}", written)) == [{"a": [{"a": [{"a": [{}]}]}]}]
    failed = await error(pool, answer.replace("{}", f"[{written}]"))
    assert isinstance(failed, LimitError)
    assert failed.limit == "value_nesting"


async def test_a_branchs_value_may_be_nested_as_deep_as_the_limit_and_no_deeper(pool: Pool) -> None:
    code = "result = len(parallel(lambda i: {}, [1]))"
    assert await value(pool, code.format("[" * 8 + "]" * 8)) == 1
    failed = await error(pool, code.format("[" * 9 + "]" * 9))
    assert isinstance(failed, LimitError)
    assert failed.limit == "value_nesting"
    assert "the value of a branch has lists or dicts nested more than 8 deep" in failed.text


async def test_what_a_tool_answers_may_be_deeper(pool: Pool) -> None:
    host = Host()

    async def deep() -> Any:
        return [[[[[[[[[[[["bottom"]]]]]]]]]]]]

    host.look = deep
    assert await value(pool, "result = api.look()[0][0][0][0][0][0][0][0][0]", host) == [[["bottom"]]]


# What is kept, what is shared


async def test_a_kept_value_is_recalled_whole_and_is_no_call(pool: Pool) -> None:
    async def recall(handle: str) -> Any:
        if handle != "h1":
            raise CallerError(f"Nothing is kept under {handle!r}.")
        return {"items": [1, 2, 3]}

    code = """
both = parallel(lambda h: attempt(lambda: recall(h)).error, ["h1", "h2"])
result = [recall("h1")["items"][1:], both]
"""
    done = await run(pool, code, recall=recall)
    assert done.value == [[2, 3], [None, "Nothing is kept under 'h2'."]]
    assert done.calls == 0


async def test_where_nothing_is_kept_a_recall_is_told_so(pool: Pool) -> None:
    failed = await error(pool, "recall('h1')")
    assert isinstance(failed, ScriptError)
    assert "error: Nothing is kept here that could be recalled.\n --> program:1:1" in failed.text


SCRIPTS = {
    "scripts/good.star": "load('scripts/base.star', 'double')\ndef twice(x):\n    return double(double(x))\n"
    "def fetch(x):\n    return api.get(x)['args'][0]\n",
    "scripts/base.star": "def double(x):\n    while x is None:\n        break\n    return x * 2\n",
    "scripts/bad.star": "def f():\n    return 1\n\nx = api.get()\n",
    "scripts/late.star": "def fails(x):\n    y = x\n\n    return 1 // y\n",
    "scripts/round.star": "load('scripts/back.star', 'f')\ndef g():\n    pass\n",
    "scripts/back.star": "load('scripts/round.star', 'g')\ndef f():\n    pass\n",
}


async def loading(pool: Pool, code: str, host: Host | None = None) -> Any:
    job = Job(code, TOOLS, servers=["api"], scripts=SCRIPTS)
    with anyio.fail_after(PATIENCE):
        done = await pool.run(job, (host or Host()).call)
    return done.error.text if done.error else done.value


async def test_a_shared_script_gives_functions_which_may_call_tools(pool: Pool) -> None:
    host = Host()
    code = 'load("scripts/good.star", "twice", get = "fetch")\nresult = [twice(3), get(5)]'
    assert await loading(pool, code, host) == [12, 5]
    assert host.called == ["get"]


async def test_a_shared_script_that_calls_a_tool_when_it_is_loaded_is_refused(pool: Pool) -> None:
    host = Host()
    told = await loading(pool, 'load("scripts/bad.star", "f")\nresult = f()', host)
    assert "scripts/bad.star calls api.get when it is loaded; a shared script only defines functions" in told
    assert host.calls == []


async def test_an_error_in_a_shared_script_is_told_at_its_own_line(pool: Pool) -> None:
    assert await loading(pool, 'load("scripts/late.star", "fails")\n\nfails(0)') == snapshot("""\
Traceback (most recent call last):
  * program:3, in <module>
      fails(0)
error: Floor division by zero: 1 // 0
 --> scripts/late.star:4:12
  |
4 |     return 1 // y
  |            ^^^^^^
  |
""")


@pytest.mark.parametrize("path", ["scripts/none.star", "/etc/passwd", "../good.star"])
async def test_what_is_no_shared_script_is_told(pool: Pool, path: str) -> None:
    told = await loading(pool, f'load("{path}", "f")\nf()')
    assert f"there is no shared script '{path}'; listToolFiles lists those there are" in told


async def test_shared_scripts_that_load_each_other_are_told(pool: Pool) -> None:
    assert await loading(pool, 'load("scripts/round.star", "g")\ng()') == snapshot("""\
error: shared scripts load each other in a circle: scripts/round.star -> scripts/back.star -> scripts/round.star
 --> scripts/back.star:1:1
  |
1 | load('scripts/round.star', 'g')
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
""")


async def test_a_text_that_is_taken_for_data_is_told_how_to_read_it(pool: Pool) -> None:
    failed = await error(pool, "rows = \"[{'name': 'Ada'}]\"\nresult = rows[0]['name']")
    assert failed.text.splitlines()[-1] == snapshot("""\
A text or list has no ["name"], its places are numbers. If a tool gave a text that holds data, \
ast.literal_eval(text) reads a Python literal; JSON comes read.\
""")
