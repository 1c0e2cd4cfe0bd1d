"""What must be true before an attack or an evaluation means anything: checked once, at the public edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models.classifier import Classifier

_ROUNDING = 1e-6  # inputs computed as uint8 / 255 may leave the range by less than this
_PROBE = 8


def check_classifier(classifier: object) -> Classifier:
    """Refuse what is not a ``Classifier`` in eval mode.

    Raises:
        ConfigError: a bare module, or one in train mode.
    """
    if not isinstance(classifier, Classifier):
        raise ConfigError(
            f"expected a hauberk.Classifier, got {type(classifier).__name__}",
            hint="wrap the module: hauberk.Classifier(module, input_shape=(1, 28, 28), labels=10)",
        )
    training = [name or "the classifier itself" for name, one in classifier.named_modules() if one.training]
    if training:
        raise ConfigError(
            f"the model is in train mode ({training[0]}): dropout and batch norm would answer differently "
            "from the model that is used",
            hint="call classifier.eval() first",
        )
    return classifier


def check_images(classifier: Classifier, images: object) -> Tensor:
    """Images must be a floating batch of the right shape within the valid bounds.

    Raises:
        DataError: says which image breaks the rule.
    """
    if not isinstance(images, Tensor):
        raise DataError(f"images must be a torch.Tensor, got {type(images).__name__}")
    if images.ndim != len(classifier.input_shape) + 1 or tuple(images.shape[1:]) != classifier.input_shape:
        raise DataError(
            f"images must be (n, {', '.join(map(str, classifier.input_shape))}), got {tuple(images.shape)}"
        )
    if len(images) == 0:
        raise DataError("there are no images: the batch is empty")
    if not images.is_floating_point():
        raise DataError(f"images must be floating point, got {images.dtype}; uint8 images: images / 255")
    flat = images.reshape(len(images), -1)
    finite = torch.isfinite(flat).all(dim=1)
    if not bool(finite.all()):
        raise DataError(f"image {int((~finite).nonzero()[0])} holds NaN or infinity")
    lower, upper = classifier.bounds.tensors(images)
    outside = ((images < lower - _ROUNDING) | (images > upper + _ROUNDING)).reshape(len(images), -1)
    wrong = outside.any(dim=1)
    if bool(wrong.any()):
        raise DataError(
            f"image {int(wrong.nonzero()[0])} leaves the valid bounds {classifier.bounds.describe()}: "
            f"values range from {float(images.min()):g} to {float(images.max()):g}",
            hint="scale the images, or state the bounds that the classifier was trained with",
        )
    return torch.minimum(torch.maximum(images, lower), upper)


def check_shape(classifier: Classifier, data: Dataset) -> None:
    """Data of the shape that the classifier takes.

    Raises:
        ConfigError: another one.
    """
    if data.input_shape != classifier.input_shape:
        raise ConfigError(
            f"{data.name} has images {data.input_shape}, the classifier takes {classifier.input_shape}"
        )


def check_labels(classifier: Classifier, labels: object, count: int, *, what: str = "labels") -> Tensor:
    """Labels must be int64 ``(count,)`` naming existing classes.

    Raises:
        DataError: wrong type, shape or range.
    """
    if not isinstance(labels, Tensor):
        raise DataError(f"{what} must be a torch.Tensor, got {type(labels).__name__}")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise DataError(f"{what} must be integers, got {labels.dtype}")
    if labels.shape != (count,):
        raise DataError(f"{what} must be ({count},), one per image, got {tuple(labels.shape)}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classifier.num_classes:
        raise DataError(f"{what} must lie in [0, {classifier.num_classes}), found {low if low < 0 else high}")
    return labels.to(torch.int64)


@dataclass(frozen=True)
class Behaviour:
    """What a probe of a few images told.

    Args:
        randomized: the same input gave different logits twice.
        largest_change: the largest difference between the two.
    """

    randomized: bool
    largest_change: float


def probe(classifier: Classifier, images: Tensor) -> Behaviour:
    """Ask a few images twice and look at the answers.

    Raises:
        UnsupportedModel: not one logit per label, NaN, or probabilities in place of logits.
    """
    few = images[:_PROBE].to(classifier.device)
    with torch.no_grad():
        first, second = classifier(few), classifier(few)
    if not isinstance(first, Tensor):
        raise UnsupportedModel(
            f"the model returns {type(first).__name__}, not a tensor of logits",
            hint="wrap it in a module that returns the logits only",
        )
    columns = classifier.num_classes + classifier.rejects
    if first.shape != (len(few), columns):
        raise UnsupportedModel(
            f"the model returns {tuple(first.shape)} for {len(few)} images; with {classifier.num_classes} "
            f"labels it must be ({len(few)}, {columns})"
        )
    if not bool(torch.isfinite(first).all()):
        raise UnsupportedModel("the model returns NaN or infinite logits for valid images")
    rows = first.float()
    sums = rows.sum(dim=1)
    if bool((rows >= 0).all()) and bool((sums - 1).abs().max() < 1e-3):
        raise UnsupportedModel(
            "the model returns probabilities (rows are non-negative and sum to 1), not logits: gradients "
            "through softmax vanish and make it look robust",
            hint="remove the final softmax, or wrap with Classifier(..., outputs='probabilities')",
        )
    change = float((first - second).abs().max())
    scale = max(1.0, float(first.abs().max()))
    return Behaviour(randomized=change > 1e-4 * scale, largest_change=change)
