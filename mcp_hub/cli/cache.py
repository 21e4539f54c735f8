"""Commands of the response cache: cache stats, cache show, cache clear, cache wrong."""

import json
import math
import re
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mcp_hub.cli.shared import json_option, print_table, proxy_database, says_what_is_wrong
from mcp_hub.errors import CallerError

if TYPE_CHECKING:
    from mcp_hub.proxy.responses import KeptAnswer
    from mcp_hub.store.responses import Responses

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Seconds of the units of --older-than."""

SHOWN = 20
"""Answers that are listed unless --limit says otherwise."""


@click.group()
def cache() -> None:
    """The answers that the proxy keeps: what there is, what was wrong, away with it."""


@cache.command("stats")
@json_option
@says_what_is_wrong
def stats(as_json: bool) -> None:
    """Tell how many answers are kept, of what, and how much room they take.

    `mcp_hub usage` tells how often they were given, and what that has saved.

    \b
    Example:  mcp_hub cache stats
    """
    with closing(_responses()) as store:
        told = store.stats()
    if as_json:
        plain = {
            "entries": told.entries,
            "bytes": told.bytes,
            "bytes_without_sharing": told.unshared_bytes,
            "oldest": None if told.oldest is None else _at(told.oldest),
            "newest": None if told.newest is None else _at(told.newest),
            "keys": dict(told.keys),
            "models": dict(told.models),
        }
        click.echo(json.dumps(plain, indent=2))
        return
    if told.oldest is None or told.newest is None:
        click.echo("Nothing is kept. `[proxy.cache]` in servers.toml turns the cache on.", err=True)
        return
    click.echo(f"{told.entries:,} answers in {_size(told.bytes)}; {_size(told.unshared_bytes)} if none shared a part")
    click.echo(f"kept from {_at(told.oldest)} to {_at(told.newest)}")
    for head, counts in (("key", told.keys), ("model", told.models)):
        print_table([head, "answers"], [[name or "-", f"{count:,}"] for name, count in counts.items()], ["answers"])


@cache.command("show")
@click.argument("id", required=False)
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 100_000), help="How many are listed.")
@json_option
@says_what_is_wrong
def show(id: str | None, limit: int, as_json: bool) -> None:
    """List the answers that were given last, or show the one called ID, as the header cache-status names it.

    \b
    Example:  mcp_hub cache show
              mcp_hub cache show mhc_0123456789abcdef
    """
    with closing(_responses()) as store:
        if id is None:
            _list(store, limit, as_json)
            return
        answer = store.get(id, 0, 0)
        if answer is None:
            ids = [each.id for each in store.list(1000)]
            raise CallerError.unknown("kept answer", id, ids, "`mcp_hub cache show` lists what is kept.")
    if as_json:
        click.echo(json.dumps(_plain(answer), indent=2))
        return
    from mcp_hub.proxy.pricing import dollars_text

    click.echo(f"{answer.id}  {answer.model} by {answer.upstream}, for the key {answer.key or '-'}")
    click.echo(f"kept {_at(answer.kept_at)}, cost ${dollars_text(answer.dollars)}, {answer.usage.tokens:,} tokens")
    click.echo(f"request: {len(answer.parts) - 1} messages, {_size(sum(map(len, answer.parts)))}")
    if answer.text:
        click.echo(f"\nasked:\n{answer.text}")
    click.echo(f"\nanswered:\n{_said(answer)}")


@cache.command("clear")
@click.option("--key", help="Only what was kept for this key.")
@click.option("--model", metavar="GLOB", help="Only answers of these models.")
@click.option("--older-than", metavar="TIME", help="Only what was kept before: 90s, 30m, 2h, 7d.")
@says_what_is_wrong
def clear(key: str | None, model: str | None, older_than: str | None) -> None:
    """Drop kept answers: all of them, or those that the options name.

    \b
    Example:  mcp_hub cache clear --model 'claude-opus-*' --older-than 2h
    """
    before = None if older_than is None else time.time() - _seconds(older_than)
    with closing(_responses()) as store:
        dropped = store.clear(key, model, before)
    click.echo(f"mcp_hub: {dropped:,} answers were dropped.", err=True)


@cache.command("wrong")
@click.argument("id", required=False)
@json_option
@says_what_is_wrong
def wrong(id: str | None, as_json: bool) -> None:
    """Say that the answer ID was wrong: it is dropped, and not given again to what was taken for the same.

    The pairs of texts are kept, and listed where no ID is given; as JSON, they are cases for the benchmark's set.

    \b
    Example:  mcp_hub cache wrong mhc_0123456789abcdef
              mcp_hub cache wrong --json
    """
    with closing(_responses()) as store:
        pairs = store.wrong_pairs() if id is None else store.wrong(id, time.time())
    if as_json:
        for pair in pairs:
            click.echo(json.dumps({"label": "different", "family": "reported", "a": pair.text, "b": pair.other}))
        return
    for pair in pairs:
        click.echo(f"{_at(pair.at)}  similarity {pair.similarity:.3f}\n  {pair.text!r}\n  {pair.other!r}")
    if id is not None:
        click.echo(f"mcp_hub: {id} was dropped; {len(pairs)} pairs of texts will not be taken for the same.", err=True)
    elif not pairs:
        click.echo("Nobody has said that an answer was wrong.", err=True)


def _list(store: "Responses", limit: int, as_json: bool) -> None:
    rows = store.list(limit)
    if as_json:
        plain = [{**each._asdict(), "kept_at": _at(each.kept_at), "used_at": _at(each.used_at)} for each in rows]
        click.echo(json.dumps(plain, indent=2))
    elif not rows:
        click.echo("Nothing is kept. `[proxy.cache]` in servers.toml turns the cache on.", err=True)
    else:
        heads = ["id", "key", "model", "used", "size", "similar", "text"]
        lines = [
            [each.id, each.key or "-", each.model, _at(each.used_at), _size(each.size), str(each.similar), each.text]
            for each in rows
        ]
        print_table(heads, lines, ["size", "similar"])


def _plain(answer: "KeptAnswer") -> dict[str, object]:
    """An answer as programs read it."""
    return {
        "id": answer.id,
        "key": answer.key,
        "team": answer.team,
        "model": answer.model,
        "upstream": answer.upstream,
        "kept_at": _at(answer.kept_at),
        "request": [json.loads(part) for part in answer.parts],
        "message": json.loads(answer.message),
        "nano_dollars": answer.dollars,
        "tokens": answer.usage.tokens,
    }


def _said(answer: "KeptAnswer") -> str:
    """The texts of an answer, and what else it has by its type."""
    blocks = json.loads(answer.message).get("content", [])
    return "\n".join(block["text"] if block.get("type") == "text" else f"[{block.get('type')}]" for block in blocks)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if found is None:
        raise click.UsageError(f"--older-than {text}: give a number and a unit, such as 90s, 30m, 2h or 7d.")
    return int(found[1]) * UNITS[found[2]]


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KiB" if count < 10 * 1024 * 1024 else f"{count / 1024 / 1024:,.0f} MiB"


def _responses() -> "Responses":
    """The store, to be looked into: nothing is kept by it, or dropped for its age."""
    from mcp_hub.store.responses import Responses

    return Responses(proxy_database(), 0, math.inf)


COMMANDS = (cache,)
