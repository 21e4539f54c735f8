"""Real git repositories for tests, and a git on a PATH of their own that they can watch and hold up."""

import os
import shutil
import subprocess
from pathlib import Path

GIT = shutil.which("git") or "git"

_ENVIRONMENT = {
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": os.environ["PATH"],
}


class Repository:
    """A repository with one commit of the file a.txt, on the branch main."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("a.txt", "one\n")
        self.commit()

    def git(self, *arguments: str, check: bool = True, **environment: str) -> str:
        """What git writes; it finds nobody's configuration but the repository's."""
        done = subprocess.run(
            [GIT, *arguments],
            cwd=self.folder,
            env=_ENVIRONMENT | environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file, in a folder that is made if need be."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "A change")

    def configure(self, **settings: str) -> None:
        """Settings of the repository's own, dots written as two underscores."""
        for name, value in settings.items():
            self.git("config", name.replace("__", "."), value)


def watched_git(folder: Path, before: str = "") -> tuple[Path, dict[str, str]]:
    """A log of what each git was asked, and the environment in which it is found.

    `before` is what its script does first; $* are its arguments.
    """
    folder.mkdir()
    log = folder / "log"
    program = folder / "git"
    program.write_text(f'#!/bin/sh\necho "$*" >> {log}\n{before}\nexec {GIT} "$@"\n')
    program.chmod(0o755)
    return log, {"PATH": f"{folder}:{os.environ['PATH']}"}
