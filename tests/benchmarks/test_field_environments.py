"""A given interpreter must run the sources whose hash its results will bear."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from benchmarks.field.environments import InstallError, given_environment
from benchmarks.field.peer_folders import PROJECT, load_peers
from rlsyn_env.errors import ConfigError


@pytest.fixture
def bare_python(tmp_path) -> Path:
    """Return the interpreter of a virtual environment without any package."""
    venv.create(tmp_path / "bare", symlinks=True)
    return tmp_path / "bare" / "bin" / "python"


@pytest.fixture
def peers():
    return load_peers()


def add_to_path(python: Path, folder: Path) -> None:
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    purelib = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (Path(purelib) / "added.pth").write_text(f"{folder}\n")


def test_packages_of_another_checkout_are_refused(bare_python, tmp_path, peers, monkeypatch):
    for package in ("agents", "rlsyn_env"):
        (tmp_path / "other" / package).mkdir(parents=True)
        (tmp_path / "other" / package / "__init__.py").touch()
    add_to_path(bare_python, tmp_path / "other")
    monkeypatch.chdir(PROJECT)  # nor may the working directory stand in
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    with pytest.raises(
        ConfigError, match=r"has agents from .*other/agents, and not from .*--python"
    ):
        given_environment(bare_python, peers["rlsyn"])


@pytest.mark.parametrize("name", ["rlsyn", "independent", "oneshot_published"])
def test_an_interpreter_without_the_packages_is_refused(name, bare_python, peers):
    with pytest.raises(ConfigError, match=r"has no (agents|rlsyn_env)"):
        given_environment(bare_python, peers[name])


def test_what_is_no_python_is_refused(tmp_path, peers):
    with pytest.raises(ConfigError, match="nowhere is no Python that runs"):
        given_environment(tmp_path / "nowhere", peers["rlsyn"])


def test_an_interpreter_that_runs_this_checkout_is_taken(bare_python, peers):
    add_to_path(bare_python, PROJECT)
    with pytest.raises(InstallError, match="cannot list its packages"):  # it has no pip
        given_environment(bare_python, peers["rlsyn"])


def test_an_interpreter_is_described_by_its_packages(peers):
    described = given_environment(Path(sys.executable), peers["cart"])  # runs no package of ours
    assert "numpy" in described.packages
    assert described.versions_of(("numpy", "no-such")) == {
        "numpy": described.packages["numpy"],
        "no-such": "not installed",
    }
