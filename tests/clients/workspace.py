"""What the real servers work on, and what a program over them must answer.

A folder of text files with amounts, a git repository whose commits each name one of the files, and an empty
memory. The amounts and the choice of files are new in each run, so a right answer can't come from elsewhere.
"""

import json
import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.installs import Installed

SERVER_NAMES = ("filesystem", "git", "memory")
FRUITS = ("apples", "cherries", "lemons", "pears", "plums", "quinces")
COMMITS = 5
LINES = 4
GIT_SECONDS = 30.0

UNKNOWN_TOOL = "git_lgo"
NEAREST_TOOL = "git_log"


@dataclass(frozen=True)
class Workspace:
    """One run's folder and the answer that its data leads to."""

    folder: Path
    servers_file: Path
    commands: dict[str, tuple[list[str], dict[str, str]]]
    expected: dict[str, int]
    """For each file that a commit names: what its amounts add up to."""

    @property
    def repository(self) -> Path:
        return self.folder / "repo"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def memory_file(self) -> Path:
        return self.folder / "memory.jsonl"

    @property
    def join_program(self) -> str:
        """git's log joined with the files that it names, the sums stored in memory and read back."""
        return f"""\
log = git.git_log(repo_path={json.dumps(str(self.repository))}, max_count={COMMITS})
listing = filesystem.list_directory(path={json.dumps(str(self.files))})
totals = {{}}
for line in log.splitlines():
    if not line.startswith("Message: Count "):
        continue
    name = line.split(" ")[-1]
    if name not in listing["content"]:
        fail("no such file: " + name)
    text = filesystem.read_text_file(path={json.dumps(str(self.files))} + "/" + name)["content"]
    totals[name] = sum([int(amount.split(" ")[-1]) for amount in text.splitlines()])
memory.create_entities(entities=[
    {{"name": name, "entityType": "stock", "observations": [str(total)]}}
    for name, total in totals.items()
])
graph = memory.read_graph()
result = {{entity["name"]: int(entity["observations"][0]) for entity in graph["entities"]}}
"""

    @property
    def unknown_tool_program(self) -> str:
        return f"result = git.{UNKNOWN_TOOL}(repo_path={json.dumps(str(self.repository))})\n"

    @property
    def remembered(self) -> dict[str, int]:
        """What the memory server wrote to its file."""
        if not self.memory_file.exists():
            return {}
        entries = [json.loads(line) for line in self.memory_file.read_text().splitlines()]
        return {entry["name"]: int(entry["observations"][0]) for entry in entries if entry["type"] == "entity"}

    def forget(self) -> None:
        """Empty the memory, for another client."""
        self.memory_file.unlink(missing_ok=True)


def make_workspace(folder: Path, installed: Installed) -> Workspace:
    """Fill `folder` and write the servers.toml that names the three servers."""
    chosen = random.Random()
    files, repository = folder / "files", folder / "repo"
    files.mkdir()
    repository.mkdir()
    amounts = {f"{fruit}.txt": [chosen.randrange(1_000, 1_000_000) for _ in range(LINES)] for fruit in FRUITS}
    for name, numbers in amounts.items():
        (files / name).write_text("".join(f"crate {n}: {number}\n" for n, number in enumerate(numbers, 1)))
    named = chosen.sample(sorted(amounts), COMMITS)
    _git(repository, "init", "--quiet")
    for name in ("an older one", *named):
        _git(repository, "commit", "--quiet", "--allow-empty", "--message", f"Count {name}")
    commands = {
        "filesystem": ([str(installed.filesystem), str(files)], {}),
        "memory": ([str(installed.memory)], {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")}),
        "git": ([str(installed.git), "--repository", str(repository)], {}),
    }
    servers_file = folder / "servers.toml"
    servers_file.write_text("".join(_table(name, *command) for name, command in commands.items()))
    return Workspace(
        folder=folder,
        servers_file=servers_file,
        commands=commands,
        expected={name: sum(amounts[name]) for name in named},
    )


def _table(name: str, command: list[str], env: dict[str, str]) -> str:
    lines = [f"[servers.{name}]", f"command = {json.dumps(command)}"]
    if env:
        lines.append(f"env = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in env.items())} }}")
    return "\n".join(lines) + "\n\n"


def _git(repository: Path, *arguments: str) -> None:
    identity = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    own: dict[str, Any] = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **identity}
    subprocess.run(
        ["git", "-C", str(repository), *arguments],
        stdin=subprocess.DEVNULL,
        env={**os.environ, **own},
        timeout=GIT_SECONDS,
        check=True,
    )
