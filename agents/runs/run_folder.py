"""The folder of a run: which file is where, and who may write to it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agents.judging import METRICS_FILE, REPORT_FILE
from agents.runs.checkpoint import LATEST
from agents.runs.config import load_yaml, save_yaml
from rlsyn_env.errors import ConfigError
from rlsyn_env.files import write_text

#: What a run writes at the top of its folder; --overwrite removes these and nothing else.
_OWN_FILES = (
    "config.yaml",
    "command.txt",
    "status.json",
    "schema.yaml",
    "encoder.json",
    "split.json",
    METRICS_FILE,
    REPORT_FILE,
    "synthetic.csv",
    "synthetic.parquet",
)
_OWN_FOLDERS = ("checkpoints", "model")
_LOCK = ".lock"
_ASIDE = ".replaced"  # the run that --overwrite replaces, until the new one has learnt


class RunFolder:
    """Paths of one run, ``runs/<algo>-<dataset>-<seed>[-k]``."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.yaml"
        self.command_file = self.path / "command.txt"
        self.status_file = self.path / "status.json"
        self.schema_file = self.path / "schema.yaml"
        self.encoder_file = self.path / "encoder.json"
        self.split_file = self.path / "split.json"
        self.metrics_file = self.path / METRICS_FILE
        self.report_file = self.path / REPORT_FILE
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model"
        self.agent_file = self.model / "agent.zip"
        self.generator_file = self.model / "generator.yaml"

    @property
    def exists(self) -> bool:
        """Whether a run has been started in it."""
        return self.config_file.is_file()

    @property
    def finished(self) -> bool:
        """Whether training, generation and judging are done."""
        return self.status().get("finished", False) is True

    def status(self) -> dict[str, Any]:
        """Content of ``status.json``; empty before the run starts."""
        if not self.status_file.is_file():
            return {}
        try:
            content = json.loads(self.status_file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.status_file} cannot be read: {error}") from error
        return content if isinstance(content, dict) else {}

    def set_status(self, **status: Any) -> None:
        """Replace ``status.json``."""
        write_text(self.status_file, json.dumps(status, indent=1) + "\n")

    def synthetic_file(self, like: str | None) -> Path:
        """``synthetic.parquet`` for a run on a Parquet file, else ``synthetic.csv``."""
        parquet = like is not None and Path(like).suffix.lower() in (".parquet", ".pq")
        return self.path / ("synthetic.parquet" if parquet else "synthetic.csv")

    def existing_synthetic_file(self) -> Path:
        """The run's synthetic table.

        Raises:
            ConfigError: when there is none yet.
        """
        for name in ("synthetic.csv", "synthetic.parquet"):
            if (self.path / name).is_file():
                return self.path / name
        raise ConfigError(
            f"{self.path} holds no synthetic table yet; finish the run with "
            f"'train.py --resume {self.path}'"
        )

    def load_config(self) -> dict[str, Any]:
        """Content of ``config.yaml``.

        Raises:
            ConfigError: when the folder is no run's, or the file is damaged.
        """
        if not self.exists:
            raise ConfigError(f"{self.path} is not a run's folder: it has no config.yaml")
        content = load_yaml(self.config_file)
        parts = {"options": dict, "table": dict, "total_timesteps": int}
        wrong = [name for name, kind in parts.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise ConfigError(f"{self.config_file} is damaged: see {', '.join(wrong)}")
        return content

    def save_config(self, content: dict[str, Any]) -> None:
        """Write ``config.yaml``."""
        save_yaml(self.config_file, content)

    def check_free(self, *, overwrite: bool) -> None:
        """Raise ConfigError unless a new run may start here; writes nothing."""
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"--out {self.path} is a file; give a folder")
        if self.exists or (self.path / _ASIDE).is_dir():
            if overwrite:
                return
            what = "a finished run" if self.finished else "an unfinished run"
            raise ConfigError(
                f"--out {self.path} already holds {what}; add --resume to go on with it or "
                "--overwrite to replace it, or choose another folder"
            )
        if self.path.is_dir() and any(file.name != _LOCK for file in self.path.iterdir()):
            raise ConfigError(
                f"--out {self.path} is a folder with other files in it; choose a new folder"
            )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep other processes from training in it; a dead one holds nothing.

        Raises:
            ConfigError: when another process does.
            OSError: when the folder cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"another process is training in {self.path}; wait until it has ended, or choose "
                "another folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def replacing(self) -> Iterator[None]:
        """Set aside what an earlier run wrote here, and no other file, while a new one trains.

        It is put back where the new run ends in an error before its first checkpoint, and removed
        otherwise. Where a kill left neither of them whole, the one with a checkpoint counts.
        """
        aside = self.path / _ASIDE
        if aside.is_dir() and not self._has_checkpoint():
            _remove(self._own_paths())
        else:
            _remove([aside])
            aside.mkdir()
            for path in self._own_paths():
                path.rename(aside / path.name)
        try:
            yield
        except BaseException:
            if not self._has_checkpoint():
                _remove(self._own_paths())
                for path in aside.iterdir():
                    path.rename(self.path / path.name)
            raise
        finally:
            _remove([aside])

    def _has_checkpoint(self) -> bool:
        return (self.checkpoints / LATEST).is_file()

    def _own_paths(self) -> list[Path]:
        named = [self.path / name for name in (*_OWN_FOLDERS, *_OWN_FILES)]
        return [p for p in named if p.exists()] + list(self.path.glob("events.out.*"))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def fresh_folder(algo: str, dataset: str, seed: int, root: Path = Path("runs")) -> RunFolder:
    """Make ``<root>/<algo>-<dataset>-<seed>``, with ``-2``, ``-3``, ... when it is taken.

    Raises:
        OSError: when no folder can be made there.
    """
    root.mkdir(parents=True, exist_ok=True)
    name = f"{_slug(algo)}-{_slug(dataset)}-{seed}"
    k = 1
    while True:
        path = root / (name if k == 1 else f"{name}-{k}")
        try:
            path.mkdir()
        except FileExistsError:
            k += 1
            continue
        return RunFolder(path)


def _slug(text: str) -> str:
    """Letters, digits, dots, dashes and underscores of ``text``; the class of ``module:Class``."""
    kept = [c if c.isalnum() or c in "._-" else "-" for c in text.rsplit(":", 1)[-1]]
    return "".join(kept).strip("-.") or "table"
