"""check, tools, logs and policy test where there is little to show, where something failed, and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from mcp_hub.sandbox import confinement
from tests.cli.commands import BARE, BROKEN, STOCK, mcp_hub
from tests.cli.running import MISBEHAVING, wrong

pytestmark = pytest.mark.usefixtures("state")


@pytest.fixture(autouse=True)
def missing(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the machine is said to lack: nothing, until a test puts something in."""
    lacking: dict[str, str] = {}
    monkeypatch.setattr(confinement, "features", lambda: {"landlock": "", "seccomp": ""} | lacking)
    return lacking


READ_ONLY = '[policy]\nmode = "read-only"\n'


class TestCheck:
    def test_where_nothing_is_configured_it_says_where_it_looked_and_what_to_do(
        self, empty: Path, tmp_path: Path
    ) -> None:
        done = mcp_hub("check", cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.replace(str(tmp_path), "") == snapshot(
            "No server is configured. Looked for /empty/servers.toml and /config/mcp_hub/servers.toml. "
            "`mcp_hub init` writes one, and `mcp_hub import` takes over the servers of your other MCP clients.\n"
        )

    def test_where_nothing_is_configured_json_has_no_servers(self, empty: Path) -> None:
        done = mcp_hub("check", "--json", cwd=empty)
        assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"servers": []}, "")

    def test_json_is_all_that_is_known_of_each_server(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        config = str(servers_toml(BARE % "one" + BROKEN + MISBEHAVING % ("ok", tmp_path / "journal")))
        done = mcp_hub("check", "--json", "--config", config, cwd=empty)
        rows = {row["name"]: row for row in json.loads(done.stdout)["servers"]}
        assert {name: (row["state"], row["protocol"], row["tools"]) for name, row in rows.items()} == snapshot(
            {"one": ("ready", "2025-11-25", 2), "broken": ("failed", None, None), "odd": ("ready", "2024-11-05", 2)}
        )
        assert rows["one"]["error"] is None
        assert done.returncode == 1

    def test_a_tool_that_is_filtered_out_is_not_counted(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = str(servers_toml(BARE % "one" + 'tools.deny = ["tool_000"]\n'))
        (row,) = json.loads(mcp_hub("check", "--json", "--config", config, cwd=empty).stdout)["servers"]
        assert row["tools"] == 1

    def test_what_the_machine_lacks_for_the_sandbox_is_told_and_the_status_stays(
        self, servers_toml: Callable[[str], Path], empty: Path, missing: dict[str, str]
    ) -> None:
        missing["landlock"] = "this kernel has no Landlock"
        missing["seccomp"] = "there is no filter for this processor: riscv64"
        done = mcp_hub("check", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert done.returncode == 0
        assert done.stderr == snapshot("""\
mcp_hub: Programs run without landlock: this kernel has no Landlock.
mcp_hub: Programs run without seccomp: there is no filter for this processor: riscv64.
""")

    def test_json_has_it_under_sandbox_and_nothing_when_all_is_there(
        self, servers_toml: Callable[[str], Path], empty: Path, missing: dict[str, str]
    ) -> None:
        config = str(servers_toml(BARE % "one"))
        assert json.loads(mcp_hub("check", "--json", "--config", config, cwd=empty).stdout).keys() == {"servers"}
        missing["landlock"] = "this kernel has no Landlock"
        done = mcp_hub("check", "--json", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["sandbox"] == {"landlock": "this kernel has no Landlock"}

    def test_rules_are_not_doubted_while_a_server_is_missing(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(servers_toml(BROKEN + '[policy]\ndeny = ["broken.tool"]\n'))
        done = mcp_hub("check", "--config", config, cwd=empty)
        assert (done.returncode, done.stderr) == (1, "")


class TestTools:
    def test_a_server_that_failed_is_told_beside_the_others_tools_and_status_1(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        done = mcp_hub("tools", "--config", str(servers_toml(BROKEN + BARE % "one")), cwd=empty)
        assert done.returncode == 1
        assert done.stdout.startswith("# one: 2 tools")
        assert done.stderr.startswith("mcp_hub: Server 'broken' can't start: there is no program 'no-such-program'.")

    def test_a_denied_tool_is_listed_and_marked(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        config = str(servers_toml(BARE % "one" + '[policy]\ndeny = ["one.tool_000"]\n'))
        rows = json.loads(mcp_hub("tools", "--json", "--config", config, cwd=empty).stdout)
        assert [row["denied"] for row in rows] == [
            f"the rule 'one.tool_000' in deny of [policy] in {config}.",
            None,
        ]
        listed = mcp_hub("tools", "--config", config, cwd=empty).stdout.splitlines()
        assert ["DENIED by policy" in line for line in listed if line.startswith("def ")] == [True, False]

    def test_a_tool_goes_by_the_name_that_programs_use_and_json_has_its_own_too(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = str(
            servers_toml('[servers.my-echo]\ncommand = ["{python}", "-I", "-S", "{fixtures}/light_echo_server.py"]\n')
        )
        done = mcp_hub("tools", "with", "dash", "--json", "--config", config, cwd=empty)
        first = json.loads(done.stdout)[0]
        assert first == snapshot(
            {
                "server": "my_echo",
                "tool": "with_dash",
                "own_name": "with-dash",
                "signature": "def with_dash(value: str) -> Any",
                "denied": None,
            }
        )

    def test_where_nothing_is_configured_json_is_an_empty_list(self, empty: Path) -> None:
        done = mcp_hub("tools", "--json", cwd=empty)
        assert (done.returncode, done.stdout) == (0, "[]\n")

    def test_where_nothing_is_configured_it_says_so(self, empty: Path) -> None:
        done = mcp_hub("tools", cwd=empty)
        assert "No server is configured." in done.stdout + done.stderr


@pytest.mark.xdist_group("the stock server is known")
class TestPolicyTest:
    @pytest.fixture
    def decided(
        self, stock_known: None, servers_toml: Callable[[str], Path], empty: Path
    ) -> Callable[..., tuple[int, str]]:
        """Decide on a tool by a policy: the exit status, and what is said, with `F` for the file's path."""

        def decide(policy: str, tool: str, *options: str) -> tuple[int, str]:
            config = str(servers_toml(STOCK + policy))
            done = mcp_hub("policy", "test", tool, *options, "--config", config, cwd=empty)
            assert done.stderr == ""
            return done.returncode, done.stdout.replace(config, "F")

        return decide

    @pytest.mark.parametrize(
        ("policy", "tool", "status", "said"),
        [
            ("", "restock", 0, "stock.restock is allowed: no [policy] is configured."),
            (
                "[policy]\n",
                "restock",
                0,
                'stock.restock is allowed: no rule of [policy] in F fits it, and mode is "open".',
            ),
            (
                READ_ONLY,
                "get_product",
                0,
                "stock.get_product (readOnly) is allowed: it is annotated as read-only, and mode is "
                '"read-only" in [policy] in F.',
            ),
            (
                f'{READ_ONLY}allow = ["stock.restock"]\n',
                "restock",
                0,
                "stock.restock is allowed: the rule 'stock.restock' in allow of [policy] in F.",
            ),
            (
                '[policy]\ndeny = ["@readOnly"]\n',
                "get_product",
                1,
                "stock.get_product (readOnly) is denied: the rule '@readOnly' in deny of [policy] in F.",
            ),
            (
                '[policy]\ndeny = ["stock.*"]\nallow = ["stock.get_*"]\n',
                "get_product",
                0,
                "stock.get_product (readOnly) is allowed: the rule 'stock.get_*' in allow of [policy] in F.",
            ),
            (
                '[policy]\ndeny = ["stock.restock"]\nallow = ["stock.restock"]\n',
                "restock",
                1,
                "stock.restock is denied: the rule 'stock.restock' in deny of [policy] in F.",
            ),
        ],
        ids=["no policy", "mode open", "read-only", "allowed by name", "annotation", "glob", "both"],
    )
    def test_what_decides_is_told(
        self, policy: str, tool: str, status: int, said: str, decided: Callable[..., tuple[int, str]]
    ) -> None:
        assert decided(policy, f"stock.{tool}") == (status, f"{said}\n")

    def test_globs_give_a_line_for_each_tool_and_status_1_if_one_is_denied(
        self, decided: Callable[..., tuple[int, str]]
    ) -> None:
        status, said = decided(READ_ONLY, "*.*sto*")
        verdicts = [line.partition(":")[0] for line in said.splitlines()]
        assert verdicts == ["stock.restock is denied", "stock.stock_levels (readOnly) is allowed"]
        assert status == 1

    def test_globs_that_fit_allowed_tools_alone_are_status_0(self, decided: Callable[..., tuple[int, str]]) -> None:
        status, said = decided(READ_ONLY, "stock.s*")
        assert (status, said.count(" is allowed: ")) == (0, 3)

    def test_json_is_the_decision_of_one_tool(self, decided: Callable[..., tuple[int, str]]) -> None:
        status, said = decided(READ_ONLY, "stock.get_product", "--json")
        assert status == 0
        assert json.loads(said) == [
            {
                "server": "stock",
                "tool": "get_product",
                "allowed": True,
                "reason": 'it is annotated as read-only, and mode is "read-only" in [policy] in F.',
                "annotations": ["readOnly"],
            }
        ]

    def test_globs_that_fit_nothing_are_told(self, servers_toml: Callable[[str], Path], empty: Path) -> None:
        done = mcp_hub("policy", "test", "one.*delete*", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "mcp_hub: No tool fits one.*delete*. `mcp_hub tools` lists all.\n"

    def test_a_server_that_is_not_there_is_told_with_the_nearest(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        done = mcp_hub("policy", "test", "on.tool", "--config", str(servers_toml(BARE % "one")), cwd=empty)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "mcp_hub: There is no server 'on'. Did you mean 'one'? Servers: one.\n"

    def test_a_rule_that_cannot_be_read_is_status_2_with_its_line(
        self, servers_toml: Callable[[str], Path], empty: Path
    ) -> None:
        config = servers_toml(BARE % "one" + '[policy]\ndeny = ["one"]\n')
        done = mcp_hub("policy", "test", "one.tool_000", "--config", str(config), cwd=empty)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.replace(str(config), "servers.toml") == snapshot(
            "mcp_hub: servers.toml:4: [policy.deny] 'one' must be SERVER.TOOL, such as 'one.*', or an annotation, "
            "such as '@destructive'.\n"
        )


class TestLogs:
    def test_what_a_server_said_on_stderr_can_be_read_after_it_failed(
        self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path
    ) -> None:
        config = str(servers_toml(MISBEHAVING % ("exits-at-start", tmp_path / "journal")))
        assert mcp_hub("check", "--config", config, cwd=empty).returncode == 1
        done = mcp_hub("logs", "odd", "--config", config, "-n", "1", cwd=empty)
        assert (done.returncode, done.stdout) == (0, "misbehaving_server: no licence was found\n")

    def test_the_hubs_own_log_says_why(self, servers_toml: Callable[[str], Path], empty: Path, tmp_path: Path) -> None:
        mcp_hub("check", "--config", str(servers_toml(BROKEN)), cwd=empty)
        done = mcp_hub("logs", cwd=empty)
        assert done.returncode == 0
        assert "WARNING mcp_hub.hub.downstream: Server 'broken' can't start" in done.stdout

    def test_where_nothing_was_written_yet_it_says_so_and_following_is_status_1(self, empty: Path, state: Path) -> None:
        nothing = f"mcp_hub: nothing was written to {state / 'logs' / 'hub.log'} yet.\n"
        done = mcp_hub("logs", cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", nothing)
        done = mcp_hub("logs", "-f", cwd=empty)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", nothing)

    def test_a_server_that_was_removed_still_has_its_log(self, empty: Path, state: Path) -> None:
        (state / "logs" / "servers").mkdir(parents=True)
        (state / "logs" / "servers" / "gone.log").write_text("the last words")
        assert mcp_hub("logs", "gone", cwd=empty).stdout == "the last words"

    def test_bytes_that_are_no_text_are_shown_as_such(self, empty: Path, state: Path) -> None:
        (state / "logs" / "servers").mkdir(parents=True)
        (state / "logs" / "servers" / "odd.log").write_bytes(b"caf\xe9\nend\n")
        assert mcp_hub("logs", "odd", cwd=empty).stdout == "caf\N{REPLACEMENT CHARACTER}\nend\n"

    @pytest.mark.parametrize(
        ("lines", "problem"), [("-1", "-1 is not in the range x>=0."), ("all", "'all' is not a valid integer range.")]
    )
    def test_a_number_of_lines_that_is_none_is_refused(self, lines: str, problem: str, empty: Path) -> None:
        done = mcp_hub("logs", "-n", lines, cwd=empty)
        assert (done.returncode, wrong(done)) == (2, f"Invalid value for '-n' / '--lines': {problem}")
