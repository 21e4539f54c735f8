"""A kept answer as rows of the database, and back: what is compressed, how texts are spelt, and what checksums cover.

Nothing here reads or writes the database.
"""

import json
import sqlite3
import struct
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.responses import KeptAnswer

COLUMNS = ("id", "digest", "family", "key", "team", "model", "upstream", "kept_at")
"""Of the table `responses`, those that an answer has."""

PAGE = 4096
"""Bytes of a page of the database; a row that is larger has some for itself."""

CONTENTS = ("usage", "text", "message", "stream", "pace")
"""Of the table `response_contents`."""


def row_of(answer: KeptAnswer) -> dict[str, Any]:
    """What is kept of an answer but for its parts, by columns."""
    names = {name: storable(getattr(answer, name)) for name in ("id", "digest", "key", "team", "model", "upstream")}
    return names | {
        "family": None if answer.family is None else storable(answer.family),
        "kept_at": float(answer.kept_at),
        "usage": json.dumps({**vars(answer.usage), "dollars": answer.dollars}),
        "text": exact_bytes(answer.text),
        "message": pack(answer.message),
        "stream": pack(answer.stream),
        "pace": pack(b"".join(struct.pack("<dq", *piece) for piece in answer.pace)),
    }


def answer_in(row: sqlite3.Row, digests: Sequence[bytes], bodies: Sequence[bytes]) -> KeptAnswer | None:
    """The answer in a row, with the parts of its request that are there; None if it isn't what was kept."""
    if checksum_of(row, digests) != row["checksum"]:
        return None
    counts = json.loads(row["usage"])
    return KeptAnswer(
        **{name: row[name] for name in COLUMNS},
        parts=tuple(bodies),
        text=exact_text(row["text"]),
        message=unpack(row["message"]),
        stream=unpack(row["stream"]),
        pace=tuple(struct.iter_unpack("<dq", unpack(row["pace"]))),
        dollars=counts.pop("dollars"),
        usage=Usage(**counts),
    )


def checksum_of(row: Mapping[str, Any] | sqlite3.Row, digests: Sequence[bytes]) -> bytes:
    """Of all that is served, the parts by their digests."""
    checksum = sha256()
    for value in (*(row[name] for name in (*COLUMNS, *CONTENTS)), *digests):
        data = value if isinstance(value, bytes) else repr(value).encode()
        checksum.update(b"%d:" % len(data))
        checksum.update(data)
    return checksum.digest()


def pair_digest(family: str, text: bytes, other: bytes) -> bytes:
    """Of two texts of a family; the same whichever of them comes first."""
    digest = sha256()
    for each in (storable(family).encode(), *sorted((text, other))):
        digest.update(b"%d:" % len(each))
        digest.update(each)
    return digest.digest()


def taken(length: int) -> int:
    """About what a row of this length takes of the file, in bytes: as many as fit share a page."""
    return PAGE // (PAGE // max(1, length)) if length <= PAGE else -(-length // PAGE) * PAGE


def pack(data: bytes) -> bytes:
    """Compressed where that is smaller; its first byte tells."""
    small = zlib.compress(data)
    return b"z" + small if len(small) < len(data) else b"=" + data


def unpack(packed: bytes) -> bytes:
    """Raises zlib.error for what is damaged."""
    return zlib.decompress(memoryview(packed)[1:]) if packed[:1] == b"z" else packed[1:]


def storable(name: str) -> str:
    """A name as SQLite takes it: a client's may have half a surrogate pair."""
    return name if name.isascii() else name.encode(errors="replace").decode()


def exact_bytes(text: str) -> bytes:
    """A text to the letter, whatever is in it."""
    return text.encode(errors="surrogatepass")


def exact_text(data: bytes) -> str:
    """What `exact_bytes` was given; of damaged bytes, what can be read."""
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return readable(data)


def readable(data: bytes) -> str:
    """A text for people to look at, or for a checksum to find damaged."""
    return data.decode(errors="replace")
