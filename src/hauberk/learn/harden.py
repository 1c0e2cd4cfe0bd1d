"""Harden a model: what adversarial training buys and costs, and what only looks like a defence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hauberk.attacks import PGD
from hauberk.core.progress import Progress
from hauberk.defenses import harden
from hauberk.evaluation import evaluate
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Choice, Guess, Outcome
from hauberk.models import Classifier
from hauberk.threats import Linf

_RADIUS = 0.15
_EPOCHS = 16
_METHODS = {"adversarial": "pgd", "rounding": "bit-depth", "jpeg": "jpeg"}


class Harden:
    name = "harden"
    facts: ClassVar[Mapping[str, int | str]] = {"radius": f"{_RADIUS:g}"}
    questions = (Choice(key="guess", choices=tuple(_METHODS), default="rounding"),)

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        data, test = lab.digits()
        threat = Linf(_RADIUS)
        plain = lab.student(data, seed=seed, progress=progress)

        def measured(model: Classifier) -> tuple[int, int, int]:
            """Clean accuracy, what one naive attack leaves, and the worst case, in per cent."""
            naive = PGD(steps=20)(model, test.images, test.labels, threat, seed=seed)
            found = evaluate(model, test.images, test.labels, threat, seed=seed, progress=progress)
            shares = (found.clean_accuracy, naive.robust_accuracy, found.robust_accuracy)
            clean, one, worst = map(lab.hundredths, shares)
            return clean, one, worst

        figures: dict[str, float | int | str] = {}
        rows = {"none": measured(plain)}
        for name, method in _METHODS.items():
            epochs = _EPOCHS if method == "pgd" else None
            hardened = harden(plain, data, threat, method=method, epochs=epochs, seed=seed, progress=progress)
            rows[name] = measured(hardened)
        for name, (clean, one, worst) in rows.items():
            figures |= {f"{name}_clean": clean, f"{name}_naive": one, f"{name}_worst": worst}
        best = max(_METHODS, key=lambda name: rows[name][2])
        return Outcome(figures=figures, guess=Guess(answers["guess"], best))


EXERCISE = Harden()
