"""Every error that the project raises, split by who can mend it.

    HubError                 .text: what happened, where, what to do
    ├── ConfigError          the person who wrote servers.toml
    ├── CallerError          the agent: a name, an argument or a file that isn't there
    ├── DeniedError          the person who wrote [policy]: the tool may not be called
    ├── ScriptError          the agent's program: it doesn't parse, or it failed
    ├── DownstreamError      a downstream server: missing, broken, slow, or its tool failed
    └── LimitError           a limit of `[hub.limits]` was reached

An error's text is complete by itself: a person, or a model, can act on it without a traceback. Foreign
exceptions become one of these at the edge where they are met, and `hub.server` and `cli` are the only
places that turn one into an answer or an exit status.
"""

from collections.abc import Iterable
from difflib import get_close_matches

KINDS = ("syntax", "name", "script", "tool", "arguments", "denied", "result")
"""The kinds of a ScriptError. Its worker says which, and what a worker says isn't trusted."""


class HubError(Exception):
    """Base of all; `text` is what a person or a model reads."""

    @property
    def text(self) -> str:
        return str(self.args[0])


class ConfigError(HubError):
    """servers.toml, or what it refers to, can't be used as it is."""

    def __init__(self, problem: str, *, file: str | None = None, line: int | None = None, key: str = "") -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{place}{f'[{key}] ' if key else ''}{problem}")


class CallerError(HubError):
    """A name that doesn't exist or an argument that doesn't fit."""

    @classmethod
    def unknown(cls, kind: str, name: str, known: Iterable[str], then: str = "", *, where: str = "") -> "CallerError":
        """`name` is no `kind` (`where`: "in ..."); the nearest of `known` are offered, `then` says what to do next."""
        near = nearest(name, known)
        hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        return cls(f"There is no {kind} {name!r}{f' {where}' if where else ''}.{hint}{f' {then}' if then else ''}")


class DeniedError(HubError):
    """The policy denies a tool; `reason` is the policy's own, and ends with a full stop."""

    def __init__(self, server: str, tool: str, reason: str) -> None:
        super().__init__(
            f"{server}.{tool} was not called, because the policy denies it: {reason} Do without it, or ask the "
            f"person who runs the hub to allow it."
        )


class ScriptError(HubError):
    """The program is at fault; `kind` is one of KINDS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class DownstreamError(HubError):
    """A downstream server, or a tool of one, failed.

    `problem` follows the server's name in a sentence and ends with a full stop; `log` is the file with what the
    server wrote on stderr; `may_have_run` says that a call was sent, and nobody knows whether it was done.
    """

    def __init__(
        self,
        server: str,
        problem: str,
        *,
        log: str | None = None,
        retry_in: float | None = None,
        may_have_run: bool = False,
    ) -> None:
        after = f" The next try is in {max(retry_in, 0.1):.1f} s." if retry_in is not None else ""
        where = f" Its log: {log}" if log else ""
        super().__init__(f"Server '{server}' {problem}{after}{where}")
        self.server = server
        self.problem = problem
        self.log = log
        self.may_have_run = may_have_run

    def again_in(self, seconds: float | None) -> "DownstreamError":
        """The same error, telling in how many seconds the hub tries to connect again."""
        return DownstreamError(self.server, self.problem, log=self.log, retry_in=seconds)


class ToolError(DownstreamError):
    """The tool itself answered that it failed; the text is its own."""

    def __init__(self, server: str, tool: str, message: str) -> None:
        HubError.__init__(self, f"{server}.{tool} failed: {message}")
        self.server = server
        self.problem = f"failed in {tool}: {message}"
        self.log = None
        self.may_have_run = False


class LimitError(HubError):
    """A limit was reached: `limit` is its key in `[hub.limits]`."""

    def __init__(self, limit: str, value: str, progress: str, remedy: str) -> None:
        super().__init__(
            f"The program was ended: it reached the limit {limit} = {value} (hub.limits.{limit} in servers.toml). "
            f"{progress} {remedy}".strip()
        )
        self.limit = limit


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The names in `known` that look most like `name`, best first; case and dashes don't count."""
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(_folded(candidate), candidate)
    folded = _folded(name)
    close = get_close_matches(folded, by_folded, n=count, cutoff=0.6)
    if not close and len(folded) >= 3:
        close = sorted(c for c in by_folded if len(c) >= 3 and (folded in c or c in folded))[:count]
    return [by_folded[c] for c in close]


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
