"""Logs: to a file and stderr, and never to stdout."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_hub import logs as module
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


def test_every_log_file_is_for_its_user_only_also_after_one_was_full(
    tmp_path: Path, root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 200)
    log_to(Folders(tmp_path, tmp_path), "ERROR")
    for number in range(10):
        logging.getLogger("mcp_hub.hub").warning("line %s of what fills a file", number)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "logs").iterdir()}
    assert modes == {"hub.log": 0o600, "hub.log.1": 0o600}
