"""How names that people and servers chose are spelt in programs: deterministic, all different, writable."""

import keyword
import re
from collections.abc import Iterable

KEYWORDS = frozenset({"load", *keyword.kwlist})
"""Python's are nearly Starlark's, reserved words included; a program is read by Python's parser too."""

BUILTINS = frozenset(
    {
        "abs", "all", "any", "attempt", "bool", "chr", "dict", "dir", "enumerate", "fail", "filter", "float",
        "getattr", "hasattr", "hash", "int", "json", "len", "list", "map", "max", "min", "ord", "parallel",
        "partial", "print", "range", "recall", "repr", "reversed", "sorted", "str", "struct", "sum", "tuple",
        "type", "zip"
    }
)  # fmt: skip
"""What programs find defined; a server of such a name would hide it."""


CHARACTERS = 128
"""Characters of a spelling: as many as MCP grants a tool's name. A longer one would fill every list that it is in."""


def identifier(name: str) -> str:
    """`name` as a program can write it: at most CHARACTERS letters, digits and `_`, no leading digit, no keyword."""
    spelled = re.sub(r"[^A-Za-z0-9_]", "_", name[:CHARACTERS])
    if not spelled.strip("_"):
        spelled = f"unnamed_{len(name)}" if spelled else "unnamed"
    if spelled[0].isdigit():
        spelled = f"_{spelled}"[:CHARACTERS]
    return f"{spelled}_" if spelled in KEYWORDS else spelled


def server_identifier(name: str) -> str:
    """A server's name in programs: as `identifier`, and no builtin."""
    spelled = identifier(name)
    return f"{spelled}_" if spelled in BUILTINS else spelled


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Each name's spelling in programs, all different, whatever order the names come in.

    A name that can be written as it is keeps its spelling; of those that collide, later ones in alphabetical
    order get `_2`, `_3` and so on.
    """
    ordered = sorted(set(names))
    taken = {name for name in ordered if identifier(name) == name}
    spelled = {name: name for name in taken}
    for name in ordered:
        if name in spelled:
            continue
        wanted = identifier(name)
        candidate, number = wanted, 2
        while candidate in taken:
            ending = f"_{number}"
            candidate, number = wanted[: CHARACTERS - len(ending)] + ending, number + 1
        taken.add(candidate)
        spelled[name] = candidate
    return spelled
