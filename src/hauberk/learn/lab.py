"""The small model that most exercises begin with, trained in a second on the embedded digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hauberk.core.progress import Progress
from hauberk.datasets import Dataset, load
from hauberk.learn.exercise import Picture
from hauberk.models import Classifier, create
from hauberk.models.training import TrainingPlan, train

ARCHITECTURE = "cnn"
SHAPE: Mapping[str, Any] = {"channels": [12, 48], "hidden": 128}
PLAN = TrainingPlan(epochs=8, batch_size=64, optimizer="sgd", learning_rate=0.1, schedule="one-cycle")


def digits() -> tuple[Dataset, Dataset]:
    """1,442 digits to learn from and 355 to be asked about."""
    return load("digits"), load("digits", split="test")


def student(data: Dataset, *, seed: int, progress: Progress) -> Classifier:
    """A network of some 31,000 weights that has learnt the digits without any thought of attackers."""
    blank = create(ARCHITECTURE, data, seed=seed, args=SHAPE)
    return train(blank, data, PLAN, seed=seed, name="student", progress=progress)


def pictured(classifier: Classifier, image: Tensor) -> Picture:
    """One image ``(1, height, width)`` as it looks, and as the model reads it."""
    probabilities = classifier(image.unsqueeze(0)).detach().softmax(dim=1)[0]
    label = int(probabilities.argmax())
    return Picture(image[0].tolist(), classifier.labels[label], float(probabilities[label]))


def hundredths(share: float) -> int:
    """A share of one as whole per cent."""
    return round(100 * share)
