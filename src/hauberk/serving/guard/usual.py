"""What is usual at one model: how far natural inputs lie apart, what they look like, how sure the answers are.

Measured on a sample that the operator gives, else on the first inputs that callers send, no more than a share
from each. Callers are then judged by how often they are unusual, with a sequential test; the traffic as a
whole by whether its answers are distributed as they were.

Limits: learnt from callers, it can be poisoned by eight who work together from the first hour. Give it a
sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.serving.protocol import Floats

LEARNT_FROM = 512
_EACH = 64  # of one caller
_PRIOR = 0.05  # mean squared difference of two inputs' values, of a valid range of 1, until it is known
_NEAR = 0.3  # of the typical distance
_OUTSIDE, _UNSURE = 0.99, 0.02  # quantiles
_BEYOND = 1.5  # times the outer quantile, so that other sensors do not count
_BINS = 10
_WINDOW = 2000
_ARRAYS = ("mean", "scale", "expected", "cuts")
DRIFTED = 0.25  # the population stability index that practice calls a large shift


class Usual:
    """One model's usual traffic.

    Args:
        cells: values in a print.
        size: values in an input.
        classes: labels.
    """

    def __init__(self, cells: int, size: int, classes: int) -> None:
        self.typical = math.sqrt(size * _PRIOR)
        self.learnt = False
        self._classes = classes
        self._sample: list[Floats] = []
        self._gaps: list[Floats] = []
        self._labels: list[npt.NDArray[np.int64]] = []
        self._shares: dict[str, int] = {}
        self._rows = 0
        self.mean: Floats = np.zeros(cells, np.float32)
        self.scale: Floats = np.ones(cells, np.float32)
        self.outside = self.unsure = 0.0
        self.expected = np.zeros(classes * _BINS)
        self.cuts: Floats = np.zeros(_BINS - 1, np.float32)
        self._window = np.zeros(classes * _BINS)
        self._seen = 0

    @property
    def near(self) -> float:
        """Distance of prints below which a look belongs to an earlier one."""
        return _NEAR * self.typical

    def learn(self, prints: Floats, labels: npt.NDArray[np.int64], gaps: Floats, caller: str | None) -> None:
        """Take natural looks into the sample; with enough of them it is measured. None is the operator."""
        if caller is not None:
            free = _EACH - self._shares.get(caller, 0)
            prints, labels, gaps = prints[:free], labels[:free], gaps[:free]
            self._shares[caller] = self._shares.get(caller, 0) + len(prints)
        self._sample.append(prints)
        self._labels.append(labels)
        self._gaps.append(gaps)
        self._rows += len(prints)
        if self._rows >= LEARNT_FROM:
            self._measure()

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """What was measured, as arrays and JSON, for ``from_state``."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        facts = {name: getattr(self, name) for name in ("typical", "outside", "unsure")}
        return arrays, {**facts, "classes": self._classes}

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> Usual:
        """What ``state`` gave."""
        usual = cls(len(arrays["mean"]), 1, facts["classes"])
        for name in _ARRAYS:
            setattr(usual, name, arrays[name])
        usual.typical, usual.outside, usual.unsure = facts["typical"], facts["outside"], facts["unsure"]
        usual.learnt = True
        return usual

    def _measure(self) -> None:
        prints, gaps = np.concatenate(self._sample), np.concatenate(self._gaps)
        labels = np.concatenate(self._labels)
        half = len(prints) // 2
        apart = np.linalg.norm(prints[:half] - prints[half : 2 * half], axis=1)
        self.typical = max(float(np.median(apart)), self.typical / 4)
        self.mean = prints.mean(axis=0)
        self.scale = 1 / np.maximum(prints.std(axis=0), 0.02 * self.typical / math.sqrt(len(self.mean)))
        self.outside = float(np.quantile(self._distance(prints), _OUTSIDE)) * _BEYOND
        self.unsure = float(np.quantile(gaps, _UNSURE))
        self.cuts = np.quantile(gaps, np.arange(1, _BINS) / _BINS).astype(np.float32)
        self.expected = self._counted(labels, gaps) + 0.5
        self.expected /= self.expected.sum()
        self.learnt = True
        self._sample, self._gaps, self._labels, self._shares = [], [], [], {}

    def _distance(self, prints: Floats) -> Floats:
        apart: Floats = np.sqrt(np.square((prints - self.mean) * self.scale).mean(axis=1))
        return apart

    def _counted(self, labels: npt.NDArray[np.int64], gaps: Floats) -> npt.NDArray[np.float64]:
        places = labels * _BINS + np.searchsorted(self.cuts, gaps)
        return np.bincount(places, minlength=self._classes * _BINS).astype(np.float64)

    def unusual(self, prints: Floats) -> int:
        """How many of the looks are unlike what is usual."""
        return int(np.count_nonzero(self._distance(prints) > self.outside))

    def hugging(self, gaps: Floats) -> int:
        """How many of the answers are as unsure as one in fifty is."""
        return int(np.count_nonzero(gaps < self.unsure))

    def drift(self, labels: npt.NDArray[np.int64], gaps: Floats) -> float | None:
        """The population stability index of labels and certainty, at the end of each window; else None."""
        self._window += self._counted(labels, gaps)
        self._seen += len(labels)
        if self._seen < _WINDOW:
            return None
        by_class = self._window.reshape(self._classes, _BINS), self.expected.reshape(self._classes, _BINS)
        index = max(stability(*(one.sum(axis=axis) for one in by_class)) for axis in (0, 1))
        self._window[:] = 0
        self._seen = 0
        return index


def stability(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """The population stability index of counts against shares: 0 where they agree."""
    shares = (found + 0.5) / (found + 0.5).sum()
    wanted = expected / expected.sum()
    return float(((shares - wanted) * np.log(shares / wanted)).sum())


def sequential(usual: float, suspicious: float) -> Callable[[float, int, int], float]:
    """A one-sided sequential test of a share: takes the score so far, hits and looks; gives the new score."""
    hit = math.log(suspicious / usual)
    miss = math.log((1 - suspicious) / (1 - usual))

    def step(score: float, hits: int, looks: int) -> float:
        return max(0.0, score + hits * hit + (looks - hits) * miss)

    return step
