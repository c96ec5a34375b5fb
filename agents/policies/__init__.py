"""Networks and policies that start from the table's marginals."""
