"""Poison a model: a few stamped images in the training data open a back door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hauberk.attacks.poisoning import make
from hauberk.core.progress import Progress
from hauberk.evaluation.poisoning import poisoning_damage
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Guess, Number, Outcome

_TARGET = 7


class Poison:
    name = "poison"
    facts: ClassVar[Mapping[str, int | str]] = {"target": _TARGET}
    questions = (
        Number(key="rate", low=0.5, high=20, default=4, whole=False),
        Number(key="guess", low=0, high=100, default=10),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        rate = float(answers["rate"])
        data, test = lab.digits()
        poisoned = make("badnets", rate=rate / 100, target=_TARGET)(data, seed=seed)
        report = poisoning_damage(
            data, poisoned, test, architecture=lab.ARCHITECTURE, args=lab.SHAPE, plan=lab.PLAN, seed=seed,
            progress=progress,
        )  # fmt: skip
        before, after = report.evidence.result["before"], report.evidence.result["after"]
        opened = lab.hundredths(after["trigger_success"])
        other = int((test.labels != _TARGET).nonzero()[0])
        assert poisoned.trigger is not None
        stamped = poisoned.trigger(test.images[other : other + 1])[0]
        return Outcome(
            figures={
                "rate": f"{rate:g}",
                "touched": int(poisoned.touched.sum()),
                "images": len(data),
                "target": data.classes[_TARGET],
                "before": lab.hundredths(before["accuracy"]),
                "after": lab.hundredths(after["accuracy"]),
                "opened_before": lab.hundredths(before["trigger_success"]),
                "opened": opened,
            },
            guess=Guess(answers["guess"], opened, close=10),
            pictures=(
                lab.pictured(report.poisoned_model, test.images[other]),
                lab.pictured(report.poisoned_model, stamped),
            ),
        )


EXERCISE = Poison()
