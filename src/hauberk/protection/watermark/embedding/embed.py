"""A marked copy of a model, the commitment to its mark, and the evidence of both."""

from __future__ import annotations

import copy
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_within
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.training import TrainingPlan
from hauberk.protection.watermark.commitment import Commitment, Place, commit
from hauberk.protection.watermark.embedding.blackbox import pattern_lesson
from hauberk.protection.watermark.embedding.fingerprint import find_places
from hauberk.protection.watermark.embedding.tuning import PLANS, Marking, fine_tune
from hauberk.protection.watermark.embedding.whitebox import bit_lesson
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import Fingerprint, Mark, WhiteBox, settings_of

WEIGHT = 1.0
SHAKE = 0.05


@dataclass(frozen=True, eq=False)
class Marked:
    """What embedding made.

    Args:
        classifier: in eval mode; its last ``evidence`` (kind ``watermark``) holds the commitment, never the
            key.
        commitment: to be signed and put where its time can be shown, before the model leaves the house.
    """

    classifier: Classifier
    commitment: Commitment


def embed(
    classifier: Classifier,
    data: Dataset,
    key: MarkKey,
    mark: Mark,
    *,
    plan: TrainingPlan | None = None,
    weight: float = WEIGHT,
    shake: float = SHAKE,
    seed: int = 0,
    name: str = "marked",
    progress: Progress = SILENT,
    clock: Clock = now,
) -> Marked:
    """Mark a copy of a classifier.

    Args:
        data: training split; a trained mark learns it together with the task, a fingerprint draws its lines
            there.
        plan: how a trained mark is learnt; None for ``PLANS[mark.kind]``.
        weight: of the mark's loss beside the task's.
        shake: of the weights while a black-box mark is learnt, in each tensor's root mean squares.
        seed: of the training's order and noise; the mark itself comes from the key alone.
        name: of the marked model, for its evidence.

    Raises:
        ConfigError: settings out of range, or a plan for a fingerprint, which trains nothing.
        UnsupportedModel: too few weights for the bits, or too few places for the lines.
        TrainingDiverged: the loss is no longer a number.

    Limits: who has the key can remove the mark. What survives which change is measured in docs/watermarking.md.
    """
    check_classifier(classifier)
    for what, value in (("weight", weight), ("shake", shake)):
        require_within(what, value, "watermark", "[0, 100]")
    if data.input_shape != classifier.input_shape:
        raise ConfigError(
            f"{data.name} has images {data.input_shape}, the model takes {classifier.input_shape}"
        )
    started = time.perf_counter()
    learnt: dict[str, Any] = {}
    places: list[Place] = []
    if isinstance(mark, Fingerprint):
        if plan is not None:
            raise ConfigError("a fingerprint trains nothing: it takes no training plan")
        marked = copy.deepcopy(classifier)
        places = find_places(marked, data, key, mark)
    else:
        plan = plan or PLANS[mark.kind]
        lesson: Marking
        if isinstance(mark, WhiteBox):
            lesson = bit_lesson(classifier, key, mark, weight)
        else:
            lesson = pattern_lesson(classifier, key, mark, weight, shake)
            learnt["shake"] = shake
        marked = fine_tune(classifier, data, lesson, plan, seed=seed, name=name, progress=progress)
        learnt |= {"plan": asdict(plan), "weight": weight}
    commitment = commit(key, mark, marked.digest, places=places, clock=clock)
    history = marked.evidence[-1].result.get("history", []) if learnt else []
    record = Evidence(
        kind="watermark",
        subject={"name": name, "digest": marked.digest},
        inputs={
            "dataset": data.describe(),
            "model": dict(classifier.evidence[-1].subject)
            if classifier.evidence
            else {"digest": classifier.digest},
        },
        parameters={"kind": mark.kind, **settings_of(mark), **learnt},
        result={
            "commitment": commitment.digest,
            "history": history,
            "largest_weight_change": _largest_change(classifier, marked),
        },
        seed=seed if learnt else None,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    marked.evidence = (*classifier.evidence, record)
    return Marked(marked, commitment)


def _largest_change(before: Classifier, after: Classifier) -> float:
    """0 shows that nothing was trained."""
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return max((float(torch.sub(one, other).detach().abs().max()) for one, other in pairs), default=0.0)
