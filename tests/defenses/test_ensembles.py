"""Ensembles: who their members are, what their records say, and what diversity is worth."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets import Dataset
from hauberk.defenses import AdversarialTraining, make
from hauberk.defenses.several import ADP, Ensemble, Snapshot, log_diversity
from hauberk.defenses.several.inner import METHODS, own_seed
from hauberk.models import Classifier
from hauberk.models.several import Averaging, Several, Voting, ensemble
from hauberk.models.training import Moment, TrainingPlan
from hauberk.threats import Linf, Streams, ThreatModel

BALL = Linf(0.15)
QUICK = TrainingPlan(epochs=2, batch_size=64, learning_rate=5e-3)


@pytest.fixture(scope="module")
def start(digits_train: Dataset) -> Classifier:
    return hauberk.create("mlp", digits_train, args={"hidden": [32]}).eval()


def members_of(classifier: Classifier) -> list[Classifier]:
    assert isinstance(classifier.module, Several)
    return classifier.module.classifiers


def test_members_are_what_the_method_alone_makes(start: Classifier, digits_train: Dataset) -> None:
    data = digits_train.head(300)
    made = make("ensemble", members=2, inner="plain", plan={"epochs": 2, "averaging": 0.0}).fit(
        start, data, BALL, seed=7, name="pair"
    )
    plan = Ensemble(inner="plain").plan
    for place, member in enumerate(members_of(made), 1):
        method = METHODS["plain"](
            plan=TrainingPlan(epochs=2, schedule=plan.schedule, learning_rate=plan.learning_rate),
            held_out=None,
            fresh=True,
        )
        alone = method.fit(start, data, BALL, seed=own_seed(7, "member", place))
        assert member.digest == alone.digest
    assert len({one.digest for one in members_of(made)}) == 2


def test_records_name_the_members_and_travel(
    start: Classifier, digits_train: Dataset, digits: Dataset, tmp_path: Path
) -> None:
    quick = AdversarialTraining(steps=2)
    defense = Ensemble(members=3, inner=quick, combine="voting", plan=QUICK, held_out=20)
    made = defense.fit(start, digits_train.head(200), BALL, name="trio")
    assert isinstance(made.module, Voting)
    *births, record = made.evidence
    assert [one.subject["name"] for one in births] == ["trio member 1", "trio member 2", "trio member 3"]
    assert [one.subject["digest"] for one in births] == [one.digest for one in members_of(made)]
    assert record.parents == tuple(one.digest for one in births)
    assert [one["digest"] for one in record.result["members"]] == [one.digest for one in members_of(made)]
    assert record.subject == {"name": "trio", "digest": made.digest}
    assert record.parameters["inner"]["method"] == "pgd"
    assert record.parameters["inner"]["steps"] == 2
    assert record.parameters["threat"]["eps"] == 0.15
    assert all(row["held_out_robust"] is not None for one in births for row in one.result["history"])
    hauberk.save(made, tmp_path / "trio")
    loaded = hauberk.load(tmp_path / "trio")
    assert [one.digest for one in loaded.evidence] == [one.digest for one in made.evidence]
    assert torch.equal(loaded(digits.images[:40]), made(digits.images[:40]))


def test_stopped_members_are_not_learnt_again(start: Classifier, digits_train: Dataset, tmp_path: Path) -> None:
    defense = Ensemble(members=2, inner="plain", plan=QUICK)
    data = digits_train.head(200)
    whole = defense.fit(start, data, BALL, checkpoint=tmp_path / "run.safetensors")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "run-member-1.safetensors",
        "run-member-2.safetensors",
    ]
    (tmp_path / "run-member-2.safetensors").unlink()
    again = defense.fit(start, data, BALL, checkpoint=tmp_path / "run.safetensors")
    assert again.digest == whole.digest != defense.fit(start, data, BALL, seed=1).digest


def test_snapshots_follow_the_cyclic_rate(
    start: Classifier, digits_train: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.SGD.step

    def watched(self: Any, *given: Any, **named: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    plan = TrainingPlan(epochs=6, batch_size=64, optimizer="sgd", learning_rate=0.1, schedule="cosine")
    defense = Snapshot(members=2, cycles=3, inner="plain", plan=plan)
    made = defense.fit(start, digits_train.head(256), BALL, name="snaps")
    whole, cycles = 6 * 4, 3
    length = whole / cycles
    due = [0.1 / 2 * (math.cos(math.pi * (one % length) / length) + 1) for one in range(whole)]
    assert rates == pytest.approx(due)
    first, second, third, record = made.evidence
    assert second.inputs["model"] == first.subject
    assert third.inputs["model"] == second.subject
    assert [one.parameters["fresh"] for one in (first, second, third)] == [True, False, False]
    assert [one.digest for one in members_of(made)] == [one.subject["digest"] for one in (second, third)]
    assert record.parents == (second.digest, third.digest)


def by_minors(vectors: Tensor) -> float:
    """det(V V^T) as the sum of the squared determinants of all square choices of columns (Cauchy and Binet)."""
    rows, columns = vectors.shape
    total = 0.0
    for chosen in itertools.combinations(range(columns), rows):
        square = vectors[:, chosen].tolist()
        minor = 0.0
        for order in itertools.permutations(range(rows)):
            swaps = sum(order[i] > order[j] for i in range(rows) for j in range(i + 1, rows))
            minor += (-1) ** swaps * math.prod(square[row][column] for row, column in enumerate(order))
        total += minor**2
    return total


def test_diversity_is_a_squared_volume() -> None:
    generator = torch.Generator().manual_seed(3)
    probabilities = (3 * torch.randn(3, 12, 6, generator=generator)).softmax(2).double()
    labels = torch.randint(0, 6, (12,), generator=generator)
    found = log_diversity(probabilities, labels)
    for sample, label in enumerate(labels.tolist()):
        others = [one for one in range(6) if one != label]
        wrong = probabilities[:, sample, others]
        unit = wrong / wrong.square().sum(1, keepdim=True).sqrt()
        assert float(found[sample]) == pytest.approx(math.log(by_minors(unit) + 1e-6), abs=1e-6)


def test_diversity_knows_its_extremes() -> None:
    label = torch.tensor([0])
    apart = torch.tensor([[[0.5, 0.5, 0.0, 0.0]], [[0.2, 0.0, 0.8, 0.0]], [[0.9, 0.0, 0.0, 0.1]]])
    assert float(log_diversity(apart, label)) == pytest.approx(0.0, abs=1e-5)
    alike = apart[:1].expand(3, -1, -1)
    assert float(log_diversity(alike, label)) == pytest.approx(math.log(1e-6), abs=0.1)


def test_the_loss_is_the_papers(start: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:16], digits.labels[:16]
    members = [hauberk.create("mlp", digits, seed=one).eval() for one in range(3)]
    defense = ADP(alpha=2.0, beta=0.5)
    moment = Moment(0.5, Streams.for_samples(0, torch.arange(16)))
    lesson = defense.lesson(start, ThreatModel.of(BALL))
    loss, _ = lesson.loss(ensemble(members), images, labels, images, moment)
    expected = 0.0
    with torch.no_grad():
        for row, label in enumerate(labels.tolist()):
            each = torch.stack([one(images[row : row + 1])[0].softmax(0) for one in members]).double()
            mean = each.mean(0)
            cross = -sum(math.log(one[label]) for one in each.tolist())
            entropy = -sum(one * math.log(one) for one in mean.tolist())
            wrong = F.normalize(each[:, [one for one in range(10) if one != label]], dim=1)
            volume = math.prod((torch.linalg.svdvals(wrong) ** 2).tolist())
            expected += cross - (2.0 * entropy + 0.5 * math.log(volume + 1e-6))
    assert float(loss.detach()) == pytest.approx(expected / 3 / 16, rel=1e-3)


def test_diversity_is_learnt_and_is_no_armour(
    start: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    plan = TrainingPlan(epochs=12, batch_size=64, learning_rate=1e-2, schedule="one-cycle")
    images, labels = digits.images[:100], digits.labels[:100]
    spread = {}
    for beta in (0.0, 2.0):
        made = ADP(beta=beta, plan=plan).fit(start, digits_train, BALL)
        assert isinstance(made.module, Averaging)
        with torch.no_grad():
            spread[beta] = float(log_diversity(made.module.answers(images).softmax(2), labels).mean())
            assert float((made(images).argmax(1) == labels).float().mean()) > 0.85
    assert spread[2.0] > spread[0.0] + 1
    assert PGD(objective="margin", steps=40)(made, images, labels, BALL).robust_accuracy < 0.25


def test_diverse_members_can_learn_adversarially(start: Classifier, digits_train: Dataset) -> None:
    defense = ADP(members=2, steps=2, plan=TrainingPlan(epochs=1), held_out=50)
    made = defense.fit(start, digits_train.head(200), BALL)
    (row,) = made.evidence[-1].result["history"]
    assert row["held_out_robust"] is not None
    assert row["eps"] == 0.15
    assert len({one.digest for one in members_of(made)}) == 2


MISUSE: list[tuple[str, Any]] = [
    ("members must be at least 2, got 1", lambda: Ensemble(members=1)),
    ("members must be a whole number", lambda: Ensemble(members="3")),  # type: ignore[arg-type]
    ("inner is a training method such as 'pgd'", lambda: Ensemble(inner=PGD())),  # type: ignore[arg-type]
    ("plan must be a TrainingPlan", lambda: Ensemble(plan=3)),  # type: ignore[arg-type]
    ("held_out must be a whole number", lambda: Ensemble(held_out=-1)),
    ("5 cycles leave 5 members, not 6", lambda: Snapshot(members=6)),
    ("7 epochs do not divide into 5 cycles", lambda: make("snapshot", plan={"epochs": 7})),
    ("the schedule must be cosine", lambda: make("snapshot", plan={"schedule": "constant"})),
    ("fresh is true or false", lambda: Snapshot(fresh="no")),  # type: ignore[arg-type]
    ("members that start alike stay alike", lambda: ADP(fresh=False)),
    ("alpha and beta cannot be negative", lambda: ADP(beta=-1.0)),
    ("steps must be a whole number of at least 0", lambda: ADP(steps=-1)),
]


@pytest.mark.parametrize(("words", "wrong"), MISUSE)
def test_misuse(words: str, wrong: Any) -> None:
    with pytest.raises(ConfigError, match=words):
        wrong()


def test_names_that_do_not_exist() -> None:
    with pytest.raises(UnknownName, match="unknown method 'pdg' in Ensemble, inner; did you mean 'pgd'"):
        Ensemble(inner="pdg")
    with pytest.raises(UnknownName, match="did you mean 'voting'"):
        Ensemble(combine="vote")  # type: ignore[arg-type]


def test_as_many_members_as_classes_have_no_volume(start: Classifier, digits_train: Dataset) -> None:
    with pytest.raises(ConfigError, match="10 members need more than 10 classes"):
        ADP(members=10).fit(start, digits_train, BALL)
