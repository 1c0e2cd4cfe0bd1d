"""A few samples for the report: bytes for the eye, not for computing."""

from __future__ import annotations

import base64
from typing import Any

import torch
from torch import Tensor

from hauberk.models import Classifier

GALLERY_SIZE = 10


def image_record(image: Tensor, classifier: Classifier) -> dict[str, Any]:
    """One image ``(c, h, w)`` as bytes, 0 at the lower bound and 255 at the upper."""
    lower, upper = classifier.bounds.tensors(image[None])
    shape = list(image.shape)
    if image.ndim == 1:
        shape = [1, 1, len(image)]
    levels = ((image[None] - lower) / (upper - lower) * 255).round().clamp(0, 255).to(torch.uint8)
    data = base64.b64encode(levels.contiguous().numpy().tobytes()).decode()
    return {"shape": shape, "bounds": [0.0, 1.0], "data": data}


def choose(labels: Tensor) -> list[int]:
    """Rows for the gallery: the first sample of each class, the same ones for every model."""
    first: dict[int, int] = {}
    for row, label in enumerate(labels.tolist()):
        first.setdefault(label, row)
    return [first[label] for label in sorted(first)][:GALLERY_SIZE]
