"""HTTP's own words on caching: what a client asks for in Cache-Control, what it is told in Cache-Status and Age.

Pure. RFC 9111, section 5.2.1, for what is asked; RFC 9211 for what is told. What a directive can't be read of asks for
more than it may mean: a client that wants an answer of its own gets one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp_hub.proxy.upstreams.upstream import Headers

NAME = "mcp_hub"
"""This cache, among those that an answer may have come through."""

MOST_CHARACTERS = 300
"""Of a detail in a header."""


@dataclass(frozen=True)
class Asked:
    """What a client asks of the cache.

    max_age: seconds since an answer was made, above which it isn't to be given; 0 for no-cache, None for no bound.
    keeps: whether the answer may be kept.
    """

    max_age: float | None = None
    keeps: bool = True

    @property
    def looks(self) -> bool:
        """Whether an answer from the cache will do."""
        return self.max_age != 0

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Asked":
        """From a request's headers, by lower-case names; the old `Pragma` counts where there is no Cache-Control."""
        told = headers.get("cache-control", headers.get("pragma", ""))
        max_age: float | None = None
        keeps = True
        for directive in told.lower().split(","):
            name, _, value = (part.strip() for part in directive.partition("="))
            if name == "no-store":
                keeps = False
            elif name == "no-cache":
                max_age = 0
            elif name == "max-age":
                seconds = value.strip('"')
                age = float(seconds[:12]) if seconds.isascii() and seconds.isdigit() else 0
                max_age = age if max_age is None else min(age, max_age)
        return cls(max_age, keeps)


@dataclass(frozen=True)
class Told:
    """What a client is told about one answer.

    kind: exact or similar for a hit; else why it was asked upstream, in the words of RFC 9211: uri-miss (nothing fits),
        miss (what there was, was refused), request (the client wanted it so), bypass (it can't be kept).
    age: of a hit, seconds since it was made. ttl: seconds for which it is good.
    id: of the kept answer. similarity: the cosine of the two texts. detail: why it was so.
    collapsed: whether it shares what another client's request has begun.
    """

    kind: str
    age: float | None = None
    ttl: float | None = None
    id: str = ""
    similarity: float | None = None
    detail: str = ""
    collapsed: bool = False

    def headers(self) -> Headers:
        """Cache-Status, and Age for a hit."""
        is_hit = self.age is not None
        parts = [NAME, "hit" if is_hit else f"fwd={self.kind}"]
        if is_hit:
            parts.append(f"kind={self.kind}")
        if self.ttl is not None:
            parts.append(f"ttl={int(self.ttl)}")
        if self.id:
            parts.append(f"id={self.id}")
        if self.similarity is not None:
            parts.append(f"similarity={self.similarity:.3f}")
        if self.collapsed:
            parts.append("collapsed")
        if self.detail:
            parts.append(f"detail={_quoted(self.detail)}")
        status = ("cache-status", "; ".join(parts))
        return [status, ("age", str(int(self.age)))] if self.age is not None else [status]


def _quoted(text: str) -> str:
    """A structured field's string: printable ASCII, with what ends it escaped (RFC 8941, section 3.3.3)."""
    plain = "".join(each if " " <= each <= "~" else "?" for each in text[:MOST_CHARACTERS])
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
