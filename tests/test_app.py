"""The composition root: folders, instructions, logs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_hub import app
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.settings import ServerSettings, Settings


def loaded(**descriptions: str | None) -> Loaded:
    servers = {name: ServerSettings(command=("x",), description=text) for name, text in descriptions.items()}
    return Loaded(Settings(servers=servers), ())


def test_a_hub_without_a_catalog_of_its_own_names_the_servers() -> None:
    assert app.servers_only(loaded(github="Code and issues", json=None)).splitlines()[1:] == [
        "- github: Code and issues",
        "- json_",
    ]


def test_a_server_that_is_switched_off_is_nowhere() -> None:
    settings = Settings(servers={"a": ServerSettings(command=("x",), enabled=False)})
    assert app.enabled(Loaded(settings, ())) == {}
    assert "- a" not in app.servers_only(Loaded(settings, ()))


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
    app.log_to(Folders(tmp_path, tmp_path), "WARNING")
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
