"""The documentation keeps up with the program: commands, options, settings, links."""

import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import click
import pytest
from pydantic import BaseModel

from mcp_hub.cache_settings import CacheSettings
from mcp_hub.cli import main
from mcp_hub.hub.metrics import Metrics
from mcp_hub.proxy_settings import (
    BudgetsSettings,
    KeySettings,
    PinSettings,
    PriceSettings,
    ProxySettings,
    UpstreamSettings,
)
from mcp_hub.sandbox.limits import Limits
from mcp_hub.settings import HttpSettings, HubSettings, PolicySettings, ServerSettings
from tests.support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
EVERYWHERE = {"--help", "--config", "--log-level", "--scope", "--json"}
"""Options that the page tells of once, or that speak for themselves."""


def commands(group: click.Group, path: str = "mcp_hub") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with what is typed for it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{path} {name}", command


COMMANDS = list(commands(main))


@pytest.mark.parametrize(("typed", "command"), COMMANDS, ids=[typed for typed, _ in COMMANDS])
def test_every_command_and_option_is_documented(typed: str, command: click.Command) -> None:
    lines = [line for line in COMMANDS_PAGE.splitlines() if f"`{typed}" in line]
    assert lines, f"docs/commands.md doesn't have {typed}"
    options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    shown = command.get_help(click.Context(command, info_name=typed, **main.context_settings))
    for option in options - EVERYWHERE:
        assert option in COMMANDS_PAGE or option in shown


def test_every_documented_command_exists() -> None:
    known = {typed for typed, _ in COMMANDS}
    for page in PAGES:
        for typed in re.findall(r"mcp_hub((?: [a-z]+)+)", page.read_text()):
            words = typed.split()
            if words[0] in main.commands:
                group = main.commands[words[0]]
                depth = 2 if isinstance(group, click.Group) else 1
                assert f"mcp_hub {' '.join(words[:depth])}" in known, f"{page.name}: mcp_hub{typed}"


@pytest.mark.parametrize(
    ("model", "page"),
    [
        (ServerSettings, "README.md"),
        (HubSettings, "README.md"),
        (Limits, "README.md"),
        (HttpSettings, "docs/commands.md"),
        (PolicySettings, "docs/policy.md"),
        *(
            (model, "docs/proxy.md")
            for model in (
                ProxySettings,
                UpstreamSettings,
                KeySettings,
                PinSettings,
                BudgetsSettings,
                PriceSettings,
            )
        ),
        (CacheSettings, "docs/cache.md"),
    ],
)
def test_every_key_of_servers_toml_is_documented(model: type[BaseModel], page: str) -> None:
    text = (ROOT / page).read_text()
    assert not [key for key in model.model_fields if not re.search(rf"\b{key}\b", text)]


def test_every_metric_of_the_hub_is_documented() -> None:
    told = re.findall(r"^# TYPE (\w+)", anyio.run(Metrics(tuple).exposition).decode(), re.MULTILINE)
    assert told == re.findall(r"^\| `(mcp_hub_\w+)", COMMANDS_PAGE, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
