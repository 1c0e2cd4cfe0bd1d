"""What a report is made of: plain frozen records, read once from evidence and rendered by everybody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (channel, height, width); 0 is the lower bound of the valid range, 255 the upper
Interval = tuple[float, float]


@dataclass(frozen=True)
class Threat:
    """What the attacker may do; ``eps`` in the classifier's own input scale."""

    norm: str
    eps: float
    targeted: bool
    knowledge: str
    queries: int | None


@dataclass(frozen=True)
class AttackRow:
    """One attack of an evaluation; ``alone_accuracy`` is None where it saw only what earlier ones left."""

    name: str
    recipe: str
    attacked: int
    broke: int
    alone_accuracy: float | None
    robust_after: float | None
    queries_mean: float | None
    seconds: float | None
    invalid: int


@dataclass(frozen=True)
class Sample:
    """One image of a gallery; ``by`` is None where no attack broke it."""

    index: int
    label: str
    clean_prediction: str
    prediction: str
    by: str | None
    distance: float | None
    original: Pixels
    adversarial: Pixels

    @property
    def fooled(self) -> bool:
        return self.prediction != self.label


@dataclass(frozen=True)
class Model:
    """One ``evaluation``: a model under a threat."""

    name: str
    digest: str
    threat: Threat
    samples: int
    clean: float
    clean_interval: Interval
    robust: float
    robust_interval: Interval
    attacks: tuple[AttackRow, ...]
    flags: tuple[tuple[str, str], ...]
    gallery: tuple[Sample, ...]
    evidence: str

    def alone(self, attack: str) -> float | None:
        """Accuracy under this attack alone, where it was measured."""
        return next((row.alone_accuracy for row in self.attacks if row.name == attack), None)


@dataclass(frozen=True)
class Single:
    """One ``attack``: a model under one attack, which is not a worst case."""

    name: str
    digest: str
    threat: Threat
    attack: str
    recipe: str
    samples: int
    clean: float
    accuracy: float
    interval: Interval
    broke: int
    queries_mean: float | None
    distance_median: float | None
    invalid: int
    gallery: tuple[Sample, ...]
    evidence: str


@dataclass(frozen=True)
class Curve:
    """One ``curve``: accuracy under one attack at growing radii, as ``(eps, accuracy, interval)``."""

    name: str
    threat: Threat
    attack: str
    recipe: str
    points: tuple[tuple[float, float, Interval], ...]
    samples: int
    evidence: str


@dataclass(frozen=True)
class Epoch:
    """One row of a training's history; None is what was not measured."""

    epoch: int
    loss: float | None
    train_accuracy: float | None
    held_out_accuracy: float | None
    held_out_robust: float | None
    eps: float | None
    seconds: float | None


@dataclass(frozen=True)
class History:
    """One ``training`` or ``hardening``."""

    name: str
    kind: str
    method: str | None
    epochs: tuple[Epoch, ...]
    best_epoch: int | None
    parameters_count: int | None
    evidence: str


@dataclass(frozen=True)
class Import:
    """One ``import``: how far the converted network is from the original."""

    name: str
    format: str
    largest_difference: float
    probes: int
    conversions: tuple[str, ...]
    evidence: str


@dataclass(frozen=True)
class Link:
    """One document of the chain; ``shown`` is False when a later one took its place in the report."""

    kind: str
    name: str
    digest: str
    parents: tuple[str, ...]
    seed: int | None
    duration_s: float
    created: str
    versions: tuple[tuple[str, str], ...]
    shown: bool


@dataclass(frozen=True)
class Summary:
    """Everything a report says, without a word of prose."""

    models: tuple[Model, ...]
    singles: tuple[Single, ...]
    curves: tuple[Curve, ...]
    histories: tuple[History, ...]
    imports: tuple[Import, ...]
    chain: tuple[Link, ...]

    @property
    def examined(self) -> tuple[Model | Single, ...]:
        """Whoever was attacked: evaluations first, then single attacks."""
        return (*self.models, *self.singles)

    @property
    def names(self) -> tuple[str, ...]:
        """Every model's name, in the order of the evidence: one colour each, the same in all charts."""
        names = [part.name for part in self.examined]
        names += [curve.name for curve in self.curves] + [history.name for history in self.histories]
        return tuple(dict.fromkeys(names))
