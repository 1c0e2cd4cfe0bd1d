"""What a thief takes home: the images he asked about and the answers; and how a surrogate learns from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment
from hauberk.models.twin import passes
from hauberk.threats import Bounds, Knowledge

_FINGERPRINT_BATCH = 1024  # an int64 copy of so many images at a time


@dataclass(frozen=True, eq=False)
class Transcript:
    """Questions and answers, oldest first, with what is public about the model that was asked.

    Args:
        images: float32 ``(n, ...)``, on the CPU.
        answers: float32 ``(n, classes)``: probabilities, or one-hot where labels only were shown.
        labels: the victim's names of the classes.
        bounds: the victim's valid range.
        knowledge: what the answers show.
        source: JSON for evidence: ``{"victim": {"name", "digest"}, "pool": …, "knowledge", "queries"}``.
    """

    images: Tensor
    answers: Tensor
    labels: tuple[str, ...]
    bounds: Bounds
    knowledge: Knowledge
    source: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    def dataset(self) -> Dataset:
        """The images labelled by the victim: no true label is in it."""
        return Dataset(
            f"{self.source['pool']['name']}[as {self.source['victim']['name']} answered]",
            self.images,
            self.answers.argmax(dim=1),
            self.labels,
            span(self.bounds, self.images),
        )

    @cached_property
    def _index(self) -> tuple[Tensor, Tensor]:
        """Sorted fingerprints, and the row each belongs to; of equal images the first row."""
        prints = fingerprints(self.images)
        order = prints.argsort(stable=True)
        return prints[order], order

    def answers_to(self, images: Tensor) -> Tensor:
        """The answers ``(m, classes)`` to images that were asked about, on the images' device."""
        known, order = self._index
        found = torch.searchsorted(known, fingerprints(images.cpu())).clamp_(max=len(known) - 1)
        rows = order[found]
        assert torch.equal(self.images[rows], images.cpu()), "an image that nobody asked about"
        return self.answers[rows].to(images.device)


def span(bounds: Bounds, images: Tensor) -> tuple[float, float]:
    """The lowest lower and the highest upper bound of all channels."""
    lower, upper = bounds.tensors(images)
    return float(lower.min()), float(upper.max())


def fingerprints(images: Tensor) -> Tensor:
    """int64 ``(n,)`` from float32 images: equal for equal images, different (2**-60) for different ones."""
    size = images[0].numel()
    generator = torch.Generator().manual_seed(derive_seed(0, "fingerprints"))
    weights = torch.randint(-(2**62), 2**62, (size,), generator=generator) * 2 + 1
    return torch.cat(
        [
            (images[part].contiguous().view(torch.int32).flatten(1).to(torch.int64) * weights).sum(dim=1)
            for part in passes(len(images), _FINGERPRINT_BATCH)
        ]
    )


@dataclass(frozen=True, eq=False)
class Imitation(Lesson):
    """Learning to answer as the victim did: cross-entropy against its probabilities.

    The loop of training hands over images and hard labels, so the soft answer is looked up by the image.

    Source: Orekondy et al., CVPR 2019, section 4.2 (cross-entropy with soft labels).
    """

    transcript: Transcript

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(images)
        wanted = self.transcript.answers_to(images)
        return -(wanted * F.log_softmax(logits.float(), dim=1)).sum(dim=1).mean(), logits
