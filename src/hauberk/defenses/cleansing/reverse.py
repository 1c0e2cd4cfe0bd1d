"""A backdoor seen from the model's side: the smallest stamp that sends every image to one class.

For each class a mask and a pattern are optimised until stamped images of all other classes are read as it; the
mask is made as small as that allows. A class that a much smaller mask reaches than the others is suspicious.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.poisoning import Trigger
from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import by_class, check_fits
from hauberk.models import Classifier
from hauberk.models.twin import fast_twin, pass_size, passes

LEAST_CLASSES = 5  # the median deviation of fewer says nothing
_LEAST_IMAGES = 10  # of a class
_WINDOW = 10  # steps between looks at the success
_FASTER, _SLOWER = 1.5, 1.5**1.5  # of the mask's price, up where the stamp works, down where it does not
_FIRST_PRICE = 1e-3
_RATE, _BETAS = 0.1, (0.5, 0.9)  # of Adam, as in the paper
_NORMAL = 1.4826  # median absolute deviations to standard deviations of a normal distribution


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One stamp for each class.

    Args:
        triggers: by class.
        norms: float64 ``(classes,)``: sum of the mask over the pixels.
        success: float64 ``(classes,)``: share of the images looked at that the stamp sends to the class.
        anomaly: float64 ``(classes,)``: distance from the median norm in (normal) median absolute deviations.
        suspected: the classes far below the median.
    """

    triggers: tuple[Trigger, ...]
    norms: Tensor
    success: Tensor
    anomaly: Tensor
    suspected: tuple[int, ...]

    def describe(self) -> dict[str, Any]:
        """JSON for evidence."""
        return {
            "suspected": list(self.suspected),
            "classes": [
                {
                    "label": label,
                    "mask_norm": round(float(self.norms[label]), 6),
                    "success": round(float(self.success[label]), 6),
                    "anomaly": round(float(self.anomaly[label]), 6),
                    "trigger": repr(trigger),
                }
                for label, trigger in enumerate(self.triggers)
            ],
        }


def reconstruct(
    classifier: Classifier,
    data: Dataset,
    *,
    steps: int,
    batch_size: int,
    success: float,
    threshold: float,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Reconstruction:
    """The smallest stamp for each class, and which classes stand out.

    Args:
        data: rightly labelled images.
        steps: of the optimiser for each class, with ``batch_size`` images of other classes each.
        success: share of stamped images that must be read as the class.
        threshold: anomaly from which a class is suspected.

    Raises:
        ConfigError: data that do not fit, that are no images, or fewer than five classes.
        DataError: too few images of a class.
    """
    check_fits(classifier, data)
    if len(data.input_shape) != 3:
        raise ConfigError(f"a stamp needs images (channels, height, width), {data.name} has {data.input_shape}")
    if len(data.classes) < LEAST_CLASSES:
        raise ConfigError(
            f"{data.name} has {len(data.classes)} classes: which of them stands out can be said from "
            f"{LEAST_CLASSES} on"
        )
    by_class(data, _LEAST_IMAGES, "neural-cleanse")
    search = _Search(fast_twin(classifier), data, steps, batch_size, success, seed)
    together = max(1, pass_size(classifier) * 4 // batch_size)
    progress.begin("neural-cleanse", steps * -(-len(data.classes) // together))
    found: list[tuple[Trigger, float]] = []
    for part in passes(len(data.classes), together):
        found += search(range(len(data.classes))[part], progress)
    progress.end()
    norms = torch.tensor([float(trigger.mask[0].double().sum()) for trigger, _ in found], dtype=torch.float64)
    anomaly = anomaly_index(norms)
    below = norms < norms.median()
    return Reconstruction(
        triggers=tuple(trigger for trigger, _ in found),
        norms=norms,
        success=torch.tensor([share for _, share in found], dtype=torch.float64),
        anomaly=anomaly,
        suspected=tuple(((anomaly > threshold) & below).nonzero().squeeze(1).tolist()),
    )


def anomaly_index(values: Tensor) -> Tensor:
    """Distances from the median in median absolute deviations, scaled as for a normal distribution."""
    values = values.double()
    away = (values - values.quantile(0.5)).abs()
    return away / (_NORMAL * away.quantile(0.5)).clamp_min(1e-12)


@dataclass(frozen=True, eq=False)
class _Search:
    """Optimises the stamps of several classes side by side; they do not know of each other."""

    model: Classifier
    data: Dataset
    steps: int
    batch_size: int
    wanted: float
    seed: int

    def __call__(self, labels: range, progress: Progress) -> list[tuple[Trigger, float]]:
        device, count = self.model.device, len(labels)
        channels, height, width = self.data.input_shape
        low, high = (one.to(device) for one in self.model.bounds.tensors(self.data.images[:1]))
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "stamps", labels.start))
        others = [(self.data.labels != label).nonzero().squeeze(1) for label in labels]
        target = torch.tensor(list(labels), device=device).repeat_interleave(self.batch_size)
        # both are sigmoids of free numbers: no clamp stands in the way of the gradient
        free_mask = torch.zeros(count, 1, height, width, device=device, requires_grad=True)
        free_pattern = torch.randn(count, channels, height, width, generator=generator).to(device)
        free_pattern.requires_grad_(True)
        optimizer = torch.optim.Adam([free_mask, free_pattern], _RATE, betas=_BETAS)
        price = torch.full((count,), _FIRST_PRICE, device=device)
        best = _Best(count, (channels, height, width), device)
        hits = torch.zeros(count, device=device)
        for step in range(1, self.steps + 1):
            mask, pattern = free_mask.sigmoid(), low + (high - low) * free_pattern.sigmoid()
            rows = torch.stack(
                [one[torch.randint(len(one), (self.batch_size,), generator=generator)] for one in others]
            )
            images = self.data.images[rows].to(device)  # (classes, batch, channels, height, width)
            logits = self.model(torch.lerp(images, pattern[:, None], mask[:, None]).flatten(0, 1))
            losses = F.cross_entropy(logits, target, reduction="none").view(count, -1).mean(dim=1)
            loss = (losses + price * mask.sum(dim=(1, 2, 3))).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            hits += (logits.argmax(dim=1) == target).view(count, -1).float().mean(dim=1) / _WINDOW
            if step % _WINDOW == 0:
                best.keep(mask.detach(), pattern.detach(), hits, self.wanted)
                price = torch.where(hits >= self.wanted, price * _FASTER, price / _SLOWER)
                hits = torch.zeros_like(hits)
            optimizer.step()
            progress.advance(1, f"classes {labels.start}-{labels.stop - 1}")
        return best.triggers(labels)


class _Best:
    """The smallest mask so far that works, for each class; before there is one, the whole image."""

    def __init__(self, count: int, shape: tuple[int, int, int], device: torch.device) -> None:
        self.mask = torch.ones(count, 1, *shape[1:], device=device)
        self.pattern = torch.zeros(count, *shape, device=device)
        self.share = torch.full((count,), -1.0, device=device)
        self.reached = torch.zeros(count, dtype=torch.bool, device=device)

    def keep(self, mask: Tensor, pattern: Tensor, share: Tensor, wanted: float) -> None:
        works = share >= wanted
        smaller = mask.sum(dim=(1, 2, 3)) < self.mask.sum(dim=(1, 2, 3))
        # where nothing has worked yet, the pattern that came nearest stands under the full mask
        nearer = ~self.reached & ~works & (share > self.share)
        taken = works & (smaller | ~self.reached)
        self.mask[taken] = mask[taken]
        self.pattern[taken | nearer] = pattern[taken | nearer]
        self.share[taken | nearer] = share[taken | nearer]
        self.reached |= taken

    def triggers(self, labels: range) -> list[tuple[Trigger, float]]:
        found = []
        for place, label in enumerate(labels):
            pattern = self.pattern[place].cpu()
            mask = self.mask[place].cpu().expand_as(pattern).contiguous()
            found.append((Trigger(mask, pattern, f"reconstructed for class {label}"), float(self.share[place])))
        return found
