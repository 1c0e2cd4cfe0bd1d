"""One evaluation under way: stages run one after the other, each with a seed and a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.evaluation.board import AttackRow, Board, Team
from hauberk.evaluation.cascade import Stage
from hauberk.models import Classifier


class Campaign:
    """Runs stages on a board and remembers what each did.

    ``rows`` are in the order run; ``stages`` beside them. ``gradients_from`` is what the caller gave for all.
    """

    def __init__(
        self,
        board: Board,
        seed: int,
        team: Team,
        gradients_from: Classifier | None,
        progress: Progress,
    ) -> None:
        self.board = board
        self.rows: list[AttackRow] = []
        self.stages: list[Stage] = []
        self._seed, self._team, self._progress = seed, team, progress
        self.gradients_from = gradients_from
        self._names: dict[str, int] = {}

    def run(self, stages: Sequence[Stage], *, alone: bool = False) -> list[AttackRow]:
        """Run stages; returns their rows."""
        return [self._run_one(stage, alone=alone) for stage in stages]

    def _run_one(self, stage: Stage, *, alone: bool) -> AttackRow:
        if stage.gradients_from is None and self.gradients_from is not None and stage.attack.takes_gradients:
            stage = replace(stage, gradients_from=self.gradients_from)
        # a seed for each place in the order: two PGDs must not start from the same points
        own = derive_seed(self._seed, "attack", len(self.rows))
        row = self.board.run(self._name(stage), stage, own, self._team, self._progress, alone=alone)
        self.rows.append(row)
        self.stages.append(stage)
        return row

    def _name(self, stage: Stage) -> str:
        """A name that no other stage has: ``pgd``, ``pgd-2``."""
        count = self._names[stage.label] = self._names.get(stage.label, 0) + 1
        return stage.label if count == 1 else f"{stage.label}-{count}"
