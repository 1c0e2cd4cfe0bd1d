"""Book-keeping against ``torch.func`` on the whole model, which knows nothing of layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hauberk.core.errors import UnsupportedModel
from hauberk.privacy.training import Book, Clip
from hauberk.privacy.training.book import NotFinite

CLASSES, PEOPLE, CLOSE = 3, 6, 1e-5


class Twice(nn.Module):
    """One layer used twice, so that its two shares may cancel or add."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(8, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.inner(torch.tanh(self.inner(x)))))


class Tied(nn.Module):
    """Two layers that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.head = nn.Linear(8, 8), nn.Linear(8, 8, bias=False), nn.Linear(8, CLASSES)
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.other(torch.tanh(self.one(x)))))


class Own(nn.Module):
    """A layer that nobody has a rule for, with weights of its own and a layer inside."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.rand(8)), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.sin() * self.scale)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.GroupNorm(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.relu(self.norm(self.conv(x)))


def images(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(PEOPLE, *shape)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "dense": (lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, CLASSES)), images(8)),
    "dense on positions, written down": (
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(20, CLASSES)), images(10, 3),
    ),
    "dense on positions, ghost": (
        lambda: nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Flatten(), nn.Linear(48, CLASSES)),
        images(3, 8),
    ),
    "norm over two axes": (
        lambda: nn.Sequential(nn.LayerNorm((3, 8)), nn.Flatten(), nn.Linear(24, CLASSES)), images(3, 8),
    ),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(32, CLASSES),
        ), images(2, 8, 8),
    ),
    "convolution, ghost": (
        lambda: nn.Sequential(nn.Conv2d(8, 32, 3), nn.Flatten(), nn.Linear(128, CLASSES)), images(8, 4, 4)
    ),
    "convolution in groups, dilated, wrapped": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, (3, 2), groups=2, dilation=2, padding="same", padding_mode="circular"),
            nn.InstanceNorm2d(8, affine=True), nn.Flatten(), nn.Linear(8 * 30, CLASSES),
        ), images(4, 5, 6),
    ),
    "convolution of a signal": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 8, 3, stride=2, padding=1), nn.InstanceNorm1d(8, affine=True), nn.ReLU(),
            nn.Conv1d(8, 32, 5), nn.Flatten(), nn.Linear(32, CLASSES),
        ), images(2, 10),
    ),
    "words": (
        lambda: nn.Sequential(nn.Embedding(5, 4, padding_idx=0), nn.Flatten(), nn.Linear(28, CLASSES)),
        lambda: torch.randint(0, 5, (PEOPLE, 7)),
    ),
    "residual": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), Residual(), nn.Flatten(), nn.Linear(64, CLASSES)),
        images(1, 6, 6),
    ),
    "no rule: PReLU and transposed convolution": (
        lambda: nn.Sequential(
            nn.ConvTranspose2d(2, 3, 2), nn.PReLU(3), nn.Flatten(), nn.Linear(75, CLASSES)
        ), images(2, 4, 4),
    ),
    "no rule: own weights and a layer inside": (lambda: Own(), images(8)),
    "a layer used twice": (Twice, images(8)),
    "tied weights": (Tied, images(8)),
}  # fmt: skip


def truth(model: nn.Module, x: Tensor, labels: Tensor, copies: int) -> dict[str, Tensor]:
    weights = {name: one.detach() for name, one in model.named_parameters()}

    def loss(own: dict[str, Tensor], x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, own, (x,)), labels)

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    return each(weights, x.unflatten(0, (-1, copies)), labels.unflatten(0, (-1, copies)))


def losses(model: nn.Module, x: Tensor, labels: Tensor, people: int) -> Callable[[], Tensor]:
    return lambda: F.cross_entropy(model(x), labels, reduction="none").unflatten(0, (people, -1)).mean(1)


@pytest.mark.parametrize("mode", ["abadi", "automatic"])
@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_norms_and_clipped_sums_are_those_of_torch_func(name: str, copies: int, mode: Any) -> None:
    torch.manual_seed(0)
    make, draw = MODELS[name]
    model, x, labels = make(), draw(), torch.randint(0, CLASSES, (PEOPLE,))
    people = PEOPLE // copies
    each = truth(model, x, labels, copies)
    norms = sum(one.flatten(1).square().sum(1) for one in each.values()).sqrt()
    bound = float(norms.median())  # some are shortened, some are not
    short = bound / (norms + 0.01) if mode == "automatic" else (bound / norms).clamp_max(1)
    found, said = Book(model).clipped_sum(losses(model, x, labels, people), people, Clip(bound, mode))
    torch.testing.assert_close(said, norms, rtol=CLOSE, atol=CLOSE)
    assert found.keys() == each.keys()
    for key, one in each.items():
        torch.testing.assert_close(found[key], torch.einsum("n,n...->...", short, one), rtol=CLOSE, atol=CLOSE)


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_any_convolution(
    kernel: int, channels: int, stride: int, padding: int, dilation: int, out: int
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, out, kernel, stride=stride, padding=padding, dilation=dilation)
    model = nn.Sequential(conv, nn.Flatten(), nn.LazyLinear(CLASSES))
    x, labels = torch.randn(4, channels, 6, 7), torch.randint(0, CLASSES, (4,))
    model(x)
    each = truth(model, x, labels, 1)
    found = Book(model).samples(losses(model, x, labels, 4), 4)
    for key, one in each.items():
        torch.testing.assert_close(found[key], one, rtol=CLOSE, atol=CLOSE)


def test_the_rules_and_the_slow_way_agree_in_the_book_too() -> None:
    torch.manual_seed(0)
    make, draw = MODELS["convolution"]
    model, x, labels = make(), draw(), torch.randint(0, CLASSES, (PEOPLE,))
    fast, slow = (
        Book(model, exact=exact).clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(0.3))[0]
        for exact in (False, True)
    )
    for key, one in slow.items():
        torch.testing.assert_close(fast[key], one, rtol=CLOSE, atol=CLOSE)


def test_nobody_moves_the_sum_further_than_the_bound() -> None:
    """Two neighbouring batches, for a layer that is used twice: its uses must not be clipped one by one."""
    torch.manual_seed(0)
    model, x, labels = Twice(), 50 * torch.randn(PEOPLE, 8), torch.randint(0, CLASSES, (PEOPLE,))
    book = Book(model)
    whole, _ = book.clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(0.1))
    less, _ = book.clipped_sum(losses(model, x[1:], labels[1:], PEOPLE - 1), PEOPLE - 1, Clip(0.1))
    moved = sum(float((whole[key] - less[key]).square().sum()) for key in whole) ** 0.5
    assert 0.0999 < moved < 0.1001


def test_frozen_weights_have_no_part() -> None:
    torch.manual_seed(0)
    model, x, labels = Twice(), torch.randn(PEOPLE, 8), torch.randint(0, CLASSES, (PEOPLE,))
    model.inner.requires_grad_(False)
    model.head.bias.requires_grad_(False)  # a layer that learns in part
    found, norms = Book(model).clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(1e9))
    each = truth(model, x, labels, 1)["head.weight"]
    assert list(found) == ["head.weight"]
    torch.testing.assert_close(found["head.weight"], each.sum(0), rtol=CLOSE, atol=CLOSE)
    torch.testing.assert_close(norms, each.flatten(1).norm(dim=1), rtol=CLOSE, atol=CLOSE)


def test_the_model_is_left_as_it_was() -> None:
    model = Twice()
    before = {key: one.clone() for key, one in model.state_dict().items()}
    x, labels = torch.randn(PEOPLE, 8), torch.zeros(PEOPLE).long()
    Book(model).clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(1.0))
    assert all(one.requires_grad and one.grad is None for one in model.parameters())
    assert not any(one._forward_hooks for one in model.modules())
    assert all(torch.equal(before[key], one) for key, one in model.state_dict().items())


def test_a_gradient_that_is_no_number_is_said() -> None:
    model, labels = Twice(), torch.zeros(PEOPLE).long()
    x = torch.full((PEOPLE, 8), torch.nan)
    with pytest.raises(NotFinite):
        Book(model).clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(1.0))


class Borrowed(nn.Module):
    """Uses a layer's weight behind the layer's back."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(8, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.linear(self.layer(x), self.layer.weight))


class Mixing(nn.Module):
    """Centres by the batch, as batch norm does, under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x - x.mean(0))


class Centring(nn.Module):
    """Centres by the batch while it learns, and by a kept mean afterwards: batch norm under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, CLASSES)
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x - (x.mean(0) if self.training else self.mean))


class Counting(nn.Module):
    """Keeps a mean of what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, CLASSES)
        self.register_buffer("seen", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.seen.lerp_(x.detach().mean(0), 0.1)
        return self.head(x)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attention(x, x, x)[0].mean(1))


class Remembering(nn.Module):
    """Changes in place what a layer has taken in."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(8, 8), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        inner = 2 * self.first(x)
        out = self.head(inner)
        inner.detach().mul_(2)
        return out


def norms(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (2, 4)), layer, nn.Flatten(), nn.Linear(8, CLASSES))


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (norms(nn.BatchNorm1d(2)), (8,), r"'1' \(BatchNorm1d\).*nobody's share"),
        (norms(nn.InstanceNorm1d(2, affine=True, track_running_stats=True)), (8,), "running statistics"),
        (Borrowed(), (8,), "'layer.weight' is used outside"),
        (Mixing(), (8,), "depends on others of its batch"),
        (Centring(), (8,), "depends on others of its batch"),
        (Counting(), (8,), "the buffer 'seen' changes"),
        (Attending(), (4, 8), r"'attention' \(MultiheadAttention\)"),
        (Remembering(), (8,), "in place"),
        (nn.Sequential(nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, CLASSES)), (8,), "in place"),
        (nn.Sequential(nn.Linear(8, CLASSES)).requires_grad_(False), (8,), "no weight of the model learns"),
        (nn.Sequential(nn.Embedding(5, 4, max_norm=1.0)), (8,), "Embedding"),
        (nn.Sequential(nn.Embedding(5, 4, scale_grad_by_freq=True)), (8,), "Embedding"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, nn.Module) else None,
)
def test_what_cannot_be_followed_is_refused_by_name(
    model: nn.Module, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(UnsupportedModel, match=re.compile(words)):
        Book(model).check(torch.randn(2, *shape))


def test_what_autograd_would_not_see_changed_is_seen() -> None:
    """Autograd keeps no inputs of layers whose weights it does not differentiate; the book does."""
    model, x, labels = Remembering(), torch.randn(PEOPLE, 8), torch.zeros(PEOPLE).long()
    with pytest.raises(UnsupportedModel, match="what goes into the layer 'head' is changed in place"):
        Book(model).clipped_sum(losses(model, x, labels, PEOPLE), PEOPLE, Clip(1.0))


@pytest.mark.parametrize("name", [one for one in MODELS if one != "words"])
def test_what_can_be_followed_passes_the_check(name: str) -> None:
    torch.manual_seed(0)
    make, draw = MODELS[name]
    Book(make()).check(draw()[:2])
