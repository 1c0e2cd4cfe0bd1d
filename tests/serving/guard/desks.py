"""A guard's test bench: a stand-in for a model, natural images, and questions that are put to the guard."""

from __future__ import annotations

from typing import Any

import numpy as np

from hauberk.serving.guard import Alert, Guard, GuardPolicy
from hauberk.serving.protocol import Answer, Floats

KEY = bytes(range(32))
SHAPE = (1, 28, 28)


class Sink(list[Alert]):
    def alert(self, alert: Alert) -> None:
        self.append(alert)


class Linear:
    """A linear classifier of 10 classes."""

    def __init__(self, seed: int = 0) -> None:
        self.weights = np.random.default_rng(seed).normal(0, 1, (784, 10)).astype(np.float32)

    def __call__(self, rows: Floats) -> Answer:
        logits = rows.reshape(len(rows), -1) @ self.weights
        return Answer(logits, logits.argmax(axis=1), logits)


def natural(draw: np.random.Generator, count: int) -> Floats:
    """Smooth random images."""
    coarse = draw.random((count, 1, 7, 7)).astype(np.float32)
    return np.ascontiguousarray(coarse.repeat(4, axis=2).repeat(4, axis=3) * 0.8 + 0.1)


class Desk:
    """A guard, its model, and the questions put to it."""

    def __init__(self, entry: Any, model: Linear, draw: np.random.Generator, **settings: Any) -> None:
        self.entry, self.model = entry, model
        self.sink, self.now = Sink(), [1000.0]
        self.guard = Guard(GuardPolicy(**settings), KEY, self.sink, seconds=lambda: self.now[0])
        sample = natural(draw, 600)
        self.guard.learn(entry, sample, model(sample).logits)

    def ask(self, caller: str, rows: Floats) -> Answer:
        answer = self.model(rows)
        self.guard.look(caller, self.entry, rows, answer)
        return answer

    def found(self, caller: str) -> set[str]:
        self.guard.settle()
        return {one.finding.value for one in self.sink if one.caller == caller}
