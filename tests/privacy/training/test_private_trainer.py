"""Private training: the steps against DP-SGD written out, and the budget against what was done."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier, create
from hauberk.models.training import TrainingDiverged, TrainingPlan
from hauberk.privacy.training import Clip, Cost, NoiseSource, PrivateTraining
from hauberk.privacy.training.run import PrivateRun, Recipe

KEY = b"only for tests"


@pytest.fixture(scope="module")
def data(digits_train: Dataset) -> Dataset:
    return digits_train.head(300)


def plan(**other: Any) -> TrainingPlan:
    return TrainingPlan(**{"epochs": 2, "batch_size": 60, "optimizer": "sgd", "learning_rate": 0.3, **other})


def trainer(**other: Any) -> PrivateTraining:
    return PrivateTraining(**{"epsilon": 8.0, "delta": 1e-4, "plan": plan(), **other})


def weights(classifier: Classifier) -> Tensor:
    return torch.cat([one.detach().flatten() for one in classifier.parameters()])


def by_hand(
    classifier: Classifier, data: Dataset, *, noise: float, clip: float, batch: int, steps: int, rate: float
) -> Classifier:
    """Algorithm 1 of Abadi et al. with torch.func and torch's own optimiser, on the same random numbers."""
    model, source = copy.deepcopy(classifier), NoiseSource(test_key=KEY)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, nesterov=True)

    def loss(own: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = torch.func.functional_call(model, own, (image[None],))
        return F.cross_entropy(logits, label[None])

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    for _ in range(steps):
        rows = source.chosen(len(data), batch / len(data))
        gradients = each(dict(model.named_parameters()), data.images[rows], data.labels[rows])
        norms = sum(one.flatten(1).square().sum(1) for one in gradients.values()).sqrt()
        for name, one in model.named_parameters():
            shortened = gradients[name] * (clip / norms).clamp_max(1).view(-1, *[1] * one.ndim)
            drawn = source.normal(one.numel()).view(one.shape)
            one.grad = ((shortened.sum(0).double() + noise * clip * drawn) / batch).float()
        optimizer.step()
    return model


@pytest.mark.parametrize("physical", [None, 7, 1000])
def test_steps_are_those_of_the_algorithm(data: Dataset, physical: int | None) -> None:
    start = create("cnn", data, args={"channels": [4, 8], "hidden": 16})
    trained = trainer(clip=0.5, physical_batch=physical).fit(start, data, noise=NoiseSource(test_key=KEY))
    noise = trained.evidence[-1].result["privacy"]["noise_multiplier"]
    expected = by_hand(start, data, noise=noise, clip=0.5, batch=60, steps=10, rate=0.3)
    torch.testing.assert_close(weights(trained), weights(expected), rtol=1e-4, atol=1e-5)
    assert float((weights(trained) - weights(start)).norm()) > 0.1


def test_features_asked_once_change_nothing(data: Dataset) -> None:
    start = create("scatter-linear", data, args={"angles": 2})
    trained = trainer().fit(start, data, noise=NoiseSource(test_key=KEY))
    noise = trained.evidence[-1].result["privacy"]["noise_multiplier"]
    expected = by_hand(start, data, noise=noise, clip=1.0, batch=60, steps=10, rate=0.3)
    torch.testing.assert_close(weights(trained), weights(expected), rtol=1e-4, atol=1e-5)


def test_a_step_without_anybody_is_noise_alone(data: Dataset) -> None:
    start = create("mlp", data, args={"hidden": [4]})
    run = PrivateRun(start, data, plan(batch_size=1), Recipe(Clip(0.5), 2.0), 0, NoiseSource(test_key=KEY))
    run.rate = 1e-15  # nobody, for certain
    run.optimizer.param_groups[0]["lr"] = 0.3
    run._step(torch.Generator())
    source = NoiseSource(test_key=KEY)
    source.chosen(len(data), 0)
    drawn = torch.cat([source.normal(one.numel()) for one in start.parameters()])
    # Nesterov's first step is 1.9 of the gradient
    torch.testing.assert_close(
        weights(run.model) - weights(start), (-0.3 * 1.9 * 0.5 * 2.0 * drawn).float(), rtol=1e-4, atol=1e-5
    )


def test_copies_of_a_person_are_averaged_before_clipping(data: Dataset) -> None:
    """Augmentation of strength 0 repeats the image: as many copies as one likes give the same model."""
    start = create("mlp", data, args={"hidden": [4]})
    found = [
        trainer(multiplicity=copies, plan=plan(augment=("shift:0",))).fit(
            start, data, noise=NoiseSource(test_key=KEY)
        )
        for copies in (1, 3)
    ]
    torch.testing.assert_close(weights(found[0]), weights(found[1]), rtol=1e-4, atol=1e-5)


def test_averaged_weights_are_the_result(data: Dataset) -> None:
    start = create("mlp", data, args={"hidden": [4]})
    plain, mean = (
        trainer(plan=plan(averaging=one)).fit(start, data, noise=NoiseSource(test_key=KEY)) for one in (0, 0.99)
    )
    assert not torch.equal(weights(plain), weights(mean))
    assert (weights(mean) - weights(start)).norm() < (weights(plain) - weights(start)).norm()


def test_the_seed_has_no_part_in_the_noise(data: Dataset) -> None:
    start = create("mlp", data, args={"hidden": [4]})
    one, other = (trainer().fit(start, data, seed=5) for _ in range(2))
    assert not torch.equal(weights(one), weights(other))
    assert one.evidence[-1].result["privacy"]["noise"] == "AES-256-CTR"
    tested = trainer().fit(start, data, noise=NoiseSource(test_key=KEY))
    assert tested.evidence[-1].result["privacy"]["noise"] == "for tests"


def test_the_record_says_what_was_spent_and_nothing_of_the_data(data: Dataset) -> None:
    start = create("mlp", data, args={"hidden": [4]})
    record = trainer(epsilon=3.0).fit(start, data).evidence[-1]
    privacy = record.result["privacy"]
    assert (record.kind, record.parameters["method"]) == ("training", "private")
    assert (privacy["unit"], privacy["adjacency"], privacy["sampling"]) == (
        "one example",
        "added or removed",
        "poisson",
    )
    assert privacy["steps"] == privacy["steps_planned"] == 10
    assert privacy["rate"] == pytest.approx(0.2)
    assert 2.9 < privacy["epsilon"] <= 3.0
    assert privacy["epsilon"] == Cost(0.2, privacy["noise_multiplier"], 10).epsilon(1e-4)
    for row in record.result["history"]:
        assert {key for key, value in row.items() if value is not None} == {"epoch", "seconds"}


class TestBudgetOfARunThatStops:
    def test_early_has_spent_less_and_the_rest_follows(self, data: Dataset, tmp_path: Path) -> None:
        start, file = create("mlp", data, args={"hidden": [4]}), tmp_path / "checkpoint"
        whole = trainer(plan=plan(epochs=4))
        early = whole.fit(start, data, checkpoint=file, stop_after=1).evidence[-1].result["privacy"]
        assert (early["steps"], early["steps_planned"]) == (5, 20)
        assert early["epsilon"] == Cost(0.2, early["noise_multiplier"], 5).epsilon(1e-4) < 6
        late = whole.fit(start, data, checkpoint=file).evidence[-1].result["privacy"]
        assert late["steps"] == 20
        assert late["noise_multiplier"] == early["noise_multiplier"]
        assert late["epsilon"] == Cost(0.2, late["noise_multiplier"], 20).epsilon(1e-4) > early["epsilon"]
        again = whole.fit(start, data, checkpoint=file)
        assert again.evidence[-1].result["privacy"]["steps"] == 20

    def test_resuming_goes_on_from_the_weights_and_the_optimiser(self, data: Dataset, tmp_path: Path) -> None:
        start, file = create("mlp", data, args={"hidden": [4]}), tmp_path / "checkpoint"
        one = trainer().fit(start, data, noise=NoiseSource(test_key=KEY))
        source = NoiseSource(test_key=KEY)
        trainer().fit(start, data, noise=source, checkpoint=file, stop_after=1)
        two = trainer().fit(start, data, noise=source, checkpoint=file)
        torch.testing.assert_close(weights(one), weights(two))

    def test_a_killed_epoch_is_spent_and_lost(
        self, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start, file = create("mlp", data, args={"hidden": [4]}), tmp_path / "checkpoint"
        whole, real, calls = trainer(plan=plan(epochs=3)), PrivateRun._step, []

        def killed(self: PrivateRun, generator: torch.Generator) -> None:
            calls.append(1)
            if len(calls) == 8:  # in the middle of the second epoch
                raise KeyboardInterrupt
            real(self, generator)

        monkeypatch.setattr(PrivateRun, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            whole.fit(start, data, checkpoint=file)
        found = whole.fit(start, data, checkpoint=file).evidence[-1].result
        assert len(calls) == 8 + 5  # the third epoch, and not the second once more
        assert found["privacy"]["steps"] == 15
        assert [row["epoch"] for row in found["history"]] == [1, 3]

    def test_a_checkpoint_of_another_budget_is_refused(self, data: Dataset, tmp_path: Path) -> None:
        start, file = create("mlp", data, args={"hidden": [4]}), tmp_path / "checkpoint"
        trainer().fit(start, data, checkpoint=file, stop_after=1)
        with pytest.raises(ConfigError, match="other settings"):
            trainer(epsilon=9.0).fit(start, data, checkpoint=file)

    def test_weights_that_are_no_numbers_hand_back_the_epoch_before(self, data: Dataset) -> None:
        start = create("mlp", data, args={"hidden": [4]})
        wild = trainer(plan=plan(epochs=30, learning_rate=1e30, batch_size=300))
        with pytest.raises(TrainingDiverged) as caught:
            wild.fit(start, data)
        last: Any = caught.value.facts["last_good"]
        if last is not None:
            assert bool(weights(last).isfinite().all())
            assert last.evidence[-1].result["privacy"]["steps"] == last.evidence[-1].result["diverged"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epsilon": 0}, "epsilon must lie in"),
        ({"epsilon": -2}, "epsilon must lie in"),
        ({"epsilon": 1e6}, "epsilon must lie in"),
        ({"delta": 0}, "delta must lie in"),
        ({"clip": 0}, "clip must be above 0"),
        ({"clipping": "abbadi"}, "did you mean 'abadi'"),
        ({"multiplicity": 0}, "multiplicity must be a whole number"),
        ({"multiplicity": 4}, "without augment"),
        ({"physical_batch": 0}, "physical_batch must be"),
        ({"plan": plan(weight_perturbation=0.1)}, "weight_perturbation"),
        ({"plan": plan(augment=("mixup",))}, "mixup mixes people"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        trainer(**settings)


def test_data_that_does_not_fit_the_budget(data: Dataset) -> None:
    start = create("mlp", data)
    with pytest.raises(ConfigError, match=re.escape("(1/300)")):
        trainer(delta=1 / 300).fit(start, data)
    with pytest.raises(DataError, match="below 100"):
        trainer().fit(start, data.head(99))
    with pytest.raises(ConfigError, match="more than the 300 examples"):
        trainer(plan=plan(batch_size=301)).fit(start, data)
    with pytest.raises(ConfigError, match="stop_after"):
        trainer().fit(start, data, stop_after=0)


def test_what_was_learnt_before_from_the_same_data_is_outside_of_the_budget(data: Dataset) -> None:
    plain = hauberk.train(create("mlp", data), data, TrainingPlan(epochs=1))
    with pytest.raises(ConfigError, match=r"has learnt from .* before"):
        trainer().fit(plain, data)
    trainer().fit(plain, data.select(torch.arange(200), note="others"))


def test_batch_norm_is_refused_and_group_norm_learns(data: Dataset) -> None:
    with pytest.raises(UnsupportedModel, match="BatchNorm2d") as caught:
        trainer().fit(create("wide-resnet", data, args={"depth": 10, "width": 1}), data)
    assert "norm=group" in str(caught.value.hint)
    start = create("wide-resnet", data, args={"depth": 10, "width": 1, "norm": "group"})
    assert not any(isinstance(one, nn.BatchNorm2d) for one in start.modules())
    trainer(plan=plan(epochs=1)).fit(start, data)


def test_a_package_keeps_the_budget(data: Dataset, tmp_path: Path) -> None:
    trained = trainer().fit(create("scatter-linear", data), data)
    hauberk.save(trained, tmp_path / "private")
    again = hauberk.load(tmp_path / "private")
    assert again.evidence[-1].result["privacy"] == trained.evidence[-1].result["privacy"]
    assert torch.equal(again(data.images[:5]), trained(data.images[:5]))


@pytest.mark.slow
def test_digits_are_learnt(digits_train: Dataset, digits: Dataset) -> None:
    """What the same budget leaves of accuracy: chance is a tenth."""
    trained = PrivateTraining(epsilon=8.0, delta=1e-4).fit(create("scatter-linear", digits_train), digits_train)
    right = float((trained(digits.images).argmax(1) == digits.labels).float().mean())
    assert right > 0.85
