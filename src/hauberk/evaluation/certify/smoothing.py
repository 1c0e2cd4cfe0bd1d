"""Certificates of a smoothed classifier, by votes of its noisy copies: right with a stated probability.

A classifier that names what the network says most often under Gaussian noise keeps its answer within
``sigma * Phi^-1(p)``, p being how often that is (Cohen, Rosenfeld, Kolter, ICML 2019, theorem 1). p cannot be
computed; it is bounded from below by counting.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.progress import Progress
from hauberk.core.settings import require_count
from hauberk.evaluation.certify.record import Certificate, Certifier
from hauberk.evaluation.judge import farthest
from hauberk.models import Classifier
from hauberk.models.parts import Smoothing
from hauberk.threats import Streams, ThreatModel

_AT_ONCE = 1024  # copies in one pass; part of the draw, so that results do not depend on the machine
_HALVINGS = 60  # of an interval of length 1: down to the last digit of a float64
_RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
_HOW = "harden --method gaussian --set sigma=0.25, then harden --method smoothing --set sigma=0.25"


@dataclass(frozen=True, kw_only=True)
class SmoothingVotes(Certifier):
    """Certificates in L2 for a model whose outermost part is ``smoothing``.

    What is certified is the smoothed classifier in the limit of infinitely many copies; an answer of the model,
    over its few copies, is an estimate of it.

    Args:
        select: copies that choose the class to bound.
        samples: further copies that are counted.
        alpha: probability, for each sample by itself, that its certificate is wrong.

    Cost: ``select + samples`` passes for each image.
    Limits: with all of n copies agreeing p is bounded by ``alpha ** (1 / n)``, so no radius exceeds
        ``sigma * Phi^-1`` of that (3.8 sigma at 100 000 copies and alpha 0.001).
    Source: Cohen, Rosenfeld, Kolter, ICML 2019, section 3.2 (CERTIFY).
    """

    name: ClassVar[str] = "smoothing"

    select: int = 100
    samples: int = 10_000
    alpha: float = 0.001

    def __post_init__(self) -> None:
        for name in ("select", "samples"):
            require_count(name, getattr(self, name), self.name)
        alpha: object = self.alpha
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
            raise ConfigError(f"{self.name}: alpha must lie between 0 and 1, got {alpha!r}")

    @property
    def confidence(self) -> float:
        return 1 - self.alpha

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
        if threat.geometry.norm != "l2":
            raise ConfigError(
                f"method {self.name} certifies norm l2, got {threat.geometry.norm}",
                hint="for linf: method ibp or crown, and a network without parts around it",
            )
        base, sigma = noiseless(classifier)
        streams = Streams.for_samples(seed, torch.arange(len(images)), "smoothing")
        progress.begin("certificates", len(images))
        found = []
        for row, label in enumerate(labels.tolist()):
            one = streams[torch.tensor([row])]
            image = images[row].to(classifier.device)
            best = int(votes(base, image, sigma, self.select, one.fork(0)).argmax())
            count = int(votes(base, image, sigma, self.samples, one.fork(1))[best])
            radius = sigma * quantile(lower_bound(count, self.samples, self.alpha))
            found.append(self._certificate(classifier, row, label, best, radius, threat.geometry.eps))
            progress.advance(1, f"{sum(one.certified for one in found)} of {len(found)}")
        progress.end()
        return found

    def _certificate(
        self, classifier: Classifier, row: int, label: int, best: int, radius: float, eps: float
    ) -> Certificate:
        if not radius > 0:
            return Certificate(index=row, label=label, prediction=None, certified=False)
        certified = best == label and radius > farthest(classifier, eps)
        return Certificate(
            index=row,
            label=label,
            prediction=best,
            certified=certified,
            radius=radius,
            by=self.name if certified else None,
        )


def noiseless(classifier: Classifier) -> tuple[Classifier, float]:
    """The model within its smoothing, and the noise that belongs around it.

    Raises:
        UnsupportedModel: smoothing is not there, or not the outermost part.
    """
    places = [place for place, one in enumerate(classifier.defences) if isinstance(one, Smoothing)]
    if not places:
        raise UnsupportedModel("only a smoothed model has certificates by votes", hint=_HOW)
    if places[0]:
        outer = getattr(classifier.defences[0], "name", "another part")
        raise UnsupportedModel(
            f"{outer} stands outside of the smoothing: a certificate would be about what {outer} hands on, not "
            "about the input",
            hint="put the smoothing on last",
        )
    smoothing = classifier.defences[0]
    assert isinstance(smoothing, Smoothing)
    base = copy.deepcopy(classifier)
    base.defences = nn.ModuleList(list(base.defences)[1:])
    return base.eval(), smoothing.sigma


@torch.no_grad()
def votes(base: Classifier, image: Tensor, sigma: float, samples: int, stream: Streams) -> Tensor:
    """How often each answer is given for noisy copies of one image: int64 ``(answers,)``.

    A refusal, of a model that has them, is an answer like others and comes last.
    """
    counts = torch.zeros(base.num_classes + base.rejects, dtype=torch.int64)
    for number, first in enumerate(range(0, samples, _AT_ONCE)):
        copies = min(_AT_ONCE, samples - first)
        noise = stream.fork(number).normal((copies, *image.shape))[0]
        said = base(image + sigma * noise.to(image)).argmax(dim=1).cpu()
        counts += said.bincount(minlength=len(counts))
    return counts


def lower_bound(count: int, samples: int, alpha: float) -> float:
    """The probability that gives ``count`` or more hits in ``samples`` a chance of ``alpha`` (Clopper-Pearson).

    Any true probability lies above it with a chance of ``1 - alpha`` or more. Found by halving on the tail of
    the binomial distribution itself, and rounded down.
    """
    if count == 0:
        return 0.0
    hits = torch.arange(count, samples + 1, dtype=torch.float64)
    whole = torch.tensor(samples, dtype=torch.float64)
    ways = torch.lgamma(whole + 1) - torch.lgamma(hits + 1) - torch.lgamma(whole - hits + 1)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high) or middle == 1.0:
            break
        log_tail = float((ways + hits * math.log(middle) + (samples - hits) * math.log1p(-middle)).logsumexp(0))
        if log_tail <= math.log(alpha):
            low = middle
        else:
            high = middle
    return low


def quantile(probability: float) -> float:
    """``Phi^-1``; minus infinity at 0."""
    return NormalDist().inv_cdf(probability) if probability > 0 else -math.inf


def accuracy_at(certificates: Sequence[Certificate], radii: Sequence[float] = _RADII) -> list[dict[str, float]]:
    """Share of all samples that are right with a certified radius above each of ``radii``."""
    held = [one.radius for one in certificates if one.radius is not None and one.prediction == one.label]
    return [
        {"eps": float(eps), "certified_accuracy": sum(one > eps for one in held) / len(certificates)}
        for eps in radii
    ]
