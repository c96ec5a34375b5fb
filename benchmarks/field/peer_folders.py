"""Peers: what their folders declare, and a hash that changes whenever they do."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rlsyn_env.errors import ConfigError

PEERS = Path(__file__).resolve().parent / "peers"
PROJECT = Path(__file__).resolve().parents[2]
SHARED = "shared"

_REQUIRED = ("description", "packages", "licence", "settings")
_OPTIONAL = (
    "environment", "install", "uninstall", "sources", "options", "limit", "only", "heavy",
    "reference",
)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """One generator of the field, as its ``peer.yaml`` declares it (see README.md)."""

    name: str
    folder: Path
    description: str
    packages: tuple[str, ...]
    licence: str
    settings: str
    environment: str
    install: tuple[tuple[str, ...], ...]
    uninstall: tuple[str, ...]
    sources: tuple[str, ...]
    options: tuple[str, ...]
    limit: dict[str, float]
    only: dict[str, tuple[int, ...]] | None
    heavy: bool
    reference: bool

    def runs_on(self, table: str, seed: int) -> bool:
        """Tell whether the cell belongs to the peer."""
        if self.only is None:
            return True
        return table in self.only and (not self.only[table] or seed in self.only[table])

    def seconds(self, table: str, default: float) -> float:
        """Return the time limit of a cell."""
        return self.limit.get(table, self.limit.get("default", default))

    def environment_hash(self) -> str:
        """Return a hash of all that decides what is installed."""
        digest = hashlib.sha256()
        requirements = self.folder / "requirements.txt"
        if requirements.is_file():
            digest.update(requirements.read_bytes())
        digest.update(repr((self.install, self.uninstall)).encode())
        return digest.hexdigest()[:16]

    def hash(self) -> str:
        """Return a hash of all that decides what a cell gives: folder, helpers, sources.

        Comments and layout of programs do not count.
        """
        digest = hashlib.sha256()
        for root in (self.folder, *(PROJECT / source for source in self.sources)):
            for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
                if path.suffix in (".py", ".txt", ".yaml") and path.is_file():
                    digest.update(f"{root.name}/{path.relative_to(root)}\0".encode())
                    digest.update(_content(path))
        for path in _used_helpers(self.folder):
            digest.update(f"{SHARED}/{path.name}\0".encode())
            digest.update(_content(path))
        return digest.hexdigest()[:16]


def _content(path: Path) -> bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    text = path.read_text(encoding="utf-8")
    try:
        return ast.unparse(ast.parse(text)).encode()
    except SyntaxError:
        return text.encode()


def _used_helpers(folder: Path) -> list[Path]:
    """Return the shared modules that a peer's programs mention, and those that they mention."""
    helpers = sorted((folder.parent / SHARED).glob("*.py"))
    used: list[Path] = []
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    while texts:
        text = texts.pop()
        for helper in helpers:
            if helper not in used and re.search(rf"\b{helper.stem}\b", text):
                used.append(helper)
                texts.append(helper.read_text(encoding="utf-8"))
    return sorted(used)


def load_peers(folder: Path = PEERS) -> dict[str, Peer]:
    """Return all peers of a folder by name, sorted.

    Raises:
        ConfigError: a ``peer.yaml`` is malformed, or peers that share an environment disagree.
    """
    peers = {
        path.parent.name: read_peer(path.parent) for path in sorted(folder.glob("*/peer.yaml"))
    }
    if not peers:
        raise ConfigError(f"{folder} holds no peer (a folder with a peer.yaml)")
    first: dict[str, Peer] = {}
    for peer in peers.values():
        other = first.setdefault(peer.environment, peer)
        if other.environment_hash() != peer.environment_hash():
            raise ConfigError(
                f"peers {other.name!r} and {peer.name!r} share the environment "
                f"{peer.environment!r} but install different things"
            )
    return peers


def read_peer(folder: Path) -> Peer:
    """Read the ``peer.yaml`` of one folder; ConfigError when it is malformed."""
    path = folder / "peer.yaml"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} is no mapping")
    for key in _REQUIRED:
        if key not in data:
            raise ConfigError(f"{path} lacks {key!r}")
    for key in data:
        if key not in (*_REQUIRED, *_OPTIONAL):
            raise ConfigError(
                f"{path}: unknown entry {key!r}; known are {', '.join((*_REQUIRED, *_OPTIONAL))}"
            )
    if not (folder / "run.py").is_file():
        raise ConfigError(f"{folder} has no run.py")
    default = [["-r", "requirements.txt"]] if (folder / "requirements.txt").is_file() else []
    only = data.get("only")
    return Peer(
        name=folder.name,
        folder=folder,
        description=str(data["description"]),
        packages=_texts(data["packages"]),
        licence=str(data["licence"]),
        settings=str(data["settings"]),
        environment=str(data.get("environment", folder.name)),
        install=tuple(_texts(step) for step in data.get("install", default)),
        uninstall=_texts(data.get("uninstall", [])),
        sources=_texts(data.get("sources", [])),
        options=_texts(data.get("options", [])),
        limit={str(k): float(v) for k, v in data.get("limit", {}).items()},
        only=None if only is None else {str(k): tuple(v or ()) for k, v in only.items()},
        heavy=bool(data.get("heavy", False)),
        reference=bool(data.get("reference", False)),
    )


def choose_peers(peers: dict[str, Peer], names: list[str] | None, *, heavy: bool) -> list[Peer]:
    """Return the named peers, or all; heavy ones only when asked for.

    Raises:
        ConfigError: a name is unknown.
    """
    if names is None:
        return [peer for peer in peers.values() if heavy or not peer.heavy]
    for name in names:
        if name not in peers:
            raise ConfigError(f"no peer {name!r}; peers are {', '.join(peers)}")
    return [peers[name] for name in dict.fromkeys(names)]


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
