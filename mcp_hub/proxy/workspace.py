"""Proves which state the folders of a request are in: a digest over all that git and the files themselves say.

An answer from the cache may only be given while the workspace is as it was when the answer was made. So a state is
proven or it isn't, and where there is a doubt it isn't: a proof too few costs a miss, one too many a wrong answer.

Above is the cache; below are `git`, which says which files differ from HEAD, and `contents`, which reads them.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from mcp_hub.proxy.contents import Reading
from mcp_hub.proxy.git import GITLINK, Git, Look, UnprovenError, with_submodules

__all__ = ["UnprovenError", "Workspaces"]

SECONDS = 2.0
"""For one proof, git and reading in all. A repository of 5,000 files takes a fifth of a second; a request that waits
much longer for a cache had better be sent."""

PATH_CHARACTERS = 4_096
"""Of a folder's path: Linux's PATH_MAX, which no folder that can be opened exceeds."""

FOLDERS = 20
"""Of one request. They are looked at one after the other: more don't fit into the seconds of a proof."""

PROOFS_AT_ONCE = 4
"""Each is up to three gits at a time, and a thread. Threads that hang in a file system count until they return."""

SLOW_SECONDS = 60.0
"""For which a folder isn't looked at again whose proof ran out of time: not every request is to wait for nothing."""

SLOW_KEPT = 1_000
"""Folders of which that is remembered."""

SIZES_KEPT = 200_000
"""Sizes of blobs that are remembered: they never change, and asking for 5,000 takes up to 0.1 s. About 30 MB."""

T = TypeVar("T")


@dataclass
class _Turn:
    """Who asks for the same folders, one after the other; `begun` and `outcome` are the last proof's."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    users: int = 0
    begun: int = -1
    outcome: str | UnprovenError = ""


class Workspaces:
    """The folders under `roots`, which alone are looked at; git is found on `environ`'s PATH."""

    def __init__(self, roots: Sequence[Path], environ: Mapping[str, str], seconds: float = SECONDS) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._git = Git(environ)
        self._seconds = seconds
        self._order = count()
        self._turns: dict[tuple[str, ...], _Turn] = {}
        self._proofs = anyio.CapacityLimiter(PROOFS_AT_ONCE)
        self._threads = threading.BoundedSemaphore(PROOFS_AT_ONCE)
        self._sizes: dict[Path, dict[bytes, int]] = {}
        self._slow: dict[tuple[str, ...], float] = {}
        """Until when, by `anyio.current_time`, folders aren't looked at whose proof ran out of time."""

    async def state(self, folders: Sequence[str]) -> str:
        """The state of all these folders, as SHA-256 in hex; equal states are equal in all that is said below.

        For each folder: its path, its repository's top level, HEAD's commit and branch, the index, and path, mode and
        content of each file that is modified, staged or untracked, but not of ignored ones. Without folders it is
        always the same. Waits up to twice `seconds`: for the proof that is being made, and for its own.

        Raises UnprovenError.
        """
        if len(folders) > FOLDERS:
            raise UnprovenError(f"the request names more than {FOLDERS} folders")
        if self._slow.get(tuple(folders), 0) > anyio.current_time():
            raise UnprovenError("its proof took too long a moment ago")
        arrived = next(self._order)
        with self._turn_of(tuple(folders)) as turn:
            try:
                with anyio.fail_after(2 * self._seconds):
                    async with turn.lock:
                        # what began before this request came may have missed what was changed in between
                        if turn.begun < arrived:
                            await self._take(turn, folders)
            except TimeoutError:
                raise UnprovenError("other proofs took too long") from None
            if isinstance(turn.outcome, UnprovenError):
                raise UnprovenError(turn.outcome.text)
            return turn.outcome

    @contextmanager
    def _turn_of(self, folders: tuple[str, ...]) -> Iterator[_Turn]:
        turn = self._turns.setdefault(folders, _Turn())
        turn.users += 1
        try:
            yield turn
        finally:
            turn.users -= 1
            if turn.users == 0:
                del self._turns[folders]

    async def _take(self, turn: _Turn, folders: Sequence[str]) -> None:
        async with self._proofs:
            begun = next(self._order)
            outcome: str | UnprovenError
            try:
                with anyio.fail_after(self._seconds):
                    outcome = await self._prove(folders, time.monotonic() + self._seconds)
            except TimeoutError:
                outcome = UnprovenError(f"git and reading took longer than {self._seconds:g} seconds")
                if len(self._slow) >= SLOW_KEPT:
                    self._slow.clear()
                self._slow[tuple(folders)] = anyio.current_time() + SLOW_SECONDS
            except UnprovenError as error:
                outcome = error
            turn.begun, turn.outcome = begun, outcome

    async def _prove(self, folders: Sequence[str], deadline: float) -> str:
        """The digest of one moment: git says before and after the reading that the same files are changed.

        And each of them is, when all have been read, as it was before it was read. So all were as they were read when
        the reading ended, except for a file that was clean both times, was changed in between and changed back.
        """
        places = await self._in_thread(lambda: [self._place_of(folder) for folder in folders])
        tops = list(dict.fromkeys(top for _, top in places))
        looks = [await self._git.look(top, self._is_inside) for top in tops]
        await self._learn_sizes(looks)
        digest = await self._in_thread(lambda: Reading(self._sizes, deadline).digest(places, looks))
        for look in looks:
            await self._git.check_unchanged(look)
        return digest

    def _place_of(self, named: str) -> tuple[Path, Path]:
        """The folder, resolved, and its repository's top level."""
        if len(named) > PATH_CHARACTERS or "\0" in named or not Path(named).is_absolute():
            raise UnprovenError(f"the folder's path isn't an absolute one of at most {PATH_CHARACTERS} characters")
        outside = UnprovenError("the folder isn't under a root of proxy.cache.roots")
        try:
            folder = Path(named).resolve(strict=True)
            is_folder = folder.is_dir()
        except (OSError, RuntimeError, ValueError):  # it isn't there; links in a circle; characters of no file's name
            if not self._is_under_a_root(Path(os.path.normpath(named))):
                raise outside from None  # of what is elsewhere, it isn't told whether it is there
            raise UnprovenError("the folder doesn't exist") from None
        if not self._is_under_a_root(folder):
            raise outside
        if not is_folder:
            raise UnprovenError("the folder doesn't exist")
        for top in (folder, *folder.parents):
            if not self._is_under_a_root(top):
                break
            if os.path.lexists(top / ".git"):
                return folder, top
        raise UnprovenError("the folder isn't in a git repository under a root of proxy.cache.roots")

    def _is_under_a_root(self, resolved: Path) -> bool:
        return any(resolved.is_relative_to(root) for root in self._roots)

    async def _is_inside(self, path: Path) -> bool:
        return await self._in_thread(lambda: self._is_under_a_root(path.resolve()))

    async def _learn_sizes(self, looks: Sequence[Look]) -> None:
        for look in with_submodules(looks):
            known = self._sizes.get(look.top, {})
            unknown = await self._in_thread(partial(_unknown, look, known))
            if not unknown:
                continue
            if sum(map(len, self._sizes.values())) + len(unknown) > SIZES_KEPT:
                self._sizes.clear()
            self._sizes[look.top] = known | await self._git.sizes(look.top, unknown)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """What `work` gives, which may hang in a file system: then it is left there."""

        def counted() -> T:
            if not self._threads.acquire(blocking=False):
                raise UnprovenError("the file system doesn't answer")
            try:
                return work()
            finally:
                self._threads.release()

        return await anyio.to_thread.run_sync(counted, abandon_on_cancel=True)


def _unknown(look: Look, sizes: Mapping[bytes, int]) -> list[bytes]:
    return list({entry.blob for entry in look.entries if entry.mode != GITLINK} - sizes.keys())
