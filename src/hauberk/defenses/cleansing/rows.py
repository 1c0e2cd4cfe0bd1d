"""Bad rows in training data: find them, drop them, and learn anew from what is left."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import check_fits
from hauberk.defenses.defense import TrainingDefense, restarted
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Plain, check_labels_differ, learn
from hauberk.threats import Geometry, ThreatModel

MOST_LISTED = 1000  # rows in evidence; their number is always there


@dataclass(frozen=True, eq=False)
class Finding:
    """Which rows are suspicious. Whether they are poisoned is for ``evaluation`` to say.

    Args:
        scores: float64 ``(n,)``: the higher, the more suspicious; comparable within one finding only.
        flagged: boolean ``(n,)``: what the finder would drop.
        classes: what it saw in each class, as JSON.
    """

    scores: Tensor
    flagged: Tensor
    classes: tuple[Mapping[str, Any], ...] = ()

    def describe(self) -> dict[str, Any]:
        """JSON for evidence: how many rows, and the most suspicious ``MOST_LISTED`` as ``[row, score]``."""
        rows = self.flagged.nonzero().squeeze(1)
        order = rows[self.scores[rows].argsort(descending=True, stable=True)][:MOST_LISTED]
        return {
            "samples": len(self.flagged),
            "flagged": len(rows),
            "rows": [[row, round(float(self.scores[row]), 6)] for row in order.tolist()],
            "classes": [dict(one) for one in self.classes],
        }


@dataclass(frozen=True, kw_only=True)
class RowCleansing(TrainingDefense):
    """Finds rows of the training data that do not belong, and learns from the others.

    The threat given to ``fit`` is not used: the attacker here writes data, not inputs.
    """

    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    fresh: bool = True

    @abstractmethod
    def find(
        self, classifier: Classifier, data: Dataset, *, seed: int = 0, progress: Progress = SILENT
    ) -> Finding:
        """The suspicious rows of ``data``.

        Args:
            classifier: the network; where its features are looked at, as it learnt from these very data.

        Raises:
            ConfigError: the data do not fit the classifier.
            DataError: one class only, or too few images of one.
            UnsupportedModel: a network without the layer whose activations are needed.
        """

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "cleansed",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``Defense.fit``; the last evidence's ``removed`` says how many and which rows were dropped."""
        return self.relearn(
            classifier,
            data,
            self.find(classifier, data, seed=seed, progress=progress),
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )

    def relearn(
        self,
        classifier: Classifier,
        data: Dataset,
        found: Finding,
        *,
        seed: int = 0,
        name: str = "cleansed",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """``fit`` with a finding at hand.

        Raises:
            DataError: what is left has one label only.
        """
        started = time.perf_counter()
        check_fits(classifier, data)
        rest = (~found.flagged).nonzero().squeeze(1)
        left = data.select(rest, note=f"{self.name} kept {len(rest)}") if len(rest) < len(data) else data
        check_labels_differ(left)
        learnt, kept_aside = self.set_aside(left)
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        model = learn(
            restarted(classifier, seed) if self.fresh else classifier,
            learnt,
            self.plan,
            Plain(),
            kind="hardening",
            method=self.name,
            settings={**settings, "made_from": data.describe()},
            held_out=kept_aside,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )
        return with_facts(model, started, removed=found.describe())


def with_facts(model: Classifier, started: float, **facts: Any) -> Classifier:
    """The model with further facts in the result of its last evidence, and the whole work's duration."""
    *earlier, last = model.evidence
    told = replace(
        last,
        result={**last.result, **facts},
        duration_s=round(max(last.duration_s, time.perf_counter() - started), 3),
    )
    model.evidence = (*earlier, told)
    return model
