"""The group of all commands: each is there and explains itself, its examples can be typed, shells complete it."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mcp_hub.cli import main
from tests.cli.commands import BARE, mcp_hub
from tests.cli.running import wrong
from tests.support import PATIENCE

INSTALLED = Path(sys.executable).with_name("mcp_hub")

Words = tuple[str, ...]


def walk(command: click.Command, words: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """A command and all below it, with the words that call each."""
    yield words, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from walk(each, (*words, name))


ALL = dict(walk(main))
LEAVES = [words for words, command in ALL.items() if not isinstance(command, click.Group)]
GROUPS = [
    words for words, command in ALL.items() if isinstance(command, click.Group) and not command.invoke_without_command
]


def examples(command: click.Command) -> list[list[str]]:
    """The arguments of each `mcp_hub ...` in a command's examples."""
    lines = (command.help or "").partition("Example:")[2].splitlines()
    found = []
    for line in filter(str.strip, lines):
        words = shlex.split(line)
        last = len(words) - words[::-1].index("mcp_hub")
        end = next((at for at, word in enumerate(words) if at > last and word in ("|", ">", ">>")), None)
        found.append(words[last:end])
    return found


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_shows_its_help(words: Words, empty: Path) -> None:
    done = mcp_hub(*words, "--help", cwd=empty)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(" ".join(("Usage: mcp_hub", *words)))
    assert done.stdout == mcp_hub(*words, "-h", cwd=empty).stdout
    assert words not in LEAVES or "Example:" in done.stdout


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_example_is_a_command_line_that_click_takes(words: Words) -> None:
    shown = examples(ALL[words])
    assert shown
    for arguments in shown:
        command: click.Command = main
        context = main.make_context("mcp_hub", list(arguments))
        while isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            name, found, rest = command.resolve_command(context, rest)
            assert name is not None
            assert found is not None
            command, context = found, found.make_context(name, rest, parent=context)
        assert command is ALL[words], arguments


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_group_alone_shows_its_commands_and_is_status_2(words: Words, empty: Path) -> None:
    done = mcp_hub(*words, cwd=empty)
    assert done.returncode == 2
    group = ALL[words]
    assert isinstance(group, click.Group)
    assert all(f"  {name} " in done.stdout + done.stderr for name in group.commands)


def test_a_command_that_is_not_there_is_status_2(empty: Path) -> None:
    done = mcp_hub("nonsense", cwd=empty)
    assert (done.returncode, wrong(done)) == (2, "No such command 'nonsense'.")


def test_the_installed_command_and_the_module_are_the_same(empty: Path) -> None:
    installed = subprocess.run(
        [INSTALLED, "--version"], cwd=empty, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert mcp_hub("--version", cwd=empty).stdout == installed.stdout


class TestCompletion:
    def test_a_shell_that_is_not_known_is_refused(self, empty: Path) -> None:
        done = mcp_hub("completion", "tcsh", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert "'tcsh' is not one of 'bash', 'zsh', 'fish'." in wrong(done)

    @pytest.mark.usefixtures("state")
    def test_the_script_completes_in_bash(self, tmp_path: Path) -> None:
        (tmp_path / "servers.toml").write_text(BARE % "github" + BARE % "gitlab" + BARE % "notes")
        (tmp_path / "completion.bash").write_text(mcp_hub("completion", "bash", cwd=tmp_path).stdout)

        def completed(*words: str) -> list[str]:
            typed = " ".join(shlex.quote(word) for word in words)
            script = (
                f"source completion.bash; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
                '_mcp_hub_completion mcp_hub; printf "%s\\n" "${COMPREPLY[@]}"'
            )
            path = f"{INSTALLED.parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "--norc", "-c", script],
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=True,
            )
            assert done.stderr == ""
            return done.stdout.split()

        assert completed("mcp_hub", "logs", "git") == ["github", "gitlab"]
        assert completed("mcp_hub", "dis") == ["disable"]
        assert "--follow" in completed("mcp_hub", "logs", "--f")
