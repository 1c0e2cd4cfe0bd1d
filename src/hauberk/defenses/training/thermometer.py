"""Thermometer encoding: a network that learns from which levels each value reaches, not from the value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from hauberk.core.errors import UnsupportedModel
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier, architectures
from hauberk.models.architectures import Thermometer
from hauberk.models.training import Lesson, Plain, TrainingPlan
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class ThermometerEncoding(TrainingDefense):
    """Trains the same network anew behind a thermometer encoding of its input.

    In front of a finished network the encoding would be no more than rounding (``bit-depth``): its use lies in
    weights of their own for each level, so the first layer must be learnt.

    Args:
        levels: of the thermometer.

    Cost: that of plain training; the first layer is ``levels`` times as wide.
    Limits: hides gradients and no more. With slopes passed straight through it falls; ``evaluate`` does so when
        it sees that they vanish.
    Source: Buckman, Roy, Raffel, Goodfellow, ICLR 2018; broken by Athalye, Carlini, Wagner, ICML 2018.
    """

    name: ClassVar[str] = "thermometer"
    starts_anew: ClassVar[bool] = True
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=5)
    levels: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        Thermometer(self.levels)

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()

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
        """As ``TrainingDefense.fit``, from new weights.

        Raises:
            UnsupportedModel: the network is not the built-in ``cnn`` for inputs in [0, 1], without parts.
        """
        return super().fit(
            self._encoded(classifier, seed),
            data,
            threat,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )

    def _encoded(self, classifier: Classifier, seed: int) -> Classifier:
        known = classifier.architecture or {}
        lower, upper = classifier.bounds.tensors(torch.zeros(1, *classifier.input_shape))
        unit = bool((lower == 0).all()) and bool((upper == 1).all()) and classifier.normalization is None
        if known.get("name") != "cnn" or not unit or len(classifier.defences):
            raise UnsupportedModel(
                "thermometer encoding is built into the architecture cnn, for inputs in [0, 1] without "
                "normalisation and parts around it",
                hint="start from hauberk train --arch cnn",
            )
        args = {**known.get("args", {}), "thermometer": self.levels}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            module = architectures.build("cnn", classifier.input_shape, classifier.num_classes, args)
        return (
            Classifier(
                module,
                input_shape=classifier.input_shape,
                labels=classifier.labels,
                bounds=classifier.bounds,
                architecture={"name": "cnn", "args": args},
                evidence=classifier.evidence,
            )
            .to(classifier.device)
            .eval()
        )
