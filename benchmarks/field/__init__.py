"""A matrix of generators, tables and seeds, every one judged on the same held-out rows."""
