"""Attacks that ask of each sample: is the target surer of it than models that never saw it?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hauberk.attacks.inference.confidence import log_probability, scaled_confidence
from hauberk.attacks.inference.membership import MembershipAttack
from hauberk.attacks.inference.table import LogitTable
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import require_number

Variance = Literal["auto", "per-example", "global"]
_MANY = 32  # models on a side from which a variance for each sample beats a shared one (the paper: 64 in all)
_LEAST = 1e-6  # variance of log-odds; below it models agree to rounding


def _spread(confidence: Tensor, mask: Tensor, variance: Variance) -> tuple[Tensor, Tensor]:
    """Mean and variance ``(views, n)`` of ``(models, views, n)`` over the models that ``mask`` names."""
    weight = mask[:, None, :].double()
    count = weight.sum(dim=0)
    mean = (confidence * weight).sum(dim=0) / count
    squares = ((confidence - mean).square() * weight).sum(dim=0)
    if variance == "auto":
        variance = "per-example" if int(count.min()) >= _MANY else "global"
    if variance == "per-example":
        return mean, (squares / (count - 1)).clamp_min(_LEAST)
    shared = squares.sum(dim=1, keepdim=True) / (count - 1).sum(dim=1, keepdim=True)
    return mean, shared.clamp_min(_LEAST).expand_as(mean)


@dataclass(frozen=True, kw_only=True, repr=False)
class LiRA(MembershipAttack):
    """Online likelihood-ratio attack: two Gaussians for each sample, one for models trained on it, one for not.

    The score is the logarithm of the ratio of the densities at the target's scaled confidence, averaged over
    the views.

    Args:
        variance: ``per-example``; ``global``, one for all samples of a side, for few shadow models; ``auto``
            takes the first from 32 models on a side.

    Source: Carlini et al., S&P 2022, algorithm 1. Differences: the global variance is that about each
        sample's own mean; views count as independent.
    """

    name: ClassVar[str] = "lira"
    needs_in: ClassVar[int] = 2
    needs_out: ClassVar[int] = 2

    variance: Variance = "auto"

    def __post_init__(self) -> None:
        check_known([self.variance], ("auto", "per-example", "global"), what="variance", where="LiRA")

    def score(self, table: LogitTable) -> Tensor:
        seen = scaled_confidence(table.target, table.labels)
        shadows = scaled_confidence(table.shadows, table.labels)

        def log_density(mask: Tensor) -> Tensor:
            mean, spread = _spread(shadows, mask, self.variance)
            return -((seen - mean).square() / spread + spread.log()) / 2

        return (log_density(table.inside) - log_density(~table.inside)).mean(dim=0)


@dataclass(frozen=True, kw_only=True, repr=False)
class OfflineLiRA(MembershipAttack):
    """LiRA that needs only models which never saw the sample: how far above them the target's confidence is.

    The score is the distance in standard deviations; it orders samples as the paper's one-sided test does
    and does not saturate.

    Args:
        variance: as in ``LiRA``.

    Source: Carlini et al., S&P 2022, the offline form of algorithm 1; differences as in ``LiRA``.
    """

    name: ClassVar[str] = "lira-offline"
    needs_out: ClassVar[int] = 2

    variance: Variance = "auto"

    def __post_init__(self) -> None:
        check_known([self.variance], ("auto", "per-example", "global"), what="variance", where="OfflineLiRA")

    def score(self, table: LogitTable) -> Tensor:
        seen = scaled_confidence(table.target, table.labels)
        shadows = scaled_confidence(table.shadows, table.labels)
        mean, spread = _spread(shadows, ~table.inside, self.variance)
        return ((seen - mean) / spread.sqrt()).mean(dim=0)


def _log_mean_probability(table: LogitTable, mask: Tensor) -> Tensor:
    """``log`` of the mean probability of the true class over the models that ``mask`` names, ``(n,)``."""
    log_p = log_probability(table.shadows[:, 0], table.labels)
    chosen = torch.where(mask, log_p, -torch.inf)
    return chosen.logsumexp(dim=0) - mask.sum(dim=0).double().log()


def _dominated(log_ratio: Tensor, gamma: float) -> Tensor:
    """Share of the samples z that each x dominates: ``ratio(x) / ratio(z) >= gamma``; ties by the ratio.

    A share of n samples has n + 1 values only, and the likeliest members would tie at 1. What is added to
    tell them apart is below one step.
    """
    ordered = log_ratio.sort().values
    counts = torch.searchsorted(ordered, log_ratio - math.log(gamma), right=True)
    ranks = torch.searchsorted(ordered, log_ratio)  # the same for equal ratios
    count = len(log_ratio)
    return (counts + ranks / (count + 1)) / count


@dataclass(frozen=True, kw_only=True, repr=False)
class RMIA(MembershipAttack):
    """Online robust membership inference: how many other samples does x beat in a pairwise likelihood ratio?

    ``ratio(x) = Pr(x | target) / Pr(x)``, where ``Pr(x)`` is the mean over shadow models, those that saw x and
    those that did not in equal parts.

    Args:
        gamma: by how much x must beat a sample z; at least 1.

    Source: Zarifzadeh et al., Low-Cost High-Power Membership Inference Attacks, ICML 2024.
        Differences: plain softmax; the population z are the samples in question, members among them, which
        lowers all scores alike and leaves their order; ties are broken by ratio(x).
    """

    name: ClassVar[str] = "rmia"
    needs_in: ClassVar[int] = 1
    needs_out: ClassVar[int] = 1

    gamma: float = 2.0

    def __post_init__(self) -> None:
        _require_gamma(self.gamma, "RMIA")

    def score(self, table: LogitTable) -> Tensor:
        sides = [_log_mean_probability(table, mask) for mask in (table.inside, ~table.inside)]
        log_prior = torch.stack(sides).logsumexp(dim=0) - math.log(2)
        return _dominated(log_probability(table.target[0], table.labels) - log_prior, self.gamma)


@dataclass(frozen=True, kw_only=True, repr=False)
class OfflineRMIA(MembershipAttack):
    """RMIA that needs only models which never saw the sample.

    What models trained on x would say is guessed from those that were not: ``Pr_in = a Pr_out + 1 - a``.

    Args:
        gamma: as in ``RMIA``.
        a: in [0, 1]; small where training makes the model sure of whatever it has seen.

    Source: Zarifzadeh et al., ICML 2024, the approximation of Pr(x) from OUT models alone; differences as in
        ``RMIA``.
    """

    name: ClassVar[str] = "rmia-offline"
    needs_out: ClassVar[int] = 1

    gamma: float = 2.0
    a: float = 0.3

    def __post_init__(self) -> None:
        _require_gamma(self.gamma, "OfflineRMIA")
        require_number("a", self.a, "OfflineRMIA")
        if not 0 <= self.a <= 1:
            raise ConfigError(f"OfflineRMIA: a must lie in [0, 1], got {self.a!r}")

    def score(self, table: LogitTable) -> Tensor:
        outside = _log_mean_probability(table, ~table.inside).exp()
        log_prior = (((1 + self.a) * outside + 1 - self.a) / 2).log()
        return _dominated(log_probability(table.target[0], table.labels) - log_prior, self.gamma)


def _require_gamma(value: float, where: str) -> None:
    require_number("gamma", value, where)
    if value < 1:
        raise ConfigError(f"{where}: gamma must be at least 1, got {value!r}")
