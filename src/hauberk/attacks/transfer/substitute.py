"""The whole black-box siege: substitutes built from answers, samples made on them and carried over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from torch import Tensor

from hauberk.attacks.attack import check_targets
from hauberk.attacks.extraction import JacobianAugmentation, Theft, Thief
from hauberk.attacks.gradient import GradientAttack
from hauberk.attacks.pgd import MIFGSM
from hauberk.attacks.result import AttackResult
from hauberk.attacks.transfer.ensemble import Average
from hauberk.attacks.transfer.transfer import Transfer, check_recipe
from hauberk.attacks.transfer.views import View
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.models import ARCHITECTURES, Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.threats import Geometry, Knowledge, ThreatModel

_LEAST_OWN = 2  # questions for each sample: the clean image, and one carried over


@dataclass(frozen=True, eq=False)
class Siege:
    """What a substitute attack did, with all its costs.

    Args:
        result: the transfer attack; ``result.queries`` are each sample's own questions.
        building: questions spent on building the substitutes, once for the whole batch.
        theft: how they were spent.
        substitutes: digests of the classifiers that were attacked in the target's place.
        recipe: the attack with its settings, as text.
    """

    result: AttackResult
    building: int
    theft: Theft
    substitutes: tuple[str, ...]
    recipe: str

    @property
    def queries(self) -> int:
        """All questions the target was asked."""
        return self.building + int(self.result.queries.sum())

    @property
    def queries_per_sample(self) -> float:
        """The same, shared by the samples."""
        return self.queries / len(self.result.queries)

    def __repr__(self) -> str:
        return (
            f"Siege({self.result!r}, {self.building} queries to build, {self.queries} in all, "
            f"{self.queries_per_sample:.1f} per sample)"
        )


@dataclass(frozen=True, kw_only=True)
class SubstituteTransfer:
    """The "polynomial-time black box" attack: a substitute of comparable cost, attacked in the target's place.

    The target is asked ``building`` questions, a substitute learns from the answers, and ``Transfer`` does
    the rest. The threat's query budget holds for all of it: the questions for building are shared evenly by
    the batch, and each sample keeps what is left of its budget, ``queries - ceil(building / n)``.

    Args:
        building: questions spent on the substitutes.
        thief: builds the substitute.
        further: architectures of further substitutes, which learn from the same answers without a question.
        attack, views, average: see ``Transfer``.

    Cost: at most ``building + n * (1 + restarts)`` questions.
    Limits: the result depends on the batch, which shares substitute and cost; an ``Attack`` does not.
    Source: Papernot et al., Practical black-box attacks against machine learning, ASIA CCS 2017.
    """

    building: int = 500
    thief: Thief = JacobianAugmentation()
    further: tuple[str, ...] = ()
    attack: GradientAttack = MIFGSM()
    views: tuple[View, ...] = ()
    average: Average = "logits"

    def __post_init__(self) -> None:
        require_count("building", self.building, "SubstituteTransfer")
        if not isinstance(self.thief, Thief):
            raise ConfigError(f"SubstituteTransfer: thief is one such as KnockoffNets(), got {self.thief!r}")
        for name in ("further", "views"):
            if not isinstance(getattr(self, name), list | tuple):
                given = type(getattr(self, name)).__name__
                raise ConfigError(f"SubstituteTransfer: {name} is a tuple, got {given}")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_known(self.further, ARCHITECTURES, what="architecture", where="SubstituteTransfer")
        check_recipe(self.attack, self.views, self.average, where="SubstituteTransfer")

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"SubstituteTransfer({parts})"

    def __call__(
        self,
        target: Classifier,
        pool: Dataset,
        images: Tensor,
        labels: Tensor,
        threat: ThreatModel | Geometry,
        *,
        targets: Tensor | None = None,
        seed: int = 0,
        indices: Tensor | None = None,
        progress: Progress = SILENT,
    ) -> Siege:
        """Build, attack, carry over.

        Args:
            target: asked for answers only: probabilities where the threat shows scores, else labels.
            pool: the attacker's own images; their labels are not read.
            images, labels, threat, targets, seed, indices: as for an attack. A white-box threat is taken as
                one that shows scores.

        Raises:
            ConfigError: a query budget that does not pay for building and one sample carried over each.
        """
        threat = ThreatModel.of(threat)
        # before anything is asked: a call that is wrong must not cost queries
        check_images(check_classifier(target), images)
        check_targets(target, threat, check_labels(target, labels, len(images)), targets)
        threat.check_fits(target.bounds, target.input_shape)
        for view in self.views:
            view.check(target.input_shape)
        own = self._own_budget(threat, len(images))
        theft = self.thief(
            target,
            pool,
            queries=self.building,
            knowledge=min(threat.knowledge, Knowledge.SCORES),
            seed=seed,
            name="substitute",
            victim_name="target",
            progress=progress,
        )
        sources = (theft.surrogate, *self._further(theft, target, seed, progress))
        transfer = Transfer(sources=sources, attack=self.attack, views=self.views, average=self.average)
        result = transfer(
            target,
            images,
            labels,
            replace(threat, queries=own),
            targets=targets,
            seed=seed,
            indices=indices,
            progress=progress,
        )
        return Siege(
            result=result,
            building=theft.queries,
            theft=theft,
            substitutes=tuple(one.digest for one in sources),
            recipe=repr(self),
        )

    def _own_budget(self, threat: ThreatModel, count: int) -> int | None:
        """What each sample may ask for itself."""
        if threat.queries is None:
            return None
        share = -(-self.building // count)
        if threat.queries < share + _LEAST_OWN:
            raise ConfigError(
                f"a budget of {threat.queries} queries a sample does not pay for {self.building} questions "
                f"shared by {count} samples ({share} each) and {_LEAST_OWN} of its own",
                hint=f"at least {share + _LEAST_OWN} queries, a larger batch, or a smaller building=",
            )
        return threat.queries - share

    def _further(self, theft: Theft, target: Classifier, seed: int, progress: Progress) -> Sequence[Classifier]:
        """Substitutes of other architectures, from the same answers."""
        return [
            replace(self.thief, architecture=name, args={}).learn(
                theft.transcript,
                seed=seed + number,
                name=f"substitute {number + 1}",
                device=target.device,
                progress=progress,
            )
            for number, name in enumerate(self.further, start=1)
        ]
