"""Where the recorded sessions take place: two people of a team, their folders, a hub for each, and the messages proxy.

Everything is in one folder, which can be kept as it is and restored, so that each second run finds what the same first
run has left. Nothing but loopback is reached: other addresses go to a proxy that isn't there.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import anyio

from bench.cache.recorder import Exchange, recorded
from bench.cache.session_model import SessionApi
from bench.cache.session_requests import Asked, kind_of, verdict_of
from bench.cache.session_task import Repository
from bench.processes import BenchError
from mcp_hub.proxy.cache_key import Scope, key_of
from mcp_hub.proxy.named_folders import folders_named
from mcp_hub.proxy.pins import Route
from mcp_hub.proxy.workspace import UnprovenError, Workspaces
from tests.clients.claude_code import ClaudeCode
from tests.clients.headless import Home
from tests.clients.proxy_scenario import Proxy, running
from tests.clients.reach import ATTACH, HUB, STATE_VARIABLE, Stdio
from tests.support import FIXTURES, ROOT, StartedHttpHub

PEOPLE = ("ada", "bob")
TEAM = "shop"
UPSTREAM = "anthropic"
TOOLS = "Bash,Edit,Read"
CONTINUE = ("--continue",)

NOWHERE = "http://127.0.0.1:9"
"""For whatever isn't on loopback."""

APART = {"HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1,localhost"}

SERVERS = """
[servers.{name}]
command = ["{python}", "{fixtures}/{name}_server.py"]
cwd = "{root}"
env = {{ PYTHONPATH = "{root}" }}
{more}
"""

UPSTREAMS = """
[[proxy.upstreams]]
name = "{upstream}"
url = "{url}"
credential = "the-upstreams-credential"
"""

KEYS = """
[[proxy.keys]]
name = "{name}"
key = "{key}"
team = "{team}"
"""

CACHE = """
[proxy.cache]
roots = ["{root}"]
shared_by = "team"
tool_calls = {tool_calls}
similar_for = {similar_for}
"""


@dataclass(frozen=True)
class Setting:
    """Of `[proxy.cache]`, what the runs differ in."""

    tool_calls: bool
    similar: bool

    @property
    def name(self) -> str:
        return f"tool_calls {'on' if self.tool_calls else 'off'}, {'similar' if self.similar else 'exact only'}"


@dataclass(frozen=True)
class Money:
    """Of all that went through a proxy so far: tokens and dollars paid, and those that its cache saved."""

    tokens: int
    dollars: Decimal
    saved_tokens: int
    saved_dollars: Decimal

    def since(self, before: "Money") -> "Money":
        """What came since then."""
        return Money(
            self.tokens - before.tokens,
            self.dollars - before.dollars,
            self.saved_tokens - before.saved_tokens,
            self.saved_dollars - before.saved_dollars,
        )


NOTHING = Money(0, Decimal(0), 0, Decimal(0))


@dataclass(frozen=True)
class Desk(Home):
    """One person's home, and the repository that they work in."""

    repository: Path

    @property
    def work(self) -> Path:
        return self.repository


@dataclass(frozen=True)
class Open:
    """A proxy that runs, and the recorder before it."""

    url: str
    proxy: Proxy

    def money(self) -> Money:
        """What it has counted so far."""
        rows = self.proxy.usage("team")
        if not rows:
            return NOTHING
        (row,) = rows
        return Money(
            int(str(row["tokens"])),
            Decimal(str(row["dollars"])),
            int(str(row["saved_tokens"])),
            Decimal(str(row["saved_dollars"])),
        )


class World:
    """The folder `root`, made anew, and the model that answers in it; `claude` is the program."""

    def __init__(self, root: Path, claude: Path, api: SessionApi, remembered: str = "") -> None:
        """`remembered` is a line for the servers of the hub."""
        self.root = root
        self._claude = claude
        self._api = api
        self.repository = Repository(root / "shop")
        self.clone = root / "clone"
        self._servers = root / "servers.toml"
        self.repository.folder.mkdir(parents=True)
        self.repository.make().clone(self.clone)
        texts = [
            SERVERS.format(name=name, python=sys.executable, fixtures=FIXTURES, root=ROOT, more=remembered)
            for name in ("orders", "customers")
        ]
        self._servers.write_text("".join(texts))
        for name in PEOPLE:
            home = root / name / "home"
            home.mkdir(parents=True)
            (home / ".gitconfig").write_text(f"[user]\nname = {name.title()}\nemail = {name}@example.com\n")

    def keep(self) -> None:
        """Keep the folder as it is."""
        shutil.copytree(self.root, self._kept, symlinks=True)

    def restore(self) -> None:
        """Put the folder back as it was kept."""
        shutil.rmtree(self.root)
        shutil.copytree(self._kept, self.root, symlinks=True)

    @property
    def _kept(self) -> Path:
        return self.root.with_name(f"{self.root.name}.kept")

    @contextmanager
    def proxied(self, setting: Setting) -> Iterator[tuple[Open, list[Exchange]]]:
        """A proxy with this cache, which goes on where the last one ended; the list has all that went through it."""
        exchanges: list[Exchange] = []
        keys = "".join(KEYS.format(name=name, key=_key(name), team=TEAM) for name in PEOPLE)
        cache = CACHE.format(
            root=self.root,
            tool_calls=str(setting.tool_calls).lower(),
            similar_for='["*"]' if setting.similar else "[]",
        )
        settings = UPSTREAMS.format(upstream=UPSTREAM, url=self._api.url) + keys + cache
        with running(self.root / "proxy", settings) as proxy, recorded(proxy.url, self._state) as recorder:
            yield Open(recorder.url, proxy), exchanges
            exchanges += recorder.taken()

    @contextmanager
    def served(self, token: str) -> Iterator[StartedHttpHub]:
        """A hub over HTTP that Ada's sessions can attach to."""
        folder = self.root / "hub"
        folder.mkdir()
        hub = StartedHttpHub(self._servers, self._hub_state("ada"), folder, MCP_HUB_TOKEN=token)
        try:
            yield hub
        finally:
            hub.close()

    def session(
        self, url: str, name: str, folder: Path, prompts: Sequence[tuple[str, Sequence[str]]], *, attached: bool = False
    ) -> None:
        """Each prompt, with its further options, in a headless Claude Code of its own. Raises BenchError."""
        command = [str(HUB), "serve", *([ATTACH] if attached else []), "--config", str(self._servers)]
        reach = Stdio(command, {STATE_VARIABLE: str(self._hub_state(name))})
        env: Mapping[str, str] = {**APART, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": ""}
        desk = Desk(self.root / name, os.environ["PATH"], folder)
        client = ClaudeCode(self._claude, desk, reach, _key(name), env)
        for prompt, options in prompts:
            run = client.converse(prompt, url, lambda _: None, options, TOOLS)
            last = run.event("result")
            if run.done.exit_code != 0 or last.get("is_error") or self._api.record.errors:
                raise BenchError(f"Claude Code didn't end well: {run.done.told} {last.get('result')}")

    def asked(self, exchanges: Sequence[Exchange]) -> list[Asked]:
        """The recorded requests to a model, as the cache knows them."""
        return [self._asked(each) for each in exchanges if "/messages" in each.target]

    def _asked(self, exchange: Exchange) -> Asked:
        body = json.loads(exchange.body)
        scope = Scope(f"team {TEAM}", UPSTREAM, exchange.seen)
        key = key_of(body, Route(body["model"], UPSTREAM), exchange.target, list(exchange.headers), scope)
        verdict, detail = verdict_of(exchange.cache_status)
        called_tools = b'"tool_use"' in exchange.answer
        return Asked(kind_of(exchange.target, body), verdict, detail, key, called_tools)

    def _state(self, body: bytes) -> str:
        """The state of the workspace that a request names, as the cache is about to prove it."""
        try:
            folders = folders_named(json.loads(body)) if body else ()
            return anyio.run(Workspaces([self.root], os.environ).state, folders) if folders else ""
        except UnprovenError as error:
            return f"not proven: {error.text}"

    def _hub_state(self, name: str) -> Path:
        return self.root / name / "hub"


def _key(name: str) -> str:
    return f"a-key-for-{name}-0123456789"
