"""Claude Code's conversation through the proxy at each kind of upstream, and where the first one is overloaded."""

import json
import os
from pathlib import Path

from tests.clients import cloud_fronts
from tests.clients.claude_code import ClaudeCode, ClaudeRun
from tests.clients.cloud_fronts import Front, Opened
from tests.clients.conversation import PROMPT, TURNS, check_conversation, script
from tests.clients.headless import Home
from tests.clients.messages_api import MessagesApi
from tests.clients.proxy_scenario import AMPLE, KEY, Row, asked, check_ended, running
from tests.clients.reach import Reach
from tests.clients.report import Report
from tests.clients.workspace import Workspace

UPSTREAMS: dict[str, Opened] = {
    "Amazon Bedrock": cloud_fronts.bedrock,
    "Google Vertex AI": cloud_fronts.vertex,
    "OpenRouter": cloud_fronts.openrouter,
}

SETTINGS = """
{upstreams}
[[proxy.keys]]
name = "claude-code"
key = "{key}"
team = "clients"

[[proxy.pins]]
when = "claude-*"
{pin}

[proxy.budgets.team.clients]
{budget}
"""


def check_upstream(report: Report, workspace: Workspace, claude: Path, reach: Reach, opened: Opened) -> None:
    """The scripted conversation at one upstream, which checks each request as the real one does."""
    with MessagesApi(PROMPT, script(workspace)) as api, opened(api) as front:
        rows = _conversed(report, workspace, claude, reach, api, [front])
    _check_arguments(report, workspace, api, front)
    _check_sent(report, api, front, rows)


def check_fallback(report: Report, workspace: Workspace, claude: Path, reach: Reach) -> None:
    """The first upstream answers 529 to the first request, and would be well again; the session stays at the second."""
    with (
        MessagesApi(PROMPT, script(workspace)) as api,
        cloud_fronts.overloaded(api) as first,
        cloud_fronts.bedrock(api) as second,
    ):
        rows = _conversed(report, workspace, claude, reach, api, [first, second])
    seen = len(first.requests)
    report.check(
        "the first upstream was asked once, and not again when it was well",
        seen == 1 and [(row["requests"], row["errors"]) for row in rows if row["upstream"] == first.name] == [(1, 1)],
        rows,
    )
    _check_key(report, first)
    _check_arguments(report, workspace, api, second)
    _check_sent(report, api, second, rows)


def _conversed(
    report: Report, workspace: Workspace, claude: Path, reach: Reach, api: MessagesApi, fronts: list[Front]
) -> list[Row]:
    """Have the conversation, asking the fronts in this order; what the ledger has by upstream."""
    workspace.forget()
    *before, last = fronts
    spelt = f"{last.name}/{last.model}"
    folder = workspace.folder / f"claude-{'-'.join(front.name for front in fronts)}"
    settings = SETTINGS.format(
        upstreams="\n".join(front.table for front in fronts),
        key=KEY,
        pin=f'upstream = "{before[0].name}"\nfallbacks = ["{spelt}"]' if before else f'model = "{spelt}"',
        budget=AMPLE,
    )
    client = ClaudeCode(claude, Home(folder, os.environ["PATH"]).make(), reach, KEY)
    env = {name: value for front in fronts for name, value in front.env.items()}
    with running(folder / "proxy", settings, env) as proxy:
        run: ClaudeRun = client.converse(PROMPT, proxy.url, lambda _: None)
        rows = proxy.usage("upstream")
    (folder / "events.json").write_text(json.dumps(run.events, indent=1))
    check_conversation(report, workspace, api, folder / "requests.json")
    check_ended(report, run)
    return rows


def _check_arguments(report: Report, workspace: Workspace, api: MessagesApi, front: Front) -> None:
    """Each tool was called with what the model said."""
    called = api.arguments(api.record.main[-1]) if api.record.main else []
    expected = [
        {"server": "git", "tool": "git_log"},
        {"code": workspace.join_program},
        {"code": workspace.unknown_tool_program},
    ]
    report.check("each tool was called with its arguments", called[2:] == expected, called)
    if front.name == "openrouter":
        report.check(
            "all of them came where Claude Code doesn't look, and were put right",
            len(called) == len(TURNS) and called == front.broken_calls,
            f"{len(front.broken_calls)} calls",
        )


def _check_sent(report: Report, api: MessagesApi, front: Front, rows: list[Row]) -> None:
    """What the upstream was sent, and what the ledger says of it."""
    requests = asked(api)
    mine = [row for row in rows if row["upstream"] == front.name]
    report.check(
        "the upstream took each request as it came",
        len(front.requests) == requests > len(TURNS),
        f"{requests} of {len(front.requests)}",
    )
    _check_key(report, front)
    report.check(
        "the ledger has each request to it, and no failed one",
        [(row["requests"], row["errors"]) for row in mine] == [(requests, 0)],
        rows,
    )
    dollars = [float(str(row["dollars"])) for row in mine]
    report.check("the ledger has what they cost", all(each > 0 for each in dollars) and bool(dollars), dollars)


def _check_key(report: Report, front: Front) -> None:
    sent = front.requests
    report.check(
        "it was sent nothing of the proxy's key", bool(sent) and KEY not in repr(sent), f"{len(sent)} requests"
    )
