"""runs lists what agents ran, runs show tells one of them, runs save makes a shared script of it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from mcp_hub.settings import JournalSettings
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.runs import Outcome, RecordedCall, RunStore
from tests.cli.commands import mcp_hub
from tests.cli.running import wrong

STARTED = RecordedCall(
    number=1,
    server="github",
    tool="list_issues",
    arguments='{"repo": "a"}',
    key="ab" * 32,
    read_only=True,
    outcome=Outcome.STARTED,
)
LISTED = replace(
    STARTED, outcome=Outcome.OK, result=[1], has_result=True, seconds=0.0123, bytes=12_345, digest="cd" * 32
)
POSTED = replace(
    LISTED, number=2, server="slack", tool="post", outcome=Outcome.FAILED, error="no such\nchannel", has_result=False
)

PROGRAM = """\
# late issues
for issue in github.list_issues(repo="a"):
    slack.post(text=issue["title"])
result = "done"
"""


@pytest.fixture
def journal(state: Path) -> Iterator["Journal"]:
    with closing(open_database(state)) as db:
        yield Journal(state, RunStore(db, JournalSettings()))


class Journal:
    """Writes runs as a hub does."""

    def __init__(self, state: Path, store: RunStore) -> None:
        self.state = state
        self._store = store

    def write(self, run_id: str, *calls: RecordedCall, code: str = PROGRAM, owner: str = "stdio", **how: Any) -> None:
        """A run that ended as `how` says, or `going_on`."""
        asyncio.run(self._write(run_id, calls, code, owner, how))

    async def _write(self, run_id: str, calls: Any, code: str, owner: str, how: dict[str, Any]) -> None:
        going_on = how.pop("going_on", False)
        self._store.begin(run_id, owner, code, how.pop("resumed", None))
        for call in calls:
            self._store.call(run_id, call)
        if not going_on:
            ended: dict[str, Any] = {
                **{"status": "ok", "error": None, "error_kind": None, "log": "", "answer": '"done"'},
                **{"steps": 1234, "calls": len(calls), "seconds": 1.5},
            }
            self._store.end(run_id, **{**ended, **how})
        await self._store.written()

    def change(self, sql: str) -> None:
        with closing(open_database(self.state)) as db, db.conn:
            db.execute(sql)


def untimed(text: str) -> str:
    """An output without its times and the blanks at the ends of its lines."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DAY TIME", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


class TestList:
    @pytest.mark.usefixtures("state")
    def test_where_no_hub_has_run_it_says_so(self, empty: Path, state: Path) -> None:
        done = mcp_hub("runs", cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == snapshot(
            (0, "No program was run yet. Agents' programs are listed here, with each call that they made.\n", "")
        )
        assert not (state / FILE_NAME).exists()

    @pytest.mark.usefixtures("journal")
    def test_where_no_program_was_run_it_says_so(self, empty: Path) -> None:
        assert mcp_hub("runs", cwd=empty).stdout.startswith("No program was run yet.")
        assert mcp_hub("runs", "--json", cwd=empty).stdout == "[]\n"

    def test_runs_are_listed_newest_first(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa", LISTED, LISTED)
        journal.write("bbbb", code="\n  x = 1\n", owner="laptop", status="failed", seconds=0.004)
        journal.write("cccc", STARTED, going_on=True)
        assert untimed(mcp_hub("runs", cwd=empty).stdout) == snapshot("""\

 id     started               client   status    calls   seconds   program
 ───────────────────────────────────────────────────────────────────────────────
 cccc   DAY TIME   stdio    running       1             # late issues
 bbbb   DAY TIME   laptop   failed        0      0.00   x = 1
 aaaa   DAY TIME   stdio    ok            2      1.50   # late issues
""")

    def test_a_limit_keeps_the_newest(self, journal: Journal, empty: Path) -> None:
        for run_id in ("aaaa", "bbbb", "cccc"):
            journal.write(run_id)
        listed = mcp_hub("runs", "-n", "2", cwd=empty).stdout
        assert [run_id in listed for run_id in ("aaaa", "bbbb", "cccc")] == [False, True, True]

    def test_json_has_what_is_known(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa", LISTED, resumed="zzzz")
        (run,) = json.loads(mcp_hub("runs", "--json", cwd=empty).stdout)
        assert run.pop("started").endswith("+00:00")
        assert run == snapshot(
            {
                "id": "aaaa",
                "owner": "stdio",
                "status": "ok",
                "calls": 1,
                "seconds": 1.5,
                "code": """\
# late issues
for issue in github.list_issues(repo="a"):
    slack.post(text=issue["title"])
result = "done"
""",
                "resumed": "zzzz",
            }
        )

    def test_what_a_terminal_would_act_on_is_escaped(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa", code="\x1b[2Jx", owner="\x1b[31m")
        assert "\x1b" not in mcp_hub("runs", cwd=empty).stdout

    def test_a_damaged_journal_is_told(self, state: Path, empty: Path) -> None:
        state.mkdir()
        (state / FILE_NAME).write_bytes(b"this is no database " * 100)
        done = mcp_hub("runs", cwd=empty)
        assert done.returncode == 1
        assert done.stderr.replace(str(state), "") == snapshot(
            "mcp_hub: The journal in /hub.db can't be read: file is not a database.\n"
        )


class TestShow:
    def test_a_run_is_told_with_its_program_calls_and_answer(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa", LISTED, replace(POSTED, outcome=Outcome.OK, error=None), log="a\nb\n", resumed="zzzz")
        assert untimed(mcp_hub("runs", "show", "aaaa", cwd=empty).stdout) == snapshot("""\
run aaaa, started DAY TIME by stdio: ok (2 calls, 1.50 s, 1,234 steps, resumed zzzz)

1  # late issues
2  for issue in github.list_issues(repo="a"):
3      slack.post(text=issue["title"])
4  result = "done"

 call   tool                 outcome   seconds    bytes   arguments
 ──────────────────────────────────────────────────────────────────────
 1      github.list_issues   ok          0.012   12,345   {"repo": "a"}
 2      slack.post           ok          0.012   12,345   {"repo": "a"}


printed:
a
b

answer:
"done"\
""")

    def test_a_failed_run_is_told_with_the_error_of_the_call_and_its_own(self, journal: Journal, empty: Path) -> None:
        journal.write(
            "aaaa", POSTED, code="x = 1", status="failed", error="no such channel", error_kind="tool", answer=None
        )
        assert untimed(mcp_hub("runs", "show", "aaaa", cwd=empty).stdout) == snapshot("""\
run aaaa, started DAY TIME by stdio: failed (1 call, 1.50 s, 1,234 steps)

1  x = 1

 call   tool         outcome   seconds    bytes   arguments
 ──────────────────────────────────────────────────────────────
 2      slack.post   failed      0.012   12,345   {"repo": "a"}

call 2, slack.post: no such
channel

error (tool):
no such channel\
""")

    def test_of_a_call_without_an_outcome_it_says_what_to_do(self, journal: Journal, empty: Path) -> None:
        created = replace(STARTED, number=2, tool="create_issue", read_only=False)
        looked = replace(STARTED, number=3)
        journal.write("aaaa", LISTED, created, looked, code="x = 1", going_on=True)
        assert "Nobody knows" not in mcp_hub("runs", "show", "aaaa", cwd=empty).stdout
        journal.change("update runs set started_at = started_at - 100000")
        shown, _, advice = untimed(mcp_hub("runs", "show", "aaaa", cwd=empty).stdout).partition("\n\n\n")
        assert shown == snapshot("""\
run aaaa, started DAY TIME by stdio: interrupted (3 calls)

1  x = 1

 call   tool                  outcome   seconds    bytes   arguments
 ───────────────────────────────────────────────────────────────────────
 1      github.list_issues    ok          0.012   12,345   {"repo": "a"}
 2      github.create_issue   unknown                      {"repo": "a"}
 3      github.list_issues    unknown                      {"repo": "a"}\
""")
        assert advice == snapshot(
            "Nobody knows whether call 2, github.create_issue, was done: its answer never came. Look there first. Then "
            'resume the run: executeToolCode(code, resume="aaaa skip") takes it as done, resume="aaaa retry" calls it '
            "again."
        )

    def test_json_has_everything_but_the_results(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa", LISTED, STARTED, code="x = 1", log="a\n")
        run = json.loads(mcp_hub("runs", "show", "aaaa", "--json", cwd=empty).stdout)
        assert run.pop("started").endswith("+00:00")
        assert run == snapshot(
            {
                "id": "aaaa",
                "owner": "stdio",
                "status": "ok",
                "calls": [
                    {
                        "number": 1,
                        "server": "github",
                        "tool": "list_issues",
                        "arguments": '{"repo": "a"}',
                        "read_only": True,
                        "outcome": "unknown",
                        "error": None,
                        "seconds": None,
                        "bytes": None,
                        "digest": None,
                        "result_kept": False,
                    }
                ],
                "seconds": 1.5,
                "code": "x = 1",
                "resumed": None,
                "error": None,
                "error_kind": None,
                "log": "a\n",
                "answer": '"done"',
                "steps": 1234,
            }
        )

    @pytest.mark.parametrize("given", ["aaaa", "aaa", "AAA", "last"])
    def test_a_run_is_found_by_its_id_its_beginning_or_as_the_last(
        self, journal: Journal, empty: Path, given: str
    ) -> None:
        journal.write("bbbb")
        journal.write("aaaa")
        assert mcp_hub("runs", "show", given, cwd=empty).stdout.startswith("run aaaa,")

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("a", snapshot("mcp_hub: 'a' fits several runs: aabb, aaaa. Give more of the ID.\n")),
            ("x", snapshot("mcp_hub: There is no run 'x'. `mcp_hub runs` lists them; old ones are forgotten.\n")),
            ("", snapshot("mcp_hub: '' fits several runs: aabb, aaaa. Give more of the ID.\n")),
        ],
        ids=["several", "none", "nothing"],
    )
    def test_what_fits_no_run_or_several_is_told(self, journal: Journal, empty: Path, given: str, said: str) -> None:
        journal.write("aaaa")
        journal.write("aabb")
        done = mcp_hub("runs", "show", given, cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", said)

    def test_an_id_that_another_begins_with_is_found(self, journal: Journal, empty: Path) -> None:
        journal.write("aaaa")
        journal.write("aaaabbbb")
        assert mcp_hub("runs", "show", "aaaa", cwd=empty).stdout.startswith("run aaaa,")

    @pytest.mark.usefixtures("state")
    def test_where_nothing_was_run_it_says_so(self, empty: Path) -> None:
        done = mcp_hub("runs", "show", "last", cwd=empty)
        assert done.returncode == 1
        assert "No program was run yet." in done.stderr

    def test_what_a_terminal_would_act_on_is_escaped(self, journal: Journal, empty: Path) -> None:
        evil = "\x1b[2J\u202e"
        journal.write(
            "aaaa", replace(POSTED, tool=evil, arguments=evil, error=evil), code=evil, log=evil, answer=evil, owner=evil
        )
        shown = mcp_hub("runs", "show", "aaaa", cwd=empty).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown


class TestSave:
    @pytest.fixture
    def config(self, servers_toml: Callable[[str], Path], tmp_path: Path) -> str:
        return str(servers_toml(f'[hub]\nscripts = "{tmp_path / "shared"}"\n'))

    def test_a_runs_program_becomes_a_shared_script(
        self, journal: Journal, empty: Path, tmp_path: Path, config: str
    ) -> None:
        journal.write("aaaa")
        done = mcp_hub("runs", "save", "aaaa", "triage", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.replace(str(tmp_path), "") == snapshot("""\
Wrote /shared/triage.star. A model wrote this program: read it before you share it.
A program uses it so:  load("scripts/triage.star", "main")
""")
        text = (tmp_path / "shared" / "triage.star").read_text()
        assert re.sub(r"\d{4}-\d\d-\d\d", "DAY", text) == snapshot("""\
# Saved from run aaaa of DAY. Read it before you share it.


def main():
    # late issues
    for issue in github.list_issues(repo="a"):
        slack.post(text=issue["title"])
    result = "done"
    return result
""")

    def test_a_script_that_is_there_is_replaced_with_force_only(
        self, journal: Journal, empty: Path, tmp_path: Path, config: str
    ) -> None:
        journal.write("aaaa")
        script = tmp_path / "shared" / "triage.star"
        script.parent.mkdir()
        script.write_text("mine")
        done = mcp_hub("runs", "save", "aaaa", "triage", "--config", config, cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.replace(str(tmp_path), "") == snapshot(
            "mcp_hub: /shared/triage.star: is there already; --force replaces it.\n"
        )
        assert script.read_text() == "mine"
        assert mcp_hub("runs", "save", "aaaa", "triage", "--force", "--config", config, cwd=empty).returncode == 0
        assert "def main():" in script.read_text()

    def test_what_a_link_in_its_place_leads_to_is_not_written(
        self, journal: Journal, empty: Path, tmp_path: Path, config: str
    ) -> None:
        journal.write("aaaa")
        (tmp_path / "shared").mkdir()
        victim = tmp_path / "victim"
        victim.write_text("precious")
        (tmp_path / "shared" / "triage.star").symlink_to(victim)
        mcp_hub("runs", "save", "aaaa", "triage", "--force", "--config", config, cwd=empty)
        assert victim.read_text() == "precious"
        assert not (tmp_path / "shared" / "triage.star").is_symlink()

    @pytest.mark.parametrize("name", ["../triage", "a/b", "", ".", "a b", "1a", "/etc/x", "a.b", "ä", "a\n", ".star"])
    def test_a_name_that_is_a_path_or_none_is_refused(
        self, journal: Journal, empty: Path, config: str, name: str
    ) -> None:
        journal.write("aaaa")
        done = mcp_hub("runs", "save", "aaaa", name, "--config", config, cwd=empty)
        assert done.returncode == 2
        assert "must be a name such as triage" in wrong(done)

    def test_the_ending_may_be_given(self, journal: Journal, empty: Path, tmp_path: Path, config: str) -> None:
        journal.write("aaaa")
        mcp_hub("runs", "save", "aaaa", "triage.star", "--config", config, cwd=empty)
        assert [path.name for path in (tmp_path / "shared").iterdir()] == ["triage.star"]

    def test_the_folder_is_relative_to_the_file_that_names_it(
        self, journal: Journal, empty: Path, tmp_path: Path, servers_toml: Callable[[str], Path]
    ) -> None:
        journal.write("aaaa")
        config = str(servers_toml('[hub]\nscripts = "team/scripts"\n'))
        assert mcp_hub("runs", "save", "last", "triage", "--config", config, cwd=empty).returncode == 0
        assert (tmp_path / "team" / "scripts" / "triage.star").exists()

    @pytest.mark.parametrize(("folder", "said"), [("~nobody-at-all/x", "there is no such user"), ("\\u0000", "a path")])
    def test_a_folder_that_is_none_is_told_with_its_line(
        self, journal: Journal, empty: Path, servers_toml: Callable[[str], Path], folder: str, said: str
    ) -> None:
        config = str(servers_toml(f'[hub]\nscripts = "{folder}"\n'))
        done = mcp_hub("runs", "save", "last", "triage", "--config", config, cwd=empty)
        assert done.returncode == 2
        assert f"{config}:2: [hub.scripts] " in done.stderr
        assert said in done.stderr

    def test_a_secret_that_was_left_out_is_told(self, journal: Journal, empty: Path, config: str) -> None:
        journal.write("aaaa", code='api.login(password="[redacted]")')
        assert mcp_hub("runs", "save", "aaaa", "login", "--config", config, cwd=empty).stderr == snapshot(
            "mcp_hub: it holds [redacted] where a secret was; take a parameter instead.\n"
        )

    def test_without_a_folder_it_says_which_key_to_set(
        self, journal: Journal, empty: Path, servers_toml: Callable[[str], Path]
    ) -> None:
        journal.write("aaaa")
        done = mcp_hub("runs", "save", "aaaa", "x", "--config", str(servers_toml("")), cwd=empty)
        assert (done.returncode, done.stderr) == snapshot(
            (2, 'mcp_hub: No folder of shared scripts is set. Name one in servers.toml: [hub] scripts = "scripts".\n')
        )

    def test_a_program_that_cant_be_made_one_is_told_and_nothing_is_written(
        self, journal: Journal, empty: Path, tmp_path: Path, config: str
    ) -> None:
        journal.write("aaaa", code="x = = 1")
        done = mcp_hub("runs", "save", "aaaa", "x", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == snapshot(
            (1, "mcp_hub: The program can't be read as Python: invalid syntax (line 1). Write the script by hand.\n")
        )
        assert not (tmp_path / "shared").exists()
