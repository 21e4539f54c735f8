"""The house: imports go one way, every file says what it is for and has its tests, modules stay readable."""

import ast
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "mcp_hub"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py"))

LAYERS: tuple[tuple[str, ...], ...] = (
    ("mcp_hub.__main__",),
    ("mcp_hub.cli",),
    (
        "mcp_hub.cli.serve",
        "mcp_hub.cli.inspect",
        "mcp_hub.cli.execute",
        "mcp_hub.cli.runs",
        "mcp_hub.cli.cache",
        "mcp_hub.cli.proxy",
        "mcp_hub.cli.configure",
        "mcp_hub.cli.importing",
    ),
    ("mcp_hub.cli.shared", "mcp_hub.cli.files", "mcp_hub.cli.sharing"),
    ("mcp_hub.serving", "mcp_hub.proxying"),
    ("mcp_hub.app", "mcp_hub.caching", "mcp_hub.configuration", "mcp_hub.logs", "mcp_hub.proxy.server"),
    ("mcp_hub.proxy.flow",),
    ("mcp_hub.proxy.cache",),
    ("mcp_hub.proxy.keeping", "mcp_hub.proxy.similar"),
    ("mcp_hub.proxy.attempts", "mcp_hub.proxy.flights"),
    ("mcp_hub.proxy.answer",),
    ("mcp_hub.proxy.admission",),
    ("mcp_hub.proxy.counting", "mcp_hub.proxy.metrics", "mcp_hub.proxy.spans"),
    ("mcp_hub.proxy.choice",),
    ("mcp_hub.hub.http",),
    ("mcp_hub.hub.server",),
    ("mcp_hub.hub.attached",),
    ("mcp_hub.hub.meta_tools",),
    ("mcp_hub.hub.programs",),
    ("mcp_hub.hub.failures", "mcp_hub.hub.unseen", "mcp_hub.sandbox.pool"),
    ("mcp_hub.hub.journal",),
    ("mcp_hub.hub.calls", "mcp_hub.hub.learning", "mcp_hub.hub.metrics", "mcp_hub.hub.resuming", "mcp_hub.hub.spans"),
    ("mcp_hub.hub.remembering",),
    ("mcp_hub.hub.downstream",),
    ("mcp_hub.hub.session",),
    ("mcp_hub.hub.children", "mcp_hub.hub.stdio", "mcp_hub.sandbox.conversation"),
    (
        "mcp_hub.hub.direct",
        "mcp_hub.hub.guardian",
        "mcp_hub.sandbox.zygote",
        "mcp_hub.sandbox.memory",
        "mcp_hub.sandbox.slots",
        "mcp_hub.store.catalogs",
        "mcp_hub.store.keys",
        "mcp_hub.store.ledger",
        "mcp_hub.store.lives",
        "mcp_hub.store.runs",
        "mcp_hub.store.shapes",
        "mcp_hub.store.trust",
        "mcp_hub.store.responses",
        "mcp_hub.store.running",
        "mcp_hub.store.upstream_states",
        "mcp_hub.store.vectors",
    ),
    ("mcp_hub.sandbox.worker", "mcp_hub.store.database", "mcp_hub.store.standings", "mcp_hub.store.writer"),
    ("mcp_hub.sandbox.program", "mcp_hub.store.connection", "mcp_hub.store.response_parts"),
    (
        "mcp_hub.sandbox.branches",
        "mcp_hub.sandbox.confinement",
        "mcp_hub.sandbox.environment",
        "mcp_hub.store.response_rows",
    ),
    (
        "mcp_hub.hub.answers",
        "mcp_hub.hub.arguments",
        "mcp_hub.hub.lookups",
        "mcp_hub.hub.redacted_code",
        "mcp_hub.hub.results",
        "mcp_hub.hub.scripts",
        "mcp_hub.hub.search",
        "mcp_hub.hub.upfront",
        "mcp_hub.sandbox.preflight",
        "mcp_hub.sandbox.seccomp",
    ),
    (
        "mcp_hub.hub.redaction",
        "mcp_hub.hub.shapes",
        "mcp_hub.hub.stubs",
        "mcp_hub.sandbox.explain",
        "mcp_hub.sandbox.habits",
    ),
    ("mcp_hub.hub.docs", "mcp_hub.sandbox.lowering"),
    ("mcp_hub.hub.examples",),
    ("mcp_hub.hub.types", "mcp_hub.hub.validation"),
    ("mcp_hub.proxy.upstreams.opening",),
    ("mcp_hub.proxy.upstreams.bedrock", "mcp_hub.proxy.upstreams.openrouter", "mcp_hub.proxy.upstreams.vertex"),
    ("mcp_hub.proxy.upstreams.answers",),
    ("mcp_hub.proxy.upstreams.bedrock_events", "mcp_hub.proxy.upstreams.vertex_wire"),
    ("mcp_hub.proxy.upstreams.bedrock_errors", "mcp_hub.proxy.upstreams.fields"),
    ("mcp_hub.proxy.cache_control", "mcp_hub.proxy.cache_key", "mcp_hub.proxy.replay"),
    ("mcp_hub.proxy.recording", "mcp_hub.proxy.repair", "mcp_hub.proxy.wire"),
    ("mcp_hub.proxy.apart", "mcp_hub.proxy.sse"),
    ("mcp_hub.hub.catalog", "mcp_hub.sandbox.library", "mcp_hub.sandbox.protocol"),
    ("mcp_hub.hub.parameters", "mcp_hub.hub.policy", "mcp_hub.proxy.pins"),
    ("mcp_hub.proxy.upstreams.compatible", "mcp_hub.proxy.upstreams.google_tokens", "mcp_hub.proxy.upstreams.signing"),
    ("mcp_hub.proxy.upstreams.connection", "mcp_hub.proxy.upstreams.threads"),
    ("mcp_hub.proxy.keys", "mcp_hub.proxy.parameters", "mcp_hub.proxy.upstreams.upstream"),
    ("mcp_hub.hub.schemas",),
    ("mcp_hub.edit", "mcp_hub.importing"),
    ("mcp_hub.clients",),
    ("mcp_hub.config", "mcp_hub.reload"),
    ("mcp_hub.settings", "mcp_hub.folders", "mcp_hub.places"),
    ("mcp_hub.proxy_settings",),
    ("mcp_hub.proxy.bounds", "mcp_hub.proxy.budgets", "mcp_hub.proxy.responses"),
    ("mcp_hub.proxy.embedding", "mcp_hub.proxy.guard", "mcp_hub.proxy.workspace", "mcp_hub.tracing"),
    ("mcp_hub.proxy.contents",),
    ("mcp_hub.proxy.git", "mcp_hub.proxy.named_folders"),
    ("mcp_hub.proxy.pricing", "mcp_hub.cache_settings", "mcp_hub.listening", "mcp_hub.otel", "mcp_hub.prometheus"),
    ("mcp_hub.sandbox.limits", "mcp_hub.errors", "mcp_hub.names", "mcp_hub.sockets", "mcp_hub.table"),
    ("mcp_hub", "mcp_hub.hub", "mcp_hub.proxy", "mcp_hub.proxy.upstreams", "mcp_hub.sandbox", "mcp_hub.store"),
)
"""Top to bottom: a module imports only from the layers below its own."""

PACKAGES = ("mcp_hub.proxy.guard", "mcp_hub.sandbox.library", "mcp_hub.sandbox.lowering")
"""Packages that are one room: one place in LAYERS, and tests by what they do instead of by file."""

LEVEL = {module: level for level, layer in enumerate(LAYERS) for module in layer}

LONG_ON_PURPOSE: dict[str, str] = {}
"""Modules over 500 lines, each with the reason."""


def module_of(path: Path) -> str:
    """The dotted name of a source file."""
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


def room_of(path: Path) -> str:
    """The module, or the package that it is a part of where that is one room."""
    module = module_of(path)
    return next((package for package in PACKAGES if module.startswith(f"{package}.")), module)


def imports_of(path: Path) -> set[str]:
    """The modules of this package that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in LEVEL else node.module
                for alias in node.names
            }
    return {name for name in found if name in LEVEL}


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_down_only(path: Path) -> None:
    module = room_of(path)
    assert module in LEVEL, f"give {module} its place in LAYERS"
    upward = {name for name in imports_of(path) - {module} if LEVEL[name] <= LEVEL[module]}
    assert not upward


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_the_sandbox_and_the_store_know_nothing_of_the_hub(path: Path) -> None:
    if path.parent.name in ("sandbox", "store"):
        assert not {name for name in imports_of(path) if name.startswith("mcp_hub.hub")}


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_files_first_line_says_its_purpose(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert len(docstring.splitlines()[0]) > 30


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_module_is_at_most_500_lines(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 500 or module_of(path) in LONG_ON_PURPOSE


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_source_file_has_its_tests(path: Path) -> None:
    if path.stem in ("__init__", "__main__") or room_of(path) in PACKAGES:
        return
    folder = ROOT / "tests" / path.parent.relative_to(PACKAGE)
    assert list(folder.glob(f"test_{path.stem}*.py")), f"no tests for {module_of(path)}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_nothing_prints_but_the_command_line(path: Path) -> None:
    if path.parent.name == "cli":
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
