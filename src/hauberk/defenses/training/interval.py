"""Certified training by interval bounds: learn from the worst that any point of the ball could do."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_number, require_positive, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense, check_threat, needed
from hauberk.models import Classifier
from hauberk.models.bounds import Box, ball, boxes, chain, worst_logits
from hauberk.models.training import Lesson, Moment, TrainingPlan, accuracy
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Geometry, ThreatModel

_INITS = ("given", "ibp")
_TIGHT = 0.5  # widths may double on their way through the network before the regulariser minds


@dataclass(frozen=True, kw_only=True)
class IntervalTraining(TrainingDefense):
    """Interval bound propagation (IBP): makes networks for which certificates can be had.

    Args:
        start: share of the training on clean images alone.
        warmup: share of the training, after that, in which radius and weight of the bounds grow.
        margin: the radius trained at, relative to the threat's.
        kappa: weight that the clean loss keeps in the end; the bounds' loss has the rest.
        init: ``ibp`` draws new weights at a scale that keeps intervals from growing with depth; ``given``
            starts from the present ones (or, with ``fresh``, from PyTorch's usual random weights).
        regularise: weight, falling to 0 while the radius grows, of a term against intervals that widen from
            layer to layer.

    Cost: about three times the passes of plain training.
    Limits: Linf only; for chains of linear, conv, pooling, ReLU and batch-norm layers. Accuracy is paid for
        certificates. Training proves nothing: ``hauberk.evaluation.certify`` does.
    Source: Gowal et al., ICCV 2019 (arXiv 1810.12715); initial weights and regulariser after Shi et al.,
        NeurIPS 2021. Batch norm's bounds use its running statistics.
    """

    name: ClassVar[str] = "ibp"

    plan: TrainingPlan = TrainingPlan(
        epochs=20, batch_size=64, schedule="one-cycle", learning_rate=1e-2, averaging=0.998
    )
    held_out: int | None = None
    start: float = 0.05
    warmup: float = 0.4
    margin: float = 1.0
    kappa: float = 0.2
    init: Literal["given", "ibp"] = "ibp"
    regularise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        for name in ("start", "warmup", "margin", "regularise"):
            require_number(name, getattr(self, name), where)
        if not (self.start >= 0 and self.warmup >= 0 and self.start + self.warmup < 1):
            raise ConfigError(
                f"{where}: start and warmup are shares of the training, together below 1, "
                f"got {self.start!r} and {self.warmup!r}"
            )
        require_positive("margin", self.margin, where)
        require_within("kappa", self.kappa, where, "[0, 1)")
        if self.regularise < 0:
            raise ConfigError(f"{where}: regularise cannot be negative, got {self.regularise!r}")
        check_known([self.init], _INITS, what="init", where=where)
        if self.fresh and self.init == "ibp":
            raise ConfigError(
                f"{where}: init ibp draws new weights already", hint="leave out fresh, or say init = given"
            )

    def grown(self, fraction: float) -> float:
        """How far radius and weight of the bounds have grown after ``fraction`` of all steps, 0 to 1."""
        if fraction < self.start:
            return 0.0
        return min(1.0, (fraction - self.start) / self.warmup) if self.warmup else 1.0

    @property
    def starts_anew(self) -> bool:
        return self.init == "ibp"

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> IntervalLesson:
        return IntervalLesson(self, needed(threat, self.name))

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
        """As ``TrainingDefense.fit``.

        Raises:
            ConfigError: another norm than Linf.
            UnsupportedModel: a layer through which bounds cannot be propagated.
        """
        check_bounds(classifier, threat, self.name)
        start = drawn_tight(classifier, seed) if self.init == "ibp" else classifier
        return super().fit(start, data, threat, seed=seed, name=name, checkpoint=checkpoint, progress=progress)


@dataclass(frozen=True)
class IntervalLesson(Lesson):
    """Cross-entropy on the image, and on the worst logits that its ball allows."""

    select: ClassVar[str] = "held_out_certified"

    defense: IntervalTraining
    threat: ThreatModel

    def eps(self, fraction: float) -> float:
        return self.defense.grown(fraction) * self.defense.margin * self.threat.geometry.eps

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(images)
        clean = F.cross_entropy(logits, labels)
        grown = self.defense.grown(moment.fraction)
        if not grown:
            return clean, logits
        layers = chain(model)
        seen = boxes(layers[:-1], ball(model, images, self.eps(moment.fraction)))
        kappa = 1 - (1 - self.defense.kappa) * grown
        worst = F.cross_entropy(self.worst(layers, seen, labels, moment), labels)
        loss = kappa * clean + (1 - kappa) * worst
        weight = self.defense.regularise * (1 - grown)
        return loss + weight * widening(layers, seen) if weight else loss, logits

    def worst(self, layers: list[nn.Module], seen: list[Box], labels: Tensor, moment: Moment) -> Tensor:
        """The worst logits to learn from."""
        return worst_logits(layers, seen, labels)

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        """Held-out accuracy, and the share that interval bounds at the threat's radius certify."""
        return {
            "held_out_accuracy": accuracy(model, held_out.images, held_out.labels),
            "held_out_certified": certified_share(model, held_out, self.threat.geometry.eps),
        }


def drawn_tight(classifier: Classifier, seed: int) -> Classifier:
    """A copy with new weights, of a spread for which an interval's width stays on average what it was.

    A width passes a layer as a sum of absolute weights times widths; ReLU halves it. Normal weights of
    standard deviation ``sqrt(2 pi) / inputs`` balance both (Shi et al., NeurIPS 2021, section 3.1).
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "weights"))
    drawn = copy.deepcopy(classifier)
    for module in drawn.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            shape, inputs = module.weight.shape, module.weight[0].numel()
            spread = math.sqrt(2 * math.pi) / inputs
            with torch.no_grad():
                module.weight.copy_(torch.randn(shape, generator=generator) * spread)
                if module.bias is not None:
                    module.bias.zero_()
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()
    return drawn


def widening(layers: list[nn.Module], seen: list[Box]) -> Tensor:
    """How far intervals before the ReLUs are wider, on average, than the input's: 0 up to twice as wide."""
    first = seen[0].radius.mean()
    wide = [box.radius.mean() for layer, box in zip(layers, seen, strict=False) if isinstance(layer, nn.ReLU)]
    return torch.stack([F.relu(_TIGHT - first / one.clamp_min(1e-12)) for one in wide]).mean() / _TIGHT


@torch.no_grad()
def certified_share(model: Classifier, data: Dataset, eps: float) -> float:
    """Share of samples whose worst logits still name the label."""
    layers, held = chain(model), 0
    for part in passes(len(data), pass_size(model)):
        images, labels = data.images[part].to(model.device), data.labels[part].to(model.device)
        seen = boxes(layers[:-1], ball(model, images.to(model.dtype), eps))
        worst = worst_logits(layers, seen, labels).scatter(1, labels[:, None], -math.inf)
        held += int((worst.amax(dim=1) < 0).sum())
    return held / len(data)


def check_bounds(classifier: Classifier, threat: ThreatModel | Geometry | None, method: str) -> None:
    """For methods that carry bounds through the network.

    Raises:
        ConfigError: no threat, or another norm than Linf.
        UnsupportedModel: a layer through which bounds cannot be propagated.
    """
    norm = needed(check_threat(classifier, threat), method).geometry.norm
    if norm != "linf":
        raise ConfigError(f"{method}: interval bounds are for norm linf, got {norm}")
    chain(classifier)
