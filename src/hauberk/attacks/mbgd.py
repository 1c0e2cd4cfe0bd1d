"""Mini-batched iterative gradient attack ("MBGD" in the field's Chinese texts), and attacks over streams.

``MBGD`` walks as BIM does and stops where nothing more is gained; ``stream`` runs any attack over data of any
size, one mini-batch in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Attack, Problem
from hauberk.attacks.gradient import Batch, Record
from hauberk.attacks.objectives import attacker_margin
from hauberk.attacks.oracle import Look
from hauberk.attacks.pgd import Iterative
from hauberk.attacks.result import AttackResult
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.settings import require_count, require_number
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.twin import passes
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True, repr=False)
class MBGD(Iterative):
    """Small steps from the image itself, with a stop rule: a sample leaves when fooled or when it is stuck.

    The gap in logits that keeps a sample from being fooled must shrink, again and again, by ``tolerance`` of
    what it was at the start; the sample is stuck when ``patience`` looks have passed since it last did.

    Args:
        tolerance: least progress that counts, as a share of the gap at the start (0: any progress at all).
        patience: looks without progress after which a sample is given up.

    Cost: as BIM at most; a stuck sample is spared what is left of its ``steps``.
    Limits: a sample given up may still be fooled by another attack; ``patience=steps`` gives up none.
    Source: Kurakin, Goodfellow, Bengio, ICLR 2017 workshop, on mini-batches. The stop rule works on each
        sample, where the texts watch the mean loss of a batch, so that a result does not depend on its
        neighbours; and on the gap in logits, because the cross-entropy of a sure model rounds to 0 long before
        its gradient does. Default step 2.5 eps / steps, so that there is something left to save at the ball's
        edge.
    """

    name: ClassVar[str] = "mbgd"
    reach: ClassVar[float] = 2.5

    tolerance: float = 0.01
    patience: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("tolerance", self.tolerance, "MBGD")
        if self.tolerance < 0:
            raise ConfigError(f"MBGD: tolerance cannot be negative, got {self.tolerance!r}")
        require_count("patience", self.patience, "MBGD")

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        targets = None if problem.targets is None else problem.targets[batch.rows]
        gap = -attacker_margin(look.logits, batch.labels, targets).float()
        if number == 0:
            batch.memory |= {"needed": self.tolerance * gap, "smallest": gap, "waited": torch.zeros_like(gap)}
        else:
            smallest = batch.memory["smallest"]
            progress = gap < smallest - batch.memory["needed"]
            batch.memory["smallest"] = torch.where(progress, gap, smallest)
            batch.memory["waited"] = torch.where(progress, 0.0, batch.memory["waited"] + 1)
        return super().step(number, problem, batch, look)

    def _within_budget(self, problem: Problem, record: Record, batch: Batch) -> Batch:
        """Before each question the stuck leave too: one more would be wasted on them."""
        waited = batch.memory.get("waited")
        if waited is not None:
            batch = batch.keep(waited < self.patience)
        return super()._within_budget(problem, record, batch)


def stream(
    attack: Attack,
    classifier: Classifier,
    batches: Dataset | Iterable[tuple[Tensor, ...]],
    threat: ThreatModel | Geometry,
    *,
    seed: int = 0,
    first_index: int = 0,
    batch_size: int = 256,
    gradients_from: Classifier | None = None,
) -> Iterator[AttackResult]:
    """Attack mini-batch after mini-batch, holding one at a time.

    Samples are numbered through the stream, and a sample's number names its random choices: the verdicts do
    not depend on how the stream was cut, and are those of one call on all of it.

    Args:
        batches: a data set, or anything that yields ``(images, labels)`` or, for a targeted threat,
            ``(images, labels, targets)``; batches may differ in size.
        first_index: number of the first sample, for a stream that goes on where another ended.
        batch_size: samples at a time from a data set; batches of an iterable come as they are.
        seed, gradients_from: as in ``Attack``.

    Yields:
        one ``AttackResult`` a batch, made when it is asked for.

    Raises:
        ConfigError, UnsupportedModel: as the attack.
        DataError: a batch that cannot be right, by its number in the stream.

    Cost: memory for one batch, its candidates and the attack's own state, however long the stream is.
    """
    if not isinstance(attack, Attack):
        raise ConfigError(f"stream takes a configured attack such as MBGD(), got {attack!r}")
    require_count("batch_size", batch_size, "stream")
    require_count("first_index", first_index, "stream", least=0)
    threat = ThreatModel.of(threat)
    if isinstance(batches, Dataset):
        if threat.targeted:
            raise ConfigError(
                "a data set brings no targets", hint="stream batches of (images, labels, targets) instead"
            )
        batches = _cut(batches, batch_size)
    elif not isinstance(batches, Iterable) or isinstance(batches, Tensor):
        raise ConfigError(f"stream takes a Dataset or an iterable of batches, got {type(batches).__name__}")
    return _flow(attack, classifier, batches, threat, seed, first_index, gradients_from)


def _cut(data: Dataset, size: int) -> Iterator[tuple[Tensor, ...]]:
    for part in passes(len(data), size):
        yield data.images[part], data.labels[part]


def _flow(
    attack: Attack,
    classifier: Classifier,
    batches: Iterable[tuple[Tensor, ...]],
    threat: ThreatModel,
    seed: int,
    index: int,
    gradients_from: Classifier | None,
) -> Iterator[AttackResult]:
    number = 0
    for batch in batches:  # not enumerate, which keeps a batch until the next one is made
        images, labels, targets = _parts(batch, number)
        count = len(images)
        try:
            result = attack(
                classifier,
                images,
                labels,
                threat,
                targets=targets,
                seed=seed,
                indices=torch.arange(index, index + count),
                gradients_from=gradients_from,
            )
        except DataError as error:
            raise DataError(f"batch {number} of the stream: {error}", hint=error.hint, batch=number) from error
        del batch, images, labels, targets
        yield result
        del result
        number, index = number + 1, index + count


def _parts(batch: object, number: int) -> tuple[Tensor, Tensor, Tensor | None]:
    parts: list[object] = list(batch) if isinstance(batch, tuple | list) else []
    tensors = [one for one in parts if isinstance(one, Tensor) and one.ndim > 0]
    if len(tensors) != len(parts) or len(parts) not in (2, 3):
        raise DataError(
            f"batch {number} of the stream must be tensors (images, labels) or (images, labels, targets), got "
            f"{type(batch).__name__}",
            batch=number,
        )
    return tensors[0], tensors[1], tensors[2] if len(tensors) == 3 else None
