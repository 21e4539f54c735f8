"""Asks git about a repository that nobody vouches for: nothing in it may run a program or reach a network.

Above is `workspace`, which makes a proof of what is seen here; below is git. A repository's own configuration names
programs (file monitors, filters, hooks, transports), so each is switched off where git lets its caller do so, and a
repository that configures a filter isn't looked at: git offers no switch for those.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio
import anyio.abc

from mcp_hub.errors import HubError

OUTPUT_BYTES = 16 << 20
"""Of what one git writes: the index of about 60,000 files. A larger one takes longer than a proof may."""

KILL_GRACE = 1.0
"""Seconds for the OS to report a killed git; only one that is stuck in the kernel runs this out."""

SUBMODULES = 20
"""Each is a repository of its own, asked one after the other: more don't fit into the seconds of a proof."""

SETTINGS: tuple[tuple[str, str], ...] = (
    ("core.fsmonitor", "false"),  # a program that says what has changed, which git runs and then believes
    ("core.hooksPath", os.devnull),  # post-index-change
    ("core.untrackedCache", "false"),  # files that it doesn't list aren't looked for
    ("core.trustctime", "true"),  # these five: what differs in the worktree is seen
    ("core.checkStat", "default"),
    ("core.fileMode", "true"),
    ("core.symlinks", "true"),
    ("core.ignoreCase", "false"),
    ("core.excludesFile", os.devnull),  # a file elsewhere, that hides others
)
"""What a repository's own configuration can't set otherwise, and why."""

ENVIRONMENT: Mapping[str, str] = {
    "HOME": os.devnull,  # nothing can be in it
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # the index isn't written
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # a missing object isn't fetched, by whatever transport the repository names,
    "GIT_ALLOW_PROTOCOL": "",  # nor by a git that doesn't know that; protocol.allow would yield to the repository's own
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its id says
}
"""With PATH and the limit of the search for the repository, all that git gets."""

STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--untracked-files=all", "--no-renames"),
    "--ignore-submodules=dirty",  # git doesn't enter them: `look` does, with their own configuration checked first
)
INDEX = ("ls-files", "-v", "--stage", "-z")
ENCODED = ("ls-files", "-z", "--", ":(top,exclude,attr:!working-tree-encoding)")
"""Files that have an encoding of their own: two different contents may be one to git."""

TIMES = ("ls-files", "--debug", "-z")
"""As INDEX, with the times that each file had when git last looked into it: to the nanosecond, which git stores but as
a rule doesn't compare. So it overlooks a change in the second of the last one, if length and mtime are set back."""

FILTERS = ("clean", "process", "smudge")
GITLINK = b"160000"
AS_USUAL = b"H"
"""The tag of `ls-files -v` for a file that git looks at: skip-worktree and assume-unchanged have others."""

_ENTRY = re.compile(rb"(.) ([0-7]{6}) ([0-9a-f]+) [0-3]\t([^\0]+)\0")
_TIME = re.compile(rb"\0  ctime: (\d+):(\d+)\n  mtime: (\d+):")
_OUTSIDE = re.compile(rb"[\t/]\.\.[/\0]")
_STATUS_FIELDS = {b"1": 8, b"u": 10}
"""Fields before the path, by the type of a status line."""

SECOND = 1_000_000_000
"""Nanoseconds."""

T = TypeVar("T")


class UnprovenError(HubError):
    """The state of a folder can't be proven; `text` is a short reason in ASCII, without a full stop, for a header."""


class Entry(NamedTuple):
    """A file in the index, or a submodule: its `ls-files -v` tag, its mode, its blob's id, its path."""

    tag: bytes
    mode: bytes
    blob: bytes
    path: bytes


class Times(NamedTuple):
    """When a file was changed, in nanoseconds, and its mtime in seconds."""

    changed: int
    modified: int


class Status(NamedTuple):
    """What git status says: HEAD's commit and branch, and the files that aren't as in HEAD and the index."""

    commit: bytes
    branch: bytes
    changed: tuple[bytes, ...]


@dataclass(frozen=True)
class Look:
    """Git's answers about one repository, as it gave them.

    top: the top level. encoded: the files with an encoding of their own. times: see TIMES.
    """

    top: Path
    status: bytes
    index: bytes
    encoded: bytes
    times: bytes
    submodules: "list[Look]" = field(default_factory=list)

    @cached_property
    def entries(self) -> list[Entry]:
        """What is in the index. Raises UnprovenError."""
        found = [Entry._make(match) for match in _ENTRY.findall(self.index)]
        if len(found) != self.index.count(b"\0") or not (b"\0" + self.index).endswith(b"\0"):
            raise UnprovenError("git ls-files answered in a form that isn't known")
        if _OUTSIDE.search(self.index):
            raise UnprovenError("the index has a file outside of the repository")
        return found

    @cached_property
    def known_times(self) -> list[Times]:
        """For each of the entries. Raises UnprovenError."""
        found = [Times(int(at) * SECOND + int(rest), int(modified)) for at, rest, modified in _TIME.findall(self.times)]
        if len(found) != len(self.entries):
            raise UnprovenError("the repository changed while it was looked at")
        return found


class Git:
    """The git on `environ`'s PATH. Every method raises UnprovenError; the time is bounded by who calls."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        folders = environ.get("PATH", os.defpath).split(os.pathsep)
        # a relative folder would be one of the repository that is looked at
        self._path = os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())
        self._program = shutil.which("git", path=self._path)

    async def look(self, top: Path, is_inside: Callable[[Path], Awaitable[bool]]) -> Look:
        """Git's answers about the repository at `top`, a resolved path, and the submodules in its worktree.

        `is_inside` says whether a folder may be used: the repository's data may be elsewhere than `top`.
        """
        layout, configuration = await together(
            partial(self._run, top, "rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir"),
            partial(self._run, top, "config", "-z", "--list"),
        )
        await _check_layout(top, layout, is_inside)
        check_configuration(configuration)
        answers = await together(*(partial(self._run, top, *asked) for asked in (STATUS, INDEX, ENCODED, TIMES)))
        status, index, encoded, times = answers
        look = Look(top, status, index, encoded, times)
        for entry in look.entries if b" %b " % GITLINK in look.index else ():
            submodule = top / os.fsdecode(entry.path)
            if entry.mode == GITLINK and await anyio.Path(submodule / ".git").exists():
                if len(look.submodules) == SUBMODULES:
                    raise UnprovenError(f"there are more than {SUBMODULES} submodules")
                look.submodules.append(await self.look(submodule, is_inside))
        return look

    async def check_unchanged(self, look: Look) -> None:
        """Whether git answers as before; a submodule that is new isn't entered, since the index tells of it."""
        status, index = await together(partial(self._run, look.top, *STATUS), partial(self._run, look.top, *INDEX))
        if (status, index) != (look.status, look.index):
            raise UnprovenError("the repository changed while it was looked at")
        for submodule in look.submodules:
            await self.check_unchanged(submodule)

    async def sizes(self, top: Path, blobs: Sequence[bytes]) -> dict[bytes, int]:
        """How many bytes each of these blobs has; one that the repository lacks is left out."""
        asked = b"".join(blob + b"\n" for blob in blobs)
        output = await self._run(top, "cat-file", "--buffer", "--batch-check=%(objectname) %(objectsize)", given=asked)
        found = (line.split(b" ") for line in output.splitlines())
        return {blob: int(size) for blob, size in found if size.isdigit()}

    async def _run(self, top: Path, *arguments: str, given: bytes = b"") -> bytes:
        if self._program is None:
            raise UnprovenError("there is no git on the PATH")
        settings = [part for name, value in SETTINGS for part in ("-c", f"{name}={value}")]
        environment = {**ENVIRONMENT, "PATH": self._path, "GIT_CEILING_DIRECTORIES": str(top.parent)}
        with anyio.CancelScope(shield=True):  # a git that is being started must not be forgotten
            try:
                process = await anyio.open_process(
                    [self._program, "-C", str(top), *settings, *arguments],
                    stdin=subprocess.PIPE if given else subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                raise UnprovenError(f"git can't be started: {os.strerror(error.errno or 0)}") from None
        try:
            output, _ = await together(partial(_output, process), partial(_give, process, given))
            if await process.wait() != 0:
                raise UnprovenError("git fails: the repository is damaged, or another user's")
            return output
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)


async def together(*works: Callable[[], Awaitable[T]]) -> list[T]:
    """What all of these give, done at the same time. Raises the first UnprovenError of one, and ends the others."""
    given: dict[int, T] = {}
    failed: list[UnprovenError] = []
    async with anyio.create_task_group() as tasks:

        async def do(number: int, work: Callable[[], Awaitable[T]]) -> None:
            try:
                given[number] = await work()
            except UnprovenError as error:
                failed.append(error)
                tasks.cancel_scope.cancel()

        for number, work in enumerate(works):
            tasks.start_soon(do, number, work)
    if failed:
        raise failed[0]
    return [given[number] for number in range(len(works))]


def with_submodules(looks: Iterable[Look]) -> Iterator[Look]:
    """These and those inside of them."""
    for look in looks:
        yield look
        yield from with_submodules(look.submodules)


def check_configuration(listed: bytes) -> None:
    """Refuse what `git config -z --list` says of a repository whose status would run a program of its own.

    Raises UnprovenError.
    """
    for item in listed.split(b"\0"):
        section, _, rest = item.partition(b"\n")[0].decode(errors="replace").partition(".")
        if section == "filter" and rest.rpartition(".")[2] in FILTERS:
            raise UnprovenError("the repository configures a filter program")


def read_status(output: bytes) -> Status:
    """Read `git status --porcelain=v2 --branch -z`.

    Raises UnprovenError for what isn't that, for a submodule with a change and for a repository in the repository.
    """
    told: dict[bytes, bytes] = {}
    changed: list[bytes] = []
    for line in output.split(b"\0")[:-1]:
        kind, _, rest = line.partition(b" ")
        if kind == b"#":
            name, _, value = rest.partition(b" ")
            told[name] = value
        elif kind == b"?":
            changed.append(rest)
        else:
            fields = line.split(b" ", _STATUS_FIELDS.get(kind, 0))
            if len(fields) == 1:
                raise UnprovenError("git status answered in a form that isn't known")
            if fields[2].startswith(b"S"):
                raise UnprovenError("a submodule has changes")
            changed.append(fields[-1])
    if any(path.endswith(b"/") for path in changed):
        raise UnprovenError("there is a repository in the repository that isn't a submodule")
    if not told.keys() >= {b"branch.oid", b"branch.head"} or not output.endswith(b"\0"):
        raise UnprovenError("git status answered in a form that isn't known")
    return Status(told[b"branch.oid"], told[b"branch.head"], tuple(changed))


async def _check_layout(top: Path, output: bytes, is_inside: Callable[[Path], Awaitable[bool]]) -> None:
    """Whether the worktree is at `top`, and the repository's data in folders that may be used."""
    worktree, *data = (os.fsdecode(line) for line in output.splitlines())
    if worktree != str(top):
        raise UnprovenError("the repository's worktree is elsewhere")
    for folder in data:
        if not await is_inside(top / folder):
            raise UnprovenError("the repository's data isn't under a root of proxy.cache.roots")


async def _output(process: anyio.abc.Process) -> bytes:
    assert process.stdout is not None
    chunks: list[bytes] = []
    size = 0
    async for chunk in process.stdout:
        size += len(chunk)
        if size > OUTPUT_BYTES:
            raise UnprovenError(f"git wrote more than {OUTPUT_BYTES >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


async def _give(process: anyio.abc.Process, given: bytes) -> bytes:
    if process.stdin is not None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it ended early: its status says so
            await process.stdin.send(given)
        await process.stdin.aclose()
    return given


async def _end(process: anyio.abc.Process) -> None:
    """Kill a git that hasn't ended, with everything in its process group."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with anyio.move_on_after(KILL_GRACE):
        await process.wait()
    if process.returncode is not None:
        await process.aclose()
