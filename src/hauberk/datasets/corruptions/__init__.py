"""Accidents that befall images: the 15 common corruptions at 5 severities, and what they leave out.

``corrupt(data, "fog", 3)`` for a severity, ``Rotation(degrees=15)(data)`` for an amount. Nobody means harm
here: what is chosen is chosen at random, so the figures are means and not worst cases.

Source: the fifteen are those of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019, written anew from its descriptions. The amounts are those of its data
sets, CIFAR-10-C for images below 84 pixels and ImageNet-C from there on, lengths scaled to the image, where a
class does not say otherwise. Values are not rounded to 256 levels between steps, and images are continued by
their outermost pixels where the original mirrors them. So figures are comparable among models measured with
this code, and with published ones only roughly.
"""

from __future__ import annotations

from torch import Tensor

from hauberk.core.errors import check_known
from hauberk.datasets.corruptions.blur import DefocusBlur, GlassBlur, MotionBlur, ZoomBlur
from hauberk.datasets.corruptions.corruption import SEVERITIES, Corruption, check_corruptible
from hauberk.datasets.corruptions.digital import Contrast, ElasticTransform, JPEGCompression, Pixelate
from hauberk.datasets.corruptions.noise import GaussianNoise, ImpulseNoise, SaltAndPepper, ShotNoise
from hauberk.datasets.corruptions.space import Rotation, Shift, rotate_and_shift
from hauberk.datasets.corruptions.weather import Brightness, Fog, Frost, Snow
from hauberk.datasets.dataset import Dataset

_FIFTEEN: tuple[type[Corruption], ...] = (
    GaussianNoise, ShotNoise, ImpulseNoise,
    DefocusBlur, GlassBlur, MotionBlur, ZoomBlur,
    Snow, Frost, Fog, Brightness,
    Contrast, ElasticTransform, Pixelate, JPEGCompression,
)  # fmt: skip
_FURTHER: tuple[type[Corruption], ...] = (SaltAndPepper, Rotation, Shift)

COMMON: tuple[str, ...] = tuple(one.name for one in _FIFTEEN)
CORRUPTIONS: dict[str, type[Corruption]] = {one.name: one for one in (*_FIFTEEN, *_FURTHER)}


def at(data: Dataset, name: str, severity: int) -> Corruption:
    """The configured corruption that ``corrupt`` applies to this data.

    Raises:
        UnknownName: no such corruption.
        ConfigError: a severity outside 1 to 5.
        DataError: not images of one or three channels, at least 8x8.
    """
    check_known([name], CORRUPTIONS, what="corruption", where="corrupt")
    return CORRUPTIONS[name].at(severity, min(check_corruptible(data).input_shape[1:]))


def corrupt(
    data: Dataset, name: str, severity: int, *, seed: int = 0, indices: Tensor | None = None
) -> Dataset:
    """A data set with every image corrupted, and with that noted in its name.

    Args:
        name: one of ``CORRUPTIONS``.
        severity: 1 to 5.
        seed: names all random choices; a sample's depend on seed and index only, and are the same at all
            severities.
        indices: int64 ``(n,)``: each sample's number in its data set; default 0, 1, 2, ...

    Returns:
        Same shape, labels, classes and bounds; images within the bounds.

    Raises:
        UnknownName: no such corruption.
        ConfigError: a severity outside 1 to 5, indices that do not fit.
        DataError: not images of one or three channels, at least 8x8.
    """
    return at(data, name, severity)(data, seed=seed, indices=indices, note=f"{name} {severity}")


__all__ = [
    "COMMON",
    "CORRUPTIONS",
    "SEVERITIES",
    "Brightness",
    "Contrast",
    "Corruption",
    "DefocusBlur",
    "ElasticTransform",
    "Fog",
    "Frost",
    "GaussianNoise",
    "GlassBlur",
    "ImpulseNoise",
    "JPEGCompression",
    "MotionBlur",
    "Pixelate",
    "Rotation",
    "SaltAndPepper",
    "Shift",
    "ShotNoise",
    "Snow",
    "ZoomBlur",
    "at",
    "corrupt",
    "rotate_and_shift",
]
