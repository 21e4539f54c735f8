"""Which project files a person has trusted: path -> hash of the content, in one JSON file.

A servers.toml that is merely found starts commands on this machine, so it counts only after `mcp_hub trust`
(issue 1). It is read before the first answer, which is why it isn't in the database.
"""

import hashlib
import json
import os
from pathlib import Path

FILE_NAME = "trusted.json"


class TrustStore:
    """The trusted files of one user."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def trusts(self, path: Path, content: bytes) -> bool | None:
        """True: trusted as it is; False: trusted once, changed since; None: never trusted."""
        recorded = self._read().get(_place(path))
        return None if recorded is None else recorded == _digest(content)

    def trust(self, path: Path, content: bytes) -> None:
        """Record `content` as what `path` may hold. Raises OSError when the file can't be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        recorded = {**self._read(), _place(path): _digest(content)}
        fresh = self.path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(recorded, indent=1, sort_keys=True))
        fresh.replace(self.path)

    def _read(self) -> dict[str, str]:
        try:
            recorded = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return {}  # a damaged file trusts nothing
        return recorded if isinstance(recorded, dict) else {}


def _place(path: Path) -> str:
    """Where a file is found. A link isn't followed: what relative paths in it mean depends on where it lies."""
    return str(path.parent.resolve() / path.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
