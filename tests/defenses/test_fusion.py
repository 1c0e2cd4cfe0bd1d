"""Fusion of a clean and a hardened model: only the gate learns, and it is attacked together with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError, DataError
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.defenses.several import Fusion
from hauberk.models import Classifier, read
from hauberk.models.several import Gated, apart, fusion
from hauberk.models.training import TrainingPlan
from hauberk.threats import Linf

BALL = Linf(0.2)


@pytest.fixture(scope="module")
def fused(plain: Classifier, hardened: Classifier, digits_train: Dataset) -> Classifier:
    defense = Fusion(partner=hardened, plan=TrainingPlan(batch_size=64), gate_epochs=3, steps=4, held_out=100)
    return defense.fit(plain, digits_train, BALL, name="fused")


def test_members_stay_as_they_are(fused: Classifier, plain: Classifier, hardened: Classifier) -> None:
    rows = apart(fused)
    assert rows["M1"].digest == plain.digest
    assert rows["M2"].digest == hardened.digest


def test_the_record_names_both_and_what_the_gate_does(
    fused: Classifier, plain: Classifier, hardened: Classifier, tmp_path: Path
) -> None:
    record = fused.evidence[-1]
    assert record.parameters["members"] == {
        "M1": plain.digest,
        "M2": hardened.digest,
        "M2_made_by": None,
    }
    assert record.parameters["method"] == "fusion"
    assert record.subject == {"name": "fused", "digest": fused.digest}
    assert fused.evidence[:-1] == hardened.evidence  # M1's own is the first of them
    assert record.parents == (plain.evidence[-1].digest, hardened.evidence[-1].digest)
    assert record.inputs["model"]["digest"] == plain.digest
    assert record.inputs["partner"]["digest"] == hardened.digest
    for row in record.result["history"]:
        assert 0 <= row["hardened_share_clean"] <= 1
        assert 0 <= row["hardened_share_attacked"] <= 1
    hauberk.save(fused, tmp_path / "fused")
    assert hauberk.load(tmp_path / "fused").digest == fused.digest


def test_the_gate_sees_what_an_attack_on_the_whole_does(fused: Classifier, digits: Dataset) -> None:
    """Against attacks on each as a whole: the plain model falls, and the fusion leans on the hardened one."""
    images, labels = digits.images[:200], digits.labels[:200]
    attack = PGD(objective="margin", steps=40)
    robust = {name: attack(model, images, labels, BALL).robust_accuracy for name, model in apart(fused).items()}
    assert robust["M1"] < 0.1
    assert robust["fusion"] > robust["average"] + 0.2
    assert robust["fusion"] > robust["M2"] - 0.2
    last = fused.evidence[-1].result["history"][-1]
    assert last["hardened_share_attacked"] > 0.6


@pytest.mark.slow
def test_a_gate_that_learns_from_attacks_on_m1_is_turned(
    fused: Classifier, plain: Classifier, hardened: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    """What the texts do: samples made on M1 once and for all. The gate knows those, and is led away from M2."""
    images, labels = digits.images[:50], digits.labels[:50]
    ball, made_on_m1 = Linf(0.15), PGD(steps=10)
    old = made_on_m1(plain, digits_train.images, digits_train.labels, ball).candidates
    both = torch.cat([digits_train.images, old])
    whom = torch.cat([torch.zeros(len(old)), torch.ones(len(old))]).long()
    naive = fusion([plain, hardened])
    assert isinstance(naive.module, Gated)
    optimizer = torch.optim.Adam(naive.module.gate.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        said = naive.module.answers(both).softmax(2)
    for _ in range(200):
        rows = torch.randint(0, len(both), (256,), generator=generator)
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(naive.module.gate(both[rows], said[:, rows]), whom[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    known = made_on_m1(plain, images, labels, ball).candidates
    with torch.no_grad():
        assert float((naive(known).argmax(1) == labels).float().mean()) > 0.8
    worst = {
        name: hauberk.evaluate(model, images, labels, ball).robust_accuracy
        for name, model in {"naive": naive, "M2": hardened, "fused": fused}.items()
    }
    assert worst["naive"] < worst["M2"] - 0.1
    assert worst["fused"] > worst["M2"] - 0.1


def test_partners_may_be_packages(
    plain: Classifier, hardened: Classifier, hardened_package: Path, digits_train: Dataset
) -> None:
    settings: dict[str, Any] = {"gate_epochs": 1, "steps": 1, "held_out": 0, "width": 4}
    data = digits_train.head(128)
    given = [
        Fusion(partner=one, **settings).fit(plain, data, BALL, seed=3)
        for one in (hardened, hardened_package, str(hardened_package))
    ]
    assert len({one.digest for one in given}) == 1
    assert given[0].digest != Fusion(partner=hardened, **settings).fit(plain, data, BALL, seed=4).digest


def test_a_partner_goes_in_by_the_digest_of_its_package(
    plain: Classifier, hardened: Classifier, hardened_package: Path, tmp_path: Path
) -> None:
    assert Fusion().inputs() == {}
    assert Fusion(partner=hardened).inputs() == {"partner": hardened.digest}
    given = Fusion(partner=hardened_package).inputs()
    assert given == {"partner": read(hardened_package).digest}
    path = tmp_path / "m2"
    hauberk.save(hardened, path)
    before = Fusion(partner=str(path)).inputs()
    hauberk.save(plain, path, overwrite=True)
    assert Fusion(partner=str(path)).inputs() != before
    with pytest.raises(DataError):
        Fusion(partner=tmp_path / "none").inputs()


def test_partners_without_a_history_are_named_all_the_same(plain: Classifier, digits_train: Dataset) -> None:
    blank = hauberk.create("mlp", digits_train, seed=5).eval()
    made = Fusion(partner=blank, gate_epochs=1, steps=1, held_out=0).fit(plain, digits_train.head(64), BALL)
    record = made.evidence[-1]
    assert record.inputs["partner"] == {"digest": blank.digest}
    assert record.inputs["model"]["digest"] == plain.digest
    assert record.parents == (plain.evidence[-1].digest,)


def test_m2_is_made_where_none_is_given(plain: Classifier, digits_train: Dataset) -> None:
    defense = make("fusion", gate_epochs=1, steps=1, held_out=0, plan={"epochs": 1})
    made = defense.fit(plain, digits_train.head(128), BALL, name="both")
    first, hardening, record = made.evidence
    assert first == plain.evidence[-1]
    assert hardening.subject["name"] == "both M2"
    assert hardening.inputs["model"]["digest"] == plain.digest
    assert record.parents == (first.digest, hardening.digest)
    assert record.parameters["members"]["M2"] == hardening.subject["digest"] == apart(made)["M2"].digest
    assert record.parameters["members"]["M2_made_by"]["method"] == "pgd"


def test_batch_norm_of_frozen_members_does_not_move(digits_train: Dataset) -> None:
    def normed(seed: int) -> Classifier:
        torch.manual_seed(seed)
        layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10))
        return Classifier(layers, input_shape=(1, 8, 8), labels=digits_train.classes).eval()

    first, second = normed(0), normed(1)
    made = Fusion(partner=second, gate_epochs=1, steps=1, held_out=0).fit(first, digits_train.head(256), BALL)
    rows = apart(made)
    for before, after in ((first, rows["M1"]), (second, rows["M2"])):
        assert all(
            torch.equal(one, two)
            for one, two in zip(before.state_dict().values(), after.state_dict().values(), strict=True)
        )
    assert all(one.requires_grad for one in made.parameters())  # the result can learn on as a whole


MISUSE: list[tuple[str, dict[str, Any]]] = [
    ("clean_share must lie in", {"clean_share": 1.0}),
    ("steps must be a whole number", {"steps": 0}),
    ("reach must be above 0", {"reach": 0.0}),
    ("gate_epochs must be a whole number", {"gate_epochs": 0}),
    ("width must be a whole number", {"width": 1.5}),
    ("learning_rate must be above 0", {"gate_rate": 0.0}),
    ("partner is a classifier or a package", {"partner": 3}),
    ("unknown method 'pdg' in Fusion, inner", {"inner": "pdg"}),
    ("fresh is true or false", {"fresh": 1}),
]


@pytest.mark.parametrize(("words", "settings"), MISUSE)
def test_misuse(words: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=words):
        Fusion(**settings)


def test_a_partner_must_fit(plain: Classifier, digits_train: Dataset) -> None:
    other = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), input_shape=(1, 8, 8), labels=[*"abcdefghij"]
    ).eval()
    with pytest.raises(ConfigError, match="members of a fusion have labels"):
        Fusion(partner=other).fit(plain, digits_train, BALL)
