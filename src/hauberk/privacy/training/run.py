"""The state of one private run, and an epoch of it.

Nothing that is kept or shown depends on the training data except through the noisy steps: there is no training
loss in the history, and no epoch is chosen by held-out people. What begins is spent: the file says so before an
epoch starts, and a run that was killed goes on after the epoch it lost, with fresh noise.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.datasets.augmentation import Draw, augmentations
from hauberk.models import Classifier
from hauberk.models import checkpoint as checkpoints
from hauberk.models.training import TrainingDiverged, TrainingPlan
from hauberk.models.twin import set_layout
from hauberk.privacy.training.book import Book, Clip, NotFinite
from hauberk.privacy.training.noise import NoiseSource
from hauberk.privacy.training.stem import Split, split

_CPU_PIXELS = 64 * 28 * 28  # at a time: on CPUs what stays in the caches is faster
_ACCELERATOR_PASS = 512  # images at a time


@dataclass(frozen=True)
class Recipe:
    """What a run must know besides the plan.

    Args:
        clip: how far one person moves a step's sum.
        noise_multiplier: the noise's standard deviation in units of the clip's bound.
        multiplicity: augmented copies of each person, whose gradients are averaged before clipping.
        physical_batch: images in a pass; None: as suits the device.
    """

    clip: Clip
    noise_multiplier: float
    multiplicity: int = 1
    physical_batch: int | None = None


def steps_per_epoch(plan: TrainingPlan, examples: int) -> int:
    """As many as see everybody once in the mean."""
    return max(1, round(examples / plan.batch_size))


class PrivateRun:
    """From epoch to epoch; ``steps`` counts those that were begun, with their results kept or lost."""

    def __init__(
        self,
        classifier: Classifier,
        data: Dataset,
        plan: TrainingPlan,
        recipe: Recipe,
        seed: int,
        noise: NoiseSource,
    ) -> None:
        self.model = copy.deepcopy(classifier)
        self.data, self.plan, self.recipe, self.seed, self.noise = data, plan, recipe, seed, noise
        set_layout(self.model, torch.channels_last)
        self.per_epoch = steps_per_epoch(plan, len(data))
        self.rate = plan.batch_size / len(data)
        self.augment = augmentations(plan.augment)
        _train_mode(self.model)
        Book(self.model).check(self._made_up())
        self.split: Split = split(self.model, data, keep=not self.augment)
        self.book = Book(self.split.head)
        self.optimizer = _optimizer(list(self.book.learning.values()), plan)
        self.average = copy.deepcopy(self.model) if plan.averaging else None
        self.epoch = self.steps = 0
        self.history: list[dict[str, Any]] = []
        self.seconds_before = 0.0
        self._taken = 0  # steps whose results the weights have

    def _made_up(self) -> Tensor:
        """Two images that tell nothing about anybody."""
        source = torch.Generator().manual_seed(0)
        lower, upper = self.model.bounds.tensors(self.data.images)
        unit = torch.rand(2, *self.model.input_shape, generator=source)
        return (lower + (upper - lower) * unit).to(self.model.device)

    def one_epoch(self, progress: Progress) -> None:
        """Raises:
        TrainingDiverged: a gradient or a weight is not finite any more.
        """
        started = time.perf_counter()
        self.steps = (self.epoch + 1) * self.per_epoch
        _train_mode(self.model)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "augment", self.epoch))
        device = self.model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "layers", self.epoch))  # dropout and the like
            fine = self._steps(generator, progress)
        self.model.eval()
        self.epoch += 1
        if not fine:
            raise TrainingDiverged(
                f"training diverged in epoch {self.epoch}: a weight or a gradient is no longer a number",
                hint="lower the learning rate; what the steps have spent stays spent",
                epoch=self.epoch,
                last_good=None,
            )
        self.history.append(_row(self.epoch, time.perf_counter() - started))

    def _steps(self, generator: torch.Generator, progress: Progress) -> bool:
        """An epoch of steps; False where something is not finite any more."""
        for number in range(self.per_epoch):
            for group in self.optimizer.param_groups:
                group["lr"] = self.plan.rate((self.epoch + number / self.per_epoch) / self.plan.epochs)
            try:
                self._step(generator)
            except NotFinite:
                return False
            progress.advance(1, f"epoch {self.epoch + 1}/{self.plan.epochs}")
        return all(bool(one.isfinite().all()) for one in self.model.parameters())

    def _step(self, generator: torch.Generator) -> None:
        """One noisy step; an empty batch takes one too, or its absence would tell that nobody was in it."""
        chosen = self.noise.chosen(len(self.data), self.rate)
        whole = {name: torch.zeros_like(one) for name, one in self.book.learning.items()}
        passes = max(1, round(len(chosen) / self._pass_size()))
        for rows in torch.tensor_split(chosen, passes) if len(chosen) else ():
            losses = partial(self._losses, rows, generator)
            part, _ = self.book.clipped_sum(losses, len(rows), self.recipe.clip)
            for name, one in part.items():
                whole[name] += one
        deviation = self.recipe.noise_multiplier * self.recipe.clip.bound
        for name, parameter in self.book.learning.items():
            noise = self.noise.normal(parameter.numel()).view(parameter.shape).to(parameter.device)
            # in float64 until both are together: see NoiseSource
            noisy = whole[name].double() + deviation * noise
            parameter.grad = (noisy / self.plan.batch_size).to(parameter.dtype)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._taken += 1
        self._average_weights()

    def _pass_size(self) -> int:
        if self.recipe.physical_batch is not None:
            return self.recipe.physical_batch
        size = _ACCELERATOR_PASS
        if self.model.device.type == "cpu":
            image = self.split.features.shape[2:].numel()  # 1 where nothing but features is left
            size = max(16, min(256, _CPU_PIXELS // image))
        return max(1, size // self.recipe.multiplicity)

    def _losses(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """``(n,)``: each one's loss, averaged over the copies."""
        x, labels = self.split.inputs(rows), self.data.labels[rows]
        if self.augment:
            copies = self.recipe.multiplicity
            x, labels = x.repeat_interleave(copies, 0), labels.repeat_interleave(copies)
            draw = Draw(generator, self.model.bounds.tensors(x), self.model.num_classes)
            for one in self.augment:
                x, labels = one(x, labels, draw)
        logits = self.split.head(x.to(self.model.device))
        losses = F.cross_entropy(logits, labels.to(self.model.device), reduction="none")
        return torch.unflatten(losses, 0, (len(rows), -1)).mean(1)

    @torch.no_grad()
    def _average_weights(self) -> None:
        if self.average is None:
            return
        # early on the average must not remember the random start
        decay = min(self.plan.averaging, self._taken / (self._taken + 9))
        for kept, fresh in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(fresh, 1 - decay)

    def result(self) -> Classifier:
        """The classifier as it stands, in eval mode, on its own."""
        final = copy.deepcopy(self.average if self.average is not None else self.model)
        set_layout(final, torch.contiguous_format)
        return final.requires_grad_(True).eval()

    def save(self, path: Path | None, identity: str, *, begun: int) -> None:
        """Args:
        begun: epochs that are spent from here on.
        """
        if path is None:
            return
        tensors = {"model": self.model.state_dict(), "optimizer": checkpoints.optimizer_tensors(self.optimizer)}
        if self.average is not None:
            tensors["average"] = self.average.state_dict()
        facts = {
            "epoch": begun,
            "taken": self._taken,
            "history": self.history,
            "seconds": self.seconds_before + sum(row["seconds"] for row in self.history),
        }
        checkpoints.save(path, checkpoints.Checkpoint(tensors, facts), identity=identity)

    def resume(self, path: Path | None, identity: str) -> None:
        found = checkpoints.load(path, identity=identity) if path is not None else None
        if found is None:
            return
        self.model.load_state_dict(dict(found.tensors["model"]))
        checkpoints.restore_optimizer(self.optimizer, found.tensors.get("optimizer", {}))
        if self.average is not None:
            self.average.load_state_dict(dict(found.tensors["average"]))
        self.epoch, self._taken = found.facts["epoch"], found.facts["taken"]
        self.steps = self.epoch * self.per_epoch
        self.history = list(found.facts["history"])
        self.seconds_before = found.facts["seconds"] - sum(row["seconds"] for row in self.history)


def _row(epoch: int, seconds: float) -> dict[str, Any]:
    measured = dict.fromkeys(("loss", "train_accuracy", "held_out_accuracy", "held_out_robust", "eps"))
    return {"epoch": epoch, **measured, "seconds": round(seconds, 3)}


def _train_mode(model: nn.Module) -> None:
    """Train mode where something learns; what is frozen stays as it is."""
    model.train()
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(one.requires_grad for one in own):
            module.eval()


def _optimizer(learning: list[nn.Parameter], plan: TrainingPlan) -> torch.optim.Optimizer:
    rate, decay = plan.learning_rate, plan.weight_decay
    if plan.optimizer == "sgd":
        return torch.optim.SGD(learning, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind(learning, rate, weight_decay=decay)
