"""What the messages proxy adds to a request, beside another proxy and beside none."""
