"""The shared scripts of a team: files in the folder that `[hub] scripts` names, which programs load.

Reads the folder anew each time: a person's edit counts at once. Nothing here writes; `mcp_hub runs save` does, by a
person's hand.
"""

import re
from pathlib import Path

from mcp_hub.errors import CallerError

PREFIX, SUFFIX = "scripts/", ".star"

NAME = re.compile(r"scripts/[A-Za-z_][A-Za-z0-9_-]{0,63}\.star")
LOAD = re.compile(r"\bload\(\s*[\"'](scripts/[^\"']+)[\"']")
FUNCTION = re.compile(r"^def ([A-Za-z]\w*)\(", re.MULTILINE)

SCRIPT_BYTES = 262_144
"""Largest script that is read."""

LOADED = 50
"""Scripts that one program may load, with those that they load."""

FUNCTIONS = 8
"""Functions of a script that a list names."""


class SharedScripts:
    """The scripts in one folder; none when there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def listed(self) -> list[tuple[str, str]]:
        """Each script's path, as `load` and readToolFile spell it, with its functions and its first comment."""
        return [(path, self._purpose(path)) for path in self._paths()]

    def text(self, path: str) -> str:
        """A script's text. Raises CallerError."""
        if self._folder is None:
            raise CallerError(f"There is no {path}: no folder of shared scripts is set ([hub] scripts).")
        if not NAME.fullmatch(path):
            raise CallerError(f"A shared script is named like scripts/triage.star, not {path!r}.")
        file = self._folder / path.removeprefix(PREFIX)
        try:
            if file.stat().st_size > SCRIPT_BYTES:
                raise CallerError(f"{path} is larger than {SCRIPT_BYTES:,} bytes, so it isn't read.")
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise CallerError.unknown("shared script", path, self._paths(), "listToolFiles lists all.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise CallerError(f"{path} can't be read: {error}.") from None

    def needed(self, code: str) -> dict[str, str]:
        """The scripts that a program loads, and those that they load: path -> text. Raises CallerError."""
        found: dict[str, str] = {}
        waiting = LOAD.findall(code)
        while waiting:
            path = waiting.pop()
            if path in found:
                continue
            if len(found) == LOADED:
                raise CallerError(f"The program loads more than {LOADED} shared scripts.")
            found[path] = self.text(path)
            waiting += LOAD.findall(found[path])
        return found

    def _purpose(self, path: str) -> str:
        try:
            return _purpose(self.text(path))
        except CallerError as error:
            return error.text

    def _paths(self) -> list[str]:
        if self._folder is None or not self._folder.is_dir():
            return []
        paths = (f"{PREFIX}{file.name}" for file in self._folder.iterdir())
        return sorted(path for path in paths if NAME.fullmatch(path))


def _purpose(text: str) -> str:
    comment = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    names = FUNCTION.findall(text)
    shown = ", ".join(names[:FUNCTIONS]) + (f", {len(names) - FUNCTIONS} more" if len(names) > FUNCTIONS else "")
    return f"{shown}{': ' if shown and comment else ''}{comment}"
