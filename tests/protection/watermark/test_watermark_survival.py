"""What marks live through: embedding costs no accuracy, and small changes leave the mark."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

import hauberk
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan, accuracy
from hauberk.protection.watermark.embedding.companion import companion
from hauberk.protection.watermark.embedding.embed import Marked, embed
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox, Fingerprint, WhiteBox
from hauberk.protection.watermark.verification.verify import verification_record, verify

SHORT = TrainingPlan(epochs=1, batch_size=64, learning_rate=1e-4)


@pytest.fixture(params=["bits_marked", "patterns_marked", "fingerprinted"])
def made(request: pytest.FixtureRequest) -> Marked:
    marked: Marked = request.getfixturevalue(request.param)
    return marked


def rounded(model: Classifier, bits: int) -> Classifier:
    coarse = copy.deepcopy(model)
    for one in coarse.parameters():
        step = one.detach().abs().max() / (2 ** (bits - 1) - 1)
        one.data = (one.data / step).round() * step
    return coarse


def shuffled(model: Classifier) -> Classifier:
    """Channels permuted and rescaled, by hand, in the two convolutions and the dense layer of the cnn."""
    other = copy.deepcopy(model)
    layers = [one for one in other.module.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for first, second in itertools.pairwise(layers):
            count = first.weight.shape[0]
            order = torch.randperm(count, generator=generator)
            scale = 2 ** torch.randint(-3, 4, (count,), generator=generator).float()
            shape = (-1, *[1] * (first.weight.ndim - 1))
            first.weight.copy_((first.weight * scale.view(shape))[order])
            first.bias.copy_((first.bias * scale)[order])
            columns = second.weight.view(second.weight.shape[0], count, -1) / scale.view(1, -1, 1)
            second.weight.copy_(columns[:, order].reshape(second.weight.shape))
    return other


def test_the_mark_is_there_and_accuracy_too(
    made: Marked, plain: Classifier, owner: MarkKey, digits: Dataset, digits_train: Dataset
) -> None:
    record = verification_record(
        made.classifier, owner, made.commitment, digits_train, max_p=1e-6, name="marked"
    )
    assert record.result["found"]
    assert record.result["p_value"] <= 1e-6
    assert record.parameters["committed_model"] == made.classifier.digest
    before, after = (accuracy(one, digits.images, digits.labels) for one in (plain, made.classifier))
    assert after >= before - 0.005


def test_small_changes_leave_it(made: Marked, owner: MarkKey, digits_train: Dataset) -> None:
    tuned = hauberk.train(made.classifier, digits_train, SHORT, seed=3)
    for suspect in (tuned, rounded(made.classifier, 8), shuffled(made.classifier)):
        assert verify(suspect, owner, made.commitment, digits_train).found()


def test_permuted_and_rescaled_channels_change_no_bit(bits_marked: Marked, owner: MarkKey) -> None:
    hidden = shuffled(bits_marked.classifier)
    assert hidden.digest != bits_marked.classifier.digest
    probes = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        companion(hidden, probes), companion(bits_marked.classifier, probes), rtol=1e-4, atol=1e-4
    )
    before = verify(bits_marked.classifier, owner, bits_marked.commitment)
    assert verify(hidden, owner, bits_marked.commitment).matched == before.matched


def test_companion_of_a_small_network_by_hand() -> None:
    """``w2 |w1 x|`` and a mean in place of a maximum, on paper."""
    net = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(1, 2)
    )
    with torch.no_grad():
        net[0].weight.fill_(-2.0)
        net[4].weight.copy_(torch.tensor([[3.0], [-1.0]]))
        net[4].bias.zero_()
    model = Classifier(net, input_shape=(1, 2, 2), labels=2).eval()
    image = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])
    torch.testing.assert_close(companion(model, image), torch.tensor([[3.0, -1.0]]))  # mean 0.5, times -2: |-1|
    torch.testing.assert_close(model(image), torch.tensor([[0.0, 0.0]]))


def test_a_fingerprint_trains_nothing(fingerprinted: Marked, plain: Classifier) -> None:
    assert fingerprinted.classifier.digest == plain.digest
    assert fingerprinted.classifier.evidence[-1].result["largest_weight_change"] == 0.0


def test_the_key_is_nowhere(made: Marked, owner: MarkKey, plain: Classifier) -> None:
    record = made.classifier.evidence[-1]
    assert record.kind == "watermark"
    assert record.parents == (plain.evidence[-1].digest,)
    assert record.result["commitment"] == made.commitment.digest
    assert owner.secret.hex() not in str(record.to_json()) + str(made.commitment.to_json()) + repr(owner)


def test_same_seed_same_mark(plain: Classifier, owner: MarkKey, digits_train: Dataset) -> None:
    first, second = (
        embed(plain, digits_train, owner, WhiteBox(bits=32), plan=SHORT, seed=5).classifier.digest
        for _ in range(2)
    )
    assert first == second


def test_misuse_is_named(
    plain: Classifier, owner: MarkKey, digits_train: Dataset, fingerprinted: Marked
) -> None:
    small = hauberk.create("mlp", digits_train, args={"hidden": [8]})
    with pytest.raises(UnsupportedModel, match=r"too small for 256 bits: they need 4096 weights, it has 592"):
        embed(small.eval(), digits_train, owner, WhiteBox())
    with pytest.raises(ConfigError, match="trains nothing"):
        embed(plain, digits_train, owner, Fingerprint(), plan=SHORT)
    with pytest.raises(ConfigError, match=r"weight must lie in \[0, 100\], got -1"):
        embed(plain, digits_train, owner, WhiteBox(), weight=-1)
    with pytest.raises(ConfigError, match="bits must be a whole number"):
        WhiteBox(bits=0)
    with pytest.raises(ConfigError, match="read with images"):
        verify(plain, owner, BlackBox())
    with pytest.raises(ConfigError, match="stand in its commitment"):
        verify(plain, owner, Fingerprint(), digits_train)
    with pytest.raises(ConfigError, match="max_p must lie"):
        verification_record(plain, owner, WhiteBox(), max_p=0)
    with pytest.raises(ConfigError, match="cannot reach p"):
        verification_record(plain, owner, WhiteBox(bits=16))
    flat = hauberk.create("mlp", digits_train, args={"hidden": [8]}).eval()
    for one in flat.parameters():
        one.data.zero_()
    with pytest.raises(UnsupportedModel, match="crosses only 0 of"):
        embed(flat, digits_train, owner, Fingerprint(lines=16))
    broken = copy.deepcopy(plain)
    next(broken.parameters()).data.fill_(float("nan"))
    with pytest.raises(UnsupportedModel, match="finite number"):
        verify(broken, owner, WhiteBox())
    import dataclasses

    cut = dataclasses.replace(fingerprinted.commitment, places=fingerprinted.commitment.places[:3])
    with pytest.raises(DataError, match="as many places"):
        verify(plain, owner, cut, digits_train)


@pytest.mark.slow
def test_twenty_independent_models_are_not_claimed(
    bits_marked: Marked, patterns_marked: Marked, fingerprinted: Marked, owner: MarkKey, digits_train: Dataset
) -> None:
    """At 1e-6 each, sixty readings of honest models exceed it once in 16,000 runs of this test."""
    plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
    for seed in range(100, 120):
        network = hauberk.create("cnn", digits_train, seed=seed)
        innocent = hauberk.train(network, digits_train, plan, seed=seed)
        for made in (bits_marked, patterns_marked, fingerprinted):
            reading = verify(innocent, owner, made.commitment, digits_train)
            assert not reading.found()
            assert reading.p_value > 1e-6
