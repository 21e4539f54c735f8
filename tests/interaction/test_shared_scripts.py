"""Shared scripts as programs use them: loaded, calling the servers that they name, and refused when they can't be."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.ledger import LedgerHub, ledger_hub, nothing_left

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of shared scripts, beside the servers.toml."""
    made = tmp_path_factory.mktemp("hub") / "shared"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
async def api(folder: Path) -> AsyncIterator[LedgerHub]:
    """A hub with that folder, for all tests of this file."""
    async with ledger_hub(folder.parent, f'[hub]\nscripts = "{folder}"\n') as opened:
        yield opened


async def test_a_script_is_listed_read_loaded_and_calls_the_servers_that_it_names(api: LedgerHub, folder: Path) -> None:
    text = '# Adds texts.\ndef add_all(texts):\n    return [api.add(text=each)["calls"] for each in texts]\n'
    (folder / "adding.star").write_text(text)
    tools = api.hub.meta_tools
    assert "scripts/adding.star  script" in (await tools.answer("listToolFiles", {})).parts[0]
    read = await tools.answer("readToolFile", {"fileName": "scripts/adding.star"})
    assert read.parts[0] == text.rstrip("\n")
    code = 'load("scripts/adding.star", "add_all")\nresult = len(add_all(["script one", "script two"]))'
    assert await api.value(code) == 2
    assert [*api.received("script one"), *api.received("script two")] == ["add script one", "add script two"]


async def test_a_script_may_be_plain_python_and_load_others(api: LedgerHub, folder: Path) -> None:
    (folder / "base.star").write_text("def is_odd(n):\n    return n % 2 is not 0 and 0 < n < 100\n")
    (folder / "upper.star").write_text(
        'load("scripts/base.star", odd = "is_odd")\n'
        "def odds(numbers):\n"
        "    try:\n"
        "        return [n for n in numbers if odd(n)] + [numbers[99]]\n"
        "    except IndexError:\n"
        "        return [n for n in numbers if odd(n)]\n"
    )
    code = 'load("scripts/upper.star", "odds")\nresult = odds(list(range(6)))'
    assert await api.value(code) == [1, 3, 5]


async def test_an_edit_counts_for_the_next_program(api: LedgerHub, folder: Path) -> None:
    code = 'load("scripts/edited.star", "f")\nresult = f()'
    for value in (1, 2):
        (folder / "edited.star").write_text(f"def f():\n    return {value}\n")
        assert await api.value(code) == value


async def test_a_script_that_calls_a_tool_when_it_is_loaded_is_refused(api: LedgerHub, folder: Path) -> None:
    (folder / "eager.star").write_text('def f():\n    return 1\n\nfound = api.add(text="eager")\n')
    done = await api.failed('load("scripts/eager.star", "f")\nresult = f()')
    assert "scripts/eager.star calls api.add when it is loaded; a shared script only defines functions" in done.text
    assert "scripts/eager.star:4" in done.text
    assert api.received("eager") == []


async def test_an_error_in_a_script_names_its_line_and_the_programs(api: LedgerHub, folder: Path) -> None:
    (folder / "faulty.star").write_text("# Divides.\ndef f(n):\n    share = 1 // n\n    return share\n")
    done = await api.failed('load("scripts/faulty.star", "f")\n\nresult = f(0)')
    assert done.text == snapshot("""\
The program failed (script).
Traceback (most recent call last):
  * program:3, in <module>
      result = f(0)
error: Floor division by zero: 1 // 0
 --> scripts/faulty.star:3:13
  |
3 |     share = 1 // n
  |             ^^^^^^
  |
Next: nothing was called, so mend the program and send it again.\
""")


async def test_a_call_that_fails_in_a_script_is_told_like_a_programs_own(api: LedgerHub, folder: Path) -> None:
    (folder / "failing.star").write_text('def f():\n    return api.fail_once(text="in a script")\n')
    done = await api.failed('load("scripts/failing.star", "f")\nresult = f()')
    assert done.text.startswith("The program failed (tool).")
    assert "scripts/failing.star:2" in done.text
    assert '  1. api.fail_once({"text": "in a script"}): failed, as told above' in done.text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("scripts/ading.star", "There is no shared script 'scripts/ading.star'. Did you mean 'scripts/adding.star'"),
        (
            "scripts/../servers.star",
            "A shared script is named like scripts/triage.star, not 'scripts/../servers.star'.",
        ),
        ("scripts/a/b.star", "A shared script is named like scripts/triage.star, not 'scripts/a/b.star'."),
    ],
)
async def test_a_script_that_is_not_there_is_told_and_nothing_runs(
    api: LedgerHub, folder: Path, path: str, said: str
) -> None:
    (folder / "adding.star").write_text("def add_all(texts):\n    return 1\n")
    (folder.parent / "servers.star").write_text("SECRET = 1\n")
    text = await api.answer(code=f'api.add(text="not there")\nload("{path}", "f")')
    assert text.startswith(said)
    assert api.received("not there") == []


@pytest.mark.parametrize("path", ["/etc/passwd", "servers.star", "scripts/adding.py"])
async def test_a_path_that_is_no_scripts_is_never_read(api: LedgerHub, path: str) -> None:
    text = await api.answer(code=f'load("{path}", "f")\nresult = f')
    assert text.startswith(("The program failed", "A shared script is named like", "There is no shared script")), text
    assert "SECRET" not in text
    assert "root:" not in text


async def test_what_a_script_does_not_define_is_told(api: LedgerHub, folder: Path) -> None:
    (folder / "small.star").write_text("def f():\n    return 1\n")
    done = await api.failed('load("scripts/small.star", "g")\nresult = g()')
    assert "g" in done.text
    assert "small.star" in done.text


async def test_a_script_that_does_not_parse_is_told_with_its_line(api: LedgerHub, folder: Path) -> None:
    (folder / "broken.star").write_text("def f():\n    return 1 = 2\n")
    done = await api.failed('load("scripts/broken.star", "f")\nresult = f()')
    assert "scripts/broken.star:2" in done.text
