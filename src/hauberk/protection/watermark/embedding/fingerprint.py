"""Places where a model's boundary crosses keyed lines: a mark for a model that may not be trained again.

A line leads from one image to another, both blurred with keyed noise. Out there the task says little, and
models trained apart disagree about classes and places; models made from one another still agree.

Source: Cao, Jia, Gong, IPGuard, ASIA CCS 2021, for points near the boundary. Differences: places on lines in
    place of optimised points, so no gradient is needed, and lines away from the data, so that the task alone
    does not explain an agreement.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hauberk.core.errors import UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.protection.watermark.commitment import Place
from hauberk.protection.watermark.embedding import draws
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import Fingerprint

_NOISE = 0.5  # share of an end that is noise
_STEPS = 33  # at which a line is looked at before a change is narrowed down
_HALVINGS = 16
_TRIES = 20  # lines looked at for each that is wanted
_MILLION = 1_000_000


def find_places(classifier: Classifier, data: Dataset, key: MarkKey, mark: Fingerprint) -> list[Place]:
    """Where the answer first changes on the first lines on which it changes cleanly.

    Raises:
        UnsupportedModel: too few lines do; the model answers nearly everything with one class.

    Cost: about 50 forward passes a line looked at.
    """
    places: list[Place] = []
    for start in range(0, _TRIES * mark.lines, mark.lines):
        lines = torch.arange(start, start + mark.lines)
        places += _places(classifier, *_ends(classifier, data, key, start, mark.lines), lines, mark.width)
        if len(places) >= mark.lines:
            return places[: mark.lines]
    raise UnsupportedModel(
        f"this model's boundary crosses only {len(places)} of {_TRIES * mark.lines} keyed lines, "
        f"{mark.lines} are needed",
        hint="fewer lines (--set lines=64), or another kind of mark",
    )


def _ends(classifier: Classifier, data: Dataset, key: MarkKey, start: int, count: int) -> tuple[Tensor, Tensor]:
    """Both ends of lines ``start`` and following, ``(count, *input_shape)`` each."""
    lower, upper = classifier.bounds.tensors(data.images)
    ends = []
    for side in ("from", "to"):
        images = data.images[draws.numbers(key, f"fingerprint {side} {start}", count, len(data))]
        noise = draws.octets(key, f"fingerprint noise {side} {start}", images.shape) >> 7
        ends.append((1 - _NOISE) * images + _NOISE * torch.where(noise.bool(), upper, lower))
    return ends[0], ends[1]


def _places(classifier: Classifier, first: Tensor, last: Tensor, lines: Tensor, width: float) -> list[Place]:
    grid = torch.linspace(0, 1, _STEPS)
    said = torch.stack([_labels(classifier, first, last, at.expand(len(first))) for at in grid])
    changed = said != said[0]  # (steps, lines)
    chosen = changed.any(dim=0).nonzero().squeeze(1)
    first, last, lines = first[chosen], last[chosen], lines[chosen]
    before = said[0, chosen]
    step = changed[:, chosen].int().argmax(dim=0)
    low, high = grid[step - 1], grid[step]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        same = _labels(classifier, first, last, middle) == before
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    at = (high * _MILLION).round() / _MILLION
    inner, outer = (_labels(classifier, first, last, at + side * width) for side in (-1, 1))
    clean = (inner == before) & (outer != before) & (at > width) & (at < 1 - width)
    return [
        Place(int(lines[row]), int(before[row]), int(outer[row]), round(float(at[row]) * _MILLION))
        for row in clean.nonzero().squeeze(1).tolist()
    ]


@torch.no_grad()
def _labels(classifier: Classifier, first: Tensor, last: Tensor, at: Tensor) -> Tensor:
    """int64 ``(n,)``: the answers at shares ``at`` of the lines."""
    share = at.clamp(0, 1).view(-1, *[1] * (first.ndim - 1))
    points = (1 - share) * first + share * last
    labels: Tensor = classifier(points.to(classifier.device)).argmax(dim=1).cpu()
    return labels
