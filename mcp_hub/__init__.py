"""mcp_hub: one MCP server in front of all the others. Imports nothing, so that every part starts fast."""

__version__ = "0.1.0"
