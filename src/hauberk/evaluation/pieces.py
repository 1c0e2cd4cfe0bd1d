"""A stage cut in pieces: what one worker does at a time, and what a stopped run does not do again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.compute import Workers
from hauberk.core.canonical import digest
from hauberk.core.progress import SILENT, Progress
from hauberk.evaluation.chance import drawing
from hauberk.evaluation.journal import Journal
from hauberk.models import Classifier
from hauberk.threats import ThreatModel

_PIECE = 256  # samples; small enough to lose little, large enough to keep the machine busy


@dataclass(frozen=True, eq=False)
class Piece:
    """Some samples under one attack.

    Args:
        rows: int64, their places in the evaluation.
        indices: int64, their numbers in the data set, which name their random streams.
    """

    name: str
    attack: Attack
    threat: ThreatModel
    seed: int
    rows: Tensor
    images: Tensor
    labels: Tensor
    targets: Tensor | None
    indices: Tensor
    starts: Tensor | None
    gradients_from: Classifier | None

    def cut(self) -> list[Piece]:
        """The same work in pieces of a fixed size, whatever the number of workers."""
        parts = torch.split(torch.arange(len(self.rows)), _PIECE)
        return [self._part(number, rows) for number, rows in enumerate(parts)]

    def _part(self, number: int, rows: Tensor) -> Piece:
        return Piece(
            f"{self.name}-{number:04d}",
            self.attack,
            self.threat,
            self.seed,
            self.rows[rows],
            self.images[rows],
            self.labels[rows],
            None if self.targets is None else self.targets[rows],
            self.indices[rows],
            None if self.starts is None else self.starts[rows],
            self.gradients_from,
        )

    @property
    def key(self) -> str:
        """What must be equal for a kept result to be this piece's."""
        return digest({"attack": repr(self.attack), "seed": str(self.seed), "rows": self.rows.tolist()})


@dataclass(frozen=True, eq=False)
class Found:
    """What an attack handed out for a piece, one row per sample; nothing here is judged."""

    rows: Tensor
    candidates: Tensor
    margins: Tensor
    queries: Tensor
    zero_gradient: Tensor

    def tensors(self) -> dict[str, Tensor]:
        return {
            "rows": self.rows,
            "candidates": self.candidates.contiguous(),
            "margins": self.margins,
            "queries": self.queries,
            "zero_gradient": self.zero_gradient,
        }


def attack_piece(piece: Piece, classifier: Classifier, progress: Progress = SILENT) -> Found:
    """Carry out one piece. What a worker runs."""
    with drawing(classifier.device, piece.seed, "attack", int(piece.rows[0])):
        result = piece.attack(
            classifier,
            piece.images,
            piece.labels,
            piece.threat,
            targets=piece.targets,
            seed=piece.seed,
            indices=piece.indices,
            gradients_from=piece.gradients_from,
            starts=piece.starts,
            progress=progress,
        )
    return Found(piece.rows, result.candidates, result.margins, result.queries, result.zero_gradient)


def _kept(journal: Journal | None, piece: Piece) -> Found | None:
    """What an earlier run of the same piece left."""
    tensors = None if journal is None else journal.find(piece.name, piece.key)
    return None if tensors is None else Found(**tensors)


def _keep(journal: Journal | None, piece: Piece, found: Found) -> None:
    if journal is not None:
        journal.keep(piece.name, piece.key, found.tensors())


class Alone:
    """Runs pieces in this process.

    Args:
        in_pieces: cut the work as it is cut for workers and journals, because answers depend on what is asked
            with them.
    """

    def __init__(self, classifier: Classifier, *, in_pieces: bool = False) -> None:
        self._classifier, self._in_pieces = classifier, in_pieces

    def run(self, whole: Piece, journal: Journal | None, progress: Progress) -> Iterator[Found]:
        """Results as they come; pieces that the journal holds are not run again."""
        for piece in whole.cut() if self._in_pieces or journal is not None else [whole]:
            found = _kept(journal, piece)
            if found is None:
                found = attack_piece(piece, self._classifier, progress)
                _keep(journal, piece, found)
            yield found


class Spread:
    """Runs pieces on workers, several at a time."""

    def __init__(self, classifier: Classifier, workers: Workers) -> None:
        self._classifier, self._workers = classifier, workers

    def run(self, whole: Piece, journal: Journal | None, progress: Progress) -> Iterator[Found]:
        """Results as they come, in any order."""
        pieces = whole.cut()
        progress.begin(whole.attack.name, len(pieces))
        waiting = []
        for piece in pieces:
            kept = _kept(journal, piece)
            if kept is None:
                waiting.append(piece)
                continue
            progress.advance()
            yield kept
        for number, found in self._workers.map(attack_piece, waiting, shared=self._classifier):
            _keep(journal, waiting[number], found)
            progress.advance()
            yield found
        progress.end()


def team(classifier: Classifier, workers: Workers | None, *, in_pieces: bool) -> Alone | Spread:
    """Who carries out the pieces; see ``Alone``."""
    return Alone(classifier, in_pieces=in_pieces) if workers is None else Spread(classifier, workers)
