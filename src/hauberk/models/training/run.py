"""The state of one training run, and an epoch of it.

It owns the order of the data, augmentation, optimiser, learning rate, weight averaging, best checkpoint. Each
epoch draws its randomness from (seed, epoch), so a run that was stopped and resumed ends with the same weights
as one that was not. Several workers can share a run (``Team``): the batches, the crafted points and the steps
stay those of one worker, up to rounding; only dropout draws masks of its own on each.
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hauberk.core.errors import HauberkError
from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.datasets.augmentation import Draw, augmentations
from hauberk.models import checkpoint as checkpoints
from hauberk.models.classifier import Classifier
from hauberk.models.training.lesson import Lesson, Moment
from hauberk.models.training.perturbation import moved_weights
from hauberk.models.training.plan import TrainingPlan
from hauberk.models.training.team import ALONE, Team
from hauberk.models.twin import set_layout
from hauberk.threats import Streams

_AWP_FROM = 0.3  # of the run: before, the weights move enough by themselves


class TrainingDiverged(HauberkError):
    """The loss became infinite or NaN; ``facts['epoch']`` says when.

    ``facts['last_good']`` is the classifier as the epoch before left it, with its evidence, or None.
    """


class Run:
    """The state of one training run, from epoch to epoch."""

    def __init__(
        self,
        classifier: Classifier,
        data: Dataset,
        plan: TrainingPlan,
        lesson: Lesson,
        held_out: Dataset | None,
        seed: int,
        team: Team = ALONE,
    ) -> None:
        self.start = classifier
        self.model = copy.deepcopy(classifier).requires_grad_(False)
        for parameter in lesson.learns(self.model):
            parameter.requires_grad_(True)
        set_layout(self.model, torch.channels_last)  # a third of the time on CPUs
        self.data, self.plan, self.lesson, self.seed = data, plan, lesson, seed
        self.held_out = None if team.rank else held_out  # the first worker scores for all
        self.team = team
        self.batches = max(1, len(data) // plan.batch_size)
        self.optimizer = _optimizer(self.model, plan)
        self.augment = augmentations(plan.augment)
        self.average = copy.deepcopy(self.model) if plan.averaging else None
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.best_epoch = -math.inf, plan.epochs
        self.history: list[dict[str, Any]] = []
        self.epoch = 0
        self.seconds_before = 0.0
        self._good: dict[str, Tensor] | None = None

    def one_epoch(self, progress: Progress) -> None:
        started = time.perf_counter()
        device = self.model.device
        order = torch.randperm(
            len(self.data),
            generator=torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch)),
        )
        use_bf16 = self.plan.mixed_precision and device.type == "cuda" and torch.cuda.is_bf16_supported()
        loss_sum, right, seen = 0.0, 0, 0
        _train_mode(self.model)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "augment", self.epoch))
        moment = Moment(0.0, Streams(order[:0]), order[:0], self.team)
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            self.team.joined_norms(self.model),
        ):
            own = (self.team.rank,) if self.team.rank else ()
            torch.manual_seed(derive_seed(self.seed, "layers", self.epoch, *own))  # dropout and the like
            for number in range(self.batches):
                whole = order[number * self.plan.batch_size : (number + 1) * self.plan.batch_size]
                mine = self.team.share(len(whole))
                chosen = whole[mine]
                moment = replace(moment, rows=chosen, first=mine.start)
                images, labels = self._augmented(whole, generator, mine)
                fraction = (self.epoch + number / self.batches) / self.plan.epochs
                for group in self.optimizer.param_groups:
                    group["lr"] = self.plan.rate(fraction)
                streams = Streams.for_samples(self.seed, chosen.to(device), "training", self.epoch)
                for replay in range(self.lesson.replays):
                    forked = streams.fork(replay) if replay else streams
                    moment = replace(moment, fraction=fraction, streams=forked)
                    with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16):
                        crafted = self.lesson.craft(self.model, images, labels, moment)
                        value, logits = self._step(images, labels, crafted, moment, len(whole))
                    moment = replace(moment, last_images=images, last_crafted=crafted)
                loss_sum += value * len(whole)
                truth = self.data.labels[chosen].to(device)  # mixed or not, what the image was
                right += int((logits.argmax(dim=1) == truth).sum())
                seen += len(whole)
                progress.advance(1, f"epoch {self.epoch + 1}/{self.plan.epochs} loss {loss_sum / seen:.3f}")
        self.model.eval()
        self.epoch += 1
        self._note(loss_sum / seen, self.team.total(right, device) / seen, time.perf_counter() - started)

    def _augmented(self, whole: Tensor, generator: torch.Generator, mine: slice) -> tuple[Tensor, Tensor]:
        """This worker's rows of the batch; all of it is augmented, so that one worker's draws are made."""
        images, labels = self.data.images[whole], self.data.labels[whole]
        if self.augment:
            draw = Draw(generator, self.model.bounds.tensors(images), self.model.num_classes)
            for one in self.augment:
                images, labels = one(images, labels, draw)
        return images[mine].to(self.model.device), labels[mine].to(self.model.device)

    def _step(
        self, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment, count: int
    ) -> tuple[float, Tensor]:
        """One step of the optimiser; returns the loss of the whole batch and the logits of this worker's rows.

        Args:
            count: images in the whole batch.
        """
        portion = self.team.portion(count)
        gamma = self.plan.weight_perturbation if moment.fraction >= _AWP_FROM else 0.0

        def take() -> tuple[Tensor, Tensor]:
            loss, logits = self.lesson.loss(self.model, images, labels, crafted, moment)
            return (loss if self.team.size == 1 else loss * portion), logits

        with moved_weights(self.model, lambda: take()[0], gamma, self.team):
            loss, logits = take()
            value = self.team.total(loss.item(), loss.device)
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"training diverged in epoch {self.epoch + 1}: the loss is {value}",
                    hint="lower the learning rate, or raise the radius more slowly",
                    epoch=self.epoch + 1,
                    last_good=None,
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        self.team.add_up([one.grad for one in self.model.parameters() if one.grad is not None])
        self.optimizer.step()
        self.lesson.settle(self.model)
        self._average_weights()
        return value, logits.detach()

    @torch.no_grad()
    def _average_weights(self) -> None:
        if self.average is None:
            return
        # early on the average must not remember the random start
        step = self.epoch * self.batches + 1
        decay = min(self.plan.averaging, step / (step + 9))
        for kept, fresh in zip(
            self.average.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if kept.is_floating_point():
                kept.lerp_(fresh, 1 - decay)
            else:
                kept.copy_(fresh)

    def _note(self, loss: float, train_accuracy: float, seconds: float) -> None:
        row: dict[str, Any] = {
            "epoch": self.epoch,
            "loss": round(loss, 6),
            "train_accuracy": round(train_accuracy, 6),
            "held_out_accuracy": None,
            "held_out_robust": None,
            "eps": self.lesson.eps((self.epoch - 1 / self.batches) / self.plan.epochs),
            "seconds": round(seconds, 3),
        }
        if self.held_out is not None:
            scores = self.lesson.score(self._current(), self.held_out, self.seed)
            row |= {name: round(value, 6) for name, value in scores.items()}
            if row[self.lesson.select] > self.best_score:
                self.best_score, self.best_epoch = row[self.lesson.select], self.epoch
                self.best = {name: one.clone() for name, one in self._current().state_dict().items()}
        self.history.append(row)
        self._remember()

    def _remember(self) -> None:
        self._good = {name: one.clone() for name, one in self._current().state_dict().items()}

    def go_back(self) -> None:
        """Undo an epoch that was left half-way."""
        if self._good is not None:
            self._current().load_state_dict(self._good)
        self.model.eval()

    def _current(self) -> Classifier:
        return (self.average if self.average is not None else self.model).eval()

    def result(self) -> Classifier:
        final = self._current()
        if self.best is not None:
            final.load_state_dict(self.best)
        for parameter in final.parameters():
            parameter.grad = None
        set_layout(final, torch.contiguous_format)
        return final.requires_grad_(True).eval()

    def save(self, path: Path | None, identity: str) -> None:
        if path is None:
            return
        tensors = {
            "model": self.model.state_dict(),
            "optimizer": checkpoints.optimizer_tensors(self.optimizer),
        }
        if self.average is not None:
            tensors["average"] = self.average.state_dict()
        if self.best is not None:
            tensors["best"] = self.best
        facts = {
            "epoch": self.epoch,
            "history": self.history,
            "best_score": self.best_score if self.best is not None else None,
            "best_epoch": self.best_epoch,
            "seconds": sum(row["seconds"] for row in self.history),
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
        if "best" in found.tensors:
            device = self.model.device
            self.best = {name: one.to(device) for name, one in found.tensors["best"].items()}
            self.best_score = found.facts["best_score"]
        self.best_epoch = found.facts["best_epoch"]
        self.history = list(found.facts["history"])
        self.epoch = found.facts["epoch"]
        self.seconds_before = found.facts["seconds"]
        self._remember()


def _train_mode(model: nn.Module) -> None:
    """Train mode where something learns: batch norm's statistics and dropout of the rest stay as they are."""
    model.train()
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(one.requires_grad for one in own):
            module.eval()


def _optimizer(model: Classifier, plan: TrainingPlan) -> torch.optim.Optimizer:
    rate, decay = plan.learning_rate, plan.weight_decay
    learning = [one for one in model.parameters() if one.requires_grad]
    if plan.optimizer == "sgd":
        return torch.optim.SGD(learning, rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind(learning, rate, weight_decay=decay)
