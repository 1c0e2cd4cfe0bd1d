"""The stop rule of MBGD, and attacks over streams of batches."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hauberk.attacks import BIM, FGSM, MBGD, PGD, AttackResult, stream
from hauberk.core.errors import ConfigError, DataError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import L2, Knowledge, Linf, ThreatModel

COUNT = 60


def linear(weights: list[float]) -> Classifier:
    """Two classes; class 0 wins where w.x > 0, by w.x logits."""
    layer = nn.Linear(len(weights), 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights, [-one for one in weights]]) / 2)
    return Classifier(layer, input_shape=(len(weights),), labels=2, bounds=(-10.0, 10.0)).eval()


def queries(attack: MBGD, threat: Linf | ThreatModel) -> int:
    """Of a sample with a gap of 4 logits of which the ball reaches 2, by steps of a quarter logit."""
    x = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    result = attack(linear([1.0, 1.0, 1.0, 1.0]), x, torch.tensor([0]), threat)
    assert not bool(result.success[0])
    assert int(result.gradients[0]) in (int(result.queries[0]) - 1, int(result.queries[0]) - 2)
    return int(result.queries[0])


STEP = 1 / 16  # in each of four values: a quarter logit; the ball's corner is reached after 8 steps


@pytest.mark.parametrize("patience", [1, 3, 6])
def test_a_sample_leaves_when_it_is_stuck(patience: int) -> None:
    attack = MBGD(steps=40, step_size=STEP, patience=patience)
    # the clean look, 1 + 8 looks with progress, and as many without as there is patience
    assert queries(attack, Linf(0.5)) == 1 + 9 + patience


def test_slow_progress_counts_when_it_adds_up() -> None:
    # a quarter logit a step, half a logit needed: progress at every third look (strictly more than half)
    assert queries(MBGD(steps=40, step_size=STEP, tolerance=0.125, patience=3), Linf(0.5)) == 1 + 7 + 3
    # with two looks of patience it never comes to that
    assert queries(MBGD(steps=40, step_size=STEP, tolerance=0.125, patience=2), Linf(0.5)) == 1 + 1 + 2


def test_steps_and_budget_end_it_too() -> None:
    assert queries(MBGD(steps=4, step_size=STEP), Linf(0.5)) == 1 + 4 + 1
    assert queries(MBGD(steps=40, step_size=STEP), ThreatModel(Linf(0.5), queries=7)) == 7


def test_the_fooled_leave_at_once() -> None:
    x = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.1, 0.1, 0.1, 0.1]])
    result = MBGD(step_size=STEP)(linear([1.0] * 4), x, torch.tensor([0, 0]), Linf(0.5))
    assert result.success.tolist() == [False, True]
    assert int(result.queries[1]) == 1 + 3  # its gap of 0.4 is crossed by two steps


@pytest.mark.parametrize("threat", [Linf(0.15), L2(0.7)], ids=repr)
def test_endless_patience_is_plain_iteration(threat: Linf | L2, plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:COUNT], digits.labels[:COUNT]
    patient = MBGD(steps=12, patience=12)(plain, images, labels, threat)
    iterated = PGD(steps=12, random_start=False)(plain, images, labels, threat)
    assert torch.equal(patient.candidates, iterated.candidates)
    assert torch.equal(patient.queries, iterated.queries)


@pytest.mark.parametrize("threat", [Linf(0.1), Linf(0.2), L2(0.9)], ids=repr)
def test_as_strong_as_bim_for_fewer_queries(
    threat: Linf | L2, hardened: Classifier, plain: Classifier, digits: Dataset
) -> None:
    images, labels = digits.images[:150], digits.labels[:150]
    for model in (plain, hardened):
        ours = MBGD()(model, images, labels, threat)
        bim = BIM()(model, images, labels, threat)
        assert int(ours.success.sum()) >= int(bim.success.sum()) - 2
        assert int(ours.queries.sum()) < 0.8 * int(bim.queries.sum())


class Sharper(nn.Module):
    """The same predictions with larger logits."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x)
        return 3 * out


def test_the_rule_does_not_give_up_where_the_loss_rounds_to_zero(plain: Classifier, digits: Dataset) -> None:
    sharp = Classifier(Sharper(plain.module), input_shape=(1, 8, 8), labels=10).eval()
    images, labels = digits.images[:COUNT], digits.labels[:COUNT]
    with torch.no_grad():
        losses = nn.functional.cross_entropy(sharp(images), labels, reduction="none")
    assert int((losses == 0).sum()) > COUNT // 2
    stopped = MBGD(steps=20)(sharp, images, labels, Linf(0.2))
    patient = MBGD(steps=20, patience=20)(sharp, images, labels, Linf(0.2))
    assert bool(patient.success[losses == 0].any())
    assert torch.equal(stopped.success, patient.success)


def test_targeted(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:COUNT], digits.labels[:COUNT]
    threat, targets = ThreatModel(Linf(0.3), targeted=True), (labels + 1) % 10
    ours = MBGD()(plain, images, labels, threat, targets=targets)
    bim = BIM()(plain, images, labels, threat, targets=targets)
    assert int(ours.success.sum()) >= int(bim.success.sum()) - 2 > COUNT // 3


@pytest.mark.parametrize(
    ("word", "make"),
    [
        ("tolerance", lambda: MBGD(tolerance=-0.1)),
        ("tolerance", lambda: MBGD(tolerance=float("nan"))),
        ("tolerance", lambda: MBGD(tolerance="little")),  # type: ignore[arg-type]
        ("patience", lambda: MBGD(patience=0)),
        ("patience", lambda: MBGD(patience=1.5)),  # type: ignore[arg-type]
        ("steps", lambda: MBGD(steps=0)),
    ],
)
def test_settings_out_of_range(word: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


# streams


def cut(data: Dataset, sizes: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    start = 0
    for size in sizes:
        yield data.images[start : start + size], data.labels[start : start + size]
        start += size


def joined(results: Iterator[AttackResult], name: str) -> Tensor:
    return torch.cat([getattr(one, name) for one in results])


@pytest.mark.parametrize("attack", [MBGD(steps=8), PGD(steps=8)], ids=repr)
def test_verdicts_do_not_depend_on_the_cuts(attack: MBGD | PGD, plain: Classifier, digits: Dataset) -> None:
    data = digits.head(COUNT)
    whole = attack(plain, data.images, data.labels, Linf(0.1), seed=4)
    assert 0 < int(whole.success.sum()) < COUNT
    for sizes in ([1, 7, 52], [20, 20, 20], [COUNT]):
        results = list(stream(attack, plain, cut(data, sizes), Linf(0.1), seed=4))
        assert [len(one.success) for one in results] == sizes
        assert torch.equal(joined(iter(results), "success"), whole.success)
        assert torch.allclose(joined(iter(results), "candidates"), whole.candidates, atol=1e-4)
    from_data_set = stream(attack, plain, data, Linf(0.1), seed=4, batch_size=25)
    assert torch.equal(joined(from_data_set, "success"), whole.success)


def test_a_stream_goes_on_where_another_ended(plain: Classifier, digits: Dataset) -> None:
    attack, data = PGD(steps=3), digits.head(30)
    whole = attack(plain, data.images, data.labels, Linf(0.1), seed=4)
    rest = data.select(torch.arange(20, 30), note="rest")
    (result,) = stream(attack, plain, rest, Linf(0.1), seed=4, first_index=20)
    assert torch.allclose(result.candidates, whole.candidates[20:], atol=1e-4)
    (other,) = stream(attack, plain, rest, Linf(0.1), seed=4)
    assert not torch.allclose(other.candidates, whole.candidates[20:], atol=1e-4)


def test_one_batch_in_memory_at_a_time(plain: Classifier, digits: Dataset) -> None:
    alive: list[weakref.ref[Tensor]] = []

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            assert not any(one() is not None for one in alive)
            images = digits.images[:10].clone()
            alive.append(weakref.ref(images))
            yield images, digits.labels[:10]
            del images

    results = stream(FGSM(), plain, endless(), Linf(0.1))
    assert not alive  # nothing is done before it is asked for
    for result in itertools.islice(results, 4):
        alive.append(weakref.ref(result.candidates))
        del result
    assert len(alive) == 8


def test_targets_travel_with_their_batch(plain: Classifier, digits: Dataset) -> None:
    data = digits.head(40)
    threat, targets = ThreatModel(Linf(0.3), targeted=True), (data.labels + 1) % 10
    whole = MBGD(steps=8)(plain, data.images, data.labels, threat, targets=targets)
    parts = [slice(0, 15), slice(15, 40)]
    batches = [(data.images[part], data.labels[part], targets[part]) for part in parts]
    found = stream(MBGD(steps=8), plain, batches, threat)
    assert torch.equal(joined(found, "success"), whole.success)


def test_calls_that_a_stream_refuses(plain: Classifier, digits: Dataset) -> None:
    with pytest.raises(ConfigError, match="configured attack"):
        stream(MBGD, plain, digits, Linf(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="iterable of batches, got Tensor"):
        stream(MBGD(), plain, digits.images, Linf(0.1))
    with pytest.raises(ConfigError, match="iterable of batches, got int"):
        stream(MBGD(), plain, 3, Linf(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="brings no targets"):
        stream(MBGD(), plain, digits, ThreatModel(Linf(0.1), targeted=True))
    with pytest.raises(ConfigError, match="batch_size"):
        stream(MBGD(), plain, digits, Linf(0.1), batch_size=0)
    with pytest.raises(ConfigError, match="first_index"):
        stream(MBGD(), plain, digits, Linf(0.1), first_index=-1)
    with pytest.raises(ConfigError, match="white-box"):
        next(stream(MBGD(), plain, digits, ThreatModel(Linf(0.1), knowledge=Knowledge.LABELS)))


def test_bad_batches_are_named(plain: Classifier, digits: Dataset) -> None:
    good = (digits.images[:5], digits.labels[:5])
    spoilt = digits.images[:5].clone()
    spoilt[2] = float("nan")
    cases: list[tuple[Any, str]] = [
        ((spoilt, digits.labels[:5]), "batch 1 of the stream: image 2 holds NaN"),
        ((digits.images[:0], digits.labels[:0]), "batch 1 of the stream: there are no images"),
        ((digits.images[:5],), "batch 1 of the stream must be tensors"),
        (digits.images[:2], "batch 1 of the stream must be tensors"),
        ((digits.images[:5], [1, 2, 3, 4, 5]), "batch 1 of the stream must be tensors"),
    ]
    for bad, message in cases:
        results = stream(FGSM(), plain, iter([good, bad]), Linf(0.1))
        next(results)
        with pytest.raises(DataError, match=message):
            next(results)
