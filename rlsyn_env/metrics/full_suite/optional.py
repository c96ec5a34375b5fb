"""Packages of the extra ``eval``: used when installed, named in a notice when not."""

from __future__ import annotations

import importlib
from types import ModuleType

INSTALL = {
    "statsmodels": "pip install statsmodels",
    # Its own pins are older than what it works with.
    "anonymeter": "pip install --no-deps anonymeter, then pip install polars numba",
}


def import_optional(name: str) -> ModuleType | None:
    """Import a module; None when its package is not installed or does not load.

    A package may be there and yet not load: one that it needs is missing, or refuses the NumPy
    that is installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def left_out(package: str, figures: str) -> str:
    """Say in one line which figures are missing for want of ``package``, and how to get them."""
    return (
        f"{package} is not installed, or does not load: {figures} left out "
        f"(to get them: {INSTALL[package]})"
    )
