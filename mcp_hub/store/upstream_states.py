"""How the proxy's upstreams stand, for `mcp_hub usage --upstreams`: what a running proxy has seen of each last."""

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mcp_hub.store.connection import connect


@dataclass(frozen=True)
class UpstreamState:
    """An upstream, by its name in servers.toml; `since` is Unix seconds, `reason` what failed last."""

    upstream: str
    state: str
    since: float
    reason: str


class UpstreamStates:
    """The `proxy_upstreams` table, for any thread. Methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        """`path` is the database's file, as `open_database` has made it."""
        self._path = path

    def write(self, *states: UpstreamState) -> None:
        """Keep these in place of what was known of the same upstreams."""
        with closing(connect(self._path)) as connection:
            connection.execute("begin immediate")
            connection.executemany(
                "insert or replace into proxy_upstreams (upstream, state, since, reason) values (?, ?, ?, ?)",
                [(each.upstream, each.state, each.since, each.reason) for each in states],
            )
            connection.execute("commit")

    def forget_others(self, upstreams: Iterable[str]) -> None:
        """Forget upstreams that aren't these: they aren't in servers.toml any more."""
        with closing(connect(self._path)) as connection:
            kept = json.dumps(list(upstreams))
            connection.execute(
                "delete from proxy_upstreams where upstream not in (select value from json_each(?))", [kept]
            )

    def read(self) -> list[UpstreamState]:
        """All that are known, by name."""
        with closing(connect(self._path)) as connection:
            rows = connection.execute("select upstream, state, since, reason from proxy_upstreams order by upstream")
            return [UpstreamState(*row) for row in rows]
