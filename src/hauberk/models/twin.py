"""A frozen copy of a classifier, laid out for speed: the one that attacks differentiate.

Measured on two CPU cores with the tutorial's network: channels-last weights and batches of about 128, whose
activations fit the allocator's heap and the caches, take a third of the time of one contiguous batch of 512.
Logits agree with the original's up to rounding; verdicts are always taken on the original.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from hauberk.models.classifier import Classifier

_CPU_BATCH = 128
_ACCELERATOR_BATCH = 1024


def fast_twin(classifier: Classifier) -> Classifier:
    """An independent copy in eval mode without parameter gradients; the original if it cannot be copied."""
    try:
        twin = copy.deepcopy(classifier)
    except (RuntimeError, TypeError, NotImplementedError):  # non-leaf tensors, foreign handles
        return classifier
    twin.eval().requires_grad_(False)
    set_layout(twin, torch.channels_last)
    return twin


def set_layout(model: nn.Module, layout: torch.memory_format) -> None:
    """Lay out the weights of two-dimensional convolutions, in place; the function stays the same."""
    kinds = {type(one) for one in model.modules()}
    if nn.Conv2d in kinds and nn.Conv3d not in kinds:
        model.to(memory_format=layout)  # type: ignore[call-overload]


def pass_size(classifier: Classifier) -> int:
    """How many images to send through at once."""
    return _CPU_BATCH if classifier.device.type == "cpu" else _ACCELERATOR_BATCH


def passes(count: int, size: int) -> Iterator[slice]:
    """Slices that cover ``count`` images, ``size`` at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
