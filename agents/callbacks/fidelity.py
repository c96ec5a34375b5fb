"""Every so often: how near the latest records are to real rows, and their marginals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Figure

from agents.runs.recorder import EpisodeRecorder
from rlsyn_env.metrics import column_shapes, pair_trends
from rlsyn_env.tables.column_values import is_datetime, to_seconds
from rlsyn_env.tables.encoder import RecordEncoder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

_FIGURE_COLUMNS = 12
_MEASUREMENTS_PER_FIGURE = 20  # a figure costs fifteen times the two numbers
_NO_TEXT = ("stdout", "log", "json", "csv")  # SB3's text writers raise on figures


class FidelityCallback(BaseCallback):
    """Logs ``fidelity/{column_shapes,pair_trends}`` and the image ``fidelity/marginals``.

    They compare the latest finished records, exploration and all, with real rows. Only recorded
    here; the scalars' callback, which must come later in the list, writes them out.

    Args:
        recorder: of the finished episodes.
        encoder: decodes records.
        real: rows ``(n, columns)`` to compare with.
        every_records: records between two measurements.
    """

    def __init__(
        self,
        recorder: EpisodeRecorder,
        encoder: RecordEncoder,
        real: pd.DataFrame,
        every_records: int,
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._encoder = encoder
        self._real = real
        self._every = every_records
        self._measured_at = 0
        self._measurements = 0

    def _on_training_start(self) -> None:
        self._measured_at = self._recorder.total

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self._recorder.total - self._measured_at >= self._every:
            self._measure(figure=self._measurements % _MEASUREMENTS_PER_FIGURE == 0)

    def _on_training_end(self) -> None:
        self._measure(figure=True)

    def _measure(self, *, figure: bool) -> None:
        recent = self._recorder.recent()
        if len(recent) == 0 or len(self._real) < 2:
            return
        self._measured_at = self._recorder.total
        self._measurements += 1
        names = list(self._encoder.schema.compared_names)
        synthetic = self._encoder.decode(recent)[names]
        real = self._real[names]
        schema = self._encoder.schema
        self.logger.record("fidelity/column_shapes", column_shapes(real, synthetic, schema))
        if len(names) > 1:
            self.logger.record("fidelity/pair_trends", pair_trends(real, synthetic, schema))
        if figure:
            image = Figure(marginals_figure(real, synthetic), close=True)
            self.logger.record("fidelity/marginals", image, exclude=_NO_TEXT)


def marginals_figure(real: pd.DataFrame, synthetic: pd.DataFrame) -> MatplotlibFigure:
    """Draw real and synthetic marginals of up to 12 columns side by side.

    Args:
        real: rows of the table.
        synthetic: rows with the same columns.

    Returns:
        A matplotlib figure: histograms over the real range for numbers and dates, bars for levels.
    """
    from matplotlib.figure import Figure as MatplotlibFigure

    names = list(real.columns[:_FIGURE_COLUMNS])
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = MatplotlibFigure(figsize=(3 * columns, 2.2 * rows))
    # Fixed margins: the constrained layout takes longer than the drawing.
    figure.subplots_adjust(0.04, 0.06, 0.99, 0.94, wspace=0.2, hspace=0.45)
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.set_title(str(name), fontsize=8, y=1.0)  # a place of its own saves looking for one
        axes.tick_params(labelsize=6)
        labels, shares = _shares(real[name], synthetic[name])
        places = np.arange(len(labels))
        _bars(axes, places - 0.4, shares[0], "real")
        _bars(axes, places, shares[1], "synthetic")
        shown = places if len(labels) <= 6 else places[:: max(1, len(labels) // 4)]
        axes.set_xticks(shown, [labels[i] for i in shown])
        if index == 0:
            axes.legend(fontsize=6)
    return figure


def _bars(axes: Axes, left: np.ndarray, heights: np.ndarray, label: str) -> None:
    """Draw bars 0.4 wide as one outline: with a patch for each a figure takes a fifth longer."""
    edges = np.column_stack([left, left + 0.4]).ravel()
    between = np.column_stack([heights, np.zeros(len(heights))]).ravel()[:-1]
    axes.stairs(between, edges, fill=True, label=label)


def _shares(real: pd.Series, synthetic: pd.Series) -> tuple[list[str], list[np.ndarray]]:
    """Labels of the bars, and the share of real and of synthetic rows in each."""
    numeric = pd.api.types.is_numeric_dtype(real) and not pd.api.types.is_bool_dtype(real)
    dates = is_datetime(real)
    known = real.notna().any()
    if known and (dates or (numeric and real.nunique() > 12)):
        values = [_as_numbers(column.dropna(), dates) for column in (real, synthetic)]
        low, high = float(np.min(values[0])), float(np.max(values[0]))
        edges = np.linspace(low, high if high > low else low + 1, 13)
        # Values outside the real range count in the outermost bars.
        bars = [np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] for v in values]
        labels = [f"{edge:.3g}" for edge in edges[:-1]]
        if dates:
            labels = [str(stamp.date()) for stamp in pd.to_datetime(edges[:-1], unit="s")]
    else:
        texts = [
            column.astype("object").where(column.notna(), "missing").map(str)
            for column in (real, synthetic)
        ]
        labels = list(texts[0].value_counts().index[:12])
        bars = [text.value_counts().reindex(labels, fill_value=0).to_numpy() for text in texts]
    counts = [len(real), len(synthetic)]
    return labels, [bar / max(n, 1) for bar, n in zip(bars, counts, strict=True)]


def _as_numbers(known: pd.Series, dates: bool) -> np.ndarray:
    return to_seconds(known) if dates else known.to_numpy(dtype=float)
