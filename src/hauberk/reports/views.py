"""What a report is made of: plain frozen records, read once from evidence and rendered by everybody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (channel, height, width); 0 is the lower bound of the valid range, 255 the upper
Interval = tuple[float, float]
Spent = tuple[tuple[int, float], ...]  # (queries, accuracy left once so many were spent on each sample)


@dataclass(frozen=True)
class Share:
    """A share of samples with its 95 % interval."""

    value: float
    interval: Interval


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
class Flag:
    """Why a figure may mislead, and the attacks that the evaluation added in answer."""

    code: str
    message: str
    tried: tuple[str, ...]


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
    flags: tuple[Flag, ...]
    gallery: tuple[Sample, ...]
    spent: Spent
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
    flags: tuple[Flag, ...]
    gallery: tuple[Sample, ...]
    spent: Spent
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
    """One ``import``: how far the converted network is from the original; None where that one cannot be run."""

    name: str
    format: str
    largest_difference: float | None
    probes: int
    conversions: tuple[str, ...]
    evidence: str


@dataclass(frozen=True)
class Corruption:
    """One kind of accident; ``severities`` holds the accuracy at each severity measured, from 1 to 5."""

    name: str
    family: str
    accuracy: float
    severities: dict[int, Share]


@dataclass(frozen=True)
class Spatial:
    """Accuracy when rotation and shift of each sample are chosen to do harm."""

    worst: Share
    rotation: Share
    shift: Share
    placements: int
    degrees: float
    reach: float


@dataclass(frozen=True)
class Corrupted:
    """One sample under one corruption."""

    name: str
    severity: int
    label: str
    prediction: str
    image: Pixels


@dataclass(frozen=True)
class Corruptions:
    """One ``corruptions``: a model under accidents; ``mean`` is None where no common one was measured."""

    name: str
    digest: str
    samples: int
    clean: Share
    rows: tuple[Corruption, ...]
    mean: float | None
    mce: float | None
    relative_mce: float | None
    spatial: Spatial | None
    flags: tuple[Flag, ...]
    original: Pixels | None
    gallery: tuple[Corrupted, ...]
    evidence: str

    @property
    def severities(self) -> list[int]:
        """The columns of the table."""
        return sorted({severity for row in self.rows for severity in row.severities})

    @property
    def hardest(self) -> Corruption:
        return min(self.rows, key=lambda row: row.accuracy)


@dataclass(frozen=True)
class Learnt:
    """What a model makes of test images, learnt from clean or poisoned data; None is what does not apply."""

    accuracy: Share
    trigger_success: Share | None
    trigger_elsewhere: Share | None
    source_as_target: Share | None


@dataclass(frozen=True)
class PoisonedSample:
    """One training sample, before and after the poisoner touched it."""

    index: int
    label: str
    poisoned_label: str
    original: Pixels
    poisoned: Pixels


@dataclass(frozen=True)
class Poisoning:
    """One ``poisoning``: the same network, learnt from clean and from poisoned data."""

    name: str
    digest: str
    poisoner: str
    recipe: str
    source: str | None
    target: str | None
    trigger: str | None
    samples: int
    touched: int
    images_changed: int
    labels_changed: int
    rate: float
    test_samples: int
    before: Learnt
    after: Learnt
    gallery: tuple[PoisonedSample, ...]
    evidence: str


@dataclass(frozen=True)
class SuspiciousRow:
    """One row of training data that a finder flagged or missed; ``touched`` is None where nobody knows."""

    index: int
    label: str
    score: float
    flagged: bool
    touched: bool | None
    image: Pixels


@dataclass(frozen=True)
class StampedClass:
    """The smallest stamp that sends images to one class, and how often it does on test images."""

    label: str
    mask_norm: float
    anomaly: float
    suspected: bool
    success: Share
    success_after: Share | None


@dataclass(frozen=True)
class Stamp:
    """Pictures of a stamp, reconstructed or the true one; ``read_after`` is None where nothing was mended."""

    label: str
    true: bool
    suspected: bool
    mask: Pixels
    paint: Pixels
    stamped: Pixels
    stamped_label: str
    read_before: str
    read_after: str | None


@dataclass(frozen=True)
class Cleansing:
    """One ``cleansing``: what a defence against poison found, and the model before and after it."""

    name: str
    digest: str
    method: str
    recipe: str
    poisoner: str | None
    samples: int
    flagged: int | None
    touched: int | None
    precision: Share | None
    recall: Share | None
    false_alarms: Share | None
    test_samples: int
    before: Learnt
    after: Learnt | None
    classes: tuple[StampedClass, ...]
    row_gallery: tuple[SuspiciousRow, ...]
    stamp_gallery: tuple[Stamp, ...]
    evidence: str

    @property
    def suspected(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.classes if one.suspected)


@dataclass(frozen=True)
class Theft:
    """A surrogate learnt from so many answers: how often it agrees with its victim, and with the truth."""

    queries: int
    fidelity: Share
    accuracy: Share


@dataclass(frozen=True)
class CarriedOver:
    """Adversarial samples made on a surrogate, tried on its victim; None where there was nothing to attack."""

    attack: str
    threat: Threat
    attacked: int
    fooled: int
    share: float | None
    interval: Interval
    noise_share: float | None
    invalid: int


@dataclass(frozen=True)
class Extraction:
    """One ``extraction``; the last of ``points`` had the whole budget."""

    name: str
    digest: str
    victim: str
    thief: str
    recipe: str
    knowledge: str
    samples: int
    queries: int
    victim_accuracy: Share
    accuracy: Share
    fidelity: Share
    points: tuple[Theft, ...]
    transfer: CarriedOver
    evidence: str


@dataclass(frozen=True)
class Guess:
    """One membership attack; ``found`` holds the share of members found at a rate of false alarms."""

    name: str
    recipe: str
    auc: Share
    found: dict[float, Share]
    balanced_accuracy: float
    roc: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Membership:
    """One ``membership``: who is recognised as part of the training data. ``blind`` never asks the model."""

    name: str
    digest: str
    members: int
    non_members: int
    member_accuracy: float
    non_member_accuracy: float
    shadows: int
    attacks: tuple[Guess, ...]
    blind: Share | None
    flags: tuple[Flag, ...]
    evidence: str


@dataclass(frozen=True)
class Portrait:
    """What an inversion made of one class, beside the mean of the class."""

    attack: str
    label: str
    prediction: str
    picture: Pixels
    mean: Pixels


@dataclass(frozen=True)
class Inverted:
    """One inversion, judged: correlations from -1 to 1, means over the classes."""

    name: str
    recipe: str
    recognised: Share
    matched: Share
    mean_correlation: float
    other_correlation: float
    start_correlation: float
    nearest_member: float
    nearest_fresh: float
    gradients: float
    seconds: float


@dataclass(frozen=True)
class Inversion:
    """One ``inversion``; ``random`` and ``random_correlation`` are what noise gets from the same judge."""

    name: str
    digest: str
    classes: int
    judge_accuracy: float
    attacks: tuple[Inverted, ...]
    random: Share
    random_correlation: float
    flags: tuple[Flag, ...]
    gallery: tuple[Portrait, ...]
    evidence: str


@dataclass(frozen=True)
class Tried:
    """One attack on a classifier that may refuse; ``adaptive`` if it knew of the detector."""

    name: str
    recipe: str
    adaptive: bool
    attacked: int
    fooled: int
    detected: int
    evaded: int
    invalid: int


@dataclass(frozen=True)
class Attacker:
    """What an attacker reached; ``detected``, ``auc`` and ``found`` are None where nothing fooled the network.

    ``found`` is the share above the threshold that refuses 5 % of clean images, ``roc`` of ``(fpr, tpr)``.
    """

    fooled: int
    evaded: int
    detected: Share | None
    robust: Share
    auc: Share | None
    found: Share | None
    roc: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Detection:
    """One ``detection``: a classifier that may refuse, against who does not know of that and who does."""

    name: str
    digest: str
    threat: Threat
    detectors: tuple[str, ...]
    samples: int
    network: Share
    clean: Share
    refused: Share
    attacks: tuple[Tried, ...]
    oblivious: Attacker
    adaptive: Attacker
    flags: tuple[Flag, ...]
    evidence: str


@dataclass(frozen=True)
class Certified:
    """One ``certificates``; ``confidence`` is None where they are proofs, ``by`` counts them by method.

    ``curve`` holds certified accuracy at several radii, where the method gives each sample one of its own.
    """

    name: str
    digest: str
    threat: Threat
    method: str
    confidence: float | None
    samples: int
    clean: Share
    certified: Share
    by: tuple[tuple[str, int], ...]
    curve: tuple[tuple[float, float], ...]
    flags: tuple[Flag, ...]
    evidence: str


@dataclass(frozen=True)
class TreatedType:
    """What was found of one type and treated in one way; scores say how sure the detector was."""

    name: str
    action: str
    count: int
    mean_score: float
    least_score: float


@dataclass(frozen=True)
class TreatedColumn:
    """A column of tables that was taken whole; ``rule`` is a type, ``keep`` or ``drop``."""

    column: str
    rule: str
    cells: int


@dataclass(frozen=True)
class TreatedFile:
    """One file; ``before`` and ``after`` are digests of its bytes."""

    name: str
    format: str
    encoding: str | None
    records: int
    findings: int
    before: str
    after: str


@dataclass(frozen=True)
class MaskedSample:
    """One finding, masked when it was recorded."""

    type: str
    masked: str
    file: str
    line: int


@dataclass(frozen=True)
class Deidentification:
    """One ``deidentification``; ``left`` and ``found`` come from a second detector, which saw some records."""

    name: str
    digest: str
    policy: str
    key: str | None
    records: int
    findings: int
    types: tuple[TreatedType, ...]
    columns: tuple[TreatedColumn, ...]
    files: tuple[TreatedFile, ...]
    more_files: int
    samples: tuple[MaskedSample, ...]
    looked: int
    left: Share | None
    left_types: tuple[tuple[str, int], ...]
    found: Share | None
    tokens: int | None
    evidence: str

    def of(self, kind: str) -> tuple[MaskedSample, ...]:
        """The samples of one type, a few."""
        return tuple(one for one in self.samples if one.type == kind)[:3]


@dataclass(frozen=True)
class Changed:
    """One figure of a table before and after; ``column`` is empty where it is of the whole."""

    what: str
    column: str
    before: float
    after: float


@dataclass(frozen=True)
class Anonymization:
    """One ``anonymization``; ``model``: the target, accuracy before, after, and of the most frequent answer."""

    name: str
    digest: str
    quasi: tuple[str, ...]
    sensitive: tuple[str, ...]
    k: int
    rows: int
    published: int
    suppressed: float
    classes: int
    risks: tuple[Changed, ...]
    changes: tuple[Changed, ...]
    gcp: float
    lost: tuple[tuple[str, float], ...]
    average_class: float
    model: tuple[str, float, float, float] | None
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
class SweepPoint:
    """One place on the axis; ``own`` is the accuracy on what it was trained on, None where nothing was."""

    x: float
    clean: Share
    robust: Share
    own: float | None


@dataclass(frozen=True)
class Sweep:
    """One ``sweep``: accuracy, clean and under one attack, along one axis."""

    name: str
    over: str
    threat: Threat
    attack: str
    recipe: str
    points: tuple[SweepPoint, ...]
    samples: int
    evidence: str


@dataclass(frozen=True)
class Summary:
    """Everything a report says, without a word of prose."""

    models: tuple[Model, ...]
    singles: tuple[Single, ...]
    curves: tuple[Curve, ...]
    histories: tuple[History, ...]
    imports: tuple[Import, ...]
    certificates: tuple[Certified, ...]
    detections: tuple[Detection, ...]
    corruptions: tuple[Corruptions, ...]
    poisonings: tuple[Poisoning, ...]
    cleansings: tuple[Cleansing, ...]
    extractions: tuple[Extraction, ...]
    memberships: tuple[Membership, ...]
    inversions: tuple[Inversion, ...]
    sweeps: tuple[Sweep, ...]
    deidentifications: tuple[Deidentification, ...]
    anonymizations: tuple[Anonymization, ...]
    chain: tuple[Link, ...]

    @property
    def examined(self) -> tuple[Model | Single, ...]:
        """Whoever was attacked: evaluations first, then single attacks."""
        return (*self.models, *self.singles)

    @property
    def others(
        self,
    ) -> tuple[
        Certified | Detection | Corruptions | Poisoning | Cleansing | Extraction | Membership | Inversion, ...
    ]:
        """What else was asked of models than whether an attacker can change their answers."""
        return (
            *self.certificates,
            *self.detections,
            *self.corruptions,
            *self.poisonings,
            *self.cleansings,
            *self.extractions,
            *self.memberships,
            *self.inversions,
        )

    @property
    def cautioned(
        self,
    ) -> tuple[Model | Single | Certified | Detection | Corruptions | Membership | Inversion, ...]:
        """All whose evidence says of itself why it may mislead."""
        return (
            *self.models,
            *self.singles,
            *self.certificates,
            *self.detections,
            *self.corruptions,
            *self.memberships,
            *self.inversions,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Every model's name, in the order of the evidence: one colour each, the same in all charts."""
        names = [part.name for part in self.examined]
        names += [curve.name for curve in self.curves] + [history.name for history in self.histories]
        names += [part.name for part in (*self.others, *self.sweeps, *self.deidentifications)]
        names += [part.name for part in self.anonymizations]
        return tuple(dict.fromkeys(names))
