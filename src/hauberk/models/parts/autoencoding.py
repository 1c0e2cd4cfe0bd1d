"""The input as an autoencoder remembers it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count
from hauberk.models.parts.transformation import Transformation

_MOST_VALUES = 20_000  # beyond, dense layers take more memory than the networks they stand before


class Autoencoder(Transformation):
    """Replaces the input by what a small dense autoencoder makes of it.

    The last layer is linear and nothing is clipped: a squashing end would hide gradients where images are
    black or white.

    Args:
        shape: of one input.
        code: width of the bottleneck.
        hidden: width of the layers before and after it.

    Limits: its gradient is exact, and an attacker who differentiates through it moves the code where he likes;
    the autoencoder itself can be fooled. What helps by accident against attacks on the bare network is gone.
    Source: Gu, Rigazio: Towards deep neural network architectures robust to adversarial examples, 2014.
    """

    name: ClassVar[str] = "autoencoder"

    def __init__(self, shape: Sequence[int], code: int = 32, hidden: int = 256) -> None:
        super().__init__()
        values = math.prod(shape)
        if values > _MOST_VALUES:
            raise ConfigError(
                f"{self.name}: inputs {tuple(shape)} have {values} values, more than the {_MOST_VALUES} for "
                "which dense layers make sense",
                hint="use pca, or give smaller images",
            )
        require_count("code", code, self.name)
        require_count("hidden", hidden, self.name)
        self.shape, self.code, self.hidden = tuple(shape), code, hidden
        self.encoder = nn.Sequential(nn.Linear(values, hidden), nn.ReLU(), nn.Linear(hidden, code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, values))

    def args(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "code": self.code, "hidden": self.hidden}

    def changed(self, x: Tensor) -> Tensor:
        remembered: Tensor = self.decoder(self.encoder(x.flatten(1)))
        return remembered.view_as(x)
