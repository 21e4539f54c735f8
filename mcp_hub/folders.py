"""Where things are kept: the user's configuration, and what the hub learns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_config_path, user_state_path

from mcp_hub.errors import ConfigError

STATE_VARIABLE = "MCP_HUB_STATE_DIR"


@dataclass(frozen=True)
class Folders:
    """The folder of the user's servers.toml, and the one for state."""

    config: Path
    state: Path

    @property
    def logs(self) -> Path:
        """The hub's own log."""
        return self.state / "logs"

    @property
    def server_logs(self) -> Path:
        """A log for each server, with what it writes on stderr."""
        return self.logs / "servers"


def at_home(path: Path, *, key: str = "") -> Path:
    """`path` with a leading ~ or ~USER expanded. Raises ConfigError for a home that is nobody's."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError("there is no such user.", file=str(path), key=key) from None


def folders(environ: Mapping[str, str]) -> Folders:
    """The user's folders; $MCP_HUB_STATE_DIR moves the state. Raises ConfigError for a home that is nobody's."""
    state = environ.get(STATE_VARIABLE)
    moved = at_home(Path(state), key=STATE_VARIABLE) if state else user_state_path("mcp_hub")
    return Folders(user_config_path("mcp_hub"), moved)
