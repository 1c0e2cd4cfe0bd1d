"""Training: one loop for plain and for robust learning; what differs is the lesson.

A lesson turns a batch into a loss, and scores the model on held-out data after each epoch. The loop owns
everything else: order of the data, optimiser, learning rate, weight averaging, best checkpoint, resuming.
Each epoch draws its randomness from (seed, epoch), so a run that was stopped and resumed ends with the same
weights as one that was not.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, HauberkError, check_known
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.models import checkpoint as checkpoints
from hauberk.models.classifier import Classifier
from hauberk.models.twin import pass_size, passes, set_layout
from hauberk.threats import Streams

_OPTIMIZERS = ("adam", "adamw", "sgd")
_SCHEDULES = ("constant", "cosine", "one-cycle")
_WARM_SHARE = 0.2  # of a one-cycle schedule goes up


class TrainingDiverged(HauberkError):
    """The loss became infinite or NaN; ``facts['epoch']`` says when."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to learn.

    Args:
        epochs: passes over the data.
        batch_size: images per step.
        optimizer: ``adam``, ``adamw`` or ``sgd`` (Nesterov momentum 0.9).
        learning_rate: highest rate of the schedule.
        weight_decay: as the optimiser understands it.
        schedule: ``constant``, ``cosine`` (down to 0) or ``one-cycle`` (up for a fifth, then cosine down).
        averaging: decay per step of an exponential average of the weights, which is then the result; 0: none.
        mixed_precision: bfloat16 where the device has it (never on CPUs, where it is slower).
    """

    epochs: int = 5
    batch_size: int = 128
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    averaging: float = 0.0
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        check_known([self.optimizer], _OPTIMIZERS, what="optimizer", where="TrainingPlan")
        check_known([self.schedule], _SCHEDULES, what="schedule", where="TrainingPlan")
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"TrainingPlan: {name} must be a whole number of at least 1, got {value!r}")
        for name in ("learning_rate", "weight_decay", "averaging"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"TrainingPlan: {name} must be a finite number, got {value!r}")
        if not self.learning_rate > 0:
            raise ConfigError(f"TrainingPlan: learning_rate must be above 0, got {self.learning_rate!r}")
        if not 0 <= self.averaging < 1:
            raise ConfigError(f"TrainingPlan: averaging must lie in [0, 1), got {self.averaging!r}")
        if self.weight_decay < 0:
            raise ConfigError(f"TrainingPlan: weight_decay cannot be negative, got {self.weight_decay!r}")

    def rate(self, fraction: float) -> float:
        """Learning rate after ``fraction`` (0 to 1) of all steps."""
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * fraction)) / 2
        if self.schedule == "one-cycle":
            if fraction < _WARM_SHARE:
                return self.learning_rate * max(fraction / _WARM_SHARE, 0.02)
            down = (fraction - _WARM_SHARE) / (1 - _WARM_SHARE)
            return self.learning_rate * (1 + math.cos(math.pi * down)) / 2
        return self.learning_rate


@dataclass(frozen=True)
class Moment:
    """Where in the run a batch stands.

    Args:
        fraction: share of all steps done, 0 to 1.
        streams: a random stream for each sample of the batch, fresh each epoch.
    """

    fraction: float
    streams: Streams


class Lesson(Protocol):
    """What is learnt. Implementations are configured and immutable."""

    def loss(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        """Scalar loss, and the logits ``(n, classes)`` that count for training accuracy."""

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        """Figures on held-out data by history key; ``select`` names the one to choose the best epoch by."""

    @property
    def select(self) -> str:
        """History key by which the best epoch is chosen (higher is better)."""

    def eps(self, fraction: float) -> float | None:
        """The radius trained at, for the history; None when there is none."""


@dataclass(frozen=True)
class Plain:
    """Ordinary learning: cross-entropy on the images as they are."""

    select: str = field(default="held_out_accuracy", init=False)

    def loss(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        logits = model(images)
        return F.cross_entropy(logits, labels), logits

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        return {"held_out_accuracy": accuracy(model, held_out.images, held_out.labels)}

    def eps(self, fraction: float) -> float | None:
        return None


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of images classified rightly."""
    right = 0
    for part in passes(len(images), pass_size(classifier)):
        logits = classifier(images[part].to(classifier.device))
        right += int((logits.argmax(dim=1).cpu() == labels[part].cpu()).sum())
    return right / len(images)


def train(
    classifier: Classifier,
    data: Dataset,
    plan: TrainingPlan | None = None,
    *,
    held_out: Dataset | None = None,
    seed: int = 0,
    name: str = "model",
    checkpoint: str | Path | None = None,
    progress: Progress = SILENT,
) -> Classifier:
    """Train a copy of a classifier on the images as they are.

    Args:
        held_out: data for the accuracy by epoch and for choosing the best epoch; None takes the last epoch.
        name: of the model, for its evidence.
        checkpoint: file to resume from and to keep up to date after each epoch. It stays when training is
            done, so that nothing is lost before the caller has saved the result; delete it then.

    Returns:
        a new classifier in eval mode, whose last ``evidence`` (kind ``training``) has the history.

    Raises:
        ConfigError: data that does not fit the classifier, or a checkpoint of another run.
        TrainingDiverged: the loss is no longer a number.
    """
    return learn(
        classifier,
        data,
        plan or TrainingPlan(),
        Plain(),
        kind="training",
        method="plain",
        settings={},
        held_out=held_out,
        seed=seed,
        name=name,
        checkpoint=checkpoint,
        progress=progress,
    )


def learn(
    classifier: Classifier,
    data: Dataset,
    plan: TrainingPlan,
    lesson: Lesson,
    *,
    kind: Literal["training", "hardening"],
    method: str,
    settings: Mapping[str, Any],
    held_out: Dataset | None,
    seed: int,
    name: str,
    checkpoint: str | Path | None,
    progress: Progress,
) -> Classifier:
    """The loop behind ``train`` and every training-time defence; arguments as there.

    Args:
        lesson: what is learnt.
        method, settings: how the evidence names it.
    """
    started = time.perf_counter()
    for one in (data, held_out):
        if one is not None:
            _check_fits(classifier, one)
    parameters = {
        "architecture": classifier.architecture,
        "plan": asdict(plan),
        "method": method,
        **settings,
    }
    inputs: dict[str, Any] = {"dataset": data.describe()}
    if held_out is not None:
        inputs["held_out"] = held_out.describe()
    if classifier.evidence:
        inputs["model"] = dict(classifier.evidence[-1].subject)
    run = _Run(classifier, data, plan, lesson, held_out, seed)
    path = Path(checkpoint) if checkpoint is not None else None
    identity = digest({"parameters": parameters, "inputs": inputs, "seed": seed, "start": classifier.digest})
    run.resume(path, identity)
    progress.begin(method if kind == "hardening" else "training", (plan.epochs - run.epoch) * run.batches)
    while run.epoch < plan.epochs:
        run.one_epoch(progress)
        run.save(path, identity)
    progress.end()
    trained = run.result()
    evidence = Evidence(
        kind=kind,
        subject={"name": name, "digest": trained.digest},
        inputs=inputs,
        parameters=parameters,
        result={
            "history": run.history,
            "best_epoch": run.best_epoch,
            "parameters_count": sum(one.numel() for one in trained.parameters()),
        },
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started + run.seconds_before, 3),
    )
    trained.evidence = (*classifier.evidence, evidence)
    return trained


def _check_fits(classifier: Classifier, data: Dataset) -> None:
    if data.input_shape != classifier.input_shape:
        raise ConfigError(
            f"{data.name} has images {data.input_shape}, the classifier takes {classifier.input_shape}"
        )
    if len(data.classes) != classifier.num_classes:
        raise ConfigError(
            f"{data.name} has {len(data.classes)} classes, the classifier {classifier.num_classes}"
        )
    lower, upper = classifier.bounds.tensors(data.images)
    if bool((data.images < lower).any()) or bool((data.images > upper).any()):
        raise ConfigError(
            f"{data.name} has values outside the classifier's bounds {classifier.bounds.describe()}",
            hint="scale the images, or state the right bounds",
        )


class _Run:
    """The state of one training run, from epoch to epoch."""

    def __init__(
        self,
        classifier: Classifier,
        data: Dataset,
        plan: TrainingPlan,
        lesson: Lesson,
        held_out: Dataset | None,
        seed: int,
    ) -> None:
        self.model = copy.deepcopy(classifier).requires_grad_(True)
        set_layout(self.model, torch.channels_last)  # a third of the time on CPUs
        self.data, self.plan, self.lesson, self.held_out, self.seed = data, plan, lesson, held_out, seed
        self.batches = max(1, len(data) // plan.batch_size)
        self.optimizer = _optimizer(self.model, plan)
        self.average = copy.deepcopy(self.model) if plan.averaging else None
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.best_epoch = -math.inf, plan.epochs
        self.history: list[dict[str, Any]] = []
        self.epoch = 0
        self.seconds_before = 0.0

    def one_epoch(self, progress: Progress) -> None:
        started = time.perf_counter()
        device = self.model.device
        order = torch.randperm(
            len(self.data),
            generator=torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch)),
        )
        use_bf16 = self.plan.mixed_precision and device.type == "cuda" and torch.cuda.is_bf16_supported()
        loss_sum, right, seen = 0.0, 0, 0
        self.model.train()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "layers", self.epoch))  # dropout and the like
            for number in range(self.batches):
                chosen = order[number * self.plan.batch_size : (number + 1) * self.plan.batch_size]
                images = self.data.images[chosen].to(device)
                labels = self.data.labels[chosen].to(device)
                fraction = (self.epoch + number / self.batches) / self.plan.epochs
                for group in self.optimizer.param_groups:
                    group["lr"] = self.plan.rate(fraction)
                streams = Streams.for_samples(self.seed, chosen.to(device), "training", self.epoch)
                with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16):
                    loss, logits = self.lesson.loss(self.model, images, labels, Moment(fraction, streams))
                value = loss.item()
                if not math.isfinite(value):
                    raise TrainingDiverged(
                        f"training diverged in epoch {self.epoch + 1}: the loss is {value}",
                        hint="lower the learning rate, or raise the radius more slowly",
                        epoch=self.epoch + 1,
                    )
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                self._average_weights()
                loss_sum += value * len(chosen)
                right += int((logits.detach().argmax(dim=1) == labels).sum())
                seen += len(chosen)
                progress.advance(1, f"epoch {self.epoch + 1}/{self.plan.epochs} loss {loss_sum / seen:.3f}")
        self.model.eval()
        self.epoch += 1
        self._note(loss_sum / seen, right / seen, time.perf_counter() - started)

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
                self.best = {name: one.clone() for name, one in self._current().module.state_dict().items()}
        self.history.append(row)

    def _current(self) -> Classifier:
        return (self.average if self.average is not None else self.model).eval()

    def result(self) -> Classifier:
        final = self._current()
        if self.best is not None:
            final.module.load_state_dict(self.best)
        for parameter in final.parameters():
            parameter.grad = None
        set_layout(final, torch.contiguous_format)
        return final.requires_grad_(True).eval()

    def save(self, path: Path | None, identity: str) -> None:
        if path is None:
            return
        tensors = {
            "model": self.model.module.state_dict(),
            "optimizer": checkpoints.optimizer_tensors(self.optimizer),
        }
        if self.average is not None:
            tensors["average"] = self.average.module.state_dict()
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
        self.model.module.load_state_dict(dict(found.tensors["model"]))
        checkpoints.restore_optimizer(self.optimizer, found.tensors.get("optimizer", {}))
        if self.average is not None:
            self.average.module.load_state_dict(dict(found.tensors["average"]))
        if "best" in found.tensors:
            device = self.model.device
            self.best = {name: one.to(device) for name, one in found.tensors["best"].items()}
            self.best_score = found.facts["best_score"]
        self.best_epoch = found.facts["best_epoch"]
        self.history = list(found.facts["history"])
        self.epoch = found.facts["epoch"]
        self.seconds_before = found.facts["seconds"]


def _optimizer(model: Classifier, plan: TrainingPlan) -> torch.optim.Optimizer:
    rate, decay = plan.learning_rate, plan.weight_decay
    if plan.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=decay)
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind(model.parameters(), rate, weight_decay=decay)
