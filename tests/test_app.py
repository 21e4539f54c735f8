"""The composition root: folders, instructions, logs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from mcp_hub import app
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.settings import ServerSettings, Settings


def loaded(**descriptions: str | None) -> Loaded:
    servers = {name: ServerSettings(command=("x",), description=text) for name, text in descriptions.items()}
    return Loaded(Settings(servers=servers), ())


def test_instructions_name_the_way_to_work_and_the_servers() -> None:
    assert app.instructions(loaded(github="Code and issues", time=None)) == snapshot("""\
Many MCP servers behind four tools. Find signatures with listToolFiles(query) or readToolFile, then do the whole \
task in one program with executeToolCode. Servers:
- github: Code and issues
- time\
""")


def test_instructions_of_many_servers_fit_what_clients_show() -> None:
    text = app.instructions(loaded(**{f"server_{number}": "x" * 80 for number in range(500)}))
    assert len(text) <= app.INSTRUCTION_CHARACTERS
    shown = text.count("- server_")
    assert f"- and {500 - shown} more: listToolFiles() names all" in text


def test_a_server_that_is_switched_off_is_nowhere() -> None:
    settings = Settings(servers={"a": ServerSettings(command=("x",), enabled=False)})
    assert app.enabled(Loaded(settings, ())) == {}
    assert "- a" not in app.instructions(Loaded(settings, ()))


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
