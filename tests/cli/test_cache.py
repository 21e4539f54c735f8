"""The cache's commands: what is kept is told, shown and dropped, and a wrong answer is said to be one."""

import json
import time
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from mcp_hub.proxy.pricing import Usage
from mcp_hub.proxy.responses import KeptAnswer
from mcp_hub.store.database import FILE_NAME, open_database
from mcp_hub.store.responses import Responses
from tests.cli.commands import mcp_hub

AT = 1_790_000_000.0


def answer(number: int, key: str, model: str, at: float) -> KeptAnswer:
    message = {"type": "message", "content": [{"type": "text", "text": f"answer {number}"}, {"type": "tool_use"}]}
    asked = {"role": "user", "content": [{"type": "text", "text": f"question {number}"}]}
    return KeptAnswer(
        id=f"mhc_{number}",
        digest=f"{number:064}",
        parts=(b'{"system":"a long one"}', json.dumps(asked).encode()),
        family="family",
        text=f"question {number}",
        key=key,
        team="web",
        model=model,
        upstream="anthropic",
        kept_at=at,
        message=json.dumps(message).encode(),
        stream=b"data: {}\n\n",
        pace=(),
        usage=Usage(input=90, output=10),
        dollars=1_500_000,
    )


@pytest.fixture
def store(state: Path) -> Responses:
    """Two old answers of one key, and a new one of another."""
    open_database(state).conn.close()
    kept = Responses(state / FILE_NAME, 100 * 1024 * 1024, 1e12)
    kept.keep(answer(1, "ci", "claude-sonnet-4-6", AT))
    kept.keep(answer(2, "ci", "claude-opus-4-6", AT + 60))
    kept.keep(answer(3, "dev", "claude-sonnet-4-6", time.time()))
    kept.close()
    return kept


def ids(store: Responses) -> set[str]:
    found = {each.id for each in store.list(10)}
    store.close()
    return found


def test_stats_tell_how_much_is_kept_of_what(store: Responses, empty: Path) -> None:
    told = json.loads(mcp_hub("cache", "stats", "--json", cwd=empty).stdout)
    assert (told["entries"], told["keys"], told["models"]) == (
        3,
        {"ci": 2, "dev": 1},
        {"claude-sonnet-4-6": 2, "claude-opus-4-6": 1},
    )
    assert told["bytes"] < told["bytes_without_sharing"]
    shown = mcp_hub("cache", "stats", cwd=empty).stdout
    assert shown.startswith("3 answers in ")
    assert "ci" in shown


def test_a_list_begins_with_what_was_used_last(store: Responses, empty: Path) -> None:
    rows = json.loads(mcp_hub("cache", "show", "--json", cwd=empty).stdout)
    assert [(row["id"], row["text"]) for row in rows] == [
        ("mhc_3", "question 3"),
        ("mhc_2", "question 2"),
        ("mhc_1", "question 1"),
    ]
    assert "mhc_3" in mcp_hub("cache", "show", "--limit", "1", cwd=empty).stdout


def test_an_answer_is_shown_with_what_was_asked(store: Responses, empty: Path) -> None:
    assert mcp_hub("cache", "show", "mhc_1", cwd=empty).stdout == snapshot("""\
mhc_1  claude-sonnet-4-6 by anthropic, for the key ci
kept 2026-09-21T14:13:20+00:00, cost $0.0015, 100 tokens
request: 1 messages, 0 KiB

asked:
question 1

answered:
answer 1
[tool_use]
""")
    told = json.loads(mcp_hub("cache", "show", "mhc_1", "--json", cwd=empty).stdout)
    assert told["request"][0] == {"system": "a long one"}
    assert told["message"]["content"][0]["text"] == "answer 1"


def test_an_id_that_is_none_is_told_with_the_nearest(store: Responses, empty: Path) -> None:
    shown = mcp_hub("cache", "show", "mhc_11", cwd=empty)
    assert shown.returncode == 1
    assert "There is no kept answer 'mhc_11'. Did you mean 'mhc_1'" in shown.stderr


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], set()),
        (["--key", "ci"], {"mhc_3"}),
        (["--model", "claude-opus-*"], {"mhc_1", "mhc_3"}),
        (["--older-than", "1h"], {"mhc_3"}),
        (["--key", "dev", "--older-than", "1h"], {"mhc_1", "mhc_2", "mhc_3"}),
    ],
)
def test_what_the_options_name_is_dropped(store: Responses, empty: Path, options: list[str], left: set[str]) -> None:
    assert mcp_hub("cache", "clear", *options, cwd=empty).returncode == 0
    assert ids(store) == left


def test_a_time_that_is_none_drops_nothing(store: Responses, empty: Path) -> None:
    refused = mcp_hub("cache", "clear", "--older-than", "soon", cwd=empty)
    assert refused.returncode == 2
    assert "give a number and a unit, such as 90s, 30m, 2h or 7d" in refused.stderr
    assert len(ids(store)) == 3


def test_a_wrong_answer_is_dropped_and_its_pair_is_kept_as_a_case(store: Responses, empty: Path) -> None:
    store.served_similar("mhc_1", "another question 1", 0.93, AT)
    store.close()
    dropped = mcp_hub("cache", "wrong", "mhc_1", cwd=empty)
    assert "mhc_1 was dropped; 1 pairs" in dropped.stderr
    assert ids(store) == {"mhc_2", "mhc_3"}
    (case,) = mcp_hub("cache", "wrong", "--json", cwd=empty).stdout.splitlines()
    assert json.loads(case) == {
        "label": "different",
        "family": "reported",
        "a": "question 1",
        "b": "another question 1",
    }
    again = mcp_hub("cache", "wrong", "mhc_1", cwd=empty)
    assert again.returncode == 1
    assert "There is no kept answer 'mhc_1'" in again.stderr


def test_an_empty_cache_says_how_it_is_turned_on(state: Path, empty: Path) -> None:
    for command in ("stats", "show"):
        shown = mcp_hub("cache", command, cwd=empty)
        assert (shown.returncode, shown.stdout) == (0, "")
        assert "[proxy.cache]" in shown.stderr
    assert "Nobody has said" in mcp_hub("cache", "wrong", cwd=empty).stderr
