"""Transformations of the input, each a part around the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hauberk.datasets import Dataset
from hauberk.defenses.defense import Wrap
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Part


@dataclass(frozen=True, kw_only=True)
class BitDepthReduction(Wrap):
    """Rounds the input to ``2 ** bits`` levels; see ``BitDepth``."""

    name: ClassVar[str] = "bit-depth"

    bits: int = 3

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Part:
        lower, upper = classifier.bounds.tensors(data.images)
        return BitDepth(self.bits, float(lower.min()), float(upper.max()))
