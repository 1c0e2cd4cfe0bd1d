"""Poisoned rows of a class as the ones that stretch its features in one direction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import by_class, check_fits
from hauberk.defenses.cleansing.rows import Finding, RowCleansing
from hauberk.models import Classifier
from hauberk.models.features import features

_REACH = 1.5  # of the expected share is removed, as in the paper
_LEAST = 10  # images of a class: fewer have no direction to speak of


@dataclass(frozen=True, kw_only=True)
class SpectralSignatures(RowCleansing):
    """Drops the rows of each class whose features lie farthest out along the class's main direction.

    Args:
        expected: share of a class's rows that may be poisoned, at most; 1.5 times as many are dropped.
        classes: which to search, by number; none named: all.

    Limits: drops its share of every class searched, poisoned or not: name the classes where something points
        to them (neural-cleanse does). Needs poisoned rows that are a minority of their class and lie apart in
        the features; an attacker who keeps them together with the honest ones is not seen. The model must
        have learnt from the data that are searched.
    Source: Tran, Li, Madry, NeurIPS 2018, algorithm 1; the bound on poisoned rows is a share of the class
        here, and scores are divided by their mean in the class.
    """

    name: ClassVar[str] = "spectral-signatures"

    expected: float = 0.1
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        share: object = self.expected
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 0.5:
            raise ConfigError(f"SpectralSignatures: expected is a share in (0, 0.5], got {share!r}")
        named: object = self.classes
        object.__setattr__(self, "classes", tuple(named) if isinstance(named, list | tuple) else (named,))
        for one in self.classes:
            if isinstance(one, bool) or not isinstance(one, int) or one < 0:
                raise ConfigError(f"SpectralSignatures: classes are numbers of classes, got {one!r}")

    def find(
        self, classifier: Classifier, data: Dataset, *, seed: int = 0, progress: Progress = SILENT
    ) -> Finding:
        """As ``RowCleansing.find``; scores are squared distances along the direction, 1 is a class's mean."""
        check_fits(classifier, data)
        members = by_class(data, _LEAST, self.name)
        strange = sorted(set(self.classes) - set(members))
        if strange:
            raise ConfigError(f"{data.name} has no images of class {strange[0]}")
        points = features(classifier, data.images).double()
        scores, flagged = torch.zeros(len(data), dtype=torch.float64), torch.zeros(len(data), dtype=torch.bool)
        seen = []
        for label in self.classes or members:
            rows = members[label]
            centred = points[rows] - points[rows].mean(dim=0)
            _, stretch, directions = torch.linalg.svd(centred, full_matrices=False)
            along = (centred @ directions[0]).square()
            scores[rows] = along / along.mean().clamp_min(torch.finfo(along.dtype).tiny)
            take = math.floor(_REACH * self.expected * len(rows))
            flagged[rows[along.argsort(descending=True, stable=True)[:take]]] = True
            energy = float(stretch[0].square() / stretch.square().sum().clamp_min(1e-300))
            seen.append(
                {"label": label, "samples": len(rows), "flagged": take, "main_direction": round(energy, 6)}
            )
        return Finding(scores, flagged, tuple(seen))
