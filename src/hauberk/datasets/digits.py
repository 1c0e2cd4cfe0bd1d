"""The embedded default: scikit-learn's 1,797 handwritten digits, 8x8, 17 grey levels. No download."""

from __future__ import annotations

import torch

from hauberk.datasets.dataset import Dataset

_LEVELS = 16.0  # the data counts ink from 0 to 16
_EVERY = 5  # each fifth image of a class is for testing


def load(split: str) -> Dataset:
    """1,442 training or 355 test images ``(n, 1, 8, 8)`` in [0, 1].

    The split takes every fifth image of each class, in the order of the file: the same for everybody, with
    writers on both sides.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images / _LEVELS).to(torch.float32).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(10):
        test[(labels == label).nonzero().squeeze(1)[_EVERY - 1 :: _EVERY]] = True
    chosen = test if split == "test" else ~test
    return Dataset(f"digits/{split}", images[chosen], labels[chosen], tuple("0123456789"))
