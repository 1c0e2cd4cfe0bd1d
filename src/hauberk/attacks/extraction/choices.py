"""Which of his own images a thief asks about next. None of them looks at the images' labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.extraction.thief import Attempt
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import require_count
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes


class Chooser(Protocol):
    """A choice at work in one theft."""

    def choose(self, count: int, free: Tensor, surrogate: Classifier | None) -> Tensor:
        """``count`` different rows out of ``free`` (int64, the images not asked about yet).

        ``surrogate`` is the one learnt from all answers so far, None in the first round.
        """

    def learn(self, rows: Tensor, answers: Tensor, surrogate: Classifier | None) -> None:
        """Take in what the victim said, ``(len(rows), classes)``."""


class Choice(Protocol):
    """A configured, immutable way to choose."""

    @property
    def rounds(self) -> int:
        """In how many parts the budget is spent; a surrogate is learnt after each."""

    def begin(self, attempt: Attempt) -> Chooser:
        """The chooser for one theft."""


@dataclass(frozen=True, kw_only=True)
class RandomChoice:
    """Images at random. With the same seed a larger budget asks about the same images first."""

    rounds: int = 1

    def __post_init__(self) -> None:
        require_count("rounds", self.rounds, "RandomChoice")

    def begin(self, attempt: Attempt) -> Chooser:
        return _InOrder(attempt)


class _InOrder:
    """A random order of the whole pool, from the front."""

    def __init__(self, attempt: Attempt) -> None:
        self._order = torch.randperm(len(attempt.images), generator=attempt.generator("order"))

    def choose(self, count: int, free: Tensor, surrogate: Classifier | None) -> Tensor:
        return self._order[torch.isin(self._order, free)][:count]

    def learn(self, rows: Tensor, answers: Tensor, surrogate: Classifier | None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class UncertainChoice:
    """Random images first, then those between whose two best classes the surrogate hesitates most.

    Source: margin sampling (Scheffer et al., IDA 2001) as a thief's strategy, after Pal et al., ActiveThief,
        AAAI 2020, whose own measures are entropy and k-centre.
    """

    rounds: int = 5

    def __post_init__(self) -> None:
        require_count("rounds", self.rounds, "UncertainChoice")

    def begin(self, attempt: Attempt) -> Chooser:
        return _Hesitating(attempt)


class _Hesitating(_InOrder):
    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt)
        self._images = attempt.images

    def choose(self, count: int, free: Tensor, surrogate: Classifier | None) -> Tensor:
        if surrogate is None:
            return super().choose(count, free, surrogate)
        best = probabilities(surrogate, self._images[free]).topk(2, dim=1).values
        return free[(best[:, 0] - best[:, 1]).argsort(stable=True)[:count]]


@dataclass(frozen=True, kw_only=True)
class AdaptiveChoice:
    """A gradient bandit over groups of similar images, which learns where questions pay.

    A question pays where the victim was sure (the image looks like what it knows), where its answer differs
    from its average answer so far (variety), and where the surrogate would have answered otherwise.

    Args:
        groups: how many the pool is cut into.
        rounds: a surrogate is learnt, and the policy brought up to date, after each.

    Source: Orekondy et al., CVPR 2019, section 4.1.2, equations for the policy and the rewards. Differences:
        groups found by k-means on the pixels stand for the classes of the attacker's pool, whose labels are
        not used here; the surrogate is learnt anew after each round, not after each image.
    """

    groups: int = 20
    rounds: int = 6

    def __post_init__(self) -> None:
        require_count("rounds", self.rounds, "AdaptiveChoice")
        require_count("groups", self.groups, "AdaptiveChoice")

    def begin(self, attempt: Attempt) -> Chooser:
        if self.groups > len(attempt.images):
            raise ConfigError(f"{self.groups} groups of a pool of {len(attempt.images)} images")
        return _Bandit(self, attempt)


class _Bandit:
    """Preferences ``H`` over groups; policy softmax(H) (Sutton and Barto, section 2.8)."""

    def __init__(self, choice: AdaptiveChoice, attempt: Attempt) -> None:
        self._images = attempt.images
        self._group = k_means(attempt.images, choice.groups, attempt.generator("groups"))
        self._generator = attempt.generator("policy")
        self._preference = torch.zeros(choice.groups, dtype=torch.float64)
        self._pulls = torch.zeros(choice.groups, dtype=torch.float64)
        self._said: Tensor | None = None  # sum of the answers so far
        self._asked = 0
        self._mean_reward = 0.0

    def choose(self, count: int, free: Tensor, surrogate: Classifier | None) -> Tensor:
        policy = self._preference.softmax(dim=0)
        group = self._group[free]
        size = torch.bincount(group, minlength=len(policy)).clamp(min=1)
        # an image's chance is its group's, shared by those left in it; the floor keeps every image drawable
        weight = (policy / size)[group].clamp_min(1e-12)
        return free[torch.multinomial(weight, count, replacement=False, generator=self._generator)]

    def learn(self, rows: Tensor, answers: Tensor, surrogate: Classifier | None) -> None:
        reward = self._rewards(rows, answers, surrogate)
        for group, earned in zip(self._group[rows].tolist(), reward.tolist(), strict=True):
            self._pulls[group] += 1
            policy = self._preference.softmax(dim=0)
            ahead = (earned - self._mean_reward) / self._pulls[group]
            self._preference -= ahead * policy
            self._preference[group] += ahead
            self._asked += 1
            self._mean_reward += (earned - self._mean_reward) / self._asked

    def _rewards(self, rows: Tensor, answers: Tensor, surrogate: Classifier | None) -> Tensor:
        """``(n,)``: the mean of the three rewards, each brought to [0, 1] within the round."""
        best = answers.topk(2, dim=1).values
        parts = [best[:, 0] - best[:, 1]]
        if self._said is not None:
            parts.append((answers - self._said / self._said.sum()).clamp_min(0).sum(dim=1))
        self._said = answers.sum(dim=0) if self._said is None else self._said + answers.sum(dim=0)
        if surrogate is not None:
            guess = probabilities(surrogate, self._images[rows]).clamp_min(1e-12)
            parts.append(-(answers * guess.log()).sum(dim=1))
        return torch.stack([_spread(part) for part in parts]).mean(dim=0)


def _spread(values: Tensor) -> Tensor:
    """Brought to [0, 1]; 0 where all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if bool(high > low) else torch.zeros_like(values)


@torch.no_grad()
def probabilities(classifier: Classifier, images: Tensor) -> Tensor:
    """float32 ``(n, classes)`` on the CPU."""
    parts = [
        F.softmax(classifier(images[part].to(classifier.device)).float(), dim=1).cpu()
        for part in passes(len(images), pass_size(classifier))
    ]
    return torch.cat(parts)


def k_means(images: Tensor, groups: int, generator: torch.Generator, *, steps: int = 10) -> Tensor:
    """The group of each image, int64 ``(n,)``: Lloyd's algorithm from random images."""
    points = images.flatten(1)
    centres = points[torch.randperm(len(points), generator=generator)[:groups]].clone()
    group = torch.zeros(len(points), dtype=torch.int64)
    for _ in range(steps):
        group = torch.cat([torch.cdist(points[part], centres).argmin(1) for part in passes(len(points), 4096)])
        sums = torch.zeros_like(centres).index_add_(0, group, points)
        sizes = torch.bincount(group, minlength=groups)
        held = sizes > 0  # an empty group keeps its centre
        centres[held] = sums[held] / sizes[held, None]
    return group


CHOICES: dict[str, type[RandomChoice] | type[UncertainChoice] | type[AdaptiveChoice]] = {
    "random": RandomChoice,
    "uncertain": UncertainChoice,
    "adaptive": AdaptiveChoice,
}


def choice(name: str | Choice) -> Choice:
    """A choice by its name, or itself."""
    if not isinstance(name, str):
        if isinstance(name, type) or not hasattr(name, "begin"):
            raise ConfigError(f"a choice is a name or a configured one such as RandomChoice(), got {name!r}")
        return name
    check_known([name], CHOICES, what="choice", where="KnockoffNets")
    return CHOICES[name]()
