"""Poisoners: as many samples as the rate says, exactly those that the mask names, and as the papers say."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from hauberk.attacks import poisoning
from hauberk.attacks.poisoning import (
    POISONERS,
    BadNets,
    Blended,
    ClassFlip,
    CleanLabel,
    Poisoned,
    Poisoner,
    RandomFlip,
    WorstFlip,
)
from hauberk.core.errors import ConfigError, DataError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier

TABLE: list[Poisoner] = [
    RandomFlip(rate=0.2),
    ClassFlip(rate=0.06, source=7, target=1),
    WorstFlip(rate=0.2),
    WorstFlip(rate=0.9, share=0.75),
    BadNets(rate=0.05, target=7),
    BadNets(rate=0.03, target=1, source=4, pattern="solid", size=2, corner="all", value=0.7),
    Blended(rate=0.1, target=2),
    CleanLabel(rate=0.05, target=3, steps=5),
    CleanLabel(rate=0.02, target=3, steps=5, norm="l2", eps=1.5),
]


def poison(poisoner: Poisoner, data: Dataset, reference: Classifier, seed: int = 1) -> Poisoned:
    return poisoner(data, seed=seed, classifier=reference)


def differs(one: Dataset, other: Dataset) -> np.ndarray:
    """Where two data sets differ, looked at with NumPy."""
    images = (one.images.numpy() != other.images.numpy()).reshape(len(one), -1).any(axis=1)
    return images | (one.labels.numpy() != other.labels.numpy())


def test_every_poisoner_stands_in_the_table() -> None:
    assert {one.name for one in TABLE} == set(POISONERS)


@pytest.mark.parametrize("poisoner", TABLE, ids=repr)
def test_contract(poisoner: Poisoner, plain: Classifier, digits_train: Dataset) -> None:
    given = replace(digits_train, images=digits_train.images.clone(), labels=digits_train.labels.clone())
    weights = {name: one.clone() for name, one in plain.state_dict().items()}

    made = poison(poisoner, given, plain)

    # what was given is as it was
    assert torch.equal(given.images, digits_train.images)
    assert torch.equal(given.labels, digits_train.labels)
    assert all(torch.equal(one, weights[name]) for name, one in plain.state_dict().items())
    # exactly as many as the rate says, exactly those that the mask names
    assert made.touched.dtype == torch.bool
    assert int(made.touched.sum()) == int(np.floor(poisoner.rate * len(given)))
    assert np.array_equal(differs(given, made.data), made.touched.numpy())
    # bounds and kind
    assert made.data.images.dtype == torch.float32
    assert 0 <= float(made.data.images.min()) <= float(made.data.images.max()) <= 1
    assert made.data.classes == given.classes
    assert made.data.digest != given.digest
    # the record names everything that a repetition needs
    assert made.recipe == repr(poisoner)
    assert eval(made.recipe, vars(poisoning)) == poisoner
    assert (made.reference is not None) == poisoner.needs_reference


@pytest.mark.parametrize("poisoner", TABLE, ids=repr)
def test_the_seed_decides(poisoner: Poisoner, plain: Classifier, digits_train: Dataset) -> None:
    made, again, other = (poison(poisoner, digits_train, plain, seed) for seed in (1, 1, 2))
    assert made.data.digest == again.data.digest
    assert torch.equal(made.touched, again.touched)
    if not isinstance(poisoner, WorstFlip):  # nothing random in it
        assert made.data.digest != other.data.digest


@pytest.mark.parametrize("kind", [RandomFlip, BadNets, Blended, CleanLabel, WorstFlip])
def test_a_higher_rate_touches_the_same_samples_in_the_same_way_and_more(
    kind: type[Poisoner], plain: Classifier, digits_train: Dataset
) -> None:
    """So a sample's poison does not depend on which others are poisoned with it."""
    few = poison(kind(rate=0.02), digits_train, plain)
    many = poison(kind(rate=0.08), digits_train, plain)
    assert bool(many.touched[few.touched].all())
    assert torch.equal(few.data.labels[few.touched], many.data.labels[few.touched])
    change = (few.data.images - many.data.images)[few.touched].abs()
    assert float((change < 1e-5).float().mean()) > 0.99  # kernels round differently in other batches


@pytest.mark.parametrize(
    ("rate", "samples", "count"),
    [
        (1.0, 50, 50),
        (0.5, 51, 25),
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.999, 100, 99),
        (0.02, 50, 1),
        (1, 7, 7),
    ],
)
def test_rates_are_rounded_down(rate: float, samples: int, count: int, digits: Dataset) -> None:
    made = RandomFlip(rate=rate)(digits.head(samples))
    assert int(made.touched.sum()) == count


# --- label flipping


def test_random_flips_are_wrong_and_uniform(digits_train: Dataset) -> None:
    counts = np.zeros((10, 10))
    for seed in range(10):
        labels = RandomFlip(rate=1.0)(digits_train, seed=seed).data.labels.numpy()
        np.add.at(counts, (digits_train.labels.numpy(), labels), 1)
    assert np.trace(counts) == 0
    wrong = counts[~np.eye(10, dtype=bool)]
    expected = np.repeat(counts.sum(axis=1) / 9, 9)
    statistic = ((wrong - expected) ** 2 / expected).sum()
    assert statistic < 130  # chi square, 80 degrees of freedom: above 130 in 3 of 10,000 cases


def test_class_flips_touch_one_class_only(digits_train: Dataset) -> None:
    made = ClassFlip(rate=0.05, source=7, target=1)(digits_train, seed=3)
    assert set(digits_train.labels[made.touched].tolist()) == {7}
    assert set(made.data.labels[made.touched].tolist()) == {1}
    assert (made.source, made.target, made.trigger) == (7, 1, None)


def on_a_line(positions: list[float], labels: list[int]) -> tuple[Dataset, Classifier]:
    """Points on a line and a linear model of three classes whose margins can be seen."""
    data = Dataset("line", torch.tensor(positions)[:, None], torch.tensor(labels), ("a", "b", "c"))
    layer = nn.Linear(1, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[-10.0], [10.0], [0.0]]))
        layer.bias.copy_(torch.tensor([5.0, -5.0, -20.0]))  # logits: -z, z, -20 with z = 10 (x - 1/2)
    return data, Classifier(layer, input_shape=(1,), labels=("a", "b", "c")).eval()


def test_worst_flips_take_a_majority_of_the_surest_class_first() -> None:
    # distance from 1/2:           .5    .4   .1    .1   .3   .2   .05
    data, model = on_a_line([0.0, 0.1, 0.4, 0.6, 0.8, 0.7, 0.55], [0, 0, 0, 1, 1, 1, 1])
    order = [0, 1, 4, 5, 3, 2, 6]  # two of three a's (0.6 up), three of four b's, then the rest in that order
    for count in range(1, 8):
        made = WorstFlip(rate=count / 7)(data, classifier=model)
        assert sorted(made.touched.nonzero().squeeze(1).tolist()) == sorted(order[:count])
        assert set(made.data.labels[made.touched].tolist()) == {2}  # logit -20: the least likely for both


def test_worst_flips_work_with_classes_that_do_not_occur() -> None:
    data, model = on_a_line([0.0, 0.1, 0.2, 0.3], [0, 0, 0, 0])
    assert WorstFlip(rate=0.5)(data, classifier=model).data.labels.tolist() == [2, 2, 0, 0]


# --- triggers


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [
        ("top-left", (0, 2), (0, 2)),
        ("top-right", (0, 2), (6, 8)),
        ("bottom-left", (6, 8), (0, 2)),
        ("bottom-right", (6, 8), (6, 8)),
    ],
)
def test_a_patch_is_where_it_is_said_to_be(
    corner: str, rows: tuple[int, int], columns: tuple[int, int], digits_train: Dataset
) -> None:
    made = BadNets(rate=0.05, pattern="solid", size=2, value=0.6, corner=corner)(digits_train)  # type: ignore[arg-type]
    expected = digits_train.images[made.touched].numpy().copy()
    expected[:, :, slice(*rows), slice(*columns)] = 0.6
    assert np.array_equal(made.data.images[made.touched].numpy(), expected)
    assert set(made.data.labels[made.touched].tolist()) == {0}
    assert 0 not in digits_train.labels[made.touched]
    assert made.trigger is not None
    assert torch.equal(made.trigger(digits_train.images[made.touched]), made.data.images[made.touched])


def test_margins_keep_the_patch_off_the_border() -> None:
    data = Dataset("blank", torch.zeros(20, 1, 28, 30), torch.arange(20) % 2, ("a", "b"))
    for margin, edge in ((None, 2), (0, 0), (5, 5)):
        trigger = BadNets(rate=0.5, pattern="solid", margin=margin)(data).trigger
        assert trigger is not None
        rows, columns = trigger.mask[0].nonzero(as_tuple=True)
        assert (int(rows.min()), int(rows.max())) == (25 - edge, 27 - edge)
        assert (int(columns.min()), int(columns.max())) == (27 - edge, 29 - edge)


def test_a_checkerboard_in_all_corners_of_colour_images() -> None:
    images = torch.full((20, 3, 7, 9), 0.25)
    data = Dataset("colour", images, torch.arange(20) % 2, ("a", "b"), bounds=(-1.0, 2.0))
    made = BadNets(rate=0.5, target=1, corner="all")(data)
    assert made.trigger is not None
    stamped = made.trigger(images[:1])[0]
    square = torch.tensor([[2.0, -1, 2], [-1, 2, -1], [2, -1, 2]])
    for rows in (slice(0, 3), slice(4, 7)):
        for columns in (slice(0, 3), slice(6, 9)):
            for channel in range(3):
                assert torch.equal(stamped[channel, rows, columns], square)
    assert int((stamped != 0.25).sum()) == 3 * 4 * 9
    assert torch.equal(made.trigger(stamped), stamped)


def test_a_blended_pattern_is_the_papers_formula(digits_train: Dataset) -> None:
    made = Blended(rate=0.1, target=2, alpha=0.3)(digits_train, seed=5)
    assert made.trigger is not None
    pattern = made.trigger.pattern.numpy()
    expected = 0.7 * digits_train.images[made.touched].numpy() + 0.3 * pattern
    assert np.allclose(made.data.images[made.touched].numpy(), expected, atol=1e-6)
    assert 0.4 < pattern.mean() < 0.6
    assert pattern.std() == pytest.approx(12**-0.5, rel=0.15)  # uniform
    other = Blended(rate=0.1, target=2, alpha=0.3)(digits_train, seed=6).trigger
    assert other is not None
    assert not torch.equal(other.pattern, made.trigger.pattern)


def test_triggers_fit_and_do_not_change_what_they_stamp(digits_train: Dataset) -> None:
    trigger = BadNets()(digits_train).trigger
    assert trigger is not None
    kept = digits_train.images[:3].clone()
    assert trigger(kept[0]).shape == (1, 8, 8)
    assert torch.equal(trigger(kept)[0], trigger(kept[0]))
    assert torch.equal(kept, digits_train.images[:3])
    with pytest.raises(ConfigError, match="does not fit"):
        trigger(torch.zeros(2, 1, 9, 9))


def test_source_narrows_a_backdoor(digits_train: Dataset) -> None:
    made = BadNets(rate=0.05, source=4, target=9)(digits_train)
    assert set(digits_train.labels[made.touched].tolist()) == {4}
    assert set(made.data.labels[made.touched].tolist()) == {9}


# --- clean labels


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_clean_labels_are_true_and_stay_in_the_ball(
    norm: str, plain: Classifier, digits_train: Dataset
) -> None:
    eps = {"linf": 0.2, "l2": 1.2}[norm]
    poisoner = CleanLabel(rate=0.05, target=3, norm=norm, eps=eps, steps=10, size=2)  # type: ignore[arg-type]
    made = poison(poisoner, digits_train, plain)
    assert torch.equal(made.data.labels, digits_train.labels)
    assert set(digits_train.labels[made.touched].tolist()) == {3}
    change = (made.data.images - digits_train.images)[made.touched].numpy().astype(np.float64)
    change[:, :, 6:, 6:] = 0  # the patch
    order = np.inf if norm == "linf" else 2
    lengths = np.linalg.norm(change.reshape(len(change), -1), ord=order, axis=1)
    assert lengths.max() <= eps * (1 + 1e-5) + 1e-6
    assert np.median(lengths) > 0.9 * eps or norm == "l2"  # the patch took a part of an L2 perturbation
    assert np.median(lengths) > 0.7 * eps


def test_clean_label_climbs_to_the_corner_of_the_box_on_a_linear_model(digits_train: Dataset) -> None:
    """Two classes, linear: the loss of class 1 grows along w0 - w1 all the way."""
    layer = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    torch.nn.init.uniform_(layer[1].weight, -1, 1, generator=torch.Generator().manual_seed(3))
    keep = (digits_train.labels < 2).nonzero().squeeze(1)
    data = Dataset("two", digits_train.images[keep], digits_train.labels[keep], ("0", "1"))
    model = Classifier(layer, input_shape=(1, 8, 8), labels=2).eval()
    made = CleanLabel(rate=0.2, target=1, eps=0.25, size=1)(data, classifier=model)
    weight = layer[1].weight.detach().numpy().reshape(2, 1, 8, 8)
    clean = data.images[made.touched].numpy()
    expected = np.clip(clean + 0.25 * np.sign(weight[0] - weight[1]), np.maximum(clean - 0.25, 0), 1).clip(0, 1)
    expected[:, :, 7, 7] = 1.0
    assert np.allclose(made.data.images[made.touched].numpy(), expected, atol=1e-6)


def test_clean_label_climbs_as_high_as_a_peer(plain: Classifier, digits_train: Dataset) -> None:
    """Foolbox's PGD at the same radius and number of steps; a tiny patch leaves the loss nearly alone."""
    foolbox = pytest.importorskip("foolbox")
    made = poison(CleanLabel(rate=0.05, target=3, eps=0.2, steps=20, size=1, corner="top-left", value=0.0),
                  digits_train, plain)  # fmt: skip
    rows = made.touched.nonzero().squeeze(1)
    images, labels = digits_train.images[rows], digits_train.labels[rows]
    peer = foolbox.attacks.LinfProjectedGradientDescentAttack(steps=20, rel_stepsize=2.5 / 20)
    model = foolbox.PyTorchModel(plain, bounds=(0, 1), device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, (theirs,), _ = peer(model, images, labels, epsilons=[0.2])

    def loss(x: torch.Tensor) -> float:
        with torch.no_grad():
            return float(nn.functional.cross_entropy(plain(x), labels))

    assert loss(made.data.images[rows]) >= 0.97 * loss(theirs)
    assert loss(made.data.images[rows]) > 20 * loss(images)


# --- refusals

SETTINGS: list[tuple[str, Callable[[], object]]] = [
    ("rate", lambda: RandomFlip(rate=0)),
    ("rate", lambda: RandomFlip(rate=-0.1)),
    ("rate", lambda: RandomFlip(rate=1.01)),
    ("rate", lambda: RandomFlip(rate=float("nan"))),
    ("rate", lambda: RandomFlip(rate="much")),  # type: ignore[arg-type]
    ("rate", lambda: RandomFlip(rate=True)),
    ("same class, 3", lambda: ClassFlip(source=3, target=3)),
    ("same class, 3", lambda: BadNets(source=3, target=3)),
    ("source", lambda: ClassFlip(source=-1, target=3)),
    ("target", lambda: ClassFlip(source=1, target=True)),
    ("target", lambda: CleanLabel(target=-1)),
    ("target", lambda: BadNets(target=1.0)),  # type: ignore[arg-type]
    ("share", lambda: WorstFlip(share=0.5)),
    ("share", lambda: WorstFlip(share=1.1)),
    ("size", lambda: BadNets(size=0)),
    ("size", lambda: CleanLabel(size=2.0)),  # type: ignore[arg-type]
    ("margin", lambda: BadNets(margin=-1)),
    ("margin", lambda: CleanLabel(margin=1.5)),  # type: ignore[arg-type]
    ("'solid'", lambda: BadNets(pattern="solids")),  # type: ignore[arg-type]
    ("'top-left'", lambda: BadNets(corner="topleft")),  # type: ignore[arg-type]
    ("value", lambda: BadNets(value=float("inf"))),
    ("alpha", lambda: Blended(alpha=0.0)),
    ("alpha", lambda: Blended(alpha=1)),
    ("norm", lambda: CleanLabel(norm="l1")),  # type: ignore[arg-type]
    ("eps", lambda: CleanLabel(eps=0.0)),
    ("steps", lambda: CleanLabel(steps=0)),
    ("needs source and target", lambda: poisoning.make("class-flip")),
    ("needs target", lambda: poisoning.make("class-flip", source=1)),
]


@pytest.mark.parametrize(("word", "make"), SETTINGS)
def test_settings_out_of_range(word: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


def test_misspelt_names_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'badnets'"):
        poisoning.make("badnet")
    with pytest.raises(UnknownName, match="unknown setting 'target' in poisoner random-flip"):
        poisoning.make("random-flip", target=3)
    assert poisoning.make("badnets", rate=0.1, size=2) == BadNets(rate=0.1, size=2)


UNFIT: list[tuple[str, Poisoner]] = [
    ("target 10 is not one of the 10 classes", BadNets(target=10)),
    ("source 11 is not one of the 10 classes", BadNets(source=11)),
    ("source 10 is not one of the 10 classes", ClassFlip(source=10, target=1)),
    ("target 10 is not one of the 10 classes", CleanLabel(target=10)),
    ("patch of 9x9 with margin 0 does not fit images 8x8", BadNets(size=9)),
    ("patch of 3x3 with margin 6 does not fit images 8x8", BadNets(margin=6)),
    ("patch of 9x9 with margin 0 does not fit images 8x8", CleanLabel(size=9, steps=1)),
    ("value 1.5 lies outside the bounds", BadNets(value=1.5)),
    ("touches not one of 1442 samples", RandomFlip(rate=0.0005)),
    ("badnets may touch only", BadNets(rate=1.0)),
    ("may touch only 143 of them; the rate is a share of the whole data set, here at most 0.0991",
     CleanLabel(rate=0.2, steps=1)),
    ("larger than the valid range", CleanLabel(eps=2.0)),
]  # fmt: skip


@pytest.mark.parametrize(("message", "poisoner"), UNFIT, ids=lambda one: repr(one)[:40])
def test_settings_that_do_not_fit_the_data(
    message: str, poisoner: Poisoner, plain: Classifier, digits_train: Dataset
) -> None:
    with pytest.raises(ConfigError, match=message):
        poison(poisoner, digits_train, plain)


def test_the_rates_that_a_refusal_names_are_right(digits_train: Dataset, plain: Classifier) -> None:
    assert int(RandomFlip(rate=0.000694)(digits_train).touched.sum()) == 1
    assert int(poison(CleanLabel(rate=0.0991, steps=1), digits_train, plain).touched.sum()) == 142


def test_references_that_do_not_fit(plain: Classifier, digits_train: Dataset) -> None:
    for poisoner in (WorstFlip(), CleanLabel()):
        with pytest.raises(ConfigError, match="pass classifier="):
            poisoner(digits_train)
        with pytest.raises(ConfigError, match="train mode"):
            poisoner(digits_train, classifier=copy.deepcopy(plain).train())
        other = Classifier(nn.Linear(3, 2), input_shape=(3,), labels=2).eval()
        with pytest.raises(ConfigError, match="the reference takes"):
            poisoner(digits_train, classifier=other)
        softmax = nn.Sequential(plain.module, nn.Softmax(dim=1))
        with pytest.raises(UnsupportedModel, match="probabilities"):
            poisoner(digits_train, classifier=Classifier(softmax, input_shape=(1, 8, 8), labels=10).eval())


def test_data_that_cannot_be_poisoned(digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="got Tensor"):
        RandomFlip()(digits.images)  # type: ignore[arg-type]
    one_class = Dataset("one", digits.images[:9], torch.zeros(9, dtype=torch.int64), ("a",))
    with pytest.raises(ConfigError, match="one class only"):
        RandomFlip(rate=1.0)(one_class)
    table = Dataset("table", torch.zeros(50, 4), torch.arange(50) % 2, ("a", "b"))
    with pytest.raises(ConfigError, match="a patch needs images"):
        BadNets(rate=0.1)(table)
    assert int(Blended(rate=0.1)(table).touched.sum()) == 5


def test_saved_data_are_the_data(digits_train: Dataset, tmp_path: Path) -> None:
    made = BadNets(rate=0.05)(digits_train)
    tensors = safetensors.torch.load_file(made.save(tmp_path / "data.safetensors"))
    again = Dataset("again", tensors["images"], tensors["labels"], digits_train.classes)
    assert again.digest == made.data.digest
    assert torch.equal(tensors["touched"].bool(), made.touched)
    assert made.trigger is not None
    assert torch.equal(tensors["trigger_mask"], made.trigger.mask)
    with pytest.raises(DataError, match="outside"):
        Dataset("bad", tensors["images"] * 2, tensors["labels"], digits_train.classes)
