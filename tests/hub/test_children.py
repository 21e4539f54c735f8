"""Child processes: their environment, their log, their end."""

import os
import signal
import sys
from pathlib import Path

import anyio
import pytest
from inline_snapshot import snapshot

from mcp_hub.hub.children import Child, Children, NotStartableError
from mcp_hub.settings import ServerSettings
from tests.support import PATIENCE, alive

pytestmark = pytest.mark.anyio

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/home/x", "LANG": "C.UTF-8", "API_KEY": "s3cr3t", "HTTPS_PROXY": "p"}


def settings(code: str, **more: object) -> ServerSettings:
    return ServerSettings.model_validate({"command": [sys.executable, "-I", "-S", "-c", code], **more})


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path / "logs", ENVIRON)


async def line_of(child: Child) -> bytes:
    """The first line that a child writes on its stdout."""
    received = b""
    with anyio.fail_after(PATIENCE):
        while not received.endswith(b"\n"):
            await anyio.wait_readable(child.stdout)
            received += child.stdout.recv(4096)
    return received.strip()


def test_a_child_gets_path_home_locale_proxies_and_what_it_is_given(children: Children) -> None:
    given = children.environment(ServerSettings.model_validate({"command": ["x"], "env": {"TOKEN": "t"}}))
    assert given == {
        "PATH": ENVIRON["PATH"],
        "HOME": "/home/x",
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": "p",
        "TOKEN": "t",
    }


def test_env_pass_replaces_what_is_handed_on(children: Children) -> None:
    given = children.environment(ServerSettings.model_validate({"command": ["x"], "env_pass": ["API_KEY"]}))
    assert given["API_KEY"] == "s3cr3t"
    assert "HTTPS_PROXY" not in given


async def test_a_child_that_ends_with_its_stdin_is_given_the_time(children: Children, tmp_path: Path) -> None:
    marker = tmp_path / "tidied"
    code = f"import sys; print('up', flush=True); sys.stdin.read(); open({str(marker)!r}, 'w')"
    async with children.start("a", settings(code)) as child:
        assert await line_of(child) == b"up"
    assert marker.exists()
    assert child.process.returncode == 0
    await children.aclose()


async def test_a_child_that_ignores_its_stdin_is_terminated_with_its_own_children(children: Children) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(120)"
    )
    async with children.start("a", settings(code)) as child:
        grandchild = int(await line_of(child))
        assert alive(grandchild)
    assert child.process.returncode == -signal.SIGTERM
    with anyio.fail_after(PATIENCE):
        while alive(grandchild):
            await anyio.sleep(0.01)
    await children.aclose()


async def test_a_cancelled_start_leaves_no_child(children: Children) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with children.start("a", settings("import sys; sys.stdin.read()")):
            await anyio.sleep_forever()
    await children.aclose()


async def test_what_a_child_writes_on_stderr_is_kept_in_a_file_of_its_own(children: Children) -> None:
    code = "import sys; print('half a line', file=sys.stderr); sys.exit(4)"
    async with children.start("a", settings(code)) as child:
        with anyio.fail_after(PATIENCE):
            assert await child.exited() == 4
        assert child.last_words() == "half a line"
    assert "half a line" in children.log_of("a").read_text()
    assert children.log_of("a").stat().st_mode & 0o077 == 0
    await children.aclose()


async def test_last_words_hide_the_secrets_a_child_was_given(children: Children) -> None:
    code = "import os, sys; sys.exit('bad key ' + os.environ['KEY'])"
    async with children.start("a", settings(code, env={"KEY": "s3cr3t-key"})) as child:
        with anyio.fail_after(PATIENCE):
            await child.exited()
        assert child.last_words() == "bad key ***"
    await children.aclose()


async def test_last_words_hide_what_was_handed_on_too(tmp_path: Path) -> None:
    children = Children(tmp_path / "logs", {**ENVIRON, "API_KEY": "handed-on-key"})
    code = "import os, sys; sys.exit('bad key ' + os.environ['API_KEY'])"
    async with children.start("a", settings(code, env_pass=["API_KEY"])) as child:
        with anyio.fail_after(PATIENCE):
            await child.exited()
        assert child.last_words() == "bad key ***"
    await children.aclose()


async def test_last_words_of_an_earlier_start_are_not_told_again(children: Children) -> None:
    async with children.start("a", settings("import sys; sys.exit('the first time')")) as child:
        with anyio.fail_after(PATIENCE):
            await child.exited()
    async with children.start("a", settings("import sys; sys.exit(4)")) as child:
        with anyio.fail_after(PATIENCE):
            await child.exited()
        assert child.last_words() == ""
    await children.aclose()


async def test_a_log_that_cannot_be_kept_does_not_keep_a_server_from_working(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    children = Children(tmp_path / "logs", ENVIRON)
    async with children.start("a", settings("print('up', flush=True); import sys; sys.stdin.read()")) as child:
        assert await line_of(child) == b"up"
        assert child.last_words() == ""
    await children.aclose()


async def test_a_log_that_has_grown_is_set_aside(children: Children) -> None:
    log = children.log_of("a")
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 1_000_001)
    async with children.start("a", settings("pass")):
        pass
    assert log.stat().st_size < 1000
    assert log.with_suffix(".log.1").stat().st_size == 1_000_001
    await children.aclose()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            ["no-such-program"],
            snapshot(
                "Server 'a' can't start: there is no program 'no-such-program'. Install it, or correct "
                "servers.a.command in servers.toml."
            ),
        ),
        (
            [__file__],
            snapshot("Server 'a' can't start: 'FILE' isn't executable. Correct servers.a.command in servers.toml."),
        ),
    ],
)
async def test_what_cannot_be_started_names_the_key(children: Children, command: list[str], told: str) -> None:
    with pytest.raises(NotStartableError) as raised:
        async with children.start("a", ServerSettings.model_validate({"command": command})):
            pass
    assert raised.value.text.replace(__file__, "FILE") == told
    await children.aclose()
