"""The scattering transform against sums written out, and the laws it is made for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from hauberk.core.errors import ConfigError
from hauberk.models.architectures import build
from hauberk.models.scattering import Scattering, _gaussian, _morlet


def waves(image: np.ndarray, width: float, centre: float, turn: float) -> np.ndarray:
    """|image * wavelet| with mirrored borders, by scipy, which convolves complex numbers as such."""
    wavelet = _morlet(width, centre, turn).numpy().astype(complex)
    half = len(wavelet) // 2
    padded = np.pad(image.astype(float), half, mode="reflect")
    answer = signal.correlate2d(padded, wavelet.conj(), mode="valid")
    return np.sqrt(np.abs(answer) ** 2 + 1e-6)


def average(image: np.ndarray) -> np.ndarray:
    window = _gaussian(3.2).numpy().astype(float)
    half = len(window) // 2
    return signal.correlate2d(np.pad(image, half, mode="reflect"), np.outer(window, window), mode="valid")[
        ::4, ::4
    ]


def test_first_bands_are_the_sums_of_the_definition() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, 28, 28)
    found = Scattering(4)(image)[0].numpy()
    plain = image[0, 0].numpy()
    assert found.shape == (1 + 2 * 4 + 16, 7, 7)
    np.testing.assert_allclose(found[0], average(plain.astype(float)), rtol=1e-4, atol=1e-6)
    for turn in range(4):
        once = waves(plain, 0.8, 3 * np.pi / 4, np.pi * turn / 4)
        np.testing.assert_allclose(found[1 + turn], average(once), rtol=1e-4, atol=1e-6)
    # second order: the finest wavelet at angle 1, the coarser at angle 2, halved, the halved window
    once = waves(plain, 0.8, 3 * np.pi / 4, np.pi / 4)
    twice = waves(once, 1.6, 3 * np.pi / 8, np.pi / 2)[::2, ::2]
    window = _gaussian(3.2).numpy().astype(float)[::2]
    window /= window.sum()
    padded = np.pad(twice, len(window) // 2, mode="reflect")
    expected = signal.correlate2d(padded, np.outer(window, window), mode="valid")[::2, ::2]
    np.testing.assert_allclose(found[9 + 4 * 1 + 2], expected, rtol=1e-4, atol=1e-6)


def test_an_even_picture_has_no_waves() -> None:
    found = Scattering(8)(torch.full((1, 1, 16, 16), 0.7))
    assert torch.allclose(found[:, 0], torch.tensor(0.7), atol=1e-5)
    assert float(found[:, 1:].max()) < 2e-3  # the root of what keeps slopes finite


def test_a_picture_turned_by_a_right_angle_turns_the_bands() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, 29, 29)  # odd, so that turning keeps the places that are looked at
    one, turned = Scattering(4)(image)[0], Scattering(4)(image.rot90(1, (2, 3)))[0]
    first = slice(1, 5)
    torch.testing.assert_close(turned[first].roll(2, 0), one[first].rot90(1, (1, 2)), rtol=1e-4, atol=1e-5)


def test_a_small_shift_moves_little() -> None:
    torch.manual_seed(0)
    image = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 56, 56), 9, 1, 4)
    shifted = image.roll(1, 3)
    scatter = Scattering(8)
    moved = (scatter(image) - scatter(shifted)).norm() / scatter(image).norm()
    assert moved < 0.5 * (image - shifted).norm() / image.norm() + 0.01


def test_nothing_learns_and_slopes_are_finite() -> None:
    scatter, image = Scattering(2), torch.zeros(1, 1, 8, 8, requires_grad=True)
    assert not list(scatter.parameters())
    assert not scatter.state_dict()  # made again from its angles
    scatter(image).sum().backward()
    assert bool(image.grad.isfinite().all())


def test_the_linear_network_takes_any_picture() -> None:
    for shape in ((1, 8, 8), (3, 32, 32), (2, 9, 30)):
        model = build("scatter-linear", shape, 5, {"angles": 3})
        assert model(torch.rand(2, *shape)).shape == (2, 5)
    assert build("scatter-linear", (1, 28, 28), 10)[1].num_groups == 27


@pytest.mark.parametrize(
    ("shape", "args", "words"),
    [
        ((64,), {}, "takes images"),
        ((1, 4, 8), {}, "at least 8x8"),
        ((1, 8, 8), {"angles": 0}, "angles"),
        ((1, 8, 8), {"groups": 0}, "groups"),
    ],
)
def test_what_cannot_be(shape: tuple[int, ...], args: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build("scatter-linear", shape, 3, args)
