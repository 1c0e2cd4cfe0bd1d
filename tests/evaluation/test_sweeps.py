"""Sweeps: zeros really reached, values really few, and the ends of each axis are the model itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import hauberk
from hauberk.attacks import FGSM, PGD
from hauberk.core.errors import ConfigError, UnknownName
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.curves import accuracy_curve
from hauberk.evaluation.sweeps import pruned, quantised, sweep
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan

EPS = 0.1
QUICK = PGD(steps=5)


def weights(model: Classifier) -> list[torch.Tensor]:
    return [one.detach() for one in model.module.parameters() if one.ndim > 1]


@pytest.mark.parametrize("sparsity", [0.3, 0.9])
def test_the_smallest_weights_are_zero_and_no_others(plain: Classifier, sparsity: float) -> None:
    before = torch.cat([one.flatten() for one in weights(plain)])
    after = torch.cat([one.flatten() for one in weights(pruned(plain, sparsity))])
    gone = after == 0
    assert int(gone.sum()) == round(sparsity * len(before))
    assert torch.equal(after[~gone], before[~gone])
    assert before[gone].abs().max() <= before[~gone].abs().min()


def test_biases_stay(plain: Classifier) -> None:
    for changed in (pruned(plain, 0.9), quantised(plain, 2)):
        for one, two in zip(plain.module.parameters(), changed.module.parameters(), strict=True):
            assert one.ndim > 1 or torch.equal(one, two)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_bits_bound_the_values_of_each_channel(plain: Classifier, bits: int) -> None:
    for before, after in zip(weights(plain), weights(quantised(plain, bits)), strict=True):
        for old, new in zip(before, after, strict=True):
            assert len(new.unique()) < 2**bits
            step = old.abs().max() / (2 ** (bits - 1) - 1)
            assert (new - old).abs().max() <= step / 2 * 1.0001
            levels = new / step
            torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)


def test_a_channel_of_zeros_stays_one(plain: Classifier) -> None:
    start = pruned(plain, 0.0)
    with torch.no_grad():
        weights(start)[0][3] = 0.0
    assert not weights(quantised(start, 4))[0][3].any()
    assert all(one.isfinite().all() for one in weights(quantised(start, 4)))


def test_the_start_of_each_axis_is_the_model_itself(plain: Classifier) -> None:
    assert pruned(plain, 0.0).digest == quantised(plain, 32).digest == plain.digest
    assert pruned(plain, 0.5).digest != plain.digest
    assert plain.digest == pruned(plain, 0.0).digest  # nothing was changed in place


def points(document: Evidence) -> list[dict[str, Any]]:
    return list(document.result["points"])


def test_figures_are_those_of_a_curve(hardened: Classifier, digits: Dataset) -> None:
    """The model itself, measured by another function; and a network without weights left guesses."""
    test = digits.head(80)
    found = points(sweep(hardened, test, hauberk.Linf(EPS), over="pruning", values=[0.0, 0.99], attack=QUICK))
    wanted = accuracy_curve(hardened, test, hauberk.Linf(EPS), [EPS], attack=QUICK).result["points"]
    assert found[0]["clean_accuracy"] == wanted[0]["accuracy"]
    assert found[0]["robust_accuracy"] == wanted[1]["accuracy"]
    assert found[0]["robust_interval"] == wanted[1]["interval"]
    assert found[0]["zero_weights"] < 0.01
    assert found[1]["zero_weights"] == pytest.approx(0.99, abs=1e-3)
    assert found[1]["clean_accuracy"] < 0.5
    assert all(one["robust_accuracy"] <= one["clean_accuracy"] for one in found)


def test_fewer_bits_come_last(plain: Classifier, digits: Dataset) -> None:
    document = sweep(
        plain, digits.head(20), hauberk.Linf(EPS), over="quantisation", values=[2, 32, 4], attack=FGSM()
    )
    assert [one["x"] for one in points(document)] == [32, 4, 2]
    assert document.kind == "sweep"
    assert document.parents == (plain.evidence[-1].digest,)
    assert Evidence.from_json(document.to_json()) == document


def test_fewer_images_are_learnt_by_heart(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    """The gap between its own data and the rest shrinks with more data; each point is a training of its own."""
    plan = TrainingPlan(epochs=8, batch_size=32, learning_rate=5e-3, schedule="one-cycle")
    document = sweep(
        plain, digits.head(150), hauberk.Linf(0.05), over="samples", values=[600, 48], learn_from=digits_train,
        plan=plan, attack=QUICK, seed=3,
    )  # fmt: skip
    few, many = points(document)
    assert (few["x"], many["x"]) == (48, 600)
    assert few["train_accuracy"] - few["clean_accuracy"] > many["train_accuracy"] - many["clean_accuracy"]
    assert many["clean_accuracy"] > few["clean_accuracy"]
    assert document.inputs["learn_from"] == digits_train.describe()


def test_more_epochs_fit_better(plain: Classifier, digits: Dataset, digits_train: Dataset) -> None:
    plan = TrainingPlan(epochs=99, batch_size=64)
    document = sweep(
        plain, digits.head(60), hauberk.Linf(0.05), over="epochs", values=[1, 4],
        learn_from=digits_train.head(300), plan=plan, attack=FGSM(),
    )  # fmt: skip
    one, four = points(document)
    assert one["train_accuracy"] < four["train_accuracy"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"over": "pruning", "values": [1.0]}, "sparsity must lie in"),
        ({"over": "pruning", "values": [0.5, float("nan")]}, "sparsity must lie in"),
        ({"over": "pruning", "values": []}, "values that all differ"),
        ({"over": "pruning", "values": [0.5, 0.5]}, "values that all differ"),
        ({"over": "quantisation", "values": [1]}, "from 2 to 16, or 32"),
        ({"over": "quantisation", "values": [2.5]}, "from 2 to 16, or 32"),
        ({"over": "quantisation", "values": [float("nan")]}, "from 2 to 16, or 32"),
        ({"over": "epochs"}, "it needs data to learn from"),
        ({"over": "samples", "values": [0]}, "it needs data to learn from"),
    ],
)
def test_misuse_is_one_clear_line(
    plain: Classifier, digits: Dataset, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        sweep(plain, digits.head(4), hauberk.Linf(EPS), attack=FGSM(), **settings)


def test_what_trains_and_what_does_not(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="does not train: leave learn_from out"):
        sweep(plain, digits, hauberk.Linf(EPS), over="pruning", learn_from=digits)
    with pytest.raises(ConfigError, match="whole numbers of at least 1, got 0"):
        sweep(plain, digits, hauberk.Linf(EPS), over="epochs", values=[0], learn_from=digits)
    with pytest.raises(ConfigError, match=f"has {len(digits)} images, not 9999"):
        sweep(plain, digits, hauberk.Linf(EPS), over="samples", values=[9999], learn_from=digits)
    with pytest.raises(UnknownName, match="axis"):
        sweep(plain, digits, hauberk.Linf(EPS), over="shearing")  # type: ignore[arg-type]
