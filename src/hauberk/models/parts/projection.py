"""The input as few numbers: its principal components, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.core.settings import require_count
from hauberk.models.parts.transformation import Transformation


class Projection(Transformation):
    """Projects the input onto the affine space through ``mean`` that the rows of ``basis`` span.

    What the projection makes may leave the valid bounds a little; it is not clipped, so the map stays affine.

    Args:
        shape: of one input.
        components: dimensions of the space; ``basis`` is ``(components, values)`` with orthonormal rows.

    Limits: an attacker moves within the space at will, and his steps there cost him nothing: the gradient is
    exact. It takes from him the directions in which clean images hardly vary.
    Source: Bhagoji, Cullina, Sitawarin, Mittal: Enhancing robustness of machine learning systems via data
        transformations, CISS 2018, who train the network on projected images.
    """

    name: ClassVar[str] = "pca"
    mean: Tensor
    basis: Tensor

    def __init__(self, shape: Sequence[int], components: int) -> None:
        super().__init__()
        values = math.prod(shape)
        require_count("components", components, self.name, most=values)
        self.shape, self.components = tuple(shape), components
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("basis", torch.eye(components, values))

    def args(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "components": self.components}

    def changed(self, x: Tensor) -> Tensor:
        coordinates = (x.flatten(1) - self.mean) @ self.basis.T  # (n, components)
        return (coordinates @ self.basis + self.mean).view_as(x)
