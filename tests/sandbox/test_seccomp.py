"""The filters, answered by a simulator of classic BPF: what they allow, refuse and kill, for any call."""

import re
import signal
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.sandbox import seccomp
from mcp_hub.sandbox.seccomp import ALLOW, KILL_PROCESS, NUMBERS, PROCESSORS, REFUSE, WORKER, ZYGOTE, Check, Rule

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
WORDS = st.integers(0, 2**64 - 1)
ARGUMENTS = st.lists(WORDS, min_size=6, max_size=6)
NAMES = sorted(PROCESSORS)
LAST = 500
"""A number beyond every system call there is."""


def answered(program: list[seccomp.Instruction], audit: int, number: int, arguments: Iterable[int]) -> int:
    """What the kernel would answer a call."""
    data = struct.pack("=IIQ6Q", number, audit, 0, *arguments)
    accumulator, at = 0, 0
    while True:
        code, held, failed, constant = program[at]
        at += 1
        match code:
            case seccomp.LOAD:
                (accumulator,) = struct.unpack_from("=I", data, constant)
            case seccomp.AND:
                accumulator &= constant
            case seccomp.JUMP_IF_EQUAL:
                at += held if accumulator == constant else failed
            case seccomp.JUMP_IF_AT_LEAST:
                at += held if accumulator >= constant else failed
            case seccomp.RETURN:
                return constant
            case _:
                raise AssertionError(f"no such instruction: {code}")


def zygotes(call: str, *arguments: int, processor: str = "x86_64") -> int:
    """What the zygote's filter answers."""
    chosen = PROCESSORS[processor]
    number = NUMBERS[call][chosen.column]
    assert number is not None
    program = seccomp.assemble(chosen, ZYGOTE, REFUSE)
    return answered(program, chosen.audit, number, [*arguments, *[0] * (6 - len(arguments))])


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_are_the_kernels(name: str) -> None:
    if not HEADERS[name].exists():
        pytest.skip("issue 3: the kernel's headers aren't installed")
    defined: dict[str, int] = {}
    for call, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[name].read_text()):
        defined.setdefault(call, int(number))
    column = PROCESSORS[name].column
    assert {call: numbers[column] for call, numbers in NUMBERS.items()} == {call: defined.get(call) for call in NUMBERS}


@pytest.mark.parametrize("name", NAMES)
@given(number=st.integers(0, LAST), arguments=ARGUMENTS)
def test_what_no_rule_names_is_refused(name: str, number: int, arguments: list[int]) -> None:
    processor = PROCESSORS[name]
    if number not in {numbers[processor.column] for numbers in NUMBERS.values()}:
        assert answered(seccomp.assemble(processor, ZYGOTE, REFUSE), processor.audit, number, arguments) == REFUSE


@pytest.mark.parametrize("name", NAMES)
@given(call=st.sampled_from(sorted(ZYGOTE)), arguments=ARGUMENTS)
def test_a_rule_decides_by_its_checks(name: str, call: str, arguments: list[int]) -> None:
    processor, rule = PROCESSORS[name], ZYGOTE[call]
    number = NUMBERS[call][processor.column]
    if number is None:
        return
    holds = all(
        arguments[check.argument] % 2**32 & check.mask in check.values
        and not (check.wide and arguments[check.argument] >> 32)
        for check in rule.checks
    )
    found = answered(seccomp.assemble(processor, ZYGOTE, REFUSE), processor.audit, number, arguments)
    assert found == (rule.met if holds else REFUSE)


@pytest.mark.parametrize("name", NAMES)
@given(audit=st.integers(0, 2**32 - 1), number=st.integers(0, LAST))
def test_a_call_of_another_processor_kills(name: str, audit: int, number: int) -> None:
    processor = PROCESSORS[name]
    if audit != processor.audit:
        for rules, otherwise in ((ZYGOTE, REFUSE), (WORKER, ALLOW)):
            assert answered(seccomp.assemble(processor, rules, otherwise), audit, number, [0] * 6) == KILL_PROCESS


@given(number=st.integers(0x40000000, 2**32 - 1))
def test_an_x32_call_kills(number: int) -> None:
    processor = PROCESSORS["x86_64"]
    assert answered(seccomp.assemble(processor, ZYGOTE, REFUSE), processor.audit, number, [0] * 6) == KILL_PROCESS


@pytest.mark.parametrize("name", NAMES)
@given(number=st.integers(0, LAST), arguments=ARGUMENTS)
def test_a_workers_filter_only_takes_away(name: str, number: int, arguments: list[int]) -> None:
    processor = PROCESSORS[name]
    taken = {NUMBERS[call][processor.column] for call in WORKER}
    found = answered(seccomp.assemble(processor, WORKER, ALLOW), processor.audit, number, arguments)
    assert found in ((ALLOW, REFUSE) if number in taken else (ALLOW,))


def test_a_rule_of_several_checks_needs_them_all_and_any_value_will_do() -> None:
    processor = PROCESSORS["x86_64"]
    rules = {"read": Rule((Check(0, (1, 5, 9)), Check(1, (2,), wide=True)))}
    program = seccomp.assemble(processor, rules, REFUSE)

    def read(*arguments: int) -> int:
        return answered(program, processor.audit, 0, [*arguments, 0, 0, 0, 0])

    assert [read(value, 2) for value in (1, 5, 9)] == [ALLOW] * 3
    assert [read(0, 2), read(6, 2), read(1, 3), read(1, 2 + 2**32)] == [REFUSE] * 4
    assert read(1 + 2**32, 2) == ALLOW, "the kernel itself takes only the lower half"


def test_a_process_may_signal_itself_once_its_number_is_put_in() -> None:
    processor = PROCESSORS["x86_64"]
    program = seccomp.assemble(processor, WORKER, ALLOW)
    code = bytearray(seccomp.packed(program))
    for place in seccomp.places_of_self(program):
        struct.pack_into("=I", code, place, 4321)
    mended = [seccomp.Instruction(*each) for each in struct.iter_unpack("=HBBI", code)]

    def tgkill(pid: int) -> int:
        number = NUMBERS["tgkill"][0]
        assert number is not None
        return answered(mended, processor.audit, number, [pid, pid, signal.SIGABRT, 0, 0, 0])

    assert (tgkill(4321), tgkill(4322), tgkill(1)) == (ALLOW, REFUSE, REFUSE)
    assert [one == other for one, other in zip(program, mended, strict=True)].count(False) == 2


@pytest.mark.parametrize("name", NAMES)
def test_no_jump_is_too_long_and_none_leaves_the_program(name: str) -> None:
    for rules, otherwise in ((ZYGOTE, REFUSE), (WORKER, ALLOW)):
        program = seccomp.assemble(PROCESSORS[name], rules, otherwise)
        assert len(program) <= 4096
        for at, instruction in enumerate(program):
            assert max(instruction.held, instruction.failed) <= 255
            assert (
                at + 1 + max(instruction.held, instruction.failed) < len(program) or instruction.code == seccomp.RETURN
            )


@pytest.mark.skipif(sys.platform != "linux", reason="issue 3: the constants are Linux's")
def test_the_arguments_that_are_let_through_are_those_of_libc_and_python() -> None:
    flags = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    assert zygotes("socketpair", socket.AF_UNIX, flags) == ALLOW
    assert zygotes("socketpair", socket.AF_INET, socket.SOCK_STREAM) == REFUSE
    assert zygotes("socketpair", socket.AF_UNIX, socket.SOCK_DGRAM) == REFUSE
    assert zygotes("clone", 0x01200000 | signal.SIGCHLD) == ALLOW
    assert zygotes("clone", 0x3D0F00) == REFUSE, "a thread"
    assert zygotes("kill", 2**32 - 5, signal.SIGKILL) == ALLOW
    assert zygotes("kill", 5, signal.SIGSTOP) == REFUSE
    assert zygotes("clone3") == seccomp.NOT_THERE
    assert zygotes("sendto", 3, 4096, 1, 0, 2**40, 16) == REFUSE, "an address whose lower half is 0"
