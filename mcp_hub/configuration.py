"""Where the settings come from: they can be read again when a file has changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_hub import config
from mcp_hub.config import Loaded
from mcp_hub.folders import Folders
from mcp_hub.store.trust import TrustStore


@dataclass(frozen=True)
class Configuration:
    """Where the settings come from: it can be read again when a file has changed."""

    named: Path | None
    where: Folders
    environ: Mapping[str, str]
    cwd: Path

    def load(self) -> Loaded:
        """The settings in force for the working directory. Raises ConfigError."""
        return config.load(
            named=self.named,
            environ=self.environ,
            cwd=self.cwd,
            user_folder=self.where.config,
            trust_of=TrustStore(self.where.state).trusts,
        )

    @property
    def files(self) -> list[Path]:
        """Every file that decides, there or not."""
        candidates = config.candidate_files(self.named, self.environ, self.cwd, self.where.config)
        return [*candidates, TrustStore(self.where.state).path]
