"""Spellings of names in programs; their properties over arbitrary names are in tests/hub/test_catalog.py."""

import pytest

from mcp_hub.names import BUILTINS, CHARACTERS, identifier, server_identifier, spellings
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("list_issues", "list_issues"),
        ("listIssues", "listIssues"),
        ("API-post-search", "API_post_search"),
        ("a.b", "a_b"),
        ("2fa", "_2fa"),
        ("from", "from_"),
        ("load", "load_"),
        ("Grüße", "Gr__e"),
        ("---", "unnamed_3"),
        ("", "unnamed"),
    ],
)
def test_a_name_is_spelt_so_that_a_program_can_write_it(name: str, spelled: str) -> None:
    assert identifier(name) == spelled


def test_names_that_collide_get_numbers_in_alphabetical_order() -> None:
    names = ["a_b", "a-b", "a.b"]
    assert spellings(names) == spellings(reversed(names)) == {"a_b": "a_b", "a-b": "a_b_2", "a.b": "a_b_3"}


def test_a_very_long_name_is_spelt_short_and_still_its_own() -> None:
    names = ["n" * 50_000, "n" * 50_001, "n" * CHARACTERS, "7" * 50_000]
    spelled = spellings(names)
    assert [spelled[name] for name in names] == [
        f"{'n' * (CHARACTERS - 2)}_2",
        f"{'n' * (CHARACTERS - 2)}_3",
        "n" * CHARACTERS,
        f"_{'7' * (CHARACTERS - 1)}",
    ]
    assert all(identifier(each) == each for each in spelled.values())


def test_a_server_never_hides_what_programs_find_defined() -> None:
    assert {name: server_identifier(name) for name in ("json", "time")} == {"json": "json_", "time": "time"}


@pytest.mark.anyio
async def test_everything_that_is_reserved_is_there_in_a_program() -> None:
    async def no_call(server: str, tool: str, args: list[object], kwargs: dict[str, object]) -> None: ...

    async with Pool(Limits()) as pool:
        run = await pool.run(Job("\n".join(f"x = {name}" for name in sorted(BUILTINS)), {}), no_call)
    assert run.error is None, run.error.text
