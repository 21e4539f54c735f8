"""A run's program becomes a script that runs nothing when it is loaded, and does the same when it is called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from mcp_hub.cli.sharing import as_shared_script
from mcp_hub.errors import CallerError

HEADER = "# Saved."


class Server:
    """Stands for the servers: it records what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def get(self, number: Any = 0) -> int:
        self.calls.append(("get", number))
        return int(number) * 2


def loaded(code: str) -> tuple[dict[str, Any], Server, str]:
    """The names of the shared script of `code` after loading it, the server, and the function."""
    shared = as_shared_script(code, HEADER)
    server = Server()
    names: dict[str, Any] = {"api": server, "__name__": "script"}
    exec(shared.text, names)
    return names, server, shared.function


def test_functions_and_constants_stay_and_the_rest_goes_into_main_with_its_comments() -> None:
    code = '''\
# what is late
LIMIT = 30
LABELS = {"bug": 1}
seen = []

def late(issue):
    """Whether it is late."""
    return issue["days"] > LIMIT  # strictly

def note(issue):
    seen.append(issue)

# all of them
for issue in github.list_issues(repo="a"):
    if late(issue):
        note(issue)  # keep it
        text = """two
lines"""

result = {"n": len(seen)}
# the end
'''
    shared = as_shared_script(code, HEADER)
    assert shared.function == "main"
    assert shared.text == snapshot('''\
# Saved.


# what is late
LIMIT = 30
LABELS = {"bug": 1}


def late(issue):
    """Whether it is late."""
    return issue["days"] > LIMIT  # strictly


def main():
    seen = []

    def note(issue):
        seen.append(issue)

    # all of them
    for issue in github.list_issues(repo="a"):
        if late(issue):
            note(issue)  # keep it
            text = """two
lines"""

    result = {"n": len(seen)}
    # the end
    return result
''')


@pytest.mark.parametrize(
    ("code", "answer", "calls"),
    [
        ("result = api.get(1)", 2, 1),
        ("x = api.get(1)\nx + 1", 3, 1),
        ("x = api.get(1); x + 1", 3, 1),
        ("[api.get(i)\n for i in range(3)]", [0, 2, 4], 3),
        ("ü = 'ü'; api.get(2)", 4, 1),
        ("def main():\n    return api.get(3)", 6, 1),
        ("def main():\n    return api.get(3)\nmain()", 6, 1),
        ("def main():\n    return api.get(3)\nresult = main()", 6, 1),
        ('def main():\n    return api.get(3)\nif __name__ == "__main__":\n    main()', 6, 1),
        ('def main():\n    return api.get(3)\nif __name__ == "__main__": result = main()', 6, 1),
        ("def main():\n    return api.get(3)\nresult = main() + api.get(1)", 8, 2),
        ("def main():\n    return api.get(3)\napi.get(1)", 6, 2),
        ("n = api.get(1)\ndef main():\n    return api.get(n)\nmain()", 4, 2),
        ("def double(i):\n    return api.get(i)\nresult = [double(i) for i in range(2)]", [0, 2], 2),
        ("def double(x):\n    return api.get(x)\nfor x in range(2):\n    result = double(x)", 2, 2),
        ("if api.get(1) > 1:\n    result = 'early'\n    return\nresult = 'late'", "early", 1),
        ("if api.get(1) > 5:\n    result = 'never'", None, 1),
        ("if api.get(1):\n    return 'early'\nresult = 1", "early", 1),
        ("A, B = 1, 2\nresult = A + B + api.get()", 3, 1),
        ("TOTAL = 0\nfor i in range(3):\n    TOTAL += i\nresult = TOTAL", 3, 0),
        ("SEEN = []\nSEEN.append(api.get(1))\nresult = SEEN", [2], 1),
        ("import json\nresult = json.dumps(api.get(1))", "2", 1),
        ("text = '''a\n  b\n'''\nresult = text", "a\n  b\n", 0),
        ("x = 1\ndef f():\n    return x\nx = 2\nresult = f()", 2, 0),
        ("result = (\n    # why\n    1 +\n    api.get(1)\n)", 3, 1),
        ("def f():\n    return 1\nf = [f, 2]\nresult = f[1]", 2, 0),
        ("api.get(1)\ndef late():\n    pass", None, 1),
        ("n: int = 4\nresult = n", 4, 0),
        ("if api.get(1):\n\tresult = 'tab'", "tab", 1),
    ],
)
def test_loading_calls_nothing_and_calling_does_what_the_program_did(code: str, answer: Any, calls: int) -> None:
    names, server, function = loaded(code)
    assert server.calls == []
    assert names[function]() == answer
    assert len(server.calls) == calls
    assert names[function]() == answer  # it may be called again


def test_a_program_that_is_functions_only_stays_as_it_is() -> None:
    code = "def main():\n    # why\n    return 1"
    assert as_shared_script(code, HEADER).text == f"{HEADER}\n\n\n{code}\n"


def test_a_program_with_a_main_that_does_more_gets_another_name() -> None:
    shared = as_shared_script("def main():\n    return 1\nprint('a')", HEADER)
    assert shared.function == "run"
    assert shared.text == snapshot("""\
# Saved.


def main():
    return 1


def run():
    print('a')
    return main()
""")


def test_loads_stay_at_the_top() -> None:
    shared = as_shared_script('load("scripts/a.star", "f")\nf()', HEADER)
    assert shared.text == snapshot("""\
# Saved.


load("scripts/a.star", "f")


def main():
    return f()
""")


@pytest.mark.parametrize("default", ["def f(x=api.get(1)):\n    return x", "@api.get\ndef f(x):\n    return x"])
def test_a_function_that_calls_where_it_is_defined_goes_into_main(default: str) -> None:
    assert as_shared_script(default, HEADER).text.startswith(f"{HEADER}\n\n\ndef main():\n    ")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "x = = 1",
            snapshot("The program can't be read as Python: invalid syntax (line 1). Write the script by hand."),
        ),
        (
            "x = 1\n  y = 2",
            snapshot("The program can't be read as Python: unexpected indent (line 2). Write the script by hand."),
        ),
        ("", snapshot("The program is empty.")),
        ("# nothing", snapshot("The program is empty.")),
        (
            "n = 0\ndef f():\n    global n\n    n += 1\nf()",
            snapshot("A function of the program sets a global name; write the script by hand."),
        ),
        (
            "def main():\n    pass\ndef run():\n    pass\nprint(1)",
            snapshot("The program defines main and run and does more; write the script by hand."),
        ),
        (
            "x = " + "(" * 5_000,
            snapshot(
                "The program can't be read as Python: too many nested parentheses (line 1). Write the script by hand."
            ),
        ),
        (
            "x = " + "-" * 50_000 + "1",
            snapshot("The program can't be read as Python: it is nested too deeply, or isn't text."),
        ),
    ],
    ids=["syntax", "indentation", "empty", "comments", "global", "names", "brackets", "signs"],
)
def test_what_cant_be_made_one_is_told(code: str, said: str) -> None:
    with pytest.raises(CallerError) as caught:
        as_shared_script(code, HEADER)
    assert caught.value.text == said


LINES = st.sampled_from(
    [
        *("a = 1", "b = api.get(1)", "LIMIT = 3", "def f(x):\n    return x", "# why", "", "a = 2", "c = [1]"),
        *(
            "for i in range(2):\n    api.get(i)",
            "def g():\n    return 5",
            "result = 7",
            "t = '''x\n y'''",
            "(1 +\n  2)",
        ),
    ]
)


@given(st.lists(LINES, min_size=1, max_size=8))
def test_any_program_answers_the_same_as_a_shared_script(lines: list[str]) -> None:
    code = "\n".join([*lines, "result = [1]"])
    direct = Server()
    names: dict[str, Any] = {"api": direct}
    exec(code, names)
    shared, server, function = loaded(code)
    assert server.calls == []
    assert shared[function]() == names["result"]
    assert server.calls == direct.calls
