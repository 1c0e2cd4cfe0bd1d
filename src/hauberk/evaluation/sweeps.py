"""What a change of the model does to its robustness: pruned weights, fewer bits, shorter or longer training.

Each point of a sweep is a classifier made from the one given, attacked anew at one threat by one attack, and
judged as in every evaluation. The attacker sees the changed network itself: weights are rounded or zeroed
before, so gradients pass through it as they are. What parts around it call for is done as in every evaluation.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.judge import predictions
from hauberk.evaluation.strike import DEFAULT_ATTACK, fallen, strikes
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.models.create import restarted
from hauberk.models.training import TrainingPlan, accuracy, train
from hauberk.threats import Geometry, ThreatModel

SPARSITIES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
BITS = (32, 8, 6, 5, 4, 3, 2)
EPOCHS = (1, 2, 4, 8, 16)
OVER = ("pruning", "quantisation", "epochs", "samples")


@dataclass(frozen=True, eq=False)
class _Point:
    """One place on the axis.

    Args:
        x: where it stands.
        facts: what more is known of it, as JSON.
    """

    x: float
    classifier: Classifier
    facts: dict[str, Any]


def pruned(classifier: Classifier, sparsity: float) -> Classifier:
    """A copy whose smallest weights are zero: ``sparsity`` of them, over all layers at once.

    Weights are the parameters of two dimensions or more; biases and norms stay. Nothing is trained afterwards.

    Raises:
        ConfigError: a sparsity outside [0, 1).
    Source: Han et al., NeurIPS 2015 (magnitude pruning), without their retraining, and over all layers.
    """
    _check_sparsity(sparsity)
    copied = copy.deepcopy(classifier)
    weights = _weights(copied)
    sizes = torch.cat([one.detach().abs().flatten() for one in weights])
    drop = torch.zeros_like(sizes, dtype=torch.bool)
    drop[torch.argsort(sizes, stable=True)[: round(sparsity * len(sizes))]] = True
    with torch.no_grad():
        for weight, gone in zip(weights, torch.split(drop, [one.numel() for one in weights]), strict=True):
            weight[gone.view_as(weight)] = 0.0
    return copied.eval()


def quantised(classifier: Classifier, bits: int) -> Classifier:
    """A copy whose weights take at most ``2**bits - 1`` values per output channel; 32 changes nothing.

    Symmetric and uniform: each channel's largest weight is the last step of its grid, 0 is on it. Weights are
    the parameters of two dimensions or more; biases, norms and activations stay in floating point.

    Raises:
        ConfigError: bits that are not a whole number from 2 to 16, or 32.
    Source: Krishnamoorthi, 2018 (per-channel symmetric quantisation of weights), simulated in floating point.
    """
    _check_bits(bits)
    copied = copy.deepcopy(classifier)
    if bits == 32:
        return copied.eval()
    most = 2 ** (bits - 1) - 1  # steps to each side of 0
    with torch.no_grad():
        for weight in _weights(copied):
            rows = weight.reshape(len(weight), -1)
            step = rows.abs().amax(dim=1, keepdim=True) / most
            levels = torch.where(step > 0, rows / step, torch.zeros_like(rows)).round().clamp(-most, most)
            weight.copy_((levels * step).view_as(weight))
    return copied.eval()


@repeatable
def sweep(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    *,
    over: Literal["pruning", "quantisation", "epochs", "samples"],
    values: Sequence[float] | None = None,
    learn_from: Dataset | None = None,
    plan: TrainingPlan | None = None,
    attack: Attack = DEFAULT_ATTACK,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> Evidence:
    """Evidence of kind ``sweep``: accuracy, clean and under attack, along one axis.

    Args:
        data: what is attacked.
        over: ``pruning`` (share of weights that are zero), ``quantisation`` (bits per weight), ``epochs`` (the
            same architecture trained from new weights for so many epochs) or ``samples`` (trained on the first
            so many images). The last two train plainly: they show under- and over-fitting.
        values: where to measure; None takes ``SPARSITIES``, ``BITS``, ``EPOCHS``, or halvings of the data.
        learn_from: training data, for ``epochs`` and ``samples``.
        plan: how to train; for ``epochs`` its own number of epochs does not count.

    Cost: one attack on ``data`` for each value, four on a model that may refuse (two where one is named);
        trainings add theirs. ``epochs`` trains each value anew, with the schedule that belongs to it.
    Limits: one attack bounds the robust accuracy from above only. A network that is rounded or pruned without
        retraining can lose accuracy that retraining would bring back.

    Raises:
        ConfigError: values, data or plan that do not fit the axis.
    """
    started = time.perf_counter()
    check_known([over], OVER, what="axis", where="sweep(over=…)")
    check_classifier(classifier)
    threat = ThreatModel.of(threat)
    images = check_images(classifier, data.images)
    labels = check_labels(classifier, data.labels, len(images))
    axis = _values(over, values, learn_from)
    plan = plan or TrainingPlan(epochs=8)
    if over in ("epochs", "samples"):
        points = _trained(classifier, learn_from, over, axis, plan, seed)
    else:
        points = _changed(classifier, over, axis)
    rows: list[dict[str, Any]] = []
    stages: tuple[Stage, ...] = ()
    progress.begin(f"robustness over {over}", len(axis))
    for point in points:
        stages = strikes(point.classifier, images, threat, attack)
        figures = _measured(point.classifier, images, labels, threat, stages, seed)
        rows.append({"x": point.x, **figures, **point.facts})
        progress.advance(1, f"{over} {point.x:g}")
    progress.end()
    inputs: dict[str, Any] = {"dataset": data.describe()}
    parameters: dict[str, Any] = {
        "over": over,
        "threat": threat.describe(),
        "attack": repr(stages[0].attack),
        "stages": [one.recipe for one in stages],
    }
    if learn_from is not None and over in ("epochs", "samples"):
        inputs["learn_from"] = learn_from.describe()
        parameters["plan"] = asdict(plan)
    return Evidence(
        kind="sweep",
        subject={"name": name, "digest": classifier.digest},
        inputs=inputs,
        parameters=parameters,
        result={"points": rows, "samples": len(images)},
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )


def _values(over: str, values: Sequence[float] | None, learn_from: Dataset | None) -> list[float]:
    """The axis in its order: towards less for bits, towards more for everything else."""
    learning = over in ("epochs", "samples")
    if learning and learn_from is None:
        raise ConfigError(f"a sweep over {over} trains: it needs data to learn from (learn_from)")
    if not learning and learn_from is not None:
        raise ConfigError(f"a sweep over {over} does not train: leave learn_from out")
    if values is None:
        if over == "samples" and learn_from is not None:
            return sorted({max(2, len(learn_from) >> shift) for shift in range(6)})
        return list({"pruning": SPARSITIES, "quantisation": BITS, "epochs": EPOCHS}[over])
    for one in values:
        {"pruning": _check_sparsity, "quantisation": _check_bits}.get(over, _check_count)(one)
        if over == "samples" and learn_from is not None and one > len(learn_from):
            raise ConfigError(f"{learn_from.name} has {len(learn_from)} images, not {one:g}")
    if not values or len(set(values)) < len(values):
        raise ConfigError(f"a sweep needs values that all differ, got {list(values)!r}")
    return sorted(values, reverse=over == "quantisation")


def _check_sparsity(one: object) -> None:
    if isinstance(one, bool) or not isinstance(one, int | float) or not 0 <= one < 1:
        raise ConfigError(f"sparsity must lie in [0, 1), got {one!r}")


def _check_bits(one: object) -> None:
    if isinstance(one, bool) or not isinstance(one, int) or not (2 <= one <= 16 or one == 32):
        raise ConfigError(f"bits must be a whole number from 2 to 16, or 32 for the model itself, got {one!r}")


def _check_count(one: object) -> None:
    if isinstance(one, bool) or not isinstance(one, int) or one < 1:
        raise ConfigError(f"epochs and images are whole numbers of at least 1, got {one!r}")


def _weights(classifier: Classifier) -> list[Tensor]:
    """What is pruned and rounded: layers' weights, not biases or norms."""
    found: list[Tensor] = [one for one in classifier.module.parameters() if one.ndim > 1]
    if not found:
        raise ConfigError("this network has no weights of two dimensions or more: there is nothing to change")
    return found


def _changed(classifier: Classifier, over: str, axis: list[float]) -> Iterator[_Point]:
    make: Callable[[float], Classifier] = (
        (lambda x: pruned(classifier, x)) if over == "pruning" else (lambda x: quantised(classifier, int(x)))
    )
    for x in axis:
        made = make(x)
        weights = _weights(made)
        zero = sum(int((one == 0).sum()) for one in weights) / sum(one.numel() for one in weights)
        yield _Point(x, made, {"zero_weights": zero})


def _trained(
    classifier: Classifier, data: Dataset | None, over: str, axis: list[float], plan: TrainingPlan, seed: int
) -> Iterator[_Point]:
    assert data is not None  # _values has seen to it
    start = restarted(classifier, seed)
    for x in axis:
        part = data.head(int(x)) if over == "samples" else data
        one = replace(plan, epochs=int(x)) if over == "epochs" else plan
        made = train(start, part, one, seed=seed)
        yield _Point(x, made, {"train_accuracy": accuracy(made, part.images, part.labels)})


def _measured(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    threat: ThreatModel,
    stages: Sequence[Stage],
    seed: int,
) -> dict[str, Any]:
    """Accuracy, clean and of what no candidate broke; only what is right is attacked."""
    standing = predictions(classifier, images) == labels
    clean = int(standing.sum())
    rows = standing.nonzero().squeeze(1)
    if len(rows):
        broken = fallen(classifier, images, labels, threat, stages, rows=rows, seed=seed)
        standing[rows[broken]] = False
    robust = int(standing.sum())
    return {
        "clean_accuracy": clean / len(images),
        "clean_interval": list(wilson(clean, len(images))),
        "robust_accuracy": robust / len(images),
        "robust_interval": list(wilson(robust, len(images))),
    }


__all__ = ["BITS", "EPOCHS", "OVER", "SPARSITIES", "pruned", "quantised", "sweep"]
