"""Logs: to a file and stderr, and never to stdout."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_hub.folders import Folders
from mcp_hub.logs import log_to


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("mcp_hub").level
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = before[0], before[1]
    logging.getLogger("mcp_hub").setLevel(before[2])


def test_logs_go_to_a_file_and_stderr_and_never_to_stdout(
    tmp_path: Path, root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    log_to(Folders(tmp_path, tmp_path), "WARNING")
    logging.getLogger("mcp_hub.hub").info("quiet")
    logging.getLogger("mcp_hub.hub").warning("loud")
    logging.getLogger("httpx2").info("HTTP Request: POST a URL that may hold a token")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == "mcp_hub: loud\n"
    kept = (tmp_path / "logs" / "hub.log").read_text()
    assert "quiet" in kept
    assert "loud" in kept
    assert "token" not in kept
