"""Where things are kept: the user's configuration, and what the hub learns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path, user_state_path

STATE_VARIABLE = "MCP_HUB_STATE_DIR"


@dataclass(frozen=True)
class Folders:
    """The folder of the user's servers.toml, and the one for state."""

    config: Path
    state: Path

    @property
    def logs(self) -> Path:
        """The hub's log, and one for what each server writes on stderr."""
        return self.state / "logs"


def folders(environ: Mapping[str, str]) -> Folders:
    """The user's folders; $MCP_HUB_STATE_DIR moves the state."""
    state = environ.get(STATE_VARIABLE)
    return Folders(user_config_path("mcp_hub"), Path(state).expanduser() if state else user_state_path("mcp_hub"))
