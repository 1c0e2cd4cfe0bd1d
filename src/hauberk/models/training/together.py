"""A training run that several workers share: what is sent to them, and what comes back."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hauberk.compute import Member, RayTrain
from hauberk.core.errors import ConfigError
from hauberk.core.files import write_atomic
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.models.classifier import Classifier
from hauberk.models.training.lesson import Lesson
from hauberk.models.training.plan import TrainingPlan
from hauberk.models.training.run import Run
from hauberk.models.training.team import Team


@dataclass(frozen=True, eq=False)
class _Order:
    """What every worker must know."""

    classifier: Classifier
    data: Dataset
    plan: TrainingPlan
    lesson: Lesson
    held_out: Dataset | None
    seed: int
    identity: str


def check_shares(plan: TrainingPlan, data: Dataset, workers: RayTrain) -> None:
    """A batch that can be shared.

    Raises:
        ConfigError: fewer images than workers.
    """
    batch = min(plan.batch_size, len(data))
    if batch < workers.size:
        raise ConfigError(f"a batch of {batch} images cannot be shared by {workers.size} workers")


def follow(run: Run, workers: RayTrain, path: Path | None, identity: str, progress: Progress) -> Iterator[None]:
    """Let ``workers`` do what is left of ``run``; after each epoch, it and the file stand where they do."""
    order = _Order(
        copy.deepcopy(run.start).cpu(), run.data, run.plan, run.lesson, run.held_out, run.seed, identity
    )
    kept = path.read_bytes() if path is not None and path.exists() else None
    with tempfile.TemporaryDirectory() as folder:
        place = path or Path(folder, "checkpoint")
        gpus = run.model.device.type == "cuda"
        for left in workers.together(_take_part, shared=order, kept=kept, gpus=gpus):
            progress.advance(left.ticks, left.note)
            if left.kept is not None:
                write_atomic(place, left.kept)
                run.resume(place, identity)
                yield


def _take_part(member: Member, order: _Order) -> None:
    """In a worker: the rest of the run, as one of the team; the first one keeps each epoch's checkpoint."""
    run = Run(
        order.classifier.to(member.device),
        order.data,
        order.plan,
        order.lesson,
        order.held_out,
        order.seed,
        Team(member.rank, member.size),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint")
        if member.kept is not None:
            path.write_bytes(member.kept)
            run.resume(path, order.identity)
        while run.epoch < order.plan.epochs:
            run.one_epoch(SILENT if member.rank else member)
            if not member.rank:
                run.save(path, order.identity)
                member.keep(path.read_bytes())
