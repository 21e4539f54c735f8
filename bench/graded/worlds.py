"""The folder that the servers work in: made anew for each run, in place, so that the servers stay up.

Owns everything in it but what a running server holds open (DuckDB's file) or needs to start (KEPT). All servers are
started with it as their working directory, so tasks name relative paths.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT = ("kubeconfig", "t.duckdb", "t.duckdb.wal")

DATABASE, REPOSITORY, MEMORY, FILES = "test.db", "repo", "memory.jsonl", "files"
"""Where the SQLite, git and memory servers keep theirs, and where tasks put files."""

GIT_WAIT = 30.0
"""Seconds for one git command on a repository of a few files."""

_GIT_ENV = {
    "GIT_AUTHOR_NAME": "Ada Park",
    "GIT_AUTHOR_EMAIL": "ada@example.invalid",
    "GIT_COMMITTER_NAME": "Ada Park",
    "GIT_COMMITTER_EMAIL": "ada@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

Entity = Mapping[str, Any]
Relation = tuple[str, str, str]


@dataclass(frozen=True)
class World:
    """The servers' working directory."""

    root: Path

    def reset(self) -> None:
        """Empty it, and put an empty repository with one commit and an empty folder of files there."""
        self.root.mkdir(parents=True, exist_ok=True)
        for path in self.root.iterdir():
            if path.name in KEPT:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        (self.root / FILES).mkdir()
        (self.root / MEMORY).touch()
        sqlite3.connect(self.root / DATABASE).close()
        (self.root / REPOSITORY).mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit({"README.md": "A repository.\n"}, "First", day=1)

    def write(self, path: str, text: str) -> None:
        """Write a file; its folders are made."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def text(self, path: str) -> str | None:
        """A file's text; None if there is none."""
        file = self.root / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def git(self, *arguments: str, day: int = 1, author: str = "Ada Park") -> str:
        """What git prints in the repository, run on that day of January 2026. Raises CalledProcessError."""
        at = f"2026-01-{day:02} 12:00:00 +0000"
        dated = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_NAME": author}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root / REPOSITORY,
            env={**os.environ, **_GIT_ENV, **dated},
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_WAIT,
        )
        return done.stdout

    def commit(self, files: Mapping[str, str], message: str, *, day: int, author: str = "Ada Park") -> None:
        """Write files, by their paths in the repository, and commit all that changed."""
        for path, text in files.items():
            self.write(f"{REPOSITORY}/{path}", text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, day=day, author=author)

    def script(self, sql: str) -> None:
        """Run SQL statements on the SQLite database."""
        connection = sqlite3.connect(self.root / DATABASE)
        try:
            connection.executescript(sql)
        finally:
            connection.close()

    def insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows to a table of the SQLite database."""
        every = [tuple(row) for row in rows]
        places = ", ".join("?" * len(every[0]))
        connection = sqlite3.connect(self.root / DATABASE)
        try:
            with connection:
                connection.executemany(f"INSERT INTO {table} VALUES ({places})", every)
        finally:
            connection.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the SQLite database."""
        connection = sqlite3.connect(self.root / DATABASE)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def remember(self, entities: Iterable[Entity], relations: Iterable[Relation] = ()) -> None:
        """Fill the memory server's graph: entities with name, entityType, observations; (from, relationType, to)."""
        lines = [json.dumps({"type": "entity", **entity}) for entity in entities]
        lines += [
            json.dumps({"type": "relation", "from": start, "relationType": kind, "to": end})
            for start, kind, end in relations
        ]
        self.write(MEMORY, "\n".join(lines))

    def remembered(self) -> tuple[list[dict[str, Any]], list[Relation]]:
        """The memory server's graph as it stands: entities, and relations as (from, relationType, to)."""
        entities, relations = [], []
        for line in (self.text(MEMORY) or "").splitlines():
            if not line.strip():
                continue
            item = json.loads(line)
            if item.pop("type") == "entity":
                entities.append(item)
            else:
                relations.append((item["from"], item["relationType"], item["to"]))
        return entities, relations
