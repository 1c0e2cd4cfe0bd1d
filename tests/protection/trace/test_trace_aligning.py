"""Leaked tensors come back in the original's order and scale."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hauberk.protection.trace.aligning import aligned, located


def scrambled(one: Tensor, seed: int, *, order: bool = True, scale: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (torch.randperm(size, generator=generator) for size in one.shape[:2])
    made = one[rows][:, columns] if order else one
    if scale:
        high, wide = (torch.rand(size, generator=generator) * 4 - 2 for size in one.shape[:2])
        tail = [1] * (one.ndim - 2)
        made = made * high.exp().view(-1, 1, *tail) * wide.exp().view(1, -1, *tail)
    return made


@pytest.mark.parametrize("shape", [(64, 256), (32, 16, 3, 3), (10, 64)])
@pytest.mark.parametrize(("order", "scale"), [(True, False), (False, True), (True, True)])
def test_what_was_scrambled_comes_back(shape: tuple[int, ...], order: bool, scale: bool) -> None:
    generator = torch.Generator().manual_seed(7)
    original = torch.randn(shape, generator=generator)
    marked = original + 0.05 * torch.randn(shape, generator=generator).sign()
    back = aligned(scrambled(marked, 3, order=order, scale=scale), original)
    # a multiplier is known as well as the median of its weights, and of 10 and 64 the smaller say little
    seen = back.isfinite()
    assert float(seen.double().mean()) > (0.9 if len(original) == 10 else 0.999)
    error = float((back - marked)[seen].norm() / marked.norm())
    assert error < (0.06 if len(original) == 10 else 0.03)


def test_what_is_in_order_stays_bit_by_bit() -> None:
    original = torch.randn(20, 30, generator=torch.Generator().manual_seed(1))
    changed = original + 0.2 * torch.randn(20, 30, generator=torch.Generator().manual_seed(2))
    assert torch.equal(aligned(changed, original), changed.double())


def test_strange_numbers_do_no_harm() -> None:
    original = torch.randn(20, 30, generator=torch.Generator().manual_seed(1))
    for value in (float("nan"), float("inf"), 1e30, 0.0):
        changed = original.clone()
        changed.view(-1)[::7] = value
        back = aligned(changed, original)
        kept = torch.ones(600, dtype=torch.bool)
        kept[::7] = False
        assert torch.allclose(back.flatten()[kept], original.double().flatten()[kept], rtol=0.05)
    for nothing in (torch.zeros(20, 30), torch.full((20, 30), float("nan"))):
        assert aligned(nothing, original).shape == original.shape


def test_tensors_without_their_names_are_found_by_shape_and_likeness() -> None:
    generator = torch.Generator().manual_seed(5)
    weights = {name: torch.randn(24, 40, generator=generator) for name in ("one", "two")}
    weights["three"] = torch.randn(9, 40, generator=generator)
    leaked = {
        "a": scrambled(weights["two"], 1), "b": scrambled(weights["one"], 2), "c": torch.randn(9, 40),
        "d": torch.arange(960).view(24, 40),
    }  # fmt: skip
    found = located(leaked, weights)
    assert found.keys() == {"one", "two"}
    for name, one in found.items():
        assert torch.allclose(one, weights[name].double(), rtol=1e-3, atol=1e-4)
