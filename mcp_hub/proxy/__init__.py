"""The proxy: any Anthropic client on one side, the model on the other. The way of a request to /v1/messages:

    server       a client sends a request over HTTP
    keys         whose it is, by the key that it presents
    wire         reads the fields that matter: model, max_tokens, stream, session; the rest passes as it came
    pins         which model and which upstream serve it, for the model that it asks for
    cache        where it is on: what was answered before is given again, and what follows is done once for all who
                 ask the same at the same time (cache_key, workspace, flights, similar, guard, replay, keeping)
    parameters   what of the request that model doesn't take, and what is done about it
    bounds       what it can use at most: no answer costs more
    pricing      what that costs at the served model's prices
    budgets      every cap that applies allows it, lets it wait for others to settle, or refuses it;
                 the ledger (mcp_hub.store) reserves the worst case in the transaction that decides
    admission    puts the last four together, and where there is no room, has the prompt counted, lowers, waits
    choice       of several upstreams, the one that works, or that has the session's prompt cache
    attempts     asks it, and where it fails before the first byte, the next one
    upstreams    send it, each in what its upstream speaks; the answer comes back piece by piece
    sse          cuts a stream into events, which go on to the client byte for byte
    answer       holds all that until the client has it, or has gone
    recording    hears them pass: what was used, and the whole message
    pricing      what it did cost; the ledger settles the reservation to that, however the answer ended

`flow` is this list as code. What is refused on the way is answered as the Messages API would (`wire.error_body`).
"""
