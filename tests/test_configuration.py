"""The configuration: read anew each time, and the files that decide it, there or not."""

from pathlib import Path

import pytest

from mcp_hub.configuration import Configuration
from mcp_hub.errors import ConfigError
from mcp_hub.folders import Folders


def test_it_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    configuration = Configuration(file, Folders(tmp_path, tmp_path / "state"), {}, tmp_path)
    with pytest.raises(ConfigError):
        configuration.load()
    for name in ("one", "other"):
        file.write_text(f'[servers.{name}]\ncommand = ["x"]\n')
        assert list(configuration.load().settings.servers) == [name]


def test_the_files_that_decide_are_known_before_they_are_there(tmp_path: Path) -> None:
    where = Folders(tmp_path / "config", tmp_path / "state")
    files = Configuration(None, where, {}, tmp_path / "project").files
    assert tmp_path / "config" / "servers.toml" in files
    assert any(file.parent == tmp_path / "state" for file in files)  # what a person trusts
    assert not any(file.exists() for file in files)
