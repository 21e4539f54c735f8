"""The way of a request to a model: who asks, what may be spent, which model answers, and what it cost."""
