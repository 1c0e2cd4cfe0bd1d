"""CIFAR-10 as JPEG: found in an archive, believed by the digest of its files."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hauberk.core.errors import EnvironmentFailure, IntegrityError
from hauberk.datasets import cifar

ASKED_FOR = os.environ.get("HAUBERK_DATA")  # before the fixtures of this folder take it away


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), shade, dtype=np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


FILES = {f"train/{kind}/{number:04d}.jpg": picture(40 * number + 10 * place)
         for place, kind in enumerate(("cat", "dog")) for number in range(4)}  # fmt: skip


def source() -> cifar.JpegSource:
    whole = hashlib.sha256()
    for name, data in sorted(FILES.items()):
        whole.update(hashlib.sha256(name.encode() + b"\0" + data).digest())
    return cifar.JpegSource("tiny", ("cat", "dog"), {"train": whole.hexdigest()})


def publish(folder: Path, files: dict[str, bytes], prefix: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / cifar.ARCHIVE, "w") as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)


@pytest.mark.parametrize("prefix", ["", "some-folder/"])
def test_files_become_images_with_their_labels(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, dict(reversed(FILES.items())), prefix)
    monkeypatch.setenv("HAUBERK_DATA", str(tmp_path))
    data = cifar.load(source(), "train")
    assert data.images.shape == (8, 3, 32, 32)
    shades = (data.images.mean(dim=(1, 2, 3)) * 255).round().to(torch.int64)
    for shade, label in zip(shades.tolist(), data.labels.tolist(), strict=True):
        assert abs(shade % 40 - 10 * label) <= 2  # the shade says which class it was painted for
    assert sorted(data.labels.tolist()) != data.labels.tolist()  # not class by class


def test_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAUBERK_DATA", str(tmp_path))
    publish(tmp_path, FILES | {"train/cat/0000.jpg": picture(200)})
    with pytest.raises(IntegrityError, match="does not hold the expected train files"):
        cifar.load(source(), "train")
    (tmp_path / cifar.ARCHIVE).write_bytes(b"not a zip")
    with pytest.raises(IntegrityError, match="not a whole zip archive"):
        cifar.load(source(), "train")


def test_where_to_get_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAUBERK_DATA", str(tmp_path))
    with pytest.raises(EnvironmentFailure, match=r"no cifar10-jpeg\.zip in") as caught:
        cifar.load(source(), "train")
    assert "CIFAR-10-images" in str(caught.value.hint)


@pytest.mark.slow
@pytest.mark.skipif(not ASKED_FOR or not (Path(ASKED_FOR) / cifar.ARCHIVE).exists(), reason="no archive given")
def test_the_real_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAUBERK_DATA", str(ASKED_FOR))
    data = cifar.load(cifar.CIFAR10_JPEG, "test")
    assert data.images.shape == (10_000, 3, 32, 32)
    assert torch.bincount(data.labels).tolist() == [1000] * 10
