"""Where a network has made up its mind: what goes into its last linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.twin import pass_size, passes


@torch.no_grad()
def features(classifier: Classifier, images: Tensor) -> Tensor:
    """The input of the linear layer that is called last, float64 ``(n, features)`` on the CPU.

    Raises:
        UnsupportedModel: the network calls no linear layer, or not with one row for each image.
    """
    seen: list[Tensor] = []
    handles = [
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
        for module in classifier.modules()
        if isinstance(module, nn.Linear)
    ]
    found = []
    try:
        for part in passes(len(images), pass_size(classifier)):
            seen.clear()
            classifier(images[part].to(classifier.device))
            if not seen or seen[-1].shape[:-1] != images[part].shape[:1]:
                raise UnsupportedModel(
                    "the network has no linear layer at its end, whose input would tell images apart",
                    hint="confident-learning needs no features",
                )
            found.append(seen[-1].double().cpu())
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat(found)


def check_fits(classifier: Classifier, data: Dataset) -> None:
    """Data that the classifier can read.

    Raises:
        ConfigError: no classifier in eval mode, or other images or classes than the data.
    """
    check_classifier(classifier)
    if data.input_shape != classifier.input_shape or len(data.classes) != classifier.num_classes:
        raise ConfigError(
            f"{data.name} has images {data.input_shape} and {len(data.classes)} classes, the classifier takes "
            f"{classifier.input_shape} and has {classifier.num_classes}"
        )


def by_class(data: Dataset, least: int, who: str) -> dict[int, Tensor]:
    """The rows of each class that the data have, int64.

    Raises:
        DataError: one class only, or fewer than ``least`` images of one.
    """
    rows = {label: (data.labels == label).nonzero().squeeze(1) for label in sorted(set(data.labels.tolist()))}
    if len(rows) < 2:
        raise DataError(f"all {len(data)} images of {data.name} have one label: {who} compares classes")
    label, few = min(rows.items(), key=lambda item: len(item[1]))
    if len(few) < least:
        raise DataError(
            f"class '{data.classes[label]}' of {data.name} has {len(few)} images: {who} needs at least {least}"
        )
    return rows
