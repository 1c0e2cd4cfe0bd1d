"""Catch the thief: three hospitals got the model, one passed it on, and its copy says which."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import ClassVar

import torch

from hauberk.core.progress import Progress
from hauberk.core.seeds import derive_seed
from hauberk.crypto.derive import hkdf_sha256
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Choice, Guess, Outcome
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan, accuracy, train
from hauberk.protection.trace.accusing import accusation
from hauberk.protection.trace.code import CodePlan
from hauberk.protection.trace.issuing import Issuer
from hauberk.protection.trace.key import commitment
from hauberk.protection.trace.register import Register

_HOSPITALS = ("north", "south", "west")
_CODE = CodePlan(recipients=len(_HOSPITALS), colluders=2)
_MORE = TrainingPlan(epochs=3, batch_size=64, learning_rate=1e-3)
_PRUNED = 0.6  # share of the weights
_NOISE = 0.3  # standard deviations of each tensor
_LEVELS = 7  # four bits: from -7 to 7


class Catch:
    name = "catch"
    facts: ClassVar[Mapping[str, int | str]] = {"positions": _CODE.length}
    questions = (
        Choice(key="thief", choices=_HOSPITALS, default="south"),
        Choice(key="disguise", choices=("none", "round", "prune", "noise", "train"), default="prune"),
        Choice(key="guess", choices=("yes", "no"), default="no"),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        data, test = lab.digits()
        original = lab.student(data, seed=seed, progress=progress)
        with hkdf_sha256(seed.to_bytes(8, "big"), info=b"hauberk-learn catch") as key:  # a lesson's, no secret
            issuer = Issuer(original, key, _CODE)
            register = Register(commitment(key), original.digest, _CODE, issuer.strength)
            copies = {name: issuer.copy_for(name, name=name) for name in _HOSPITALS}
            for name, one in copies.items():
                register = register.with_recipient(name, one.evidence[-1])
            thief = str(answers["thief"])
            leaked = _disguised(copies[thief], str(answers["disguise"]), seed)
            found = accusation(dict(leaked.module.state_dict()), original, key, register)
        accused = [one.name for one in found.accused]
        right = accused == [thief]
        return Outcome(
            figures={
                "original": lab.hundredths(accuracy(original, test.images, test.labels)),
                "leaked": lab.hundredths(accuracy(leaked, test.images, test.labels)),
                "accused": ", ".join(accused) or "–",
                "score": f"{found.suspicions[0].score:.1f}",
                "next": f"{found.suspicions[1].score:.1f}",
                "power": math.ceil(found.suspicions[0].log10_p),
            },
            guess=Guess(answers["guess"], "yes" if right else "no"),
            case=str(answers["disguise"]),
        )


def _disguised(stolen: Classifier, how: str, seed: int) -> Classifier:
    """What the thief puts on the net."""
    if how == "train":
        data, _ = lab.digits()
        return train(stolen, data, _MORE, seed=seed + 1, name="disguised")
    leaked = copy.deepcopy(stolen)
    draw = torch.Generator().manual_seed(derive_seed(seed, "disguise") % 2**63)
    with torch.no_grad():
        for tensor in leaked.module.parameters():
            if how == "round":
                step = tensor.abs().max() / _LEVELS
                tensor.copy_((tensor / step).round() * step)
            elif how == "prune":
                tensor.mul_(tensor.abs() > tensor.abs().quantile(_PRUNED))
            elif how == "noise":
                tensor.add_(torch.randn(tensor.shape, generator=draw) * tensor.std() * _NOISE)
    return leaked


EXERCISE = Catch()
