"""Commands that write and read servers.toml: what is in the file afterwards, who may read it, whether it counts."""

import json
import os
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.store.trust import TrustStore
from tests.cli.commands import BARE, mcp_hub
from tests.cli.running import wrong
from tests.support import FIXTURES, ROOT, LineHub

COMMENTED = """\
# The servers of the team.
[servers.one]  # the first
command = ["one"]

[hub]
idle_stop = 60  # a minute
"""


@pytest.fixture
def users(state: Path, tmp_path: Path) -> Path:
    """Where the user's servers.toml is, or would be."""
    return tmp_path / "config" / "mcp_hub" / "servers.toml"


@pytest.fixture
def store(state: Path) -> TrustStore:
    return TrustStore(state)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def servers(path: Path) -> dict[str, Any]:
    """The servers in a file."""
    found: dict[str, Any] = tomllib.loads(path.read_text()).get("servers", {})
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def trusted(path: Path, store: TrustStore) -> bool | None:
    return store.trusts(path, path.read_bytes())


class TestInit:
    def test_the_users_file_is_written_to_start_from_and_only_they_can_read_it(self, users: Path, empty: Path) -> None:
        done = mcp_hub("init", cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{users} was written. Add servers in it, or with `mcp_hub add` and `mcp_hub import`.\n"
        assert "# [servers.github]" in users.read_text()
        assert mode(users) == 0o600
        assert list(empty.iterdir()) == []

    def test_what_was_written_is_in_force(self, users: Path, empty: Path) -> None:
        mcp_hub("init", cwd=empty)
        done = mcp_hub("check", cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"No server is switched on in {users}.\n", "")

    def test_a_projects_file_is_trusted_at_once(self, store: TrustStore, users: Path, empty: Path) -> None:
        done = mcp_hub("init", "--scope", "project", cwd=empty)
        file = empty / "servers.toml"
        assert (done.returncode, done.stdout.startswith(f"{file} was written.")) == (0, True)
        assert trusted(file, store) is True
        assert not users.exists()

    def test_the_user_is_asked_for_even_beside_a_projects_file(self, users: Path, empty: Path) -> None:
        write(empty / "servers.toml", COMMENTED)
        assert mcp_hub("init", "--scope", "user", cwd=empty).returncode == 0
        assert users.exists()
        assert (empty / "servers.toml").read_text() == COMMENTED

    @pytest.mark.usefixtures("state")
    def test_a_named_file_is_written_where_it_is_named(self, users: Path, empty: Path) -> None:
        assert mcp_hub("init", "--config", "deep/er/mine.toml", cwd=empty).returncode == 0
        assert (empty / "deep/er/mine.toml").exists()
        assert not users.exists()

    def test_the_file_that_the_variable_names_is_written(self, users: Path, empty: Path) -> None:
        assert mcp_hub("init", cwd=empty, MCP_HUB_CONFIG=str(empty / "mine.toml")).returncode == 0
        assert (empty / "mine.toml").exists()
        assert not users.exists()

    def test_a_file_that_is_there_is_left_alone(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        done = mcp_hub("init", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"mcp_hub: {users}: is there already; edit it, or use `mcp_hub add`.\n"
        assert users.read_text() == COMMENTED

    @pytest.mark.usefixtures("state")
    def test_an_unknown_scope_is_refused(self, empty: Path) -> None:
        done = mcp_hub("init", "--scope", "world", cwd=empty)
        assert done.returncode == 2
        assert wrong(done) == "Invalid value for '--scope': 'world' is not one of 'user', 'project'."


class TestAdd:
    def test_what_follows_two_dashes_is_the_command_with_all_its_options(self, users: Path, empty: Path) -> None:
        done = mcp_hub("add", "files", "--", "npx", "-y", "files", "--env", "A=1", "--help", cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"files was added to {users}. `mcp_hub check` connects to it.\n"
        assert servers(users) == {"files": {"command": ["npx", "-y", "files", "--env", "A=1", "--help"]}}
        assert mode(users) == 0o600
        assert [each.name for each in users.parent.iterdir()] == ["servers.toml"]

    def test_every_option_of_a_command_is_written(self, users: Path, empty: Path) -> None:
        options = ("-e", "A=1", "--env", "B=x=y ", "--cwd", "here", "--description", "Files, read", "--timeout", "2.5")
        assert mcp_hub("add", "files", *options, "--", "prog", cwd=empty).returncode == 0
        assert users.read_text() == snapshot("""\
[servers.files]
command = ["prog"]
env = { A = "1", B = "x=y " }
cwd = "here"
description = "Files, read"
timeout = 2.5
""")

    def test_a_url_comes_with_headers(self, users: Path, empty: Path) -> None:
        headers = ("-H", "Authorization: Bearer ${SEARCH_TOKEN}", "--header", "X-At:a:b")
        assert mcp_hub("add", "search", "https://example.com/mcp", *headers, cwd=empty).returncode == 0
        assert users.read_text() == snapshot("""\
[servers.search]
url = "https://example.com/mcp"
headers = { Authorization = "Bearer ${SEARCH_TOKEN}", X-At = "a:b" }
""")

    def test_a_variable_need_not_be_set_yet(self, users: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOT_SET_HERE", raising=False)
        done = mcp_hub("add", "a", "-e", "KEY=${NOT_SET_HERE}", "--", "prog", "--key=${NOT_SET_HERE}", cwd=empty)
        assert done.returncode == 0
        assert servers(users)["a"] == {"command": ["prog", "--key=${NOT_SET_HERE}"], "env": {"KEY": "${NOT_SET_HERE}"}}

    def test_a_variables_value_is_never_written(
        self, users: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOKEN", "s3cr3t-value")
        done = mcp_hub("add", "a", "https://example.com/mcp", "-H", "Authorization: ${TOKEN}", cwd=empty)
        assert "s3cr3t-value" not in users.read_text() + done.stdout + done.stderr

    def test_what_is_in_the_file_stays_as_it_is(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert users.read_text() == f'{COMMENTED}\n[servers.two]\ncommand = ["two"]\n'

    def test_check_connects_to_it(self, users: Path, empty: Path) -> None:
        command = [sys.executable, "-I", "-S", str(FIXTURES / "bare_server.py"), "--tools", "3"]
        mcp_hub("add", "bare", "--", *command, cwd=empty)
        (row,) = json.loads(mcp_hub("check", "--json", cwd=empty).stdout)["servers"]
        assert (row["name"], row["state"], row["tools"]) == ("bare", "ready", 3)

    def test_a_name_that_is_taken_is_refused_with_its_line(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        done = mcp_hub("add", "one", "--", "other", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"mcp_hub: {users}:2: [servers.one] is there already. Remove it first, or choose another name.\n"
        )
        assert users.read_text() == COMMENTED

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (
                ("1st", "--", "x"),
                "[servers.1st] the server name '1st' must start with a letter and hold only letters, digits, "
                "'-' and '_'.",
            ),
            (
                ("ONE", "--", "x"),
                "[servers.ONE] the server names 'one' and 'ONE' would be the same name in a program; rename one "
                "of them.",
            ),
            (("a", "--timeout", "-1", "--", "x"), "[servers.a.timeout] should be greater than 0."),
            (("a", "--timeout", "0", "--", "x"), "[servers.a.timeout] should be greater than 0."),
            (("a", "http://x/", "--env", "A=1"), "[servers.a] env can't be used with url."),
            (("a", "--header", "A: 1", "--", "x"), "[servers.a] headers can't be used with command."),
            (
                ("a", "http://"),
                "[servers.a.url] must be a URL: http:// or https://, a host, and a port from 1 to 65535 if any.",
            ),
            (
                ("a", "http://x/", "--header", "A:"),
                "[servers.a.headers] the header 'A' must be printable ASCII, without blanks or line ends around it.",
            ),
        ],
        ids=["name", "same name", "timeout", "no timeout", "env with URL", "header with command", "URL", "header"],
    )
    def test_what_would_not_be_valid_is_told_and_not_written(
        self, arguments: tuple[str, ...], problem: str, users: Path, empty: Path
    ) -> None:
        write(users, COMMENTED)
        done = mcp_hub("add", *arguments, cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        place, _, told = done.stderr.rstrip().partition(": [")
        assert f"[{told}" == problem
        assert place.startswith(f"mcp_hub: {users}:")
        assert users.read_text() == COMMENTED

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("a", "--env", "A", "--", "x"), "Invalid value: --env 'A' must be NAME=VALUE."),
            (("a", "--env", "=1", "--", "x"), "Invalid value: --env '=1' must be NAME=VALUE."),
            (("a", "http://x/", "--header", "A=1"), "Invalid value: --header 'A=1' must be NAME:VALUE."),
            (("a", "http://x/", "--header", ": 1"), "Invalid value: --header ': 1' must be NAME:VALUE."),
            (("a", "--timeout", "soon", "--", "x"), "Invalid value for '--timeout': 'soon' is not a valid float."),
            (("a",), "Missing argument 'URL | -- COMMAND [ARGUMENT]...'."),
            (("a", "--"), "Missing argument 'URL | -- COMMAND [ARGUMENT]...'."),
            (("a", "npx", "-y", "x"), "No such option '-y'."),
        ],
    )
    def test_a_command_line_that_cannot_be_read_writes_nothing(
        self, arguments: tuple[str, ...], problem: str, users: Path, empty: Path
    ) -> None:
        done = mcp_hub("add", *arguments, cwd=empty)
        assert (done.returncode, wrong(done)) == (2, problem)
        assert not users.exists()

    def test_a_malformed_file_is_told_with_its_line_and_left_alone(self, users: Path, empty: Path) -> None:
        text = '[servers.one]\ncommand = ["one"]\n[servers\n'
        write(users, text)
        done = mcp_hub("add", "two", "--", "two", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"mcp_hub: {users}:3: this isn't TOML: ")
        assert users.read_text() == text

    def test_a_file_that_is_wrong_already_is_told_with_its_line_and_left_alone(self, users: Path, empty: Path) -> None:
        text = '[servers.one]\ncomand = ["one"]\n'
        write(users, text)
        done = mcp_hub("add", "two", "--", "two", cwd=empty)
        assert done.returncode == 2
        assert (
            done.stderr == f"mcp_hub: {users}:2: [servers.one.comand] unknown key 'comand'. Did you mean 'command'?\n"
        )
        assert users.read_text() == text

    def test_a_file_that_is_not_utf_8_is_told_and_left_alone(self, users: Path, empty: Path) -> None:
        write(users, "").write_bytes(b"# caf\xe9\n")
        done = mcp_hub("add", "two", "--", "two", cwd=empty)
        assert (done.returncode, done.stderr) == (2, f"mcp_hub: {users}: isn't UTF-8; save the file as UTF-8.\n")
        assert users.read_bytes() == b"# caf\xe9\n"

    def test_a_value_that_is_not_utf_8_is_told_and_not_written(self, users: Path, empty: Path) -> None:
        done = mcp_hub("add", "a", "--", os.fsdecode(b"caf\xe9"), cwd=empty)
        assert (done.returncode, done.stderr) == (
            2,
            f"mcp_hub: {users}: a value can't be written in UTF-8. Leave it out.\n",
        )
        assert not users.exists()

    def test_a_folder_in_the_files_place_is_told(self, users: Path, empty: Path) -> None:
        users.mkdir(parents=True)
        done = mcp_hub("add", "a", "--", "x", cwd=empty)
        assert (done.returncode, done.stderr) == (2, f"mcp_hub: {users}: can't be read: Is a directory.\n")

    @pytest.mark.usefixtures("state")
    def test_a_folder_that_cannot_be_made_is_told(self, empty: Path) -> None:
        write(empty / "file", "")
        done = mcp_hub("add", "a", "--config", "file/servers.toml", "--", "x", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("mcp_hub: ")
        assert str(empty / "file") in done.stderr

    @pytest.mark.usefixtures("state")
    @pytest.mark.skipif(os.geteuid() == 0, reason="issue 2: root may write anywhere")
    def test_a_folder_that_cannot_be_written_is_told_and_the_file_is_whole(self, empty: Path) -> None:
        file = write(empty / "servers.toml", COMMENTED)
        empty.chmod(0o500)
        try:
            done = mcp_hub("add", "two", "--", "two", cwd=empty)
        finally:
            empty.chmod(0o700)
        assert (done.returncode, "Permission denied" in done.stderr) == (2, True)
        assert file.read_text() == COMMENTED

    def test_a_write_that_fails_leaves_the_file_whole_and_nothing_beside_it(
        self, users: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(users, COMMENTED)

        def full(self: Path, target: Path) -> Path:
            raise OSError(28, "No space left on device", str(target))

        monkeypatch.setattr(Path, "replace", full)
        done = mcp_hub("add", "two", "--", "two", cwd=empty)
        assert (done.returncode, "No space left on device" in done.stderr) == (2, True)
        assert users.read_text() == COMMENTED
        assert [each.name for each in users.parent.iterdir()] == ["servers.toml"]


class TestWhichFile:
    """Where `add` writes, and whether it counts afterwards."""

    def test_the_projects_file_if_it_is_trusted(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        project = write(empty / "servers.toml", "")
        mcp_hub("trust", cwd=empty)
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert list(servers(project)) == ["two"]
        assert users.read_text() == COMMENTED

    def test_the_users_file_if_it_is_asked_for(self, users: Path, empty: Path) -> None:
        project = write(empty / "servers.toml", "")
        assert mcp_hub("add", "two", "--scope", "user", "--", "two", cwd=empty).returncode == 0
        assert list(servers(users)) == ["two"]
        assert project.read_text() == ""

    def test_a_new_projects_file_is_trusted_at_once(self, store: TrustStore, users: Path, empty: Path) -> None:
        assert mcp_hub("add", "two", "--scope", "project", "--", "two", cwd=empty).returncode == 0
        assert trusted(empty / "servers.toml", store) is True
        assert mode(empty / "servers.toml") == 0o600
        assert not users.exists()

    def test_a_trusted_file_stays_trusted(self, store: TrustStore, empty: Path) -> None:
        file = write(empty / "servers.toml", COMMENTED)
        mcp_hub("trust", cwd=empty)
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert "two" in servers(file)
        assert trusted(file, store) is True

    def test_what_lies_in_the_working_directory_untrusted_gets_no_secrets(self, users: Path, empty: Path) -> None:
        project = write(empty / "servers.toml", "")
        assert mcp_hub("add", "two", "-e", "TOKEN=s3cr3t", "--", "two", cwd=empty).returncode == 0
        assert project.read_text() == ""
        assert "s3cr3t" in users.read_text()

    def test_an_untrusted_file_that_is_asked_for_stays_untrusted(self, store: TrustStore, empty: Path) -> None:
        file = write(empty / "servers.toml", COMMENTED)
        assert mcp_hub("add", "two", "--scope", "project", "--", "two", cwd=empty).returncode == 0
        assert "two" in servers(file)
        assert trusted(file, store) is None

    def test_a_file_that_changed_since_it_was_trusted_stays_untrusted(self, store: TrustStore, empty: Path) -> None:
        file = write(empty / "servers.toml", COMMENTED)
        mcp_hub("trust", cwd=empty)
        write(file, f'{COMMENTED}[servers.slipped_in]\ncommand = ["x"]\n')
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert trusted(file, store) is False

    def test_a_link_stays_a_link_and_its_target_is_changed(self, users: Path, empty: Path) -> None:
        target = write(empty / "dotfiles" / "servers.toml", COMMENTED)
        users.parent.mkdir(parents=True)
        users.symlink_to(target)
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert users.is_symlink()
        assert "two" in servers(target)

    def test_a_file_keeps_its_mode(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED).chmod(0o640)
        assert mcp_hub("add", "two", "--", "two", cwd=empty).returncode == 0
        assert mode(users) == 0o640

    @pytest.mark.usefixtures("state")
    def test_the_named_file_and_no_other(self, users: Path, empty: Path) -> None:
        project = write(empty / "servers.toml", COMMENTED)
        for name in ("one", "two"):
            assert mcp_hub("add", name, "--config", "mine.toml", "--", "x", cwd=empty).returncode == 0
        assert list(servers(empty / "mine.toml")) == ["one", "two"]
        assert project.read_text() == COMMENTED
        assert not users.exists()


class TestRemove:
    def test_a_server_goes_and_the_rest_stays(self, users: Path, empty: Path) -> None:
        write(users, f'{COMMENTED}\n[servers.two]\ncommand = ["two"]\n')
        done = mcp_hub("remove", "two", cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"two was taken out of {users}.\n", "")
        assert users.read_text() == COMMENTED

    def test_it_goes_from_the_projects_file_first_then_from_the_users(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        project = write(empty / "servers.toml", COMMENTED)
        assert mcp_hub("remove", "one", cwd=empty).returncode == 0
        assert (list(servers(project)), list(servers(users))) == ([], ["one"])
        assert mcp_hub("remove", "one", cwd=empty).returncode == 0
        assert (list(servers(project)), list(servers(users))) == ([], [])

    def test_a_trusted_file_stays_trusted_and_an_untrusted_one_untrusted(self, store: TrustStore, empty: Path) -> None:
        file = write(empty / "servers.toml", COMMENTED)
        mcp_hub("trust", cwd=empty)
        mcp_hub("remove", "one", cwd=empty)
        assert trusted(file, store) is True
        write(file, f"{COMMENTED}# changed\n")
        mcp_hub("remove", "one", cwd=empty)
        assert (servers(file), trusted(file, store)) == ({}, False)

    def test_check_no_longer_sees_it(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        mcp_hub("remove", "one", cwd=empty)
        done = mcp_hub("check", cwd=empty)
        assert (done.returncode, done.stdout) == (0, f"No server is switched on in {users}.\n")

    def test_a_named_file_is_the_only_one_that_is_looked_in(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        write(empty / "mine.toml", '[servers.two]\ncommand = ["two"]\n')
        done = mcp_hub("remove", "one", "--config", "mine.toml", cwd=empty)
        assert (done.returncode, done.stderr) == (
            2,
            f"mcp_hub: There is no server 'one' in {empty / 'mine.toml'}.\n",
        )
        assert users.read_text() == COMMENTED


@pytest.mark.parametrize("command", ["remove", "enable", "disable"])
class TestUnknownServer:
    """What `remove`, `enable` and `disable` say of a server that isn't there."""

    def test_the_nearest_of_both_files_is_offered(self, command: str, users: Path, empty: Path) -> None:
        write(users, '[servers.github]\ncommand = ["x"]\n')
        project = write(empty / "servers.toml", '[servers.gitlab]\ncommand = ["x"]\n')
        done = mcp_hub(command, "gitlub", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"mcp_hub: There is no server 'gitlub' in {users} or {project}. Did you mean ")
        assert "gitlab" in done.stderr
        assert "github" in done.stderr

    def test_nothing_is_offered_where_nothing_is(self, command: str, users: Path, empty: Path) -> None:
        done = mcp_hub(command, "a", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"mcp_hub: There is no server 'a' in {users} or {empty / 'servers.toml'}.\n"
        assert not users.exists()
        assert list(empty.iterdir()) == []

    def test_a_malformed_file_is_told_with_its_line(self, command: str, users: Path, empty: Path) -> None:
        write(users, "[servers.one]\ncommand = [\n")
        done = mcp_hub(command, "one", cwd=empty)
        assert done.returncode == 2
        assert done.stderr.startswith(f"mcp_hub: {users}:3: this isn't TOML: ")


class TestEnableAndDisable:
    def test_off_and_on_again_is_the_same_file(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        off = mcp_hub("disable", "one", cwd=empty)
        assert (off.returncode, off.stdout, off.stderr) == (0, f"one is switched off in {users}.\n", "")
        assert servers(users)["one"] == {"command": ["one"], "enabled": False}
        on = mcp_hub("enable", "one", cwd=empty)
        assert (on.returncode, on.stdout, on.stderr) == (0, f"one is switched on in {users}.\n", "")
        assert users.read_text() == COMMENTED

    def test_twice_is_as_once(self, users: Path, empty: Path) -> None:
        write(users, COMMENTED)
        assert [mcp_hub("disable", "one", cwd=empty).returncode for _ in range(2)] == [0, 0]
        once = users.read_text()
        assert once.count("enabled = false") == 1
        assert [mcp_hub("enable", "one", cwd=empty).returncode for _ in range(2)] == [0, 0]
        assert users.read_text() == COMMENTED

    def test_the_projects_file_goes_first(self, users: Path, store: TrustStore, empty: Path) -> None:
        write(users, COMMENTED)
        project = write(empty / "servers.toml", COMMENTED)
        mcp_hub("trust", cwd=empty)
        assert mcp_hub("disable", "one", cwd=empty).returncode == 0
        assert servers(project)["one"]["enabled"] is False
        assert trusted(project, store) is True
        assert users.read_text() == COMMENTED

    @pytest.mark.usefixtures("state")
    def test_check_leaves_a_server_alone_that_is_off_and_connects_when_it_is_on(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(BARE % "one" + BARE % "two"))
        mcp_hub("disable", "one", "--config", config, cwd=empty)
        rows = json.loads(mcp_hub("check", "--json", "--config", config, cwd=empty).stdout)["servers"]
        assert [row["name"] for row in rows] == ["two"]
        mcp_hub("enable", "one", "--config", config, cwd=empty)
        rows = json.loads(mcp_hub("check", "--json", "--config", config, cwd=empty).stdout)["servers"]
        assert [(row["name"], row["state"]) for row in rows] == [("one", "ready"), ("two", "ready")]


@pytest.mark.usefixtures("state")
class TestTrust:
    def test_a_found_file_is_left_alone_until_it_is_trusted_and_again_when_it_changes(
        self, servers_toml: Callable[[str], Path], tmp_path: Path
    ) -> None:
        config = servers_toml(BARE % "one")
        untrusted = mcp_hub("check", cwd=tmp_path)
        assert f"{config} was found and left alone, because it isn't trusted yet" in untrusted.stderr
        assert "No server is configured. Looked for" in untrusted.stdout

        trusted = mcp_hub("trust", cwd=tmp_path)
        assert trusted.returncode == 0
        assert "bare_server.py --tools 2" in trusted.stdout
        assert "ready" in mcp_hub("check", cwd=tmp_path).stdout

        config.write_text(config.read_text() + "# changed\n")
        changed = mcp_hub("check", cwd=tmp_path)
        assert "has changed since it was trusted" in changed.stderr
        assert changed.stdout.startswith("No server is configured. Looked for")

    def test_an_agent_is_told_of_a_file_that_was_left_alone(
        self, servers_toml: Callable[[str], Path], tmp_path: Path, state: Path
    ) -> None:
        servers_toml(BARE % "one")
        hub = LineHub(None, state, tmp_path)
        hub.initialize()
        assert "was found and left alone" in hub.call("listToolFiles")
        assert hub.close() == 0

    def test_what_a_file_starts_is_shown_without_its_secrets(
        self, servers_toml: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOKEN", "s3cr3t")
        servers_toml('[servers.a]\ncommand = ["prog", "--token=${TOKEN}"]\n')
        shown = mcp_hub("trust", cwd=tmp_path)
        assert "prog --token=${TOKEN}" in shown.stdout
        assert "s3cr3t" not in shown.stdout + shown.stderr

    def test_every_server_is_shown_in_a_line_and_what_a_terminal_would_act_on_is_escaped(self, empty: Path) -> None:
        file = write(
            empty / "servers.toml",
            '[servers.a]\ncommand = ["prog", "\\u001b[2K\\rharmless"]\n'
            '[servers.search]\nurl = "https://example.com/mcp"\nenabled = false\n',
        )
        shown = mcp_hub("trust", cwd=empty)
        assert (shown.returncode, shown.stderr) == (0, "")
        first, *rest = shown.stdout.splitlines()
        assert first == f"{file} is trusted as it is now. It starts or connects to:"
        assert rest == snapshot(
            ["  a       prog \\x1b[2K\\rharmless", "  search  https://example.com/mcp  (switched off)"]
        )

    def test_a_file_without_servers_starts_nothing(self, empty: Path) -> None:
        file = write(empty / "servers.toml", "[hub]\nidle_stop = 1\n")
        shown = mcp_hub("trust", cwd=empty)
        assert shown.stdout == f"{file} is trusted as it is now. It starts or connects to nothing.\n"

    def test_another_folders_file_can_be_trusted_and_counts_there(self, empty: Path, store: TrustStore) -> None:
        elsewhere = write(empty / "elsewhere" / "servers.toml", COMMENTED)
        here = write(empty / "servers.toml", COMMENTED)
        assert mcp_hub("trust", "elsewhere/servers.toml", cwd=empty).returncode == 0
        assert (trusted(elsewhere, store), trusted(here, store)) == (True, None)

    def test_what_is_no_toml_is_not_trusted(self, tmp_path: Path, store: TrustStore) -> None:
        file = write(tmp_path / "servers.toml", "[servers\n")
        done = mcp_hub("trust", cwd=tmp_path)
        assert done.returncode == 2
        assert "servers.toml:1: this isn't TOML" in done.stderr
        assert trusted(file, store) is None

    def test_a_file_that_is_not_there_is_told(self, empty: Path) -> None:
        done = mcp_hub("trust", cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "mcp_hub: servers.toml: can't be read: No such file or directory.\n"

    def test_a_state_folder_that_cannot_be_written_is_told(self, empty: Path) -> None:
        write(empty / "servers.toml", COMMENTED)
        write(empty / "file", "")
        done = mcp_hub("trust", cwd=empty, MCP_HUB_STATE_DIR=str(empty / "file" / "state"))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("mcp_hub: ")
        assert str(empty / "file") in done.stderr


class TestSchema:
    def test_it_accepts_the_example_and_refuses_a_misspelt_key(self, empty: Path) -> None:
        from jsonschema import Draft202012Validator

        done = mcp_hub("config", "schema", cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        validator = Draft202012Validator(json.loads(done.stdout))
        assert validator.is_valid(tomllib.loads((ROOT / "servers.toml").read_text()))
        assert not validator.is_valid({"servers": {"a": {"comand": ["x"]}}})

    def test_every_key_that_a_person_writes_is_described(self, empty: Path) -> None:
        schema = json.loads(mcp_hub("config", "schema", cwd=empty).stdout)
        server = schema["$defs"]["ServerSettings"]["properties"]
        assert [key for key, told in server.items() if key != "tools" and not told.get("description")] == []
