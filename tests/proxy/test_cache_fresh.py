"""Answers about a workspace are given again only in the very same state of it: with real git repositories."""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from fixtures.messages_server import MessagesServer
from tests.proxy.caches import ask, kept, told
from tests.proxy.conftest import Running, Serving

pytestmark = pytest.mark.anyio

MISS, HIT = "mcp_hub; fwd=uri-miss", "mcp_hub; hit; kind=exact"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def git(folder: Path, *arguments: str) -> None:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    names = {f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env={**os.environ, **own, **names})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "shop"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("one = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def cache(repository: Path) -> dict[str, Any]:
    return {"roots": [str(repository.parent)]}


async def about(running: Running, folder: Path, **more: Any) -> httpx2.Response:
    """Ask as Claude Code does, which tells the folder in its system prompt."""
    system = f"You are an agent.\n<env>\nWorking directory: {folder}\nIs directory a git repo: Yes\n</env>"
    return await ask(running, "say what a.py does", system=system, **more)


async def test_an_unchanged_repository_is_a_hit_and_each_change_of_it_a_miss(
    proxied: Serving, upstream: MessagesServer, repository: Path, cache: dict[str, Any]
) -> None:
    changed = repository / "a.py"
    async with proxied(cache=cache) as running:
        assert told(await about(running, repository)) == MISS
        await kept(running, 1)
        assert told(await about(running, repository)) == HIT
        for count, text in enumerate(("one = 2\n", "one = 3\n"), start=2):  # the same file, the same size, twice
            changed.write_text(text)
            assert told(await about(running, repository)) == MISS
            await kept(running, count)
            assert told(await about(running, repository)) == HIT
        changed.write_text("one = 1\n")
        assert told(await about(running, repository)) == HIT
        (repository / "new.py").write_text("")
        assert told(await about(running, repository)) == MISS
        await kept(running, 4)
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", "second")
        assert told(await about(running, repository)) == MISS


async def test_a_folder_below_no_root_is_not_served(
    proxied: Serving, repository: Path, tmp_path: Path, upstream: MessagesServer
) -> None:
    async with proxied(cache={"roots": [str(tmp_path / "elsewhere")]}) as running:
        answers = [await about(running, repository) for _ in range(2)]
    assert {told(each) for each in answers} == {
        'mcp_hub; fwd=bypass; detail="the folder isn\'t under a root of proxy.cache.roots"'
    }
    assert len(upstream.served) == 2


async def test_a_program_that_a_repository_names_is_not_run(
    proxied: Serving, repository: Path, tmp_path: Path, cache: dict[str, Any]
) -> None:
    marker = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(program))
    git(repository, "status")
    assert marker.exists()
    marker.unlink()
    async with proxied(cache=cache) as running:
        assert (await about(running, repository)).status_code == 200
    assert not marker.exists()


async def test_a_client_behind_another_proxy_is_not_taken_for_one_on_this_machine(
    proxied: Serving, repository: Path, cache: dict[str, Any], upstream: MessagesServer
) -> None:
    async with proxied(cache=cache) as running:
        answers = [
            await about(running, repository, x_forwarded_for="10.0.0.1"),
            await about(running, repository, x_real_ip="10.0.0.1"),
        ]
    assert all("another machine" in told(each) for each in answers)
