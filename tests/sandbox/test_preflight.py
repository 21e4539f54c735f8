"""What a program's text says of itself, and what can be refused before anything runs."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.sandbox.preflight import Reading, problems, read

NAMESPACES = {"github": ["list_issues", "create_issue"], "slack": ["post_message"]}


def reading(code: str) -> Reading:
    found = read(code, [*NAMESPACES, "down"])
    assert found is not None
    return found


def told(code: str) -> list[str]:
    """What somebody is told who wrote this program; `down` can't be used now."""
    return problems(reading(code), NAMESPACES, {"down": "Server 'down' is still connecting; ask again in a moment."})


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
        "[github.get('x') for github in v]",
        "{k: github.items() for k, github in v}",
        "for github in v:\n    github.append(1)",
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
    assert len(told("[github.get('x') for github in v]\nslack.nothing()")) == 1


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
@settings(deadline=None)
def test_any_text_is_read_or_not_and_never_breaks(code: str) -> None:
    found = read(code, list(NAMESPACES))
    if found is not None:
        assert set(found.uses) | found.whole <= set(NAMESPACES)
        assert all(line.startswith("line ") for line in problems(found, NAMESPACES, {}))
