"""Parts that change the input and nothing else, and a bridge over those whose change has no slope."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from hauberk.models.parts.part import Inner, Part


class Transformation(Part):
    """A part that hands a changed input on, once."""

    @abstractmethod
    def changed(self, x: Tensor) -> Tensor:
        """What the rest sees, of the same shape."""

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        return inner(self.changed(x))


class Bridged(Transformation):
    """Stands for a transformation in a model to take gradients from: its values, the identity's slope (BPDA).

    Source: Athalye, Carlini, Wagner: Obfuscated gradients give a false sense of security, ICML 2018.
    """

    name = "bridged"

    def __init__(self, bridged: Transformation) -> None:
        super().__init__()
        self.bridged = bridged

    def changed(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            value = self.bridged.changed(x)
        passed: Tensor = _Passed.apply(x, value)  # type: ignore[no-untyped-call]
        return passed


class _Passed(torch.autograd.Function):
    """``value`` forward, and all of the gradient to ``x``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
