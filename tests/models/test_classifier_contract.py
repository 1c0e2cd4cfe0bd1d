"""``Classifier``: logits out, scale inside, bounds known, named by a digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.models.classifier import Classifier

SHAPE = (2, 3, 3)
ARCHITECTURE = {"name": "mlp", "args": {"hidden": [5]}}


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(18, 5), nn.ReLU(), nn.Linear(5, 3))


def classifier(module: nn.Module | None = None, **settings: Any) -> Classifier:
    made = {"input_shape": SHAPE, "labels": 3, "architecture": ARCHITECTURE, **settings}
    return Classifier(module or network(), **made).eval()


def images(count: int = 4, seed: int = 0) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


class TestForward:
    def test_returns_the_modules_logits(self) -> None:
        module = network()
        assert torch.equal(classifier(module)(images()), module(images()))
        assert classifier()(images(0)).shape == (0, 3)

    @pytest.mark.parametrize(
        "shape", [(), (3,), SHAPE, (4, 2, 3), (4, 3, 2, 3), (4, 18), (4, 2, 3, 3, 1), (4, 2, 3, 4)]
    )
    def test_a_wrong_shape_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(DataError, match=r"takes batches \(n, 2, 3, 3\)"):
            classifier()(torch.zeros(shape))

    def test_normalisation_happens_inside_per_channel(self) -> None:
        module, x = network(), images()
        mean, std = [0.1, 0.2], [0.5, 2.0]
        expected = torch.stack([(x[:, 0] - 0.1) / 0.5, (x[:, 1] - 0.2) / 2.0], dim=1)
        found = classifier(module, normalization=(mean, std))(x)
        torch.testing.assert_close(found, module(expected))
        one = classifier(module, normalization=([0.1], [0.5]))(x)
        torch.testing.assert_close(one, module((x - 0.1) / 0.5))

    def test_normalisation_of_features(self) -> None:
        module = nn.Linear(2, 2)
        made = Classifier(module, input_shape=(2,), labels=2, normalization=([1, 2], [3, 4]))
        x = torch.rand(5, 2)
        torch.testing.assert_close(made(x), module((x - torch.tensor([1.0, 2])) / torch.tensor([3.0, 4])))

    def test_probabilities_become_logits_with_the_same_softmax(self) -> None:
        module = network()
        made = classifier(nn.Sequential(module, nn.Softmax(1)), outputs="probabilities")
        torch.testing.assert_close(made(images()).softmax(1), module(images()).softmax(1))

    def test_a_saturated_probability_stays_finite(self) -> None:
        made = Classifier(nn.Identity(), input_shape=(2,), labels=2, outputs="probabilities")
        found = made(torch.tensor([[0.0, 1.0]]))
        assert bool(found.isfinite().all())
        assert found.argmax(1).tolist() == [1]

    def test_log_probabilities_are_logits_already(self) -> None:
        made = Classifier(nn.Identity(), input_shape=(2,), labels=2, outputs="log-probabilities")
        assert made(torch.tensor([[-1.0, -2.0]])).tolist() == [[-1, -2]]

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    @pytest.mark.parametrize("normalization", [None, ([0.1307, 0.2], [0.3081, 0.5])])
    def test_inputs_follow_the_dtype_of_the_weights(self, dtype: torch.dtype, normalization: Any) -> None:
        for made in (
            classifier(network().to(dtype), normalization=normalization),
            classifier(normalization=normalization).to(dtype),
        ):
            assert made.dtype == dtype
            assert made(images()).dtype == dtype

    def test_gradients_reach_the_input_in_its_own_scale(self) -> None:
        x = images().requires_grad_()
        classifier(normalization=([0.0], [0.1]))(x).sum().backward()
        plain = images().requires_grad_()
        classifier()(plain * 10).sum().backward()
        assert x.grad is not None
        torch.testing.assert_close(x.grad, plain.grad)


class TestFacts:
    def test_labels_bounds_and_places(self) -> None:
        made = classifier(labels=["a", "b", "c"], bounds=([0, -1], [1, 2]))
        assert made.labels == ("a", "b", "c")
        assert made.num_classes == 3
        assert made.device == torch.device("cpu")
        assert made.bounds == ((0.0, -1.0), (1.0, 2.0))
        assert "input 2x3x3 in [[0.0, -1.0], [1.0, 2.0]], 3 classes" in repr(made)
        assert classifier().labels == ("0", "1", "2")

    def test_without_weights_there_is_still_a_dtype(self) -> None:
        assert Classifier(nn.Flatten(), input_shape=(2,), labels=2).dtype == torch.float32

    @pytest.mark.parametrize(
        "settings",
        [
            {"module": "network"},
            {"module": torch.relu},
            {"input_shape": ()},
            {"input_shape": (0, 3, 3)},
            {"input_shape": (-1, 3, 3)},
            {"input_shape": 3},
            {"input_shape": ("a",)},
            {"labels": 1},
            {"labels": 0},
            {"labels": True},
            {"labels": []},
            {"labels": ["a"]},
            {"labels": ["a", "a", "b"]},
            {"labels": [1, "1"]},
            {"labels": "abc"},
            {"bounds": (1, 0)},
            {"bounds": ([0, 0, 0], [1, 1, 1])},
            {"normalization": ([0.1], [0.0])},
            {"normalization": ([0.1], [-1.0])},
            {"normalization": ([0.1], [float("nan")])},
            {"normalization": ([0.1, 0.2], [1.0])},
            {"normalization": ([0.1] * 3, [1.0] * 3)},
        ],
    )
    def test_misuse_is_refused(self, settings: dict[str, Any]) -> None:
        made = {"module": network(), "input_shape": SHAPE, "labels": 3, **settings}
        with pytest.raises(ConfigError):
            Classifier(**made)

    def test_channels_cannot_multiply_by_normalisation(self) -> None:
        with pytest.raises(ConfigError, match="3 channels does not fit"):
            Classifier(nn.Flatten(), input_shape=(1, 2, 2), labels=4, normalization=([0.0] * 3, [1.0] * 3))

    def test_a_misspelt_kind_of_outputs_names_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'logits'"):
            classifier(outputs="logit")


class TestDigest:
    def test_is_the_same_for_the_same_and_after_a_package(self, tmp_path: Path) -> None:
        made = classifier(normalization=([0.1307, 1 / 3], [0.3081, 2 / 7]))
        assert made.digest == classifier(normalization=([0.1307, 1 / 3], [0.3081, 2 / 7])).digest
        assert hauberk.save(made, tmp_path / "model").model_digest == made.digest
        again = hauberk.load(tmp_path / "model")
        assert again.digest == made.digest
        assert torch.equal(again(images()), made(images()))

    @pytest.mark.parametrize("index", [0, 44, 89])
    def test_sees_the_last_bit_of_one_weight(self, index: int) -> None:
        made = classifier()
        before = made.digest
        weight = made.module[1].weight.data.view(-1)
        weight[index] = torch.nextafter(weight[index], torch.tensor(9.0))
        assert made.digest != before

    @pytest.mark.parametrize(
        "settings",
        [
            {"bounds": (0, 2)},
            {"labels": ["a", "b", "c"]},
            {"normalization": ([0.0], [1.0])},
            {"outputs": "log-probabilities"},
            {"architecture": None},
        ],
    )
    def test_sees_the_contract(self, settings: dict[str, Any]) -> None:
        assert classifier(**settings).digest != classifier().digest

    def test_does_not_see_layout_mode_or_gradients(self) -> None:
        made = classifier()
        before = made.digest
        made.train().requires_grad_(False)
        weight = made.module[1].weight
        weight.data = weight.data.t().contiguous().t()
        assert made.digest == before

    def test_weights_are_copies(self) -> None:
        made = classifier()
        taken = made.weights()
        taken["1.weight"].zero_()
        assert float(made.module[1].weight.detach().abs().sum()) > 0
