"""Membership attacks against independent re-computations, and against models known to leak or not to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import hauberk
from hauberk.attacks.inference import (
    MEMBERSHIP,
    RMIA,
    LiRA,
    LogitTable,
    LossThreshold,
    MembershipAttack,
    ModifiedEntropy,
    OfflineLiRA,
    OfflineRMIA,
    ShadowClassifier,
    collect,
    half_and_half,
    make_membership,
    paired_halves,
    shadow_models,
)
from hauberk.attacks.inference.confidence import log_probability, scaled_confidence
from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan

CLASSES = 4


def random_table(models: int = 6, samples: int = 40, views: int = 1, seed: int = 0) -> LogitTable:
    source = torch.Generator().manual_seed(seed)
    return LogitTable(
        labels=torch.randint(0, CLASSES, (samples,), generator=source),
        target=torch.randn(views, samples, CLASSES, generator=source) * 3,
        shadows=torch.randn(models, views, samples, CLASSES, generator=source) * 3,
        inside=paired_halves(models, samples, seed=seed) if models else torch.zeros(0, samples).bool(),
    )


def probabilities(logits: Tensor) -> np.ndarray:
    """Softmax as a textbook has it."""
    raised = np.exp(logits.double().numpy())
    return raised / raised.sum(-1, keepdims=True)


def true_probability(logits: Tensor, labels: Tensor) -> np.ndarray:
    index = np.broadcast_to(labels.numpy(), logits.shape[:-1])[..., None]
    return np.take_along_axis(probabilities(logits), index, -1)[..., 0]


def test_confidence_is_that_of_the_paper_and_does_not_saturate() -> None:
    table = random_table()
    p = true_probability(table.target[0], table.labels)
    assert np.allclose(scaled_confidence(table.target[0], table.labels), np.log(p / (1 - p)))
    assert np.allclose(log_probability(table.target[0], table.labels), np.log(p))
    sure = torch.tensor([[60.0, 0.0], [80.0, 0.0]])
    label = torch.zeros(2, dtype=torch.int64)
    assert scaled_confidence(sure, label).tolist() == [60.0, 80.0]
    small, smaller = (-log_probability(sure, label)).tolist()
    assert 0 < smaller < small  # softmax in float64 says 0 to both


def test_loss_and_entropy() -> None:
    table = random_table()
    p = probabilities(table.target[0])
    right = p[np.arange(len(table)), table.labels]
    assert np.allclose(LossThreshold()(table), np.log(right))
    others = np.log(1 - p) * p
    others[np.arange(len(table)), table.labels] = 0
    entropy = -(1 - right) * np.log(right) - others.sum(1)
    assert np.allclose(ModifiedEntropy()(table), -entropy)


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("variance", ["per-example", "global"])
def test_lira_is_the_ratio_of_gaussians(variance: str, views: int) -> None:
    table = random_table(models=8, views=views)
    p = true_probability(table.shadows, table.labels)
    shadows, seen = np.log(p / (1 - p)), scaled_confidence(table.target, table.labels).numpy()
    inside = table.inside.numpy()
    online, offline = np.zeros(len(table)), np.zeros(len(table))
    for view, row in itertools.product(range(views), range(len(table))):
        densities = []
        for side in (inside, ~inside):
            own = shadows[side[:, row], view, row]
            spread = own.std(ddof=1)
            if variance == "global":
                each = [shadows[side[:, one], view, one].var(ddof=1) for one in range(len(table))]
                spread = np.sqrt(np.mean(each))  # sides are of equal size for all samples
            densities.append(norm(own.mean(), spread))
        online[row] += (densities[0].logpdf(seen[view, row]) - densities[1].logpdf(seen[view, row])) / views
        offline[row] += densities[1].cdf(seen[view, row])
    assert np.allclose(LiRA(variance=variance)(table), online)  # type: ignore[arg-type]
    if views == 1:
        found = OfflineLiRA(variance=variance)(table)  # type: ignore[arg-type]
        assert np.allclose(norm.cdf(found), offline)


def test_lira_shares_one_variance_while_models_are_few() -> None:
    few, many = random_table(models=16), random_table(models=64)
    assert torch.equal(LiRA()(few), LiRA(variance="global")(few))
    assert torch.equal(LiRA()(many), LiRA(variance="per-example")(many))


@pytest.mark.parametrize("attack", [RMIA(), RMIA(gamma=1.0), OfflineRMIA(), OfflineRMIA(a=0.9, gamma=1.5)])
def test_rmia_counts_the_samples_that_x_beats(attack: RMIA | OfflineRMIA) -> None:
    table = random_table(models=6)
    target = true_probability(table.target[0], table.labels)
    shadows = true_probability(table.shadows[:, 0], table.labels)
    inside = table.inside.numpy()
    prior = []
    for row in range(len(table)):
        saw, did_not = shadows[inside[:, row], row].mean(), shadows[~inside[:, row], row].mean()
        guess = attack.a * did_not + 1 - attack.a if isinstance(attack, OfflineRMIA) else saw
        prior.append((guess + did_not) / 2)
    ratio = target / np.array(prior)
    share = np.array([(one / ratio >= attack.gamma).mean() for one in ratio])
    scores = attack(table).numpy()
    step = 1 / len(table)
    assert ((scores >= share - 1e-12) & (scores < share + step)).all()
    assert (np.argsort(scores) == np.argsort(ratio)).all()


def test_rmia_does_not_part_equals() -> None:
    table = random_table(samples=4)
    twice = LogitTable(
        labels=table.labels.repeat(2),
        target=table.target.repeat(1, 2, 1),
        shadows=table.shadows.repeat(1, 1, 2, 1),
        inside=table.inside.repeat(1, 2),
    )
    scores = RMIA()(twice)
    assert torch.equal(scores[:4], scores[4:])


def test_the_attack_classifier_learns_each_class_for_itself() -> None:
    """In even classes members are surer, in odd ones less sure: one rule for all would be blind."""
    source = torch.Generator().manual_seed(0)
    inside = paired_halves(8, 400, seed=0)
    labels = torch.arange(400) % CLASSES
    truth = torch.rand(400, generator=source) < 0.5

    def logits(member: Tensor) -> Tensor:
        sign = torch.where(labels % 2 == 0, 1.0, -1.0)
        drawn = torch.randn(400, CLASSES, generator=source)
        drawn[torch.arange(400), labels] += 2 + 2 * sign * member.float()
        return drawn

    table = LogitTable(
        labels=labels,
        target=logits(truth)[None],
        shadows=torch.stack([logits(one)[None] for one in inside]),
        inside=inside,
    )
    assert roc_auc_score(truth, ShadowClassifier()(table)) > 0.8
    assert roc_auc_score(truth, LossThreshold()(table)) < 0.6


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_scores_do_not_depend_on_the_order_of_samples(name: str) -> None:
    table = random_table(models=8)
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(3))
    mixed = LogitTable(
        labels=table.labels[order],
        target=table.target[:, order],
        shadows=table.shadows[:, :, order],
        inside=table.inside[:, order],
    )
    attack = make_membership(name)
    assert torch.allclose(attack(table)[order], attack(mixed), atol=1e-3)
    assert torch.equal(attack(table), attack(table))
    assert repr(attack).startswith(type(attack).__name__ + "(")


# --- shadow models


def test_halves_are_paired() -> None:
    inside = paired_halves(6, 25, seed=4)
    assert (inside.sum(dim=0) == 3).all()
    assert sorted(inside.sum(dim=1).tolist()) == [12, 12, 12, 13, 13, 13]
    assert torch.equal(inside[0::2], ~inside[1::2])
    assert torch.equal(inside, paired_halves(6, 25, seed=4))
    assert not torch.equal(inside, paired_halves(6, 25, seed=5))
    assert not torch.equal(inside[0], inside[2])
    assert torch.equal(paired_halves(8, 25, seed=4)[:6], inside)  # more models later keep the first ones


def test_half_and_half_parts_the_pool(digits: Dataset) -> None:
    first, second = half_and_half(digits, seed=1)
    assert abs(len(first) - len(second)) <= 1
    rows = torch.cat([first.images, second.images]).flatten(1)
    assert len(rows) == len(digits)
    assert {one.numpy().tobytes() for one in rows} == {one.numpy().tobytes() for one in digits.images}
    assert first.digest == half_and_half(digits, seed=1)[0].digest != half_and_half(digits, seed=2)[0].digest


TINY = TrainingPlan(epochs=1, batch_size=16)


def tiny(data: Dataset) -> Classifier:
    return hauberk.create("mlp", data, args={"hidden": [16]}).eval()


def weights(models: list[Classifier]) -> list[Tensor]:
    return [torch.cat([one.flatten() for one in model.parameters()]).detach() for model in models]


def test_shadow_models_learn_their_half_only(digits: Dataset) -> None:
    pool = digits.head(60)
    inside = paired_halves(2, 60, seed=0)
    models = list(shadow_models(tiny(pool), pool, inside, TINY, seed=1))
    for model, rows in zip(models, inside, strict=True):
        (record,) = model.evidence
        assert record.inputs["dataset"]["digest"] == pool.select(rows.nonzero().squeeze(1), note="x").digest
    again = list(shadow_models(tiny(pool), pool, inside, TINY, seed=1))
    other = list(shadow_models(tiny(pool), pool, inside, TINY, seed=2))
    assert all(torch.equal(a, b) for a, b in zip(weights(models), weights(again), strict=True))
    assert not torch.equal(weights(models)[0], weights(other)[0])


def test_shadow_models_ignore_the_targets_weights(digits: Dataset, plain: Classifier) -> None:
    pool = digits.head(40)
    inside = paired_halves(2, 40, seed=0)
    before = weights([plain])[0].clone()
    blank = hauberk.create("cnn", pool, seed=9).eval()
    first = list(shadow_models(plain, pool, inside, TINY, seed=1))
    second = list(shadow_models(blank, pool, inside, TINY, seed=1))
    assert torch.equal(weights(first)[0], weights(second)[0])
    assert torch.equal(weights([plain])[0], before)


def test_a_stopped_run_goes_on(digits: Dataset, tmp_path: Path) -> None:
    pool = digits.head(60)
    inside = paired_halves(4, 60, seed=0)
    whole = list(shadow_models(tiny(pool), pool, inside, TINY, seed=1))
    begun = shadow_models(tiny(pool), pool, inside, TINY, seed=1, folder=tmp_path)
    next(begun)
    next(begun)
    begun.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) == 2
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    resumed = list(shadow_models(tiny(pool), pool, inside, TINY, seed=1, folder=tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    assert all(path.stat().st_mtime_ns == then for path, then in stamps.items())
    with pytest.raises(ConfigError, match="other settings, data or seed"):
        list(shadow_models(tiny(pool), pool, inside, TINY, seed=2, folder=tmp_path))
    file = tmp_path / "shadow-001.safetensors"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError, match="shadow-001"):
        list(shadow_models(tiny(pool), pool, inside, TINY, seed=1, folder=tmp_path))


class Foreign(nn.Module):
    """Weights of its own, and no way to make them fresh."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


def test_foreign_networks(digits: Dataset) -> None:
    pool = digits.head(20)
    inside = paired_halves(2, 20, seed=0)
    known = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    fits = Classifier(known, input_shape=(1, 8, 8), labels=digits.classes).eval()
    first, second = shadow_models(fits, pool, inside, TINY, seed=0)
    assert not torch.equal(weights([first])[0], weights([second])[0])
    strange = Classifier(Foreign(), input_shape=(1, 8, 8), labels=digits.classes).eval()
    with pytest.raises(UnsupportedModel, match="Foreign does not know how to reset"):
        list(shadow_models(strange, pool, inside, TINY, seed=0))


# --- the table


def test_collect_asks_every_model_once(digits: Dataset, plain: Classifier) -> None:
    data = digits.head(30)
    inside = paired_halves(2, 30, seed=0)
    models = list(shadow_models(plain, data, inside, TINY, seed=0))
    table = collect(plain, data, shadows=iter(models), inside=inside, views=3)
    with torch.no_grad():
        assert torch.allclose(table.target[0], plain(data.images), atol=1e-4)
        assert torch.allclose(table.shadows[1, 0], models[1](data.images), atol=1e-4)
        moved = data.images.roll(1, dims=3)  # view 1: one pixel to the right
        moved[..., 0] = data.images[..., 0]
        assert torch.allclose(table.target[1], plain(moved), atol=1e-4)
        moved = data.images.roll(-1, dims=3)
        moved[..., -1] = data.images[..., -1]
        assert torch.allclose(table.target[2], plain(moved), atol=1e-4)
    alone = collect(plain, data.head(1))
    assert alone.models == 0
    assert torch.allclose(alone.target[:, 0], table.target[:1, 0], atol=1e-4)


REFUSED: list[tuple[type[Exception], str, Callable[[Dataset, Classifier], object]]] = [
    (ConfigError, "even and at least 2, got 3", lambda data, model: paired_halves(3, 10, seed=0)),
    (ConfigError, "even and at least 2, got 0", lambda data, model: paired_halves(0, 10, seed=0)),
    (ConfigError, "cannot be halved", lambda data, model: paired_halves(2, 1, seed=0)),
    (ConfigError, "cannot be halved", lambda data, model: half_and_half(data.head(1), seed=0)),
    (ConfigError, "views must be", lambda data, model: collect(model, data, views=10)),
    (ConfigError, "views must be", lambda data, model: collect(model, data, views=0)),
    (ConfigError, "more shadow models than the 0", lambda data, model: collect(model, data, shadows=[model])),
    (ConfigError, "2 shadow models, 1 were given",
     lambda data, model: collect(model, data, shadows=[model], inside=torch.ones(2, len(data)).bool())),
    (ConfigError, "train mode", lambda data, model: collect(tiny(data).train(), data)),
    (DataError, "images must be", lambda data, model: collect(tiny(data), small(data))),
    (ConfigError, "at least 2 shadow models trained on", lambda data, model: LiRA()(random_table(models=2))),
    (ConfigError, "at least 2 shadow models not trained on",
     lambda data, model: OfflineLiRA()(random_table(models=2))),
    (ConfigError, "rmia needs at least 1", lambda data, model: RMIA()(random_table(models=0))),
    (ConfigError, "shadow needs at least 1", lambda data, model: ShadowClassifier()(random_table(models=0))),
    (ConfigError, "gamma must be at least 1", lambda data, model: RMIA(gamma=0.5)),
    (ConfigError, "gamma must be a number", lambda data, model: OfflineRMIA(gamma=float("nan"))),
    (ConfigError, r"a must lie in \[0, 1\]", lambda data, model: OfflineRMIA(a=1.5)),
    (ConfigError, "top must be", lambda data, model: ShadowClassifier(top=0)),
    (UnknownName, "did you mean 'global'", lambda data, model: LiRA(variance="globl")),  # type: ignore[arg-type]
    (UnknownName, "did you mean 'lira'", lambda data, model: make_membership("liraa")),
    (UnknownName, "did you mean 'gamma'", lambda data, model: make_membership("rmia", gama=2.0)),
    (DataError, "NaN", lambda data, model: changed(target=torch.full((1, 40, CLASSES), torch.nan))),
    (DataError, "shadow logits", lambda data, model: changed(shadows=torch.zeros(6, 2, 40, CLASSES))),
    (DataError, "inside must be", lambda data, model: changed(inside=torch.zeros(5, 40).bool())),
    (DataError, "labels", lambda data, model: changed(labels=torch.full((40,), CLASSES))),
    (DataError, "target logits", lambda data, model: changed(target=torch.zeros(1, 41, CLASSES))),
    (ConfigError, "inside must be boolean",
     lambda data, model: list(shadow_models(model, data, torch.zeros(2, 3).bool(), TINY))),
    (ConfigError, "without a single training sample",
     lambda data, model: list(shadow_models(model, data, torch.zeros(2, len(data)).bool(), TINY))),
]  # fmt: skip


def small(data: Dataset) -> Dataset:
    return Dataset("small", data.images[..., :6], data.labels, data.classes)


def changed(**fields: Tensor) -> LogitTable:
    table = random_table()
    return LogitTable(
        **{"labels": table.labels, "target": table.target, "shadows": table.shadows, "inside": table.inside}
        | fields
    )


@pytest.mark.parametrize(
    ("kind", "message", "call"), REFUSED, ids=lambda one: one[:30] if isinstance(one, str) else ""
)
def test_refused(
    kind: type[Exception],
    message: str,
    call: Callable[[Dataset, Classifier], object],
    digits: Dataset,
    plain: Classifier,
) -> None:
    with pytest.raises(kind, match=message):
        call(digits.head(12), plain)


# --- does it find what is there, and nothing where nothing is?


@pytest.fixture(scope="module")
def leaky(digits_train: Dataset) -> LogitTable:
    """Sixteen networks that know their 100 images by heart, asked about 200."""
    order = torch.randperm(len(digits_train), generator=torch.Generator().manual_seed(5))
    pool = digits_train.select(order[:200], note="200")
    inside = paired_halves(16, 200, seed=0)
    plan = TrainingPlan(epochs=40, batch_size=25, learning_rate=4e-3)
    models = list(shadow_models(hauberk.create("mlp", pool).eval(), pool, inside, plan, seed=0))
    return collect(models[0], pool, shadows=models, inside=inside)


def each_as_target(table: LogitTable, attack: MembershipAttack) -> list[tuple[Tensor, Tensor]]:
    """Scores and truth with every model as the target in turn; its own pair is not among its shadows."""
    found = []
    for target in range(table.models):
        rest = torch.tensor([one for one in range(table.models) if one // 2 != target // 2])
        part = LogitTable(
            labels=table.labels, target=table.shadows[target], shadows=table.shadows[rest],
            inside=table.inside[rest],
        )  # fmt: skip
        found.append((attack(part), table.inside[target]))
    return found


def found_at(scores: Tensor, truth: Tensor, false_alarms: int) -> float:
    """Share of members above the non-member that comes after so many."""
    edge = scores[~truth].sort(descending=True).values[false_alarms]
    return float((scores[truth] > edge).double().mean())


def test_models_that_learnt_by_heart_leak(leaky: LogitTable) -> None:
    area, low = {}, {}
    for name in MEMBERSHIP:
        runs = each_as_target(leaky, make_membership(name))
        area[name] = np.mean([roc_auc_score(truth, scores) for scores, truth in runs])
        low[name] = np.mean([found_at(scores, truth, 1) for scores, truth in runs])
    assert min(area.values()) > 0.55, area
    for name in ("lira", "lira-offline", "rmia", "rmia-offline"):
        assert area[name] > area["loss"] + 0.02, area
        assert low[name] > 1.5 * low["loss"], low


def test_nothing_is_found_where_nobody_is_a_member(
    leaky: LogitTable, plain: Classifier, digits: Dataset
) -> None:
    """Who counts as a member is drawn by lot: AUC must be about one half.

    Under the null the AUC is nearly normal with variance (n + 1) / (3 n^2) for n of each; beyond 4 standard
    deviations is 1 in 16,000 for each of the seven attacks and the fixed lot.
    """
    source = torch.Generator().manual_seed(11)
    for name in MEMBERSHIP:
        attack = make_membership(name)
        table = leaky if attack.needs_shadows() else collect(plain, digits)
        lot = torch.zeros(len(table), dtype=torch.bool)
        lot[torch.randperm(len(table), generator=source)[: len(table) // 2]] = True
        half = len(table) // 2
        limit = 4 * ((2 * half + 1) / (12 * half * half)) ** 0.5
        assert abs(roc_auc_score(lot, attack(table)) - 0.5) < limit, name
