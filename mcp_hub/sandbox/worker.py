"""The interpreter process: takes one program from its socket, runs it under the OS's limits, answers, ends.

Runs in a child that `zygote` forked, with nothing but that socket. Imports as little as it can.
"""

import resource
import select
import socket
import sys
from pathlib import Path

from mcp_hub.sandbox import protocol
from mcp_hub.sandbox.branches import Channel
from mcp_hub.sandbox.environment import Environment
from mcp_hub.sandbox.program import NOTES_BYTES, Limits, Program, release_reserve
from mcp_hub.sandbox.protocol import Frame

QUIET = 0.005
"""Seconds without a program before a worker rehearses: programs that follow each other closely leave no time for it,
and it would slow them."""

DESCRIPTORS = 256
"""Open at once: a socket for each branch that runs, a pipe for each guarded part."""


def serve(descriptor: int, environment: Environment, limits: Limits) -> None:
    """Take one job from the socket that `descriptor` is, run it in `environment`, answer it."""
    confine(limits)
    connection = socket.socket(fileno=descriptor)
    channel = Channel(connection)
    if not select.select([connection], [], [], QUIET)[0]:
        rehearse(environment, limits)
    program = Program(channel, environment, channel.receive(), limits)
    answer = program.run()
    release_reserve()
    try:
        program.flush()
        program.channel.send(answer)
        if not program.in_branch:
            connection.recv(1)  # ending is work too: the pool ends this process once the answer has gone out
    except OSError:
        return  # nobody has a use for the answer any more


class _Rehearsal(Channel):
    """Stands in for the pool: it answers each call and sends nothing."""

    def __init__(self) -> None:
        pass

    def send_bytes(self, frame: bytes) -> None:
        pass

    def receive(self, number: int = protocol.NO_ANSWER) -> Frame:  # noqa: ARG002
        return protocol.decode(b'{"type":"value","value":{"a":[1]}}')


def rehearse(environment: Environment, limits: Limits) -> None:
    """Run a program of our own: what is set up at first use is set up, what a fork copies is copied, unseen.

    What it defined is taken back.
    """
    code = "_rehearsed = _rehearsal.call(a=1)\nprint(_rehearsed)\n_rehearsed"
    namespaces = {"_rehearsal": ["call"]}
    job = {"code": code, "namespaces": namespaces, "unavailable": {}, "servers": ["_rehearsal"], "scripts": {}}
    Program(_Rehearsal(), environment, job, limits).run()
    for name in ("_rehearsed", "_rehearsal", "_tool_0"):
        environment.module[name] = None


def confine(limits: Limits) -> None:
    """Set the OS limits: the soft ones bound the program, the hard ones leave room to tell that it was ended.

    `base_bytes` in the limits is the address space that the worker began with.
    """
    cpu = int(limits["wall_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    if sys.platform == "linux":
        soft = limits["base_bytes"] + limits["memory_mib"] * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (soft, soft + NOTES_BYTES))


def address_space() -> int:
    """Bytes of address space this process has mapped; 0 where the OS doesn't tell."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
