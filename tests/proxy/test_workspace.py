"""A workspace's state: every change is another one, what is undone is the former one, and a doubt is no proof."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from blockbuster import blockbuster_ctx

from mcp_hub.proxy.workspace import PATH_CHARACTERS, UnprovenError, Workspaces
from tests.git_repositories import GIT, Repository, watched_git
from tests.support import PATIENCE, wait_until_gone

pytestmark = pytest.mark.anyio

HERE = {"PATH": os.environ["PATH"]}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "roots" / "repository")


@pytest.fixture
def workspaces(tmp_path: Path) -> Workspaces:
    return Workspaces([tmp_path / "roots"], HERE, PATIENCE)


async def reason(workspaces: Workspaces, *folders: Path | str) -> str:
    with pytest.raises(UnprovenError) as raised:
        await workspaces.state([str(folder) for folder in folders])
    assert raised.value.text.isascii()
    return raised.value.text


def edited(repository: Repository) -> Callable[[], object]:
    repository.write("a.txt", "two\n")
    return lambda: repository.write("a.txt", "one\n")


def edited_again(repository: Repository) -> Callable[[], object]:
    repository.write("dirty.txt", "b\n")
    return lambda: repository.write("dirty.txt", "a\n")


def added(repository: Repository) -> Callable[[], object]:
    path = repository.write("new/file", "")
    return path.unlink


def added_with_an_odd_name(repository: Repository) -> Callable[[], object]:
    path = repository.write("\udcff \t\u00e9\n\"'", "")
    return path.unlink


def deleted(repository: Repository) -> Callable[[], object]:
    (repository.folder / "a.txt").unlink()
    return lambda: repository.write("a.txt", "one\n")


def renamed(repository: Repository) -> Callable[[], object]:
    path = repository.folder / "a.txt"
    path.rename(repository.folder / "b.txt")
    return lambda: (repository.folder / "b.txt").rename(path)


def made_executable(repository: Repository) -> Callable[[], object]:
    repository.configure(core__fileMode="false")
    path = repository.folder / "a.txt"
    mode = path.stat().st_mode
    path.chmod(0o755)
    return lambda: path.chmod(mode)


def made_a_link(repository: Repository) -> Callable[[], object]:
    path = repository.folder / "a.txt"
    path.unlink()
    path.symlink_to("one\n")

    def undo() -> None:
        path.unlink()
        repository.write("a.txt", "one\n")

    return undo


def link_changed(repository: Repository) -> Callable[[], object]:
    path = repository.folder / "link"
    path.unlink()
    path.symlink_to("b.txt")

    def undo() -> None:
        path.unlink()
        path.symlink_to("a.txt")

    return undo


def link_made_a_file(repository: Repository) -> Callable[[], object]:
    repository.configure(core__symlinks="false")
    path = repository.folder / "link"
    path.unlink()
    repository.write("link", "a.txt")

    def undo() -> None:
        path.unlink()
        path.symlink_to("a.txt")

    return undo


def staged(repository: Repository) -> Callable[[], object]:
    repository.git("add", "dirty.txt")
    return lambda: repository.git("reset", "--quiet", "--mixed")


def staged_and_undone_in_the_worktree(repository: Repository) -> Callable[[], object]:
    repository.write("a.txt", "two\n")
    repository.git("add", "a.txt")
    repository.write("a.txt", "one\n")
    return lambda: repository.git("reset", "--quiet", "--mixed")


def committed(repository: Repository) -> Callable[[], object]:
    repository.git("commit", "--quiet", "--allow-empty", "-m", "Another")
    return lambda: repository.git("reset", "--quiet", "--soft", "HEAD^")


def on_another_branch(repository: Repository) -> Callable[[], object]:
    repository.git("checkout", "--quiet", "-b", "other")
    return lambda: repository.git("checkout", "--quiet", "main")


def detached(repository: Repository) -> Callable[[], object]:
    repository.git("checkout", "--quiet", "--detach")
    return lambda: repository.git("checkout", "--quiet", "main")


CHANGES = (
    edited,
    edited_again,
    added,
    added_with_an_odd_name,
    deleted,
    renamed,
    made_executable,
    made_a_link,
    link_changed,
    link_made_a_file,
    staged,
    staged_and_undone_in_the_worktree,
    committed,
    on_another_branch,
    detached,
)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_another_state_and_undone_the_former_one(
    repository: Repository, workspaces: Workspaces, change: Callable[[Repository], Callable[[], object]]
) -> None:
    (repository.folder / "link").symlink_to("a.txt")
    repository.commit()
    repository.write("dirty.txt", "a\n")
    folder = [str(repository.folder)]
    before = await workspaces.state(folder)
    undo = change(repository)
    assert await workspaces.state(folder) != before
    undo()
    assert await workspaces.state(folder) == before


async def test_what_git_was_told_not_to_look_at_is_looked_at(repository: Repository, workspaces: Workspaces) -> None:
    for bit in ("--assume-unchanged", "--skip-worktree"):
        repository.git("update-index", bit, "a.txt")
        before = await workspaces.state([str(repository.folder)])
        repository.write("a.txt", f"{bit}\n")
        assert repository.git("status", "--porcelain") == ""
        assert await workspaces.state([str(repository.folder)]) != before


async def test_what_a_file_monitor_hides_is_seen(repository: Repository, workspaces: Workspaces) -> None:
    monitor = repository.write(".git/monitor", "#!/bin/sh\nprintf 'token\\0'\n")
    monitor.chmod(0o755)
    repository.configure(core__fsmonitor=str(monitor), core__untrackedCache="true")
    for _ in range(2):
        repository.git("status")
    before = await workspaces.state([str(repository.folder)])
    repository.write("a.txt", "another\n")
    repository.write("new.txt", "")
    assert repository.git("status", "--porcelain", "--untracked-files=no") == ""
    edited = await workspaces.state([str(repository.folder)])
    assert edited != before
    (repository.folder / "new.txt").unlink()
    assert await workspaces.state([str(repository.folder)]) not in (before, edited)


def age(repository: Repository) -> None:
    """Have the index say that its first file was changed long ago."""
    index = repository.folder / ".git/index"
    content = index.read_bytes()
    aged = content[:12] + (1).to_bytes(4, "big") + content[16:-20]
    index.write_bytes(aged + hashlib.sha1(aged).digest())


@pytest.mark.parametrize("setting", ["core.trustctime=false", "core.checkStat=minimal"])
@pytest.mark.parametrize("long_ago", [True, False])
async def test_an_edit_that_leaves_length_and_time_is_seen(
    repository: Repository, workspaces: Workspaces, setting: str, long_ago: bool
) -> None:
    path = repository.folder / "a.txt"
    os.utime(path, (0, 0))
    repository.git("config", *setting.split("="))
    repository.git("update-index", "--refresh")
    if long_ago:
        age(repository)
    before = await workspaces.state([str(repository.folder)])
    with path.open("r+") as file:
        file.write("eno\n")
    os.utime(path, (0, 0))
    assert repository.git("status", "--porcelain") == ""
    assert await workspaces.state([str(repository.folder)]) != before


async def test_what_a_setting_hides_is_seen(repository: Repository, workspaces: Workspaces, tmp_path: Path) -> None:
    ignored = tmp_path / "ignored"
    ignored.write_text("hidden\n")
    repository.configure(core__excludesFile=str(ignored), core__ignoreCase="true", status__showUntrackedFiles="no")
    states = {await workspaces.state([str(repository.folder)])}
    for name in ("hidden", "A.txt"):
        repository.write(name, "")
        assert repository.git("status", "--porcelain", "--untracked-files=all") == ""
        states.add(await workspaces.state([str(repository.folder)]))
    assert len(states) == 3


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("text=auto", b"x\ny\n", b"x\r\ny\n"),
        ("text=auto", b"x\r\ny\n", b"x\ny\r\n"),
        ("ident", b"$Id$\n", b"$Id: it $\n"),
        (
            "working-tree-encoding=UTF-16",
            "\ufeff\u4e16\u754c".encode("utf-16-be"),
            "\ufeff\u4e16\u754c".encode("utf-16-le"),
        ),
    ],
)
async def test_contents_that_are_one_to_git_are_two_states(
    repository: Repository, workspaces: Workspaces, attribute: str, one: bytes, other: bytes
) -> None:
    repository.write(".gitattributes", f"converted {attribute}\n")
    repository.write("converted", one)
    repository.commit()
    repository.git("status")
    before = await workspaces.state([str(repository.folder)])
    repository.write("converted", other)
    repository.git("add", "converted")
    assert repository.git("status", "--porcelain") == ""
    assert await workspaces.state([str(repository.folder)]) != before


async def test_a_replaced_blob_is_what_its_id_says(repository: Repository, workspaces: Workspaces) -> None:
    repository.write(".gitattributes", "a.txt text=auto\n")
    repository.write("a.txt", "x\ny\n")
    repository.write("other", "12345")
    repository.commit()
    repository.git("replace", "HEAD:a.txt", "HEAD:other")
    states = set()
    for as_long_as_the_other in (b"x\r\ny\n", b"x\ny\r\n"):
        repository.write("a.txt", as_long_as_the_other)
        repository.git("add", "a.txt")
        states.add(await workspaces.state([str(repository.folder)]))
    assert len(states) == 2


async def test_ignored_files_dont_count_and_times_neither(repository: Repository, workspaces: Workspaces) -> None:
    repository.write(".gitignore", "ignored\n")
    before = await workspaces.state([str(repository.folder)])
    repository.write("ignored", "")
    os.utime(repository.folder / "a.txt", (0, 0))
    assert await workspaces.state([str(repository.folder)]) == before
    repository.git("status")
    assert await workspaces.state([str(repository.folder)]) == before


async def test_a_conflict_is_proven_with_all_its_stages(repository: Repository, workspaces: Workspaces) -> None:
    repository.git("checkout", "--quiet", "-b", "other")
    repository.write("a.txt", "two\n")
    repository.commit()
    repository.git("checkout", "--quiet", "main")
    repository.write("a.txt", "three\n")
    repository.commit()
    repository.git("merge", "other", check=False)
    conflict = await workspaces.state([str(repository.folder)])
    repository.write("a.txt", "two\n")
    assert await workspaces.state([str(repository.folder)]) != conflict


async def test_an_unborn_head_is_a_state(workspaces: Workspaces, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "new")
    unborn = await workspaces.state([str(repository.folder)])
    repository.commit()
    assert await workspaces.state([str(repository.folder)]) != unborn


async def test_the_folder_and_its_repository_are_part_of_the_state(
    workspaces: Workspaces, repository: Repository
) -> None:
    repository.write("inner/x", "")
    copy = repository.folder.with_name("copy")
    shutil.copytree(repository.folder, copy, symlinks=True)
    top, inner, other = str(repository.folder), str(repository.folder / "inner"), str(copy)
    named = [[top], [inner], [other], [top, other], [other, top], [top, inner], []]
    assert len({await workspaces.state(folders) for folders in named}) == len(named)
    before = await workspaces.state([other, inner])
    repository.write("a.txt", "two\n")
    assert await workspaces.state([other, inner]) != before


async def test_a_clean_submodule_is_proven_and_a_changed_one_isnt(
    repository: Repository, workspaces: Workspaces
) -> None:
    inner = Repository(repository.folder / "inner")
    repository.commit()
    clean = await workspaces.state([str(repository.folder)])
    new = inner.write("new", "")
    assert await reason(workspaces, repository.folder) == "a submodule has changes"
    new.unlink()
    inner.write("a.txt", "two\n")
    assert await reason(workspaces, repository.folder) == "a submodule has changes"
    inner.git("update-index", "--assume-unchanged", "a.txt")
    assert await reason(workspaces, repository.folder) == "a submodule has changes"
    inner.git("update-index", "--no-assume-unchanged", "a.txt")
    inner.commit()
    assert await reason(workspaces, repository.folder) == "a submodule has changes"
    repository.commit()
    assert await workspaces.state([str(repository.folder)]) != clean


async def test_a_repository_in_the_repository_that_isnt_a_submodule_is_unproven(
    repository: Repository, workspaces: Workspaces
) -> None:
    nested = Repository(repository.folder / "nested")
    assert await reason(workspaces, repository.folder) == (
        "there is a repository in the repository that isn't a submodule"
    )
    await workspaces.state([str(nested.folder)])


async def test_a_linked_worktree_is_proven_if_its_repository_is_under_a_root(
    repository: Repository, workspaces: Workspaces, tmp_path: Path
) -> None:
    repository.git("worktree", "add", "--quiet", "../linked")
    await workspaces.state([str(tmp_path / "roots/linked")])
    alone = Workspaces([tmp_path / "roots/linked"], HERE, PATIENCE)
    assert await reason(alone, tmp_path / "roots/linked") == (
        "the repository's data isn't under a root of proxy.cache.roots"
    )


async def test_a_worktree_elsewhere_is_unproven(repository: Repository, workspaces: Workspaces, tmp_path: Path) -> None:
    repository.configure(core__worktree=str(tmp_path))
    assert await reason(workspaces, repository.folder) == "the repository's worktree is elsewhere"


async def test_folders_that_git_doesnt_look_into_are_unproven(repository: Repository, workspaces: Workspaces) -> None:
    repository.write(".gitignore", "ignored\n")
    repository.write("ignored/x", "")
    for folder in ("ignored", ".git/hooks"):
        assert await reason(workspaces, repository.folder / folder) == "the folder is empty, or git ignores it"


async def test_folders_that_arent_under_a_root_are_unproven(
    repository: Repository, workspaces: Workspaces, tmp_path: Path
) -> None:
    outside = Repository(tmp_path / "outside")
    (tmp_path / "roots/link").symlink_to(outside.folder)
    (tmp_path / "roots-too").mkdir()
    for folder in (outside.folder, tmp_path / "roots/link", tmp_path / "roots/../outside", tmp_path / "roots-too"):
        assert await reason(workspaces, folder) == "the folder isn't under a root of proxy.cache.roots"
    (tmp_path / "way-in").symlink_to(repository.folder)
    assert await workspaces.state([str(tmp_path / "way-in")]) == await workspaces.state([str(repository.folder)])
    through_a_link = Workspaces([tmp_path / "roots/link"], HERE, PATIENCE)
    await through_a_link.state([str(outside.folder)])


async def test_a_folder_without_a_repository_under_a_root_is_unproven(
    repository: Repository, tmp_path: Path, workspaces: Workspaces
) -> None:
    (tmp_path / "roots/plain").mkdir()
    repository.git("init", "--quiet", "--bare", "../bare")
    inner = repository.write("inner/x", "").parent
    below = Workspaces([inner], HERE, PATIENCE)
    for asked, folder in ((workspaces, "plain"), (workspaces, "bare"), (below, "repository/inner")):
        assert await reason(asked, tmp_path / "roots" / folder) == (
            "the folder isn't in a git repository under a root of proxy.cache.roots"
        )


@pytest.mark.parametrize("folder", ["", "relative", "~", "C:\\x", "/nul\0", f"/{'x' * PATH_CHARACTERS}"])
async def test_what_isnt_an_absolute_path_is_unproven(workspaces: Workspaces, folder: str) -> None:
    assert "isn't an absolute one" in await reason(workspaces, folder)


@pytest.mark.parametrize("name", ["none", "\ud800", "x" * 300, "file", "a\nb"])
async def test_what_isnt_a_folder_is_unproven(workspaces: Workspaces, tmp_path: Path, name: str) -> None:
    (tmp_path / "roots").mkdir(exist_ok=True)
    (tmp_path / "roots" / "file").touch()
    assert await reason(workspaces, tmp_path / "roots" / name) == "the folder doesn't exist"


@pytest.mark.parametrize("folder", ["/no/such/folder", "/\ud800", __file__, "/a\nb"])
async def test_it_isnt_told_what_there_is_outside_of_the_roots(workspaces: Workspaces, folder: str) -> None:
    assert await reason(workspaces, folder) == "the folder isn't under a root of proxy.cache.roots"


async def test_more_folders_than_the_limit_are_unproven(workspaces: Workspaces) -> None:
    assert await reason(workspaces, *["/"] * 21) == "the request names more than 20 folders"


async def test_a_git_that_takes_too_long_is_killed_with_what_it_started(repository: Repository, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    _, environ = watched_git(tmp_path / "bin", f"cat {tmp_path}/never & echo $! >> {tmp_path}/pids; wait")
    slow = Workspaces([tmp_path / "roots"], environ, 0.5)
    assert await reason(slow, repository.folder) == "git and reading took longer than 0.5 seconds"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    assert await anyio.to_thread.run_sync(wait_until_gone, pids) == []


async def test_a_repository_whose_configuration_is_a_fifo_takes_no_longer(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.folder / ".git/config").unlink()
    os.mkfifo(repository.folder / ".git/config")
    slow = Workspaces([tmp_path / "roots"], HERE, 0.2)
    assert await reason(slow, repository.folder) == "git and reading took longer than 0.2 seconds"
    assert await reason(slow, repository.folder) == "its proof took too long a moment ago"
    assert "took longer" in await reason(slow, repository.folder, repository.folder)  # which are others


async def test_a_repository_above_the_folders_own_isnt_opened(workspaces: Workspaces, tmp_path: Path) -> None:
    Repository(tmp_path / "above")
    (tmp_path / "above/.git").rename(tmp_path / ".git")
    (tmp_path / ".git/config").unlink()
    os.mkfifo(tmp_path / ".git/config")
    (tmp_path / "roots/empty/.git").mkdir(parents=True)
    assert await reason(workspaces, tmp_path / "roots/empty") == (
        "git fails: the repository is damaged, or another user's"
    )


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        ("status", "echo more >> a.txt"),
        ("status", "echo > new"),
        ("stage", f"{GIT} update-index --assume-unchanged a.txt"),
    ],
)
async def test_a_change_between_gits_answers_is_unproven(
    repository: Repository, tmp_path: Path, asked: str, change: str
) -> None:
    second = f'case "$*" in *{asked}*) mkdir {tmp_path}/once || (cd "$2"; {change}) ;; esac 2> /dev/null'
    _, environ = watched_git(tmp_path / "bin", second)
    watched = Workspaces([tmp_path / "roots"], environ, PATIENCE)
    assert await reason(watched, repository.folder) == "the repository changed while it was looked at"


async def test_a_hundred_at_once_share_two_proofs_and_a_later_one_has_its_own(
    repository: Repository, tmp_path: Path
) -> None:
    log, environ = watched_git(tmp_path / "bin")
    watched = Workspaces([tmp_path / "roots"], environ, PATIENCE)
    states: list[str] = []

    async def ask() -> None:
        states.append(await watched.state([str(repository.folder)]))

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask)
    assert len(states) == 100
    assert len(set(states)) == 1
    proofs = log.read_text().count("rev-parse")
    assert proofs <= 2
    assert not watched._turns
    await ask()
    assert log.read_text().count("rev-parse") == proofs + 1


async def test_who_comes_during_a_proof_gets_what_was_changed_since_it_began(
    repository: Repository, tmp_path: Path
) -> None:
    """The first proof has seen everything when the file is changed; the second request comes after that."""
    os.mkfifo(tmp_path / "held")
    os.mkfifo(tmp_path / "go")
    hold = (
        f'case "$*" in *status*) echo >> {tmp_path}/count; '
        f'if [ $(wc -l < {tmp_path}/count) = 2 ]; then {GIT} "$@"; status=$?; '
        f"echo > {tmp_path}/held; read _ < {tmp_path}/go; exit $status; fi ;; esac"
    )
    _, environ = watched_git(tmp_path / "bin", hold)
    watched = Workspaces([tmp_path / "roots"], environ, PATIENCE)
    states: dict[str, str] = {}

    async def ask(name: str) -> None:
        states[name] = await watched.state([str(repository.folder)])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "first")
        await anyio.Path(tmp_path / "held").read_text()
        repository.write("a.txt", "two\n")
        tasks.start_soon(ask, "second")
        await anyio.Path(tmp_path / "go").write_text("\n")
    assert states["first"] != states["second"]
    assert states["second"] == await watched.state([str(repository.folder)])


async def test_one_who_leaves_during_a_proof_leaves_the_others_theirs(repository: Repository, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    hold = f"mkdir {tmp_path}/once 2> /dev/null && {{ echo > {tmp_path}/held; cat {tmp_path}/held; }}"
    _, environ = watched_git(tmp_path / "bin", hold)
    watched = Workspaces([tmp_path / "roots"], environ, PATIENCE)
    folder = [str(repository.folder)]
    states: list[str] = []

    async def ask() -> None:
        states.append(await watched.state(folder))

    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(watched.state, folder)
            await anyio.Path(tmp_path / "held").read_text()
            tasks.start_soon(ask)
            leaving.cancel_scope.cancel()
    assert states == [await watched.state(folder)]


async def test_the_event_loop_isnt_blocked(repository: Repository, workspaces: Workspaces) -> None:
    repository.write("a.txt", "two\n")
    Repository(repository.folder / "inner")
    repository.commit()
    with blockbuster_ctx(scanned_modules=["mcp_hub"]):
        await workspaces.state([str(repository.folder)])
