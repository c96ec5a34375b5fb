"""A package that is there but does not load is as good as none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlsyn_env.metrics.full_suite.optional import INSTALL, import_optional, left_out


@pytest.mark.parametrize(
    "text", ["import something_it_needs", "raise ImportError('needs NumPy 2.3 or less')"]
)
def test_a_package_that_does_not_load(text: str, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "half_installed.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert import_optional("half_installed") is None
    assert import_optional("json") is not None


@pytest.mark.parametrize("package", INSTALL)
def test_the_notice_is_one_line_with_the_remedy(package: str) -> None:
    line = left_out(package, "these figures are")
    assert "\n" not in line
    assert line.startswith(f"{package} is not installed")
    assert "these figures are left out" in line
    assert f"pip install {'--no-deps ' if package == 'anonymeter' else ''}{package}" in line
