"""Errors that a user can cause, each with one message that says what to do.

All derive from :class:`RLSynError`, itself a ``ValueError``, so library users can catch either;
the command line turns any of them into one line on stderr and exit code 2.
"""

from __future__ import annotations

from typing import Any


class RLSynError(ValueError):
    """Base of every error that wrong input can cause."""


class TableError(RLSynError):
    """A table cannot be read, or its contents cannot be used."""


class SchemaError(RLSynError):
    """A schema is malformed, or does not match the table it is used with."""


class EncodingError(RLSynError):
    """A value or record cannot be encoded or decoded."""


class ConfigError(RLSynError):
    """An option, algorithm, hyperparameter or folder cannot be used as asked."""


def short_repr(value: Any) -> str:
    """Return ``repr(value)`` for one line of a message: its start where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...{text[-1]}"
