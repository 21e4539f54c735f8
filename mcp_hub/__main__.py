"""`python -m mcp_hub`: the same as the `mcp_hub` command."""

from mcp_hub.cli import main

if __name__ == "__main__":
    main()
