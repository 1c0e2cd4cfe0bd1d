"""Detectors: each a part that scores an input and refuses it above a threshold found on clean images.

The threshold refuses a stated share of the images it was found on. The network has learnt from those, so of
fresh ones it refuses more; ``hauberk detect`` measures how many, and what an attacker makes of it who knows.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, UnsupportedModel, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Wrap
from hauberk.models import Classifier
from hauberk.models.checks import check_shape
from hauberk.models.features import features
from hauberk.models.parts import Confidence, Detector, FeatureSqueezing, Mahalanobis, NearestNeighbours
from hauberk.models.parts.rejection import MEASURES
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Detection(Wrap):
    """A detector around the network.

    Args:
        fpr: share of clean images that the threshold may refuse.
        samples: how many of the data, drawn at random, it is learnt from at most.
    """

    fpr: float = 0.05
    samples: int = 10_000

    def __post_init__(self) -> None:
        where = type(self).__name__
        require_within("fpr", self.fpr, where, "[0, 1)")
        require_count("samples", self.samples, where, least=2)

    @abstractmethod
    def learnt(self, classifier: Classifier, data: Dataset) -> tuple[Detector, Tensor]:
        """A detector without a threshold, and the images on which to find one."""

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Detector:
        check_shape(classifier, data)
        detector, images = self.learnt(classifier, self._drawn(data, seed))
        detector.to(classifier.device, classifier.dtype)
        detector.calibrate(scores(detector, classifier, images), self.fpr)
        return detector

    def _drawn(self, data: Dataset, seed: int) -> Dataset:
        """Some of the data in random order."""
        source = torch.Generator().manual_seed(derive_seed(seed, self.name))
        order = torch.randperm(len(data), generator=source)[: self.samples]
        return data.select(order, note=f"{len(order)} drawn")

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``Defense.fit``; no attack is looked at, so the threat changes nothing."""
        wrapped = super().fit(
            classifier, data, threat, seed=seed, name=name, checkpoint=checkpoint, progress=progress
        )
        (*earlier, last) = wrapped.evidence
        detector = wrapped.defences[0]
        assert isinstance(detector, Detector)
        told = replace(last, result={**last.result, "threshold": detector.threshold})
        wrapped.evidence = (*earlier, told)
        return wrapped


@dataclass(frozen=True, kw_only=True)
class SqueezingDetection(Detection):
    """Refuses what is answered otherwise once squeezed; see ``FeatureSqueezing``.

    Args:
        bits: of the coarse copy; None takes the paper's: 1 for grey images, 5 for colour; 0 makes no such copy.
        median: side of the windows of the smoothed copy; 0 makes none.
    """

    name: ClassVar[str] = "feature-squeezing"

    bits: int | None = None
    median: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits is not None:
            require_count("bits", self.bits, type(self).__name__, least=0)
        FeatureSqueezing(2, 1 if self.bits is None else self.bits, self.median)  # which refuses what cannot be

    def learnt(self, classifier: Classifier, data: Dataset) -> tuple[Detector, Tensor]:
        if len(classifier.input_shape) != 3:
            raise UnsupportedModel(
                f"{self.name} squeezes images (channels, height, width), the classifier takes "
                f"{classifier.input_shape}"
            )
        bits = self.bits
        if bits is None:
            bits = 1 if classifier.input_shape[0] == 1 else 5
        lower, upper = classifier.bounds.tensors(data.images)
        squeezing = FeatureSqueezing(
            classifier.num_classes, bits, self.median, float(lower.min()), float(upper.max())
        )
        return squeezing, data.images


@dataclass(frozen=True, kw_only=True)
class MahalanobisDetection(Detection):
    """Refuses what lies far from all classes' centres; see ``Mahalanobis``."""

    name: ClassVar[str] = "mahalanobis"

    def learnt(self, classifier: Classifier, data: Dataset) -> tuple[Detector, Tensor]:
        found = features(classifier, data.images)
        detector = Mahalanobis(classifier.num_classes, found.shape[1])
        detector.learn(found, data.labels)
        return detector, data.images


@dataclass(frozen=True, kw_only=True)
class NeighbourDetection(Detection):
    """Refuses what has few neighbours among clean images; see ``NearestNeighbours``.

    Args:
        k: which neighbour's distance counts.
        bank: how many clean images are kept at most; never more than half of those drawn, because the others
            are needed to find the threshold.
    """

    name: ClassVar[str] = "nearest-neighbours"

    k: int = 10
    bank: int = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        for setting in ("k", "bank"):
            require_count(setting, getattr(self, setting), type(self).__name__)
        if self.k > self.bank:
            raise ConfigError(f"{type(self).__name__}: k must lie in [1, {self.bank}], the bank, got {self.k}")

    def learnt(self, classifier: Classifier, data: Dataset) -> tuple[Detector, Tensor]:
        bank = min(self.bank, len(data) // 2)
        if bank < self.k:
            raise ConfigError(
                f"{self.name}: {len(data)} images leave a bank of {bank}, too few for k = {self.k}",
                hint="give more data, or a smaller k",
            )
        found = features(classifier, data.images[:bank])
        detector = NearestNeighbours(classifier.num_classes, found.shape[1], bank, self.k)
        detector.learn(found)
        return detector, data.images[bank:]


@dataclass(frozen=True, kw_only=True)
class ConfidenceDetection(Detection):
    """Refuses where the network is unsure; see ``Confidence``.

    Args:
        measure: ``softmax``, ``margin`` or ``energy``.
    """

    name: ClassVar[str] = "confidence"

    measure: str = "softmax"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known([self.measure], MEASURES, what="measure", where=type(self).__name__)

    def learnt(self, classifier: Classifier, data: Dataset) -> tuple[Detector, Tensor]:
        return Confidence(classifier.num_classes, self.measure), data.images


@torch.no_grad()
def scores(detector: Detector, classifier: Classifier, images: Tensor) -> Tensor:
    """How suspicious the detector around ``classifier`` finds each image, ``(n,)`` on the CPU."""
    found = [
        detector.score(images[part].to(classifier.device, classifier.dtype), classifier).cpu()
        for part in passes(len(images), pass_size(classifier))
    ]
    return torch.cat(found)
