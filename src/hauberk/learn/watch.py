"""Watch a search: an attacker without the model's weights has to ask, and asking gives him away."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hauberk.attacks import NES, Attack, HopSkipJump, SimBA
from hauberk.core.progress import Progress
from hauberk.datasets import Dataset
from hauberk.learn import lab
from hauberk.learn.exercise import Answers, Choice, Guess, Number, Outcome
from hauberk.models import Classifier
from hauberk.threats import L2, Geometry, Linf

_MOST = 3000
_SEARCHES: dict[str, tuple[Attack, Geometry]] = {
    "simba": (SimBA(queries=_MOST), Linf(0.15)),
    "nes": (NES(queries=_MOST), Linf(0.15)),
    "hop-skip-jump": (HopSkipJump(queries=_MOST), L2(0.9)),
}


class Watch:
    name = "watch"
    facts: ClassVar[Mapping[str, int | str]] = {"most": _MOST}
    questions = (
        Choice(key="search", choices=tuple(_SEARCHES), default="simba"),
        Number(key="guess", low=1, high=_MOST, default=200),
    )

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        data, test = lab.digits()
        model = lab.student(data, seed=seed, progress=progress)
        number = _ordinary(model, test)
        image, label = test.images[number : number + 1], test.labels[number : number + 1]
        attack, geometry = _SEARCHES[str(answers["search"])]
        questions: list[Tensor] = []
        door = _Door(model, questions.append)
        asked = Classifier(door, input_shape=(1, 8, 8), labels=model.labels, bounds=model.bounds).eval()
        questions.clear()  # those that the classifier's own checks ask
        result = attack(asked, image, label, geometry, seed=seed)
        asked_about = torch.cat(questions)
        alarm, findings = _watched(model, data.images, asked_about)
        found = bool(result.success[0])
        figures: dict[str, float | int | str] = {"asked": len(asked_about), "alarm": alarm or "–"}
        case = ("found" if found else "gave-up") + ("-seen" if alarm else "-unseen")
        return Outcome(
            figures=figures | {"findings": ", ".join(findings) or "–"},
            guess=Guess(answers["guess"], alarm or "–", close=20),
            pictures=(lab.pictured(model, image[0]), lab.pictured(model, result.candidates[0])),
            case=case,
        )


@torch.no_grad()
def _ordinary(model: Classifier, test: Dataset) -> int:
    """An image that is read rightly, neither the surest nor the least sure: the middle one."""
    logits = model(test.images)
    right = (logits.argmax(dim=1) == test.labels).nonzero().squeeze(1)
    best = logits[right].topk(2).values
    order = (best[:, 0] - best[:, 1]).argsort(stable=True)
    return int(right[order[len(order) // 2]])


class _Door(nn.Module):
    """The served model, and what it is asked.

    Args:
        note: is told each batch of questions; a plain function, which a copy of the module shares.
    """

    def __init__(self, model: Classifier, note: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.model, self._note = model, note

    def forward(self, x: Tensor) -> Tensor:
        self._note(x.detach().clone())
        answer: Tensor = self.model(x)
        return answer


def _watched(model: Classifier, usual: Tensor, questions: Tensor) -> tuple[int | None, list[str]]:
    """The question at which the guard finds the search, and all that it found until then.

    Args:
        usual: images that the guard learns from what honest callers ask.
    """
    from hauberk.serving.needs import check_installed

    check_installed()
    from hauberk.serving.engine import Engine
    from hauberk.serving.guard import Alert, Finding, Guard, GuardPolicy

    alerts: list[Alert] = []
    engine = Engine(copy.deepcopy(model), batch_rows=1)
    entry: Any = SimpleNamespace(name="digits", digest=model.digest, engine=engine)
    guard = Guard(GuardPolicy(patience=1), b"a lesson has no secrets", SimpleNamespace(alert=alerts.append))
    guard.learn(entry, usual.numpy(), engine(usual.numpy()).logits)
    for number, row in enumerate(questions.numpy(), 1):
        guard.look("the caller", entry, row[None], engine(row[None]))
        if any(one.finding is Finding.EVASION for one in alerts):
            return number, [one.finding.value for one in alerts]
    return None, [one.finding.value for one in alerts]


EXERCISE = Watch()
