"""What a membership attacker holds: logits of the target and of shadow models on the same samples.

Each model is asked once; all attacks share the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.models.twin import pass_size, passes

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Down and right, in pixels; the first views of an image, itself before all."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LogitTable:
    """Logits by model, view and sample; nothing in it says who is a member of the target's training set.

    Args:
        labels: int64 ``(n,)``.
        target: floating ``(views, n, classes)``; view 0 is the sample itself.
        shadows: floating ``(models, views, n, classes)``; ``models`` is 0 where there are none.
        inside: boolean ``(models, n)``: the shadow model was trained on the sample.

    Raises:
        DataError: shapes or types that do not fit each other, NaN or infinity.
    """

    labels: Tensor
    target: Tensor
    shadows: Tensor
    inside: Tensor

    def __post_init__(self) -> None:
        count, classes = len(self.labels), self.target.shape[-1]
        if self.target.ndim != 3 or self.target.shape[1] != count or count == 0:
            raise DataError(f"target logits must be (views, {count}, classes), got {tuple(self.target.shape)}")
        if tuple(self.shadows.shape[1:]) != tuple(self.target.shape):
            raise DataError(
                f"shadow logits must be (models, {', '.join(map(str, self.target.shape))}), got "
                f"{tuple(self.shadows.shape)}"
            )
        if self.inside.dtype != torch.bool or self.inside.shape != (len(self.shadows), count):
            raise DataError(
                f"inside must be boolean ({len(self.shadows)}, {count}), got {self.inside.dtype} "
                f"{tuple(self.inside.shape)}"
            )
        if self.labels.dtype != torch.int64 or int(self.labels.min()) < 0 or int(self.labels.max()) >= classes:
            raise DataError(f"labels must be int64 in [0, {classes})")
        if not bool(torch.isfinite(self.target).all()) or not bool(torch.isfinite(self.shadows).all()):
            raise DataError("the logits hold NaN or infinity")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def models(self) -> int:
        """How many shadow models there are."""
        return len(self.shadows)


def collect(
    target: Classifier,
    data: Dataset,
    *,
    shadows: Iterable[Classifier] = (),
    inside: Tensor | None = None,
    views: int = 1,
    progress: Progress = SILENT,
) -> LogitTable:
    """Ask the target and each shadow model about every sample.

    Args:
        target: in eval mode.
        data: the samples whose membership is in question.
        shadows: classifiers for the same inputs and classes; taken one at a time and not kept.
        inside: boolean ``(models, n)``: which of the samples each shadow model was trained on.
        views: how many pictures of each sample to ask about: itself, then shifted by one pixel into the four
            sides and the four corners (at most 9). More help where training shifted images too.

    Raises:
        ConfigError: ``shadows`` without ``inside``, views out of range, views of what is not an image.
        DataError: samples that do not fit the target, shadow models of another number than ``inside`` says.
        UnsupportedModel: NaN or infinite logits.

    Cost: ``views * n`` forward passes for each model; ``4 * models * views * n * classes`` bytes.
    """
    check_classifier(target)
    images = check_images(target, data.images)
    labels = check_labels(target, data.labels, len(images))
    if isinstance(views, bool) or not isinstance(views, int) or not 1 <= views <= len(SHIFTS):
        raise ConfigError(f"views must be a whole number from 1 to {len(SHIFTS)}, got {views!r}")
    if views > 1 and images.ndim != 4:
        raise ConfigError(f"views are shifted images, but inputs are {target.input_shape}; use views=1")
    if inside is None:
        inside = torch.zeros(0, len(images), dtype=torch.bool)
    progress.begin("asking the models", 1 + len(inside))
    seen = _logits(target, images, views)
    progress.advance()
    table = torch.empty(len(inside), *seen.shape)
    asked = 0
    for shadow in shadows:
        if asked == len(table):
            raise ConfigError(f"there are more shadow models than the {len(table)} that inside describes")
        table[asked] = _logits(shadow, images, views)
        asked += 1
        progress.advance()
    progress.end()
    if asked != len(table):
        raise ConfigError(f"inside describes {len(table)} shadow models, {asked} were given")
    return LogitTable(labels=labels.cpu(), target=seen, shadows=table, inside=inside)


@torch.no_grad()
def _logits(classifier: Classifier, images: Tensor, views: int) -> Tensor:
    """float32 ``(views, n, classes)`` on the CPU."""
    rows = []
    for shift in SHIFTS[:views]:
        parts = [
            classifier(_shifted(images[part], *shift).to(classifier.device)).float().cpu()
            for part in passes(len(images), pass_size(classifier))
        ]
        rows.append(torch.cat(parts))
    found = torch.stack(rows)
    if not bool(torch.isfinite(found).all()):
        raise UnsupportedModel("the model returns NaN or infinite logits for some of the samples")
    return found


def _shifted(images: Tensor, down: int, right: int) -> Tensor:
    """Moved by whole pixels; the border is repeated into what opens up."""
    if down == right == 0:
        return images
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return padded[..., 1 - down : 1 - down + height, 1 - right : 1 - right + width]
