"""Real clients and real servers, driven end to end: `python -m tests.clients`."""
