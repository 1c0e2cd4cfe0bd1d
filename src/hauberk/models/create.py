"""A fresh classifier: with a built-in network, or with the network of another one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from hauberk.core.errors import ConfigError
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


def restarted(classifier: Classifier, seed: int) -> Classifier:
    """The same network with new random weights; what it was before stays in its evidence.

    Parts around it keep what they have learnt, those around the members of several models too.

    Raises:
        ConfigError: a layer does not know how to start anew.
    """
    blank = copy.deepcopy(classifier).cpu()  # the same weights whatever the device
    parts = {
        module for one in blank.modules() if isinstance(one, Classifier) for module in one.defences.modules()
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        for module in blank.modules():
            if module in parts:
                continue
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
            elif any(True for _ in module.parameters(recurse=False)):
                raise ConfigError(
                    f"fresh weights: {type(module).__name__} does not know how to reset its parameters",
                    hint="train from the present weights (fresh = false)",
                )
    return blank.to(classifier.device)
