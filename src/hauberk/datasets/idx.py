"""MNIST and its look-alikes: gzipped IDX files from a local folder, the user's cache, or their public home.

What is pinned is the SHA-256 of the unzipped bytes, so that any gzip of the right content is accepted and
nothing else is.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.datasets.dataset import Dataset

_TIMEOUT_S = 30


@dataclass(frozen=True)
class IdxFile:
    """One file: its name, and size and digest of what is inside."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class IdxSource:
    """A data set of four files and where it lives."""

    name: str
    folder: str
    mirrors: tuple[str, ...]
    files: dict[str, tuple[IdxFile, IdxFile]]  # split -> (images, labels)
    classes: tuple[str, ...]


MNIST = IdxSource(
    name="mnist",
    folder="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files={
        "train": (
            IdxFile(
                "train-images-idx3-ubyte.gz",
                47_040_016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            IdxFile(
                "train-labels-idx1-ubyte.gz",
                60_008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        "test": (
            IdxFile(
                "t10k-images-idx3-ubyte.gz",
                7_840_016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            IdxFile(
                "t10k-labels-idx1-ubyte.gz",
                10_008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    },
    classes=tuple("0123456789"),
)

FASHION = IdxSource(
    name="fashion",
    folder="fashion",
    mirrors=("https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    files={
        "train": (
            IdxFile("train-images-idx3-ubyte.gz", 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            IdxFile("train-labels-idx1-ubyte.gz", 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ),
        "test": (
            IdxFile("t10k-images-idx3-ubyte.gz", 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            IdxFile("t10k-labels-idx1-ubyte.gz", 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
    },
    classes=(
        "T-shirt/top", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
)  # fmt: skip


def cache_folder() -> Path:
    """``$HAUBERK_CACHE``, else the user's cache folder."""
    explicit = os.environ.get("HAUBERK_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hauberk"


def _unzip(data: bytes, expected: IdxFile, where: str, *, hint: str) -> bytes:
    """The verified content; never inflates more than the expected size, whatever the file claims."""
    try:
        content = zlib.decompressobj(wbits=31).decompress(data, expected.size_bytes + 1)
    except zlib.error as error:
        raise IntegrityError(f"{where} is not a whole gzip file ({error})", hint=hint) from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected.sha256:
        raise IntegrityError(
            f"{where} does not hold the expected data: SHA-256 of the content is {found[:16]}…, "
            f"expected {expected.sha256[:16]}…",
            hint=hint,
        )
    return content


def _download(source: IdxSource, file: IdxFile) -> tuple[bytes, bytes]:
    """Gzip bytes and verified content from the first mirror that has the right ones.

    Raises:
        IntegrityError: a mirror answered, and none had the published data.
        EnvironmentFailure: no mirror answered.
    """
    failures = []
    wrong: IntegrityError | None = None
    for mirror in source.mirrors:
        try:
            with urllib.request.urlopen(mirror + file.name, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (pinned)
                data = bytes(answer.read(file.size_bytes + 4096))
            return data, _unzip(
                data, file, f"{file.name} from {mirror}", hint="nothing was kept; try again later"
            )
        except IntegrityError as error:
            wrong = error
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            failures.append(f"{mirror}: {getattr(error, 'reason', error)}")
    if wrong is not None:
        raise wrong
    raise EnvironmentFailure(
        f"could not download {source.name} ({'; '.join(failures)})",
        hint=f"set HAUBERK_DATA to a folder that holds {source.folder}/{file.name}, "
        "or use the data set 'digits'",
    )


def _content(source: IdxSource, file: IdxFile) -> bytes:
    data_folder = os.environ.get("HAUBERK_DATA")
    cached = cache_folder() / source.folder / file.name
    places = [Path(data_folder) / source.folder / file.name] if data_folder else []
    for place in (*places, cached):
        if place.exists():
            return _unzip(read_bytes(place, what="data file"), file, str(place), hint="delete it and try again")
    data, content = _download(source, file)
    write_atomic(cached, data)
    return content


def _parse(content: bytes, where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """IDX: two zero bytes, type 8 (unsigned byte), number of dimensions, sizes as big-endian int32, data."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{where} is not an IDX file of bytes")
    rank = content[3]
    try:
        sizes = np.frombuffer(content, ">i4", rank, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)
    except ValueError as error:
        raise DataError(f"{where} does not hold what its IDX header announces ({error})") from error


def load(source: IdxSource, split: str) -> Dataset:
    """60,000 or 10,000 images ``(n, 1, 28, 28)`` in [0, 1].

    Raises:
        IntegrityError: a local or downloaded file is not the published one.
        EnvironmentFailure: the data is not here and cannot be downloaded.
    """
    image_file, label_file = source.files[split]
    images = torch.from_numpy(_parse(_content(source, image_file), image_file.name).astype(np.float32))
    labels = torch.from_numpy(_parse(_content(source, label_file), label_file.name).astype(np.int64))
    return Dataset(f"{source.name}/{split}", images.div_(255).unsqueeze(1), labels, source.classes)
