"""What each method asks of its caller: a threat, gradients that it can see, labels that are one class each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import hauberk
from hauberk import defenses
from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT
from hauberk.datasets import Dataset
from hauberk.defenses import TrainingDefense
from hauberk.defenses.defense import wrap
from hauberk.defenses.several import ADP, Ensemble, Fusion, Snapshot
from hauberk.defenses.training.fast import FastLesson
from hauberk.models import Classifier
from hauberk.models.create import restarted
from hauberk.models.parts import Autoencoder, BitDepth
from hauberk.models.several import Several, ensemble
from hauberk.models.training import Moment, Plain, TrainingPlan
from hauberk.threats import Linf, Streams, ThreatModel

SMALL: dict[str, dict[str, Any]] = {  # as little work as still is the method
    "snapshot": {"cycles": 2, "members": 2},
    "ensemble": {"members": 2},
    "fusion": {"gate_epochs": 1, "steps": 1, "held_out": 0},
    "neural-cleanse": {"steps": 10, "images": 10},
    "advgan-augment": {"generator_epochs": 1, "generator_images": 64},
    "confident-learning": {"folds": 2},
    "autoencoder": {"epochs": 1},
    "feature-fusion": {"epochs": 1},
}


def small(name: str) -> Any:
    settings = dict(SMALL.get(name, {}))
    kind = defenses.DEFENSES[name]
    if issubclass(kind, TrainingDefense) and name != "fine-pruning":
        settings["held_out"] = 0
    plan = {"epochs": 2 if name == "snapshot" else 1, "batch_size": 64, "averaging": 0.0} if kind.learns else {}
    return defenses.make(name, plan=plan, **settings)


@pytest.mark.parametrize("name", defenses.DEFENSES)
def test_a_method_says_whether_the_threat_matters(name: str, plain: Classifier, digits_train: Dataset) -> None:
    """What needs none makes the same without; what needs one refuses, and makes other weights at another."""
    data, method = digits_train.head(300), small(name)
    near = method.fit(plain, data, Linf(0.02), seed=1)
    if method.needs_threat:
        with pytest.raises(ConfigError, match=f"method {name} prepares for a threat|method pgd prepares"):
            method.fit(plain, data, seed=1)
        assert method.fit(plain, data, Linf(0.2), seed=1).digest != near.digest
    else:
        assert method.fit(plain, data, seed=1).digest == near.digest


def test_several_models_need_what_their_members_need() -> None:
    assert not Ensemble(inner="plain").needs_threat
    assert Ensemble(inner="trades").needs_threat
    assert not ADP().needs_threat
    assert ADP(steps=2).needs_threat
    assert Fusion(inner="plain").needs_threat  # its gate learns from attacks


@pytest.mark.parametrize(
    "name", [name for name, kind in defenses.DEFENSES.items() if issubclass(kind, TrainingDefense)]
)
def test_labels_that_are_mixed_are_refused_when_the_method_is_made(name: str, plain: Classifier) -> None:
    method: Any = defenses.make(name)
    lesson = method.lesson(plain, ThreatModel.of(Linf(0.1)))
    assert lesson.mixes == method.mixes
    if method.mixes:
        assert defenses.make(name, plan={"augment": ("mixup",)}).plan.augment == ("mixup",)  # type: ignore[attr-defined]
    else:
        with pytest.raises(ConfigError, match=f"mixup mixes labels, which method {name} cannot learn from"):
            defenses.make(name, plan={"augment": ("mixup",)})


@pytest.mark.parametrize("name", ["ensemble", "snapshot", "fusion"])
def test_the_plan_of_an_inner_method_is_looked_at_too(name: str) -> None:
    with pytest.raises(ConfigError, match="cutmix mixes labels, which method pgd cannot learn from"):
        defenses.make(name, plan={"augment": ("shift", "cutmix")})
    assert defenses.make(name, inner="plain", plan={"augment": ("cutmix",)})


@pytest.mark.parametrize("name", ["free", "gradient-penalty", "jacobian-penalty", "advgan-augment"])
def test_methods_that_see_no_slope_say_so(name: str, plain: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match=f"{name}: a part around the network hides the gradients") as caught:
        small(name).fit(wrap(plain, BitDepth(4)), digits_train.head(64), Linf(0.1))
    assert caught.value.hint


# several models of which each starts anew


def test_members_of_an_ensemble_may_draw_their_own_weights(digits_train: Dataset) -> None:
    start = hauberk.create("mlp", digits_train, args={"hidden": [16]}).eval()
    for inner in ("ibp", "distill"):
        method = defenses.make("ensemble", inner=inner, members=2, held_out=0, plan={"epochs": 1})
        made = method.fit(start, digits_train.head(64), Linf(0.05))
        assert isinstance(made.module, Several)
        one, two = (
            torch.cat([x.detach().flatten() for x in member.parameters()]) for member in made.module.classifiers
        )
        assert float((one - two).abs().median()) > 1e-3  # of one start they would still be near
    for inner in ("ibp", "crown-ibp", "distill", "distill-robust", "thermometer"):
        assert Fusion(inner=inner)


@pytest.mark.parametrize("inner", ["ibp", "distill", "distill-robust", "thermometer"])
def test_snapshots_are_of_one_run(inner: str) -> None:
    with pytest.raises(ConfigError, match=f"method {inner} draws new weights by itself") as caught:
        Snapshot(inner=inner)
    assert "ensemble" in str(caught.value.hint)


def test_fresh_weights_are_the_networks_alone(plain: Classifier) -> None:
    """What a part around it has learnt stays; around the members of several models too."""
    part = Autoencoder(plain.input_shape, 4, 8)
    armoured = wrap(plain, part)
    for given in (armoured, ensemble([armoured, armoured])):
        fresh = restarted(given, 3).state_dict()
        changed = {name for name, one in given.state_dict().items() if not torch.equal(one, fresh[name])}
        parts = {name for name in fresh if "defences." in name}
        assert parts
        assert not changed & parts
        assert any(name.endswith("weight") for name in changed)
    assert restarted(plain, 3).digest != plain.digest


# one guard for all who share a batch


class Colleague:
    """A worker's team, of whom the others' figures are known beforehand."""

    def __init__(self, others: list[float]) -> None:
        self.others = others
        self.own: list[float] = []

    def total(self, number: float, device: torch.device) -> float:
        self.own.append(number)
        return number + (self.others[len(self.own) - 1] if self.others else 0.0)


@pytest.mark.parametrize("cut", [13, 32, 60])
def test_workers_that_share_a_batch_decide_alike(cut: int, plain: Classifier, digits: Dataset) -> None:
    """Whoever holds the watched images: all see the figure that one worker sees who has the whole batch."""
    method: Any = defenses.make("fgsm-rs", guard_images=40)
    lesson: FastLesson = method.lesson(plain, ThreatModel.of(Linf(0.3)))
    images, labels = digits.images[:64], digits.labels[:64]
    streams = Streams.for_samples(0, torch.arange(64), "training", 0)
    alone = Moment(0.9, streams)
    fast = lesson._walk(plain, images, labels, alone, 1, 1.25)
    wanted = lesson.missed(plain, images, labels, fast, alone)

    def share(rows: Tensor, team: Colleague) -> float:
        moment = replace(alone, streams=streams[rows], first=int(rows[0]), team=team)  # type: ignore[arg-type]
        return lesson.missed(plain, images[rows], labels[rows], fast[rows], moment)

    first, second = torch.arange(cut), torch.arange(cut, 64)
    heard = [Colleague([]), Colleague([])]
    own = [share(rows, one) for rows, one in zip((first, second), heard, strict=True) if rows[0] < 40]
    if len(own) < 2:
        heard[1].own = [0.0, 0.0]
    assert share(first, Colleague(heard[1].own)) == pytest.approx(wanted)
    assert share(second, Colleague(heard[0].own)) == pytest.approx(wanted)


def test_a_run_tells_each_worker_where_its_share_begins(plain: Classifier, digits_train: Dataset) -> None:
    from hauberk.models.training.run import Run

    seen: list[Moment] = []

    class Noting(Plain):
        def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
            seen.append(moment)
            return images

    run = Run(plain, digits_train.head(64), TrainingPlan(epochs=1, batch_size=32), Noting(), None, 0)
    run.one_epoch(SILENT)
    assert [(one.first, one.team.size) for one in seen] == [(0, 1), (0, 1)]
