"""Learning from sealed data: images and labels are decrypted batch by batch and never stand on disk.

The data are safetensors (``images``, ``labels``), sealed as they are or in a folder with one file for each
split. Samples of such a file lie one behind the other, so a batch needs only the chunks that it lies in.
"""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
_TASK_BYTES = 4 << 20  # of batches that one thread makes at a time
_THREADS = 2 if (os.cpu_count() or 1) > 2 else 1  # one core is for whoever learns
_AHEAD = 3  # tasks
_LARGEST_HEADER = 1 << 20
_SUFFIX = ".safetensors"
_Samples = tuple[Tensor, Tensor]
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

        Cost: memory for four pools, of which three are decrypted on other threads while one is used.

        Limits: private training needs independent draws (Poisson sampling): use ``load``.
        """
        require_count("batch_size", batch_size, "SealedDataset.batches")
        if seed is None:
            yield from self._in_order(batch_size)
        else:
            yield from self._shuffled(batch_size, np.random.default_rng(seed))

    def load(self) -> Dataset:
        """All samples in memory, as training takes them.

        Raises:
            DataError: values out of bounds, NaN, labels out of range.
            IntegrityError: a chunk that does not verify.
        """
        images = torch.empty((len(self), *self._images.shape[1:]), dtype=torch.float32)
        labels = torch.empty(len(self), dtype=torch.int64)
        done = 0
        for some, own in self._decrypted([[step] for step in self._blocks()]):
            _as_images(some, out=images[done : done + len(own)])
            labels[done : done + len(own)] = own
            done += len(own)
        return Dataset(self.name, images, labels, self.classes)

    def _in_order(self, batch_size: int) -> Iterator[_Samples]:
        together = batch_size * max(1, _TASK_BYTES // (batch_size * self._images.row_bytes))
        for images, labels in self._decrypted([[step] for step in _steps(len(self), together)]):
            for start, end in _steps(len(labels), batch_size):
                yield _as_images(images[start:end]), labels[start:end].to(torch.int64, copy=True)

    def _shuffled(self, batch_size: int, chance: np.random.Generator) -> Iterator[_Samples]:
        pools = self._pools(chance)
        left = self._room(0)
        for place, (images, labels) in enumerate(self._decrypted(pools), 1):
            if len(left[1]):
                images, labels = torch.cat([left[0], images]), torch.cat([left[1], labels])
            whole = len(labels) if place == len(pools) else len(labels) // batch_size * batch_size
            order = torch.from_numpy(chance.permutation(len(labels)))
            for start, end in _steps(whole, batch_size):
                chosen = order[start:end]
                yield _as_images(images.index_select(0, chosen)), labels.index_select(0, chosen).to(torch.int64)
            left = (images.index_select(0, order[whole:]), labels.index_select(0, order[whole:]))

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
            found = torch.from_numpy(np.empty(labels.shape, labels.dtype))
            self._fill(labels, 0, found)
            return tuple(str(one) for one in range(int(found.max()) + 1))
        names = parse_json(str(text).encode(), where=f"{self.name}: classes")
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise DataError(f"{self.name}: the metadata 'classes' is no JSON list of names")
        return tuple(names)

    def _blocks(self) -> list[tuple[int, int]]:
        return _steps(len(self), max(1, _BLOCK_BYTES // self._images.row_bytes))

    def _pools(self, chance: np.random.Generator) -> list[list[tuple[int, int]]]:
        """Ranges of samples that are shuffled among themselves: blocks from everywhere."""
        blocks = self._blocks()
        together = max(1, POOL_BYTES // (blocks[0][1] * self._images.row_bytes))
        blocks = [blocks[place] for place in chance.permutation(len(blocks))]
        return [blocks[start:end] for start, end in _steps(len(blocks), together)]

    def _decrypted(self, pools: list[list[tuple[int, int]]]) -> Iterator[_Samples]:
        """The pools in order, decrypted ahead on other threads, in memory that is used again: it is faster."""
        most = max(sum(end - start for start, end in pool) for pool in pools)
        rooms = [self._room(most) for _ in range(_AHEAD + 1)]
        waiting: deque[Future[_Samples]] = deque()
        with ThreadPoolExecutor(_THREADS) as workers:
            for place, pool in enumerate(pools):
                if len(waiting) == _AHEAD:
                    yield waiting.popleft().result()
                waiting.append(workers.submit(self._read, pool, rooms[place % len(rooms)]))
            while waiting:
                yield waiting.popleft().result()

    def _room(self, count: int) -> _Samples:
        images = np.empty((count, *self._images.shape[1:]), self._images.dtype)
        return torch.from_numpy(images), torch.from_numpy(np.empty((count,), self._labels.dtype))

    def _read(self, ranges: list[tuple[int, int]], room: _Samples) -> _Samples:
        """Decrypt into memory; what comes back lies in it."""
        done = 0
        for start, end in ranges:
            self._fill(self._images, start, room[0][done : done + end - start])
            self._fill(self._labels, start, room[1][done : done + end - start])
            done += end - start
        return room[0][:done], room[1][:done]

    def _fill(self, array: _Array, start: int, out: Tensor) -> None:
        room: Any = out.numpy()
        self._reader.read_into(array.at + start * array.row_bytes, memoryview(room).cast("B"))

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


def _as_images(values: Tensor, out: Tensor | None = None) -> Tensor:
    """In [0, 1], in memory of its own."""
    if values.dtype == torch.uint8:
        return torch.div(values, 255, out=out)
    return values.clone() if out is None else out.copy_(values)


def _steps(end: int, count: int) -> list[tuple[int, int]]:
    """Ranges of ``count`` up to ``end``; the last may be shorter."""
    return [(at, min(at + count, end)) for at in range(0, end, count)]
