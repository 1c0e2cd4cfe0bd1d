"""Checks at the edge: one row per mistake, and a probe that sees through models that mislead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.classifier import Classifier


def classifier(*layers: nn.Module, **settings: Any) -> Classifier:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), *layers)
    return Classifier(module, **{"input_shape": (1, 2, 2), "labels": 3, **settings}).eval()


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def spoilt(value: float, position: tuple[int, ...] = (2, 0, 1, 1)) -> Tensor:
    x = images()
    x[position] = value
    return x


class TestClassifier:
    @pytest.mark.parametrize("value", [nn.Linear(2, 2), None, lambda x: x, "model"])
    def test_what_is_no_classifier_is_refused_with_the_way_out(self, value: object) -> None:
        with pytest.raises(ConfigError, match=r"expected a hauberk\.Classifier") as caught:
            check_classifier(value)
        assert "wrap the module" in str(caught.value.hint)

    @pytest.mark.parametrize("part", ["", "module", "module.2"])
    def test_train_mode_anywhere_is_refused(self, part: str) -> None:
        made = classifier(nn.Dropout())
        made.get_submodule(part).training = True
        with pytest.raises(ConfigError, match="train mode") as caught:
            check_classifier(made)
        assert "eval()" in str(caught.value.hint)

    def test_a_classifier_in_eval_mode_passes(self) -> None:
        made = classifier(nn.Dropout())
        assert check_classifier(made) is made


WRONG_IMAGES: list[tuple[Any, str]] = [
    (images().numpy(), "must be a torch.Tensor, got ndarray"),
    (None, "must be a torch.Tensor"),
    ([[0.5]], "must be a torch.Tensor"),
    (images()[0], r"must be \(n, 1, 2, 2\)"),
    (images().reshape(4, 4), r"must be \(n, 1, 2, 2\)"),
    (torch.rand(4, 3, 2, 2), r"must be \(n, 1, 2, 2\)"),
    (torch.tensor(0.5), r"must be \(n, 1, 2, 2\)"),
    (images(0), "empty"),
    (torch.zeros(4, 1, 2, 2, dtype=torch.uint8), "floating point.*images / 255"),
    (torch.zeros(4, 1, 2, 2, dtype=torch.int64), "floating point"),
    (torch.zeros(4, 1, 2, 2, dtype=torch.bool), "floating point"),
    (torch.zeros(4, 1, 2, 2, dtype=torch.complex64), "floating point"),
    (spoilt(float("nan")), "image 2 holds NaN"),
    (spoilt(float("inf")), "image 2 holds NaN or infinity"),
    (spoilt(-float("inf")), "image 2 holds NaN or infinity"),
    (spoilt(1.001), "image 2 leaves the valid bounds"),
    (spoilt(-0.001), "image 2 leaves the valid bounds"),
    (images() * 255, "image 0 leaves the valid bounds"),
]


class TestImages:
    @pytest.mark.parametrize(("value", "why"), WRONG_IMAGES)
    def test_mistakes_are_refused(self, value: Any, why: str) -> None:
        with pytest.raises(DataError, match=why):
            check_images(classifier(), value)

    def test_right_images_pass_unchanged(self) -> None:
        assert torch.equal(check_images(classifier(), images()), images())

    def test_a_rounding_beyond_the_bounds_is_put_back(self) -> None:
        x = spoilt(1 + 5e-7)
        x[0, 0, 0, 0] = -5e-7
        found = check_images(classifier(), x)
        assert float(found.max()) <= 1
        assert float(found.min()) >= 0
        assert float(x.max()) > 1  # the caller's own are untouched

    def test_every_channel_has_its_own_bounds(self) -> None:
        made = Classifier(nn.Flatten(), input_shape=(2, 1, 1), labels=2, bounds=([0, 5], [1, 6])).eval()
        right = torch.tensor([0.5, 5.5]).view(1, 2, 1, 1)
        assert torch.equal(check_images(made, right), right)
        with pytest.raises(DataError, match="image 0 leaves"):
            check_images(made, right.flip(1))


WRONG_LABELS: list[tuple[Any, str]] = [
    ([0, 1, 2, 0], "must be a torch.Tensor, got list"),
    (np.array([0, 1, 2, 0]), "must be a torch.Tensor, got ndarray"),
    (torch.zeros(4), "must be integers"),
    (torch.zeros(4, dtype=torch.bool), "must be integers"),
    (torch.zeros(3, dtype=torch.int64), r"must be \(4,\)"),
    (torch.zeros(5, dtype=torch.int64), r"must be \(4,\)"),
    (torch.zeros(4, 1, dtype=torch.int64), r"must be \(4,\)"),
    (torch.tensor(1), r"must be \(4,\)"),
    (torch.eye(4, 3), "must be integers"),
    (torch.tensor([0, 1, 2, 3]), r"must lie in \[0, 3\), found 3"),
    (torch.tensor([0, 1, 2, -1]), r"must lie in \[0, 3\), found -1"),
]


class TestLabels:
    @pytest.mark.parametrize(("value", "why"), WRONG_LABELS)
    def test_mistakes_are_refused(self, value: Any, why: str) -> None:
        with pytest.raises(DataError, match=why):
            check_labels(classifier(), value, 4)

    def test_the_message_names_what_it_is_about(self) -> None:
        with pytest.raises(DataError, match="targets must lie"):
            check_labels(classifier(), torch.tensor([9]), 1, what="targets")

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
    def test_every_kind_of_integer_passes_as_int64(self, dtype: torch.dtype) -> None:
        found = check_labels(classifier(), torch.tensor([0, 1, 2, 0], dtype=dtype), 4)
        assert found.dtype == torch.int64
        assert found.tolist() == [0, 1, 2, 0]


class Constant(nn.Module):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        return self.answer


class Noise(nn.Module):
    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x) * self.size


class TestProbe:
    @pytest.mark.parametrize(
        ("layers", "why"),
        [
            ([nn.Softmax(1)], "returns probabilities"),
            ([nn.Linear(3, 2)], "with 3 labels it must be"),
            ([nn.Linear(3, 4)], "with 3 labels it must be"),
            ([nn.Unflatten(1, (3, 1))], "with 3 labels it must be"),
            ([Constant(torch.zeros(3))], "with 3 labels it must be"),
            ([Constant(torch.full((4, 3), float("nan")))], "NaN"),
            ([Constant(torch.full((4, 3), float("inf")))], "infinite"),
            ([Constant((torch.zeros(4, 3), None))], "returns tuple"),
            ([Constant({"logits": torch.zeros(4, 3)})], "returns dict"),
        ],
    )
    def test_models_that_cannot_be_judged_are_refused(self, layers: list[nn.Module], why: str) -> None:
        with pytest.raises(UnsupportedModel, match=why):
            probe(classifier(*layers), images())

    def test_probabilities_that_are_declared_pass(self) -> None:
        assert not probe(classifier(nn.Softmax(1), outputs="probabilities"), images()).randomized

    def test_logits_pass(self) -> None:
        found = probe(classifier(nn.Dropout(0.5)), images())
        assert not found.randomized
        assert found.largest_change == 0

    def test_a_randomised_model_is_noticed(self) -> None:
        found = probe(classifier(Noise(0.1)), images())
        assert found.randomized
        assert found.largest_change > 0

    def test_rounding_is_not_called_randomness(self) -> None:
        assert not probe(classifier(Noise(1e-7)), images()).randomized

    def test_only_a_few_images_are_asked_and_no_gradient_is_kept(self) -> None:
        seen: list[tuple[int, bool]] = []

        class Counting(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                seen.append((len(x), torch.is_grad_enabled()))
                return x

        probe(classifier(Counting()), images(100))
        assert seen == [(8, False), (8, False)]
