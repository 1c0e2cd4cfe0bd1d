"""Labelled images in memory, with the digest by which evidence names them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split.

    Args:
        name: such as ``mnist/train``.
        images: float32 ``(n, channels, height, width)`` within ``bounds``.
        labels: int64 ``(n,)`` in ``[0, len(classes))``.
        classes: what each label is called.
        bounds: lowest and highest valid value.

    Raises:
        DataError: empty, wrong shapes or dtypes, NaN, values out of bounds, labels out of range.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    bounds: tuple[float, float] = field(default=(0.0, 1.0))

    def __post_init__(self) -> None:
        for part, given in (("images", self.images), ("labels", self.labels)):
            if not isinstance(given, Tensor):
                raise DataError(
                    f"dataset {self.name}: {part} must be a torch.Tensor, got {type(given).__name__}"
                )
        if self.images.ndim == 0 or len(self.images) == 0:
            raise DataError(f"dataset {self.name} is empty")
        if self.images.dtype != torch.float32 or self.images.ndim < 2:
            raise DataError(
                f"dataset {self.name}: images must be float32 (n, ...), got {self.images.dtype} "
                f"{tuple(self.images.shape)}"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"dataset {self.name}: labels must be int64 ({len(self.images)},), got {self.labels.dtype} "
                f"{tuple(self.labels.shape)}"
            )
        low, high = self.bounds
        if not bool(((self.images >= low) & (self.images <= high)).all()):  # false for NaN too
            raise DataError(f"dataset {self.name}: images hold NaN or values outside [{low:g}, {high:g}]")
        if int(self.labels.min()) < 0 or int(self.labels.max()) >= len(self.classes):
            raise DataError(
                f"dataset {self.name}: labels must lie in [0, {len(self.classes)}), found "
                f"{int(self.labels.min())}..{int(self.labels.max())}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        return f"Dataset({self.name!r}, {len(self)} images {shape}, {len(self.classes)} classes)"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.images.shape[1:])

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over shape, image bytes and label bytes (little endian)."""
        state = hashlib.sha256(f"{tuple(self.images.shape)}".encode())
        state.update(self.images.contiguous().numpy().astype("<f4").tobytes())
        state.update(self.labels.contiguous().numpy().astype("<i8").tobytes())
        return f"sha256:{state.hexdigest()}"

    def describe(self) -> dict[str, object]:
        """JSON for evidence."""
        return {"name": self.name, "samples": len(self), "digest": self.digest}

    def select(self, indices: Tensor, *, note: str) -> Dataset:
        """Some samples; ``note`` becomes part of the name."""
        return replace(
            self, name=f"{self.name}[{note}]", images=self.images[indices], labels=self.labels[indices]
        )

    def head(self, count: int | None) -> Dataset:
        """The first ``count`` samples (all when None).

        Raises:
            ConfigError: count below 1 or more than there are.
        """
        if count is None or count == len(self):
            return self
        if not 1 <= count <= len(self):
            raise ConfigError(f"{self.name} has {len(self)} samples, cannot take {count}")
        return self.select(torch.arange(count), note=f"first {count}")

    def split(self, held_out: int) -> tuple[Dataset, Dataset]:
        """All but the last ``held_out`` samples, and those: a split that needs no seed."""
        if not 1 <= held_out < len(self):
            raise ConfigError(f"{self.name} has {len(self)} samples, cannot hold out {held_out}")
        edge = len(self) - held_out
        return (
            self.select(torch.arange(edge), note=f"first {edge}"),
            self.select(torch.arange(edge, len(self)), note=f"last {held_out}"),
        )
