"""Where things are kept."""

from pathlib import Path

from mcp_hub.folders import folders


def test_the_state_folder_can_be_moved(tmp_path: Path) -> None:
    assert folders({"MCP_HUB_STATE_DIR": str(tmp_path)}).state == tmp_path
    assert folders({}).state.name == "mcp_hub"
    assert folders({"MCP_HUB_STATE_DIR": "~/somewhere"}).state == Path.home() / "somewhere"
