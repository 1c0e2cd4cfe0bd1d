"""The training behind ``train`` and every training-time defence; what differs is the lesson."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from torch import nn

from hauberk.compute import RayTrain
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.datasets.augmentation import augmentations
from hauberk.models.checks import check_shape
from hauberk.models.classifier import Classifier
from hauberk.models.training.lesson import Lesson, Plain
from hauberk.models.training.plan import TrainingPlan
from hauberk.models.training.run import Run, TrainingDiverged
from hauberk.models.training.together import check_shares, follow


def train(
    classifier: Classifier,
    data: Dataset,
    plan: TrainingPlan | None = None,
    *,
    held_out: Dataset | None = None,
    seed: int = 0,
    name: str = "model",
    checkpoint: str | Path | None = None,
    workers: RayTrain | None = None,
    progress: Progress = SILENT,
) -> Classifier:
    """Train a copy of a classifier on the images as they are.

    Args:
        held_out: data for the accuracy by epoch and for choosing the best epoch; None takes the last epoch.
        name: of the model, for its evidence.
        checkpoint: file to resume from and to keep up to date after each epoch. It stays when training is
            done, so that nothing is lost before the caller has saved the result; delete it then.
        workers: who trains together; None for this process alone. Each takes its share of every batch, and the
            result is that of this process up to rounding; the checkpoint is the same, whoever goes on from it.

    Returns:
        a new classifier in eval mode, whose last ``evidence`` (kind ``training``) has the history.

    Raises:
        ConfigError: data that does not fit the classifier, or a checkpoint of another run.
        TrainingDiverged: the loss is no longer a number.
    """
    _check_fits(classifier, data)
    check_labels_differ(data)
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
        workers=workers,
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
    workers: RayTrain | None = None,
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
    _check_can_learn(classifier, data, plan, lesson, method)
    if workers is not None:
        check_shares(plan, data, workers)
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
    run = Run(classifier, data, plan, lesson, held_out, seed)
    path = Path(checkpoint) if checkpoint is not None else None
    identity = digest({"parameters": parameters, "inputs": inputs, "seed": seed, "start": classifier.digest})
    run.resume(path, identity)
    seconds_before = run.seconds_before
    progress.begin(method if kind == "hardening" else "training", (plan.epochs - run.epoch) * run.batches)
    diverged: TrainingDiverged | None = None
    epochs = _alone(run, path, identity, progress)
    if workers is not None and run.epoch < plan.epochs:
        epochs = follow(run, workers, path, identity, progress)
    try:
        for _ in epochs:
            pass
    except TrainingDiverged as error:
        diverged = error
        run.go_back()
    progress.end()
    if diverged is not None and not run.epoch:
        raise diverged
    trained = run.result()
    evidence = Evidence(
        kind=kind,
        subject={"name": name, "digest": trained.digest},
        inputs=inputs,
        parameters={**parameters, **({"workers": workers.size} if workers else {})},
        result={
            "history": run.history,
            "best_epoch": min(run.best_epoch, run.epoch),
            **({"diverged": run.epoch + 1} if diverged else {}),
            "parameters_count": sum(one.numel() for one in trained.parameters()),
        },
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started + seconds_before, 3),
    )
    trained.evidence = (*classifier.evidence, evidence)
    if diverged is not None:
        diverged.facts["last_good"] = trained
        raise diverged
    return trained


def _alone(run: Run, path: Path | None, identity: str, progress: Progress) -> Iterator[None]:
    """Do what is left of ``run``, an epoch at a time."""
    while run.epoch < run.plan.epochs:
        run.one_epoch(progress)
        run.save(path, identity)
        yield


def _check_fits(classifier: Classifier, data: Dataset) -> None:
    check_shape(classifier, data)
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


def check_labels_differ(data: Dataset) -> None:
    """Truth to learn from must tell at least two classes apart.

    Raises:
        DataError: all labels are the same.
    """
    if len(set(data.labels.tolist())) < 2:
        raise DataError(f"all {len(data)} images of {data.name} have one label: there is nothing to tell apart")


def check_mixing(plan: TrainingPlan, mixes: bool, method: str) -> None:
    """Augmentation that mixes labels needs a method that understands them.

    Raises:
        ConfigError: this one does not.
    """
    mixing = [one.name for one in augmentations(plan.augment) if one.mixes]
    if mixing and not mixes:
        raise ConfigError(
            f"{mixing[0]} mixes labels, which method {method} cannot learn from",
            hint="leave it out of augment, or use it with method augment or distill",
        )


def _check_can_learn(
    classifier: Classifier, data: Dataset, plan: TrainingPlan, lesson: Lesson, method: str
) -> None:
    if classifier.rejects:
        raise ConfigError(
            "a classifier that rejects inputs cannot be trained further",
            hint="train first, and add the detector last",
        )
    check_mixing(plan, lesson.mixes, method)
    alone = min(plan.batch_size, len(data)) == 1
    if alone and any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in classifier.modules()):
        raise ConfigError(
            "batch norm cannot learn from batches of one image", hint="raise batch_size (batch_size=64)"
        )
