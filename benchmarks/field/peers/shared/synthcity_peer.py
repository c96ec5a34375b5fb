"""One of synthcity's generators for tables, without what its image and survival parts need."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

import torch
from decimals import rounded
from peer_table import Task

# synthcity imports these whatever one asks for. They are for images, time series and survival
# models, and with their pins a CPU build of PyTorch could not be used (7 GB more).
_NOT_NEEDED = (
    "torchvision",
    "monai",
    "tsai",
    "fastai",
    "fastcore",
    "pycox",
    "torchtuples",
    "xgbse",
)


class _NotNeeded(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module, whose every name is an empty class, for a package not needed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in _NOT_NEEDED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__getattr__ = _empty_class  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def _empty_class(name: str) -> type:
    if name.startswith("__"):  # inspect and pickle look for these and can do without
        raise AttributeError(name)
    return type(name, (), {})


def run(plugin: str, **settings: Any) -> None:
    """Fit the plugin ``bayesian_network`` or ``ddpm`` with its defaults and some settings, sample.

    Levels are handed over as text, which synthcity encodes as categories.
    """
    sys.meta_path.insert(0, _NotNeeded())
    module = importlib.import_module(f"synthcity.plugins.generic.plugin_{plugin}")
    loaders = importlib.import_module("synthcity.plugins.core.dataloader")

    task = Task.from_arguments()
    torch.manual_seed(task.seed)
    if plugin == "ddpm":
        settings["is_classification"] = task.target in task.levels
    model = module.plugin(random_state=task.seed, workspace=task.folder / "tmp", **settings)
    data = loaders.GenericDataLoader(task.table, target_column=task.target, random_state=task.seed)
    model.fit(data)
    drawn = model.generate(count=len(task.table), random_state=task.seed).dataframe()
    for name in task.levels:
        drawn[name] = drawn[name].astype(object)
    task.write(rounded(task, drawn))
