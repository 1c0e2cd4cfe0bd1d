"""Poisoned rows of a class as a small cluster of its own among the class's activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import by_class, check_fits
from hauberk.defenses.cleansing.rows import Finding, RowCleansing
from hauberk.models import Classifier
from hauberk.models.features import features

_LEAST = 10  # images of a class
_STARTS, _ROUNDS = 8, 100  # of the two-means
_MEASURED = 2000  # rows of a class for the silhouette, which compares all pairs


@dataclass(frozen=True, kw_only=True)
class ActivationClustering(RowCleansing):
    """Splits each class's activations in two, and drops the smaller part where the split is real.

    Args:
        components: whitened principal components that are clustered.
        smaller: a part is suspicious when it holds at most this share of its class.
        silhouette: and when the split's mean silhouette (-1 to 1) is at least this.

    Limits: a class of two natural kinds (a seven with and without a bar) can be taken for poisoned, and a
        poisoned one escapes where the poison is more than ``smaller`` of it or blends with the honest rows.
        The model must have learnt from the data that are searched.
    Source: Chen et al., Detecting backdoor attacks on deep neural networks by activation clustering, 2018,
        algorithm 1, with the relative size and the silhouette of section 5. Independent components are a
        rotation of whitened principal ones, which distances do not see, so the rotation is left out. The
        paper keeps ten components; five told more rows apart on small networks.
    """

    name: ClassVar[str] = "activation-clustering"

    components: int = 5
    smaller: float = 0.35
    silhouette: float = 0.28

    def __post_init__(self) -> None:
        super().__post_init__()
        where = "ActivationClustering"
        require_count("components", self.components, where)
        require_within("smaller", self.smaller, where, "[0, 0.5]")
        require_within("silhouette", self.silhouette, where, "[-1, 1]")

    def find(
        self, classifier: Classifier, data: Dataset, *, seed: int = 0, progress: Progress = SILENT
    ) -> Finding:
        """As ``RowCleansing.find``; scores say from -1 to 1 how much nearer the smaller part's centre is."""
        check_fits(classifier, data)
        members = by_class(data, _LEAST, self.name)
        points = features(classifier, data.images).double()
        scores, flagged = torch.zeros(len(data), dtype=torch.float64), torch.zeros(len(data), dtype=torch.bool)
        seen = []
        for label, rows in members.items():
            low = whitened(points[rows], self.components)
            generator = torch.Generator().manual_seed(derive_seed(seed, "clusters", label))
            apart = two_means(low, generator)
            share, clear = float(apart.double().mean()), silhouette(low, apart)
            suspected = 0 < share <= self.smaller and clear >= self.silhouette
            scores[rows] = _leaning(low, apart)
            flagged[rows] = apart & suspected
            seen.append(
                {
                    "label": label,
                    "samples": len(rows),
                    "flagged": int(flagged[rows].sum()),
                    "smaller": round(share, 6),
                    "silhouette": round(clear, 6),
                }
            )
        return Finding(scores, flagged, tuple(seen))


def whitened(points: Tensor, components: int) -> Tensor:
    """``(n, components)``: coordinates along the directions of largest variance, each scaled to variance 1.

    Fewer columns where the points do not vary in so many directions.
    """
    across, stretch, _ = torch.linalg.svd(points - points.mean(dim=0), full_matrices=False)
    real = int((stretch > 1e-9 * stretch[0].clamp_min(1e-300)).sum())
    coordinates: Tensor = across[:, : min(components, real)] * math.sqrt(len(points))
    return coordinates


def two_means(points: Tensor, generator: torch.Generator) -> Tensor:
    """Boolean ``(n,)``: which points are in the smaller of two clusters; the best of several starts."""
    best, least = torch.zeros(len(points), dtype=torch.bool), float("inf")
    for _ in range(_STARTS):
        first = points[torch.randint(len(points), (1,), generator=generator)]
        away = torch.cdist(points, first).squeeze(1).square()
        if not bool(away.any()):
            continue  # all points are one
        second = points[torch.multinomial(away, 1, generator=generator)]
        centres = torch.cat([first, second])
        for _ in range(_ROUNDS):
            own = torch.cdist(points, centres).argmin(dim=1)
            moved = torch.stack(
                [points[own == one].mean(dim=0) if bool((own == one).any()) else centres[one] for one in (0, 1)]
            )
            if torch.equal(moved, centres):
                break
            centres = moved
        spread = float(torch.cdist(points, centres).min(dim=1).values.square().sum())
        if spread < least:
            best, least = own == 1, spread
    return best if 2 * int(best.sum()) <= len(best) else ~best


def silhouette(points: Tensor, apart: Tensor) -> float:
    """Mean silhouette of a split in two, -1 to 1; 0 where a side is empty. Looks at 2000 points at most."""
    if len(points) > _MEASURED:
        spread = torch.linspace(0, len(points) - 1, _MEASURED).round().long()
        points, apart = points[spread], apart[spread]
    sides = torch.stack([~apart, apart])
    sizes = sides.sum(dim=1)
    if not bool((sizes > 0).all()):
        return 0.0
    sums = torch.cdist(points, points) @ sides.T.to(points.dtype)  # (n, 2)
    own = apart.long()[:, None]
    inside = sums.gather(1, own).squeeze(1) / (sizes[apart.long()] - 1).clamp_min(1)
    across = sums.gather(1, 1 - own).squeeze(1) / sizes[1 - apart.long()]
    value = (across - inside) / torch.maximum(across, inside).clamp_min(1e-300)
    return float(torch.where(sizes[apart.long()] > 1, value, 0.0).mean())


def _leaning(points: Tensor, apart: Tensor) -> Tensor:
    """From -1 (at the larger part's centre) to 1 (at the smaller's); 0 where there is one part only."""
    if not bool(apart.any()):
        return torch.zeros(len(points), dtype=torch.float64)
    centres = torch.stack([points[~apart].mean(dim=0), points[apart].mean(dim=0)])
    larger, smaller = torch.cdist(points, centres).unbind(dim=1)
    return (larger - smaller) / (larger + smaller).clamp_min(1e-300)
