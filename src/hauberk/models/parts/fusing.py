"""Hand-made features beside those that the network has learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_within
from hauberk.models.parts.part import Inner, Part, refusing

_SMALL = 1e-3  # of the length by which features are divided: flat images have none


def edge_histograms(x: Tensor, orientations: int, cells: int) -> Tensor:
    """How much edge of each direction each cell of an image has, ``(n, orientations * cells * cells)``.

    Histograms of oriented gradients without steps: the slope of the image at a pixel counts for a direction by
    its component along it, where that is positive, instead of falling into one bin. All channels count
    together, and the length of the result is 1 (less for images with hardly any edge).

    Source: Dalal, Triggs: Histograms of oriented gradients for human detection, CVPR 2005, with soft bins and
        one normalisation for the whole image.
    """
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    angles = torch.arange(orientations, device=x.device, dtype=x.dtype) * (2 * math.pi / orientations)
    along = right[:, :, None] * angles.cos()[:, None, None] + down[:, :, None] * angles.sin()[:, None, None]
    edges = F.relu(along).sum(dim=1)  # (n, orientations, h, w)
    counted = F.adaptive_avg_pool2d(edges, cells).flatten(1)
    return counted / (counted.square().sum(dim=1, keepdim=True) + _SMALL**2).sqrt()


class FusedFeatures(Part):
    """Mixes the network's log-probabilities with those of a linear classifier of edge histograms.

    Where something within refuses an input, it stays refused.

    Args:
        shape: of one input, ``(channels, height, width)``.
        classes: how many there are.
        orientations, cells: of the histograms; cells along each side.
        share: of the edge classifier in the mixture, in [0, 1].

    Limits: the features are differentiable, so an attacker moves both opinions at once. Two views that are
    fooled by different changes cost him something; neither view is robust.
    """

    name: ClassVar[str] = "feature-fusion"

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        orientations: int = 8,
        cells: int = 4,
        share: float = 0.5,
    ) -> None:
        super().__init__()
        if len(shape) != 3:
            raise ConfigError(
                f"{self.name} takes images (channels, height, width), the classifier takes {tuple(shape)}"
            )
        require_count("orientations", orientations, self.name, least=2)
        require_count("cells", cells, self.name, most=min(shape[1:]))
        require_within("share", share, self.name, "[0, 1]")
        self.shape, self.classes, self.share = tuple(shape), classes, float(share)
        self.orientations, self.cells = orientations, cells
        self.head = nn.Linear(orientations * cells * cells, classes)

    def args(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "classes": self.classes,
            "orientations": self.orientations,
            "cells": self.cells,
            "share": self.share,
        }

    def opinion(self, x: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of the edge classifier alone."""
        logits: Tensor = self.head(edge_histograms(x, self.orientations, self.cells))
        return logits

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        own = self.opinion(x)  # first: detectors outside look for the network's last layer last
        answer = inner(x)
        learnt = answer[:, : self.classes]
        mixed = fuse(learnt, own, self.share)
        if answer.shape[1] == self.classes:
            return mixed
        return refusing(mixed, answer[:, self.classes] - learnt.amax(dim=1), self.classes)


def fuse(learnt: Tensor, own: Tensor, share: float) -> Tensor:
    """Log-probabilities of two opinions, mixed: their product, weighed, but for a constant."""
    return (1 - share) * learnt.log_softmax(dim=1) + share * own.log_softmax(dim=1)
