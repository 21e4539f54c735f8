"""The graded benchmark: the same tasks, with the tools given directly, behind a search, or through the hub.

task -> worlds (made anew) -> agents (plays the plan against real servers) -> billing (what it cost) -> runs (all of
them, kept) -> report and plots. `python -m bench` is its command; bench/README.md its method.
"""
