"""The copy that attacks differentiate: the same function, and nothing done to the original."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from hauberk.models.architectures import build
from hauberk.models.classifier import Classifier
from hauberk.models.twin import fast_twin, pass_size, passes, set_layout

NETWORKS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("cnn", (3, 12, 12), {"channels": [4, 5], "hidden": 6}),
    ("mlp", (5,), {"hidden": [4]}),
    ("wide-resnet", (3, 8, 8), {"depth": 10, "width": 1, "dropout": 0.2}),
]


def classifier(name: str, shape: tuple[int, ...], args: dict[str, Any]) -> Classifier:
    torch.manual_seed(0)
    return Classifier(build(name, shape, 4, args), input_shape=shape, labels=4, normalization=([0.5], [0.3]))


def facts(model: nn.Module) -> list[tuple[Any, ...]]:
    rows = [(name, one.stride(), one.requires_grad, one.data_ptr()) for name, one in model.named_parameters()]
    rows += [(name, one.training) for name, one in model.named_modules()]
    return rows


@pytest.mark.parametrize(("name", "shape", "args"), NETWORKS)
class TestTwin:
    def test_answers_the_same(self, name: str, shape: tuple[int, ...], args: dict[str, Any]) -> None:
        made = classifier(name, shape, args).eval()
        x = torch.rand(5, *shape)
        torch.testing.assert_close(fast_twin(made)(x), made(x), rtol=1e-5, atol=1e-5)

    def test_leaves_the_original_untouched(
        self, name: str, shape: tuple[int, ...], args: dict[str, Any]
    ) -> None:
        made = classifier(name, shape, args).train()
        made.module.requires_grad_(True)
        before, digest = facts(made), made.digest
        twin = fast_twin(made)
        assert not any(one.requires_grad for one in twin.parameters())
        assert not any(one.training for one in twin.modules())
        for one in twin.parameters():
            one.zero_()
        assert facts(made) == before
        assert made.digest == digest

    def test_gradients_with_respect_to_the_images_agree(
        self, name: str, shape: tuple[int, ...], args: dict[str, Any]
    ) -> None:
        made = classifier(name, shape, args).eval()
        found = []
        for model in (made, fast_twin(made)):
            x = torch.rand(3, *shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
            model(x)[:, 0].sum().backward()
            found.append(x.grad)
        torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_copied_is_used_itself() -> None:
    module = nn.Linear(2, 2)
    module.cached = module.weight * 2  # not a leaf of the graph
    made = Classifier(module, input_shape=(2,), labels=2).eval()
    assert fast_twin(made) is made


def test_networks_of_volumes_keep_their_layout() -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Conv2d(2, 2, 3))
    set_layout(model, torch.channels_last)
    assert model[1].weight.is_contiguous()


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (7, 100)])
def test_passes_cover_every_image_once_in_order(count: int, size: int) -> None:
    parts = [list(range(count))[part] for part in passes(count, size)]
    assert [one for part in parts for one in part] == list(range(count))
    assert all(1 <= len(part) <= size for part in parts)


def test_pass_size_is_a_batch() -> None:
    assert pass_size(classifier(*NETWORKS[1])) >= 1
