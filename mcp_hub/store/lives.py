"""Which processes that share the database still live, by a lock that each holds on a file of its own.

The system lets go of a lock when its process ends, however it ends. A number of a process comes again, is another one
in a container, stays while nobody has reaped it, and its time of start moves with the clock: none of that tells.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

FOLDER_NAME = "lives"


class Lives:
    """The lives in one user's state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER_NAME

    def begin(self) -> "Life":
        """A life of this process, whose name no other ever has. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = secrets.token_hex(16)
        before = self._folder / f".{name}"
        descriptor = os.open(before, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        path = before.rename(self._folder / name)  # whoever sees it under its name finds it locked
        return Life(name, path, descriptor)

    def sweep(self) -> None:
        """Remove the files of lives that have ended."""
        for path in self._folder.glob("[!.]*"):
            self.has(path.name)

    def has(self, name: str) -> bool:
        """Whether the life of that name goes on. The file of one that ended is removed."""
        path = self._folder / name
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:  # no descriptors are left, say: nothing is known, and what lives may not be settled by others
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            with contextlib.suppress(OSError):
                path.unlink()
            return False
        finally:
            os.close(descriptor)


class Life:
    """A life that goes on until it is closed, or until the process ends."""

    def __init__(self, name: str, path: Path, descriptor: int) -> None:
        self.name = name
        self._path = path
        self._descriptor = descriptor

    def close(self) -> None:
        """End it; what is open in its name is anyone's to settle."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
