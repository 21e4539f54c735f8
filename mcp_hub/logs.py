"""Sends what the hub and the proxy log to stderr and to a file; never to stdout, which belongs to the protocol."""

import logging
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mcp_hub.folders import STATE_VARIABLE, Folders

logger = logging.getLogger(__name__)

LOG_BYTES = 1_000_000
"""Size at which the log begins anew; one older file is kept."""


def log_to(where: Folders, level: str) -> None:
    """Log from here on; `level` is what stderr is told from, the file has INFO too."""
    console = logging.StreamHandler()
    console.setFormatter(logging.Formatter("mcp_hub: %(message)s"))
    console.setLevel(level)
    handlers: list[logging.Handler] = [console]
    problem: OSError | None = None
    try:
        where.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = _PrivateFile(where.logs / "hub.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        handlers.append(file)
    except OSError as error:
        problem = error
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("mcp_hub").setLevel(logging.DEBUG if level == "DEBUG" else logging.INFO)
    if problem is not None:
        logger.warning("no log file can be written in %s (%s); set %s", where.logs, problem.strerror, STATE_VARIABLE)


class _PrivateFile(RotatingFileHandler):
    """Every file that it begins is for its user only."""

    def _open(self) -> TextIOWrapper:
        opened = super()._open()
        Path(self.baseFilename).chmod(0o600)
        return opened
