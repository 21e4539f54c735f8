"""Commands of the messages proxy: proxy, proxy env, keys, usage."""

import csv
import json
import logging
import shlex
import sqlite3
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mcp_hub.cli.shared import (
    OK,
    config_option,
    json_option,
    prepared,
    print_table,
    proxy_database,
    run_to_end,
    says_what_is_wrong,
)
from mcp_hub.errors import CallerError, ConfigError

if TYPE_CHECKING:
    from mcp_hub.proxy.budgets import Cap
    from mcp_hub.store.keys import KeyStore
    from mcp_hub.store.ledger import Ledger, Row

PERIODS = {"day": 1, "week": 7, "month": 30, "year": 365}
"""Days back of `usage --since`."""
DAY = 86_400.0

GROUPS = ("key", "team", "customer", "model", "upstream", "session", "day")


@click.group(invoke_without_command=True)
@config_option
@click.option("--listen", metavar="HOST:PORT", help="Where to listen, in place of proxy.listen.")
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"]),
    default="WARNING",
    show_default=True,
    help="What is told on stderr; the log file has INFO too.",
)
@click.pass_context
@says_what_is_wrong
def proxy(context: click.Context, config_file: Path | None, listen: str | None, log_level: str) -> None:
    """Stand between Anthropic clients and the model: keys, pinned models, budgets that hold.

    \b
    Example:  mcp_hub proxy
              eval "$(mcp_hub proxy env)" && claude
    """
    if context.invoked_subcommand is not None:
        return
    from mcp_hub import logs, proxying

    where, loaded = prepared(config_file)
    logs.log_to(where, log_level)

    def say(url: str, key_needed: bool) -> None:
        click.echo(f"mcp_hub: the proxy is at {url}", err=True)
        if not key_needed:
            click.echo(
                "mcp_hub: clients' own credentials are passed on; for keys, give the upstream a credential.", err=True
            )

    async def serve() -> int:
        await proxying.serve_proxy(loaded.settings.proxy, where.state, listen, say)
        return OK

    run_to_end(serve)
    logging.shutdown()


@proxy.command("env")
@config_option
@says_what_is_wrong
def env(config_file: Path | None) -> None:
    """Print the lines that make clients in this shell use the proxy.

    \b
    Example:  mcp_hub proxy env
    """
    from mcp_hub import proxying
    from mcp_hub.table import address

    _, loaded = prepared(config_file)
    host, port = address(loaded.settings.proxy.listen)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    for name, value in proxying.environment(url).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.group()
def keys() -> None:
    """The proxy's own keys: make, list and revoke them."""


@keys.command("create")
@click.argument("name")
@click.option("--team", default="", help="Whose key it is, for budgets, pins and usage.")
@click.option("--customer", default="", help="For whom, for budgets and usage.")
@click.option("--budget", metavar="DOLLARS/DURATION", help="Such as 50/1d; 1m 1h 1d 1w 1M 1Y.")
@click.option("--allow", "models", multiple=True, metavar="GLOB", help="A model that may answer; may be repeated.")
@says_what_is_wrong
def create(name: str, team: str, customer: str, budget: str | None, models: tuple[str, ...]) -> None:
    """Make a key called NAME, and print it: it is shown once and kept as a hash.

    \b
    Example:  mcp_hub keys create ci --team web --budget 50/1d --allow 'claude-sonnet-*'
    """
    from mcp_hub.proxy.keys import KeyRecord, new_key
    from mcp_hub.proxy_settings import checked_name

    for what, given in (("NAME", name), ("--team", team), ("--customer", customer)):
        try:
            checked_name(given or "none")
        except ValueError as error:
            raise ConfigError(f"{what} {given!r} {error}.") from None
    caps = () if budget is None else (_cap(name, budget),)
    secret, digest = new_key()
    record = KeyRecord(name, digest, team=team, customer=customer, allowed_models=models, caps=caps)
    try:
        _keys().create(record)
    except sqlite3.Error as error:
        raise CallerError(f"The key can't be kept: {error}.") from None
    click.echo(secret)
    click.echo(f"mcp_hub: this is the key {name!r}; it isn't shown again.", err=True)


@keys.command("list")
@json_option
@says_what_is_wrong
def list_keys(as_json: bool) -> None:
    """List the keys that were made here; those of servers.toml are there.

    \b
    Example:  mcp_hub keys list --json
    """
    stored = _keys().list()
    if as_json:
        rows = [
            {
                "name": each.record.name,
                "team": each.record.team,
                "customer": each.record.customer,
                "allowed_models": list(each.record.allowed_models),
                "made_at": each.made_at,
                "revoked_at": each.revoked_at,
            }
            for each in stored
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for each in stored:
        state = f"revoked {each.revoked_at}" if each.revoked_at else f"made {each.made_at}"
        models = ", ".join(each.record.allowed_models) or "all models"
        click.echo(f"{each.record.name:<20} {each.record.team or '-':<12} {models}  {state}")
    if not stored:
        click.echo("No key was made yet: mcp_hub keys create NAME", err=True)


@keys.command("revoke")
@click.argument("name")
@says_what_is_wrong
def revoke(name: str) -> None:
    """Refuse a key from now on; running proxies know within a second.

    \b
    Example:  mcp_hub keys revoke ci
    """
    _keys().revoke(name)
    click.echo(f"mcp_hub: {name!r} is revoked.", err=True)


@click.command()
@click.option("--by", "groups", type=click.Choice(GROUPS), multiple=True, help="What to add up by; may be repeated.")
@click.option("--since", type=click.Choice(list(PERIODS)), default="month", show_default=True, help="How far back.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--upstreams", is_flag=True, help="By upstream, and how each stands now.")
@json_option
@says_what_is_wrong
def usage(groups: tuple[str, ...], since: str, as_csv: bool, upstreams: bool, as_json: bool) -> None:
    """Tell what went through the proxy: requests, tokens by kind, dollars, mean time to the first byte.

    Of the tokens, `written` and `read` are those of the prompt cache. `cached` requests were answered by the response
    cache, at no cost; `saved` is what their answers had cost.

    \b
    Example:  mcp_hub usage --by team --by model --since week
    """

    if upstreams and groups:
        raise click.UsageError("--upstreams and --by exclude each other: the former is by upstream.")
    by = ("upstream",) if upstreams else groups or ("key", "model")
    rows = _ledger().usage(time.time() - PERIODS[since] * DAY, by)
    if upstreams and not as_csv:
        _upstreams(rows, as_json)
        return
    if as_json:
        click.echo(json.dumps([{**dict(zip(by, row.group, strict=True)), **_plain(row)} for row in rows], indent=2))
    elif as_csv:
        written = csv.writer(sys.stdout, lineterminator="\n")
        written.writerow([*by, *_plain(rows[0])] if rows else by)
        for row in rows:
            written.writerow([*row.group, *_plain(row).values()])
    elif not rows:
        click.echo(f"Nothing went through the proxy in the last {since}.", err=True)
    else:
        _table(by, rows)


def _upstreams(rows: "list[Row]", as_json: bool) -> None:
    """How upstreams stand, with what went through each; one that nothing went through stands, too."""
    from mcp_hub.store.upstream_states import UpstreamStates

    used = {row.group[0]: row for row in rows}
    told = [
        {
            "upstream": each.upstream,
            "state": each.state,
            "since": datetime.fromtimestamp(each.since, UTC).isoformat(timespec="seconds"),
            "requests": used[each.upstream].requests if each.upstream in used else 0,
            "errors": used[each.upstream].errors if each.upstream in used else 0,
            "reason": each.reason,
        }
        for each in UpstreamStates(proxy_database()).read()
    ]
    if as_json:
        click.echo(json.dumps(told, indent=2))
    elif not told:
        click.echo("No proxy has run yet: mcp_hub proxy", err=True)
    else:
        lines = [[f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()] for row in told]
        print_table(list(told[0]), lines, ("requests", "errors"))


def _table(by: tuple[str, ...], rows: "list[Row]") -> None:
    from mcp_hub.proxy.pricing import dollars_text

    heads = [*by, "requests", "errors", "tokens", "input", "written", "read", "output", "dollars", "first byte"]
    tells_cache = any(row.served for row in rows)  # without one, there is nothing to tell of it
    heads += ["cached", "saved"] if tells_cache else []
    lines = []
    for row in rows:
        used = row.usage
        written = used.cache_write_5m + used.cache_write_1h
        counts = (row.requests, row.errors, row.tokens, used.input, written, used.cache_read, used.output)
        first = "-" if row.first_byte is None else f"{row.first_byte:.1f} s"
        named = [part or "-" for part in row.group]
        saved = [_share(row), dollars_text(row.saved_dollars)] if tells_cache else []
        lines.append([*named, *(f"{count:,}" for count in counts), dollars_text(row.dollars), first, *saved])
    print_table(heads, lines, heads[len(by) :])


def _share(row: "Row") -> str:
    """The share of a row's requests that the cache has answered."""
    return f"{row.served:,} ({row.served / row.requests:.0%})"


def _plain(row: "Row") -> dict[str, object]:
    """A row as programs read it: times are mean seconds."""
    from mcp_hub.proxy.pricing import dollars_text

    return {
        "requests": row.requests,
        "errors": row.errors,
        "tokens": row.tokens,
        **asdict(row.usage),
        "dollars": dollars_text(row.dollars),
        "first_byte_seconds": row.first_byte,
        "answer_seconds": row.seconds,
        "cached_requests": row.served,
        "saved_dollars": dollars_text(row.saved_dollars),
        "saved_tokens": row.saved_tokens,
    }


def _cap(name: str, budget: str) -> "Cap":
    from decimal import Decimal, InvalidOperation

    from mcp_hub.proxy.budgets import Cap, Period
    from mcp_hub.proxy.pricing import nano_dollars

    amount, _, duration = budget.partition("/")
    try:
        limit = nano_dollars(Decimal(amount))
    except (InvalidOperation, ValueError):
        raise ConfigError(f"--budget {budget}: give DOLLARS/DURATION, such as 50/1d.") from None
    if limit <= 0:
        raise ConfigError(f"--budget {budget}: a budget is more than 0 dollars.")
    return Cap("key", name, "dollars", limit, Period.parse(duration))


def _keys() -> "KeyStore":
    from mcp_hub.store.keys import KeyStore

    return KeyStore(proxy_database())


def _ledger() -> "Ledger":
    from mcp_hub.store.ledger import Ledger

    return Ledger(proxy_database(), "")


COMMANDS = (proxy, keys, usage)
