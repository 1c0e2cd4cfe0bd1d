"""Steal a model: its answers are enough to train another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hauberk.attacks.extraction import make_thief
from hauberk.core.progress import Progress
from hauberk.evaluation.extraction import extraction_report
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Choice, Guess, Number, Outcome
from hauberk.threats import Linf

_RADIUS = 0.15


class Steal:
    name = "steal"
    facts: ClassVar[Mapping[str, int | str]] = {"images": 355}
    questions = (
        Number(key="queries", low=20, high=1400, default=100),
        Choice(key="answers", choices=("scores", "labels"), default="labels"),
        Number(key="guess", low=0, high=100, default=50),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        data, test = lab.digits()
        victim = lab.student(data, seed=seed, progress=progress)
        report = extraction_report(
            victim, make_thief("knockoff"), data, test, queries=int(answers["queries"]),
            knowledge=str(answers["answers"]), budgets=(), threat=Linf(_RADIUS), seed=seed, progress=progress,
        )  # fmt: skip
        point, harm = report.evidence.result["points"][-1], report.evidence.result["transfer"]
        agreed = lab.hundredths(report.fidelity)
        return Outcome(
            figures={
                "queries": int(answers["queries"]),
                "victim": lab.hundredths(report.evidence.result["victim"]["accuracy"]),
                "copy": lab.hundredths(point["accuracy"]),
                "agreed": agreed,
                "radius": f"{_RADIUS:g}",
                "transferred": lab.hundredths(harm["share"]),
                "noise": lab.hundredths(harm["noise_share"]),
            },
            guess=Guess(answers["guess"], agreed, close=5),
            case=str(answers["answers"]),
        )


EXERCISE = Steal()
