"""What the kernel keeps from a worker, tried from inside; and that whatever a machine lacks is told."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import psutil
import pytest

from mcp_hub.sandbox import confinement
from mcp_hub.sandbox.conversation import Job
from mcp_hub.sandbox.limits import Limits
from mcp_hub.sandbox.pool import Pool
from tests.sandbox import inside
from tests.support import PATIENCE, ROOT, command_of

LINUX = sys.platform == "linux"
MISSING = confinement.features()

pytestmark = pytest.mark.xdist_group("confinement")

needs_seccomp = pytest.mark.skipif(bool(MISSING["seccomp"]), reason=f"issue 3: {MISSING['seccomp']}")
needs_landlock = pytest.mark.skipif(bool(MISSING["landlock"]), reason=f"issue 3: {MISSING['landlock']}")
needs_linux = pytest.mark.skipif(not LINUX, reason="issue 3: only Linux can confine a worker so")

NOT_REFUSED_TO_THE_ZYGOTE = {
    "receive a descriptor",
    "end a process inside",
    "abort a process inside",
    "abort a process inside by its number",
    "leave the group",
    "change its filters",
}
REFUSALS = ("EPERM", "RuntimeError: can't start new thread")

ABORTED = "-6"
BAD_SYSTEM_CALL = "-31"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """How each attempt in `inside` went under what is in force: each way is tried once."""

    @cache
    def outcomes_under(mode: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.sandbox.inside", mode, str(tmp_path_factory.mktemp(mode))]
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=3 * PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return outcomes_under


Outcomes = Callable[[str], dict[str, Any]]


def freely(outcomes: Outcomes, attempt: str) -> str:
    """How an attempt goes without confinement; where the machine refuses it anyway nothing can be shown."""
    free: str = outcomes("free")["refused"][attempt]
    if free in REFUSALS:
        pytest.skip("issue 3: this machine refuses it to everybody")
    return free


@needs_seccomp
class TestWorker:
    @pytest.mark.parametrize("attempt", inside.REFUSED)
    def test_it_is_refused_what_others_may_do(self, outcomes: Outcomes, attempt: str) -> None:
        freely(outcomes, attempt)
        assert outcomes("worker")["refused"][attempt] in REFUSALS

    @pytest.mark.parametrize("attempt", sorted(inside.REFUSED.keys() - NOT_REFUSED_TO_THE_ZYGOTE))
    def test_the_zygote_is_refused_it_too(self, outcomes: Outcomes, attempt: str) -> None:
        freely(outcomes, attempt)
        assert outcomes("zygote")["refused"][attempt] in REFUSALS

    @pytest.mark.parametrize("attempt", sorted(NOT_REFUSED_TO_THE_ZYGOTE))
    def test_what_the_zygote_needs_is_left_to_it(self, outcomes: Outcomes, attempt: str) -> None:
        assert outcomes("zygote")["refused"][attempt] == "done"

    @pytest.mark.parametrize("attempt", inside.NEEDED)
    def test_it_can_do_what_a_program_needs(self, outcomes: Outcomes, attempt: str) -> None:
        assert outcomes("worker")["needed"][attempt] == "done"

    def test_without_limits_there_is_more_memory(self, outcomes: Outcomes) -> None:
        assert "more memory than allowed" in outcomes("free")["needed"]["reach the memory limit"]

    def test_its_end_is_told_as_it_was(self, outcomes: Outcomes) -> None:
        ends = outcomes("worker")["ends"]
        assert (ends["exit 7"], ends["abort"]) == ("7", ABORTED)

    @needs_linux
    def test_an_allocation_that_fails_in_the_interpreter_aborts_it(self, outcomes: Outcomes) -> None:
        assert outcomes("free")["ends"]["allocate too much in a program"] == "done"
        assert outcomes("worker")["ends"]["allocate too much in a program"] == ABORTED

    @pytest.mark.skipif(not LINUX or os.uname().machine != "x86_64", reason="issue 3: x86_64 has these calls alone")
    @pytest.mark.parametrize("foreign", ["call as x32", "call as 32-bit"])
    def test_a_call_with_other_numbers_ends_it(self, outcomes: Outcomes, foreign: str) -> None:
        assert outcomes("free")["ends"][foreign] != BAD_SYSTEM_CALL
        assert outcomes("worker")["ends"][foreign] == BAD_SYSTEM_CALL

    def test_nothing_is_missing_that_this_machine_has(self, outcomes: Outcomes) -> None:
        assert outcomes("worker")["missing"] == {name: reason for name, reason in MISSING.items() if reason}


@needs_landlock
class TestLandlockAlone:
    @pytest.mark.parametrize(
        "attempt",
        [
            "read a file",
            "write a file",
            "open the null device",
            "list a folder",
            "make a folder",
            "rename a file",
            "remove a file",
            "run a program",
            "start a program",
            "another process's memory as a file",
        ],
    )
    def test_it_keeps_files_out_of_reach(self, outcomes: Outcomes, attempt: str) -> None:
        freely(outcomes, attempt)
        assert outcomes("landlock")["refused"][attempt] == "EACCES"

    def test_from_its_fourth_version_on_it_keeps_tcp_out_of_reach(self, outcomes: Outcomes) -> None:
        if confinement.landlock_version() < 4:
            pytest.skip("issue 3: this kernel's Landlock knows no TCP")
        assert outcomes("free")["refused"]["connect by TCP"] == "ECONNREFUSED"
        assert outcomes("landlock")["refused"]["connect by TCP"] == "EACCES"

    @pytest.mark.parametrize("attempt", ["another process's memory", "trace another process"])
    def test_it_keeps_other_processes_memory_out_of_reach(self, outcomes: Outcomes, attempt: str) -> None:
        freely(outcomes, attempt)
        assert outcomes("landlock")["refused"][attempt] == "EPERM"

    @pytest.mark.parametrize(
        "attempt", ["signal another process", "signal another process's thread", "signal the first process"]
    )
    def test_from_its_sixth_version_on_it_keeps_signals_inside(self, outcomes: Outcomes, attempt: str) -> None:
        if confinement.landlock_version() < 6:
            pytest.skip("issue 3: this kernel's Landlock knows no signals")
        freely(outcomes, attempt)
        assert outcomes("landlock")["refused"][attempt] == "EPERM"


@pytest.mark.skipif(not LINUX or os.getuid() != 0, reason="issue 3: only root has capabilities to lose")
def test_without_capabilities_root_has_no_powers(outcomes: Outcomes) -> None:
    freely(outcomes, "change the root")
    assert outcomes("capabilities")["refused"]["change the root"] == "EPERM"


def status_of(pid: int) -> dict[str, str]:
    """What the kernel tells of a process."""
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def confined(pid: int) -> bool:
    """Whether the kernel says that a process has a worker's restrictions, beyond those of this one."""
    told, own = status_of(pid), status_of(os.getpid())
    filters, own_filters = (int(each.get("Seccomp_filters", 0)) for each in (told, own))
    more = filters >= own_filters + 2 or "Seccomp_filters" not in told  # before Linux 5.9 it isn't told
    return more and (told["Seccomp"], told["NoNewPrivs"], int(told["CapEff"], 16)) == ("2", "1", 0)


@needs_seccomp
@pytest.mark.anyio
async def test_the_pools_workers_are_confined() -> None:
    seen: list[int] = []

    async def look(*_: object) -> None:
        zygotes = [child for child in psutil.Process().children() if "sandbox.zygote" in command_of(child.pid)]
        workers = [worker.pid for zygote in zygotes for worker in zygote.children()]
        while not all(confined(pid) for pid in workers):  # one that was just forked is about to be
            await anyio.sleep(0.01)
        seen.extend(workers)

    with anyio.fail_after(PATIENCE):
        async with Pool(Limits()) as pool:
            run = await pool.run(Job("api.look()", {"api": ["look"]}, servers=["api"]), look)
    assert run.error is None
    assert seen
    assert not confined(os.getpid())


@pytest.mark.anyio
async def test_what_python_would_look_for_in_files_is_there() -> None:
    async def nothing(*_: object) -> None: ...

    code = "result = f'{1.5:.2f} \\N{EM DASH}'"  # the parser imports unicodedata for it
    with anyio.fail_after(PATIENCE):
        async with Pool(Limits()) as pool:
            run = await pool.run(Job(code, {}), nothing)
    assert (run.error, run.value) == (None, "1.50 —")


@needs_linux
def test_asking_what_there_is_restricts_nothing() -> None:
    def restrictions() -> list[str]:
        told = status_of(os.getpid())
        return [told[name] for name in ("Seccomp", "NoNewPrivs", "CapEff")]

    before = restrictions()
    confinement.features()
    assert restrictions() == before
    assert Path(__file__).exists()


class TestWhatIsMissing:
    @pytest.fixture(autouse=True)
    def _on_linux(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")

    def test_another_system_has_none_of_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        names = ("no_new_privileges", "capabilities", "landlock", "seccomp")
        assert confinement.features() == dict.fromkeys(names, "macOS doesn't have it")

    def test_a_processor_without_a_filter_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="riscv64"))
        assert confinement.features()["seccomp"] == "there is no filter for this processor: riscv64"

    def test_a_32_bit_interpreter_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="x86_64"))
        told = confinement.features()["seccomp"]
        assert told == "there is no filter for this processor: x86_64 with a 32-bit Python"

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (errno.ENOSYS, "this kernel has no Landlock"),
            (errno.EOPNOTSUPP, "Landlock is switched off in this kernel: it isn't in the list lsm= at its start"),
            (errno.EPERM, "the system refuses it (Operation not permitted)"),
        ],
    )
    def test_why_there_is_no_landlock_is_told(self, monkeypatch: pytest.MonkeyPatch, number: int, told: str) -> None:
        def refused() -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(confinement, "landlock_version", refused)
        assert confinement.features()["landlock"] == told

    @pytest.mark.parametrize(
        ("number", "told"),
        [
            (errno.EINVAL, "this kernel has no seccomp filters"),
            (errno.EPERM, "the system refuses it (Operation not permitted)"),
            (errno.EFAULT, ""),
        ],
    )
    def test_why_there_is_no_seccomp_is_told(self, monkeypatch: pytest.MonkeyPatch, number: int, told: str) -> None:
        def prctl(*_: int) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine="x86_64"))
        monkeypatch.setattr(confinement, "LIBC", SimpleNamespace(prctl=prctl, syscall=lambda *_: 7))
        assert confinement.features()["seccomp"] == told

    def test_what_is_refused_in_the_end_is_told_and_the_rest_is_put_in_force(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_force = []

        def refuse() -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        features: dict[str, tuple[Callable[[], str], Callable[[], None]]] = {
            "absent": (lambda: "it isn't there", lambda: in_force.append("absent")),
            "refused": (lambda: "", refuse),
            "there": (lambda: "", lambda: in_force.append("there")),
        }
        monkeypatch.setattr(confinement, "FEATURES", features)
        assert confinement.restrict_zygote() == {
            "absent": "it isn't there",
            "refused": "the system refuses it (Operation not permitted)",
        }
        assert in_force == ["there"]
