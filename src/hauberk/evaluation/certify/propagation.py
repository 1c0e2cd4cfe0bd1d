"""Certificates by bound propagation: boxes forward (IBP), linear functions backward (CROWN)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.progress import Progress
from hauberk.core.settings import require_count
from hauberk.evaluation.certify.box import Box
from hauberk.evaluation.certify.network import Affine, Flatten, Layer, MaxPool, Relu, Scale, Stretch, read
from hauberk.evaluation.certify.record import Certificate, Certifier
from hauberk.evaluation.certify.relaxation import least
from hauberk.evaluation.judge import farthest, predictions
from hauberk.models import Classifier
from hauberk.models.checks import probe
from hauberk.threats import ThreatModel

_HELD = 2**22  # coefficients walked back at a time: 32 MiB of float64
_BATCH = 64


def accepted(classifier: Classifier, images: Tensor, eps: float) -> Box:
    """All points that the judge of attacks takes for a change of at most ``eps``."""
    lowest, highest = (one.double() for one in classifier.bounds.tensors(images))
    reach = farthest(classifier, eps) * (1 + 1e-9)  # differences are rounded too, in float64
    x = images.double()
    return Box(torch.maximum(x - reach, lowest), torch.minimum(x + reach, highest))


class Proof:
    """A network read for proving, with what each layer sees for the batch at hand.

    Args:
        refine: layers with at most so many values before a ReLU or max-pool get bounds walked back to the
            input, in place of those carried forward; 0: none.
    """

    def __init__(self, layers: list[Layer], ball: Box, refine: int = 0) -> None:
        front = next((place for place, one in enumerate(layers) if not isinstance(one, Scale | Stretch)), 0)
        for layer in layers[:front]:  # elementwise and monotone: what it makes of a box is a box, exactly
            ball = layer.forward(ball)
        self.layers = layers[front:]
        self.boxes = [ball]
        for place, layer in enumerate(self.layers[:-1]):
            after = layer.forward(self.boxes[-1])
            bends = isinstance(self.layers[place + 1], Relu | MaxPool)
            if bends and after.lower[0].numel() <= refine and self._bent(place):
                after = after.met(self._walked(place + 1, after))
            self.boxes.append(after)

    def _bent(self, place: int) -> bool:
        return any(isinstance(one, Relu | MaxPool) for one in self.layers[:place])

    def _walked(self, depth: int, known: Box) -> Box:
        """Bounds of what the layer at ``depth`` sees, by walks from its values of unknown sign to the input."""
        lower, upper = known.lower.flatten(1).clone(), known.upper.flatten(1).clone()
        unknown = (lower < 0) & (upper > 0)
        most = int(unknown.sum(1).max())
        if not most:
            return known
        # of each sample its values of unknown sign first; samples with fewer are filled up with others
        chosen = unknown.long().argsort(dim=1, descending=True)[:, :most]
        for part in torch.split(chosen, max(1, _HELD // (len(lower) * self.widest)), dim=1):
            rows = torch.zeros((*part.shape, lower.shape[1]), dtype=lower.dtype)
            rows.scatter_(2, part[:, :, None], 1.0)
            rows = rows.view(*part.shape, *known.lower.shape[1:])
            lower.scatter_(1, part, least(self.layers[:depth], self.boxes, rows))
            upper.scatter_(1, part, -least(self.layers[:depth], self.boxes, -rows))
        return Box(lower.view_as(known.lower), upper.view_as(known.upper))

    @property
    def widest(self) -> int:
        """Values of the largest layer."""
        return max(math.prod(one.shape) for one in self.layers)

    def margins(self, labels: Tensor, *, back: bool) -> Tensor:
        """Lower bounds ``(n, classes)`` of the label's logit minus each other one; infinity at the label.

        Args:
            back: walk to the input; otherwise only through the linear layers at the end.
        """
        classes = len(self.layers[-1].sizes()) if isinstance(self.layers[-1], Affine) else 0
        kept = torch.eye(classes, dtype=torch.float64)
        rows = kept[labels][:, None] - kept
        stop = len(self.layers)
        while stop and isinstance(self.layers[stop - 1], Affine | Flatten):
            stop -= 1
        found = least(self.layers, self.boxes, rows, 0 if back else stop)
        return found.scatter(1, labels[:, None], torch.inf)


@dataclass(frozen=True, kw_only=True)
class IntervalBounds(Certifier):
    """Boxes carried forward, the last linear layers merged with the margins.

    Cost: about four forward passes in float64.
    Limits: Linf; loose for networks that were not trained for it, where a sample without certificate may well
        be robust.
    Source: Gowal et al., ICCV 2019.
    """

    name: ClassVar[str] = "ibp"

    def stages(self) -> tuple[str, ...]:
        return ("ibp",)

    def certificates(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        threat: ThreatModel,
        *,
        seed: int,
        progress: Progress,
    ) -> list[Certificate]:
        if threat.geometry.norm != "linf":
            raise ConfigError(
                f"method {self.name} certifies norm linf, got {threat.geometry.norm}",
                hint="for l2: a smoothed model and method smoothing",
            )
        layers = read(classifier)
        _check_order(layers)
        if probe(classifier, images).randomized:
            raise UnsupportedModel("the model answers at random: bounds hold for one answer only")
        said = predictions(classifier, images)
        _check_reading(classifier, layers, images)
        ball = accepted(classifier, images, threat.geometry.eps)
        margins = torch.full((len(images),), -torch.inf, dtype=torch.float64)
        by: list[str | None] = [None] * len(images)
        stages = self.stages()
        progress.begin("certificates", len(images) * len(stages))
        for stage in stages:
            open_rows = ((said == labels) & (margins <= 0)).nonzero().squeeze(1)
            progress.advance(len(images) - len(open_rows), stage)
            for rows in self._batches(open_rows, layers, stage):
                part = Box(ball.lower[rows], ball.upper[rows])
                found = self._margin(layers, part, labels[rows], stage)
                for row in rows[found > 0].tolist():
                    by[row] = stage
                margins[rows] = torch.maximum(margins[rows], found)
                progress.advance(len(rows), stage)
        progress.end()
        return [
            Certificate(
                index=row,
                label=int(labels[row]),
                prediction=int(said[row]),
                certified=by[row] is not None,
                margin=float(margins[row]) if math.isfinite(margins[row]) else None,
                by=by[row],
            )
            for row in range(len(images))
        ]

    def _batches(self, rows: Tensor, layers: list[Layer], stage: str) -> Iterator[Tensor]:
        widest = max(math.prod(one.shape) for one in layers)
        size = _BATCH if stage == "ibp" else max(1, min(_BATCH, _HELD // (10 * widest)))
        yield from torch.split(rows, size) if len(rows) else ()

    def _margin(self, layers: list[Layer], ball: Box, labels: Tensor, stage: str) -> Tensor:
        return Proof(layers, ball).margins(labels, back=False).amin(dim=1)


@dataclass(frozen=True, kw_only=True)
class LinearBounds(IntervalBounds):
    """Margins walked back to the input through linear relaxations, or IBP's where those are better.

    Args:
        refine: layers of at most so many values before a ReLU or max-pool get bounds by walks of their own;
            the others keep IBP's.

    Cost: for each sample and row walked back, about two passes; ``refine`` multiplies.
    Limits: Linf; incomplete: no certificate is no proof of weakness.
    Source: Zhang et al., CROWN, NeurIPS 2018, with adaptive lower slopes; max-pool by a chord of our own.
    """

    name: ClassVar[str] = "crown"

    refine: int = 256

    def __post_init__(self) -> None:
        require_count("refine", self.refine, self.name, least=0)

    def stages(self) -> tuple[str, ...]:
        return ("crown",)

    def _margin(self, layers: list[Layer], ball: Box, labels: Tensor, stage: str) -> Tensor:
        if stage == "ibp":
            return super()._margin(layers, ball, labels, stage)
        proof = Proof(layers, ball, self.refine)
        walked, carried = proof.margins(labels, back=True), proof.margins(labels, back=False)
        return torch.maximum(walked, carried).amin(dim=1)


@dataclass(frozen=True, kw_only=True)
class BestBounds(LinearBounds):
    """IBP for all, then CROWN for what it left open: as many certificates as ``crown``, sooner."""

    name: ClassVar[str] = "auto"

    def stages(self) -> tuple[str, ...]:
        return ("ibp", "crown")


def _check_order(layers: list[Layer]) -> None:
    kinds = [isinstance(one, Scale | Stretch) for one in layers]
    front = kinds.index(False)
    if any(isinstance(one, Stretch) for one in layers[front:]):
        raise UnsupportedModel("bounds see through a contrast layer at the front of a network only")


def _check_reading(classifier: Classifier, layers: list[Layer], images: Tensor) -> None:
    """The network as read must answer as the classifier does, up to the rounding that is allowed for.

    Raises:
        UnsupportedModel: it does more than its layers say (a hook, say), or rounds more coarsely (TF32).
    """
    for part in torch.split(images, _BATCH):
        box = Box.at(part.double())
        for layer in layers:
            box = layer.forward(box)
        with torch.no_grad():
            logits = classifier(part.to(classifier.device)).cpu().double()
        if not bool(((logits >= box.lower) & (logits <= box.upper)).all()):
            raise UnsupportedModel(
                "the classifier's answers differ from what its layers give: certificates would not be about it",
                hint="remove hooks, and run in full float32 precision",
            )
