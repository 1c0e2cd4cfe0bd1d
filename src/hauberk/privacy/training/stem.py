"""What comes before the first layer that learns gives the same answer in every epoch: ask it once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes

_MOST_BYTES = 2 << 30  # of kept features; above, they are computed anew in every step


@dataclass(frozen=True, eq=False)
class Split:
    """A model as features of the data and what is learnt on them.

    Args:
        head: features to logits; holds every weight that learns.
        features: one row per sample of the data.
    """

    head: nn.Module
    features: Tensor

    def inputs(self, rows: Tensor) -> Tensor:
        return self.features[rows]


def split(model: Classifier, data: Dataset, *, keep: bool) -> Split:
    """The model's leading layers that neither learn nor draw at random, done for all of the data.

    Args:
        keep: whether images are the same in every epoch.
    """
    whole = Split(model, data.images)
    if (
        not keep
        or len(model.defences)
        or model.outputs != "logits"
        or not isinstance(model.module, nn.Sequential)
    ):
        return whole
    layers = list(model.module)
    learning = [at for at, one in enumerate(layers) if any(own.requires_grad for own in one.parameters())]
    stem = nn.Sequential(*layers[: learning[0]])
    if not any(not isinstance(one, nn.Flatten) for one in stem):
        return whole
    few = data.images[:2]
    first, again = _through(model, stem, few), _through(model, stem, few)
    if not torch.equal(first, again) or first[0].numel() * 4 * len(data) > _MOST_BYTES:
        return whole
    features = first.new_empty(len(data), *first.shape[1:])
    for part in passes(len(data), pass_size(model)):
        features[part] = _through(model, stem, data.images[part])
    return Split(nn.Sequential(*layers[learning[0] :]), features)


@torch.no_grad()
def _through(model: Classifier, stem: nn.Module, images: Tensor) -> Tensor:
    x = images.to(model.device, model.dtype)
    if model.normalization is not None:
        x = model.normalization(x)
    found: Tensor = stem(x)
    return found.cpu()
