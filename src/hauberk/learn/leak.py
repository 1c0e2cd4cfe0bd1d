"""Find the leak: a model that has learnt its examples by heart tells who was among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hauberk.attacks.inference import LossThreshold, half_and_half
from hauberk.core.progress import Progress
from hauberk.evaluation.membership import membership_report
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Guess, Number, Outcome
from hauberk.models import create
from hauberk.models.training import TrainingPlan, train

_PLAN = TrainingPlan(epochs=60, batch_size=32, learning_rate=2e-3, schedule="one-cycle")


class Leak:
    name = "leak"
    facts: ClassVar[Mapping[str, int | str]] = {}
    questions = (
        Number(key="people", low=50, high=700, default=100),
        Number(key="guess", low=50, high=100, default=55),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        data, _ = lab.digits()
        half, strangers = half_and_half(data, seed=seed)
        members = half.head(int(answers["people"]))
        target = train(
            create("mlp", members, seed=seed), members, _PLAN, seed=seed, name="target", progress=progress
        )
        report = membership_report(
            target, members, strangers, [LossThreshold()], random_split=True, seed=seed, progress=progress
        )
        result = report.evidence.result
        row = result["attacks"][0]
        told = lab.hundredths(row["auc"])
        return Outcome(
            figures={
                "people": len(members),
                "strangers": len(strangers),
                "member_right": lab.hundredths(result["member_accuracy"]),
                "stranger_right": lab.hundredths(result["non_member_accuracy"]),
                "told": told,
                "advantage": lab.hundredths(row["advantage"]),
            },
            guess=Guess(answers["guess"], told, close=5),
        )


EXERCISE = Leak()
