"""Which errors an except clause catches, by their names."""

import builtins

import pytest

from mcp_hub.sandbox.lowering.exceptions import BASES, DIRECT, EVERYTHING, caught_by


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("KeyError", {"KeyError"}),
        ("LookupError", {"LookupError", "KeyError", "IndexError"}),
        ("Own", {"Own", "Narrower"}),
        ("Narrower", {"Narrower"}),
    ],
)
def test_a_class_catches_itself_and_what_derives_from_it(name: str, types: set[str]) -> None:
    assert caught_by(name, {"Own": "Exception", "Narrower": "Own"}) == frozenset(types)


def test_a_class_of_the_programs_is_caught_by_its_base() -> None:
    assert caught_by("ValueError", {"Own": "ValueError"}) is not None
    assert "Own" in (caught_by("ValueError", {"Own": "ValueError"}) or ())


@pytest.mark.parametrize("name", [*sorted(EVERYTHING), "ToolError", "HTTPError"])
def test_a_class_that_may_stand_for_a_failed_call_catches_all(name: str) -> None:
    assert caught_by(name, {}) is None


@pytest.mark.parametrize("name", sorted(DIRECT | set(BASES)))
def test_the_table_says_what_python_says(name: str) -> None:
    known = getattr(builtins, name, None)
    if known is not None and name != "StopAsyncIteration":
        base = BASES.get(name, "Exception")
        assert issubclass(known, getattr(builtins, base))


def test_classes_that_name_each_other_end() -> None:
    assert caught_by("A", {"A": "B", "B": "A"}) == frozenset({"A", "B"})
