"""How far an input lies from clean ones, by what goes into the network's last linear layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.settings import require_count
from hauberk.models.parts.part import Inner
from hauberk.models.parts.rejection import Detector

_LEAST_VARIANCE = 1e-6  # of the largest; beyond it float32 features hold rounding only
_LINEAR = (F.linear, torch.ops.aten.linear.default)  # the latter in imported programs


class _Watching(TorchFunctionMode):
    """While active: remembers the input and the weight of each linear layer, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func in _LINEAR:
            x, weight = (*args, *(given[key] for key in ("input", "weight") if key in given))[:2]
            self.seen.append((x, weight))
        return func(*args, **given)


def penultimate(x: Tensor, inner: Inner, classes: int) -> tuple[Tensor, Tensor]:
    """Logits for ``x``, and the features ``(n, f)`` from which the last linear layer made them.

    Raises:
        UnsupportedModel: no linear layer makes the logits, or what lies within asks the network several times.
    """
    with _Watching() as watching:
        logits = inner(x)
    if not watching.seen or watching.seen[-1][1].shape[0] != classes or watching.seen[-1][0].shape[0] != len(x):
        raise UnsupportedModel(
            f"no linear layer ends the network with {classes} outputs for each image, so there are no features",
            hint="methods that need the logits only: confidence, feature-squeezing, confident-learning",
        )
    features, weight = watching.seen[-1]
    if sum(one is weight for _, one in watching.seen) > 1:
        raise UnsupportedModel(
            "a part within asks the network several times, so it has no one set of features for an input",
            hint="look at its features first, and put the other part around it afterwards",
        )
    return logits, features.flatten(1)


class Mahalanobis(Detector):
    """Refuses what lies far from every class's centre, measured in the classes' common covariance.

    The score is the squared Mahalanobis distance to the nearest centre.

    Args:
        features: how many the network has before its last layer.

    Limits: it sees features only, and what leads them to a wrong class's centre is found by the same gradients
        that fool the network.
    Source: Lee et al., A simple unified framework, NeurIPS 2018, equations 1 and 2; on the last layer's
        features alone, without input noise and without the regression over layers, which learns from attacks.
    """

    name: ClassVar[str] = "mahalanobis"
    mean: Tensor
    whitening: Tensor
    centres: Tensor

    def __init__(self, classes: int, features: int, threshold: float = 0.0, spread: float = 1.0) -> None:
        super().__init__(classes, threshold, spread)
        self.features = features
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("whitening", torch.eye(features))
        self.register_buffer(
            "centres", torch.zeros(classes, features)
        )  # whitened, like what they are compared to

    def args(self) -> dict[str, Any]:
        return {**super().args(), "features": self.features}

    @torch.no_grad()
    def learn(self, features: Tensor, labels: Tensor) -> None:
        """Centres and covariance of clean features ``(n, f)`` with int64 labels ``(n,)``.

        A direction in which they hardly vary counts as if its variance were a millionth of the largest: what
        never happens on clean images must not go unseen.

        Raises:
            ConfigError: a class without an image.
        """
        rows = features.double()
        counts = torch.bincount(labels, minlength=self.classes)
        if not bool(counts.all()):
            raise ConfigError(
                f"{self.name}: the data has no image of class {int(counts.argmin())}, so its centre is unknown"
            )
        sums = rows.new_zeros(self.classes, rows.shape[1]).index_add_(0, labels, rows)
        centres = sums / counts[:, None]
        left = rows - centres[labels]
        variances, directions = torch.linalg.eigh(left.T @ left / len(rows))
        least = _LEAST_VARIANCE * float(variances[-1])
        whitening = directions / variances.clamp_min(max(least, 1e-30)).sqrt()
        mean = rows.mean(dim=0)
        for name, found in (
            ("mean", mean),
            ("whitening", whitening),
            ("centres", (centres - mean) @ whitening),
        ):
            getattr(self, name).copy_(found)

    def look(self, x: Tensor, inner: Inner) -> tuple[Tensor, Tensor]:
        logits, features = penultimate(x, inner, self.classes)
        at = (features - self.mean) @ self.whitening
        # the square multiplied out: (n, classes, f) differences would not fit for many classes
        apart = at.square().sum(1, keepdim=True) - 2 * at @ self.centres.T + self.centres.square().sum(1)
        return logits, apart.amin(dim=1)


class NearestNeighbours(Detector):
    """Refuses what has few neighbours among clean images, by the direction of their features.

    The score is the squared distance from the ``k``-th nearest of the bank, both scaled to length 1; in [0, 4].

    Args:
        features: how many the network has before its last layer.
        bank: how many clean images are kept.
        k: which neighbour counts.

    Cost: ``bank * features`` multiplications an input and as many numbers in the package.
    Limits: as ``Mahalanobis``: whatever looks like another class's features has neighbours there.
    Source: Sun et al., Out-of-distribution detection with deep nearest neighbors, ICML 2022; for adversarial
        inputs Papernot and McDaniel, Deep k-nearest neighbors, 2018, who look at all layers and at the
        neighbours' labels.
    """

    name: ClassVar[str] = "nearest-neighbours"
    kept: Tensor

    def __init__(
        self, classes: int, features: int, bank: int, k: int = 10, threshold: float = 0.0, spread: float = 1.0
    ) -> None:
        super().__init__(classes, threshold, spread)
        require_count("k", k, self.name, most=bank)
        self.features, self.bank, self.k = features, bank, k
        self.register_buffer("kept", torch.zeros(bank, features))

    def args(self) -> dict[str, Any]:
        return {**super().args(), "features": self.features, "bank": self.bank, "k": self.k}

    @torch.no_grad()
    def learn(self, features: Tensor) -> None:
        """Keep clean features ``(bank, f)``."""
        self.kept.copy_(F.normalize(features.double(), dim=1))

    def look(self, x: Tensor, inner: Inner) -> tuple[Tensor, Tensor]:
        logits, features = penultimate(x, inner, self.classes)
        likeness = F.normalize(features, dim=1) @ self.kept.T
        return logits, 2 - 2 * likeness.topk(self.k, dim=1).values[:, -1]
