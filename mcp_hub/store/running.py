"""Which hubs are being served over HTTP on this machine, for hubs that attach: a small file each.

The file holds the hub's own secret, so only its user may read it, and it goes when the hub ends.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER_NAME = "running"


@dataclass(frozen=True)
class RunningHub:
    """A hub that is served over HTTP."""

    pid: int
    url: str
    secret: str
    fingerprint: str
    """Of its configuration: only a hub with the same may attach."""


class RunningHubs:
    """The records in one user's state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER_NAME

    def find(self, fingerprint: str) -> RunningHub | None:
        """A hub of this configuration that is running; records of hubs that have gone are removed."""
        for path in sorted(self._folder.glob("*.json")):
            hub = _read(path)
            if hub is None or not _alive(hub.pid):
                with contextlib.suppress(OSError):
                    path.unlink()
            elif hub.fingerprint == fingerprint:
                return hub
        return None

    def write(self, hub: RunningHub) -> None:
        """Record a hub, in place of what was recorded of its process. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path(hub.pid).with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(asdict(hub)))
        fresh.replace(self._path(hub.pid))

    def remove(self, pid: int) -> None:
        """Forget a hub that ends."""
        with contextlib.suppress(OSError):
            self._path(pid).unlink()

    def _path(self, pid: int) -> Path:
        return self._folder / f"{pid}.json"


def _read(path: Path) -> RunningHub | None:
    try:
        hub = RunningHub(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    kinds = [type(value) for value in asdict(hub).values()]
    return hub if kinds == [int, str, str, str] else None


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
