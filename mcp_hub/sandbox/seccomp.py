"""The kernel's seccomp filters for the zygote and its workers, assembled from tables of system calls.

Pure: processor in, a classic BPF program out; `confinement` hands it to the kernel. A filter sees a call's number and
its arguments as numbers, never what a pointer points to. Filters stack, the strictest answer counts, and a fork
inherits them. So the zygote's lists what may be called at all, and a worker's only takes something away: it is put
in force for every program, and a short one costs less.
"""

import errno
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
NOT_THERE = 0x00050000 | errno.ENOSYS
"""For a call that has an older form, which libc takes then."""

EVERY_BIT = 0xFFFFFFFF

SELF = 0xFFFFFFFF
"""As a value: the process that puts the filter in force. No process has this number."""


class Check(NamedTuple):
    """What an argument must be: its lower half, under `mask`, one of `values`; its upper half 0 if it is `wide`."""

    argument: int
    values: tuple[int, ...]
    mask: int = EVERY_BIT
    wide: bool = False


class Rule(NamedTuple):
    """The answer to a system call: `met` when every check holds, REFUSE otherwise."""

    checks: tuple[Check, ...] = ()
    met: int = ALLOW


class Processor(NamedTuple):
    """What differs between processors. `column` is its place in NUMBERS, `first_foreign` the first number of x32."""

    audit: int
    column: int
    first_foreign: int | None = None


PROCESSORS = {
    "x86_64": Processor(0xC000003E, 0, 0x40000000),
    "aarch64": Processor(0xC00000B7, 1),
}
"""By the name that the kernel gives; both have the lower half of an argument first in memory."""

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "close": (3, 57),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "fcntl": (72, 25),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "sendto": (44, 206),
    "shutdown": (48, 210),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "getsockopt": (55, 209),
    "socketpair": (53, 199),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "pause": (34, None),
    "brk": (12, 214),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "fork": (57, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "getpgrp": (111, None),
    "getpgid": (121, 155),
    "getsid": (124, 156),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "setpgid": (109, 154),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrandom": (318, 278),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "sched_yield": (24, 124),
    "getrusage": (98, 165),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
}
"""System call -> its number on x86_64 and on aarch64, where newer forms have taken the place of some."""

SIGKILL, SIGCHLD = 9, 17
AF_UNIX, SOCK_STREAM, SOCK_FLAGS = 1, 1, 0o2004000
PROT_EXEC = 4
CLONE_TIDS = 0x01200000
"""CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID: what libc's fork asks for."""
DESCRIPTOR_COMMANDS = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: none that names a process to be signalled."""
PR_SET_SECCOMP = 22

CONDITIONS: dict[str, Rule] = {
    "clone": Rule((Check(0, (SIGCHLD,), mask=~CLONE_TIDS & EVERY_BIT),)),  # a fork: no thread, no namespace
    "clone3": Rule(met=NOT_THERE),  # what it asks for stands behind a pointer
    "fcntl": Rule((Check(1, DESCRIPTOR_COMMANDS),)),
    "kill": Rule((Check(1, (SIGKILL,)),)),
    "mmap": Rule((Check(2, (0,), mask=PROT_EXEC),)),
    "mprotect": Rule((Check(2, (0,), mask=PROT_EXEC),)),
    "prctl": Rule((Check(0, (PR_SET_SECCOMP,)),)),  # for the worker's own filter
    "prlimit64": Rule((Check(0, (0,)),)),  # 0 is the process itself
    "sendto": Rule((Check(4, (0,), wide=True),)),  # to the other end, and to no address
    "socketpair": Rule((Check(0, (AF_UNIX,)), Check(1, (SOCK_STREAM,), mask=~SOCK_FLAGS & EVERY_BIT))),
}
"""The calls whose arguments count; the others in NUMBERS are allowed as they are."""

ZYGOTE: dict[str, Rule] = {name: CONDITIONS.get(name, Rule()) for name in NUMBERS}
"""What is answered at all: the rest is refused."""

WORKER: dict[str, Rule] = {
    "kill": Rule(met=REFUSE),
    "tkill": Rule((Check(0, (SELF,)),)),  # abort() is a signal to the process itself
    "tgkill": Rule((Check(0, (SELF,)),)),
    "recvmsg": Rule(met=REFUSE),
    "setpgid": Rule(met=REFUSE),  # the zygote ends a worker and its forks as a group
    "prctl": Rule(met=REFUSE),
}
"""What a worker loses on top of that: the rest stays as it was."""

LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
NUMBER_AT, PROCESSOR_AT, ARGUMENTS_AT = 0, 4, 16
"""Where `struct seccomp_data` has what a filter sees."""


PACKED, CONSTANT_AT = struct.Struct("=HBBI"), 4
"""An instruction in memory, and where in it the constant is."""


class Instruction(NamedTuple):
    """One of classic BPF: what to do, how many instructions to skip if the comparison holds and if not, a constant."""

    code: int
    held: int
    failed: int
    constant: int


def packed(program: Iterable[Instruction]) -> bytes:
    """A program as the kernel reads it."""
    return b"".join(PACKED.pack(*instruction) for instruction in program)


def places_of_self(program: Iterable[Instruction]) -> list[int]:
    """Where, in the packed program, the number of the process must be put that the filter is for."""
    return [
        PACKED.size * index + CONSTANT_AT
        for index, instruction in enumerate(program)
        if instruction.code == JUMP_IF_EQUAL and instruction.constant == SELF
    ]


def assemble(processor: Processor, rules: Mapping[str, Rule], otherwise: int) -> list[Instruction]:
    """The filter that answers calls by `rules`, the others with `otherwise`; a call of a foreign kind kills.

    Rules for calls that the processor hasn't are left out. Raises KeyError for a call that NUMBERS lacks.
    """
    program = [
        Instruction(LOAD, 0, 0, PROCESSOR_AT),
        Instruction(JUMP_IF_EQUAL, 1, 0, processor.audit),
        _return(KILL_PROCESS),
        Instruction(LOAD, 0, 0, NUMBER_AT),
    ]
    if processor.first_foreign is not None:
        program += [Instruction(JUMP_IF_AT_LEAST, 0, 1, processor.first_foreign), _return(KILL_PROCESS)]
    for name, rule in rules.items():
        number = NUMBERS[name][processor.column]
        if number is not None:
            answer = [*_checked(rule.checks), _return(rule.met)]
            program += [Instruction(JUMP_IF_EQUAL, 0, len(answer), number), *answer]
    return [*program, _return(otherwise)]


def _checked(checks: Iterable[Check]) -> list[Instruction]:
    """Goes on behind its end when every check holds."""
    program = []
    for check in checks:
        at = ARGUMENTS_AT + 8 * check.argument
        if check.wide:
            program += [Instruction(LOAD, 0, 0, at + 4), Instruction(JUMP_IF_EQUAL, 1, 0, 0), _return(REFUSE)]
        program.append(Instruction(LOAD, 0, 0, at))
        if check.mask != EVERY_BIT:
            program.append(Instruction(AND, 0, 0, check.mask))
        for left, value in zip(range(len(check.values), 0, -1), check.values, strict=True):
            program.append(Instruction(JUMP_IF_EQUAL, left, 0, value))
        program.append(_return(REFUSE))
    return program


def _return(answer: int) -> Instruction:
    return Instruction(RETURN, 0, 0, answer)
