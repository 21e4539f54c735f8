"""The hostile programs: read from the files beside this one, each with what must come of it.

A file holds programs that a line `---` separates. The first line of each is a comment that says how it ends:
`# ok: JSON` with its result, or `# error: KIND|KIND`, where a kind is a ScriptError's, or a limit's name after `limit`.
A second line `# source: EXPRESSION` stands for a program that is too large or too odd to be written out; the
expression is Python's, and its value the program.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

SEPARATOR = "\n---\n"


@dataclass(frozen=True)
class Program:
    """A program and its expected end."""

    name: str
    """The file's name, and the line on which the program starts."""
    code: str
    kinds: frozenset[str]
    """How it may fail: kinds of ScriptError, names of limits; empty for a program that succeeds."""
    result: Any
    """What it answers, if it succeeds."""


def groups() -> list[str]:
    """The files' names, without the extension."""
    return sorted(path.stem for path in FOLDER.glob("*.star"))


def read(group: str) -> list[Program]:
    """The programs of a file. Raises ValueError for one that doesn't say how it ends."""
    return list(_programs(group, (FOLDER / f"{group}.star").read_text()))


def _programs(group: str, text: str) -> Iterator[Program]:
    line = 1
    for part in text.split(SEPARATOR):
        name = f"{group}:{line}"
        line += part.count("\n") + SEPARATOR.count("\n")
        expected = re.match(r"# (ok|error): (.+)", part)
        if expected is None:
            raise ValueError(f"{name} doesn't say how it ends")
        source = re.match(r".*\n# source: (.+)", part)
        code = str(eval(source[1])) if source else part
        if expected[1] == "ok":
            yield Program(name, code, frozenset(), json.loads(expected[2]))
        else:
            kinds = frozenset(kind.removeprefix("limit ") for kind in expected[2].split("|"))
            yield Program(name, code, kinds, None)
