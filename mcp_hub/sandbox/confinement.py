"""Confines the zygote and its workers by the kernel: no file, socket, program, or other process is in reach.

Owns the calls to the kernel; what a filter holds is in `seccomp`. Linux only. The zygote is restricted once, before
its first fork, and its workers inherit that; a worker takes one more filter, prepared here before the fork. Nothing is
imported lazily or opened from then on: what a worker needs, the zygote has. What a machine lacks stops nobody, and
is reported.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable

from mcp_hub.sandbox import seccomp

PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
"""System calls without a function in libc; the numbers are every processor's."""
LANDLOCK_CREATE_RULESET_VERSION = 1

FILE_RIGHTS = ((1, 0x1FFF), (2, 0x2000), (3, 0x4000), (5, 0x8000))
"""(Landlock's version that brings them, rights on files): from execute to make_sym; refer; truncate; ioctl_dev."""
TCP_RIGHTS = ((4, 0b11),)
"""bind and connect."""
SCOPES = ((6, 0b11),)
"""Abstract unix sockets and signals, which then don't leave the zygote and its workers."""

SYSTEMS = {"darwin": "macOS", "win32": "Windows"}

NUMBER = struct.Struct("=I")

CAPABILITY_VERSION_3 = 0x20080522

LIBC = ctypes.CDLL(None, use_errno=True)
if sys.platform == "linux":
    LIBC.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)


class _Program(ctypes.Structure):
    """A filter as the kernel takes it: `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class _Filter:
    """A filter in memory, ready to be put in force."""

    def __init__(self, program: list[seccomp.Instruction]) -> None:
        self._code = ctypes.create_string_buffer(seccomp.packed(program))
        self._own_numbers = seccomp.places_of_self(program)
        self._program = _Program(len(program), ctypes.addressof(self._code))
        self._address = ctypes.addressof(self._program)

    def restrict(self) -> None:
        """Put it in force for this process and its forks to come. Raises OSError when the kernel refuses."""
        own = os.getpid()
        for place in self._own_numbers:
            NUMBER.pack_into(self._code, place, own)
        _checked(LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._address, 0, 0))


def _processor() -> seccomp.Processor | None:
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None  # a 32-bit interpreter makes other system calls than its kernel's own
    return seccomp.PROCESSORS.get(os.uname().machine)


def _prepared(rules: dict[str, seccomp.Rule], otherwise: int) -> _Filter | None:
    processor = _processor()
    return None if processor is None else _Filter(seccomp.assemble(processor, rules, otherwise))


WORKER_FILTER = _prepared(seccomp.WORKER, seccomp.ALLOW)
"""A worker only writes its own number into it: each step after the fork is paid for by every program."""


def features() -> dict[str, str]:
    """What confines a worker -> "" where this machine has it, else the reason why not. Restricts nothing."""
    return {name: lacks() for name, (lacks, _) in FEATURES.items()}


def restrict_zygote() -> dict[str, str]:
    """Put everything in force that this machine has, for this process and its forks.

    What couldn't be put in force is returned, with the reason; nothing is raised.
    """
    missing = {}
    for name, (lacks, restrict) in FEATURES.items():
        reason = lacks()
        if not reason:
            try:
                restrict()
            except OSError as error:
                reason = _refused(error)
        if reason:
            missing[name] = reason
    return missing


def restrict_worker() -> None:
    """Take from this process, a fork of the restricted zygote, what only the zygote needs.

    Only where the zygote has seccomp in force. Raises OSError when the kernel refuses: the program must not run then.
    """
    if WORKER_FILTER is not None:
        WORKER_FILTER.restrict()


def _without_new_privileges() -> None:
    _checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _lacks_no_new_privileges() -> str:
    if reason := _other_system():
        return reason
    return _probed(lambda: LIBC.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), {errno.EINVAL: "this kernel is older than 3.5"})


def _without_capabilities() -> None:
    """Root's powers: to raise limits, to signal and read every process."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    nothing = bytes(24)  # effective, permitted and inheritable, twice 32 bits each
    _checked(LIBC.capset(header, nothing))


def _within_landlock() -> None:
    """Handle every right that this kernel's Landlock knows, and grant none."""
    version = landlock_version()
    handled = [
        sum(rights for since, rights in table if version >= since) for table in (FILE_RIGHTS, TCP_RIGHTS, SCOPES)
    ]
    attributes = struct.pack("=QQQ", *handled)
    ruleset = _system_call(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _system_call(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def landlock_version() -> int:
    """Which rights this kernel's Landlock knows. Raises OSError where there is none."""
    return _system_call(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)


def _lacks_landlock() -> str:
    if reason := _other_system():
        return reason
    words = {
        errno.ENOSYS: "this kernel has no Landlock",
        errno.EOPNOTSUPP: "Landlock is switched off in this kernel: it isn't in the list lsm= at its start",
    }
    return _probed(landlock_version, words)


def _within_filter() -> None:
    processor = _processor()
    assert processor is not None
    _Filter(seccomp.assemble(processor, seccomp.ZYGOTE, seccomp.REFUSE)).restrict()


def _lacks_seccomp() -> str:
    if reason := _other_system():
        return reason
    if _processor() is None:
        bits = " with a 32-bit Python" if sys.maxsize < 2**32 else ""
        return f"there is no filter for this processor: {os.uname().machine}{bits}"
    no_filter = 0  # a kernel that has filters finds none at this address, and nothing is put in force
    words = {errno.EINVAL: "this kernel has no seccomp filters", errno.EFAULT: ""}
    return _probed(lambda: LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, no_filter, 0, 0), words)


def _other_system() -> str:
    system: str = sys.platform
    return "" if system == "linux" else f"{SYSTEMS.get(system, system)} doesn't have it"


def _probed(probe: Callable[[], int], words: dict[int, str]) -> str:
    try:
        _checked(probe())
    except OSError as error:
        return words.get(error.errno or 0, _refused(error))
    return ""


def _refused(error: OSError) -> str:
    return f"the system refuses it ({error.strerror})"


def _system_call(number: int, *arguments: bytes | int | None) -> int:
    words = (ctypes.c_long(each) if isinstance(each, int) else each for each in (number, *arguments))
    return _checked(LIBC.syscall(*words))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


FEATURES: dict[str, tuple[Callable[[], str], Callable[[], None]]] = {
    "no_new_privileges": (_lacks_no_new_privileges, _without_new_privileges),
    "capabilities": (_other_system, _without_capabilities),
    "landlock": (_lacks_landlock, _within_landlock),
    "seccomp": (_lacks_seccomp, _within_filter),
}
"""What confines a worker -> why this machine lacks it, and how it is put in force; in this order, since the filter
refuses what the others take. An older Landlock knows no sockets and no signals: the filter refuses these too."""
