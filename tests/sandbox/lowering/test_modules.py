"""What an import gives, under whatever name."""

import pytest

from mcp_hub.sandbox import library
from mcp_hub.sandbox.lowering import modules
from tests.sandbox.lowering.interpreter import here


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        ("json", "_py_module_json"),
        ("json.loads", "_py_module_json.loads"),
        ("urllib.parse.quote", "_py_module_urllib.parse.quote"),
        ("itertools.chain.from_iterable", "_py_module_itertools.chain_from_iterable"),
        ("functools.wraps", "_py_wraps"),
        ("typing.Any", "None"),
        ("collections.abc.Mapping", "None"),
        ("json.JSONDecodeError", "None"),
    ],
)
def test_a_standard_name_has_its_expression(dotted: str, value: str) -> None:
    assert modules.value(dotted) == value


@pytest.mark.parametrize("module", sorted(library.MODULES))
def test_every_module_of_the_library_can_be_imported(module: str) -> None:
    assert modules.is_known(module)
    names = sorted(library.MODULES[module])
    assert all(modules.has(module, name) for name in names)
    assert here(f"import {module}\nimport {module} as other\nfrom {module} import {names[0]} as one\nresult = 1") == 1


def test_what_is_not_there_is_not_known() -> None:
    assert not modules.is_known("os")
    assert not modules.has("json", "nothing")
    assert modules.has("typing", "Anything")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("import urllib.parse\nresult = urllib.parse.quote('a b')", "a%20b"),
        ("from urllib.parse import quote\nresult = quote('a b')", "a%20b"),
        ("import urllib.parse as p\nresult = p.quote('a b')", "a%20b"),
        ("import json as datetime\nresult = datetime.dumps([1])", "[1]"),
        ("def f():\n    from math import floor as f\n    return f(1.5)\nresult = f()", 1),
        ("import json\njson = 5\nresult = json", 5),
        ("from asyncio import run\nasync def f():\n    return 1\nresult = run(f())", 1),
        ("result = math.floor(2.5)", 2),
    ],
)
def test_imports_bind_names(code: str, result: object) -> None:
    assert here(code) == result
