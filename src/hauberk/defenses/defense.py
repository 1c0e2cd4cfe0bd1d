"""The frame of every defence: a classifier in, a defended classifier out, with evidence of how."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from hauberk.compute import RayTrain
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.create import restarted as restarted
from hauberk.models.parts import Part
from hauberk.models.training import Lesson, TrainingPlan, check_labels_differ, check_mixing, learn
from hauberk.threats import Geometry, ThreatModel

_HELD_OUT_MOST = 500  # enough to tell epochs apart, cheap to attack after each


@dataclass(frozen=True, kw_only=True)
class Defense(ABC):
    """A configured, immutable way to make a classifier harder to fool, steal from or poison.

    Class attributes: ``name``; ``learns`` says whether it has a ``plan`` of training.
    """

    name: ClassVar[str]
    learns: ClassVar[bool] = False

    @property
    def needs_threat(self) -> bool:
        """Whether ``fit`` looks at the threat; what does not can be fitted without one."""
        return True

    def inputs(self) -> dict[str, str]:
        """What goes in besides classifier and data: digests of packages that settings name, by role.

        Raises:
            DataError: there is no such package.
        """
        return {}

    @abstractmethod
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
        """A defended copy of ``classifier``.

        Args:
            data: training data.
            threat: the attacker to prepare for; None for methods that do not look at it (``needs_threat``).
            name: of the defended model, for its evidence.
            checkpoint: file to resume from and keep up to date, where there is something to resume.

        Returns:
            a new classifier in eval mode, whose last ``evidence`` (kind ``hardening``) says what was done.

        Raises:
            ConfigError: threat, data and classifier do not fit each other, the threat is targeted, or it lacks.
        """


@dataclass(frozen=True, kw_only=True)
class Wrap(Defense):
    """A defence at inference time: a part around the network (``hauberk.models.parts``), outside the others."""

    needs_threat: ClassVar[bool] = False

    @abstractmethod
    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Part:
        """The part to put around ``classifier``; what it must learn, it learns from ``data``."""

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
        started = time.perf_counter()
        check_classifier(classifier)
        part = self.part(classifier, data, seed)
        wrapped = wrap(classifier, part)
        evidence = Evidence(
            kind="hardening",
            subject={"name": name, "digest": wrapped.digest},
            inputs={"dataset": data.describe(), **born_as(classifier)},
            parameters={
                "architecture": classifier.architecture,
                "method": self.name,
                "gradient": part.gradient,
                **asdict(self),
            },
            result={"defences": [one.name for one in wrapped.defences if isinstance(one, Part)]},
            seed=seed,
            parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
            duration_s=round(time.perf_counter() - started, 3),
        )
        wrapped.evidence = (*classifier.evidence, evidence)
        return wrapped


def wrap(classifier: Classifier, part: Part) -> Classifier:
    """A copy of ``classifier`` with ``part`` around everything it has.

    Raises:
        ConfigError: it stands behind such a part already.
    """
    earlier: Sequence[Part] = [one for one in classifier.defences if isinstance(one, Part)]
    if any(one.name == part.name for one in earlier):
        raise ConfigError(
            f"the model stands behind {part.name} already: a second one would add nothing but cost",
            hint="start from the model before it, with other settings",
        )
    wrapped = copy.deepcopy(classifier)
    inner = copy.deepcopy(part).to(classifier.device, classifier.dtype)
    wrapped.defences = torch.nn.ModuleList([inner, *wrapped.defences])
    return wrapped.eval()


def born_as(classifier: Classifier) -> dict[str, Any]:
    """The classifier as an input of evidence, where it has a name."""
    return {"model": dict(classifier.evidence[-1].subject)} if classifier.evidence else {}


def check_threat(classifier: Classifier, threat: ThreatModel | Geometry | None) -> ThreatModel | None:
    """The threat to harden against, if there is one.

    Raises:
        ConfigError: it does not fit the classifier, or is targeted.
    """
    check_classifier(classifier)
    if threat is None:
        return None
    threat = ThreatModel.of(threat)
    threat.check_fits(classifier.bounds, classifier.input_shape)
    if threat.targeted:
        raise ConfigError(
            "hardening prepares for an untargeted attacker, who is the stronger one",
            hint="give the geometry alone, and evaluate with the targeted threat",
        )
    return threat


def needed(threat: ThreatModel | None, method: str) -> ThreatModel:
    """The threat, for a method that cannot do without.

    Raises:
        ConfigError: there is none.
    """
    if threat is None:
        raise ConfigError(
            f"method {method} prepares for a threat, and none was given",
            hint="name a geometry and its radius, such as Linf(0.1)",
        )
    return threat


def told(threat: ThreatModel | None) -> dict[str, Any]:
    """The threat as a parameter of evidence, where there was one."""
    return {} if threat is None else {"threat": threat.describe()}


@dataclass(frozen=True, kw_only=True)
class TrainingDefense(Defense):
    """Hardens a classifier by further training.

    Class attribute ``mixes``: whether what is learnt understands labels of several classes at once, which
    ``mixup`` makes; as its lesson's.

    Args:
        plan: how to learn; see ``TrainingPlan``.
        held_out: how many of the data's last images to keep aside for choosing the best epoch; None takes a
            tenth, at most 500; 0 keeps none and takes the last epoch.
        fresh: start from new random weights instead of those of the classifier.
    """

    learns: ClassVar[bool] = True
    mixes: ClassVar[bool] = False

    plan: TrainingPlan = TrainingPlan()
    held_out: int | None = 0
    fresh: bool = False

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.plan, TrainingPlan):
            raise ConfigError(f"{where}: plan must be a TrainingPlan, got {self.plan!r}")
        check_mixing(self.plan, self.mixes, self.name)
        if self.held_out is not None:
            require_count("held_out", self.held_out, where, least=0)
        if not isinstance(self.fresh, bool):  # 'no' would count as yes
            raise ConfigError(f"{where}: fresh is true or false, got {self.fresh!r}")

    @property
    def starts_anew(self) -> bool:
        """Whether ``fit`` draws new weights by itself, whatever ``fresh`` says."""
        return False

    @classmethod
    def shares(cls) -> bool:
        """Whether several workers can learn it together: ``fit_together``."""
        return cls.fit is TrainingDefense.fit

    def set_aside(self, data: Dataset) -> tuple[Dataset, Dataset | None]:
        """What to learn from, and what ``held_out`` keeps for choosing the best epoch."""
        count = min(_HELD_OUT_MOST, len(data) // 10) if self.held_out is None else self.held_out
        return data.split(count) if count else (data, None)

    @abstractmethod
    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        """What is learnt, against ``threat`` where it is one of those that look at it."""

    def prepare(self, classifier: Classifier, data: Dataset, threat: ThreatModel | None, seed: int) -> Dataset:
        """The data to learn from; attacks on the given classifier go in here."""
        return data

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
        """As ``Defense.fit``; ``held_out`` of the data are kept aside.

        Raises:
            TrainingDiverged: the loss is no longer a number.
        """
        return self._teach(classifier, data, threat, seed, name, checkpoint, None, progress)

    def fit_together(
        self,
        workers: RayTrain,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``fit``, by several workers that share every batch; the result is the same up to rounding.

        Raises:
            ConfigError: a method that does more than train once; it can only ``fit``.
        """
        if not self.shares():
            raise ConfigError(f"method {self.name} trains in steps of its own, which workers cannot share")
        return self._teach(classifier, data, threat, seed, name, checkpoint, workers, progress)

    def _teach(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None,
        seed: int,
        name: str,
        checkpoint: str | Path | None,
        workers: RayTrain | None,
        progress: Progress,
    ) -> Classifier:
        threat = check_threat(classifier, threat)
        check_labels_differ(data)
        data, kept_aside = self.set_aside(data)
        lesson = self.lesson(classifier, threat)
        start = restarted(classifier, seed) if self.fresh else classifier
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        learnt = self.prepare(classifier, data, threat, seed)
        if learnt is not data:
            settings["made_from"] = data.describe()
        return learn(
            start,
            learnt,
            self.plan,
            lesson,
            kind="hardening",
            method=self.name,
            settings={**told(threat), **settings},
            held_out=kept_aside,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            workers=workers,
            progress=progress,
        )
