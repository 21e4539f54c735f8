"""Gemini CLI against the hub: added with its own command, listed as connected, then a scripted conversation."""

import json
from pathlib import Path

from tests.clients.conversation import LAST_WORDS, PROMPT, check_conversation, check_processes, script
from tests.clients.gemini_api import GeminiApi
from tests.clients.headless import Home
from tests.clients.processes import ProcessWatch
from tests.clients.reach import NAME, Http, Reach, word
from tests.clients.report import Report
from tests.clients.workspace import Workspace

COMMAND_SECONDS = 60.0
"""`gemini mcp add` and its like; they take a second or two."""

MODEL = "gemini-2.5-flash"
"""With a model named, Gemini CLI doesn't ask another one which to take."""

SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False},
}


def check_gemini(
    report: Report, workspace: Workspace, gemini: Path, path: str, reach: Reach, watch: ProcessWatch
) -> None:
    """Add the hub, list it, have the conversation."""
    workspace.forget()
    home = Home(workspace.folder / f"gemini-{word(reach)}", path).make()
    settings = home.home / ".gemini/settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps(SETTINGS))
    env = {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_API_KEY": "a-dummy"}
    added = home.run([str(gemini), "mcp", "add", *add_options(reach)], env, seconds=COMMAND_SECONDS)
    report.check("gemini mcp add takes the hub", added.exit_code == 0, added.stderr.strip() or added.told)
    listed = home.run([str(gemini), "mcp", "list"], env, seconds=COMMAND_SECONDS)
    told = (listed.stdout + listed.stderr).splitlines()
    mine = [line for line in told if f"{NAME}:" in line]
    report.check(
        "gemini mcp list tells that it is connected", [line.split()[-1] for line in mine] == ["Connected"], mine or told
    )
    pids: list[int] = []

    def look() -> None:
        for pid in pids:
            watch.snapshot(pid)

    with GeminiApi(PROMPT, script(workspace), look) as api:
        options = ["--model", MODEL, "--approval-mode", "yolo", "--output-format", "stream-json"]
        done = home.run(
            [str(gemini), *options, "--prompt", PROMPT], {**env, "GOOGLE_GEMINI_BASE_URL": api.url}, pids.append
        )
        survivors = watch.survivors()
    (home.folder / "events.jsonl").write_text(done.stdout)
    check_conversation(report, workspace, api, home.folder / "requests.json")
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    said = [event["content"] for event in events if event["type"] == "message" and event["role"] == "assistant"]
    report.check(
        "Gemini CLI ended by itself with the model's last words",
        done.exit_code == 0 and "".join(said) == LAST_WORDS,
        done.told,
    )
    check_processes(report, workspace, reach, watch, survivors)


def add_options(reach: Reach) -> list[str]:
    """What follows `gemini mcp add`."""
    if isinstance(reach, Http):
        headers = [option for name, value in reach.headers.items() for option in ("--header", f"{name}: {value}")]
        return ["--scope", "user", "--transport", "http", *headers, NAME, reach.url]
    variables = [option for name, value in reach.env.items() for option in ("--env", f"{name}={value}")]
    return ["--scope", "user", *variables, NAME, *reach.command]
