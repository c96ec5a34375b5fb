"""A virtual environment per peer, made on demand from its own pins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.field.locks import locked
from benchmarks.field.peer_folders import PROJECT, Peer
from rlsyn_env.errors import ConfigError

INSTALL_SECONDS = 3600
_READY = "field-ready.json"


class InstallError(Exception):
    """An environment could not be made; the message is the end of pip's output."""


@dataclass(frozen=True)
class Environment:
    """A Python with a peer's packages.

    Attributes:
        python: its interpreter.
        version: of Python.
        packages: versions by lower-case name, as ``pip list`` says.
    """

    python: Path
    version: str
    packages: dict[str, str]

    def versions_of(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the versions of some packages; "not installed" where there is none."""
        return {name: self.packages.get(_key(name), "not installed") for name in names}

    def freeze(self) -> str:
        """Return everything that is installed, as lines of a requirements file."""
        pins = [f"{name}=={version}\n" for name, version in sorted(self.packages.items())]
        return f"# Python {self.version}\n" + "".join(pins)


def given_environment(python: Path, peer: Peer) -> Environment:
    """Describe an interpreter that exists already and is to run ``peer``.

    Raises:
        ConfigError: the peer runs packages of this repository, and the interpreter does not run, or
            has them from elsewhere or not at all: results would bear the hash of sources that did
            not run.
    """
    for package in sorted({Path(source).parts[0] for source in peer.sources}):
        if (PROJECT / package / "__init__.py").is_file():
            _check_origin(python, package)
    return _describe(python)


def _check_origin(python: Path, package: str) -> None:
    find = f"import importlib.util as u; s = u.find_spec({package!r}); print(s.origin if s else '')"
    # Isolated, as a peer is run: neither the working directory nor PYTHONPATH may lend the package.
    command = [str(python), "-I", "-c", find]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(f"{python} is no Python that runs; use another --python") from error
    found = done.stdout.strip()
    if not found or Path(found).resolve().parent != PROJECT / package:
        where = f"has {package} from {Path(found).parent}" if found else f"has no {package}"
        raise ConfigError(
            f"{python} {where}, and not from {PROJECT}, whose results are wanted: install this "
            f"checkout into it (pip install -e {PROJECT}), or use another --python"
        )


def make_environment(peer: Peer, work: Path, log: Path) -> Environment:
    """Return the peer's environment, after making it if it is new or its pins have changed.

    Args:
        peer: whose environment.
        work: folder of all environments (``work/venvs``).
        log: file for pip's output.

    Raises:
        InstallError: a step failed; the half-made environment is removed.
    """
    folder = work / "venvs" / peer.environment
    ready = folder / _READY
    with locked(work / "venvs" / f"{peer.environment}.lock"):
        if ready.is_file():
            made = json.loads(ready.read_text(encoding="utf-8"))
            if made["hash"] == peer.environment_hash():
                return Environment(folder / "bin" / "python", made["version"], made["packages"])
        shutil.rmtree(folder, ignore_errors=True)
        try:
            environment = _build(peer, folder, log)
        except InstallError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        made = {
            "hash": peer.environment_hash(),
            "version": environment.version,
            "packages": environment.packages,
        }
        ready.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        return environment


def _build(peer: Peer, folder: Path, log: Path) -> Environment:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("", encoding="utf-8")
    _step([sys.executable, "-m", "venv", str(folder)], peer.folder, log)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    for arguments in peer.install:
        filled = [argument.replace("{project}", str(PROJECT)) for argument in arguments]
        _step([*pip, "install", *filled], peer.folder, log)
    if peer.uninstall:
        _step([*pip, "uninstall", "-y", *peer.uninstall], peer.folder, log)
    return _describe(python)


def _step(command: list[str], folder: Path, log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write("$ " + " ".join(command) + "\n")
        file.flush()
        try:
            done = subprocess.run(
                command, cwd=folder, stdout=file, stderr=subprocess.STDOUT,
                timeout=INSTALL_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise InstallError(f"installation took longer than {INSTALL_SECONDS} s") from error
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
        raise InstallError(" ".join(errors[-2:]))


def _describe(python: Path) -> Environment:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        raise InstallError(f"{python} cannot list its packages")
    packages = {_key(entry["name"]): entry["version"] for entry in json.loads(listed.stdout)}
    version = subprocess.run(
        [str(python), "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return Environment(python, version, packages)


def _key(name: str) -> str:
    return name.lower().replace("_", "-")
