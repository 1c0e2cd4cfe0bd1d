"""Reading the patterns of a black-box mark from a suspect's answers.

Each pattern is blended into the same images. Compared with how much the other patterns do, one class gains
most: that is the pattern's answer. The classes the key wants are drawn apart from the patterns, so whatever a
model says that was made without the key, each answer is right with probability 1/classes, independently.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox
from hauberk.protection.watermark.verification.draws import stream, words
from hauberk.protection.watermark.verification.reading import Reading

Answers = Literal["scores", "labels"]

_FLOOR = -10.0  # of a log-probability: how sure is sure tells nothing more


def read_patterns(
    suspect: Classifier, key: MarkKey, mark: BlackBox, data: Dataset, *, answers: Answers = "scores"
) -> Reading:
    """How many patterns draw towards the key's class.

    Args:
        data: training split whose first images carry the patterns.
        answers: what the suspect gives away: all its scores, or its labels only.

    Raises:
        ConfigError: too few images, or images of another shape.
        UnsupportedModel: answers that are not numbers.

    Cost: ``patterns * images`` queries.
    """
    if data.input_shape != suspect.input_shape:
        raise ConfigError(f"{data.name} has images {data.input_shape}, the model takes {suspect.input_shape}")
    images = data.head(min(mark.images, len(data))).images
    half = _patterns(suspect, key, mark)
    gains = np.stack([_mean_answer(suspect, (images + one) / 2, answers) for one in half])
    gains -= gains.mean(axis=0)
    said = gains.argmax(axis=1)
    wanted = words(key, "blackbox classes", mark.patterns) % np.uint64(suspect.num_classes)
    return Reading(mark.kind, mark.patterns, int((said == wanted).sum()), Fraction(1, suspect.num_classes))


def _patterns(suspect: Classifier, key: MarkKey, mark: BlackBox) -> list[Tensor]:
    """Each ``(1, *input_shape)``: blocks of lowest and highest values."""
    depth, height, width = (*suspect.input_shape, 1, 1)[:3]
    rows, columns = min(8, height), min(8, width)
    octets = stream(key, "blackbox patterns", mark.patterns * depth * rows * columns)
    cells = octets.reshape(mark.patterns, depth, rows, columns) >= 128
    stretched = cells[:, :, [at * rows // height for at in range(height)]]
    stretched = stretched[:, :, :, [at * columns // width for at in range(width)]]
    lower, upper = suspect.bounds.tensors(torch.zeros(1, *suspect.input_shape))
    return [torch.where(torch.from_numpy(one.reshape(suspect.input_shape)), upper, lower) for one in stretched]


def _mean_answer(suspect: Classifier, images: Tensor, answers: Answers) -> npt.NDArray[np.float64]:
    """float64 ``(classes,)``: mean log-probability, or share of the labels."""
    classes = suspect.num_classes
    total = torch.zeros(classes, dtype=torch.float64)
    with torch.no_grad():
        for part in passes(len(images), pass_size(suspect)):
            logits = suspect(images[part].to(suspect.device)).double().cpu()[:, :classes]
            if not bool(torch.isfinite(logits).all()):
                raise UnsupportedModel("the model returns NaN or infinite logits for keyed images")
            if answers == "scores":
                total += logits.log_softmax(dim=1).clamp_min(_FLOOR).sum(dim=0)
            else:
                total += torch.bincount(logits.argmax(dim=1), minlength=classes)
    mean: npt.NDArray[np.float64] = (total / len(images)).numpy()
    return mean
