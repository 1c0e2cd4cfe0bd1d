"""What a defence against poison was worth: who found which rows, and what the model does before and after.

The finders hand out scores, rows and stamps. Here their rows are compared with the rows that really differ
from the clean data, their stamps are tried on test images that nobody trained or searched on, and both models
answer the same questions. Without the truth (data from elsewhere), what can be measured without it is
left: accuracy, and what the stamps do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from hauberk.attacks.poisoning import Poisoned, Trigger
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.pictures import image_record
from hauberk.evaluation.poisoning import behaviour, found_changes, share_of
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images

_STAMPS = 4  # pictures: the suspected classes, filled up with the smallest stamps of others
_TRIED = 50  # images, for one that is read rightly without a stamp
_ROWS, _MISSED = 8, 4  # pictures of rows: the most suspicious, and poisoned ones that were not flagged


class FoundRows(Protocol):
    """Suspicion ``(n,)``, higher for more, and the rows that would be dropped, boolean ``(n,)``."""

    @property
    def scores(self) -> Tensor: ...
    @property
    def flagged(self) -> Tensor: ...


class FoundStamps(Protocol):
    """A stamp for each class, how far its size lies from the median, and the classes that stand out."""

    @property
    def triggers(self) -> Sequence[Trigger]: ...
    @property
    def anomaly(self) -> Tensor: ...
    @property
    def suspected(self) -> tuple[int, ...]: ...


@repeatable
def cleansing_effect(
    suspect: Classifier,
    test: Dataset,
    *,
    method: str,
    settings: Mapping[str, Any],
    searched: Dataset,
    rows: FoundRows | None = None,
    stamps: FoundStamps | None = None,
    mended: Classifier | None = None,
    clean: Dataset | None = None,
    poisoned: Poisoned | None = None,
    name: str = "cleansed",
    seed: int = 0,
) -> Evidence:
    """Judge a finder's rows or stamps, and the model that was mended by them.

    Args:
        suspect: the model as it was.
        test: clean test data, not seen by anybody before.
        method, settings: how the evidence names the defence.
        searched: the data that the finder looked at or the mending learnt from.
        rows: a row finder's result on ``searched``, or None.
        stamps: reconstructed triggers, or None.
        mended: the model afterwards; None where nothing was mended.
        clean, poisoned: the truth, both or neither: the data before, and what the poisoner did to them.
        name: of the mended model, or of the suspect where nothing was mended.

    Returns:
        evidence of kind ``cleansing``. ``precision`` is the share of flagged rows that were poisoned,
        ``recall`` the share of poisoned rows that were flagged, ``false_alarms`` the share of honest rows that
        were flagged; None without the truth. ``before`` and ``after`` are as in ``poisoning_damage``.

    Raises:
        DataError: data, mask and findings are not of one length, or the poisoner's mask is wrong.
        ConfigError: only one half of the truth, or models that are not in eval mode.

    Limits: precision and recall belong to this poison at this rate. A trigger that was not planted here may be
        answered otherwise.
    """
    started = time.perf_counter()
    if (clean is None) != (poisoned is None):
        raise ConfigError("the truth needs both: the clean data and what the poisoner made of them")
    models = [check_classifier(suspect)] + ([] if mended is None else [check_classifier(mended)])
    touched = None
    if clean is not None and poisoned is not None:
        touched = found_changes(clean, poisoned)["touched"]
    result: dict[str, Any] = {"samples": len(searched), "test_samples": len(test)}
    result |= _rows(rows, searched, touched, poisoned, suspect)
    result |= {
        "before": behaviour(suspect, test, poisoned),
        "after": None if mended is None else behaviour(mended, test, poisoned),
    }
    result |= _stamps(stamps, models, test, poisoned)
    inputs: dict[str, Any] = {"dataset": searched.describe(), "test_dataset": test.describe()}
    inputs["model"] = {
        "name": suspect.evidence[-1].subject["name"] if suspect.evidence else "suspect",
        "digest": suspect.digest,
    }
    if clean is not None:
        inputs["clean_dataset"] = clean.describe()
    return Evidence(
        kind="cleansing",
        subject={"name": name, "digest": models[-1].digest},
        inputs=inputs,
        parameters={
            "defense": {"name": method, **settings},
            "poisoner": None if poisoned is None else poisoned.recipe,
            "source": None if poisoned is None else poisoned.source,
            "target": None if poisoned is None else poisoned.target,
        },
        result=result,
        seed=seed,
        parents=tuple(dict.fromkeys(one.evidence[-1].digest for one in models if one.evidence)),
        duration_s=round(time.perf_counter() - started, 3),
    )


def _rows(
    found: FoundRows | None,
    searched: Dataset,
    touched: Tensor | None,
    poisoned: Poisoned | None,
    suspect: Classifier,
) -> dict[str, Any]:
    """How many rows were flagged, and how many of them rightly."""
    told: dict[str, Any] = {"flagged": None, "touched": None, "row_gallery": []}
    for key in ("precision", "recall", "false_alarms"):
        told |= share_of(key, None)
    if found is None:
        return told
    flagged = found.flagged
    if flagged.shape != searched.labels.shape or found.scores.shape != searched.labels.shape:
        raise DataError(f"{len(flagged)} rows were judged, {searched.name} has {len(searched)}")
    told["flagged"] = int(flagged.sum())
    if poisoned is not None and touched is not None:
        if searched.digest != poisoned.data.digest:
            raise DataError(f"the truth is about {poisoned.data.name}, the finder looked at {searched.name}")
        told["touched"] = int(touched.sum())
        told |= share_of("precision", touched[flagged])
        told |= share_of("recall", flagged[touched])
        told |= share_of("false_alarms", flagged[~touched])
    told["row_gallery"] = _row_gallery(found, searched, touched, suspect)
    return told


def _row_gallery(
    found: FoundRows, searched: Dataset, touched: Tensor | None, suspect: Classifier
) -> list[dict[str, Any]]:
    """The most suspicious rows and, where the truth is known, some that were missed."""
    order = found.scores.argsort(descending=True, stable=True)
    shown = order[found.flagged[order]][:_ROWS].tolist()
    if touched is not None:
        shown += order[(touched & ~found.flagged)[order]][:_MISSED].tolist()
    return [
        {
            "index": row,
            "label": searched.classes[int(searched.labels[row])],
            "score": float(found.scores[row]),
            "flagged": bool(found.flagged[row]),
            "touched": None if touched is None else bool(touched[row]),
            "image": image_record(searched.images[row], suspect),
        }
        for row in shown
    ]


def _stamps(
    found: FoundStamps | None, models: Sequence[Classifier], test: Dataset, poisoned: Poisoned | None
) -> dict[str, Any]:
    """What the reconstructed stamps do to test images, before and after, with pictures of the telling ones."""
    if found is None:
        return {"classes": [], "stamp_gallery": [], "true_trigger": None}
    if len(found.triggers) != len(test.classes):
        raise DataError(f"{len(found.triggers)} stamps for the {len(test.classes)} classes of {test.name}")
    rows = []
    for label, trigger in enumerate(found.triggers):
        row: dict[str, Any] = {
            "label": label,
            "class": test.classes[label],
            "mask_norm": _norm(trigger),
            "anomaly": float(found.anomaly[label]),
            "suspected": label in found.suspected,
            "success_after": None,
            "success_after_interval": None,
        }
        victims = test.images[test.labels != label]
        for key, model in zip(("success", "success_after"), models, strict=False):
            stamped = check_images(model, trigger(victims))
            row |= share_of(key, predictions(model, stamped) == label)
        rows.append(row)
    smallest = sorted(rows, key=lambda one: (not one["suspected"], one["mask_norm"]))
    gallery = [
        {
            "label": row["label"],
            "class": row["class"],
            "suspected": row["suspected"],
            **_pictures(found.triggers[row["label"]], row["label"], models, test),
        }
        for row in smallest[: max(_STAMPS, len(found.suspected))]
    ]
    true = None
    if poisoned is not None and poisoned.trigger is not None and poisoned.target is not None:
        true = {
            "class": test.classes[poisoned.target],
            "mask_norm": _norm(poisoned.trigger),
            **_pictures(poisoned.trigger, poisoned.target, models, test),
        }
    return {"classes": rows, "stamp_gallery": gallery, "true_trigger": true}


def _norm(trigger: Trigger) -> float:
    """Sum of the mask over the pixels, mean over the channels."""
    return float(trigger.mask.double().sum() / len(trigger.mask))


def _pictures(trigger: Trigger, label: int, models: Sequence[Classifier], test: Dataset) -> dict[str, Any]:
    """The mask, what it paints, and a test image under it with what each model reads."""
    suspect, row = models[0], _victim(label, models, test)
    low, high = (one[0] for one in suspect.bounds.tensors(test.images[:1]))
    stamped = trigger(test.images[row])
    reads = [one.label(int(predictions(one, check_images(one, stamped[None]))[0])) for one in models]
    return {
        "mask": image_record(low + trigger.mask * (high - low), suspect),
        "paint": image_record(trigger(torch.zeros_like(stamped) + low), suspect),
        "stamped": image_record(stamped, suspect),
        "stamped_label": test.classes[int(test.labels[row])],
        "read_before": reads[0],
        "read_after": reads[1] if len(reads) > 1 else None,
    }


def _victim(label: int, models: Sequence[Classifier], test: Dataset) -> int:
    """The first image of another class that all models read rightly as it is, or simply the first."""
    others = (test.labels != label).nonzero().squeeze(1)[:_TRIED]
    right = torch.stack([predictions(one, test.images[others]) == test.labels[others] for one in models])
    fair = others[right.all(dim=0)]
    return int((fair if len(fair) else others)[0])
