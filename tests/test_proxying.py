"""The proxy wired: what a killed one left behind, credentials from files, and the variables that clients need."""

import sys
from pathlib import Path

import anyio
import pytest

from mcp_hub.errors import ConfigError
from mcp_hub.proxy.budgets import Want
from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy_settings import ProxySettings, UpstreamSettings
from mcp_hub.proxying import environment, open_proxy
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.ledger import Entry, Ledger
from mcp_hub.store.lives import Lives

pytestmark = pytest.mark.anyio

GONE = """
import os, signal, sys
from pathlib import Path
from mcp_hub.proxy.budgets import Want
from mcp_hub.store.database import FILE_NAME
from mcp_hub.store.ledger import Entry, Ledger
from mcp_hub.store.lives import Lives
state = Path(sys.argv[1])
ledger = Ledger(state / FILE_NAME, Lives(state).begin().name)
ledger.reserve(Entry("r1", 1.0, "ci", "web", "", "anthropic", "s", "m", "m"), [], Want(500, 70), 1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_a_killed_proxy_had_reserved_is_charged_when_the_next_one_starts(tmp_path: Path) -> None:
    open_database(tmp_path).conn.close()
    killed = await anyio.run_process([sys.executable, "-c", GONE, str(tmp_path)], check=False)
    assert killed.returncode < 0
    life = Lives(tmp_path).begin()
    mine = Ledger(tmp_path / FILE_NAME, life.name)
    mine.reserve(Entry("r2", 1.0, "ci", "web", "", "anthropic", "s", "m", "m"), [], Want(9, 9), 1.0)
    async with open_proxy(ProxySettings(), tmp_path):
        (row,) = mine.usage(0, ["key"])
    assert (row.requests, row.errors, row.dollars, row.tokens, row.usage) == (1, 1, 500, 70, Usage())
    mine.close()
    life.close()


async def test_a_credential_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    upstream = UpstreamSettings(name="anthropic", url="https://api.example", credential_file="missing.txt")
    with pytest.raises(ConfigError, match=r"\[proxy.upstreams.anthropic\] the credential_file .* can't be read"):
        async with open_proxy(ProxySettings(upstreams=(upstream,)), tmp_path):
            pass


async def test_a_state_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be opened"):
        async with open_proxy(ProxySettings(), tmp_path / "file"):
            pass


def test_clients_are_given_the_url_and_keep_their_tool_search() -> None:
    assert environment("http://127.0.0.1:8484") == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8484",
        "ENABLE_TOOL_SEARCH": "true",
    }
