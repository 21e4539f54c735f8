"""Spans are for those who ask: how they ask, what they are told when that can't be, and what others don't pay."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from mcp_hub import tracing
from mcp_hub.errors import ConfigError
from mcp_hub.otel import OtelTracer
from tests.support import ROOT

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": NOWHERE}, True),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            True,
        ),
    ],
)
def test_spans_are_asked_for_by_opentelemetrys_variables(environ: Mapping[str, str], asked: bool) -> None:
    assert tracing.is_asked(environ) is asked


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            r"\[OTEL_TRACES_EXPORTER\] spans can't be sent by 'zipkin', only by otlp. Set OTEL_TRACES_EXPORTER=none to",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            r"\[OTEL_EXPORTER_OTLP_PROTOCOL\] spans can't be sent by 'grpc', only by http/protobuf. Set OTEL_TRACES_EX",
        ),
    ],
)
def test_a_way_that_there_is_not_is_told(environ: Mapping[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        tracing.is_asked(environ)


async def test_who_does_not_ask_has_no_tracer() -> None:
    async with tracing.tracer({}) as tracer:
        assert tracer is None


async def test_who_asks_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", NOWHERE)
    async with tracing.tracer({"OTEL_EXPORTER_OTLP_ENDPOINT": NOWHERE}) as tracer:
        assert isinstance(tracer, OtelTracer)


async def test_asked_for_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mcp_hub.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError) as failed:
        async with tracing.tracer({"OTEL_TRACES_EXPORTER": "otlp"}):
            pass
    assert failed.value.text == (
        "[OTEL_TRACES_EXPORTER] spans are asked for, and what sends them isn't installed "
        "(opentelemetry.sdk.resources): install mcp_hub[otel]. Set OTEL_TRACES_EXPORTER=none to go without spans."
    )


def test_a_variable_that_the_sdk_cannot_read_is_told() -> None:
    asking = "tracing.tracer({'OTEL_TRACES_EXPORTER': 'otlp'}).__aenter__"
    code = f"import anyio\nfrom mcp_hub import tracing\nanyio.run({asking})"
    environ = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "x", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True)
    assert "ConfigError: [OTEL_] spans can't be sent as the OTEL_ variables say: OTEL_SPAN_ATTR" in done.stderr


@pytest.mark.parametrize(
    ("opens", "never"),
    [
        (
            "from mcp_hub.proxying import open_proxy as of\nfrom mcp_hub.proxy_settings import ProxySettings\n"
            "made = of(ProxySettings(), Path(sys.argv[1]))",
            "opentelemetry",
        ),
        (
            "from mcp_hub.app import open_hub as of\n"
            "from mcp_hub.cli.shared import prepared\nwhere, loaded = prepared(None)\nmade = of(loaded, where)",
            "opentelemetry.sdk",
        ),
    ],
    ids=["proxy", "hub"],
)
def test_who_does_not_ask_imports_nothing_for_it(
    opens: str, never: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""
import sys, anyio
from pathlib import Path
{opens}
async def main():
    async with made:
        print([name for name in sys.modules if name == {never!r} or name.startswith({never + "."!r})])
anyio.run(main)
"""
    for variable in ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("MCP_HUB_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
