"""What a network has made of images when it reaches its last linear layer."""

from __future__ import annotations

import torch
from torch import Tensor

from hauberk.models.classifier import Classifier
from hauberk.models.parts.distances import penultimate
from hauberk.models.twin import pass_size, passes


@torch.no_grad()
def features(classifier: Classifier, images: Tensor) -> Tensor:
    """What goes into the last linear layer, ``(n, f)`` on the CPU.

    Raises:
        UnsupportedModel: as ``penultimate``.
    """
    found = [
        penultimate(images[part].to(classifier.device), classifier, classifier.num_classes)[1].cpu()
        for part in passes(len(images), pass_size(classifier))
    ]
    return torch.cat(found)
