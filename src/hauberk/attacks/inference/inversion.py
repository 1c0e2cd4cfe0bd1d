"""Model inversion: a picture for each class, climbed out of the model's own confidence.

What comes out is at best the model's idea of a class. Where a class is one person, that is the person's face;
where a class is made of many people's records, it is nobody's.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError, UnsupportedModel, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_number, require_positive
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.twin import fast_twin
from hauberk.threats import Streams

_EVEN = 0.02  # differences below five grey levels hardly count: a kink would blow rounding up into pictures
_WHISPER = 0.02  # on a grey start: in a flat picture rounding would decide which of equals a max-pool takes
_LARGEST = 4096  # values of an image whose covariance is still inverted in seconds

Penalty = Callable[[Tensor], Tensor]
"""What speaks against pictures, ``(k,)`` from ``(k, ...)`` in the unit scale."""


@dataclass(frozen=True, eq=False)
class InversionResult:
    """One picture for each target.

    Args:
        images: float32 ``(k, *input_shape)`` on the CPU, within the bounds.
        targets: int64 ``(k,)``.
        start: where each climb began, ``(k, *input_shape)``.
        probability: what the model gives the wanted class, ``(k,)``; its own word, no verdict.
        recipe: the configuration.
        gradients: forward and backward passes for each picture.
        seconds: of the whole run.
    """

    images: Tensor
    targets: Tensor
    start: Tensor
    probability: Tensor
    recipe: str
    gradients: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Inversion(ABC):
    """A configured, immutable climb: least cross-entropy of the wanted class plus a penalty; nothing is random.

    Pictures are handled in the unit scale, where the bounds are 0 and 1.

    Args:
        steps: of Adam, each projected back into the bounds outside of autograd.
        step_size: of Adam, in the unit scale; it falls to 0 evenly.
        start: ``grey``, the middle of the bounds with a trace of fixed noise, or ``mean``, the mean of the
            attacker's own images.
    """

    name: ClassVar[str]
    needs_population: ClassVar[bool] = False

    steps: int = 300
    step_size: float = 0.02
    start: Literal["grey", "mean"] = "grey"

    def __post_init__(self) -> None:
        where = type(self).__name__
        require_count("steps", self.steps, where)
        require_positive("step_size", self.step_size, where)
        check_known([self.start], ("grey", "mean"), what="start", where=where)

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @abstractmethod
    def penalty(self, start: Tensor, population: Tensor | None) -> Penalty:
        """What speaks against a picture, given start and population in the unit scale."""

    def __call__(
        self,
        classifier: Classifier,
        targets: Tensor,
        *,
        population: Tensor | None = None,
        progress: Progress = SILENT,
    ) -> InversionResult:
        """Climb.

        Args:
            classifier: in eval mode; it is not changed.
            targets: int64 ``(k,)``, the wanted classes.
            population: images ``(n, *input_shape)`` of the attacker's own, without labels.

        Raises:
            ConfigError: a model in train mode, a population that is needed and lacks.
            DataError: targets or population that cannot be right.
            UnsupportedModel: no gradients, a randomised model, NaN.

        Cost: ``steps`` forward and backward passes for each picture.
        """
        started = time.perf_counter()
        check_classifier(classifier)
        device = classifier.device
        targets = check_labels(classifier, targets, len(targets), what="targets").to(device)
        if population is None and (self.needs_population or self.start == "mean"):
            raise ConfigError(
                f"{self.name} with start='{self.start}' needs images of the attacker's own: pass population="
            )
        lower, upper = classifier.bounds.tensors(torch.empty(1, *classifier.input_shape, device=device))
        if population is not None:
            population = (check_images(classifier, population).float().to(device) - lower) / (upper - lower)
        if self.start == "mean" and population is not None:
            start = population.mean(dim=0).expand(len(targets), *classifier.input_shape)
        else:
            trace = Streams.for_samples(0, targets, "inversion start").uniform(classifier.input_shape)
            start = 0.5 + _WHISPER * (trace - 0.5)

        def scaled(x: Tensor) -> Tensor:
            """From the unit scale; rounding must not leave the bounds."""
            return torch.minimum(torch.maximum(lower + (upper - lower) * x, lower), upper)

        behaviour = probe(classifier, scaled(start))
        if behaviour.randomized:
            raise UnsupportedModel("the model's logits change from call to call: it cannot be inverted yet")
        x = self._climb(classifier, start, targets, scaled, self.penalty(start, population), progress)
        images = scaled(x)
        with torch.no_grad():
            probability = classifier(images).float().softmax(dim=1).gather(1, targets[:, None]).squeeze(1)
        return InversionResult(
            images=images.cpu(),
            targets=targets.cpu(),
            start=scaled(start).cpu(),
            probability=probability.cpu(),
            recipe=repr(self),
            gradients=self.steps,
            seconds=time.perf_counter() - started,
        )

    def _climb(
        self,
        classifier: Classifier,
        start: Tensor,
        targets: Tensor,
        scaled: Callable[[Tensor], Tensor],
        penalty: Penalty,
        progress: Progress,
    ) -> Tensor:
        twin = fast_twin(classifier)
        lower, upper = classifier.bounds.tensors(start)
        x = start.clone().requires_grad_(True)
        # losses are summed and Adam works on each value alone, so pictures do not see each other
        optimizer = torch.optim.Adam([x], lr=self.step_size)
        progress.begin(self.name, self.steps)
        for number in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.step_size * (1 - number / self.steps)
            loss = F.cross_entropy(twin(lower + (upper - lower) * x).float(), targets, reduction="sum")
            if not loss.requires_grad:
                raise UnsupportedModel("the model gives no gradient with respect to its input")
            (gradient,) = torch.autograd.grad(loss + penalty(x).sum(), x)
            if not bool(torch.isfinite(gradient).all()):
                raise UnsupportedModel("the gradient with respect to the input is NaN or infinite")
            x.grad = gradient
            optimizer.step()
            with torch.no_grad():
                x.clamp_(0, 1)
            progress.advance(1, f"loss {loss.item() / len(targets):.3f}")
        progress.end()
        return x.detach()


@dataclass(frozen=True, kw_only=True, repr=False)
class GradientInversion(Inversion):
    """Climbs the class score under two mild priors: neighbouring values are alike, and few leave the start.

    Args:
        total_variation: weight of the mean absolute difference of neighbouring values (images only).
        l2: weight of the mean squared distance from the start.

    Limits: a network's favourite input need not look like anything; a high score is no likeness.
    Source: Fredrikson et al., Model Inversion Attacks That Exploit Confidence Information, CCS 2015, MI-Face.
        Differences: cross-entropy in place of 1 - p, whose gradient vanishes far from the class; Adam; total
        variation and L2 as the auxiliary terms.
    """

    name: ClassVar[str] = "gradient"

    total_variation: float = 1.0
    l2: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("total_variation", "l2"):
            require_number(name, getattr(self, name), "GradientInversion")
            if getattr(self, name) < 0:
                raise ConfigError(f"GradientInversion: {name} cannot be negative, got {getattr(self, name)!r}")

    def penalty(self, start: Tensor, population: Tensor | None) -> Penalty:
        def against(x: Tensor) -> Tensor:
            far = (x - start).square().flatten(1).mean(dim=1)
            return self.l2 * far + self.total_variation * _roughness(x)

        return against


def _roughness(x: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, ``(k,)``, rounded off near 0; 0 for what is not an image."""
    if x.ndim != 4:
        return torch.zeros(len(x), device=x.device)
    down, right = ((x.diff(dim=side).square() + _EVEN**2).sqrt() - _EVEN for side in (2, 3))
    return (down.flatten(1).sum(dim=1) + right.flatten(1).sum(dim=1)) / x[0].numel()


@dataclass(frozen=True, kw_only=True, repr=False)
class GaussianInversion(Inversion):
    """Climbs under a prior learnt from the attacker's own images: a Gaussian with their mean and covariance.

    The most likely picture given the class, if images were Gaussian: far stronger than smoothness, because
    it knows which values go together.

    Args:
        weight: of the prior, the halved squared Mahalanobis distance; 1 is Bayes' rule as it stands, less
            goes further into the class.
        shrinkage: share of the covariance that is replaced by that of white noise, in (0, 1].

    Limits: needs images of the same kind; part of the likeness is theirs, so compare with their mean. Inputs
        of at most 4,096 values.
    Source: the maximum a posteriori reading of Fredrikson et al. 2015; a learnt prior as in Zhang et al., The
        Secret Revealer, CVPR 2020, who train a GAN where this takes two moments.
    """

    name: ClassVar[str] = "gaussian"
    needs_population: ClassVar[bool] = True

    start: Literal["grey", "mean"] = "mean"
    weight: float = 0.02
    shrinkage: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weight", "shrinkage"):
            require_number(name, getattr(self, name), "GaussianInversion")
            require_positive(name, getattr(self, name), "GaussianInversion")
        if self.shrinkage > 1:
            raise ConfigError(f"GaussianInversion: shrinkage must be at most 1, got {self.shrinkage!r}")

    def penalty(self, start: Tensor, population: Tensor | None) -> Penalty:
        assert population is not None
        rows = population.flatten(1)
        count, values = rows.shape
        if values > _LARGEST or count < 2:
            raise ConfigError(
                f"{self.name} needs at least 2 images of at most {_LARGEST} values, got {count} of {values}",
                hint="use the gradient inversion",
            )
        mean = rows.mean(dim=0)
        spread = torch.cov(rows.double().T)
        white = spread.diagonal().mean().clamp_min(1e-6) * torch.eye(
            values, dtype=torch.float64, device=rows.device
        )
        mixed = (1 - self.shrinkage) * spread + self.shrinkage * white
        root = torch.linalg.cholesky(torch.linalg.inv(mixed)).float()

        def against(x: Tensor) -> Tensor:
            squared: Tensor = ((x.flatten(1) - mean) @ root).square().sum(dim=1)
            return self.weight / 2 * squared

        return against
