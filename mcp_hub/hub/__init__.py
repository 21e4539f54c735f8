"""The hub: many downstream servers behind four meta-tools. The way of a program:

    server       an MCP client calls executeToolCode(code)
    meta_tools   reads which servers the program names, waits for those never seen, starts a run
    sandbox.pool a worker evaluates the program; each tool call comes back out of it
    calls          looks the tool up, binds and validates the arguments,
    remembering    knows what a read-only tool was asked before, for as long as servers.toml says,
    downstream     sends it to the server's session, waits with a bound,
    results        turns the MCP result into a value of the program
    meta_tools   renders what the program answered, bounded, with what it printed beside it

and the way of a look-up: `meta_tools` -> `catalog` (what there is), `search` (what fits), `lookups` (what is shown),
`stubs` and `docs` (how it is written). `upfront` is what needs no look-up. `downstream` fills the catalog: from what
was kept at once, from the servers as they connect.
"""
