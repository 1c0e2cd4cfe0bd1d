"""The embedded digits, and what any data set must be."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from hauberk import datasets
from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.datasets import Dataset


@pytest.fixture(scope="module")
def halves() -> tuple[Dataset, Dataset]:
    return datasets.load("digits"), datasets.load("digits", split="test")


class TestDigits:
    def test_sizes_types_and_names(self, halves: tuple[Dataset, Dataset]) -> None:
        for part, size, name in zip(halves, (1442, 355), ("digits/train", "digits/test"), strict=True):
            assert (len(part), part.name) == (size, name)
            assert part.images.shape == (size, 1, 8, 8)
            assert part.images.dtype == torch.float32
            assert part.labels.dtype == torch.int64
            assert part.classes == tuple("0123456789")
            assert part.bounds == (0.0, 1.0)
            assert part.input_shape == (1, 8, 8)

    def test_values_are_seventeen_grey_levels_within_bounds(self, halves: tuple[Dataset, Dataset]) -> None:
        levels = torch.cat([part.images.flatten() for part in halves]).unique()
        assert torch.equal(levels, torch.arange(17) / 16)

    def test_both_halves_together_are_the_whole_published_data(self, halves: tuple[Dataset, Dataset]) -> None:
        """Disjoint and complete: the same rows with the same labels, each as often as published."""
        source = load_digits()

        def rows(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> list[tuple[bytes, int]]:
            flat = images.reshape(len(images), -1).astype("u1")
            return sorted((one.tobytes(), int(label)) for one, label in zip(flat, labels, strict=True))

        ours = np.concatenate([(part.images * 16).numpy() for part in halves])
        labels = np.concatenate([part.labels.numpy() for part in halves])
        assert rows(ours, labels) == rows(source.images, source.target)

    def test_no_picture_stands_on_both_sides(self, halves: tuple[Dataset, Dataset]) -> None:
        train, test = ({one.numpy().tobytes() for one in part.images} for part in halves)
        assert not train & test

    def test_every_class_gives_a_fifth_to_the_test(self, halves: tuple[Dataset, Dataset]) -> None:
        train, test = (part.labels.bincount(minlength=10) for part in halves)
        assert torch.equal(test, (train + test) // 5)

    def test_is_the_same_every_time(self, halves: tuple[Dataset, Dataset]) -> None:
        assert datasets.load("digits").digest == halves[0].digest
        assert halves[0].digest != halves[1].digest


class TestNames:
    @pytest.mark.parametrize(("name", "near"), [("digts", "digits"), ("minst", "mnist"), ("fashon", "fashion")])
    def test_a_misspelt_data_set_names_the_nearest(self, name: str, near: str) -> None:
        with pytest.raises(UnknownName, match=f"did you mean '{near}'"):
            datasets.load(name)

    def test_a_misspelt_split_names_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'train'"):
            datasets.load("digits", split="trian")


def toy(**changes: Any) -> Dataset:
    settings = {
        "name": "toy",
        "images": torch.linspace(0, 1, 20).view(5, 1, 2, 2),
        "labels": torch.tensor([0, 1, 2, 0, 1]),
        "classes": ("a", "b", "c"),
    }
    return Dataset(**{**settings, **changes})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"images": torch.zeros(0, 1, 2, 2), "labels": torch.zeros(0, dtype=torch.int64)}, "empty"),
    ({"images": torch.tensor(0.5)}, "empty"),
    ({"images": torch.zeros(5)}, "must be float32"),
    ({"images": torch.zeros(5, 1, 2, 2, dtype=torch.float64)}, "must be float32"),
    ({"images": torch.zeros(5, 1, 2, 2, dtype=torch.uint8)}, "must be float32"),
    ({"images": np.zeros((5, 1, 2, 2), np.float32)}, "must be a torch.Tensor, got ndarray"),
    ({"images": [[0.5]]}, "must be a torch.Tensor, got list"),
    ({"labels": [0, 1, 2, 0, 1]}, "must be a torch.Tensor, got list"),
    ({"labels": torch.zeros(5)}, "labels must be int64"),
    ({"labels": torch.zeros(5, dtype=torch.int32)}, "labels must be int64"),
    ({"labels": torch.zeros(4, dtype=torch.int64)}, "labels must be int64"),
    ({"labels": torch.zeros(5, 1, dtype=torch.int64)}, "labels must be int64"),
    ({"labels": torch.tensor([0, 1, 2, 0, 3])}, "labels must lie in"),
    ({"labels": torch.tensor([0, 1, 2, 0, -1])}, "labels must lie in"),
    ({"images": torch.full((5, 1, 2, 2), float("nan"))}, "NaN"),
    ({"images": torch.full((5, 1, 2, 2), float("inf"))}, "outside"),
    ({"images": torch.full((5, 1, 2, 2), 255.0)}, "outside"),
    ({"images": torch.full((5, 1, 2, 2), -0.01)}, "outside"),
]


class TestDataset:
    @pytest.mark.parametrize(("changes", "why"), WRONG)
    def test_misuse_is_refused(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(DataError, match=why):
            toy(**changes)

    def test_other_bounds_are_respected(self) -> None:
        assert len(toy(images=torch.full((5, 3), 255.0), bounds=(0.0, 255.0))) == 5

    def test_the_digest_is_the_one_anybody_can_compute(self) -> None:
        one = toy()
        data = b"(5, 1, 2, 2)" + one.images.numpy().tobytes() + one.labels.numpy().tobytes()
        assert one.digest == "sha256:" + hashlib.sha256(data).hexdigest()

    def test_the_digest_sees_every_pixel_label_and_the_shape_but_not_the_layout(self) -> None:
        one = toy()
        images, labels = one.images.clone(), one.labels.clone()
        images[4, 0, 1, 1] = 0.5
        labels[4] = 2
        others = [toy(images=images), toy(labels=labels), toy(images=one.images.view(5, 4))]
        assert len({one.digest, *(other.digest for other in others)}) == 4
        strided = toy(images=one.images.transpose(2, 3).contiguous().transpose(2, 3))
        assert not strided.images.is_contiguous()
        assert strided.digest == one.digest

    @pytest.mark.parametrize("count", [0, -1, 6])
    def test_an_impossible_head_is_refused(self, count: int) -> None:
        with pytest.raises(ConfigError, match="has 5 samples, cannot take"):
            toy().head(count)

    def test_the_head_is_the_first_samples(self) -> None:
        one = toy()
        assert one.head(None) is one
        assert one.head(5) is one
        two = one.head(2)
        assert two.name == "toy[first 2]"
        assert torch.equal(two.images, one.images[:2])
        assert torch.equal(two.labels, one.labels[:2])

    @pytest.mark.parametrize("count", [0, -1, 5, 6])
    def test_an_impossible_split_is_refused(self, count: int) -> None:
        with pytest.raises(ConfigError, match="has 5 samples, cannot hold out"):
            toy().split(count)

    @pytest.mark.parametrize("count", [1, 4])
    def test_a_split_is_disjoint_and_complete(self, count: int) -> None:
        one = toy()
        left, right = one.split(count)
        assert (len(left), len(right)) == (5 - count, count)
        assert torch.equal(torch.cat([left.images, right.images]), one.images)
        assert torch.equal(torch.cat([left.labels, right.labels]), one.labels)
        assert left.name != right.name

    def test_a_selection_keeps_images_and_labels_together(self) -> None:
        chosen = toy().select(torch.tensor([4, 0]), note="picked")
        assert chosen.name == "toy[picked]"
        assert chosen.labels.tolist() == [1, 0]
        assert torch.equal(chosen.images[1], toy().images[0])

    def test_evidence_and_notebooks_get_short_facts(self) -> None:
        one = toy()
        assert one.describe() == {"name": "toy", "samples": 5, "digest": one.digest}
        assert repr(one) == "Dataset('toy', 5 images 1x2x2, 3 classes)"
