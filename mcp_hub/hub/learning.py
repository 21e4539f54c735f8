"""Learns from the calls that succeed what each tool gives back, where its server doesn't say.

Above is the one path of a call, which tells of each result; below are the pure shapes and a store. A shape is looked
at on the event loop, for a bounded time; it is written, in a thread, only when a result has changed it. The catalog
shows what was kept from the start, and what is new a little later: a new snapshot costs a new search index, so
what several calls taught comes into it at once.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from mcp_hub.hub.catalog import Tool
from mcp_hub.hub.schemas import Schema
from mcp_hub.hub.shapes import is_failure, merged, shape_of

logger = logging.getLogger(__name__)

SHOW_SECONDS = 10.0
"""From the first new shape until the catalog shows it, and what else was learned meanwhile."""


class Store(Protocol):
    """Where shapes outlive the hub."""

    def write(self, fingerprint: str, server: str, wire_name: str, shape: Schema) -> None:
        """Merge a shape into what is kept. Raises sqlite3.Error."""


class Learner:
    """The shapes that are known, by the fingerprint of a server's settings and the tool's own name.

    Everything but `close` is for the event loop's thread. `prints` answers the fingerprints now, by the names in
    servers.toml; `show` takes a server's shapes into the catalog; `later` calls something after some seconds.
    """

    def __init__(
        self,
        prints: Callable[[], Mapping[str, str]],
        show: Callable[[str, Mapping[str, Schema]], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._prints = prints
        self._show = show
        self._later = later
        self._shapes: dict[str, dict[str, Schema]] = {}
        self._unshown: set[str] = set()
        self._store: Store | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="shapes")  # its thread starts with the first write
        self._puzzled = self._failing = False
        self._closing = self._given_up = False

    def use(self, store: Store) -> None:
        """Write to `store` from now on, beginning with what was learned already."""
        if self._store is store:
            return
        self._store = store
        for key, fingerprint in self._prints().items():
            for wire_name in self._shapes.get(fingerprint, {}):
                self._write(fingerprint, key, wire_name)

    def take(self, kept: Mapping[str, Mapping[str, Schema]]) -> None:
        """Take over what was kept, by fingerprint and by the tool's own name, and show it."""
        for fingerprint, before in kept.items():
            known = self._shapes.setdefault(fingerprint, {})
            for wire_name, shape in before.items():
                known[wire_name] = merged(shape, known.get(wire_name, shape))
        for key, fingerprint in self._prints().items():
            if shapes := self._shapes.get(fingerprint):
                self._show(key, dict(shapes))

    def sent(self, key: str, tool: Tool) -> Callable[[Any], None]:
        """For a call of a tool of the server `key` that is being sent now: what is to be called with its result.

        The result is the tool's as the server is configured now, whatever it will be when the result comes. It is
        told as a program gets it. What is given back raises nothing.
        """
        fingerprint = self._prints().get(key)

        def learn(value: Any) -> None:
            try:
                if fingerprint is not None and not self._closing and not is_failure(value):
                    self._learn(fingerprint, key, tool.wire_name, value)
            except Exception:  # a fault of ours, and no reason for the call to fail
                if not self._puzzled:
                    logger.exception("the shape of a result of %s.%s can't be learned", tool.server, tool.name)
                self._puzzled = True

        return learn

    def close(self) -> None:
        """Write what waits to be written, unless that fails; nothing is learned afterwards. Any thread may."""
        self._closing = True
        self._writer.shutdown()

    def _learn(self, fingerprint: str, key: str, wire_name: str, value: Any) -> None:
        known = self._shapes.setdefault(fingerprint, {})
        before, seen = known.get(wire_name), shape_of(value)
        after = seen if before is None else merged(before, seen)
        if after == before:
            return
        known[wire_name] = after
        self._write(fingerprint, key, wire_name)
        if not self._unshown:
            self._later(SHOW_SECONDS, self._show_new)
        self._unshown.add(key)

    def _show_new(self) -> None:
        keys, self._unshown = self._unshown, set()
        for key, fingerprint in self._prints().items():
            if key in keys and fingerprint in self._shapes:
                self._show(key, dict(self._shapes[fingerprint]))

    def _write(self, fingerprint: str, key: str, wire_name: str) -> None:
        if self._store is not None:
            shape = self._shapes[fingerprint][wire_name]
            with contextlib.suppress(RuntimeError):  # closed meanwhile: nothing is learned any more
                self._writer.submit(self._written, self._store, fingerprint, key, wire_name, shape)

    def _written(self, store: Store, fingerprint: str, key: str, wire_name: str, shape: Schema) -> None:
        if self._given_up:
            return
        try:
            store.write(fingerprint, key, wire_name, shape)
            self._failing = False
        except Exception as error:  # whatever it is, the next shape may be written
            self._given_up = self._closing  # each further try might wait for another hub's lock
            if not self._failing:
                logger.warning("the shapes of results can't be kept, so the next session has to learn them: %s", error)
            self._failing = True
