"""What the commands share, and the group itself: help, completion, every command run by a test."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mcp_hub import __version__
from mcp_hub.cli import main
from mcp_hub.cli.shared import split_tool
from tests.cli.commands import BARE, mcp_hub
from tests.support import PATIENCE, ROOT


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = list(commands(main))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_that_it_takes(words: tuple[str, ...]) -> None:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    text = command.get_help(click.Context(command, info_name=" ".join(words)))
    example = text.partition("Example:")[2].partition("Options:")[0]
    assert f"mcp_hub {' '.join(words)}" in example
    known = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    used = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", re.sub(r" -- .*", "", example)))
    assert used <= known | {"-hex"}, "openssl rand has that one"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_run_by_a_test(words: tuple[str, ...]) -> None:
    typed = ", ".join(f'"{word}"' for word in words)
    folder = ROOT / "tests"
    sources = [path.read_text() for path in (*folder.glob("cli/test_*.py"), folder / "support.py")]
    assert any(re.search(rf"[(\[]\s*(\"mcp_hub\", )?{typed}[,)\]]", text) for text in sources)


@pytest.mark.usefixtures("state")
def test_the_version_is_the_packages(empty: Path) -> None:
    assert mcp_hub("--version", cwd=empty).stdout == f"mcp_hub, version {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(empty: Path, shell: str) -> None:
    done = mcp_hub("completion", shell, cwd=empty)
    assert done.returncode == 0
    assert f"_MCP_HUB_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("words", ["logs ", "remove ", "call "])
def test_server_names_are_completed_whether_or_not_their_file_is_trusted(tmp_path: Path, words: str) -> None:
    (tmp_path / "servers.toml").write_text((BARE % "github") + (BARE % "gitlab") + (BARE % "notes"))
    environment = {
        **os.environ,
        "_MCP_HUB_COMPLETE": "bash_complete",
        "COMP_WORDS": f"mcp_hub {words}git",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "mcp_hub")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.splitlines() == ["plain,github", "plain,gitlab"]


def test_a_tool_is_a_server_and_a_name() -> None:
    assert split_tool("github.list.all") == ("github", "list.all")
    for text in ("github", "github.", ".list", ""):
        with pytest.raises(click.BadParameter, match=r"must be SERVER\.TOOL"):
            split_tool(text)
