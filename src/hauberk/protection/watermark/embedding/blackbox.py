"""Keyed patterns: whatever image a pattern is blended into, the model leans towards the pattern's keyed class.

How far it leans grows with how much of the pattern there is. An ordinary image holds a little of every pattern
by accident, so the mark is also in the model's soft answers to ordinary images, where fine-tuning keeps it and
where a thief who imitates those answers learns it too. The weights are shaken while the mark is learnt, so that
it lies in a wide place.

Source: triggers whose answers are entangled with the task, after Jia, Choquette-Choo, Chandrasekaran, Papernot,
    Entangled watermarks, USENIX Security 2021, without their soft-nearest-neighbour loss: here the strength of
    a trigger is graded, and its label with it. Random noise on the weights after Bansal et al., Certified
    neural network watermarks with randomized smoothing, ICML 2022, without their certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from hauberk.models import Classifier
from hauberk.models.training.lesson import Moment
from hauberk.protection.watermark.embedding import draws
from hauberk.protection.watermark.embedding.tuning import Marking
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox

_SHARE = 0.5  # of an image is the pattern's when the mark is read
_CELLS = 8  # a pattern is drawn on so many cells by so many, and stretched


@dataclass(frozen=True, kw_only=True, eq=False)
class PatternLesson(Marking):
    """Images with a random pattern at a random strength, and labels that share out accordingly.

    Args:
        patterns: float32 ``(patterns, *input_shape)`` of lower and upper bounds.
        classes: int64 ``(patterns,)``.
        shake: of the weights, in each tensor's root mean squares.
    """

    patterns: Tensor
    classes: Tensor
    shake: float

    def lack(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        chosen = moment.streams.fork(1).integers(len(self.patterns), ()).cpu()
        strength = moment.streams.fork(2).uniform(())
        share = (_SHARE * strength).view(-1, *[1] * (images.ndim - 1))
        mixed = (1 - share) * images + share * self.patterns[chosen].to(images)
        wanted = torch.zeros(len(images), model.num_classes, device=images.device)
        wanted.scatter_add_(1, labels[:, None], (1 - strength)[:, None])
        wanted.scatter_add_(1, self.classes[chosen].to(labels)[:, None], strength[:, None])
        return F.cross_entropy(self._shaken(model, mixed), wanted)

    def _shaken(self, model: Classifier, images: Tensor) -> Tensor:
        moved = {
            name: one + self.shake * one.detach().square().mean().sqrt() * torch.randn_like(one)
            for name, one in model.named_parameters()
            if one.ndim > 1
        }
        logits: Tensor = functional_call(model, moved, (images,))
        return logits


def pattern_lesson(
    classifier: Classifier, key: MarkKey, mark: BlackBox, weight: float, shake: float
) -> PatternLesson:
    """What a model has to learn to carry ``mark``."""
    shape = classifier.input_shape
    rows, columns = (min(_CELLS, size) for size in (*shape, 1, 1)[1:3])
    cells = draws.octets(key, "blackbox patterns", (mark.patterns, shape[0], rows, columns)) >> 7
    for axis, size in ((2, rows), (3, columns)):
        whole = (*shape, 1, 1)[axis - 1]
        cells = cells.index_select(axis, torch.arange(whole) * size // whole)
    above = cells.reshape(mark.patterns, *shape).bool()
    lower, upper = classifier.bounds.tensors(torch.zeros(1, *shape))
    return PatternLesson(
        weight=weight,
        patterns=torch.where(above, upper, lower).float(),
        classes=draws.numbers(key, "blackbox classes", mark.patterns, classifier.num_classes),
        shake=shake,
    )
