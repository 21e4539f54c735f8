"""What is measured: no proxy, this one, and LiteLLM's, each as its users start it; and the stand-in behind them all."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from bench.processes import ROOT, TERMINATE_GRACE, BenchError, tail
from bench.proxy.stand_in import MODEL

LITELLM = "litellm[proxy]==1.108.7"
LITELLM_FOLDER = ROOT / "build" / "litellm"

INSTALL_WAIT = 900.0
"""Seconds; it takes two minutes."""
START_WAIT = 120.0
"""Seconds until a proxy accepts connections; LiteLLM's takes some twenty."""

CREDENTIAL = "the-stand-in-takes-any-credential"
KEY = "sk-bench-0123456789abcdef0123456789"


@dataclass(frozen=True)
class Contestant:
    """One that answers at `url`; `process` is None where there is no proxy."""

    name: str
    url: str
    process: psutil.Process | None

    def memory(self) -> int:
        """Bytes of resident memory, children included."""
        if self.process is None:
            return 0
        every = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_info().rss for each in every)


def install_litellm() -> Path:
    """LiteLLM's program, installed if it isn't. Raises BenchError."""
    program = LITELLM_FOLDER / "bin" / "litellm"
    stamp = LITELLM_FOLDER / "installed"
    if stamp.exists() and stamp.read_text() == LITELLM:
        return program
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(LITELLM_FOLDER)],
        [str(LITELLM_FOLDER / "bin" / "pip"), "install", "-q", LITELLM],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WAIT, check=False)
        if done.returncode:
            raise BenchError(f"{LITELLM} can't be installed: {done.stderr[-400:]}")
    stamp.write_text(LITELLM)
    return program


@contextmanager
def contestants(folder: Path, litellm: Path | None) -> Iterator[list[Contestant]]:
    """Direct, the hub's proxy, and LiteLLM's where its program is given; all of them end on the way out."""
    with ExitStack() as stack:
        upstream = stack.enter_context(stand_in(folder))
        every = [Contestant("direct", upstream, None), stack.enter_context(_hub(folder, upstream))]
        if litellm is not None:
            every.append(stack.enter_context(_litellm(folder, upstream, litellm)))
        yield every


@contextmanager
def stand_in(folder: Path) -> Iterator[str]:
    """A stand-in of the Messages API in a process of its own; gives its URL."""
    command = [sys.executable, "-m", "bench.proxy.stand_in"]
    with started(command, folder / "stand_in.log", {}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


@contextmanager
def _hub(folder: Path, upstream: str) -> Iterator[Contestant]:
    """With a key, caps on three tiers that are far away, and its ledger."""
    port = free_port()
    config = folder / "servers.toml"
    config.write_text(
        f"""
[proxy]
listen = "127.0.0.1:{port}"

[[proxy.upstreams]]
name = "anthropic"
url = "{upstream}"
credential = "{CREDENTIAL}"

[[proxy.keys]]
name = "bench"
key = "{KEY}"
team = "web"
budget_limit = 100_000
budget_duration = "1d"

[proxy.budgets.team.web]
budget_limit = 100_000
budget_duration = "1M"
token_limit = 100_000_000_000
token_limit_duration = "1M"

[proxy.budgets.upstream.anthropic]
request_limit = 1_000_000_000
request_limit_duration = "1h"
"""
    )
    command = [sys.executable, "-m", "mcp_hub", "proxy", "--config", str(config)]
    variables = {"MCP_HUB_STATE_DIR": str(folder / "state")}
    with started(command, folder / "hub.log", variables) as process:
        accepts(port, process, folder / "hub.log")
        yield Contestant("mcp_hub", f"http://127.0.0.1:{port}", psutil.Process(process.pid))


@contextmanager
def _litellm(folder: Path, upstream: str, program: Path) -> Iterator[Contestant]:
    """With its master key; it keeps keys, budgets and records in PostgreSQL only, so it has none of them here."""
    port = free_port()
    config = folder / "litellm.yaml"
    parameters = {"model": f"anthropic/{MODEL}", "api_base": upstream, "api_key": CREDENTIAL}
    settings = {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "general_settings": {"master_key": KEY},
        "litellm_settings": {"telemetry": False},
    }
    config.write_text(json.dumps(settings))  # which is YAML, too
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    variables = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "HOME": str(folder)}
    with started(command, folder / "litellm.log", variables) as process:
        accepts(port, process, folder / "litellm.log", path="/health/liveliness")
        yield Contestant("LiteLLM", f"http://127.0.0.1:{port}", psutil.Process(process.pid))


@contextmanager
def started(
    command: Sequence[str], log: Path, variables: dict[str, str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to `log`; it is ended on the way out."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout or errors,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, **variables},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TERMINATE_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int, process: subprocess.Popen[bytes], log: Path, path: str = "/") -> None:
    """Wait until a proxy answers. Raises BenchError when it ends, or takes too long."""
    until = time.monotonic() + START_WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise BenchError(f"{process.args!r} didn't come up; its log: {tail(log)}")
