"""The frame of every poisoner: check the question, let it work on a copy, check what it did."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hauberk.attacks.poisoning.trigger import Trigger
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import write_atomic
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_number
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, probe
from hauberk.models.twin import fast_twin, pass_size, passes
from hauberk.threats import Streams

_ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996 in binary, and 29 is meant


@dataclass(frozen=True, eq=False)
class Poisoned:
    """What a poisoner hands out. How much harm it does is for ``evaluation`` to say.

    Args:
        data: the poisoned training data.
        touched: boolean ``(n,)``: where image or label differ from the data that was given.
        trigger: stamps images so that the backdoor opens; None where there is none.
        target: the class that the attacker wants to be read, or None.
        source: the class whose images are to be misread, or None for all others.
        recipe: the poisoner's repr.
        seed: named its random choices.
        reference: digest of the classifier that it consulted, or None.
    """

    data: Dataset
    touched: Tensor
    trigger: Trigger | None
    target: int | None
    source: int | None
    recipe: str
    seed: int
    reference: str | None

    def save(self, path: str | Path) -> Path:
        """Images, labels, what was touched (uint8) and the trigger's mask and pattern, as safetensors.

        All else is text in the file's metadata; ``load`` reads it back.
        """
        tensors = {
            "images": self.data.images.contiguous(),
            "labels": self.data.labels,
            "touched": self.touched.to(torch.uint8),
        }
        if self.trigger is not None:
            tensors |= {"trigger_mask": self.trigger.mask, "trigger_pattern": self.trigger.pattern}
        known = {
            "dataset": self.data.name,
            "recipe": self.recipe,
            "seed": self.seed,
            "target": self.target,
            "source": self.source,
            "reference": self.reference,
            "trigger": None if self.trigger is None else self.trigger.recipe,
        }
        facts = {key: str(value) for key, value in known.items() if value is not None}
        return write_atomic(Path(path), safetensors.torch.save(tensors, metadata=facts))

    @classmethod
    def load(cls, path: str | Path, origin: Dataset) -> Poisoned:
        """Read a file that ``save`` wrote.

        Args:
            origin: the data set that was poisoned, of which the file holds the first so many samples; it
                knows names of classes and bounds.

        Raises:
            DataError: no such file, another format, or more samples or other images than ``origin``.
        """
        tensors, facts = _read(Path(path))
        images, labels, touched = (tensors[name] for name in ("images", "labels", "touched"))
        if len(images) > len(origin) or tuple(images.shape[1:]) != origin.input_shape:
            raise DataError(f"{path} holds {tuple(images.shape)}, which were not made from {origin.name}")
        if touched.shape != labels.shape:
            raise DataError(f"{path}: {len(touched)} rows of 'touched' for {len(labels)} labels")
        trigger = None
        if "trigger_mask" in tensors:
            recipe = facts.get("trigger", "from a file")
            trigger = Trigger(tensors["trigger_mask"], tensors["trigger_pattern"], recipe)
        try:
            seed, target, source = (
                int(facts[key]) if key in facts else None for key in ("seed", "target", "source")
            )
        except ValueError as error:
            raise DataError(f"{path}: seed, target and source are whole numbers; {error}") from error
        return cls(
            data=replace(origin, name=facts.get("dataset", origin.name), images=images, labels=labels),
            touched=touched.bool(),
            trigger=trigger,
            target=target,
            source=source,
            recipe=facts.get("recipe", "unknown"),
            seed=seed or 0,
            reference=facts.get("reference"),
        )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file of poisoned data."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            facts = dict(file.metadata() or {})
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{path} cannot be read: {str(error).splitlines()[0]}", hint="hauberk poison --out DIR writes one"
        ) from error
    lacking = sorted({"images", "labels", "touched"} - tensors.keys())
    if lacking or ("trigger_mask" in tensors) != ("trigger_pattern" in tensors):
        raise DataError(f"{path} does not hold poisoned data: '{(lacking or ['half a trigger'])[0]}' lacks")
    return tensors, facts


@dataclass(frozen=True, eq=False)
class Job:
    """One data set to poison.

    Args:
        data: as given; never to be changed.
        classifier: the reference, frozen, or None.
        streams: one for each sample of ``data``.
        count: how many samples are to be touched.
    """

    data: Dataset
    seed: int
    classifier: Classifier | None
    streams: Streams
    count: int
    progress: Progress

    def draw(self, rows: Tensor) -> Tensor:
        """``count`` of ``rows`` at random. A larger count with the same seed draws the same ones and more."""
        order = self.streams[rows].bits(()).argsort()
        return rows[order[: self.count]].sort().values

    @torch.no_grad()
    def logits(self) -> Tensor:
        """The reference's answers to all images, float64 ``(n, classes)`` on the CPU."""
        assert self.classifier is not None
        images = self.data.images
        parts = [
            self.classifier(images[part].to(self.classifier.device)).double().cpu()
            for part in passes(len(images), pass_size(self.classifier))
        ]
        return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class Changes:
    """What a poisoner did.

    Args:
        rows: int64 ``(k,)``, which samples.
        labels: int64 ``(k,)``, their new labels.
        images: their new images, or None where they stay.
    """

    rows: Tensor
    labels: Tensor
    images: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Poisoner(ABC):
    """A configured, immutable callable. Its ``repr`` is complete and goes into the evidence.

    Args:
        rate: share of the whole data set that is touched, in (0, 1]. ``floor(rate * n)`` samples are: never
            more than the rate says. The same seed with a higher rate touches the same samples and more.
    """

    name: ClassVar[str]
    needs_reference: ClassVar[bool] = False

    rate: float = 0.05

    def __post_init__(self) -> None:
        require_number("rate", self.rate, type(self).__name__)
        if not 0 < self.rate <= 1:
            raise ConfigError(f"{type(self).__name__}: rate is a share in (0, 1], got {self.rate!r}")

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @abstractmethod
    def eligible(self, data: Dataset) -> Tensor:
        """Boolean ``(n,)``: which samples may be touched at all; refuses settings that do not fit."""

    @abstractmethod
    def run(self, job: Job) -> Changes:
        """Choose ``job.count`` eligible samples and say what becomes of them."""

    def stamp(self, job: Job) -> Trigger | None:
        """The trigger, made anew for shape and bounds of the data; the same for the same job."""
        return None

    def wants(self) -> tuple[int | None, int | None]:
        """(source, target)"""
        return None, None

    def __call__(
        self,
        data: Dataset,
        *,
        seed: int = 0,
        classifier: Classifier | None = None,
        progress: Progress = SILENT,
    ) -> Poisoned:
        """Poison a copy of the data.

        Args:
            data: clean training data; it is not changed.
            seed: names all random choices; each sample has a stream of its own.
            classifier: the attacker's reference model in eval mode, for poisoners that consult one. It should
                not be the victim: whoever poisons data does not know what will be trained on it.

        Returns:
            ``Poisoned``, of which ``touched`` holds exactly ``floor(rate * n)`` samples and all else is as it
            was; images stay within the data's bounds. Where no image changes, the images are shared.

        Raises:
            ConfigError: a class that the data does not have, a rate too low for one sample or too high for the
                samples that may be touched, a trigger larger than the images, no reference where one is
                needed, or one that does not fit the data.
            UnsupportedModel: a reference that returns probabilities in place of logits.
        """
        if not isinstance(data, Dataset):
            raise ConfigError(f"{self.name} poisons a hauberk Dataset, got {type(data).__name__}")
        if len(data.classes) < 2:
            raise ConfigError(f"{data.name} has one class only: there is nothing to take it for")
        reference = self._check_reference(data, classifier)
        job = Job(
            data=data,
            seed=seed,
            classifier=reference,
            streams=Streams.for_samples(seed, torch.arange(len(data)), "poisoning", self.name),
            count=self.count(data),
            progress=progress,
        )
        changes = self.run(job)
        images, labels = data.images, data.labels.clone()
        labels[changes.rows] = changes.labels
        if changes.images is not None:
            images = images.clone()
            images[changes.rows] = changes.images
        touched = torch.zeros(len(data), dtype=torch.bool)
        touched[changes.rows] = True
        assert int(touched.sum()) == job.count
        source, target = self.wants()
        return Poisoned(
            data=replace(  # which refuses what leaves the bounds
                data, name=f"{data.name}[{self.name} {job.count}]", images=images, labels=labels
            ),
            touched=touched,
            trigger=self.stamp(job),
            target=target,
            source=source,
            recipe=repr(self),
            seed=seed,
            reference=classifier.digest if classifier is not None and self.needs_reference else None,
        )

    def _check_reference(self, data: Dataset, classifier: Classifier | None) -> Classifier | None:
        if not self.needs_reference:
            return None
        if classifier is None:
            raise ConfigError(
                f"{self.name} works with a reference model: pass classifier=, one trained on clean data"
            )
        check_classifier(classifier)
        if classifier.input_shape != data.input_shape or classifier.num_classes != len(data.classes):
            raise ConfigError(
                f"the reference takes {classifier.input_shape} and has {classifier.num_classes} classes, "
                f"{data.name} has images {data.input_shape} and {len(data.classes)} classes"
            )
        probe(classifier, data.images)
        return fast_twin(classifier)

    def count(self, data: Dataset) -> int:
        """How many samples of the data are to be touched; raises ``ConfigError`` as the call itself."""
        available = int(self.eligible(data).sum())
        count = math.floor(self.rate * len(data) + _ROUNDING)
        if count < 1:
            raise ConfigError(
                f"a rate of {self.rate:g} touches not one of {len(data)} samples; "
                f"the least that does is {math.ceil(1e6 / len(data)) / 1e6:g}"
            )
        if count > available:
            most = math.floor(1e4 * available / len(data)) / 1e4
            raise ConfigError(
                f"a rate of {self.rate:g} asks for {count} of {len(data)} samples, {self.name} may touch only "
                f"{available} of them; the rate is a share of the whole data set, here at most {most:g}"
            )
        return count


def require_class(name: str, value: object, where: str) -> None:
    """The number of a class, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(f"{where}: {name} is the number of a class, 0 or more, got {value!r}")


def check_class(name: str, value: int, data: Dataset) -> None:
    """A class that the data has."""
    if value >= len(data.classes):
        raise ConfigError(f"{name} {value} is not one of the {len(data.classes)} classes of {data.name}")
