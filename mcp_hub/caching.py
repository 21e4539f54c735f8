"""Wires the response cache together: SQLite as its store, WordLlama as its model where similar hits are on."""

import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from anyio.abc import TaskGroup

from mcp_hub.cache_settings import CacheSettings
from mcp_hub.proxy import guard
from mcp_hub.proxy.admission import Admission
from mcp_hub.proxy.cache import Cache
from mcp_hub.proxy.embedding import WordLlamaEmbedder
from mcp_hub.proxy.flights import Flights
from mcp_hub.proxy.keys import digest_of
from mcp_hub.proxy.metrics import Metrics
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.similar import Similar
from mcp_hub.proxy.wire import MessagesRequest
from mcp_hub.proxy.workspace import Workspaces
from mcp_hub.proxy_settings import UpstreamSettings
from mcp_hub.store.responses import Responses
from mcp_hub.store.vectors import Vectors

MIB = 1024 * 1024


@dataclass(frozen=True)
class Kept:
    """What outlives a proxy's requests: the store, and what finds similar answers in it."""

    settings: CacheSettings
    store: Responses
    similar: Similar | None

    @classmethod
    async def open(cls, settings: CacheSettings, database: Path, stack: AsyncExitStack) -> "Kept":
        """Open it; `stack` closes it. Raises ConfigError where the model of similar hits isn't installed."""
        store = Responses(database, settings.size_mib * MIB, settings.ttl_seconds)
        stack.push_async_callback(anyio.to_thread.run_sync, store.close)
        similar = None
        if settings.similar_for:
            embedder = await anyio.to_thread.run_sync(WordLlamaEmbedder.load)
            await anyio.to_thread.run_sync(guard.reading, "")  # its tables take half a second: no request waits for it
            vectors = Vectors(database, embedder.name)
            stack.push_async_callback(anyio.to_thread.run_sync, vectors.close)
            similar = Similar(store, vectors, embedder, settings.similarity_threshold)
        return cls(settings, store, similar)

    def cache(
        self,
        tasks: TaskGroup,
        admission: Admission,
        prepared: Callable[[MessagesRequest, Route], MessagesRequest],
        metrics: Metrics,
        upstreams: Sequence[UpstreamSettings],
    ) -> Cache:
        """The cache over it; `tasks` takes the answers that are under way, and must end before what `open` opened."""
        places = {each.name: place_of(each) for each in upstreams}
        return Cache(
            self.settings,
            self.store,
            self.similar,
            Workspaces(self.settings.folders, os.environ),
            Flights(tasks),
            admission,
            prepared,
            metrics,
            places,
            time.time,
            lambda: f"mhc_{uuid.uuid4().hex[:16]}",
        )


def place_of(upstream: UpstreamSettings) -> str:
    """Where an upstream is, as a digest: its URL may have a secret in it, and its name may be another's tomorrow."""
    return digest_of(f"{upstream.kind} {upstream.url} {upstream.region} {upstream.project}")
