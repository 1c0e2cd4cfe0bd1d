"""AdvGAN: its networks, its training, the attack that comes of it, and the file that keeps it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from hauberk.attacks import FGSM, AdvGAN, AdvGANPlan, TrainedGenerator, train_advgan
from hauberk.attacks.advgan.networks import ClassNorm, Discriminator, Generator
from hauberk.attacks.advgan.reach import Reach
from hauberk.attacks.advgan.trained import FORMAT
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.classifier import weights_digest
from hauberk.threats import L0, L1, L2, Bounds, Geometry, Knowledge, Linf, Streams, ThreatModel

EPS = 0.2
PLAN = AdvGANPlan(epochs=4, width=8, blocks=2, learning_rate=5e-3)
TINY = AdvGANPlan(epochs=1, width=2, blocks=1)
LABELS_ONLY = ThreatModel(Linf(EPS), knowledge=Knowledge.LABELS)


@pytest.fixture(scope="module")
def trained(plain: Classifier, digits_train: Dataset) -> AdvGAN:
    return train_advgan(plain, digits_train, Linf(EPS), PLAN, seed=1)


@pytest.fixture(scope="module")
def tiny(plain: Classifier, digits_train: Dataset) -> AdvGAN:
    return train_advgan(plain, digits_train.head(200), Linf(EPS), TINY)


def success(attack: Any, model: Classifier, data: Dataset, threat: Geometry | ThreatModel) -> float:
    result = attack(model, data.images, data.labels, threat)
    return float(result.success.float().mean())


def noise(model: Classifier, data: Dataset, geometry: Geometry) -> float:
    """Share fooled by a random point of the ball."""
    change = geometry.uniform(data.images, Streams.for_samples(9, torch.arange(len(data)), "noise"))
    points = geometry.project(data.images, data.images + change, *model.bounds.tensors(data.images))
    with torch.no_grad():
        right = model(data.images).argmax(1) == data.labels
        return float(((model(points).argmax(1) != data.labels) & right).float().mean())


# networks


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 9, 13), (1, 28, 28), (4, 15, 40)])
def test_networks_take_images_of_any_size(shape: tuple[int, int, int]) -> None:
    x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    classes = torch.tensor([0, 1, 1])
    network = Generator(shape, 2, width=4, blocks=1)
    out = network(x, classes)
    assert out.shape == x.shape
    assert float(out.detach().abs().max()) < 1
    assert torch.allclose(network(x[1:2], classes[1:2]), out[1:2], atol=1e-5)  # alone as in the batch
    judge = Discriminator(shape, width=4)
    assert judge(x).shape == (3,)
    assert torch.allclose(judge(x[1:2]), judge(x)[1:2], atol=1e-5)


def test_the_generator_heeds_the_class() -> None:
    network = Generator((1, 8, 8), 2, width=4, blocks=1)
    with torch.no_grad():
        for one in network.modules():
            if isinstance(one, ClassNorm):
                one.shift[1] += 1
    x = torch.zeros(1, 1, 8, 8)
    assert not torch.allclose(network(x, torch.tensor([0])), network(x, torch.tensor([1])))


@pytest.mark.parametrize("shape", [(1, 7, 8), (1, 28, 4), (64,), (8, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="at least 8x8"):
        Generator(shape, 2, width=4, blocks=1)
    with pytest.raises(ConfigError, match="at least 8x8"):
        Discriminator(shape, width=4)


# reach


def test_excess_is_the_papers_hinge_in_l2() -> None:
    x = torch.full((4, 1, 2, 2), 0.5)
    change = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    change[0] /= 100
    reach = Reach.of(L2(0.7), Bounds(0.0, 1.0), x)
    expected = [max(0.0, float(np.linalg.norm(one)) - 1.4) / 0.7 for one in change.flatten(1).numpy()]
    assert np.allclose(reach.excess(x, x + change).numpy(), expected, atol=1e-5)
    assert min(expected) == 0 < max(expected)


@pytest.mark.parametrize("geometry", [Linf(0.1), L2(0.5), L1(2.0), L0(3)], ids=repr)
def test_what_is_allowed_costs_nothing(geometry: Geometry) -> None:
    x = torch.full((5, 1, 8, 8), 0.5)
    reach = Reach.of(geometry, Bounds(0.0, 1.0), x)
    wild = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert bool((reach.excess(x, wild) > 0).all())
    assert torch.allclose(reach.excess(x, reach.allowed(x, wild)), torch.zeros(5), atol=1e-5)
    assert reach.excess(x, wild.requires_grad_(True)).requires_grad


# the attack


def test_one_pass_fools_more_than_fgsm(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    ours, one_step = success(trained, plain, digits, Linf(EPS)), success(FGSM(), plain, digits, Linf(EPS))
    assert ours >= one_step - 0.02
    assert ours > noise(plain, digits, Linf(EPS)) + 0.5


def test_it_asks_the_target_once(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    result = trained(plain, digits.images, digits.labels, replace(LABELS_ONLY, queries=2))
    assert bool(result.misclassified.any())
    assert torch.equal(
        result.queries, torch.where(result.misclassified, 1, 2)
    )  # the clean image, the candidate
    assert not bool(result.gradients.any())
    assert success(trained, plain, digits, replace(LABELS_ONLY, queries=1)) == 0  # nothing left for a candidate


def test_candidates_keep_the_contract(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images, digits.labels
    for geometry in (Linf(EPS), Linf(0.05)):
        result = trained(plain, images, labels, geometry)
        change = (result.candidates - images).abs().flatten(1).amax(1)
        assert float(change.max()) <= geometry.eps + 1e-6
        assert 0 <= float(result.candidates.min()) <= float(result.candidates.max()) <= 1
        with torch.no_grad():
            clean, now = plain(images).argmax(1), plain(result.candidates).argmax(1)
        assert torch.equal(result.success, (now != labels) & (clean == labels))
        assert torch.equal(result.candidates[clean != labels], images[clean != labels])
    doubles = trained(plain, images[:5].double(), labels[:5], Linf(EPS))
    assert doubles.candidates.dtype == torch.float64


def test_the_perturbation_shrinks_with_the_radius(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    grey = digits.images[:20].clamp(0.3, 0.7)  # away from the bounds
    with torch.no_grad():
        labels = plain(grey).argmax(1)
    whole = trained(plain, grey, labels, Linf(EPS)).candidates - grey
    half = trained(plain, grey, labels, Linf(EPS / 2)).candidates - grey
    assert torch.allclose(half, whole / 2, atol=1e-6)


def test_result_does_not_depend_on_the_batch(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:40], digits.labels[:40]
    whole = trained(plain, images, labels, Linf(EPS), seed=1)
    alone = [
        trained(plain, images[i : i + 1], labels[i : i + 1], Linf(EPS), seed=2).candidates for i in range(40)
    ]
    assert torch.allclose(torch.cat(alone), whole.candidates, atol=1e-5)


def test_what_was_learnt_on_one_model_carries_over(
    trained: AdvGAN, hardened: Classifier, plain: Classifier, digits: Dataset
) -> None:
    # the black-box form: hardened was never seen
    carried = success(trained, hardened, digits, LABELS_ONLY)
    assert noise(hardened, digits, Linf(EPS)) < carried < success(trained, plain, digits, LABELS_ONLY)


def test_it_refuses_what_it_was_not_trained_for(trained: AdvGAN, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    with pytest.raises(ConfigError, match="another norm: linf, asked for l2"):
        trained(plain, images, labels, L2(0.5))
    targeted = ThreatModel(Linf(EPS), targeted=True)
    with pytest.raises(ConfigError, match="another targeted: False, asked for True"):
        trained(plain, images, labels, targeted, targets=(labels + 1) % 10)
    wider = Classifier(plain.module, input_shape=(1, 8, 8), labels=10, bounds=(0.0, 2.0)).eval()
    with pytest.raises(ConfigError, match="another bounds"):
        trained(wider, images, labels, Linf(EPS))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(81, 10))
    larger = Classifier(flat, input_shape=(1, 9, 9), labels=10).eval()
    with pytest.raises(ConfigError, match="another images"):
        trained(larger, torch.zeros(4, 1, 9, 9), labels, Linf(EPS))
    few = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(ConfigError, match="another number of classes: 10, asked for 3"):
        trained(Classifier(few, input_shape=(1, 8, 8), labels=3).eval(), images, labels % 3, Linf(EPS))
    with pytest.raises(ConfigError, match="gradients_from"):
        trained(plain, images, labels, Linf(EPS), gradients_from=plain)
    with pytest.raises(ConfigError, match="takes a TrainedGenerator"):
        AdvGAN(generator="generator.safetensors")  # type: ignore[arg-type]


# training


@pytest.mark.parametrize("geometry", [L2(0.9), L0(6)], ids=repr)
def test_other_geometries_can_be_learnt(
    geometry: Geometry, plain: Classifier, digits_train: Dataset, digits: Dataset
) -> None:
    attack = train_advgan(plain, digits_train, geometry, replace(PLAN, epochs=2), seed=1)
    assert success(attack, plain, digits, geometry) > noise(plain, digits, geometry) + 0.15


def test_targeted(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    threat = ThreatModel(Linf(0.3), targeted=True)
    attack = train_advgan(plain, digits_train, threat, PLAN, held_out=digits, seed=1)
    for shift in (1, 4):  # one generator for every wanted class
        targets = (digits.labels + shift) % 10
        result = attack(plain, digits.images, digits.labels, threat, targets=targets)
        with torch.no_grad():
            assert torch.equal(
                result.success, (plain(result.candidates).argmax(1) == targets) & ~result.misclassified
            )
        assert float(result.success.float().mean()) > 0.4  # a random point reaches a given class in under 2 %


def test_same_seed_same_generator(plain: Classifier, digits_train: Dataset, tiny: AdvGAN) -> None:
    before = torch.random.get_rng_state()
    again = train_advgan(plain, digits_train.head(200), Linf(EPS), TINY)
    assert again.generator.digest == tiny.generator.digest
    assert torch.equal(torch.random.get_rng_state(), before)
    other = train_advgan(plain, digits_train.head(200), Linf(EPS), TINY, seed=1)
    assert other.generator.digest != tiny.generator.digest


def test_the_discriminator_teaches(plain: Classifier, digits_train: Dataset, tiny: AdvGAN) -> None:
    without = train_advgan(plain, digits_train.head(200), Linf(EPS), replace(TINY, realism=0.0))
    assert without.generator.history[0]["discriminator"] == without.generator.history[0]["gan"] == 0
    assert tiny.generator.history[0]["discriminator"] > 0
    own, other = (one.generator.network.state_dict() for one in (tiny, without))
    assert any(not torch.equal(own[name], other[name]) for name in own)


def test_realism_costs_the_discriminator_its_certainty(plain: Classifier, digits_train: Dataset) -> None:
    def certainty(realism: float) -> float:
        plan = replace(PLAN, epochs=3, realism=realism, confidence=0.0)
        row = train_advgan(plain, digits_train.head(500), Linf(EPS), plan, seed=1).generator.history[-1]
        return float(row["gan"])  # how surely the discriminator knows perturbed images

    assert certainty(30.0) < certainty(0.01)


class Ticks:
    def __init__(self) -> None:
        self.said: list[object] = []

    def begin(self, title: str, total: int) -> None:
        self.said.append((title, total))

    def advance(self, ticks: int = 1, note: str = "") -> None:
        self.said.append(ticks)

    def end(self) -> None:
        self.said.append("end")


def test_history_and_progress(plain: Classifier, digits_train: Dataset, digits: Dataset) -> None:
    before = copy.deepcopy(plain.state_dict())
    ticks = Ticks()
    plan = replace(TINY, epochs=3)
    attack = train_advgan(
        plain, digits_train.head(200), Linf(EPS), plan, held_out=digits, seed=2, progress=ticks
    )
    history = attack.generator.history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    names = {"epoch", "adversarial", "gan", "hinge", "discriminator", "success", "held_out_success"}
    assert all(row.keys() == names for row in history)
    assert ticks.said == [("AdvGAN", 12), *[1] * 12, "end"]
    # the best epoch is the one that is kept, and it is as good as was noted
    result = attack(plain, digits.images, digits.labels, Linf(EPS))
    share = int(result.success.sum()) / int((~result.misclassified).sum())
    assert abs(share - max(row["held_out_success"] for row in history)) < 0.005
    # the classifier is as it was
    assert all(torch.equal(one, before[name]) for name, one in plain.state_dict().items())
    assert all(one.grad is None for one in plain.parameters())


class Step(nn.Module):
    """No gradient gets through."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x.detach())
        return out


def test_trainings_that_are_refused(plain: Classifier, digits_train: Dataset) -> None:
    few = digits_train.head(50)

    def refused(kind: type[Exception], match: str, model: Classifier, data: Dataset, threat: Any) -> None:
        with pytest.raises(kind, match=match):
            train_advgan(model, data, threat, TINY)

    refused(ConfigError, "train mode", copy.deepcopy(plain).train(), few, Linf(EPS))
    refused(ConfigError, "as often as it likes", plain, few, ThreatModel(Linf(EPS), queries=100))
    refused(ConfigError, "as often as it likes", plain, few, LABELS_ONLY)
    refused(ConfigError, "larger than the valid range", plain, few, Linf(1.5))
    refused(ConfigError, "expected a threat", plain, few, 0.3)
    refused(DataError, "images must be", plain, replace(few, images=few.images[:, :, :, :7]), Linf(EPS))
    refused(ConfigError, "has 11 classes", plain, replace(few, classes=(*few.classes, "x")), Linf(EPS))
    wrong = replace(few, labels=(few.labels + 1) % 10)
    with torch.no_grad():
        never = wrong.select((plain(wrong.images).argmax(1) != wrong.labels).nonzero().squeeze(1), note="wrong")
    refused(DataError, "no image of", plain, never, Linf(EPS))
    opaque = Classifier(Step(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    refused(UnsupportedModel, "no gradient", opaque, few, Linf(EPS))
    flat = Classifier(nn.Linear(64, 10), input_shape=(64,), labels=10).eval()
    refused(ConfigError, "at least 8x8", flat, replace(few, images=few.images.flatten(1)), Linf(EPS))
    with pytest.raises(ConfigError, match="AdvGANPlan"):
        train_advgan(plain, few, Linf(EPS), 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "make"),
    [
        ("epochs", lambda: AdvGANPlan(epochs=0)),
        ("batch_size", lambda: AdvGANPlan(batch_size=True)),
        ("learning_rate", lambda: AdvGANPlan(learning_rate=0.0)),
        ("width", lambda: AdvGANPlan(width=0)),
        ("width", lambda: AdvGANPlan(width=10**9)),
        ("blocks", lambda: AdvGANPlan(blocks=-1)),
        ("confidence", lambda: AdvGANPlan(confidence=-1.0)),
        ("realism", lambda: AdvGANPlan(realism=float("nan"))),
        ("hinge", lambda: AdvGANPlan(hinge="much")),  # type: ignore[arg-type]
    ],
)
def test_plans_out_of_range(word: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


# the file


def test_a_saved_generator_comes_back_the_same(
    tiny: AdvGAN, plain: Classifier, digits: Dataset, tmp_path: Path
) -> None:
    path = tiny.generator.save(tmp_path / "made" / "generator.safetensors")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    again = AdvGAN(generator=TrainedGenerator.load(path))
    assert repr(again) == repr(tiny)
    assert tiny.generator.digest in repr(tiny)
    images, labels = digits.images[:20], digits.labels[:20]
    ours = again(plain, images, labels, Linf(EPS))
    assert torch.equal(ours.candidates, tiny(plain, images, labels, Linf(EPS)).candidates)
    assert ours.recipe == repr(tiny)
    assert again.generator.history == tiny.generator.history
    with pytest.raises(ConfigError, match="exists already"):
        tiny.generator.save(path)
    tiny.generator.save(path, overwrite=True)


def test_loading_draws_no_random_numbers(tiny: AdvGAN, tmp_path: Path) -> None:
    path = tiny.generator.save(tmp_path / "g.safetensors")
    before = torch.random.get_rng_state()
    TrainedGenerator.load(path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_damaged_files_are_refused(tiny: AdvGAN, tmp_path: Path) -> None:
    raw = tiny.generator.save(tmp_path / "good").read_bytes()
    broken = tmp_path / "broken"
    for spoilt in (
        raw[:-1],
        raw[:200],
        b"",
        raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:],
        raw.replace(b'\\"eps\\": 0.2', b'\\"eps\\": 0.3'),
    ):
        assert spoilt != raw
        broken.write_bytes(spoilt)
        with pytest.raises(IntegrityError):
            TrainedGenerator.load(broken)
    with pytest.raises(DataError, match="no generator at"):
        TrainedGenerator.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="a folder"):
        TrainedGenerator.load(tmp_path)
    broken.write_bytes(safetensors.torch.save({"w": torch.ones(2)}))
    with pytest.raises(DataError, match="not a generator of the format"):
        TrainedGenerator.load(broken)


def written(path: Path, facts: Any, weights: dict[str, Tensor]) -> Path:
    """As somebody would who knows the format and means no good: the digest is right."""
    seal = digest({"facts": facts, "weights": weights_digest(weights)})
    record = json.dumps({"facts": facts, "digest": seal})
    path.write_bytes(safetensors.torch.save(weights, metadata={FORMAT: record}))
    return path


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"width": 3}, DataError),
        ({"width": 10**7}, ConfigError),
        ({"blocks": 0}, DataError),
        ({"classes": 11}, DataError),
        ({"classes": "ten"}, DataError),
        ({"shape": [3, 8, 8]}, DataError),
        ({"shape": [1, 4, 4]}, ConfigError),
        ({"shape": "large"}, ConfigError),
        ({"bounds": [1.0, 0.0]}, ConfigError),
        ({"threat": {"norm": "l7", "eps": 1.0, "targeted": False}}, UnknownName),
        ({"threat": {"norm": "linf"}}, DataError),
        ({"training": {}}, DataError),
        ({"color": "blue"}, UnknownName),
    ],
    ids=str,
)
def test_facts_that_make_no_sense(
    change: dict[str, Any], kind: type[Exception], tiny: AdvGAN, tmp_path: Path
) -> None:
    weights = {name: one.clone() for name, one in tiny.generator.network.state_dict().items()}
    path = written(tmp_path / "g", {**tiny.generator.facts, **change}, weights)
    with pytest.raises(kind):
        TrainedGenerator.load(path)


def test_weights_that_make_no_sense(tiny: AdvGAN, tmp_path: Path) -> None:
    weights = {name: one.clone() for name, one in tiny.generator.network.state_dict().items()}
    TrainedGenerator.load(written(tmp_path / "g", tiny.generator.facts, weights))
    spoilt = {**weights, "head.bias": torch.tensor([float("nan")])}
    with pytest.raises(DataError, match="NaN"):
        TrainedGenerator.load(written(tmp_path / "g", tiny.generator.facts, spoilt))
    del weights["head.bias"]
    with pytest.raises(DataError, match="do not make a generator"):
        TrainedGenerator.load(written(tmp_path / "g", tiny.generator.facts, weights))
