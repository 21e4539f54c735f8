"""Codex CLI against the hub: added with its own command, then a scripted conversation, headless."""

import json
from pathlib import Path
from typing import Any

from tests.clients.conversation import LAST_WORDS, PROMPT, check_conversation, check_processes, script
from tests.clients.headless import Done, Home
from tests.clients.processes import ProcessWatch
from tests.clients.reach import NAME, TOKEN_VARIABLE, Http, Reach, word
from tests.clients.report import Report
from tests.clients.responses_api import ResponsesApi
from tests.clients.workspace import Workspace

COMMAND_SECONDS = 30.0
"""`codex mcp add` and its like; they take a tenth of a second."""

PROVIDER = "stand_in"

APPROVED = f'mcp_servers.{NAME}.default_tools_approval_mode="approve"'
"""Without it, `codex exec` refuses executeToolCode: it isn't read-only, and nobody is there to ask."""

REQUIRED = f"mcp_servers.{NAME}.required=true"
"""Without it, Codex leaves out the tools of a server that doesn't list them within a second of its start."""


def check_codex(
    report: Report, workspace: Workspace, codex: Path, path: str, reach: Reach, watch: ProcessWatch
) -> None:
    """Add the hub, look it up, have the conversation."""
    workspace.forget()
    home = Home(workspace.folder / f"codex-{word(reach)}", path).make()
    env = {"CODEX_HOME": str(home.home / ".codex")}
    if isinstance(reach, Http):
        env[TOKEN_VARIABLE] = reach.token
    pids: list[int] = []

    def look() -> None:
        for pid in pids:
            watch.snapshot(pid)

    with ResponsesApi(PROMPT, script(workspace), look) as api:
        config = home.home / ".codex/config.toml"
        config.parent.mkdir(exist_ok=True)
        config.write_text(_provider(f"{api.url}/v1"))
        added = home.run([str(codex), "mcp", "add", NAME, *add_options(reach)], env, seconds=COMMAND_SECONDS)
        listed = home.run([str(codex), "mcp", "list", "--json"], env, seconds=COMMAND_SECONDS)
        _check_added(report, reach, added, listed)
        options = ["--json", "--skip-git-repo-check", "--sandbox", "read-only", "-c", APPROVED, "-c", REQUIRED]
        done = home.run([str(codex), "exec", *options, PROMPT], env, pids.append)
        survivors = watch.survivors()
    (home.folder / "events.jsonl").write_text(done.stdout)
    check_conversation(report, workspace, api, home.folder / "requests.json")
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    calls = [f"{item['tool']} {item['status']}" for item in items if item["type"] == "mcp_tool_call"]
    report.check(
        "Codex took the last call for failed, and no other",
        [call.split()[-1] for call in calls] == ["completed"] * 4 + ["failed"],
        calls,
    )
    said = [item["text"] for item in items if item["type"] == "agent_message"]
    report.check(
        "Codex ended by itself with the model's last words",
        done.exit_code == 0 and said == [LAST_WORDS],
        done.told,
    )
    check_processes(report, workspace, reach, watch, survivors)


def add_options(reach: Reach) -> list[str]:
    """What follows `codex mcp add mcp_hub`."""
    if isinstance(reach, Http):
        return ["--url", reach.url, "--bearer-token-env-var", TOKEN_VARIABLE]
    variables = [option for name, value in reach.env.items() for option in ("--env", f"{name}={value}")]
    return [*variables, "--", *reach.command]


def _check_added(report: Report, reach: Reach, added: Done, listed: Done) -> None:
    report.check("codex mcp add takes the hub", added.exit_code == 0, added.stdout.strip() or added.told)
    servers: list[dict[str, Any]] = json.loads(listed.stdout) if listed.exit_code == 0 else []
    if isinstance(reach, Http):
        expected: dict[str, Any] = {"url": reach.url, "bearer_token_env_var": TOKEN_VARIABLE}
    else:
        expected = {"command": reach.command[0], "args": reach.command[1:], "env": reach.env}
    told = [(server["name"], server["enabled"], server["transport"]) for server in servers]
    report.check(
        "codex mcp list tells of it as it was added",
        [(name, enabled) for name, enabled, _ in told] == [(NAME, True)] and expected.items() <= told[0][2].items(),
        told or listed.told,
    )


def _provider(url: str) -> str:
    """A config.toml with the stand-in for the model, and nothing that goes further than this machine."""
    return f"""\
model = "stand-in"
model_provider = "{PROVIDER}"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.{PROVIDER}]
name = "stand-in"
base_url = {json.dumps(url)}
wire_api = "responses"
"""
