"""A fresh classifier with a built-in network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.models import architectures
from hauberk.models.classifier import Classifier


def create(
    architecture: str,
    data: Dataset,
    *,
    seed: int = 0,
    args: Mapping[str, Any] | None = None,
) -> Classifier:
    """An untrained classifier for a data set; the same seed gives the same weights.

    Args:
        architecture: a name in ``ARCHITECTURES``.
        args: keyword arguments of the architecture.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        module = architectures.build(architecture, data.input_shape, len(data.classes), args)
    return Classifier(
        module,
        input_shape=data.input_shape,
        labels=data.classes,
        bounds=data.bounds,
        architecture={"name": architecture, "args": dict(args or {})},
    )
