from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor, nn

import hauberk
from hauberk.attacks import PGD
from hauberk.core.errors import ConfigError, UnknownName, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation import judge, wilson
from hauberk.evaluation.certify import BestBounds, IntervalBounds, LinearBounds, certify, make_certifier
from hauberk.evaluation.certify.box import Box
from hauberk.evaluation.certify.network import MaxPool, Relu, read
from hauberk.evaluation.certify.propagation import Proof, accepted
from hauberk.evaluation.certify.relaxation import least
from hauberk.models import Classifier
from hauberk.models.architectures import Contrast
from hauberk.models.parts import BitDepth
from hauberk.models.training import TrainingPlan
from hauberk.threats import L2, Linf, ThreatModel


def tiny(seed: int, *, sizes: tuple[int, ...] = (3, 5, 4, 3)) -> Classifier:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inner, outer in itertools.pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return Classifier(
        nn.Sequential(*layers[:-1]), input_shape=(sizes[0],), labels=sizes[-1], bounds=(-2.0, 2.0)
    ).eval()


def everything(seed: int = 0) -> Classifier:
    """A small network with a layer of each kind."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        Contrast(2.0),
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)),
        nn.MaxPool2d(2, stride=1),
        nn.Conv2d(4, 4, 2, groups=2, bias=False, stride=2),
        nn.AvgPool2d(1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Linear(6, 3),
    )
    for one in network.modules():
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d):
            one.running_mean = torch.randn(one.num_features)
            one.running_var = torch.rand(one.num_features) + 0.5
            nn.init.normal_(one.weight)
            nn.init.normal_(one.bias)
    return Classifier(
        network,
        input_shape=(2, 8, 8),
        labels=3,
        bounds=((0.0, 0.2), (1.0, 0.9)),
        normalization=([0.4, 0.5], [0.5, 2.0]),
    ).eval()


@pytest.fixture(scope="module")
def dense(digits_train: Dataset) -> Classifier:
    """A small dense network whose certificates are quick to find, and not all of them by intervals."""
    blank = hauberk.create("mlp", digits_train, args={"hidden": [24, 16]}).eval()
    plan = TrainingPlan(epochs=6, batch_size=32, learning_rate=5e-3, weight_decay=1e-3)
    return hauberk.train(blank, digits_train, plan, name="dense")


def exact_margin(model: Classifier, box: Box, label: int, other: int) -> float:
    """The true least of logit[label] - logit[other] over a box: a linear programme for each ReLU pattern."""
    linears = [one for one in model.module if isinstance(one, nn.Linear)]
    pairs = [(one.weight.detach().double().numpy(), one.bias.detach().double().numpy()) for one in linears]
    best = np.inf
    hidden = [len(bias) for _, bias in pairs[:-1]]
    for pattern in itertools.product((0, 1), repeat=sum(hidden)):
        matrix, offset = np.eye(box.lower.shape[1]), np.zeros(box.lower.shape[1])
        rows, limits, used = [], [], 0
        for weight, bias in pairs[:-1]:
            matrix, offset = weight @ matrix, weight @ offset + bias
            on = np.array(pattern[used : used + len(bias)])
            used += len(bias)
            sign = np.where(on, -1.0, 1.0)[:, None]  # on: value >= 0, off: value <= 0
            rows.append(sign * matrix)
            limits.append(-sign[:, 0] * offset)
            matrix, offset = on[:, None] * matrix, on * offset
        weight, bias = pairs[-1]
        goal = (weight[label] - weight[other]) @ matrix
        constant = (weight[label] - weight[other]) @ offset + bias[label] - bias[other]
        ends = np.stack([box.lower[0].numpy(), box.upper[0].numpy()], axis=1)
        found = linprog(goal, A_ub=np.concatenate(rows), b_ub=np.concatenate(limits), bounds=ends)
        if found.status == 0:
            best = min(best, found.fun + constant)
    return best


@pytest.mark.parametrize("seed", range(3))
def test_exact_is_above_crown_is_above_ibp(seed: int) -> None:
    model = tiny(seed, sizes=(2, 4, 3, 3))
    x = torch.rand((1, 2), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    gained = False
    for eps in (0.05, 0.4, 1.5):
        box = accepted(model, x, eps)
        carried = Proof(read(model), box).margins(torch.tensor([0]), back=False)
        walked = Proof(read(model), box, refine=99).margins(torch.tensor([0]), back=True)
        walked = torch.maximum(
            walked, Proof(read(model), box, refine=99).margins(torch.tensor([0]), back=False)
        )
        for other in (1, 2):
            true = exact_margin(model, box, 0, other)
            assert true >= walked[0, other] >= carried[0, other]
            gained |= bool(walked[0, other] > carried[0, other] + 1e-3)
            if eps == 0.05:  # hardly anything bends: the relaxation must be close
                assert walked[0, other] == pytest.approx(true, abs=0.1)
    assert gained


@pytest.mark.parametrize("refine", [0, 99])
@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5])
def test_no_point_of_the_ball_beats_the_margin(eps: float, refine: int) -> None:
    model = everything()
    generator = torch.Generator().manual_seed(1)
    images = torch.rand((6, 2, 8, 8), generator=generator) * 0.7 + 0.2
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    box = accepted(model, images, eps)
    proof = Proof(read(model), box, refine)
    shown = torch.maximum(proof.margins(labels, back=True), proof.margins(labels, back=False))
    for number in range(300):
        share = torch.rand(images.shape, generator=generator)
        points = (box.lower + (share.round() if number % 2 else share) * (box.upper - box.lower)).float()
        logits = model(points).detach().double()
        margins = (logits.gather(1, labels[:, None]) - logits).scatter(1, labels[:, None], torch.inf)
        assert bool((margins >= shown).all())  # no tolerance: rounding is allowed for on the other side


def test_a_linear_model_gets_the_exact_margin() -> None:
    model = tiny(0, sizes=(6, 4))
    x, labels, eps = torch.rand((3, 6)) - 0.5, torch.tensor([3, 0, 2]), 0.2
    weight = model.module[0].weight.detach().double()
    gap = weight[labels][:, None] - weight
    logits = model(x).detach().double()
    true = logits.gather(1, labels[:, None]) - logits - eps * gap.abs().sum(2)  # Hoelder
    for back in (True, False):
        shown = Proof(read(model), accepted(model, x, eps)).margins(labels, back=back)
        others = shown.isfinite()
        assert bool((shown[others] <= true[others] + 1e-6).all())
        torch.testing.assert_close(shown[others], true[others], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["relu", "pool"])
def test_relaxations_hold_at_every_point_of_the_box(kind: str) -> None:
    torch.manual_seed(3)
    middle, radius = torch.randn((40, 2, 5, 5)).double(), torch.rand((40, 2, 5, 5)).double()
    radius[:10] *= 0.01  # boxes that hardly bend
    radius[10:12] = 0.0
    box = Box(middle - radius, middle + radius)
    layer = Relu((2, 5, 5)) if kind == "relu" else MaxPool((2, 5, 5), (2, 2), (1, 1))
    size = layer.forward(box).lower.shape[1:]
    rows = torch.randn((40, 7, *size)).double()
    shown = least([layer], [box], rows)
    worst = torch.full_like(shown, torch.inf)
    for _ in range(300):
        share = torch.rand_like(middle).round()
        point = layer.forward(Box.at(box.lower + share * (box.upper - box.lower))).lower
        worst = torch.minimum(worst, torch.einsum("nrchw,nchw->nr", rows, point))
    assert bool((shown <= worst + 1e-12).all())
    # not just sound: where nothing is free, nothing is lost
    torch.testing.assert_close(shown[10:12], worst[10:12])


def test_no_attack_breaks_a_certified_sample(dense: Classifier, digits: Dataset) -> None:
    few, threat = digits.head(120), Linf(0.03)
    shown = certify(dense, few, threat, method="auto")
    held = torch.tensor([one.certified for one in shown.certificates])
    assert 0.2 < shown.certified_accuracy <= shown.clean_accuracy
    for seed in range(3):
        found = PGD(steps=40)(dense, few.images, few.labels, threat, seed=seed)
        ruled = judge(dense, few.images, found.candidates, few.labels, ThreatModel.of(threat))
        assert not bool((ruled.broken & held).any())
        assert float((~ruled.broken).double().mean()) >= shown.certified_accuracy


def test_what_the_judge_accepts_is_inside_the_ball(plain: Classifier, digits: Dataset) -> None:
    x, eps = digits.images[:20], 0.1
    edge = eps * (1 + 1e-5) + 1e-6
    for moved in (x + edge, x - edge):
        moved = moved.clamp(0, 1)
        ruled = judge(plain, x, moved, digits.labels[:20], ThreatModel.of(Linf(eps)))
        box = accepted(plain, x, eps)
        within = ((moved.double() >= box.lower) & (moved.double() <= box.upper)).flatten(1).all(1)
        assert bool((within | ruled.invalid).all())
        assert not bool(ruled.invalid.all())


def test_methods_agree_with_each_other(dense: Classifier, digits: Dataset) -> None:
    few, held = digits.head(60), {}
    for method in (IntervalBounds(), LinearBounds(), BestBounds()):
        shown = certify(dense, few, Linf(0.03), method=method)
        held[method.name] = [one.certified for one in shown.certificates]
        assert shown.evidence.parameters["method"] == method.name
    assert held["crown"] == held["auto"]
    assert all(second >= first for first, second in zip(held["ibp"], held["crown"], strict=True))
    assert sum(held["crown"]) > sum(held["ibp"])


def test_the_record_says_what_was_shown(dense: Classifier, digits: Dataset) -> None:
    few = digits.head(60)
    shown = certify(dense, few, Linf(0.02), name="hard")
    record = Evidence.from_json(shown.evidence.to_json())
    assert record.kind == "certificates"
    assert record.subject == {"name": "hard", "digest": dense.digest}
    assert record.parents == (dense.evidence[-1].digest,)
    rows = record.result["certificates"]
    said = dense(few.images).argmax(1)
    assert [row["prediction"] for row in rows] == said.tolist()
    assert [row["label"] for row in rows] == few.labels.tolist()
    count = sum(row["certified"] for row in rows)
    assert record.result["certified_accuracy"] == count / 60
    assert record.result["certified_interval"] == list(wilson(count, 60))
    assert record.result["clean_accuracy"] == int((said == few.labels).sum()) / 60
    for row in rows:
        assert row["certified"] == (row["by"] is not None) == ((row["margin"] or -1) > 0)
        assert not row["certified"] or row["prediction"] == row["label"]


def test_a_larger_radius_never_certifies_more(dense: Classifier, digits: Dataset) -> None:
    few = digits.head(60)
    shares = [certify(dense, few, Linf(eps)).certified_accuracy for eps in (0.001, 0.02, 0.05, 0.2)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8
    assert shares[-1] < shares[0]


def test_rounding_of_float32_is_inside_the_bounds() -> None:
    """A long alternating sum, where the order of summation changes the float32 answer visibly."""
    torch.manual_seed(0)
    linear = nn.Linear(4000, 2)
    linear.requires_grad_(False)
    with torch.no_grad():
        linear.weight.copy_(1e3 * torch.randn(2, 4000))
    model = Classifier(linear, input_shape=(4000,), labels=2, bounds=(-1, 1)).eval()
    x = torch.rand((1, 4000)) * 2 - 1
    box = Proof(read(model), Box.at(x.double())).boxes[0]
    answer = read(model)[0].forward(box)
    seen = []
    for seed in range(20):
        order = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))
        one_by_one = np.add.accumulate((linear.weight[0] * x[0])[order].numpy())
        seen.append(float(one_by_one[-1] + np.float32(linear.bias[0])))
    assert len(set(seen)) > 1
    assert all(answer.lower[0, 0] <= one <= answer.upper[0, 0] for one in seen)


@dataclass
class _Wrong:
    change: str
    message: str


def _changed(what: str) -> Classifier:
    model = tiny(0)
    if what == "tanh":
        model.module[1] = nn.Tanh()
    if what == "part":
        model.defences.append(BitDepth())
    if what == "hook":
        model.module[0].register_forward_hook(lambda module, given, out: out + 0.1)
    if what == "half":
        model.half()
    if what == "own":
        model = Classifier(_Own(), input_shape=(3,), labels=3, bounds=(-2, 2))
    return model.eval()


class _Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * 2


@pytest.mark.parametrize(
    "wrong",
    [
        _Wrong("tanh", r"layer 1, Tanh\(\)"),
        _Wrong("part", "bit-depth, which stands around"),
        _Wrong("hook", "answers differ from what its layers give"),
        _Wrong("half", "float32 or float64, these are torch.float16"),
        _Wrong("own", r"_Own\("),
    ],
    ids=lambda one: one.change,
)
def test_what_cannot_be_certified_says_so(wrong: _Wrong) -> None:
    images = torch.rand(4, 3)
    data = Dataset("few", images, torch.tensor([0, 1, 2, 0]), ("a", "b", "c"), (-2.0, 2.0))
    with pytest.raises(UnsupportedModel, match=wrong.message):
        certify(_changed(wrong.change), data, Linf(0.1))


def test_misuse_is_refused(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="method auto certifies norm linf, got l2"):
        certify(plain, digits, L2(0.1))
    with pytest.raises(ConfigError, match="untargeted"):
        certify(plain, digits, ThreatModel(Linf(0.1), targeted=True))
    with pytest.raises(UnknownName, match="did you mean 'crown'"):
        certify(plain, digits, Linf(0.1), method="crwn")
    with pytest.raises(ConfigError, match="refine must be a whole number"):
        make_certifier("crown", refine=-1)
    late = copy.deepcopy(plain)
    late.module.insert(1, Contrast(2.0).eval())
    with pytest.raises(UnsupportedModel, match="contrast layer at the front"):
        certify(late, digits, Linf(0.1))
    assert hauberk.evaluation.certify is certify
