"""Private training as one configured object: a budget in, a classifier and what it cost out."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_positive
from hauberk.datasets import Dataset
from hauberk.datasets.augmentation import augmentations
from hauberk.models import Classifier
from hauberk.models.checks import check_images, check_shape
from hauberk.models.training import TrainingDiverged, TrainingPlan, check_labels_differ
from hauberk.privacy.training.accounting import Cost, accountant, calibrate, check_delta, check_epsilon
from hauberk.privacy.training.book import Clip, Clipping
from hauberk.privacy.training.noise import NoiseSource
from hauberk.privacy.training.run import PrivateRun, Recipe, steps_per_epoch

_WHERE = "PrivateTraining"
_FEWEST = 100  # examples; below, what noise leaves of a step is no direction


def suggested_plan(examples: int) -> TrainingPlan:
    """Large batches and many passes: what noise leaves most of (Tramèr and Boneh 2021; De et al. 2022)."""
    return TrainingPlan(
        epochs=40, batch_size=max(1, examples // 8), optimizer="sgd", learning_rate=1.5, averaging=0.9
    )


@dataclass(frozen=True, kw_only=True)
class PrivateTraining:
    """Training after which nobody can tell, up to (epsilon, delta), whether one example was in the data:
    DP-SGD.

    Args:
        epsilon, delta: the budget of the whole plan; ``delta`` below one over the number of examples. One
            example more or less changes the chance of any outcome by at most a factor ``e^epsilon``, plus
            ``delta``.
        clip: L2 norm to which each example's gradient is shortened.
        clipping: ``abadi`` or ``automatic``; see ``Clip``.
        multiplicity: augmented copies of each example in a step, whose gradients are averaged before clipping
            (De et al. 2022); needs ``plan.augment``. Costs time, not privacy.
        physical_batch: images in a pass; bounds memory, changes nothing else. None: as suits the device.
        plan: how to learn; None: ``suggested_plan`` for the data. ``batch_size`` is the mean size of a batch,
            which chance draws (Poisson sampling). ``averaging`` helps nearly always. ``weight_perturbation``
            must be 0, and what mixes labels stays out of ``augment``.

    Raises:
        ConfigError: settings that cannot be.

    Limits: the promise is about one example: of a person with several, each more one adds its own epsilon. The
        number of examples and the set of labels count as known. What the classifier learnt before is looked at
        only where its record names the very same data, which is refused. Held-out data and settings that you
        chose by looking at private data are outside of the budget. The evidence names the data by digest, which
        lets somebody who holds all of it confirm so; leave it out of what you publish where that matters. For
        the noise's arithmetic see ``NoiseSource``; ghost norms are float32 and right to about 1e-5.
    Source: Abadi et al., Deep learning with differential privacy, CCS 2016, algorithm 1, with momentum or Adam
        on the noisy mean; the sum is divided by the mean size of a batch, which is no secret, not by the drawn
        one.
    """

    epsilon: float
    delta: float
    clip: float = 1.0
    clipping: Clipping = "abadi"
    multiplicity: int = 1
    physical_batch: int | None = None
    plan: TrainingPlan | None = None

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon)
        check_delta(self.delta)
        require_positive("clip", self.clip, _WHERE)
        check_known([self.clipping], ("abadi", "automatic"), what="clipping", where=_WHERE)
        require_count("multiplicity", self.multiplicity, _WHERE, most=1024)
        if self.physical_batch is not None:
            require_count("physical_batch", self.physical_batch, _WHERE)
        plan = self.plan or TrainingPlan()
        if plan.weight_perturbation:
            raise ConfigError(
                f"{_WHERE}: weight_perturbation looks at the data a second time, outside of the budget"
            )
        mixing = [one.name for one in augmentations(plan.augment) if one.mixes]
        if mixing:
            raise ConfigError(f"{_WHERE}: {mixing[0]} mixes people, so that none has a gradient of his own")
        if self.multiplicity > 1 and not plan.augment:
            raise ConfigError(
                f"{_WHERE}: multiplicity {self.multiplicity} without augment would repeat the same image"
            )

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        *,
        seed: int = 0,
        name: str = "model",
        checkpoint: str | Path | None = None,
        stop_after: int | None = None,
        noise: NoiseSource | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """Train a copy of a classifier.

        Args:
            seed: of dropout and augmentation. It never has a part in the noise or in who is drawn, so that a
                repetition gives another model.
            checkpoint: file to go on from and to keep; see ``hauberk.train``. What was begun counts as spent.
            stop_after: epochs at most in this call; the rest of the plan may follow from the checkpoint. The
                noise fits the whole plan, so that a run that stops early has spent less.
            noise: for tests; None takes a fresh one.

        Returns:
            a new classifier in eval mode. Its last ``evidence`` (kind ``training``) has ``result.privacy``.

        Raises:
            ConfigError, DataError: data that does not fit the classifier or the budget.
            UnsupportedModel: a layer with which nobody's share can be bounded, such as batch norm.
            TrainingDiverged: the weights are no longer numbers; ``facts['last_good']`` is the epoch before.
            DependencyMissing: no accountant is installed.
        """
        started = time.perf_counter()
        self._check(classifier, data)
        if stop_after is not None:
            require_count("stop_after", stop_after, f"{_WHERE}.fit")
        plan = self.plan or suggested_plan(len(data))
        rate, steps = plan.batch_size / len(data), steps_per_epoch(plan, len(data)) * plan.epochs
        multiplier = calibrate(self.epsilon, self.delta, rate=rate, steps=steps)
        parameters = {
            "architecture": classifier.architecture,
            "plan": asdict(plan),
            "method": "private",
            **{key: getattr(self, key) for key in ("epsilon", "delta", "clip", "clipping", "multiplicity")},
        }
        inputs: dict[str, Any] = {"dataset": data.describe()}
        if classifier.evidence:
            inputs["model"] = dict(classifier.evidence[-1].subject)
        identity = digest(
            {"parameters": parameters, "inputs": inputs, "seed": seed, "start": classifier.digest}
        )
        recipe = Recipe(Clip(self.clip, self.clipping), multiplier, self.multiplicity, self.physical_batch)
        run = PrivateRun(classifier, data, plan, recipe, seed, noise or NoiseSource())
        path = Path(checkpoint) if checkpoint is not None else None
        run.resume(path, identity)
        trained, diverged = _go(run, path, identity, stop_after, progress)
        cost = Cost(rate, multiplier, run.steps)
        evidence = Evidence(
            kind="training",
            subject={"name": name, "digest": trained.digest},
            inputs=inputs,
            parameters=parameters,
            result={
                "history": run.history,
                "best_epoch": run.history[-1]["epoch"] if run.history else 0,
                **({"diverged": run.epoch} if diverged else {}),
                "parameters_count": sum(one.numel() for one in trained.parameters()),
                "privacy": {
                    "epsilon": cost.epsilon(self.delta),
                    "delta": self.delta,
                    "unit": "one example",
                    "adjacency": "added or removed",
                    "sampling": "poisson",
                    "rate": rate,
                    "noise_multiplier": multiplier,
                    "clip": self.clip,
                    "steps": run.steps,
                    "steps_planned": steps,
                    "accountant": accountant(),
                    "noise": "for tests" if run.noise.for_tests else "AES-256-CTR",
                },
            },
            seed=seed,
            parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
            duration_s=round(time.perf_counter() - started + run.seconds_before, 3),
            versions=software_versions(("hauberk", "torch", "numpy", "cryptography", "dp-accounting")),
        )
        trained.evidence = (*classifier.evidence, evidence)
        if diverged is not None:
            diverged.facts["last_good"] = trained if run.history else None
            raise diverged
        return trained

    def _check(self, classifier: Classifier, data: Dataset) -> None:
        check_shape(classifier, data)
        if len(data.classes) != classifier.num_classes:
            raise ConfigError(
                f"{data.name} has {len(data.classes)} classes, the classifier {classifier.num_classes}"
            )
        check_images(classifier, data.images)
        check_labels_differ(data)
        if len(classifier.defences):
            raise ConfigError(
                "private training takes a network without parts around it",
                hint="train first, add the parts last",
            )
        learnt = [one.inputs["dataset"] for one in classifier.evidence if one.kind in ("training", "hardening")]
        if data.digest in [one["digest"] for one in learnt]:
            raise ConfigError(
                f"the classifier has learnt from {data.name} before: what that gave away is not in this budget",
                hint="start from a fresh network, or from one that learnt from public data",
            )
        if len(data) < _FEWEST:
            raise DataError(
                f"{data.name} has {len(data)} examples; below {_FEWEST} nothing can be learnt privately"
            )
        if self.delta * len(data) >= 1:
            raise ConfigError(
                f"delta {self.delta:g} must be below one over the number of examples (1/{len(data)}): it is "
                "the chance that somebody is given away altogether",
                hint=f"delta = {0.1 / len(data):.0e}",
            )
        if self.plan is not None and self.plan.batch_size > len(data):
            raise ConfigError(
                f"batch_size {self.plan.batch_size} is more than the {len(data)} examples of {data.name}"
            )


def _go(
    run: PrivateRun, path: Path | None, identity: str, stop_after: int | None, progress: Progress
) -> tuple[Classifier, TrainingDiverged | None]:
    """Do what is left, or ``stop_after`` epochs of it; the classifier as the last good epoch left it."""
    last = run.plan.epochs if stop_after is None else min(run.plan.epochs, run.epoch + stop_after)
    progress.begin("private training", (last - run.epoch) * run.per_epoch)
    good = run.result()
    try:
        while run.epoch < last:
            run.save(path, identity, begun=run.epoch + 1)
            run.one_epoch(progress)
            good = run.result()
        run.save(path, identity, begun=run.epoch)
    except TrainingDiverged as error:
        return good, error
    finally:
        progress.end()
    return good, None
