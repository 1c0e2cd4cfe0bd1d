"""What the data must be for bad rows and backdoors to be looked for in them."""

from __future__ import annotations

from torch import Tensor

from hauberk.core.errors import ConfigError, DataError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier


def check_fits(classifier: Classifier, data: Dataset) -> None:
    """Data that the classifier can read.

    Raises:
        ConfigError: no classifier in eval mode, or other images or classes than the data.
    """
    check_classifier(classifier)
    if data.input_shape != classifier.input_shape or len(data.classes) != classifier.num_classes:
        raise ConfigError(
            f"{data.name} has images {data.input_shape} and {len(data.classes)} classes, the classifier takes "
            f"{classifier.input_shape} and has {classifier.num_classes}"
        )


def by_class(data: Dataset, least: int, who: str) -> dict[int, Tensor]:
    """The rows of each class that the data have, int64.

    Raises:
        DataError: one class only, or fewer than ``least`` images of one.
    """
    rows = {label: (data.labels == label).nonzero().squeeze(1) for label in sorted(set(data.labels.tolist()))}
    if len(rows) < 2:
        raise DataError(f"all {len(data)} images of {data.name} have one label: {who} compares classes")
    label, few = min(rows.items(), key=lambda item: len(item[1]))
    if len(few) < least:
        raise DataError(
            f"class '{data.classes[label]}' of {data.name} has {len(few)} images: {who} needs at least {least}"
        )
    return rows
