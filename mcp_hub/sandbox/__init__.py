"""The sandbox runs one program: bounded in time, steps, memory, calls and output.

It knows nothing of MCP: whoever runs a program hands it namespaces (names of servers and tools) and a
`call_tool` coroutine. The way of a program:

    pool.run(job)            a warm worker is taken, another is forked in its place
      worker                 parses, preflights, binds the namespaces, evaluates (child process)
        frame "call"     ->  pool awaits call_tool(...)  -> frame "value" or "failure"
      frame "done"       ->  pool returns what the program answered, printed and used
    the worker is killed     one program, one worker, whatever happened

`zygote` is the clean process that forks the workers; it has imported everything they need and never runs
a program of an agent's. This file imports nothing: the zygote and the workers pass through it.
"""
