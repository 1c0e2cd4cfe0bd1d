"""What the defences of several models share: the method by which a member learns, and the record of a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.evidence import Evidence
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Defense, TrainingDefense, born_as
from hauberk.defenses.training import DEFENSES
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Plain, TrainingPlan
from hauberk.threats import ThreatModel

_SEEDS = 2**53  # JSON's numbers hold no more
HARDENING_PLAN = TrainingPlan(epochs=10, schedule="one-cycle", learning_rate=2e-3, averaging=0.998)


@dataclass(frozen=True, kw_only=True)
class PlainTraining(TrainingDefense):
    """Ordinary training, for members that are to be different and nothing more."""

    name: ClassVar[str] = "plain"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()


_KINDS: tuple[type[Defense], ...] = (PlainTraining, *DEFENSES)
METHODS = {one.name: one for one in _KINDS if issubclass(one, TrainingDefense)}
"""By which a member can learn."""


def check_inner(inner: object, *, where: str) -> None:
    """Refuse what is neither the name of a training method nor a configured one."""
    if isinstance(inner, str):
        check_known([inner], METHODS, what="method", where=f"{where}, inner")
    elif not isinstance(inner, TrainingDefense):
        raise ConfigError(f"{where}: inner is a training method such as 'pgd' or 'plain', got {inner!r}")


def method_of(inner: str | TrainingDefense) -> TrainingDefense:
    """The inner method as it was named or configured."""
    return METHODS[inner]() if isinstance(inner, str) else inner


def configured(
    inner: str | TrainingDefense, plan: TrainingPlan, *, held_out: int | None, fresh: bool
) -> TrainingDefense:
    """The inner method, learning as the whole defence says; what starts anew is not told to."""
    method = method_of(inner)
    return replace(method, plan=plan, held_out=held_out, fresh=method.fresh if method.starts_anew else fresh)


def describe_inner(inner: str | TrainingDefense) -> dict[str, Any]:
    """The inner method with its settings, for evidence."""
    method = method_of(inner)
    own = {key: one for key, one in asdict(method).items() if key not in ("plan", "held_out", "fresh")}
    return {"method": method.name, **own}


def own_seed(seed: int, *labels: str | int) -> int:
    """A seed for one of several trainings, small enough for its record."""
    return derive_seed(seed, *labels) % _SEEDS


def beside(checkpoint: str | Path | None, part: str) -> Path | None:
    """A checkpoint for one of several trainings, next to the one that was named."""
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    return path.with_name(f"{path.stem}-{part}{path.suffix}")


def joint_evidence(models: Sequence[Classifier]) -> tuple[Evidence, ...]:
    """The records of all, each once, in order."""
    return tuple({one.digest: one for model in models for one in model.evidence}.values())


def with_record(
    combined: Classifier,
    members: Sequence[Classifier],
    classifier: Classifier,
    data: Dataset,
    *,
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    name: str,
    started: float,
) -> Classifier:
    """``combined`` with its members' records and one of its own (kind ``hardening``), which names them."""
    born = [member.evidence[-1] for member in members]
    record = Evidence(
        kind="hardening",
        subject={"name": name, "digest": combined.digest},
        inputs={"dataset": data.describe(), **born_as(classifier)},
        parameters={"architecture": combined.architecture, "method": method, **settings},
        result={
            "history": [],  # the members' records have theirs
            "members": [{**one.subject, "evidence": one.digest} for one in born],
            "parameters_count": sum(one.numel() for one in combined.parameters()),
        },
        seed=seed,
        parents=tuple(one.digest for one in born),
        duration_s=round(time.perf_counter() - started, 3),
    )
    combined.evidence = (*joint_evidence(members), record)
    return combined
