"""Packages of the extra ``eval``: used when installed, named in a notice when not."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(name: str) -> ModuleType | None:
    """Import a module; None when its package (or one that it needs) is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
