"""Learning from sealed data gives the very batches that plain data would, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from hauberk.core.errors import DataError, IntegrityError, UnknownName
from hauberk.crypto import age
from hauberk.privacy.stored import SealedDataset, learning, seal

ME = age.generate("x25519")
COUNT = 500


def samples(count: int = COUNT) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(7)
    return {
        "images": torch.randint(0, 256, (count, 1, 20, 20), generator=chance, dtype=torch.uint8),
        "labels": torch.arange(count) % 3,
    }


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder with two splits."""
    (tmp_path / "in").mkdir()
    names = {"classes": json.dumps(["猫", "dog", "fox"])}
    save_file(samples(), tmp_path / "in" / "train.safetensors", metadata=names)
    save_file(samples(60), tmp_path / "in" / "test.safetensors", metadata=names)
    (tmp_path / "in" / "readme.txt").write_text("two splits")
    seal([tmp_path / "in"], tmp_path / "data.sealed", [ME.recipient])
    return tmp_path / "data.sealed"


@pytest.mark.parametrize("batch_size", [1, 64, 100, COUNT, 10 * COUNT])
@pytest.mark.parametrize("pool", [2000, 100_000, 1 << 24])
def test_batches_in_order_are_the_data(
    batch_size: int, pool: int, sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "_TASK_BYTES", pool)
    with SealedDataset(sealed, [ME]) as data:
        found = list(data.batches(batch_size))
    assert {len(labels) for _images, labels in found[:-1]} <= {batch_size}
    whole = samples()
    assert torch.equal(torch.cat([images for images, _ in found]), whole["images"].float() / 255)
    assert torch.equal(torch.cat([labels for _, labels in found]), whole["labels"])


def test_shuffled_batches_hold_every_sample_once(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "POOL_BYTES", 40_000)
    monkeypatch.setattr(learning, "_BLOCK_BYTES", 4000)
    with SealedDataset(sealed, [ME]) as data:
        first, again = (list(data.batches(64, seed=1)) for _ in range(2))
        other = list(data.batches(64, seed=2))
    whole = samples()
    plain = {bytes((image * 255).round().to(torch.uint8).numpy()): int(label) for image, label in
             zip(whole["images"].float() / 255, whole["labels"], strict=True)}  # fmt: skip
    for run in (first, other):
        pairs = [
            (bytes((image * 255).round().to(torch.uint8).numpy()), int(label))
            for images, labels in run
            for image, label in zip(images, labels, strict=True)
        ]
        assert len(pairs) == COUNT
        assert dict(pairs) == plain
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    assert not torch.equal(first[0][1], samples()["labels"][:64])


def test_a_whole_split_is_a_dataset(sealed: Path) -> None:
    with SealedDataset(sealed, [ME], split="test") as data:
        found = data.load()
    assert (len(found), found.classes, found.name) == (60, ("猫", "dog", "fox"), "data.sealed/test")
    with pytest.raises(UnknownName, match="did you mean 'test'"):
        SealedDataset(sealed, [ME], split="tset")


def test_a_single_file_with_floats_and_no_classes(tmp_path: Path) -> None:
    floats = {"images": torch.rand(5, 1, 2, 2), "labels": torch.tensor([0, 4, 1, 0, 0], dtype=torch.int32)}
    (tmp_path / "in").write_bytes(save(floats))
    seal([tmp_path / "in"], tmp_path / "file", [ME.recipient])
    with SealedDataset(tmp_path / "file", [ME]) as data:
        assert torch.equal(data.load().images, floats["images"])
        assert data.classes == ("0", "1", "2", "3", "4")


def test_a_chunk_that_was_changed_is_noticed_when_it_is_reached(sealed: Path) -> None:
    whole = bytearray(sealed.read_bytes())
    whole[150_000] ^= 1
    sealed.write_bytes(whole)
    with SealedDataset(sealed, [ME]) as data, pytest.raises(IntegrityError, match="data"):
        list(data.batches(64))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a safetensors"),
        (b"\xff" * 100, "not a safetensors"),
        (save({"images": torch.zeros(2, 3)}), "needs tensors"),
        (save({"images": torch.zeros(2, 3), "labels": torch.zeros(3, dtype=torch.int64)}), "fit together"),
        (save({"images": torch.zeros(2, 3), "labels": torch.zeros(2)}), "labels must be"),
        (save({"images": torch.zeros(0, 3), "labels": torch.zeros(0, dtype=torch.int64)}), "empty"),
        (save({"images": torch.zeros(2, 3), "labels": torch.zeros(2, dtype=torch.int64)})[:-8], "fit together"),
        (save({"images": torch.zeros(2, 3), "labels": torch.zeros(2, dtype=torch.int64)},
              {"classes": "x"}), "JSON"),
    ],
)  # fmt: skip
def test_what_holds_no_images_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(content)
    seal([tmp_path / "in"], tmp_path / "file", [ME.recipient])
    with pytest.raises(DataError, match=message):
        SealedDataset(tmp_path / "file", [ME])
