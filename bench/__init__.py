"""Benchmarks and the demo; README.md tells the method."""
