"""Learning from sealed data: images and labels are decrypted batch by batch and never stand on disk.

The data are safetensors (``images``, ``labels``), sealed as they are or in a folder with one file for each
split. Samples of such a file lie one behind the other, so a batch needs only the chunks that it lies in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, check_known
from hauberk.core.settings import require_count
from hauberk.crypto import age
from hauberk.datasets import Dataset
from hauberk.privacy.stored.folder import entries
from hauberk.privacy.stored.opening import holds_folder
from hauberk.privacy.stored.reading import SealedReader

POOL_BYTES = 16 << 20
"""How much is decrypted at a time, and shuffled among itself."""

_BLOCK_BYTES = 1 << 20  # of neighbours that stay in one pool
_LARGEST_HEADER = 1 << 20
_SUFFIX = ".safetensors"
_Kinds = dict[str, np.dtype[Any]]
_IMAGES: _Kinds = {"U8": np.dtype("u1"), "F32": np.dtype("<f4")}
_LABELS: _Kinds = {"U8": np.dtype("u1"), "I32": np.dtype("<i4"), "I64": np.dtype("<i8")}


@dataclass(frozen=True)
class _Array:
    """Where an array lies in the sealed text."""

    at: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape[1:])


class SealedDataset:
    """Labelled images in a sealed file.

    Args:
        path: a sealed safetensors file, or a sealed folder with ``train.safetensors`` and others. ``images``
            are U8 (divided by 255) or F32 ``(n, channels, height, width)`` in [0, 1], ``labels`` U8, I32 or I64
            ``(n,)``. The metadata entry ``classes`` may be a JSON list of names.
        identities: of those who read.
        split: which file of a folder, by its name without ``.safetensors``.

    Raises:
        DataError: no such file or split, or a file that does not hold images and labels.
        NoIdentityMatched, IntegrityError: as ``SealedReader``.

    Limits: what has been decrypted is in memory, which the machine may swap out. Nothing here writes it
    to disk.
    """

    def __init__(self, path: str | Path, identities: Sequence[age.Identity], *, split: str = "train") -> None:
        self._reader = SealedReader(path, identities)
        try:
            at, size = self._part(split)
            self.name = f"{Path(path).name}/{split}"
            self._images, self._labels, self.classes = self._arrays(at, size)
        except BaseException:
            self._reader.close()
            raise

    def __len__(self) -> int:
        return self._labels.shape[0]

    def batches(self, batch_size: int, *, seed: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Each sample once: images float32 ``(b, channels, height, width)``, labels int64 ``(b,)``.

        Args:
            seed: None for the file's order. Else blocks of about a megabyte come in random order, and samples
                are shuffled within pools of about sixteen: not every order can come.

        Raises:
            IntegrityError: a chunk that does not verify, when it is reached.

        Cost: memory for two pools, of which one is decrypted on another thread while the other is used.

        Limits: private training needs independent draws (Poisson sampling): use ``load``.
        """
        require_count("batch_size", batch_size, "SealedDataset.batches")
        chance = None if seed is None else np.random.default_rng(seed)
        left: tuple[Any, Any] | None = None
        with ThreadPoolExecutor(1) as worker:
            pools = self._pools(chance)
            ahead = worker.submit(self._read, pools[0])
            for place in range(len(pools)):
                images, labels = ahead.result()
                if place + 1 < len(pools):
                    ahead = worker.submit(self._read, pools[place + 1])
                if left is not None:
                    images, labels = np.concatenate([left[0], images]), np.concatenate([left[1], labels])
                order = None if chance is None else chance.permutation(len(labels))
                whole = len(labels) // batch_size * batch_size if place + 1 < len(pools) else len(labels)
                for start in range(0, whole, batch_size):
                    chosen = slice(start, start + batch_size) if order is None else order[start:][:batch_size]
                    yield _as_images(images[chosen]), torch.from_numpy(labels[chosen].astype(np.int64))
                rest = slice(whole, None) if order is None else order[whole:]
                left = (images[rest], labels[rest]) if whole < len(labels) else None

    def load(self) -> Dataset:
        """All samples in memory, as training takes them.

        Raises:
            DataError: values out of bounds, NaN, labels out of range.
            IntegrityError: a chunk that does not verify.
        """
        images, labels = self._read([(0, len(self))])
        return Dataset(self.name, _as_images(images), torch.from_numpy(labels.astype(np.int64)), self.classes)

    def _part(self, split: str) -> tuple[int, int]:
        """Where the split's safetensors lie."""
        if not holds_folder(self._reader):
            check_known([split], ["train"], what="split", where=f"{self._reader.path}, a single file")
            return 0, self._reader.size
        with self._reader.distrusted():
            found = {
                one.name.removesuffix(_SUFFIX): (one.at, one.size)
                for one in entries(self._reader.stream())
                if one.name.endswith(_SUFFIX) and "/" not in one.name
            }
        if not found:
            raise DataError(f"{self._reader.path} holds no safetensors files")
        check_known([split], found, what="split", where=str(self._reader.path))
        return found[split]

    def _arrays(self, at: int, size: int) -> tuple[_Array, _Array, tuple[str, ...]]:
        where = self.name
        count = int.from_bytes(self._reader.read(at, min(8, size)), "little")
        if size < 8 or count > min(size - 8, _LARGEST_HEADER):
            raise DataError(f"{where} is not a safetensors file")
        header = parse_json(self._reader.read(at + 8, count), where=where)
        if not isinstance(header, dict) or not {"images", "labels"} <= header.keys():
            raise DataError(f"{where} needs tensors 'images' and 'labels'")
        start, room = at + 8 + count, size - 8 - count
        images = _array(header["images"], _IMAGES, start, room, f"{where}: images")
        labels = _array(header["labels"], _LABELS, start, room, f"{where}: labels")
        if len(images.shape) < 2 or len(labels.shape) != 1 or images.shape[0] != labels.shape[0]:
            raise DataError(f"{where}: images {images.shape} and labels {labels.shape} do not fit together")
        if 0 in images.shape:
            raise DataError(f"{where} is empty")
        return images, labels, self._classes(header, labels)

    def _classes(self, header: dict[str, Any], labels: _Array) -> tuple[str, ...]:
        metadata = header.get("__metadata__")
        text = metadata.get("classes") if isinstance(metadata, dict) else None
        if text is None:  # as many as the highest label tells
            found = np.empty(labels.shape, labels.dtype)
            self._fill(labels, 0, found)
            return tuple(str(one) for one in range(int(found.max()) + 1))
        names = parse_json(str(text).encode(), where=f"{self.name}: classes")
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise DataError(f"{self.name}: the metadata 'classes' is no JSON list of names")
        return tuple(names)

    def _pools(self, chance: np.random.Generator | None) -> list[list[tuple[int, int]]]:
        """Ranges of samples that are decrypted together."""
        count = max(1, _BLOCK_BYTES // self._images.row_bytes)
        blocks = [(start, min(start + count, len(self))) for start in range(0, len(self), count)]
        if chance is not None:
            blocks = [blocks[place] for place in chance.permutation(len(blocks))]
        together = max(1, POOL_BYTES // (count * self._images.row_bytes))
        return [blocks[start : start + together] for start in range(0, len(blocks), together)]

    def _read(self, ranges: list[tuple[int, int]]) -> tuple[Any, Any]:
        total = sum(end - start for start, end in ranges)
        images = np.empty((total, *self._images.shape[1:]), self._images.dtype)
        labels = np.empty((total,), self._labels.dtype)
        done = 0
        for start, end in ranges:
            self._fill(self._images, start, images[done : done + end - start])
            self._fill(self._labels, start, labels[done : done + end - start])
            done += end - start
        return images, labels

    def _fill(self, array: _Array, start: int, out: Any) -> None:
        self._reader.read_into(array.at + start * array.row_bytes, memoryview(out).cast("B"))

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _array(facts: Any, dtypes: _Kinds, start: int, room: int, where: str) -> _Array:
    """One tensor of a safetensors header; its offsets count from ``start`` and end within ``room``."""
    try:
        dtype, shape, (begin, end) = facts["dtype"], tuple(facts["shape"]), facts["data_offsets"]
        whole = all(type(one) is int and one >= 0 for one in (*shape, begin, end))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{where}: no dtype, shape and data_offsets") from None
    if dtype not in dtypes:
        raise DataError(f"{where} must be {' or '.join(dtypes)}, got {json.dumps(dtype)}")
    if not whole or not begin <= end <= room or end - begin != math.prod(shape) * dtypes[dtype].itemsize:
        raise DataError(f"{where}: shape and data_offsets do not fit together")
    return _Array(start + begin, dtypes[dtype], shape)


def _as_images(values: Any) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(values))
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images
