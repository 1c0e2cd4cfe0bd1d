"""What stands between pixels and network: ``preprocessor_config.json`` as an input contract, and back.

The library's image processors compute ``(pixel * rescale_factor - offset - mean) / std`` on pixels 0 to 255;
Hauberk's classifiers take images in [0, 1] and normalise inside. The two are the same line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hauberk.core.errors import DataError

Normalization = tuple[list[float], list[float]]
_PIXELS = 255


def normalization(found: Mapping[str, Any], where: str) -> Normalization | None:
    """``(mean, std)`` for images in [0, 1], or None where nothing is done to them.

    Raises:
        DataError: values that are no numbers.
    """
    factor = (
        float(_number(found.get("rescale_factor", 1 / _PIXELS), where))
        if found.get("do_rescale", True)
        else 1.0
    )
    scale = _PIXELS * factor
    offset = 1.0 if found.get("rescale_offset") or found.get("offset") else 0.0
    mean, std = [0.0], [1.0]
    if found.get("do_normalize", True) and found.get("image_mean") is not None:
        mean, std = (_numbers(found.get(key), where) for key in ("image_mean", "image_std"))
    if scale <= 0 or len(mean) != len(std):
        raise DataError(f"{where}: these are no normalisation: {scale=}, {mean=}, {std=}")
    means = [(one + offset) / scale for one in mean]
    stds = [one / scale for one in std]
    if all(abs(one) < 1e-9 for one in means) and all(abs(one - 1) < 1e-9 for one in stds):
        return None
    return means, stds


def image_size(found: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of what comes out of the processor, where it says so."""
    crop = found.get("crop_size") if found.get("do_center_crop") else None
    size = crop if crop is not None else found.get("size")
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
        return int(size["height"]), int(size["width"])
    if isinstance(size, Mapping) and isinstance(size.get("shortest_edge"), int):
        return size["shortest_edge"], size["shortest_edge"]
    return None


def described(
    shape: Sequence[int], bounds: Sequence[Any], normalization: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The processor's file for what ``model.json`` says of the input; None where no processor does the like."""
    if len(shape) != 3 or not all(isinstance(one, int | float) for one in bounds) or bounds[0] != 0:
        return None
    channels, height, width = shape
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": bounds[1] / _PIXELS,
        "do_normalize": normalization is not None,
        "image_mean": normalization["mean"] if normalization is not None else [0.0] * channels,
        "image_std": normalization["std"] if normalization is not None else [1.0] * channels,
    }


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{where}: expected a number, got {value!r}")
    return float(value)


def _numbers(value: Any, where: str) -> list[float]:
    return [_number(one, where) for one in (value if isinstance(value, list) else [value])]
