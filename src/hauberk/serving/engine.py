"""One network, ready to answer batches.

A network of images answers from channels-last memory where that changes nothing but the time: PyTorch's pooling
takes one row after the other in the usual layout, and then batches gain nothing. What graph compilers add to
that on a CPU (``torch.compile``: a fifth at 32 images) does not pay for a compiler on the server and a minute
before the first answer; docs/serving.md has the figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hauberk.models import Classifier
from hauberk.serving.protocol import Answer, Floats

Run = Callable[[Floats], Answer]
_SLACK = 1e-6  # images computed as uint8 / 255 may leave the bounds by less than this
_TRIES = 3
_SAME = 1e-5  # of logits: what the order of a sum may change


class Engine:
    """A classifier that answers float32 batches ``(n, *input_shape)``.

    Args:
        classifier: in eval mode, on its device; the engine may change the layout of its memory.
        batch_rows: the size that it is warmed up and timed with.
    """

    def __init__(self, classifier: Classifier, batch_rows: int) -> None:
        self._network = classifier
        self._layout = torch.contiguous_format
        self._device, self._dtype = classifier.device, classifier.dtype
        self.input_shape = classifier.input_shape
        self.labels = classifier.labels
        low, high = classifier.bounds.tensors(torch.zeros(1, *classifier.input_shape))
        self._low = np.broadcast_to(low.numpy(), (1, *classifier.input_shape)).copy()
        self._high = np.broadcast_to(high.numpy(), (1, *classifier.input_shape)).copy()
        self.batch_s = self._warm(batch_rows)
        if len(self.input_shape) == 3:
            self._try_channels_last(batch_rows)

    def __call__(self, rows: Floats) -> Answer:
        """Cost: one forward pass."""
        with torch.inference_mode():
            logits = self._logits(rows)
            probabilities = logits.softmax(dim=1)
            label = logits.argmax(dim=1)
        return Answer(probabilities.cpu().numpy(), label.cpu().numpy(), logits.cpu().numpy())

    def _logits(self, rows: Floats) -> Tensor:
        images = torch.from_numpy(rows).to(self._device, self._dtype)
        if self._layout is torch.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        answer: Tensor = self._network(images)
        return answer.float()

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

    def _try_channels_last(self, batch_rows: int) -> None:
        """Keep the layout if the network answers the same with it, and no later."""
        sample = self._between(min(8, batch_rows), seed=0)
        with torch.inference_mode():
            before, usual_s = self._logits(sample), self.batch_s
            self._lay_out(torch.channels_last)
            try:
                same = torch.allclose(self._logits(sample), before, rtol=_SAME, atol=_SAME)
                self.batch_s = self._warm(batch_rows)
            except RuntimeError:  # a module that insists on the usual layout
                same = False
        if not same or self.batch_s > usual_s:
            self._lay_out(torch.contiguous_format)
            self.batch_s = self._warm(batch_rows)

    def _lay_out(self, layout: torch.memory_format) -> None:
        self._network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's own stub lacks it alone
        self._layout = layout

    def _between(self, count: int, *, seed: int) -> Floats:
        """Images anywhere within the bounds."""
        share = np.random.default_rng(seed).random((count, *self.input_shape), dtype=np.float32)
        images: Floats = (self._low + share * (self._high - self._low)).astype(np.float32)
        return images

    def _warm(self, batch_rows: int) -> float:
        """Seconds for a full batch, after the first passes have made what later ones reuse."""
        rows = self._between(batch_rows, seed=1)
        taken = []
        for size in (1, batch_rows, *[batch_rows] * _TRIES):
            begin = time.perf_counter()
            self(rows[:size])
            taken.append(time.perf_counter() - begin)
        return min(taken[-_TRIES:])
