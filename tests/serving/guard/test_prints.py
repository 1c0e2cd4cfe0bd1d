"""Prints are linear, local and keyed."""

from __future__ import annotations

import numpy as np
import pytest
from desks import KEY

from hauberk.core.errors import ConfigError
from hauberk.serving.guard.prints import Prints


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 96, 60), (40,), (3, 3, 3), (1, 1, 1)])
def test_linear(shape: tuple[int, ...]) -> None:
    prints = Prints(shape, 1.0, KEY)
    a, b = np.random.default_rng(0).random((2, 1, *shape)).astype(np.float32)
    assert prints(a).shape == (1, prints.cells)
    assert prints.cells <= 64
    np.testing.assert_allclose(prints(0.3 * a + 0.7 * b), 0.3 * prints(a) + 0.7 * prints(b), atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 96, 60)])
def test_one_pixel_moves_one_cell_and_no_other(shape: tuple[int, ...]) -> None:
    prints = Prints(shape, 1.0, KEY)
    image = np.random.default_rng(0).random((1, *shape)).astype(np.float32)
    other = image.copy()
    other[0, 1, 5, 7] += 0.1
    assert np.count_nonzero(np.abs(prints(image) - prints(other)) > 1e-5) == 1


def test_both_ways_of_adding_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).random((5, 3, 32, 32)).astype(np.float32)
    dense = Prints((3, 32, 32), 1.0, KEY)(rows)
    monkeypatch.setattr("hauberk.serving.guard.prints._DENSE", 0)
    np.testing.assert_allclose(Prints((3, 32, 32), 1.0, KEY)(rows), dense, atol=1e-4)


def test_even_light_hardly_shows_and_a_step_keeps_its_length() -> None:
    prints = Prints((1, 64, 64), 1.0, KEY)
    draw = np.random.default_rng(0)
    steps = draw.normal(0, 0.1, (200, 1, 64, 64)).astype(np.float32)
    ratio = np.linalg.norm(prints(steps), axis=1) / np.linalg.norm(steps.reshape(200, -1), axis=1)
    assert 0.95 < ratio.mean() < 1.15  # weights of variance 1.08
    even = np.full((1, 1, 64, 64), 0.1, np.float32)
    assert np.linalg.norm(prints(even)) < 0.5 * np.linalg.norm(even)


def test_another_key_gives_another_print() -> None:
    image = np.random.default_rng(0).random((1, 1, 28, 28)).astype(np.float32)
    one, same, other = (Prints((1, 28, 28), 1.0, key)(image) for key in (KEY, KEY, KEY[::-1]))
    assert np.array_equal(one, same)
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.5


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 16 bytes"):
        Prints((1, 28, 28), 1.0, b"short")
