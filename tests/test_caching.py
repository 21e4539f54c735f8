"""The cache is wired to what there is: the store that its settings say, and a model only where it is needed."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from mcp_hub.cache_settings import CacheSettings
from mcp_hub.caching import Kept
from mcp_hub.errors import ConfigError
from mcp_hub.store.database import database_file

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_without_similar_hits_no_model_is_loaded(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        kept = await Kept.open(CacheSettings(), database_file(tmp_path), stack)
    assert kept.similar is None


async def test_similar_hits_without_their_extra_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wordllama", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError) as raised:
            await Kept.open(CacheSettings(similar_for=("*",)), database_file(tmp_path), stack)
    assert raised.value.text == snapshot(
        "[proxy.cache.similar_for] similar hits need wordllama, which isn't installed: pip install 'mcp_hub[similar]'."
    )
