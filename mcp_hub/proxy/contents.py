"""Reads the files that git's answers leave open, and makes one digest of both: the state of a workspace.

Blocking: for a thread. Above is `workspace`; below are files that anybody may have made: no link is followed, nothing
but a file is opened, and a limit stands on their number, their bytes and the time.
"""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mcp_hub.proxy.git import AS_USUAL, GITLINK, SECOND, Look, Times, UnprovenError, read_status, with_submodules

CHANGED_FILES = 1_000
"""Files that are read for one proof: more are hardly one person's work, and take a good part of the seconds."""

READ_BYTES = 64 << 20
"""Of all files that are read for one proof: 0.1 s from memory, about a second from a disk."""

CHUNK_BYTES = 1 << 20

CLOCK_TICK = 0.02
"""Seconds: twice the longest tick of Linux's clock for files (CONFIG_HZ=100). Within one, two changes of a file may
leave the same times."""

CHANGED, UNREADABLE = "a file changed while it was read", "a changed file can't be read"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not to wait for whoever writes into a FIFO that has taken the file's place."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""No file is there, or one of its folders is a link now: then git calls it deleted."""


class Reading:
    """Reads, in a thread, what git's answers leave open. `deadline` is of time.monotonic()."""

    def __init__(self, sizes: Mapping[Path, Mapping[bytes, int]], deadline: float) -> None:
        self._sizes = sizes
        self._deadline = deadline
        self._files = 0
        self._bytes = 0

    def digest(self, places: Sequence[tuple[Path, Path]], looks: Sequence[Look]) -> str:
        """Of folders with their top levels, and of what git says of these. Raises UnprovenError."""
        for folder, top in places:
            _check_seen(folder, next(look for look in looks if look.top == top))
        for submodule in with_submodules([inner for look in looks for inner in look.submodules]):
            if self._differing(submodule):
                raise UnprovenError("a submodule has changes")
        differing = [(look, sorted(self._differing(look))) for look in looks]
        files = [(look.top, path) for look, paths in differing for path in paths]
        before = self._settled(files)
        digest = hashlib.sha256()
        for folder, top in places:
            _add(digest, os.fsencode(folder), os.fsencode(top))
        for look, paths in differing:
            status = read_status(look.status)
            _add(digest, os.fsencode(look.top), status.commit, status.branch, look.index, b"%d" % len(paths))
            for path in paths:
                _add(digest, path, *self._read(look.top, path, before[look.top, path]))
        if before != {file: self._times(*file) for file in files}:
            raise UnprovenError(CHANGED)
        return digest.hexdigest()

    def _differing(self, look: Look) -> set[bytes]:
        """The files whose content neither HEAD nor the index tells.

        Git may call a file clean that isn't what its blob is: if line endings or $Id$ are converted, by an attribute or
        by the user's own configuration. Both only make a file longer, so one as long as its blob is its blob. And it
        may overlook a change within the second: see TIMES.
        """
        differing = set(read_status(look.status).changed)
        encoded = set(look.encoded.split(b"\0"))
        sizes = self._sizes.get(look.top, {})
        top = os.fsencode(look.top) + b"/"
        for (tag, mode, blob, path), times in zip(look.entries, look.known_times, strict=True):
            self._check_time()
            if mode != GITLINK and (
                tag != AS_USUAL or path in encoded or not _is_blob(top + path, sizes.get(blob), times)
            ):
                differing.add(path)
        return differing

    def _settled(self, files: Sequence[tuple[Path, bytes]]) -> dict[tuple[Path, bytes], tuple[int, ...]]:
        """The times of all files, when the clock has gone on since the last change: the next one will differ."""
        for wait in (CLOCK_TICK, 0):
            times = {file: self._times(*file) for file in files}
            newest = max((each[-1] for each in times.values() if each), default=0)
            if time.time_ns() - newest > CLOCK_TICK * SECOND:
                return times
            time.sleep(wait)
        raise UnprovenError(CHANGED)

    def _times(self, top: Path, path: bytes) -> tuple[int, ...]:
        """What is different after a change, the time of the last one at the end; () where no file is there."""
        self._check_time()
        try:
            with _parent(top, path) as (parent, name):
                return _times_of(os.stat(name, dir_fd=parent, follow_symlinks=False))
        except OSError as error:
            if error.errno in _ABSENT:
                return ()
            raise UnprovenError(UNREADABLE) from None

    def _read(self, top: Path, path: bytes, expected: tuple[int, ...]) -> tuple[bytes, bytes]:
        """A file's mode and what is in it: the SHA-256 of a file, the target of a link."""
        if not expected:
            return b"", b""
        try:
            with _parent(top, path) as (parent, name):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
                mode = b"%o" % found.st_mode
                if stat.S_ISLNK(found.st_mode):
                    return mode, os.readlink(name, dir_fd=parent)
                if stat.S_ISDIR(found.st_mode):
                    return mode, b""  # in a file's place; what is in it is untracked, and told as that
                if stat.S_ISREG(found.st_mode):
                    return mode, self._content(name, parent, expected)
        except OSError as error:
            raise UnprovenError(CHANGED if error.errno in _ABSENT else UNREADABLE) from None
        raise UnprovenError("a changed file is neither a file nor a link")

    def _content(self, name: bytes, parent: int, expected: tuple[int, ...]) -> bytes:
        self._files += 1
        if self._files > CHANGED_FILES:
            raise UnprovenError(f"more than {CHANGED_FILES} files are changed")
        content = hashlib.sha256()
        file = os.open(name, _FILE, dir_fd=parent)
        try:
            if _times_of(os.fstat(file)) != expected:
                raise UnprovenError(CHANGED)
            while chunk := os.read(file, CHUNK_BYTES):
                self._check_time()
                self._bytes += len(chunk)
                if self._bytes > READ_BYTES:
                    raise UnprovenError(f"the changed files have more than {READ_BYTES >> 20} MiB")
                content.update(chunk)
        finally:
            os.close(file)
        return content.digest()

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise UnprovenError("reading the files took too long")


def _check_seen(folder: Path, look: Look) -> None:
    """Whether git looks into the folder: it doesn't if it is ignored, or the repository's own data."""
    if folder == look.top:
        return
    inside = os.fsencode(folder.relative_to(look.top)) + b"/"
    untracked = read_status(look.status).changed
    if not any(path.startswith(inside) for path in untracked) and not any(
        entry.path.startswith(inside) for entry in look.entries
    ):
        raise UnprovenError("the folder is empty, or git ignores it")


def _add(digest: "hashlib._Hash", *fields: bytes) -> None:
    """Fields with their lengths, so that what is in one can't look like the next."""
    for each in fields:
        digest.update(b"%d:" % len(each))
        digest.update(each)


def _is_blob(path: bytes, size: int | None, times: Times) -> bool:
    """Whether a file that git calls clean is its blob, of `size` bytes; git knows of it that it had these times."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    changed, modified = found.st_ctime_ns, found.st_mtime_ns // SECOND
    same_to_git = (changed // SECOND, modified) == (times.changed // SECOND, times.modified)
    # where mtime is of that second too, git looks into the file because of that
    overlooked = same_to_git and changed != times.changed and modified != changed // SECOND
    return found.st_size == size and not overlooked


def _times_of(found: os.stat_result) -> tuple[int, ...]:
    identity = (found.st_dev, found.st_ino, found.st_mode, found.st_size)
    return (*identity, found.st_mtime_ns, found.st_ctime_ns)


@contextmanager
def _parent(top: Path, path: bytes) -> Iterator[tuple[int, bytes]]:
    """The folder that a file is in, opened, and its name there. No link is followed on the way down from `top`."""
    *folders, name = path.split(b"/")
    at = os.open(top, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at, name
    finally:
        os.close(at)
