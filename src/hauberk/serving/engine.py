"""One network, ready to answer batches."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from hauberk.models import Classifier
from hauberk.serving.protocol import Answer, Floats

Run = Callable[[Floats], Answer]
_SLACK = 1e-6  # images computed as uint8 / 255 may leave the bounds by less than this
_TRIES = 3


class Engine:
    """A classifier that answers float32 batches ``(n, *input_shape)``.

    Args:
        classifier: in eval mode, on its device.
        batch_rows: the size that it is warmed up and timed with.
    """

    def __init__(self, classifier: Classifier, batch_rows: int) -> None:
        self._network = classifier
        self.input_shape = classifier.input_shape
        self.labels = classifier.labels
        low, high = classifier.bounds.tensors(torch.zeros(1, *classifier.input_shape))
        self._low = np.broadcast_to(low.numpy(), (1, *classifier.input_shape)).copy()
        self._high = np.broadcast_to(high.numpy(), (1, *classifier.input_shape)).copy()
        self.batch_s = self._warm(batch_rows)

    def __call__(self, rows: Floats) -> Answer:
        """Cost: one forward pass."""
        with torch.inference_mode():
            logits = self._network(torch.from_numpy(rows).to(self._network.device, self._network.dtype))
            logits = logits.float()
            probabilities = logits.softmax(dim=1)
            label = logits.argmax(dim=1)
        return Answer(probabilities.cpu().numpy(), label.cpu().numpy(), logits.cpu().numpy())

    def invalid(self, rows: Floats) -> npt.NDArray[np.bool_]:
        """Bool ``(n,)``: which rows leave the model's bounds, or hold NaN."""
        inside = (rows >= self._low - _SLACK) & (rows <= self._high + _SLACK)  # False for NaN
        flags: npt.NDArray[np.bool_] = np.logical_not(inside.reshape(len(rows), -1).all(axis=1))
        return flags

    def clipped(self, rows: Floats) -> Floats:
        """The rows within the bounds to the last bit."""
        within: Floats = np.minimum(np.maximum(rows, self._low), self._high)
        return within

    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that any input may have."""
        return float(self._low.min()), float(self._high.max())

    def _warm(self, batch_rows: int) -> float:
        """Seconds for a full batch, after the first passes have made what later ones reuse."""
        rows = np.broadcast_to((self._low + self._high) / 2, (batch_rows, *self.input_shape)).astype(np.float32)
        taken = []
        for size in (1, batch_rows, *[batch_rows] * _TRIES):
            begin = time.perf_counter()
            self(rows[:size])
            taken.append(time.perf_counter() - begin)
        return min(taken[-_TRIES:])
