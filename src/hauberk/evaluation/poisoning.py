"""What poisoned training data do to the model that learns from them, measured by retraining.

The same network, from the same start, learns once from the clean and once from the poisoned data; both are
asked about the same test images, as they are and stamped with the trigger. The poisoner's mask and rate are
not believed but compared with the data.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from hauberk.attacks.poisoning import Poisoned
from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.pictures import choose, image_record
from hauberk.models import Classifier, create
from hauberk.models.checks import check_images
from hauberk.models.training import TrainingPlan, train


@dataclass(frozen=True, eq=False)
class PoisoningReport:
    """Args:
    evidence: of kind ``poisoning``.
    clean_model: learnt from the data as they were.
    poisoned_model: the same network from the same start, learnt from the poisoned data.
    """

    evidence: Evidence
    clean_model: Classifier
    poisoned_model: Classifier


def poisoning_damage(
    clean: Dataset,
    poisoned: Poisoned,
    test: Dataset,
    *,
    architecture: str = "cnn",
    args: Mapping[str, Any] | None = None,
    plan: TrainingPlan | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    name: str = "poisoned",
    progress: Progress = SILENT,
) -> PoisoningReport:
    """Train on clean and on poisoned data, and compare.

    Args:
        clean: the training data that ``poisoned`` was made from.
        test: clean test data.
        architecture, args: as for ``hauberk.create``.
        plan: how to learn, the same for both.
        seed: of start and training, the same for both.
        name: of the poisoned model, for reports; the other one is called ``clean``.

    Returns:
        models and evidence. Its ``result`` has the same figures ``before`` (clean model) and ``after``
        (poisoned model): ``accuracy`` on the test data, ``per_class``, ``trigger_success`` (share of stamped
        test images read as the target; only images of other classes count, and only of the source class
        where there is one), ``trigger_elsewhere`` (the same for images of classes that are neither source
        nor target), ``source_as_target`` (share of the source class's images read as the target, unstamped).
        Shares have a 95 % Wilson interval; those that do not apply are None.

    Raises:
        DataError: poisoned and clean data differ in other places than ``touched`` says, or test data do not
            fit the training data.
        ConfigError: as ``create`` and ``train``.

    Cost: two trainings.
    Limits: one network, one seed. A defender who trains otherwise (longer, augmented, another network) may
        suffer more or less; small differences of accuracy may be the seed's.
    """
    started = time.perf_counter()
    changed = found_changes(clean, poisoned)
    if test.input_shape != clean.input_shape or test.classes != clean.classes:
        raise DataError(f"{test.name} has other images or classes than {clean.name}")
    plan = plan or TrainingPlan()

    def learnt(data: Dataset, called: str) -> Classifier:
        blank = create(architecture, data, seed=seed, args=args).to(device)
        return train(blank, data, plan, seed=seed, name=called, progress=progress)

    clean_model, poisoned_model = learnt(clean, "clean"), learnt(poisoned.data, name)
    rows = changed["touched"].nonzero().squeeze(1)
    result = {
        "samples": len(clean),
        **{key: int(mask.sum()) for key, mask in changed.items()},
        "rate": len(rows) / len(clean),
        "test_samples": len(test),
        "class_samples": torch.bincount(test.labels, minlength=len(test.classes)).tolist(),
        "before": behaviour(clean_model, test, poisoned),
        "after": behaviour(poisoned_model, test, poisoned),
        "gallery": _gallery(clean, poisoned.data, rows, clean_model),
    }
    evidence = Evidence(
        kind="poisoning",
        subject={"name": name, "digest": poisoned_model.digest},
        inputs={
            "dataset": clean.describe(),
            "poisoned_dataset": poisoned.data.describe(),
            "test_dataset": test.describe(),
            "clean_model": {"name": "clean", "digest": clean_model.digest},
        },
        parameters={
            "poisoner": poisoned.recipe,
            "poisoner_seed": poisoned.seed,
            "reference": poisoned.reference,
            "source": poisoned.source,
            "target": poisoned.target,
            "trigger": None if poisoned.trigger is None else repr(poisoned.trigger),
            "architecture": {"name": architecture, "args": dict(args or {})},
            "plan": asdict(plan),
            "device": str(device),
        },
        result=result,
        seed=seed,
        parents=tuple(one.evidence[-1].digest for one in (clean_model, poisoned_model)),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return PoisoningReport(evidence, clean_model, poisoned_model)


def found_changes(clean: Dataset, poisoned: Poisoned) -> dict[str, Tensor]:
    """Boolean ``(n,)`` by name: what differs, found by looking.

    Raises:
        DataError: not made from ``clean``, or the poisoner's mask says otherwise.
    """
    data = poisoned.data
    if data.images.shape != clean.images.shape or data.classes != clean.classes:
        raise DataError(f"{data.name} was not made from {clean.name}: other shapes or classes")
    images = (data.images != clean.images).flatten(1).any(dim=1)
    labels = data.labels != clean.labels
    touched = images | labels
    wrong = int((touched != poisoned.touched).sum())
    if wrong:
        raise DataError(
            f"{data.name} differs from {clean.name} in {int(touched.sum())} samples, its mask names "
            f"{int(poisoned.touched.sum())}; {wrong} do not agree",
            hint="measure against the data set that was poisoned",
        )
    return {"touched": touched, "images_changed": images, "labels_changed": labels}


def behaviour(model: Classifier, test: Dataset, poisoned: Poisoned | None) -> dict[str, Any]:
    """What one model makes of the test data; of the trigger, where what was done is known."""
    labels, found = test.labels, predictions(model, test.images)
    right = found == labels
    figures = share_of("accuracy", right)
    figures["per_class"] = [
        float(right[labels == one].float().mean()) if bool((labels == one).any()) else None
        for one in range(len(test.classes))
    ]
    reads: dict[str, Tensor | None] = dict.fromkeys(
        ("trigger_success", "trigger_elsewhere", "source_as_target")
    )
    source, target = (None, None) if poisoned is None else (poisoned.source, poisoned.target)
    if poisoned is not None and target is not None:
        others = labels != target
        victims = others if source is None else labels == source
        if poisoned.trigger is not None:
            stamped = check_images(model, poisoned.trigger(test.images))
            opened = predictions(model, stamped) == target
            reads["trigger_success"] = opened[victims]
            reads["trigger_elsewhere"] = opened[others & ~victims]
        if source is not None:
            reads["source_as_target"] = found[victims] == target
    for name, hits in reads.items():
        figures |= share_of(name, hits)
    return figures


def share_of(name: str, hits: Tensor | None) -> dict[str, Any]:
    """A share with its interval; None where there is nothing to count."""
    if hits is None or len(hits) == 0:
        return {name: None, f"{name}_interval": None}
    count = int(hits.sum())
    return {name: count / len(hits), f"{name}_interval": list(wilson(count, len(hits)))}


def _gallery(clean: Dataset, data: Dataset, rows: Tensor, model: Classifier) -> list[dict[str, Any]]:
    """The first touched sample of each class, as it was and as it is."""
    chosen = [int(rows[one]) for one in choose(clean.labels[rows])]
    return [
        {
            "index": row,
            "label": clean.classes[int(clean.labels[row])],
            "poisoned_label": clean.classes[int(data.labels[row])],
            "original": image_record(clean.images[row], model),
            "poisoned": image_record(data.images[row], model),
        }
        for row in chosen
    ]
