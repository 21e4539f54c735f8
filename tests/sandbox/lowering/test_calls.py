"""Calls of builtins, of methods that Starlark lacks, and of collections."""

import pytest

from tests.sandbox.lowering.interpreter import programs, same, within_function

PROGRAMS = programs("calls")


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_what_it_means_in_python(title: str) -> None:
    same(PROGRAMS[title])


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_means_the_same_in_a_function(title: str) -> None:
    if "global" not in title and "__future__" not in PROGRAMS[title] and "'''" not in PROGRAMS[title]:
        same(within_function(PROGRAMS[title]))
