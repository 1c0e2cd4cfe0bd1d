"""Learning data with pinned digests: ``load("digits")`` needs nothing, ``load("mnist")`` finds its files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hauberk.core.errors import check_known
from hauberk.datasets import cifar, digits, idx
from hauberk.datasets.dataset import Dataset

_LOADERS: dict[str, Callable[[str], Dataset]] = {
    "digits": digits.load,
    "mnist": partial(idx.load, idx.MNIST),
    "fashion": partial(idx.load, idx.FASHION),
    "cifar10-jpeg": partial(cifar.load, cifar.CIFAR10_JPEG),
}

NAMES = tuple(_LOADERS)


def load(name: str, *, split: str = "train") -> Dataset:
    """A data set by name: ``digits`` (embedded), ``mnist``, ``fashion`` or ``cifar10-jpeg``.

    Args:
        split: ``train`` or ``test``.

    Returns:
        ``.images`` float32 ``(n, channels, height, width)`` within ``.bounds``, ``.labels`` int64 ``(n,)``.

    Raises:
        UnknownName: no such data set or split.
        EnvironmentFailure: it is not on this machine and cannot be downloaded.
        IntegrityError: its bytes are not the published ones.
    """
    check_known([name], _LOADERS, what="data set", where="datasets.load")
    check_known([split], ("train", "test"), what="split", where="datasets.load")
    return _LOADERS[name](split)


__all__ = ["NAMES", "Dataset", "load"]
