"""Accuracy against radius: where a model starts to fall, and whether it falls as an honest one does."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from hauberk.attacks import Attack
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.strike import DEFAULT_ATTACK, fallen, strikes
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.threats import Geometry, ThreatModel


@repeatable
def accuracy_curve(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    radii: Sequence[float],
    *,
    attack: Attack = DEFAULT_ATTACK,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> Evidence:
    """Evidence of kind ``curve``: accuracy at each radius, 0 being the clean one.

    A sample that falls at one radius falls at all larger ones, so each radius attacks only what is left.
    Gradients that parts around the network hide are taken from a bridge over them, answers that they draw anew
    are averaged, and a model that may refuse is also attacked across the network's boundary first.

    Args:
        threat: its own eps marks the curve; ``radii`` are what is measured.
        radii: any order, each at least 0.
    """
    started = time.perf_counter()
    threat = ThreatModel.of(threat)
    check_classifier(classifier)
    images = check_images(classifier, data.images)
    labels = check_labels(classifier, data.labels, len(images))
    if not radii or not all(math.isfinite(one) and one >= 0 for one in radii):
        raise ConfigError(f"a curve needs radii of at least 0, got {list(radii)!r}")
    stages = strikes(classifier, images, threat, attack)
    standing = predictions(classifier, images) == labels
    points = [_point(0.0, standing)]
    steps = sorted(set(radii) - {0})
    progress.begin("accuracy against radius", len(steps))
    for eps in steps:
        rows = standing.nonzero().squeeze(1)
        if len(rows):
            ball = threat.with_eps(eps)
            gone = fallen(classifier, images, labels, ball, stages, rows=rows, seed=seed)
            standing[rows[gone]] = False
        points.append(_point(eps, standing))
        progress.advance(1, f"eps {eps:g}")
    progress.end()
    return Evidence(
        kind="curve",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": data.describe()},
        parameters={
            "threat": threat.describe(),
            "attack": repr(stages[0].attack),
            "stages": [one.recipe for one in stages],
        },
        result={"points": points, "samples": len(images)},
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )


def _point(eps: float, standing: Tensor) -> dict[str, Any]:
    right = int(standing.sum())
    return {
        "eps": float(eps),
        "accuracy": right / len(standing),
        "interval": list(wilson(right, len(standing))),
    }


def radii_up_to(eps: float, *, factor: float = 4 / 3, count: int = 8) -> list[float]:
    """Evenly spaced radii from 0 past ``eps``, which is one of them."""
    inner = max(1, round(count / factor))
    steps = range(int(inner * factor) + 1)
    return [eps if number == inner else round(eps / inner * number, 6) for number in steps]


__all__ = ["DEFAULT_ATTACK", "accuracy_curve", "radii_up_to"]
