"""The judge trusts nobody, and the evaluation's figures follow from its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

import hauberk
from hauberk.attacks import FGSM, PGD, Attack
from hauberk.attacks.attack import Outcome, Problem
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation import accuracy_curve, attack_report, evaluate, judge, radii_up_to, wilson
from hauberk.models import Classifier
from hauberk.threats import L0, L1, L2, Knowledge, Linf, ThreatModel

pytestmark = pytest.mark.xdist_group("evaluate")  # what all of them look at is computed once

EPS = 0.2


@pytest.fixture(scope="module")
def measured(hardened: Classifier, digits: Dataset) -> hauberk.evaluation.Evaluation:
    return evaluate(
        hardened, digits.images, digits.labels, Linf(EPS), alone=[FGSM()], dataset=digits, name="hardened"
    )


def test_figures_follow_from_the_verdicts(measured: hauberk.evaluation.Evaluation, digits: Dataset) -> None:
    count = {status: 0 for status in ("misclassified", "broken", "robust")}
    for verdict in measured.verdicts:
        count[verdict.status] += 1
    assert sum(count.values()) == measured.samples == len(digits)
    assert measured.robust_accuracy == count["robust"] / len(digits)
    assert measured.clean_accuracy == 1 - count["misclassified"] / len(digits)
    assert measured.clean_interval[0] < measured.clean_accuracy < measured.clean_interval[1]
    assert measured.robust_interval[0] < measured.robust_accuracy < measured.robust_interval[1]
    by_attack = {row.name for row in measured.attacks}
    assert {verdict.by for verdict in measured.verdicts} - {None} <= by_attack
    assert measured.attacks[-1].robust_after == measured.robust_accuracy
    assert measured.attacks[0].alone_accuracy is not None


def test_verdicts_are_true(
    measured: hauberk.evaluation.Evaluation, hardened: Classifier, digits: Dataset
) -> None:
    with torch.no_grad():
        now = hardened(measured.candidates).argmax(1)
        clean = hardened(digits.images).argmax(1)
    change = (measured.candidates - digits.images).abs().flatten(1).amax(1)
    for row, verdict in enumerate(measured.verdicts):
        assert verdict.clean_prediction == int(clean[row])
        if verdict.status == "broken":
            assert int(now[row]) == verdict.prediction != verdict.label
            assert verdict.distance == pytest.approx(float(change[row]), abs=1e-6)
            assert float(change[row]) <= EPS + 2e-6


def test_evidence_survives_json(measured: hauberk.evaluation.Evaluation, hardened: Classifier) -> None:
    import json

    document = json.loads(json.dumps(measured.evidence.to_json()))
    assert Evidence.from_json(document) == measured.evidence
    assert document["parents"] == [hardened.evidence[-1].digest]
    assert document["subject"]["digest"] == hardened.digest


def test_hardening_helps_and_the_undefended_falls(
    measured: hauberk.evaluation.Evaluation, plain: Classifier, digits: Dataset
) -> None:
    undefended = evaluate(plain, digits.images, digits.labels, Linf(EPS))
    assert undefended.clean_accuracy > 0.9
    assert undefended.robust_accuracy < 0.15
    assert measured.robust_accuracy > undefended.robust_accuracy + 0.2


@dataclass(frozen=True, kw_only=True, repr=False)
class Cheat(Attack):
    """Returns another image altogether; the frame and the judge must not let it count."""

    name: ClassVar[str] = "cheat"
    needs: ClassVar[Knowledge] = Knowledge.WHITE_BOX

    def run(self, problem: Problem) -> Outcome:
        none = torch.zeros_like(problem.queries)
        return Outcome(1 - problem.origin, problem.queries, none, none.bool())

    def __call__(self, classifier, images, labels, threat, **rest):  # type: ignore[no-untyped-def]
        from dataclasses import replace

        result = super().__call__(classifier, images, labels, threat, **rest)
        return replace(result, candidates=1 - images, success=torch.ones_like(result.success))


def test_a_cheating_attack_gains_nothing(plain: Classifier, digits: Dataset) -> None:
    found = evaluate(plain, digits.images[:50], digits.labels[:50], Linf(0.1), attacks=[Cheat()])
    assert found.robust_accuracy == found.clean_accuracy
    assert found.attacks[0].invalid == found.attacks[0].attacked
    assert found.attacks[0].broke == 0


@pytest.mark.parametrize(
    ("geometry", "change"),
    [(Linf(0.1), 0.1001), (L2(0.5), 0.5005), (L1(0.4), 0.4004), (L0(2), None)],
    ids=["linf", "l2", "l1", "l0"],
)
def test_judge_refuses_what_is_just_outside(geometry: object, change: float | None) -> None:
    model = Classifier(nn.Flatten(), input_shape=(2, 2, 2), labels=8).eval()
    image = torch.full((1, 2, 2, 2), 0.25)
    label = model(image).argmax(1)
    outside = image.clone()
    if change is None:
        outside[0, :, 0, 0] += torch.tensor([0.3, 0.7])  # one pixel, both channels
        outside[0, 0, 0, 1] += 0.5
        inside = outside.clone()
        outside[0, 1, 1, 1] += 0.5
    else:
        outside[0, 1, 1, 1] += change
        inside = image.clone()
        inside[0, 1, 1, 1] += change * 0.998
    threat = ThreatModel.of(geometry)  # type: ignore[arg-type]
    refused = judge(model, image, outside, label, threat)
    assert bool(refused.invalid[0])
    assert not bool(refused.broken[0])
    accepted = judge(model, image, inside, label, threat)
    assert not bool(accepted.invalid[0])
    assert bool(accepted.broken[0])


def test_judge_refuses_nan_and_values_out_of_bounds() -> None:
    model = Classifier(nn.Flatten(), input_shape=(1, 1, 3), labels=3).eval()
    image = torch.full((1, 1, 1, 3), 0.95)
    label = torch.tensor([0])
    for value in (float("nan"), 1.02, float("inf")):
        bad = image.clone()
        bad[0, 0, 0, 2] = value
        assert bool(judge(model, image, bad, label, ThreatModel.of(Linf(0.2))).invalid[0])


def test_masked_gradients_raise_a_flag(plain: Classifier, digits: Dataset) -> None:
    class Rounded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = plain.module((x * 4).round() / 4)
            return logits

    masked = Classifier(Rounded(), input_shape=(1, 8, 8), labels=10).eval()
    found = evaluate(masked, digits.images[:100], digits.labels[:100], Linf(0.1), attacks=[PGD(steps=5)])
    assert "HB101" in {flag.code for flag in found.flags}
    open_eyes = evaluate(
        masked, digits.images[:100], digits.labels[:100], Linf(0.1), attacks=[PGD(steps=5)],
        gradients_from=plain,
    )  # fmt: skip
    assert "HB101" not in {flag.code for flag in open_eyes.flags}
    assert open_eyes.robust_accuracy <= found.robust_accuracy


def test_small_samples_raise_a_flag(plain: Classifier, digits: Dataset) -> None:
    found = evaluate(plain, digits.images[:20], digits.labels[:20], Linf(0.1), attacks=[FGSM()])
    assert [flag.code for flag in found.flags] == ["HB103"]


def test_wilson_against_known_values() -> None:
    # published examples: 0 of 10 and 81 of 263 (Newcombe, Statistics in Medicine 1998)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(10, 10)[1] == 1.0
    low, high = wilson(1, 1)
    assert 0 < low < high == 1.0


def test_curve_falls_and_starts_clean(hardened: Classifier, digits: Dataset) -> None:
    data = digits.head(120)
    evidence = accuracy_curve(hardened, data, Linf(EPS), [0.1, 0.05, 0.3, 0.0])
    points = evidence.result["points"]
    assert [point["eps"] for point in points] == [0.0, 0.05, 0.1, 0.3]
    shares = [point["accuracy"] for point in points]
    assert shares == sorted(shares, reverse=True)
    with torch.no_grad():
        assert shares[0] == float((hardened(data.images).argmax(1) == data.labels).double().mean())
    assert 0.3 in radii_up_to(0.3)
    with pytest.raises(ConfigError, match="radii"):
        accuracy_curve(hardened, data, Linf(EPS), [-0.1])


def test_attack_report_targeted(plain: Classifier, digits: Dataset) -> None:
    threat = ThreatModel(Linf(0.25), targeted=True)
    report = attack_report(plain, digits.head(80), threat, PGD(steps=20), target=3)
    assert bool((report.labels != 3).all())
    with torch.no_grad():
        assert bool((plain(report.candidates[report.broken]).argmax(1) == 3).all())
    assert int(report.broken.sum()) == report.evidence.result["broke"] > 0
    with pytest.raises(ConfigError, match="target 12"):
        attack_report(plain, digits.head(5), threat, PGD(steps=2), target=12)


def test_misuse(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:5], digits.labels[:5]
    with pytest.raises(ConfigError, match="at least one attack"):
        evaluate(plain, images, labels, Linf(0.1), attacks=[])
    with pytest.raises(ConfigError, match="no standard attacks for l1 with labels knowledge"):
        evaluate(plain, images, labels, ThreatModel(L1(2.0), knowledge=Knowledge.LABELS))
    with pytest.raises(DataError, match="must lie in"):
        evaluate(plain, images, labels + 20, Linf(0.1))
    with pytest.raises(TypeError, match="sed"):
        evaluate(plain, images, labels, Linf(0.1), sed=1)  # type: ignore[call-arg]
    nan = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), input_shape=(1, 8, 8), labels=10).eval()
    with torch.no_grad():
        nan.module[1].bias.fill_(float("nan"))  # type: ignore[index, union-attr]
    with pytest.raises(UnsupportedModel, match="NaN"):
        evaluate(nan, images, labels, Linf(0.1))


def test_three_losses_agree_with_each_other(hardened: Classifier, digits: Dataset) -> None:
    """On an honestly trained model no single loss is far from the cascade."""
    images, labels = digits.images[:200], digits.labels[:200]
    whole = evaluate(hardened, images, labels, Linf(EPS)).robust_accuracy
    for objective in ("cross-entropy", "margin", "dlr"):
        single = PGD(steps=40, objective=objective)(hardened, images, labels, Linf(EPS)).robust_accuracy
        assert whole <= single <= whole + 0.2


def test_evidence_holds_what_a_repetition_needs(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:20], digits.labels[:20]
    targets = (labels + 1) % 10
    found = evaluate(
        plain, images, labels, ThreatModel(Linf(0.1), targeted=True), attacks=[FGSM()], targets=targets,
        gradients_from=plain,
    )  # fmt: skip
    assert found.evidence.parameters["targets"] == targets.tolist()
    assert found.evidence.parameters["gradients_from"] == plain.digest
    usual = evaluate(plain, images, labels, Linf(0.1), attacks=[FGSM()]).evidence.parameters
    assert usual["targets"] is None
    assert usual["gradients_from"] is None


def test_what_travels_with_the_images_must_fit_them(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:5], digits.labels[:5]
    targeted = ThreatModel(Linf(0.1), targeted=True)
    with pytest.raises(DataError, match="one per image"):
        evaluate(plain, images, labels, targeted, targets=(digits.labels[:6] + 1) % 10)
    with pytest.raises(ConfigError, match="pass targets="):
        evaluate(plain, images, labels, targeted)
    with pytest.raises(ConfigError, match="untargeted"):
        evaluate(plain, images, labels, Linf(0.1), targets=(labels + 1) % 10)
    with pytest.raises(ConfigError, match="indices"):
        evaluate(plain, images, labels, Linf(0.1), indices=torch.arange(6))
    with pytest.raises(ConfigError, match="runs attacks such as"):
        evaluate(plain, images, labels, Linf(0.1), attacks=["pgd"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="radii"):
        accuracy_curve(plain, digits.head(5), Linf(0.1), [float("nan")])


def test_rounding_at_the_size_of_the_bounds_is_no_cheating() -> None:
    model = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), input_shape=(1, 8, 8), labels=10, bounds=(0.0, 255.0)
    ).eval()
    images = 255 * torch.rand((200, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        labels = model(images).argmax(1)
    found = evaluate(model, images, labels, Linf(0.1), attacks=[FGSM()])
    assert found.attacks[0].invalid == 0


def test_one_step_is_compared_with_many_steps_only() -> None:
    from hauberk.evaluation.board import AttackRow
    from hauberk.evaluation.plan import _one_step_and_many

    def row(name: str, accuracy: float) -> AttackRow:
        return AttackRow(name, name, 100, 0, accuracy, accuracy, 1.0, 1.0, 0)

    assert _one_step_and_many([row("fgsm", 0.3), row("r-fgsm", 0.5)]) == (0.3, None)
    assert _one_step_and_many([row("fgsm", 0.3), row("r-fgsm", 0.1), row("pgd", 0.2)]) == (0.3, 0.2)
