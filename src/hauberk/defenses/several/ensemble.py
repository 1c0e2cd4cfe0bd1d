"""Ensembles of members that learn one after the other."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Defense, TrainingDefense, check_threat, told
from hauberk.defenses.several.inner import (
    HARDENING_PLAN,
    beside,
    check_inner,
    configured,
    describe_inner,
    method_of,
    own_seed,
    with_record,
)
from hauberk.models import Classifier
from hauberk.models.several import COMBINATIONS
from hauberk.models.several import ensemble as as_one
from hauberk.models.training import TrainingPlan
from hauberk.threats import Geometry, ThreatModel

Combination = Literal["average", "logits", "voting"]


@dataclass(frozen=True, kw_only=True)
class _OneByOne(Defense):
    """Members that learn one after the other, then answer together."""

    learns: ClassVar[bool] = True

    plan: TrainingPlan = HARDENING_PLAN
    members: int = 3
    inner: str | TrainingDefense = "pgd"
    combine: Combination = "average"

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.plan, TrainingPlan):
            raise ConfigError(f"{where}: plan must be a TrainingPlan, got {self.plan!r}")
        require_count("members", self.members, where)
        if self.members < 2:
            raise ConfigError(f"{where}: members must be at least 2, got {self.members}")
        check_inner(self.inner, where=where)
        check_known([self.combine], COMBINATIONS, what="combination", where=f"{where}, combine")

    @property
    def needs_threat(self) -> bool:
        return method_of(self.inner).needs_threat

    def _settings(self, threat: ThreatModel | None) -> dict[str, Any]:
        """For evidence, together with what each defence adds."""
        return {
            **told(threat),
            "plan": asdict(self.plan),
            "members": self.members,
            "inner": describe_inner(self.inner),
            "combine": self.combine,
        }


@dataclass(frozen=True, kw_only=True)
class Ensemble(_OneByOne):
    """Members that learn the same from different random weights, and answer together.

    Args:
        plan: how each member learns.
        members: how many, at least 2.
        inner: the method by which each learns: ``plain``, the name of a training method, or a configured one
            (its own plan, ``held_out`` and ``fresh`` are overruled).
        combine: ``average`` of the probabilities, of the ``logits``, or ``voting`` (majority).
        held_out: as in ``TrainingDefense``, for each member.

    Cost: ``members`` times the inner method's, in training and in use.
    Limits: as robust as its members, and a little more where their mistakes differ. Plain members together fall
        as easily as one, to an attacker who differentiates all of them. Voting is no obstacle to him either.
    Source: He et al., Adversarial example defenses: ensembles of weak defenses are not strong, WOOT 2017, for
        what it does not do.
    """

    name: ClassVar[str] = "ensemble"

    held_out: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        configured(self.inner, self.plan, held_out=self.held_out, fresh=True)  # refuses what cannot be

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
        """As ``Defense.fit``; of ``classifier`` only the architecture is used.

        The result's ``evidence`` has a record for each member before its own.
        """
        started = time.perf_counter()
        threat = check_threat(classifier, threat)
        method = configured(self.inner, self.plan, held_out=self.held_out, fresh=True)
        made = [
            method.fit(
                classifier,
                data,
                threat,
                seed=own_seed(seed, "member", place),
                name=f"{name} member {place}",
                checkpoint=beside(checkpoint, f"member-{place}"),
                progress=progress,
            )
            for place in range(1, self.members + 1)
        ]
        return with_record(
            as_one(made, combine=self.combine),
            made,
            classifier,
            data,
            method=self.name,
            settings={**self._settings(threat), "held_out": self.held_out},
            seed=seed,
            name=name,
            started=started,
        )


@dataclass(frozen=True, kw_only=True)
class Snapshot(_OneByOne):
    """One run whose learning rate falls to 0 again and again; the weights after each cycle are a member.

    Args:
        plan: of the whole run, with a cosine schedule; its epochs divide into ``cycles``.
        members: the last so many snapshots.
        cycles: how often the learning rate starts anew (and with it the optimiser, and what an inner method
            warms up).
        inner, combine: as in ``Ensemble``.
        fresh: start from new random weights instead of those of the classifier.

    Cost: that of one run; in use ``members`` times a single model.
    Limits: snapshots of one run resemble each other more than members of an ensemble do, and fall together.
    Source: Huang et al., Snapshot ensembles: train 1, get M for free, ICLR 2017, equation 2.
    """

    name: ClassVar[str] = "snapshot"

    plan: TrainingPlan = TrainingPlan(epochs=20, schedule="cosine", learning_rate=2e-3)
    cycles: int = 5
    fresh: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("cycles", self.cycles, "Snapshot")
        if self.members > self.cycles:
            raise ConfigError(f"Snapshot: {self.cycles} cycles leave {self.cycles} members, not {self.members}")
        if self.plan.schedule != "cosine":
            raise ConfigError(f"Snapshot: the schedule must be cosine, got {self.plan.schedule!r}")
        if self.plan.epochs % self.cycles:
            raise ConfigError(
                f"Snapshot: {self.plan.epochs} epochs do not divide into {self.cycles} cycles",
                hint=f"epochs={self.cycles * max(1, round(self.plan.epochs / self.cycles))}, or other cycles",
            )
        configured(self.inner, self.plan, held_out=0, fresh=self.fresh)  # refuses what cannot be
        inner = method_of(self.inner)
        if inner.starts_anew:
            raise ConfigError(
                f"Snapshot: method {inner.name} draws new weights by itself, and would in each cycle",
                hint="use method ensemble, which wants new weights for each member",
            )

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
        """As ``Defense.fit``; the result's ``evidence`` has a record for each cycle before its own."""
        started = time.perf_counter()
        threat = check_threat(classifier, threat)
        cycle_plan = replace(self.plan, epochs=self.plan.epochs // self.cycles)
        latest, snapshots = classifier, []
        for cycle in range(1, self.cycles + 1):
            method = configured(self.inner, cycle_plan, held_out=0, fresh=self.fresh and cycle == 1)
            latest = method.fit(
                latest,
                data,
                threat,
                seed=own_seed(seed, "cycle", cycle),
                name=f"{name} cycle {cycle}",
                checkpoint=beside(checkpoint, f"cycle-{cycle}"),
                progress=progress,
            )
            snapshots.append(latest)
        chosen = snapshots[-self.members :]
        return with_record(
            as_one(chosen, combine=self.combine),
            chosen,
            classifier,
            data,
            method=self.name,
            settings={**self._settings(threat), "cycles": self.cycles, "fresh": self.fresh},
            seed=seed,
            name=name,
            started=started,
        )
