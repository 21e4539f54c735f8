"""What git is asked about a repository: no program of the repository's runs, and no answer is taken for another."""

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_hub.proxy.git import Look, UnprovenError, check_configuration, read_status
from mcp_hub.proxy.workspace import Workspaces
from tests.git_repositories import Repository, watched_git

pytestmark = pytest.mark.anyio

HEADER = b"# branch.oid 1234\0# branch.head main\0"

Trap = Callable[[Repository, Path], None]

_moments = count(1_000_000_000)


def program(repository: Repository, marker: Path, then: str = "exec cat") -> Path:
    """A program that leaves the marker, where a repository may bring it along."""
    path = repository.write(".git/program", f"#!/bin/sh\ntouch {marker}\n{then}\n")
    path.chmod(0o755)
    return path


def monitor(repository: Repository, marker: Path) -> None:
    repository.configure(core__fsmonitor=str(program(repository, marker)))


def monitor_in_an_included_file(repository: Repository, marker: Path) -> None:
    repository.write(".git/more", f"[core]\nfsmonitor = {program(repository, marker)}\n")
    repository.configure(include__path="more")


def hook(repository: Repository, marker: Path) -> None:
    program(repository, marker).rename(repository.folder / ".git/hooks/post-index-change")


def hook_elsewhere(repository: Repository, marker: Path) -> None:
    (repository.folder / "hooks").mkdir()
    program(repository, marker).rename(repository.folder / "hooks/post-index-change")
    repository.configure(core__hooksPath="hooks")


def filtered(repository: Repository) -> None:
    repository.write(".git/info/attributes", "* filter=X.y\n")


def clean_filter(repository: Repository, marker: Path) -> None:
    filtered(repository)
    repository.git("config", "filter.X.y.clean", str(program(repository, marker)))


def process_filter(repository: Repository, marker: Path) -> None:
    filtered(repository)
    repository.git("config", "filter.X.y.process", str(program(repository, marker)))


def filter_on_a_branch(repository: Repository, marker: Path) -> None:
    filtered(repository)
    repository.write(".git/more", f'[Filter "X.y"]\nCLEAN = {program(repository, marker)}\n')
    repository.git("config", "includeIf.onbranch:main.path", "more")


def filter_of_a_worktree(repository: Repository, marker: Path) -> None:
    filtered(repository)
    repository.configure(extensions__worktreeConfig="true")
    repository.git("config", "--worktree", "filter.X.y.clean", str(program(repository, marker)))


def missing_tree(repository: Repository, **remote: str) -> None:
    """A partial clone that lacks an object, so that git fetches it from the remote."""
    tree = repository.git("rev-parse", "HEAD^{tree}").strip()
    (repository.folder / ".git/objects" / tree[:2] / tree[2:]).unlink()
    repository.configure(extensions__partialClone="origin", remote__origin__promisor="true")
    repository.configure(**{f"remote__origin__{name}": value for name, value in remote.items()})


def transport_command(repository: Repository, marker: Path) -> None:
    repository.configure(protocol__ext__allow="always")
    missing_tree(repository, url=f"ext::{program(repository, marker, 'exit 1')}")


def ssh_command(repository: Repository, marker: Path) -> None:
    repository.configure(core__sshCommand=str(program(repository, marker, "exit 1")))
    missing_tree(repository, url="ssh://nowhere.invalid/x")


def upload_pack(repository: Repository, marker: Path) -> None:
    missing_tree(repository, url=str(repository.folder), uploadpack=str(program(repository, marker, "exit 1")))


def git_proxy(repository: Repository, marker: Path) -> None:
    repository.configure(core__gitProxy=str(program(repository, marker, "exit 1")))
    missing_tree(repository, url="git://nowhere.invalid/x")


def with_submodule(repository: Repository) -> Repository:
    inner = Repository(repository.folder / "inner")
    repository.commit()
    return inner


def monitor_in_a_submodule(repository: Repository, marker: Path) -> None:
    monitor(with_submodule(repository), marker)


def filter_in_a_submodule(repository: Repository, marker: Path) -> None:
    clean_filter(with_submodule(repository), marker)


def filter_in_a_submodules_submodule(repository: Repository, marker: Path) -> None:
    inner = with_submodule(repository)
    clean_filter(with_submodule(inner), marker)
    repository.commit()


TRAPS: tuple[Trap, ...] = (
    monitor,
    monitor_in_an_included_file,
    hook,
    hook_elsewhere,
    clean_filter,
    process_filter,
    filter_on_a_branch,
    filter_of_a_worktree,
    transport_command,
    ssh_command,
    upload_pack,
    git_proxy,
    monitor_in_a_submodule,
    filter_in_a_submodule,
    filter_in_a_submodules_submodule,
)
"""The ways found in which git status runs what a repository says."""


def provoke(repository: Repository) -> None:
    """Make git look into every file, since its times are others."""
    for path in repository.folder.rglob("a.txt"):
        os.utime(path, (0, next(_moments)))


async def state(repository: Repository, environ: dict[str, str] | None = None) -> str:
    """The state of a repository, or why it isn't proven."""
    try:
        return await Workspaces([repository.folder], environ or {"PATH": os.environ["PATH"]}).state(
            [str(repository.folder)]
        )
    except UnprovenError as error:
        return error.text


@pytest.mark.parametrize("trap", TRAPS)
async def test_nothing_that_git_status_would_run_is_run(tmp_path: Path, trap: Trap) -> None:
    repository = Repository(tmp_path / "repository")
    marker = tmp_path / "marker"
    trap(repository, marker)
    marker.unlink(missing_ok=True)
    provoke(repository)
    repository.git("status", check=False)
    assert marker.exists()
    marker.unlink()
    provoke(repository)
    await state(repository)
    assert not marker.exists()


@pytest.mark.parametrize("wall", ["GIT_NO_LAZY_FETCH", "GIT_ALLOW_PROTOCOL"])
async def test_either_of_two_walls_keeps_a_missing_object_from_being_fetched(tmp_path: Path, wall: str) -> None:
    """Gits before 2.39.4 don't know the first one."""
    repository = Repository(tmp_path / "repository")
    marker = tmp_path / "marker"
    transport_command(repository, marker)
    _, environ = watched_git(tmp_path / "bin", f"unset {wall}")
    await state(repository, environ)
    assert not marker.exists()


async def test_no_hook_is_run_even_by_a_git_that_writes_the_index(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    marker = tmp_path / "marker"
    hook(repository, marker)
    provoke(repository)
    _, environ = watched_git(tmp_path / "bin", "unset GIT_OPTIONAL_LOCKS")
    assert len(await state(repository, environ)) == 64
    assert not marker.exists()


async def test_a_program_called_git_in_the_repository_isnt_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "repository")
    marker = tmp_path / "marker"
    program(repository, marker).rename(repository.folder / "git")
    path = f".:{os.environ['PATH']}"
    monkeypatch.chdir(repository.folder)
    await anyio.run_process(["git", "status"], env={"PATH": path})
    assert marker.exists()
    marker.unlink()
    assert len(await state(repository, {"PATH": path})) == 64
    assert not marker.exists()


async def test_variables_of_git_arent_passed_on(tmp_path: Path) -> None:
    repository, other = Repository(tmp_path / "repository"), Repository(tmp_path / "other")
    before = await state(repository)
    other.write("new", "")
    assert await state(repository, {"PATH": os.environ["PATH"], "GIT_DIR": str(other.folder / ".git")}) == before


async def test_a_filter_that_is_configured_is_why_nothing_is_proven(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.git("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
    assert await state(repository) == "the repository configures a filter program"


async def test_a_repository_that_git_cant_read_is_told_from_one_that_isnt_there(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.write(".git/config", "[core\n")
    assert await state(repository) == "git fails: the repository is damaged, or another user's"
    assert await state(repository, {"PATH": str(tmp_path)}) == "there is no git on the PATH"


async def test_more_output_than_the_limit_ends_git(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    _, environ = watched_git(tmp_path / "bin", 'case "$*" in *ls-files*) exec yes ;; esac')
    assert await state(repository, environ) == "git wrote more than 16 MiB"


async def test_more_submodules_than_the_limit_arent_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "repository")
    with_submodule(repository)
    assert len(await state(repository)) == 64
    monkeypatch.setattr("mcp_hub.proxy.git.SUBMODULES", 0)
    assert await state(repository) == "there are more than 0 submodules"


async def test_the_index_isnt_written(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    provoke(repository)
    index = repository.folder / ".git/index"
    before = index.stat().st_ino, index.read_bytes()
    await state(repository)
    assert (index.stat().st_ino, index.read_bytes()) == before


@pytest.mark.parametrize("name", ["filter.x.clean", "filter.a.b.PROCESS.process", "filter.clean", "filter..smudge"])
def test_filters_are_found_whatever_they_are_called(name: str) -> None:
    with pytest.raises(UnprovenError, match="filter"):
        check_configuration(f"core.bare\nfalse\0{name}\nx\0".encode())


@pytest.mark.parametrize("name", ["filter.x.required", "filters.x.clean", "x.filter.clean", "core.clean"])
def test_other_settings_are_no_filters(name: str) -> None:
    check_configuration(f"{name}\nfilter.x.clean\0{name}\0".encode())


def test_a_status_is_read_to_its_last_field() -> None:
    read = read_status(
        HEADER
        + b"# branch.ab +? -?\0# later git\0"
        + b"1 .M N... 100644 100644 100644 aa aa with space\n and line\0"
        + b"u UU N... 100644 100644 100644 100644 aa bb cc both\0"
        + b"? new \xff\0"
    )
    assert read == (b"1234", b"main", (b"with space\n and line", b"both", b"new \xff"))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"", "form"),
        (HEADER[:-1], "form"),
        (b"# branch.oid 1234\0", "form"),
        (HEADER + b"2 R. N... 1 1 1 a b R100 x\0y\0", "form"),
        (HEADER + b"9 strange\0", "form"),
        (HEADER + b"1 .M S.M. 160000 160000 160000 aa aa inner\0", "a submodule has changes"),
        (HEADER + b"? nested/\0", "a repository in the repository"),
    ],
)
def test_a_status_that_proves_nothing_is_refused(output: bytes, reason: str) -> None:
    with pytest.raises(UnprovenError, match=reason):
        read_status(output)


@given(st.binary())
def test_any_output_is_read_or_refused(output: bytes) -> None:
    with suppress(UnprovenError):
        read_status(output)
    with suppress(UnprovenError):
        assert Look(Path("/"), b"", output, b"", b"").entries or not output


@pytest.mark.parametrize("path", [b"../x", b"a/../x", b"a/.."])
def test_an_index_that_leads_out_of_the_repository_is_refused(path: bytes) -> None:
    with pytest.raises(UnprovenError, match="outside"):
        _ = Look(Path("/"), b"", b"H 100644 aa 0\t%b\0" % path, b"", b"").entries


def test_dots_in_names_lead_nowhere() -> None:
    assert len(Look(Path("/"), b"", b"H 100644 aa 0\t..x/y../...\0", b"", b"").entries) == 1
