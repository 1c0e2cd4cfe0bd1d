"""The frame of every evasion attack: check the question, run, clip to the threat, test again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.objectives import attacker_margin, fooled
from hauberk.attacks.result import AttackResult
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.twin import fast_twin, pass_size, passes
from hauberk.threats import GEOMETRIES, Geometry, Knowledge, Streams, ThreatModel

_BATCH_BYTES = 16 << 20  # per tensor of images: large enough to keep the machine busy as samples drop out
_BATCH_MOST = 2048


@dataclass(eq=False)
class Problem:
    """A batch under attack, on the model's device.

    Args:
        classifier: the frozen twin that is attacked.
        gradients_from: the stand-in for gradients, or None.
        threat: what is allowed.
        origin: clean images ``(n, ...)``, all of them rightly classified.
        labels, targets: int64 ``(n,)``; targets None when untargeted.
        streams: one random stream a sample.
        lower, upper: the bounds, broadcastable.
        queries: int64 ``(n,)``, forward passes spent so far.
        starts: points to begin from, shape of the images, or None; projected by whoever uses them.
    """

    classifier: Classifier
    gradients_from: Classifier | None
    threat: ThreatModel
    origin: Tensor
    labels: Tensor
    targets: Tensor | None
    streams: Streams
    lower: Tensor
    upper: Tensor
    queries: Tensor
    progress: Progress
    starts: Tensor | None = None

    @property
    def geometry(self) -> Geometry:
        return self.threat.geometry

    def take(self, rows: Tensor) -> Problem:
        """The problem of some of its samples."""
        return replace(
            self,
            origin=self.origin[rows],
            labels=self.labels[rows],
            targets=None if self.targets is None else self.targets[rows],
            streams=self.streams[rows],
            queries=self.queries[rows],
            starts=None if self.starts is None else self.starts[rows],
        )

    def project(self, origin: Tensor, x: Tensor) -> Tensor:
        """``x`` brought into the ball around ``origin`` and into the bounds."""
        return self.geometry.project(origin, x, self.lower, self.upper)


@dataclass(eq=False)
class Outcome:
    """What a run gives back, one row per sample of its problem."""

    candidates: Tensor
    queries: Tensor
    gradients: Tensor
    zero_gradient: Tensor

    @classmethod
    def without_gradients(cls, candidates: Tensor, queries: Tensor) -> Outcome:
        """Of an attack that asks questions only."""
        none = torch.zeros_like(queries)
        return cls(candidates, queries, none, none.bool())


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A configured, immutable callable. Its ``repr`` is complete and goes into the evidence.

    Subclasses supply ``run``; nothing they return leaves the threat model, because it is clipped here.

    Class attributes say where an attack can be used: ``needs`` (the least knowledge), ``norms`` (the
    geometries it was made for) and ``targetable``.
    """

    name: ClassVar[str]
    needs: ClassVar[Knowledge]
    norms: ClassVar[frozenset[str]] = frozenset(GEOMETRIES)
    targetable: ClassVar[bool] = True

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @abstractmethod
    def run(self, problem: Problem) -> Outcome:
        """Look for an adversarial input for each sample of the problem."""

    @property
    def takes_gradients(self) -> bool:
        """Whether it looks at gradients of the model, or of what stands in for it."""
        return self.needs is Knowledge.WHITE_BOX

    @property
    def repeats(self) -> int:
        """Forward passes that one question to a randomised model is averaged over."""
        return 1

    def ticks(self) -> int:
        """How many progress ticks one batch takes."""
        return 1

    def __call__(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        threat: ThreatModel | Geometry,
        *,
        targets: Tensor | None = None,
        seed: int = 0,
        indices: Tensor | None = None,
        gradients_from: Classifier | None = None,
        starts: Tensor | None = None,
        batch_size: int | None = None,
        progress: Progress = SILENT,
    ) -> AttackResult:
        """Attack a batch.

        Args:
            classifier: in eval mode; it is not changed.
            images: floating ``(n, *input_shape)`` within the bounds.
            labels: int64 ``(n,)``, the true classes.
            threat: a ``ThreatModel``, or a geometry such as ``Linf(0.3)`` for a white-box attacker.
            targets: int64 ``(n,)``, the wanted classes, when the threat is targeted.
            seed: names all random choices. Each sample has a stream of its own, so the result for a sample
                does not depend on its neighbours or the batch size.
            indices: int64 ``(n,)``: each sample's number in its data set, which names its stream; default
                0, 1, 2, ...
            gradients_from: take gradients from this classifier (BPDA stand-in or substitute), which has the
                same input shape and classes and is on the same device.
            starts: points to begin from, shape of the images, such as another attack's candidates; they need
                not lie in the ball. Gradient attacks use them for their first restart.
            batch_size: samples at a time; default by their size in memory.

        Returns:
            ``AttackResult``; ``success`` is re-tested on ``classifier`` itself.

        Raises:
            ConfigError: a threat that does not fit classifier or attack, a model in train mode, a stand-in of
                another kind, a query budget that does not pay for one question.
            DataError: images or labels that cannot be right.
            UnsupportedModel: probabilities in place of logits, a randomised model without EOT, no gradients.
        """
        started = time.perf_counter()
        threat = ThreatModel.of(threat)
        check_classifier(classifier)
        if batch_size is not None:
            require_count("batch_size", batch_size, type(self).__name__)
        clean = check_images(classifier, images)
        device = images.device
        kind = clean.dtype if clean.dtype in (torch.float32, torch.float64) else torch.float32
        clean = clean.detach().to(classifier.device, kind)
        labels = check_labels(classifier, labels, len(clean)).to(classifier.device)
        self._check_threat(classifier, threat)
        if gradients_from is not None and self.needs < Knowledge.WHITE_BOX:
            raise ConfigError(f"{self.name} takes no gradients, so gradients_from has no meaning for it")
        targets = check_targets(classifier, threat, labels, targets)
        self._check_behaviour(classifier, clean)
        if indices is None:
            indices = torch.arange(len(clean))
        indices = check_indices(indices, len(clean)).to(classifier.device)
        if starts is not None:
            starts = _check_starts(starts, images).to(clean)
        # whoever walks along the decision boundary needs the very model that will judge him
        twin = classifier if self.needs is Knowledge.LABELS else fast_twin(classifier)
        source = None if gradients_from is None else fast_twin(_check_stand_in(gradients_from, classifier))
        lower, upper = classifier.bounds.tensors(clean)

        size = _default_batch(clean) if batch_size is None else batch_size
        progress.begin(self.name, self.ticks() * -(-len(clean) // size))
        parts = []
        for part in passes(len(clean), size):
            problem = Problem(
                classifier=twin,
                gradients_from=source,
                threat=threat,
                origin=clean[part],
                labels=labels[part],
                targets=None if targets is None else targets[part],
                streams=Streams.for_samples(seed, indices[part], self.name),
                lower=lower,
                upper=upper,
                queries=torch.zeros(len(clean[part]), dtype=torch.int64, device=clean.device),
                progress=progress,
                starts=None if starts is None else starts[part],
            )
            parts.append(self._attack_batch(classifier, problem))
        progress.end()

        joined = {key: torch.cat([part[key] for part in parts]).to(device) for key in parts[0]}
        return AttackResult(**joined, recipe=repr(self), seconds=time.perf_counter() - started)

    def _check_threat(self, classifier: Classifier, threat: ThreatModel) -> None:
        threat.check_fits(classifier.bounds, classifier.input_shape)
        if threat.knowledge < self.needs:
            raise ConfigError(
                f"{self.name} needs {self.needs.word} knowledge, the threat model allows "
                f"{threat.knowledge.word}"
            )
        if threat.geometry.norm not in self.norms:
            raise ConfigError(
                f"{self.name} works in {', '.join(sorted(self.norms))}; the threat model is "
                f"{threat.geometry.norm}"
            )
        if threat.targeted and not self.targetable:
            raise ConfigError(f"{self.name} has no targeted form")
        if threat.queries is not None and threat.queries < self.repeats:
            raise ConfigError(
                f"a budget of {threat.queries} queries does not pay for one question averaged over "
                f"{self.repeats} passes"
            )

    def _check_behaviour(self, classifier: Classifier, images: Tensor) -> None:
        behaviour = probe(classifier, images)
        if behaviour.randomized and self.repeats == 1:
            raise UnsupportedModel(
                f"the model's logits change from call to call (by up to {behaviour.largest_change:.3g}): an "
                "attack that trusts one answer would understate the danger",
                hint="average over the randomness, for example PGD(eot=16)",
            )

    def _attack_batch(self, classifier: Classifier, problem: Problem) -> dict[str, Tensor]:
        """Set aside what is wrong already, run on the rest, clip, test again."""
        clean_wrong, _ = self._retest(classifier, problem.origin, problem.labels, None)
        budget = problem.threat.queries
        chosen = (~clean_wrong).nonzero().squeeze(1)
        count = len(problem.origin)
        candidates = problem.origin.clone()
        queries = torch.full((count,), self.repeats, dtype=torch.int64, device=problem.origin.device)
        gradients = torch.zeros_like(queries)
        zero = torch.zeros_like(clean_wrong)
        if len(chosen) and (budget is None or budget > self.repeats):
            part = replace(problem, queries=queries).take(chosen)
            outcome = self.run(part)
            candidates[chosen] = part.project(part.origin, outcome.candidates)
            queries[chosen] = outcome.queries
            gradients[chosen] = outcome.gradients
            zero[chosen] = outcome.zero_gradient
        reached, margins = self._retest(classifier, candidates, problem.labels, problem.targets)
        return {
            "candidates": candidates,
            "success": reached & ~clean_wrong,
            "misclassified": clean_wrong,
            "margins": margins,
            "distances": problem.geometry.distance(candidates - problem.origin),
            "queries": queries,
            "gradients": gradients,
            "zero_gradient": zero,
        }

    @torch.no_grad()
    def _retest(
        self, classifier: Classifier, x: Tensor, labels: Tensor, targets: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Which points fool the classifier, and the attacker's margin at each."""
        verdicts, margins = [], []
        for part in passes(len(x), pass_size(classifier)):
            logits = sum((classifier(x[part]) for _ in range(self.repeats - 1)), start=classifier(x[part]))
            logits = classifier.folded(logits, labels[part])
            aims = None if targets is None else targets[part]
            verdicts.append(fooled(logits, labels[part], aims))
            margins.append(attacker_margin(logits, labels[part], aims).float() / self.repeats)
        return torch.cat(verdicts), torch.cat(margins)


def check_targets(
    classifier: Classifier, threat: ThreatModel, labels: Tensor, targets: Tensor | None
) -> Tensor | None:
    """Wanted classes beside checked labels, on the same device; None when the threat is untargeted.

    Raises:
        ConfigError: missing, not asked for, or a wanted class that is the true one.
        DataError: wrong type, shape or range.
    """
    if threat.targeted and targets is None:
        raise ConfigError("the threat is targeted: pass targets=, one wanted class per image")
    if not threat.targeted:
        if targets is not None:
            raise ConfigError(
                "targets were given but the threat is untargeted",
                hint="ThreatModel(geometry, targeted=True)",
            )
        return None
    checked = check_labels(classifier, targets, len(labels), what="targets").to(labels.device)
    if bool((checked == labels).any()):
        raise ConfigError(f"the target of image {int((checked == labels).nonzero()[0])} is its true class")
    return checked


def _check_stand_in(stand_in: Classifier, classifier: Classifier) -> Classifier:
    """A source of gradients must answer the same question in the same place."""
    check_classifier(stand_in)
    if stand_in.input_shape != classifier.input_shape or stand_in.num_classes != classifier.num_classes:
        raise ConfigError(
            f"gradients_from takes {stand_in.input_shape} and has {stand_in.num_classes} classes, "
            f"the classifier takes {classifier.input_shape} and has {classifier.num_classes}"
        )
    somewhere = bool(stand_in.state_dict())  # without weights it is wherever its input is
    if somewhere and stand_in.device != classifier.device:
        raise ConfigError(
            f"gradients_from is on {stand_in.device}, the classifier on {classifier.device}",
            hint="move one of them with .to(device)",
        )
    return stand_in


def _check_starts(starts: Tensor, images: Tensor) -> Tensor:
    """Finite points, one per image."""
    if not isinstance(starts, Tensor) or starts.shape != images.shape or not starts.is_floating_point():
        raise ConfigError(f"starts must be floating {tuple(images.shape)}, one point per image")
    if not bool(torch.isfinite(starts).all()):
        raise DataError("starts hold NaN or infinity")
    return starts.detach()


def check_indices(indices: Tensor, count: int) -> Tensor:
    """Sample numbers must be int64 ``(count,)``."""
    if not isinstance(indices, Tensor):
        raise ConfigError(f"indices must be a torch.Tensor, got {type(indices).__name__}")
    if indices.shape != (count,) or indices.dtype != torch.int64:
        raise ConfigError(f"indices must be int64 ({count},), got {indices.dtype} {tuple(indices.shape)}")
    return indices


def _default_batch(images: Tensor) -> int:
    per_image = images[0].numel() * images.element_size()
    return max(16, min(_BATCH_MOST, _BATCH_BYTES // per_image))
