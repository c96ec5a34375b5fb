"""Columns that are exact functions of other columns: found, written in the schema, recomputed.

``formulas.py`` what can be said, ``grammar.py`` reads it, ``evaluation.py`` computes it,
``checks.py`` refuses what cannot be computed, ``detection.py`` finds the relations of a table.
"""
