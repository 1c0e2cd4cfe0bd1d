"""Accidents in figures: accuracy under common corruptions, and the worst rotation and shift of each sample.

Corruptions are drawn at random, so accuracy under them is a mean; the rotation and shift of ``SpatialGrid`` are
chosen for each sample as an adversary would choose them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_number
from hauberk.datasets import Dataset
from hauberk.datasets.corruptions import COMMON, CORRUPTIONS, SEVERITIES, at, corrupt, rotate_and_shift
from hauberk.evaluation import flags
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.pictures import image_record
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.twin import passes

_CHUNK = 512  # images turned at a time

Placement = tuple[float, float, float]  # degrees counterclockwise, pixels down, pixels to the right


@dataclass(frozen=True, kw_only=True)
class SpatialGrid:
    """Which rotations and shifts the worst case is taken over: all combinations.

    Args:
        degrees: the largest rotation, either way; 0 for none.
        rotations: how many angles, evenly from one end to the other; odd, so that 0 is among them.
        reach: the largest shift in each direction, as a share of the image's shorter side; 0 for none.
        shifts: how many positions along each axis; odd.

    Cost: rotations * shifts**2 forward passes for each sample that stands, fewer for one that falls.
    Source: Engstrom et al., "Exploring the Landscape of Spatial Robustness", ICML 2019, whose grid has 31
    angles where this default has 13.
    """

    degrees: float = 30.0
    rotations: int = 13
    reach: float = 0.1
    shifts: int = 5

    def __post_init__(self) -> None:
        where = type(self).__name__
        for name, most in (("degrees", 180), ("reach", 1)):
            value = getattr(self, name)
            require_number(name, value, where)
            if not 0 <= value <= most:
                raise ConfigError(f"{where}: {name} must lie in [0, {most}], got {value!r}")
        for name in ("rotations", "shifts"):
            require_count(name, getattr(self, name), where)
            if getattr(self, name) % 2 == 0:
                raise ConfigError(f"{where}: {name} must be odd, so that 0 is among them")

    def stages(self, side: int) -> dict[str, list[Placement]]:
        """``rotation`` alone, ``shift`` alone, and ``both``; the mildest placements first."""
        angles = _even(self.degrees, self.rotations)
        steps = _even(self.reach * side, self.shifts)
        everything = [(turn, down, right) for turn in angles for down in steps for right in steps]
        everything.sort(key=lambda one: self._size(one, side))
        return {
            "rotation": [one for one in everything if one[0] and not any(one[1:])],
            "shift": [one for one in everything if any(one[1:]) and not one[0]],
            "both": [one for one in everything if one[0] and any(one[1:])],
        }

    def _size(self, placement: Placement, side: int) -> float:
        """How far a placement is from none, with the largest rotation and the largest shift counting alike."""
        turn, down, right = placement
        longest = self.reach * side or 1.0
        return (turn / (self.degrees or 1.0)) ** 2 + (down / longest) ** 2 + (right / longest) ** 2


def _even(most: float, count: int) -> list[float]:
    """``count`` numbers from -most to most, 0 exactly in the middle."""
    half = count // 2
    return [0.0] if not most or not half else [most * step / half for step in range(-half, half + 1)]


DEFAULT_GRID = SpatialGrid()


@repeatable
def corruption_report(
    classifier: Classifier,
    data: Dataset,
    *,
    names: Sequence[str] | None = None,
    severities: Sequence[int] = SEVERITIES,
    spatial: SpatialGrid | None = DEFAULT_GRID,
    reference: Evidence | None = None,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> Evidence:
    """Evidence of kind ``corruptions``.

    Args:
        data: images of one or three channels, at least 8x8.
        names: which of ``hauberk.datasets.corruptions.CORRUPTIONS``; default all of them.
        severities: from 1 to 5.
        spatial: the grid for the worst rotation and shift, or None to leave that out.
        reference: evidence of this kind about another model, on the same data with the same corruptions; errors
            are then also given relative to its errors (``mce``).
        seed: names all random choices; the same for models that are to be compared.

    Returns:
        ``result["corruptions"]``: accuracy and 95 % Wilson interval for each corruption and severity;
        ``result["mean_accuracy"]``: the mean over those of the fifteen common corruptions that were measured;
        ``result["spatial"]``: accuracy under the worst placement, and a verdict for each sample.

    Raises:
        UnknownName: a corruption that does not exist.
        ConfigError: a severity outside 1 to 5, something named twice, a reference that is not comparable.
        DataError: images that cannot be corrupted or do not fit the classifier.

    Limits: an average over accidents is no worst case, and no promise for an accident that is not among them.
    Source: Hendrycks and Dietterich, ICLR 2019 (mCE: section 4.1); Engstrom et al., ICML 2019 (spatial).
    """
    started = time.perf_counter()
    check_classifier(classifier)
    names = _chosen(tuple(CORRUPTIONS) if names is None else tuple(names), "corruption")
    severities = _chosen(tuple(severities), "severity")
    recipes = {one: [repr(at(data, one, severity)) for severity in severities] for one in names}
    check_images(classifier, data.images)
    labels = check_labels(classifier, data.labels, len(data))
    behaviour = probe(classifier, data.images)
    parameters = {
        "corruptions": recipes,
        "severities": list(severities),
        "spatial": None if spatial is None else asdict(spatial),
    }
    if reference is not None:
        _check_reference(reference, data, parameters, seed)

    clean = predictions(classifier, data.images)
    right = clean == labels
    samples, clean_right = len(data), int(right.sum())
    # the same sample under every corruption, one that is right without any where there is such
    shown = int(right.long().argmax())
    rows, gallery = _measure(classifier, data, labels, names, severities, shown, seed, progress)
    place = None if spatial is None else _worst_placement(classifier, data, labels, clean, spatial, progress)
    found = (
        *flags.few_samples(samples),
        *flags.randomised(behaviour.largest_change if behaviour.randomized else None),
    )
    common = [row["accuracy"] for row in rows if row["name"] in COMMON]
    result: dict[str, Any] = {
        "samples": samples,
        "clean_accuracy": clean_right / samples,
        "clean_interval": list(wilson(clean_right, samples)),
        "corruptions": rows,
        "mean_accuracy": sum(common) / len(common) if common else None,
        "spatial": place,
        "flags": [flag.describe() for flag in found],
        "original": image_record(data.images[shown], classifier),
        "gallery": gallery,
        **_relative(rows, clean_right / samples, reference),
    }
    inputs: dict[str, Any] = {"dataset": data.describe()}
    if reference is not None:
        inputs["reference"] = dict(reference.subject)
    return Evidence(
        kind="corruptions",
        subject={"name": name, "digest": classifier.digest},
        inputs=inputs,
        parameters=parameters,
        result=result,
        seed=seed,
        parents=tuple(one.digest for one in (*classifier.evidence[-1:], reference) if one is not None),
        duration_s=round(time.perf_counter() - started, 3),
    )


def _chosen(given: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """At least one, and none twice."""
    if not given:
        raise ConfigError(f"name at least one {what}")
    twice = next((one for one in given if given.count(one) > 1), None)
    if twice is not None:
        raise ConfigError(f"{what} {twice!r} is named twice")
    return given


def _measure(
    classifier: Classifier,
    data: Dataset,
    labels: Tensor,
    names: Sequence[str],
    severities: Sequence[int],
    shown: int,
    seed: int,
    progress: Progress,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each corruption, and for each the picture of the sample ``shown`` at a middling severity."""
    pictured = sorted(severities)[len(severities) // 2]
    rows, gallery = [], []
    progress.begin("corruptions", len(names) * len(severities))
    for one in names:
        points = []
        for severity in severities:
            images = corrupt(data, one, severity, seed=seed).images
            said = predictions(classifier, images)
            points.append({"severity": severity, **_share(int((said == labels).sum()), len(data))})
            if severity == pictured:
                gallery.append(
                    {
                        "name": one,
                        "severity": severity,
                        "index": shown,
                        "label": classifier.labels[int(labels[shown])],
                        "prediction": classifier.label(int(said[shown])),
                        "image": image_record(images[shown], classifier),
                    }
                )
            progress.advance(1, f"{one} {severity}")
        accuracies = [point["accuracy"] for point in points]
        mean = sum(accuracies) / len(accuracies)
        rows.append({"name": one, "family": CORRUPTIONS[one].family, "accuracy": mean, "severities": points})
    progress.end()
    return rows, gallery


def _share(right: int, samples: int) -> dict[str, Any]:
    return {"accuracy": right / samples, "interval": list(wilson(right, samples))}


def _check_reference(reference: Evidence, data: Dataset, parameters: dict[str, Any], seed: int) -> None:
    """The reference must have seen exactly these corrupted images, and may have seen more."""
    if not isinstance(reference, Evidence) or reference.kind != "corruptions":
        kind = getattr(reference, "kind", type(reference).__name__)
        raise ConfigError(f"the reference must be evidence of kind 'corruptions', got {kind!r}")
    theirs = reference.parameters
    differs = [
        what
        for what, same in (
            ("data", reference.inputs["dataset"]["digest"] == data.digest),
            ("seed", reference.seed == seed),
            ("severities", theirs["severities"] == parameters["severities"]),
            (
                "corruptions",
                all(
                    theirs["corruptions"].get(one) == these for one, these in parameters["corruptions"].items()
                ),
            ),
        )
        if not same
    ]
    if differs:
        raise ConfigError(
            f"the reference was measured on other {' and other '.join(differs)}",
            hint="measure both models with the same arguments",
        )


def _relative(rows: list[dict[str, Any]], clean: float, reference: Evidence | None) -> dict[str, Any]:
    """Errors in proportion to a reference's: mCE, and relative mCE, which sets off the clean errors.

    A figure is null without a reference, and where the reference errs too little to be divided by.
    """
    if reference is None:
        return {"mce": None, "relative_mce": None}
    theirs = {row["name"]: row["accuracy"] for row in reference.result["corruptions"]}
    pairs = [(1 - row["accuracy"], 1 - theirs[row["name"]]) for row in rows if row["name"] in COMMON]
    ours, other = 1 - clean, 1 - reference.result["clean_accuracy"]
    return {
        "mce": _mean_ratio(pairs),
        "relative_mce": _mean_ratio([(error - ours, base - other) for error, base in pairs]),
    }


def _mean_ratio(pairs: list[tuple[float, float]]) -> float | None:
    if not pairs or any(base <= 0 for _, base in pairs):
        return None
    return sum(error / base for error, base in pairs) / len(pairs)


@dataclass(eq=False)
class _Fall:
    """Who stands, and where the others fell first; one row per sample."""

    standing: Tensor
    prediction: Tensor
    by: list[str | None]
    placement: list[Placement | None] = field(default_factory=list)


def _worst_placement(
    classifier: Classifier,
    data: Dataset,
    labels: Tensor,
    clean: Tensor,
    grid: SpatialGrid,
    progress: Progress,
) -> dict[str, Any]:
    """Accuracy if an adversary rotates, shifts, or does both; a sample leaves as soon as it falls."""
    right = clean == labels
    count = len(data)
    fall = _Fall(right.clone(), clean.clone(), [None] * count, [None] * count)
    stages = grid.stages(min(data.input_shape[1:]))
    accuracy: dict[str, dict[str, Any]] = {}
    progress.begin("rotations and shifts", sum(map(len, stages.values())))
    for stage, placements in stages.items():
        # each kind alone is measured on every sample; together they can only take more
        standing = (fall.standing if stage == "both" else right).clone()
        for placement in placements:
            rows = standing.nonzero().squeeze(1)
            said = _answers(classifier, data, rows, placement)
            fallen, wrong = rows[said != labels[rows]], said[said != labels[rows]]
            standing[fallen] = False
            fresh = fall.standing[fallen]
            fall.prediction[fallen[fresh]] = wrong[fresh]
            for row in fallen[fresh].tolist():
                fall.by[row], fall.placement[row] = stage, placement
            fall.standing[fallen] = False
            progress.advance(1, stage)
        accuracy[stage] = _share(int(standing.sum()), count)
    progress.end()
    return {
        **_share(int(fall.standing.sum()), count),
        "rotation": accuracy["rotation"],
        "shift": accuracy["shift"],
        "placements": 1 + sum(map(len, stages.values())),
        "verdicts": list(_verdicts(labels, clean, fall)),
    }


def _answers(classifier: Classifier, data: Dataset, rows: Tensor, placement: Placement) -> Tensor:
    """What the classifier says of some samples, turned and moved; int64 ``(len(rows),)``."""
    degrees, down, right = placement
    low, high = data.bounds
    parts = [torch.empty(0, dtype=torch.int64)]
    for part in passes(len(rows), _CHUNK):
        placed = rotate_and_shift(data.images[rows[part]], degrees, down, right, fill=low)
        parts.append(predictions(classifier, placed.clamp_(low, high)))
    return torch.cat(parts)


def _verdicts(labels: Tensor, clean: Tensor, fall: _Fall) -> Iterator[dict[str, Any]]:
    for row, (by, placement) in enumerate(zip(fall.by, fall.placement, strict=True)):
        degrees, down, right = placement or (None, None, None)
        standing = "robust" if bool(fall.standing[row]) else "misclassified"
        yield {
            "index": row,
            "label": int(labels[row]),
            "clean_prediction": int(clean[row]),
            "status": "broken" if by else standing,
            "by": by,
            "degrees": degrees,
            "down": down,
            "right": right,
            "prediction": int(fall.prediction[row]),
        }


__all__ = ["DEFAULT_GRID", "SpatialGrid", "corruption_report"]
