"""Randomised smoothing as a defence: noisy copies answer together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hauberk.datasets import Dataset
from hauberk.defenses.defense import Wrap
from hauberk.models import Classifier
from hauberk.models.parts import Part, Smoothing


@dataclass(frozen=True, kw_only=True)
class RandomisedSmoothing(Wrap):
    """Answers with the mean softmax of ``samples`` copies with Gaussian noise; see ``Smoothing``.

    The network should have learnt such noise before: ``harden --method gaussian`` with the same ``sigma``.

    Args:
        sigma: of the noise, in the input's own scale.
        samples: copies per answer.

    Cost: ``samples`` passes per answer.
    Limits: what it is worth is its certificate, in L2.
    Source: Cohen, Rosenfeld, Kolter, ICML 2019.
    """

    name: ClassVar[str] = "smoothing"

    sigma: float = 0.25
    samples: int = 32

    def __post_init__(self) -> None:
        Smoothing(self.sigma, self.samples)

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Part:
        return Smoothing(self.sigma, self.samples)
