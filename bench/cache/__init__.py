"""Benchmarks of the response cache: pairs of requests that may or mustn't share an answer, latency, memory."""
