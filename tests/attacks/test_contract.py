"""One contract for every attack, in every geometry, untargeted and targeted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hauberk.attacks import (
    APGD,
    APGDT,
    ATTACKS,
    BIM,
    DDN,
    EAD,
    FAB,
    FGSM,
    FMN,
    JSMA,
    MBGD,
    MIFGSM,
    NES,
    PGD,
    RFGSM,
    SPSA,
    Attack,
    Boundary,
    CarliniWagner,
    CarliniWagnerLinf,
    DeepFool,
    HopSkipJump,
    RayS,
    SimBA,
    SparsePGD,
    Square,
    SurFree,
)
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L0, L1, L2, Geometry, Knowledge, Linf, ThreatModel

TABLE: list[Attack] = [
    FGSM(),
    RFGSM(),
    BIM(steps=10),
    PGD(steps=10),
    PGD(steps=10, restarts=2, objective="margin"),
    PGD(steps=10, objective="dlr"),
    MBGD(steps=10),
    MIFGSM(),
    APGD(steps=20),
    APGD(steps=20, restarts=2, objective="dlr"),
    APGDT(steps=10, classes=3),
    CarliniWagner(steps=30, rounds=4),
    CarliniWagnerLinf(steps=40, rounds=3),
    DeepFool(steps=20, rivals=3),
    FMN(steps=25),
    DDN(steps=25),
    EAD(steps=40, rounds=3),
    JSMA(steps=12),
    FAB(steps=12, rivals=3),
    SparsePGD(steps=20),
    Square(queries=100),
    NES(queries=100, pairs=8),
    SPSA(queries=100, pairs=8),
    SimBA(queries=100),
    SimBA(queries=100, basis="frequencies"),
    Boundary(queries=100),
    HopSkipJump(queries=100, probes=20),
    RayS(queries=100),
    SurFree(queries=100),
]
GEOMETRIES: list[Geometry] = [Linf(0.15), L2(0.9), L1(4.0), L0(6)]
COUNT = 60


def distance(norm: str, change: np.ndarray) -> np.ndarray:
    """Written from the definitions, apart from the library's own."""
    rows = change.astype(np.float64).reshape(len(change), -1)
    if norm == "l0":
        return (change != 0).any(axis=1).reshape(len(change), -1).sum(axis=1)
    order = {"linf": np.inf, "l2": 2, "l1": 1}[norm]
    return np.array([np.linalg.norm(row, ord=order) for row in rows])


def applies(attack: Attack, geometry: Geometry, *, targeted: bool = False) -> bool:
    return geometry.norm in attack.norms and (attack.targetable or not targeted)


CASES = [
    pytest.param(attack, geometry, targeted, id=f"{attack!r}-{geometry.norm}-{'to' if targeted else 'from'}")
    for attack in TABLE
    for geometry in GEOMETRIES
    for targeted in (False, True)
    if applies(attack, geometry, targeted=targeted)
]


def own_geometry(attack: Attack) -> Geometry:
    """One that the attack was made for."""
    return next(one for one in GEOMETRIES if applies(attack, one))


def test_every_attack_stands_in_the_table() -> None:
    assert {one.name for one in TABLE} == set(ATTACKS)


@pytest.mark.parametrize(("attack", "geometry", "targeted"), CASES)
def test_contract(
    attack: Attack, geometry: Geometry, targeted: bool, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:COUNT], digits.labels[:COUNT]
    targets = (labels + 1) % 10 if targeted else None
    before = {name: one.clone() for name, one in plain.state_dict().items()}
    kept = images.clone()

    result = attack(plain, images, labels, ThreatModel(geometry, targeted=targeted), targets=targets, seed=3)

    # the caller's things are as they were
    assert torch.equal(images, kept)
    assert all(torch.equal(one, before[name]) for name, one in plain.state_dict().items())
    assert not plain.training
    # inside ball and bounds
    assert result.candidates.shape == images.shape
    assert result.candidates.dtype == images.dtype
    assert 0 <= float(result.candidates.min()) <= float(result.candidates.max()) <= 1
    change = distance(geometry.norm, (result.candidates - images).numpy())
    assert (change <= geometry.eps * (1 + 1e-5) + 1e-6).all()
    assert np.allclose(result.distances.numpy(), change, rtol=1e-4, atol=1e-5)
    # success is what the classifier says
    with torch.no_grad():
        clean, now = plain(images).argmax(1), plain(result.candidates).argmax(1)
    assert torch.equal(result.misclassified, clean != labels)
    reached = now == targets if targets is not None else now != labels
    assert torch.equal(result.success, reached & (clean == labels))
    # what was wrong from the start is left alone
    assert torch.equal(result.candidates[result.misclassified], images[result.misclassified])
    assert bool((result.queries >= 1).all())
    looked = result.gradients[~result.misclassified]
    assert bool((looked >= 1).all() if attack.needs is Knowledge.WHITE_BOX else (looked == 0).all())


NOISE_CASES = [
    pytest.param(attack, geometry, id=f"{attack!r}-{geometry.norm}")
    for attack in TABLE
    for geometry in GEOMETRIES
    if applies(attack, geometry) and attack.name != "fgsm"  # one step makes no such claim
]


@pytest.mark.parametrize(("attack", "geometry"), NOISE_CASES)
def test_never_weaker_than_random_noise(
    attack: Attack, geometry: Geometry, plain: Classifier, digits: Dataset
) -> None:
    from hauberk.threats import Streams

    images, labels = digits.images[:COUNT], digits.labels[:COUNT]
    noise = geometry.uniform(images, Streams.for_samples(9, torch.arange(COUNT), "noise"))
    lower, upper = plain.bounds.tensors(images)
    noisy = geometry.project(images, images + noise, lower, upper)
    with torch.no_grad():
        by_chance = int((plain(noisy).argmax(1) != labels).sum())
    result = attack(plain, images, labels, geometry)
    assert int((result.success | result.misclassified).sum()) >= by_chance


@pytest.mark.parametrize("attack", TABLE, ids=repr)
def test_result_does_not_depend_on_the_batch(attack: Attack, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    threat = own_geometry(attack)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    whole = attack(plain, images, labels, threat, seed=5)
    shuffled = attack(plain, images[order], labels[order], threat, seed=5, indices=order, batch_size=7)
    # kernels sum in another order in another batch: verdicts agree, values nearly
    assert torch.equal(whole.success[order], shuffled.success)
    if attack.name in ("fgsm", "r-fgsm", "bim"):
        close = (whole.candidates[order] - shuffled.candidates).abs() < 1e-5
        assert float(close.float().mean()) > 0.99


@pytest.mark.parametrize("attack", TABLE, ids=repr)
def test_same_seed_same_result(attack: Attack, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    threat = own_geometry(attack)
    first = attack(plain, images, labels, threat, seed=11)
    again = attack(plain, images, labels, threat, seed=11)
    assert torch.equal(first.candidates, again.candidates)


def test_seeds_differ(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:30], digits.labels[:30]
    first = PGD(steps=3)(plain, images, labels, Linf(0.05), seed=1)
    other = PGD(steps=3)(plain, images, labels, Linf(0.05), seed=2)
    assert not torch.equal(first.candidates, other.candidates)
