"""Fool a model: the smallest lesson, PGD within a radius beside noise of the same size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from hauberk.attacks import PGD
from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.evaluation.judge import judge, predictions
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Guess, Number, Outcome
from hauberk.threats import Linf, ThreatModel

_STEPS = 40


class Fool:
    name = "fool"
    facts: ClassVar[Mapping[str, int | str]] = {"steps": _STEPS}
    questions = (
        Number(key="radius", low=0.01, high=0.5, default=0.15, whole=False),
        Number(key="guess", low=0, high=100, default=20),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        radius = float(answers["radius"])
        data, test = lab.digits()
        model = lab.student(data, seed=seed, progress=progress)
        right = predictions(model, test.images) == test.labels
        images, labels = test.images[right], test.labels[right]
        threat = ThreatModel.of(Linf(radius))
        candidates = PGD(steps=_STEPS)(model, images, labels, threat, seed=seed).candidates
        draw = torch.Generator().manual_seed(derive_seed(seed, "noise") % 2**63)
        corners = torch.randint(0, 2, images.shape, generator=draw) * 2.0 - 1
        noisy = (images + radius * corners).clamp(0, 1)
        fooled = judge(model, images, candidates, labels, threat).broken
        by_noise = judge(model, images, noisy, labels, threat).broken
        shown = int(fooled.nonzero()[0]) if bool(fooled.any()) else 0
        share = lab.hundredths(float(fooled.float().mean()))
        return Outcome(
            figures={
                "images": len(test),
                "right": len(images),
                "radius": f"{radius:g}",
                "fooled": share,
                "noise": lab.hundredths(float(by_noise.float().mean())),
            },
            guess=Guess(answers["guess"], share, close=10),
            pictures=(lab.pictured(model, images[shown]), lab.pictured(model, candidates[shown])),
        )


EXERCISE = Fool()
