"""The frame of every extraction: ask the victim within a budget, learn a surrogate from its answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.attacks.extraction.transcript import Imitation, Transcript, span
from hauberk.attacks.extraction.victim import Victim, thief_knowledge
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.models import Classifier, create
from hauberk.models.checks import check_images
from hauberk.models.training import TrainingPlan, accuracy, learn
from hauberk.threats import Bounds, Knowledge


@dataclass(frozen=True)
class Round:
    """A surrogate on the way.

    Args:
        queries: questions spent when it was learnt.
        agreement: share of the images asked about so far on which it predicts what the victim did. It learnt
            from these very images: agreement on others is for the evaluation to measure.
    """

    queries: int
    agreement: float


@dataclass(frozen=True, eq=False)
class Theft:
    """A stolen model and what it cost.

    Args:
        surrogate: in eval mode; its last ``evidence`` (kind ``training``) names the victim by digest.
        queries: images the victim was asked about.
        history: one row per surrogate learnt on the way, the last one being ``surrogate``.
        transcript: all questions and answers; a second surrogate can learn from it without a query.
        recipe: the thief with its settings, as text.
        seconds: wall clock.
    """

    surrogate: Classifier
    queries: int
    history: tuple[Round, ...]
    transcript: Transcript
    recipe: str
    seconds: float

    def __repr__(self) -> str:
        return f"Theft({self.recipe}: {self.queries} queries, {self.seconds:.1f} s)"


@dataclass(frozen=True, kw_only=True)
class Thief(ABC):
    """A configured, immutable callable that steals a classifier through its answers.

    Args:
        architecture: of the surrogate; a built-in name. It need not be the victim's.
        args: arguments of the architecture.
        plan: how the surrogate learns from the answers.
        least_steps: of the optimiser; with few answers the plan's epochs are raised to reach them.
    """

    name: ClassVar[str]

    architecture: str = "cnn"
    args: Mapping[str, Any] = field(default_factory=dict)
    plan: TrainingPlan = TrainingPlan(epochs=20, batch_size=32, learning_rate=2e-3, schedule="one-cycle")
    least_steps: int = 500

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.plan, TrainingPlan):
            raise ConfigError(f"{where}: plan must be a TrainingPlan, got {self.plan!r}")
        if not isinstance(self.args, Mapping):
            raise ConfigError(
                f"{where}: args must be a table of the architecture's arguments, got {self.args!r}"
            )
        require_count("least_steps", self.least_steps, where)

    def __repr__(self) -> str:
        parts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self))
        return f"{type(self).__name__}({parts})"

    @abstractmethod
    def run(self, attempt: Attempt) -> Classifier:
        """Spend the budget and return the surrogate."""

    def __call__(
        self,
        victim: Classifier,
        pool: Dataset,
        *,
        queries: int,
        knowledge: Knowledge | str = Knowledge.SCORES,
        seed: int = 0,
        name: str = "stolen",
        victim_name: str = "victim",
        progress: Progress = SILENT,
    ) -> Theft:
        """Steal a model.

        Args:
            victim: in eval mode; it is not changed.
            pool: the attacker's own images, in the victim's shape and bounds. Their labels are never read,
                and their classes need not be the victim's.
            queries: most images that the victim is asked about, in all.
            knowledge: ``scores`` (probabilities) or ``labels``: what the victim shows.
            seed: names all random choices: the same seed gives the same surrogate.
            name, victim_name: of surrogate and victim, for the evidence.

        Raises:
            ConfigError: a pool or a budget too small, settings of the surrogate that do not fit.
            DataError: pool images that do not fit the victim.
        """
        started = time.perf_counter()
        require_count("queries", queries, type(self).__name__)
        door = Victim(victim, queries=queries, knowledge=thief_knowledge(knowledge))
        if pool.input_shape != victim.input_shape:
            raise DataError(
                f"the pool {pool.name} has images {pool.input_shape}, the victim takes {victim.input_shape}"
            )
        images = check_images(victim, pool.images).detach().cpu().float()
        self.check_budget(queries, len(images))
        self._blank(images[:1], victim.labels, victim.bounds, seed)  # a misspelt argument must not cost queries
        source = {
            "victim": {"name": victim_name, "digest": victim.digest},
            "pool": pool.describe(),
            "knowledge": door.knowledge.word,
        }
        attempt = Attempt(self, victim, door, images, source, seed, name, progress)
        surrogate = self.run(attempt)
        return Theft(
            surrogate=surrogate,
            queries=door.spent,
            history=tuple(attempt.history),
            transcript=attempt.transcript,
            recipe=repr(self),
            seconds=time.perf_counter() - started,
        )

    @abstractmethod
    def check_budget(self, queries: int, pool: int) -> None:
        """Refuse what cannot be stolen with, before anything is asked.

        Args:
            pool: how many images there are.

        Raises:
            ConfigError: a pool or a budget too small for this thief.
        """

    def _blank(self, images: Tensor, labels: tuple[str, ...], bounds: Bounds, seed: int) -> Classifier:
        """The untrained surrogate, with the victim's input contract."""
        ground = torch.zeros(len(images), dtype=torch.int64)
        blank = create(
            self.architecture,
            Dataset("the victim's contract", images, ground, labels, span(bounds, images)),
            seed=seed,
            args=self.args,
        )
        blank.bounds = bounds  # a data set knows one range for all channels
        return blank

    def learn(
        self,
        transcript: Transcript,
        *,
        seed: int = 0,
        name: str = "stolen",
        device: str | torch.device = "cpu",
        progress: Progress = SILENT,
    ) -> Classifier:
        """A fresh surrogate from answers that have been paid for; asks nothing.

        With another ``architecture`` (``dataclasses.replace``) it gives further surrogates of the same theft.
        """
        data = transcript.dataset()
        blank = self._blank(data.images[:1], transcript.labels, transcript.bounds, seed)
        batches = max(1, len(data) // self.plan.batch_size)
        plan = replace(self.plan, epochs=max(self.plan.epochs, -(-self.least_steps // batches)))
        return learn(
            blank.to(device).eval(),
            data,
            plan,
            Imitation(transcript),
            kind="training",
            method=self.name,
            settings={**transcript.source, "queries": len(transcript), "thief": repr(self)},
            held_out=None,
            seed=seed,
            name=name,
            checkpoint=None,
            progress=progress,
        )


class Attempt:
    """One theft under way.

    Args:
        images: the attacker's pool, on the CPU, checked.

    ``history`` has a row for each surrogate learnt so far.
    """

    def __init__(
        self,
        thief: Thief,
        victim: Classifier,
        door: Victim,
        images: Tensor,
        source: dict[str, Any],
        seed: int,
        name: str,
        progress: Progress,
    ) -> None:
        self._thief, self._victim, self._door = thief, victim, door
        self.images = images
        self.seed, self.progress = seed, progress
        self.history: list[Round] = []
        self._source, self._name = source, name
        self._asked: list[Tensor] = []
        self._answers: list[Tensor] = []

    @property
    def queries(self) -> int:
        """The budget."""
        return self._door.queries

    @property
    def left(self) -> int:
        """Questions not yet asked."""
        return self._door.left

    def generator(self, *use: str | int) -> torch.Generator:
        """A random stream of its own for each use."""
        return torch.Generator().manual_seed(derive_seed(self.seed, self._thief.name, *use))

    def ask(self, images: Tensor) -> Tensor:
        """Ask the victim, and keep the answers ``(n, classes)``."""
        answers = self._door.ask(images)
        self._asked.append(images)
        self._answers.append(answers)
        return answers

    @property
    def transcript(self) -> Transcript:
        """Everything asked and answered so far."""
        return Transcript(
            images=torch.cat(self._asked),
            answers=torch.cat(self._answers),
            labels=self._victim.labels,
            bounds=self._victim.bounds,
            knowledge=self._door.knowledge,
            source=self._source,
        )

    def learn(self) -> Classifier:
        """A fresh surrogate from all answers so far; adds a row to the history."""
        transcript = self.transcript
        surrogate = self._thief.learn(
            transcript,
            seed=self.seed,
            name=self._name,
            device=self._victim.device,
            progress=self.progress,
        )
        agreement = accuracy(surrogate, transcript.images, transcript.answers.argmax(dim=1))
        self.history.append(Round(self._door.spent, agreement))
        return surrogate
