"""A whole program: its top level, and the ways in which it ends."""

import pytest
from inline_snapshot import snapshot

from tests.sandbox.lowering.interpreter import here, lowered, programs, same, value_of, within_function

PROGRAMS = programs("program")


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_what_it_means_in_python(title: str) -> None:
    same(PROGRAMS[title])


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_the_same_in_a_function(title: str) -> None:
    if "global" not in title and "__future__" not in PROGRAMS[title] and "'''" not in PROGRAMS[title]:
        same(within_function(PROGRAMS[title]))


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("result = 1\nif result:\n    return\nresult = 2", 1),
        ("for x in [1, 2]:\n    if x == 2:\n        result = x\n        return\nresult = 9", 2),
        ("def f():\n    return later\nlater = 3\nresult = f()\nreturn", 3),
        ("import sys\nresult = 1\nif result:\n    sys.exit()\nresult = 2", 1),
        ("result = 1\nexit(0)\nresult = 2", 1),
        ("result = 1\nwhile True:\n    result += 1\n    if result > 3:\n        raise SystemExit\n", 4),
        ("n = 0\ndef add():\n    global n\n    n += 1\nadd()\nresult = n\nif n:\n    return", 1),
    ],
)
def test_a_program_that_ends_early_answers_what_result_is_then(code: str, result: int) -> None:
    assert here(code) == result


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("x = 1\nif x:\n    return 5", 5),
        ("if False:\n    return\n[1, 2]", [1, 2]),
        ("def main():\n    return 4\nmain()", 4),
        ("import asyncio\nasync def f():\n    return 3\nasyncio.run(f())", 3),
        ("def f():\n    return 2\nif __name__ == '__main__':\n    f()", 2),
        ("import sys\ndef main():\n    return 7\nsys.exit(main())", 7),
    ],
)
def test_the_last_expression_is_still_the_programs_value(code: str, value: object) -> None:
    assert value_of(lowered(code).code) == value


def test_what_is_defined_is_there_after_a_program_that_returned() -> None:
    code = lowered("def main():\n    return 5\nif main is None:\n    return").code
    assert value_of(code + "main()\n") == 5


def test_a_shared_script_is_loaded_at_the_top_level() -> None:
    code = lowered('load("scripts/a.star", "a")\nif a():\n    return 1\n').code
    assert code.startswith('load("scripts/a.star", "a")\n')


def test_an_import_of_a_servers_name_leaves_the_server() -> None:
    code = lowered("import server\nfrom server import issues\nresult = server.sort(server.format())").code
    assert code == snapshot("result = server.sort(server.format())\n")


def test_a_lowered_program() -> None:
    code = """\
import json
from collections import defaultdict

LIMIT = 2 ** 3

def total(rows: list[dict], *, key: str = "n") -> int:
    count = 0
    for row in rows:
        if key not in row or row[key] is None:
            continue
        count += row[key] > 0
    return count

groups = defaultdict(list)
page = 1
while True:
    batch = server.list(page=page)
    for item in batch:
        groups[item["kind"]].append(item)
    if len(batch) < LIMIT:
        break
    page += 1

try:
    extra = json.loads(server.text(id=page))
except KeyError as e:
    extra = {"error": str(e)}

first, *others = sorted(groups)
result = {
    "text": f"{first!r}: {len(others):>3}",
    **extra,
    "any": any(total(rows) for rows in groups.values()),
}
"""
    told = lowered(code)
    assert "\n".join(
        f"{number:2} {line}" for number, line in zip(told.lines, told.code.splitlines(), strict=True)
    ) == snapshot("""\
 1 _py_module_json = json
 4 LIMIT = _py_pow(2, 3)
 6 def total(rows, *, key = "n"):
 7     count = 0
 8     for row in rows:
 9         if key not in row or row[key] == None:
10             continue
11         count += _py_native_int(row[key] > 0)
12     return count
14 groups = _py_native_dict()
15 page = 1
16 for _py_round1 in _py_forever:
17     batch = server.list(page = page)
18     for item in batch:
19         groups.setdefault(item["kind"], []).append(item)
20     if len(batch) < LIMIT:
21         break
22     page += 1
24 _py_error2 = _py_try()
24 if _py_error2 == None:
25     extra = _py_module_json.loads(server.text(id = page))
25     _commit()
26 elif _py_error2["type"] in ["KeyError"]:
26     e = _py_error2["message"]
27     extra = {"error": _py_error2["message"]}
25 else:
25     _py_reraise(_py_error2)
29 (first, others) = _py_unpacked(sorted(groups), 1, 0)
30 result = ({
31 "text": _py_repr(first) + ": " + _py_format(len(others), ">3")} | _py_native_dict(
32 extra) | {
33 "any": _py_any(groups.values(), lambda rows: True, lambda rows: total(rows))})\
""")
