"""Streams as the Messages API sends them: padded data lines, pings, multi-byte characters, every kind of block."""

from pathlib import Path

STREAMS = {path.stem: path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.sse"))}
"""Each by name: text, thinking, tool_use, citations, web_search, overloaded (an error in mid-stream)."""

COMPLETE = sorted(STREAMS.keys() - {"overloaded"})
