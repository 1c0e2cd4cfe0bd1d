"""What a defence declares about gradients is answered at once: it falls as the network within it does."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from hauberk.attacks import PGD
from hauberk.attacks.transfer import ensemble
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.defense import wrap
from hauberk.evaluation import Evaluation, accuracy_curve, attack_report, evaluate
from hauberk.evaluation.standard import EOT, repeats
from hauberk.evaluation.sweeps import sweep
from hauberk.models import Classifier
from hauberk.models.parts import BitDepth, Confidence, Inner, Part, ResizePad, Smoothing
from hauberk.models.stand_in import straight_through
from hauberk.threats import Linf, ThreatModel

THREAT = Linf(0.2)  # where the network falls nearly whole, which is soon done


class SaysRandom(Part):
    """Declares randomness that a probe cannot see."""

    name: ClassVar[str] = "says-random"
    gradient = "random"

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        return inner(x)


class SaysBlocked(Part):
    """Declares that it blocks, and blocks so that no bridge is found."""

    name: ClassVar[str] = "says-blocked"
    gradient = "blocked"

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        return inner(torch.tensor(x.detach().numpy()))


def measured(model: Classifier, digits: Dataset, samples: int) -> Evaluation:
    return evaluate(model, digits.images[:samples], digits.labels[:samples], THREAT)


@pytest.fixture(scope="module")
def undefended(plain: Classifier, digits: Dataset) -> Evaluation:
    return measured(plain, digits, 60)


@pytest.mark.parametrize(
    ("name", "settings", "samples"),
    [
        ("bit-depth", {"bits": 3}, 60),
        ("quantise", {"levels": 6}, 60),
        ("jpeg", {"quality": 60}, 60),
        ("resize-pad", {"smallest": 0.9}, 15),
    ],
)
def test_what_looks_robust_falls(
    name: str,
    settings: dict[str, object],
    samples: int,
    plain: Classifier,
    digits: Dataset,
    digits_train: Dataset,
    undefended: Evaluation,
) -> None:
    model = make(name, **settings).fit(plain, digits_train, THREAT)
    (part,) = model.defences
    assert isinstance(part, Part)
    found = measured(model, digits, samples)
    (flag,) = [one for one in found.flags if one.code in ("HB112", "HB113")]
    assert name in flag.message
    assert found.robust_accuracy <= undefended.robust_accuracy + 0.1
    if part.gradient == "blocked":
        assert flag.code == "HB112"
        assert flag.tried
        assert all("straight-through" in row.name for row in found.attacks if row.name in flag.tried)
        if name != "quantise":  # whose gradient does not even exist
            images, labels = digits.images[:samples], digits.labels[:samples]
            blind = evaluate(model, images, labels, THREAT, attacks=[PGD(steps=20)])
            assert blind.robust_accuracy > found.robust_accuracy + 0.3  # what it looks like
    else:
        assert flag.code == "HB113"
        assert all(f"eot={EOT}" in row.recipe for row in found.attacks)


def test_the_cascade_is_climbed_once(plain: Classifier, digits: Dataset, undefended: Evaluation) -> None:
    found = measured(wrap(plain, BitDepth(3)), digits, 60)
    assert len(found.attacks) <= len(undefended.attacks) + 2
    assert not {"HB101", "HB107", "HB108"} & {flag.code for flag in found.flags}
    gradients = [row for row in found.attacks if row.name.startswith(("pgd", "apgd"))]
    assert all("gradients from straight-through" in row.recipe for row in gradients)


def test_a_declaration_counts_where_a_probe_sees_nothing(plain: Classifier, digits: Dataset) -> None:
    found = evaluate(wrap(plain, SaysRandom()), digits.images[:5], digits.labels[:5], THREAT)
    codes = {flag.code for flag in found.flags}
    assert "HB113" in codes
    assert "HB104" not in codes
    assert all(f"eot={EOT}" in row.recipe for row in found.attacks)


def test_what_no_bridge_crosses_falls_to_black_boxes(plain: Classifier, digits: Dataset) -> None:
    found = evaluate(wrap(plain, SaysBlocked()), digits.images[:10], digits.labels[:10], THREAT)
    assert {"HB101", "HB112"} <= {flag.code for flag in found.flags}
    assert {row.name for row in found.attacks} <= {"square", "square (everybody)"}


def test_attacks_that_were_named_are_run_as_they_are(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:15], digits.labels[:15]
    coarse = wrap(plain, BitDepth(2))
    bare = evaluate(coarse, images, labels, THREAT, attacks=[PGD(steps=3)])
    assert [row.name for row in bare.attacks] == ["pgd"]
    (flag,) = [one for one in bare.flags if one.code == "HB112"]
    assert "run as they are" in flag.message
    given = evaluate(coarse, images, labels, THREAT, attacks=[PGD(steps=3)], gradients_from=plain)
    (flag,) = [one for one in given.flags if one.code == "HB112"]
    assert "the stand-in given" in flag.message
    drawing = wrap(plain, ResizePad(0.9))
    noisy = evaluate(drawing, images, labels, THREAT, attacks=[PGD(steps=3, eot=2)])
    assert {"HB104", "HB113"} <= {one.code for one in noisy.flags}


def test_a_stand_in_that_was_given_is_used(plain: Classifier, digits: Dataset) -> None:
    found = evaluate(
        wrap(plain, BitDepth(2)), digits.images[:15], digits.labels[:15], THREAT, gradients_from=plain
    )
    (flag,) = [one for one in found.flags if one.code == "HB112"]
    assert "the stand-in given" in flag.message
    assert not any("straight-through" in row.name for row in found.attacks)
    assert any("gradients from another model" in row.recipe for row in found.attacks)


def test_who_sees_no_gradients_is_not_told_of_them(plain: Classifier, digits: Dataset) -> None:
    threat = ThreatModel(THREAT, knowledge="scores", queries=40)  # type: ignore[arg-type]
    found = evaluate(wrap(plain, BitDepth(2)), digits.images[:10], digits.labels[:10], threat)
    assert "HB112" not in {flag.code for flag in found.flags}


def test_members_behind_parts_are_bridged_too(plain: Classifier, hardened: Classifier, digits: Dataset) -> None:
    both = ensemble([wrap(plain, BitDepth(2)), hardened])
    x = digits.images[:4].clone().requires_grad_(True)
    slope = torch.autograd.grad(straight_through(both)(x)[:, 1].sum(), x)[0]
    only = torch.autograd.grad(both(x)[:, 1].sum(), x)[0]  # the hardened member's alone
    assert not torch.allclose(slope, only)
    found = evaluate(both, digits.images[:15], digits.labels[:15], THREAT)
    assert "HB112" in {flag.code for flag in found.flags}
    assert {"pgd (member 1)", "pgd (member 2)"} <= {row.name for row in found.attacks}


def test_averages_are_not_averaged_again(plain: Classifier) -> None:
    assert repeats(plain, randomized=False) == 1
    assert repeats(plain, randomized=True) == EOT
    assert repeats(wrap(plain, Smoothing(0.2, samples=4)), randomized=True) == EOT // 4
    assert repeats(wrap(plain, Smoothing(0.2, samples=100)), randomized=True) == 2


def test_sweeps_and_curves_bridge_hidden_gradients_too(plain: Classifier, digits: Dataset) -> None:
    """By the model's own gradients, which are zero, it would look as robust as it is accurate."""
    model, few = wrap(plain, BitDepth(3)), digits.head(60)
    swept = sweep(model, few, THREAT, over="quantisation", values=[32]).result["points"][0]
    curve = accuracy_curve(model, few, THREAT, [THREAT.eps]).result["points"]
    assert swept["clean_accuracy"] == curve[0]["accuracy"] > 0.8
    assert swept["robust_accuracy"] == curve[-1]["accuracy"] < 0.2


def test_sweeps_and_curves_average_over_what_is_random(plain: Classifier, digits: Dataset) -> None:
    """As often as the worst case does; an attack that was told how often is left at that."""
    model, few = wrap(plain, Smoothing(0.02, samples=8)), digits.head(20)
    eot = repeats(model, randomized=True)
    swept = sweep(model, few, THREAT, over="quantisation", values=[32], attack=PGD(steps=10))
    curve = accuracy_curve(model, few, THREAT, [THREAT.eps], attack=PGD(steps=10))
    bare = accuracy_curve(plain, few, THREAT, [THREAT.eps], attack=PGD(steps=10))
    for document in (swept, curve):
        assert f"eot={eot}" in document.parameters["attack"]
    fallen = bare.result["points"][1]["accuracy"] + 0.15  # as the network within falls
    assert swept.result["points"][0]["robust_accuracy"] <= fallen
    assert curve.result["points"][1]["accuracy"] <= fallen
    told = accuracy_curve(model, few.head(4), THREAT, [0.01], attack=PGD(steps=2, eot=3))
    assert "eot=3" in told.parameters["attack"]


def test_sweeps_and_curves_go_across_a_refusal(plain: Classifier, digits: Dataset) -> None:
    """In the folded logits alone the refusal is a ridge at which the attack turns back."""
    wary, few, ball = wrap(plain, Confidence(10, "margin", threshold=-1.0)), digits.head(60), Linf(0.15)
    attack = PGD(objective="margin", steps=20)
    folded = attack_report(wary, few, ThreatModel(ball), attack).evidence.result["accuracy"]
    swept = sweep(wary, few, ball, over="quantisation", values=[32], attack=attack)
    curve = accuracy_curve(wary, few, ball, [ball.eps], attack=attack)
    assert swept.result["points"][0]["robust_accuracy"] == curve.result["points"][1]["accuracy"] < folded
    for document in (swept, curve):
        own, crossed = document.parameters["stages"]
        assert own == repr(attack)
        assert crossed == f"{attack!r}, gradients from crossing"
    named = swept.result["points"][0]["robust_accuracy"]
    unnamed = accuracy_curve(wary, few, ball, [ball.eps])
    assert unnamed.result["points"][1]["accuracy"] < named
    assert [one.split("(")[0] for one in unnamed.parameters["stages"]] == ["PGD", "APGD", "APGD", "APGDT"]
