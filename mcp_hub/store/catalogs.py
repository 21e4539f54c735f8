"""The kept catalogs: what each server listed when it was last seen."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the hub answers before it opens its database
    from sqlite_utils import Database


@dataclass(frozen=True)
class KeptCatalog:
    """One server's tools/list answer, as the server gave it, with the protocol it spoke."""

    protocol: str
    instructions: str | None
    tools: list[dict[str, Any]]


class CatalogStore:
    """The `catalogs` table. A server whose configuration changes has another fingerprint, so another row."""

    def __init__(self, db: "Database") -> None:
        self._db = db
        self._one_at_a_time = threading.Lock()  # a connection's statements must not run side by side

    def read(self, fingerprints: set[str]) -> dict[str, KeptCatalog]:
        """The kept catalogs of these fingerprints; those never seen, or that can't be read, are absent."""
        kept = {}
        for fingerprint in fingerprints:
            for row in self._db.table("catalogs").rows_where("fingerprint = ?", [fingerprint]):
                tools = _read_tools(row["tools"])
                if tools is not None:
                    kept[fingerprint] = KeptCatalog(row["protocol"], row["instructions"], tools)
        return kept

    def write(self, fingerprint: str, server: str, catalog: KeptCatalog) -> None:
        """Replace what is kept under `fingerprint`."""
        row = {
            "fingerprint": fingerprint,
            "server": server,
            "protocol": catalog.protocol,
            "instructions": catalog.instructions,
            "tools": json.dumps(catalog.tools, separators=(",", ":")),
            "seen_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._one_at_a_time:
            self._db.table("catalogs").upsert(row, pk="fingerprint")


def _read_tools(text: str) -> list[dict[str, Any]] | None:
    try:
        tools = json.loads(text)
    except ValueError:
        return None
    return tools if isinstance(tools, list) and all(map(_is_tool, tools)) else None


def _is_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("name"), str)
