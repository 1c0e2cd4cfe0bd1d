"""The judge of membership attacks: curves and thresholds against brute force, the audit end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor

import hauberk
from hauberk.attacks.inference import RMIA, LiRA, LossThreshold, OfflineLiRA, half_and_half
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.membership import (
    MembershipReport,
    auc_interval,
    judge_membership,
    learnt_how,
    membership_report,
    told_apart_blindly,
    too_few_non_members,
    trained_on,
)
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan, train

PLAN = TrainingPlan(epochs=2, batch_size=25, learning_rate=4e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 400), st.integers(1, 2500), st.integers(1, 3000))
def test_verdict_agrees_with_another_library(seed: int, members: int, others: int, levels: int) -> None:
    """Few levels make many ties."""
    source = torch.Generator().manual_seed(seed)
    truth = torch.arange(members + others) < members
    scores = torch.randint(0, levels, (members + others,), generator=source).double()
    verdict = judge_membership(scores, truth)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert verdict.auc == pytest.approx(roc_auc_score(truth, scores))
    assert verdict.advantage == pytest.approx((tpr - fpr).max())
    for rate, found in zip((0.01, 0.001), verdict.found, strict=True):
        assert found == pytest.approx(tpr[fpr <= rate + 1e-12].max())  # the best threshold that keeps the rate
    assert len(verdict.roc) <= 200
    assert verdict.roc[-1] == (1.0, 1.0)
    known = set(zip(fpr.round(9), tpr.round(9), strict=True))
    assert all((round(x, 9), round(y, 9)) in known for x, y in verdict.roc)
    assert sorted(verdict.roc) == list(verdict.roc)


def test_ties_go_against_the_attack() -> None:
    """1,000 others, of whom two tie at the top: one may pass at 0.1 %, so neither does."""
    others = torch.cat([torch.zeros(998), torch.tensor([5.0, 5.0])])
    scores = torch.cat([torch.full((50,), 5.0), torch.full((50,), 3.0), others])
    truth = torch.arange(1100) < 100
    assert judge_membership(scores, truth).found == (1.0, 0.0)
    scores[:10] = 6.0
    assert judge_membership(scores, truth).found == (1.0, 0.1)


def test_one_score_for_all_is_chance() -> None:
    verdict = judge_membership(torch.zeros(100), torch.arange(100) < 30)
    assert (verdict.auc, verdict.advantage, verdict.found) == (0.5, 0.0, (0.0, 0.0))
    assert verdict.balanced_accuracy == 0.5


def test_perfect_scores() -> None:
    truth = torch.arange(60) < 30
    verdict = judge_membership(truth.double(), truth)
    assert (verdict.auc, verdict.advantage, verdict.found) == (1.0, 1.0, (1.0, 1.0))
    assert verdict.auc_interval[0] > 0.9
    assert verdict.auc_interval[1] == 1.0


@pytest.mark.parametrize(("shift", "share"), [(0.0, 1.0), (0.5, 1.0), (2.0, 1.0), (3.0, 0.2)])
def test_auc_interval_covers(shift: float, share: float) -> None:
    """400 draws: a 95 % interval covers fewer than 91 % of them once in 1,500 times.

    The last case is what membership looks like: most members like the others, a few far away.
    """
    source = np.random.default_rng(7)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        members = source.normal(size=count) + shift * (source.random(count) < share)
        return members, source.normal(size=count)

    def area(members: np.ndarray, others: np.ndarray) -> float:
        ordered = np.sort(others)
        return float(np.searchsorted(ordered, members).mean() / len(others))

    true = area(*drawn(200_000))
    intervals = [auc_interval(area(*drawn(80)), 80, 80) for _ in range(400)]
    assert np.mean([low <= true <= high for low, high in intervals]) > 0.91


def test_auc_interval_has_two_ends() -> None:
    for one in (0.0, 0.03, 0.5, 0.97, 1.0):
        low, high = auc_interval(one, 20, 50)
        assert 0 <= low <= one <= high <= 1
        assert auc_interval(1 - one, 20, 50) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (torch.zeros(3), torch.zeros(3).bool(), "0 and 3"),
        (torch.zeros(3), torch.ones(3).bool(), "3 and 0"),
        (torch.zeros(3), torch.ones(4).bool(), "do not fit"),
        (torch.zeros(3), torch.ones(3), "do not fit"),
        (torch.tensor([0.0, torch.nan]), torch.tensor([True, False]), "NaN"),
    ],
)
def test_verdict_refuses(scores: Tensor, truth: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        judge_membership(scores, truth)


def test_flags() -> None:
    assert too_few_non_members(1000) == []
    assert "0.1%" in too_few_non_members(999)[0].message
    (flag,) = too_few_non_members(99)
    assert flag.code == "HB301"
    assert "1.0% or 0.1%" in flag.message
    truth = torch.arange(200) < 100
    assert told_apart_blindly(judge_membership(truth.double(), truth), 100)[0].code == "HB302"
    assert told_apart_blindly(judge_membership(torch.zeros(200), truth), 100) == []


# --- the audit


@pytest.fixture(scope="module")
def groups(digits_train: Dataset) -> tuple[Dataset, Dataset]:
    order = torch.randperm(len(digits_train), generator=torch.Generator().manual_seed(1))
    return half_and_half(digits_train.select(order[:240], note="240"), seed=0)


@pytest.fixture(scope="module")
def target(groups: tuple[Dataset, Dataset]) -> Classifier:
    plan = TrainingPlan(epochs=40, batch_size=24, learning_rate=4e-3)
    return train(hauberk.create("mlp", groups[0]).eval(), groups[0], plan, name="leaky")


def codes(report: MembershipReport) -> set[str]:
    return {flag["code"] for flag in report.evidence.result["flags"]}


def test_audit_with_shadow_models(target: Classifier, groups: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    attacks = (LossThreshold(), LiRA(), RMIA())

    def audit(**settings: object) -> MembershipReport:
        return membership_report(
            target, *groups, attacks, shadows=4, plan=PLAN, random_split=True, name="leaky", **settings  # type: ignore[arg-type]
        )  # fmt: skip

    report = audit(folder=tmp_path)
    document = report.evidence
    assert Evidence.from_json(json.loads(json.dumps(document.to_json()))).digest == document.digest
    assert document.kind == "membership"
    assert document.subject == {"name": "leaky", "digest": target.digest}
    assert document.parents == (target.evidence[-1].digest,)
    assert document.inputs["members"]["digest"] == groups[0].digest
    assert document.inputs["non_members"]["digest"] == groups[1].digest
    assert document.parameters["shadow_plan"]["epochs"] == 2
    result = document.result
    assert (result["members"], result["non_members"]) == (120, 120)
    assert result["member_accuracy"] > result["non_member_accuracy"]
    assert [row["name"] for row in result["attacks"]] == ["loss", "lira", "rmia"]
    for row, attack in zip(result["attacks"], attacks, strict=True):
        assert row["recipe"] == repr(attack)
        assert row["auc"] == pytest.approx(roc_auc_score(report.members, report.scores[row["name"]]))
        assert row["auc_interval"][0] < row["auc"] < row["auc_interval"][1]
        assert row["tpr_at_0.001"] <= row["tpr_at_0.01"]
        assert row["tpr_at_0.01_interval"][0] <= row["tpr_at_0.01"] <= row["tpr_at_0.01_interval"][1]
        assert len(row["roc"]) <= 200
    assert codes(report) == {"HB301"}
    assert len(list(tmp_path.glob("shadow-*.safetensors"))) == 4
    again = audit(folder=tmp_path)
    afresh = audit()
    for name, scores in report.scores.items():
        assert torch.equal(scores, again.scores[name])
        assert torch.equal(scores, afresh.scores[name])


def test_a_model_that_knows_its_images_by_heart_is_caught(
    target: Classifier, groups: tuple[Dataset, Dataset]
) -> None:
    report = membership_report(target, *groups, [LossThreshold()], random_split=True)
    assert report.evidence.result["attacks"][0]["auc_interval"][0] > 0.5


def test_no_leak_without_members(plain: Classifier, digits: Dataset) -> None:
    """Both groups are fresh: the 95 % interval misses one half once in twenty seeds; 4 sigma in 16,000."""
    first, second = half_and_half(digits, seed=3)
    report = membership_report(plain, first, second, [LossThreshold()], random_split=True)
    sigma = ((len(digits) + 1) / (12 * len(first) * len(second))) ** 0.5
    assert abs(report.evidence.result["attacks"][0]["auc"] - 0.5) < 4 * sigma
    assert "HB302" not in codes(report)


def test_groups_that_differ_in_kind_are_flagged(plain: Classifier, digits: Dataset) -> None:
    first, second = half_and_half(digits, seed=3)
    dimmed = Dataset("dimmed", second.images * 0.8, second.labels, second.classes)
    report = membership_report(plain, first, dimmed, [LossThreshold()])
    assert {"HB302", "HB303"} <= codes(report)


def test_a_part_is_scored(target: Classifier, groups: tuple[Dataset, Dataset]) -> None:
    part = membership_report(target, *groups, [LossThreshold()], scored=30, seed=1)
    assert (part.evidence.result["members"], part.evidence.result["non_members"]) == (30, 30)
    assert int(part.members.sum()) == 30
    whole = membership_report(target, *groups, [LossThreshold()], seed=1)
    known = set(whole.scores["loss"][whole.members].tolist())
    assert set(part.scores["loss"][part.members].tolist()) <= known
    other = membership_report(target, *groups, [LossThreshold()], scored=30, seed=2)
    assert not torch.equal(other.scores["loss"], part.scores["loss"])


def test_hardened_targets_are_flagged(hardened: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    inside = trained_on(hardened, digits_train)
    report = membership_report(
        hardened, inside, digits, [OfflineLiRA()], shadows=4, plan=TrainingPlan(epochs=1), scored=50
    )
    assert "HB304" in codes(report)


REFUSED: list[tuple[str, Callable[[Classifier, Dataset, Dataset], object]]] = [
    ("at least one", lambda t, a, b: membership_report(t, a, b, [])),
    ("each once", lambda t, a, b: membership_report(t, a, b, [LossThreshold(), LossThreshold()])),
    ("lira needs shadow models", lambda t, a, b: membership_report(t, a, b, [LiRA()])),
    ("belong together", lambda t, a, b: membership_report(t, a, b, [LiRA()], shadows=4)),
    ("belong together", lambda t, a, b: membership_report(t, a, b, [LossThreshold()], plan=PLAN)),
    ("none of loss looks at",
     lambda t, a, b: membership_report(t, a, b, [LossThreshold()], shadows=4, plan=PLAN)),
    ("even", lambda t, a, b: membership_report(t, a, b, [LiRA()], shadows=3, plan=PLAN)),
    ("at least 2 shadow models", lambda t, a, b: membership_report(t, a, b, [LiRA()], shadows=2, plan=PLAN)),
    ("cannot score 500", lambda t, a, b: membership_report(t, a, b, [LossThreshold()], scored=500)),
    ("scored must be", lambda t, a, b: membership_report(t, a, b, [LossThreshold()], scored=0)),
    ("nobody is both", lambda t, a, b: membership_report(t, a, a, [LossThreshold()])),
    ("nobody is both", lambda t, a, b: membership_report(t, a, a.head(50), [LossThreshold()])),
    ("not of one kind",
     lambda t, a, b: membership_report(t, a, cropped(b), [LossThreshold()])),
    ("train mode",
     lambda t, a, b: membership_report(hauberk.create("mlp", a).train(), a, b, [LossThreshold()])),
]  # fmt: skip


def cropped(data: Dataset) -> Dataset:
    return Dataset("cropped", data.images[..., 1:], data.labels, data.classes)


@pytest.mark.parametrize(("message", "call"), REFUSED)
def test_audit_refuses(
    message: str,
    call: Callable[[Classifier, Dataset, Dataset], object],
    target: Classifier,
    groups: tuple[Dataset, Dataset],
) -> None:
    with pytest.raises(ConfigError, match=message):
        call(target, *groups)


# --- who is a member?


def test_the_record_names_the_members(plain: Classifier, hardened: Classifier, digits_train: Dataset) -> None:
    assert trained_on(plain, digits_train).digest == digits_train.digest
    assert len(trained_on(hardened, digits_train)) == len(digits_train)  # of both trainings, the larger
    assert learnt_how(plain).epochs == 8
    short = train(
        hauberk.create("mlp", digits_train).eval(),
        digits_train.head(70),
        PLAN,
        held_out=digits_train.split(30)[1],
    )
    assert trained_on(short, digits_train).digest == digits_train.head(70).digest
    assert learnt_how(short) == PLAN


def test_strange_records_are_refused(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    blank = hauberk.create("mlp", digits).eval()
    with pytest.raises(ConfigError, match="does not say what its model was trained on"):
        trained_on(blank, digits_train)
    with pytest.raises(ConfigError, match="does not say how"):
        learnt_how(blank)
    with pytest.raises(ConfigError, match="not the beginning of digits/test"):
        trained_on(plain, digits)
    picked = train(blank, digits_train.select(torch.arange(5, 45), note="some"), PLAN)
    with pytest.raises(ConfigError, match="not the beginning of digits/train"):
        trained_on(picked, digits_train)
