"""Versions of packages, for what a run and a report say of where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution; a note in its place where there is none.

    A checkout that was never installed runs all the same.
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "(not installed as a package)"
    return found
