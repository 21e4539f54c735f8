"""What a program's text says of itself, and what can be refused before anything runs."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.sandbox.preflight import Problem, Reading, problems, read
from mcp_hub.sandbox.protocol import encode

NAMESPACES = {"github": ["list_issues", "create_issue"], "slack": ["post_message"]}


def reading(code: str) -> Reading:
    found = read(code, [*NAMESPACES, "down"])
    assert found is not None
    return found


def found(code: str) -> list[Problem]:
    """What is wrong with this program; `down` can't be used now."""
    down = {"down": "Server 'down' is still connecting; ask again in a moment."}
    return problems(reading(code), NAMESPACES, down, [*NAMESPACES, "down"])


def told(code: str) -> list[str]:
    """What somebody is told who wrote this program."""
    return [f"line {line}: {text}" for line, _, text in found(code)]


# What a program defines


@pytest.mark.parametrize(
    ("code", "assigned"),
    [
        ("x = 1", {"x"}),
        ("x = y = 1", {"x", "y"}),
        ("a, (b, [c]) = v", {"a", "b", "c"}),
        ("x += 1", {"x"}),
        ("x: int = 1", {"x"}),
        ("for i in v:\n    x = i", {"i", "x"}),
        ("for i, j in v:\n    if i:\n        x = 1\n    else:\n        y = 2", {"i", "j", "x", "y"}),
        ("if a:\n    x = 1\nelif b:\n    y = 2", {"x", "y"}),
        ("def f():\n    x = 1", {"f"}),
        ("v[0] = 1\nv.a = 2", set()),
        ("f(x)", set()),
        ("[x for x in v]", set()),
        ("", set()),
    ],
)
def test_names_bound_at_the_top_level_are_found(code: str, assigned: set[str]) -> None:
    assert reading(code).assigned == assigned


def test_functions_of_the_top_level_are_found() -> None:
    assert reading("def main():\n    def inner():\n        pass\nif a:\n    def other():\n        pass").functions == {
        "main",
        "other",
    }


# Which tools it uses


@pytest.mark.parametrize(
    ("code", "uses"),
    [
        ("github.list_issues()", {"github": {"list_issues": 1}}),
        ("x = 1\ny = [github.list_issues(repo=r) for r in v]", {"github": {"list_issues": 2}}),
        ("def f():\n    return slack.post_message\n", {"slack": {"post_message": 2}}),
        ("github.list_issues()\ngithub.list_issues()", {"github": {"list_issues": 1}}),
        (
            "slack.post_message(text=github.create_issue().url)",
            {"slack": {"post_message": 1}, "github": {"create_issue": 1}},
        ),
        ("f'{github.list_issues()}'", {"github": {"list_issues": 1}}),
        ("lambda: github.list_issues()", {"github": {"list_issues": 1}}),
        ("x.github.list_issues()", {}),
        ("'github.list_issues()'", {}),
        ("# github.list_issues()", {}),
        ("gitlab.list_issues()", {}),
    ],
)
def test_the_tools_that_a_program_spells_out_are_found_with_their_first_line(
    code: str, uses: dict[str, dict[str, int]]
) -> None:
    found = reading(code)
    assert found.uses == uses
    assert found.whole == set()


@pytest.mark.parametrize("code", ["f(github)", "g = github", "[github]", "return_it(lambda: github)", "github"])
def test_a_namespace_that_is_handed_around_is_used_as_a_whole(code: str) -> None:
    assert reading(code).whole == {"github"}


def test_a_namespace_may_be_used_both_ways() -> None:
    found = reading("github.list_issues()\nf(github)")
    assert (found.uses, found.whole) == ({"github": {"list_issues": 1}}, {"github"})


@pytest.mark.parametrize(
    ("code", "dynamic"),
    [
        ("getattr(github, 'list_issues')", True),
        ("hasattr(x, 'y')", True),
        ("[dir(x)]", True),
        ("x.getattr()", False),
        ("'getattr'", False),
    ],
)
def test_a_program_that_may_reach_tools_by_name_is_dynamic(code: str, dynamic: bool) -> None:
    assert reading(code).dynamic is dynamic


# A variable that is called like a server


@pytest.mark.parametrize(
    "code",
    [
        "github = github.list_issues()\nresult = github.keys()",
        "[github.get('x') for github in []]",
        "{k: github.items() for k, github in []}",
        "for github in []:\n    github.append(1)",
        "def f(github):\n    return github.get('x')",
        "def f(*github):\n    return github.index(1)",
        "f = lambda github: github.strip()",
        "def f():\n    github = []\n    github.append(1)",
        "def github():\n    pass\ngithub.x",
    ],
)
def test_a_variable_called_like_a_server_isnt_taken_for_the_server(code: str) -> None:
    assert told(code) == []
    found = reading(code)
    assert "github" not in found.uses
    assert found.whole == {"github"}


def test_other_servers_are_still_checked_beside_such_a_variable() -> None:
    assert len(told("[github.get('x') for github in []]\nslack.nothing()")) == 1


# What is refused


def test_a_program_that_uses_what_there_is_has_no_problems() -> None:
    assert told("x = github.list_issues()\nslack.post_message(text=x)\ngithub.create_issue()") == []


def test_unknown_tools_are_told_by_line_with_the_nearest_or_where_all_are() -> None:
    code = "slack.zzz()\nx = [\n    github.list_isues(),\n    down.anything(),\n]\ngithub.createIssue()\n"
    assert "\n".join(told(code)) == snapshot("""\
line 1: slack has no tool 'zzz'. readToolFile('servers/slack.pyi') shows what it has.
line 3: github has no tool 'list_isues'. Did you mean github.list_issues?
line 4: Server 'down' is still connecting; ask again in a moment.
line 6: github has no tool 'createIssue'. Did you mean github.create_issue?\
""")


def test_a_server_that_cant_be_used_now_is_told_once_with_the_reason() -> None:
    assert told("x = 1\ndown.b()\ndown.a()\n") == ["line 2: Server 'down' is still connecting; ask again in a moment."]


def test_a_tool_used_many_times_is_told_once_at_its_first_line() -> None:
    assert len(told("\n\ngithub.nope()\ngithub.nope()")) == 1
    assert told("\n\ngithub.nope()\ngithub.nope()")[0].startswith("line 3: ")


def test_problems_come_in_the_order_of_the_lines_not_of_their_digits() -> None:
    code = "slack.zzz()\n" + "\n" * 8 + "github.zzz()\nslack.yyy()\n"
    assert [line.partition(":")[0] for line in told(code)] == ["line 1", "line 10", "line 11"]


def test_names_that_nothing_defines_are_told_with_the_nearest_or_the_servers() -> None:
    code = "githbu.list_issues()\nx = paralel(str, [1])\nnothing(x)\nnothing()\nitms = [1]\nfor i in items:\n    pass"
    assert "\n".join(told(code)) == snapshot("""\
line 1: nothing is called 'githbu', no server and nothing in the program. Did you mean github?
line 2: nothing is called 'paralel', no server and nothing in the program. Did you mean parallel or recall?
line 3: nothing is called 'nothing', no server and nothing in the program. Did you mean string?
line 6: nothing is called 'items', no server and nothing in the program. Did you mean itms or iter?\
""")


def test_every_kind_of_problem_is_told_at_once_by_line() -> None:
    code = "import os\ngithub.nope()\nx = {}\nfoo(x)\nasync def f():\n    pass\ndown.x()"
    assert found(code) == snapshot(
        [
            (1, "syntax", "there are no files: a server's tools read and write."),
            (2, "name", "github has no tool 'nope'. readToolFile('servers/github.pyi') shows what it has."),
            (4, "name", "nothing is called 'foo', no server and nothing in the program. Servers: github, slack, down."),
            (7, "name", "Server 'down' is still connecting; ask again in a moment."),
        ]
    )


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("def f(a, *b, c=1, **d):\n    return a, b, c, d", id="parameters"),
        pytest.param("lambda a, *b, **c: (a, b, c)", id="a lambda's parameters"),
        pytest.param("def f():\n    return g()\ndef g():\n    return later\nlater = 1", id="what is defined below"),
        pytest.param("[a for a, b in [] if b]", id="comprehensions"),
        pytest.param("(a := 1)\nprint(a)", id="assignment expressions"),
        pytest.param("import json as j, re\nfrom math import sqrt\nprint(j, re, sqrt)", id="imports"),
        pytest.param("try:\n    pass\nexcept ValueError as error:\n    print(error)", id="exceptions"),
        pytest.param(
            "match 1:\n    case [a, *b]:\n        print(a, b)\n    case {'k': c, **d}:\n        print(c, d)", id="match"
        ),
        pytest.param("load('scripts/a.star', 'first', other = 'second')\nfirst(other)", id="shared scripts"),
        pytest.param("print(len(dict()), json, re, attempt, parallel, recall, struct, sum, __name__)", id="provided"),
        pytest.param("def f():\n    global n\n    n = 1\nprint(n)", id="globals"),
    ],
)
def test_what_a_program_defines_or_finds_is_not_undefined(code: str) -> None:
    assert reading(code).undefined == {}


# Which calls it is going to make


def test_calls_are_found_with_what_is_written_out_and_what_is_computed() -> None:
    code = "x = 1\ngithub.list_issues('a', x, [1, {'b': -2.5}],\n    state=None, n=x + 1)\nslack.post_message()"
    assert reading(code).calls == snapshot(
        [
            {
                "line": 2,
                "server": "github",
                "tool": "list_issues",
                "args": [["a"], [], [[1, {"b": -2.5}]]],
                "kwargs": {"state": [None], "n": []},
                "open": False,
            },
            {"line": 4, "server": "slack", "tool": "post_message", "args": [], "kwargs": {}, "open": False},
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "opened"),
    [("*x", True), ("**x", True), ("a=1, **{'b': 2}", True), ("[*x]", False), ("{**x}", False), ("", False)],
)
def test_a_call_that_unpacks_arguments_is_open(arguments: str, opened: bool) -> None:
    (call,) = reading(f"x = []\ngithub.list_issues({arguments})").calls
    assert call["open"] is opened


@pytest.mark.parametrize(
    "argument",
    ["x", "f'{1}'", "1 if x else 2", "lambda: 1", "b'1'", "1j", "{1, 2}", "...", "[b'1']", "{(1, 2): 3}", "{'a': {1}}"],
)
def test_what_is_computed_or_no_json_is_no_constant(argument: str) -> None:
    (call,) = reading(f"x = 1\ngithub.list_issues({argument}, a={argument})").calls
    assert (call["args"], call["kwargs"]) == ([[]], {"a": []})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_constant_is_found_as_it_is_and_fits_into_a_frame(value: Any) -> None:
    (call,) = reading(f"github.list_issues({value!r})").calls
    assert call["args"] == [[value]]
    encode({"type": "check", "problems": [], "calls": [call]})


def test_calls_of_other_things_are_no_calls_of_tools() -> None:
    assert reading("x = github\nx.list_issues()\nlen([])\ngithub.a.b()\n[github.get() for github in []]").calls == []


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        ("def main():\n    pass\nmain()", True),
        ("def main():\n    pass\nresult = [main()]", True),
        ("def main():\n    pass\nif True:\n    print(main())", True),
        ("def main():\n    pass", False),
        ("def main():\n    pass\ndef other():\n    main()", False),
        ("x.main()", False),
    ],
)
def test_whether_the_top_level_calls_main_is_known(code: str, calls: bool) -> None:
    assert reading(code).calls_main is calls


# What can't be read


@pytest.mark.parametrize(
    "code",
    ["x = ", "def f(:", "github.list_issues(", "a b", "\tx = 1\n  y", "x\x00y", "'\ud800'", "load('x', 'y') = 1"],
)
def test_what_python_cant_parse_is_left_to_the_interpreter(code: str) -> None:
    assert read(code, ["github"]) is None


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("-" * 100_000 + "1", id="operators"),
        pytest.param("x = 1" + " + 1" * 50_000, id="a long sum"),
        pytest.param("x" + ".a" * 50_000, id="attributes"),
        pytest.param("(" * 5_000 + ")" * 5_000, id="brackets"),
    ],
)
def test_a_program_nested_too_deep_ends_in_one_of_the_documented_ways(code: str) -> None:
    with suppress(RecursionError, MemoryError):
        assert read(code, ["github"]) is None


@given(st.text(st.sampled_from("github.list_issues()=[]: \n\tfor x in def \"'#"), max_size=60))
def test_any_text_is_read_or_not_and_never_breaks(code: str) -> None:
    found = read(code, list(NAMESPACES))
    if found is not None:
        assert set(found.uses) | found.whole <= set(NAMESPACES)
        told = problems(found, NAMESPACES, {}, [*NAMESPACES])
        assert told == sorted(told)
        assert all(0 < line <= code.count("\n") + 1 and text for line, _, text in told)
