"""Augmentations: what each does, against loops and closed forms, and the laws they all keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.datasets.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    AugMix,
    CutMix,
    Cutout,
    Draw,
    Flip,
    Mixup,
    Noise,
    Rotation,
    Scaling,
    Shift,
    augmentations,
)
from hauberk.datasets.augmentation.augmix import OPERATIONS, autocontrast, posterise, shear_rows, solarise
from hauberk.datasets.augmentation.covering import patches

ALL = pytest.mark.parametrize("name", AUGMENTATIONS)
MIXING = pytest.mark.parametrize("kind", [Mixup, CutMix])


def drawing(seed: int = 0, low: float = 0.0, high: float = 1.0, classes: int = 5) -> Draw:
    bounds = torch.full((1, 1, 1), low), torch.full((1, 1, 1), high)
    return Draw(torch.Generator().manual_seed(seed), bounds, classes)


def batch(count: int = 12, height: int = 9, width: int = 11) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    images = torch.rand(count, 2, height, width, generator=generator)
    return images, torch.arange(count) % 5


@dataclass(frozen=True, eq=False)
class Told(Draw):
    """Hands out what it is told instead of randomness."""

    uniforms: list[float] = field(default_factory=list)

    def uniform(self, *shape: int) -> Tensor:
        return torch.tensor(self.uniforms).reshape(shape)


def told(*uniforms: float) -> Told:
    draw = drawing()
    return Told(draw.generator, draw.bounds, draw.classes, uniforms=list(uniforms))


@ALL
def test_strength_zero_changes_nothing(name: str) -> None:
    images, labels = batch()
    same, kept = AUGMENTATIONS[name](0.0)(images, labels, drawing())
    assert torch.equal(same, images)
    assert torch.equal(kept.argmax(1) if kept.ndim == 2 else kept, labels)


@ALL
def test_one_seed_one_result_within_bounds_and_the_batch_untouched(name: str) -> None:
    images, labels = batch()
    images = images * 3 - 2  # bounds [-2, 1]
    before = images.clone()
    one = AUGMENTATIONS[name](AUGMENTATIONS[name].range[1])
    changed, answers = one(images, labels, drawing(3, -2.0, 1.0))
    again, _ = one(images, labels, drawing(3, -2.0, 1.0))
    other, _ = one(images, labels, drawing(4, -2.0, 1.0))
    assert torch.equal(images, before)
    assert torch.equal(changed, again)
    assert not torch.equal(changed, other)
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert float(changed.min()) >= -2
    assert float(changed.max()) <= 1
    assert (answers.ndim == 2) == one.mixes
    if not one.mixes:
        assert torch.equal(answers, labels)


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    grey = torch.full((40, 1, 50, 50), 0.5)
    noisy, _ = Noise(0.05)(grey, torch.zeros(40, dtype=torch.long), drawing())
    # 100,000 draws: the estimate's own deviation is 0.05 / sqrt(2 * 100,000), and this is eight of them
    assert float((noisy - grey).std()) == pytest.approx(0.05, abs=1e-3)
    wide, _ = Noise(0.05)(grey, torch.zeros(40, dtype=torch.long), drawing(0, -2.0, 3.0))
    assert float((wide - grey).std()) == pytest.approx(0.25, abs=5e-3)


def test_shift_moves_by_whole_pixels_and_fills_with_the_lower_bound() -> None:
    images, labels = batch(30)
    moved, _ = Shift(0.2)(images, labels, drawing(1, -1.0, 1.0))
    seen = set()
    for image, result in zip(images, moved, strict=True):
        found = []
        for down in range(-2, 3):
            for right in range(-2, 3):
                expected = torch.full_like(image, -1.0)
                for row in range(9):
                    for column in range(11):
                        if 0 <= row - down < 9 and 0 <= column - right < 11:
                            expected[:, row, column] = image[:, row - down, column - right]
                if torch.equal(expected, result):
                    found.append((down, right))
        assert len(found) == 1
        seen.update(found)
    assert len(seen) > 10


def test_quarter_turns_and_no_turn() -> None:
    square, labels = batch(3, 9, 9)
    turned, _ = Rotation(180.0)(square, labels, told(0.75, 0.25, 0.5))  # +90, -90, 0 degrees
    assert torch.allclose(turned[0], torch.rot90(square[0], 1, (1, 2)), atol=1e-5)
    assert torch.allclose(turned[1], torch.rot90(square[1], -1, (1, 2)), atol=1e-5)
    assert torch.allclose(turned[2], square[2], atol=1e-5)


def test_turning_four_times_gives_the_picture_back() -> None:
    square, labels = batch(2, 8, 8)
    turned = square
    for _ in range(4):
        turned, _ = Rotation(180.0)(turned, labels, told(0.75, 0.25))
    assert torch.allclose(turned, square, atol=1e-4)


def test_scaling_keeps_a_ramp_a_ramp_with_another_slope() -> None:
    ramp = torch.linspace(-1, 1, 21).expand(2, 1, 15, 21).clone()
    labels = torch.zeros(2, dtype=torch.long)
    bounds = torch.full((1, 1, 1), -2.0), torch.full((1, 1, 1), 2.0)
    draw = Told(torch.Generator(), bounds, 2, uniforms=[1.0, 0.0])
    scaled, _ = Scaling(0.25)(ramp, labels, draw)  # sizes 1.25 and 0.75
    assert torch.allclose(scaled[0], ramp[0] / 1.25, atol=1e-5)
    inner = slice(4, 17)  # beyond lies what came in from outside
    assert torch.allclose(scaled[1, :, 3:12, inner], ramp[1, :, 3:12, inner] / 0.75, atol=1e-5)
    assert torch.equal(scaled[1, :, 0], torch.full((1, 21), -2.0))


def test_patches_are_rectangles_about_a_pixel_cut_off_at_the_edges() -> None:
    share = torch.tensor([0.0, 0.3, 0.5, 1.0] * 25)
    centres = drawing(5)
    rows, columns = centres.integers(0, 8, 100), centres.integers(0, 10, 100)
    found = patches(share, 9, 11, drawing(5))
    for number in range(100):
        tall, wide = round(float(share[number]) * 9), round(float(share[number]) * 11)
        top, left = int(rows[number]) - tall // 2, int(columns[number]) - wide // 2
        expected = torch.zeros(9, 11, dtype=torch.bool)
        for row in range(max(0, top), min(9, top + tall)):
            for column in range(max(0, left), min(11, left + wide)):
                expected[row, column] = True
        assert torch.equal(found[number, 0], expected)


def test_cutout_hides_a_patch_and_nothing_else() -> None:
    images, labels = batch()
    cut, _ = Cutout(0.4)(images, labels, drawing(2))
    changed = (cut != images).any(dim=1)
    for channel in range(2):
        mean = images[:, channel].mean()
        assert torch.allclose(cut[:, channel][changed], mean)
    for mask in changed:
        assert 1 <= int(mask.sum()) <= 4 * 4  # round(0.4 * 9) by round(0.4 * 11)
        rows, columns = mask.any(dim=1), mask.any(dim=0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])


@MIXING
def test_labels_are_shares_that_sum_to_one(kind: type[Augmentation]) -> None:
    images, labels = batch()
    draw = drawing(9)
    first, halves = kind(1.0)(images, labels, draw)
    _, quarters = kind(1.0)(first, halves, draw)  # mixing what is mixed
    for one in (halves, quarters):
        assert one.shape == (12, 5)
        assert float(one.min()) >= 0
        assert torch.allclose(one.sum(dim=1), torch.ones(12))
    assert int((quarters > 0).sum()) > int((halves > 0).sum())


def black_and_white(count: int = 64) -> tuple[Tensor, Tensor]:
    """Black images of label 0 and white ones of label 1: the shares can be read off the pixels."""
    labels = torch.arange(count) % 2
    return labels.float()[:, None, None, None].expand(count, 1, 10, 10).clone(), labels


def test_mixup_labels_are_the_shares_of_light() -> None:
    images, labels = black_and_white()
    mixed, answers = Mixup(1.0)(images, labels, drawing(1, classes=2))
    light = mixed.flatten(1).mean(1)
    assert torch.allclose(answers[:, 1], light, atol=1e-6)
    assert torch.equal(answers.argmax(1), labels)  # the image's own label leads
    assert int(((light > 0.01) & (light < 0.99)).sum()) > 15


def test_cutmix_labels_are_the_shares_of_area() -> None:
    images, labels = black_and_white()
    mixed, answers = CutMix(1.0)(images, labels, drawing(1, classes=2))
    assert torch.equal(mixed.unique(), torch.tensor([0.0, 1.0]))  # pasted, never blended
    counted = mixed.flatten(1).sum(dim=1) / 100
    assert torch.allclose(answers[:, 1], counted, atol=1e-6)
    assert int(((counted > 0) & (counted < 1)).sum()) > 15


def test_beta_has_its_mean_and_variance() -> None:
    alpha, count = 0.4, 20_000
    drawn = drawing(6).beta(alpha, count)
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(drawn.mean()) == pytest.approx(0.5, abs=5 * math.sqrt(variance / count))
    assert float(drawn.var()) == pytest.approx(variance, rel=0.03)


def test_augmix_operations_do_what_they_are_called() -> None:
    images, _ = batch(4, 9, 9)
    still, full = torch.zeros(4), torch.ones(4)
    for operation in OPERATIONS:
        if operation not in (autocontrast, posterise):  # these act at any severity
            assert torch.allclose(operation(images, still), images, atol=1e-5)
    stretched = autocontrast(images * 0.5 + 0.2, full)
    assert torch.allclose(stretched.amin((2, 3)), torch.zeros(4, 2), atol=1e-6)
    assert torch.allclose(stretched.amax((2, 3)), torch.ones(4, 2), atol=1e-6)
    assert torch.equal(autocontrast(torch.full((4, 1, 3, 3), 0.3), full), torch.full((4, 1, 3, 3), 0.3))
    assert len(posterise(images, still).unique()) == 16
    assert torch.equal(posterise(images, full).unique(), torch.tensor([0.0, 1.0]))
    assert torch.allclose(solarise(images, full), 1 - images)
    sheared = shear_rows(images, full)
    assert torch.allclose(sheared[:, :, 4], images[:, :, 4], atol=1e-5)  # the middle row stays
    steep = 0.7 * images[:, :, 5, 3] + 0.3 * images[:, :, 5, 4]  # the row below is read 0.3 to the right
    assert torch.allclose(sheared[:, :, 5, 3], steep, atol=1e-5)


def test_augmix_stays_near_the_picture_when_mild() -> None:
    images, labels = batch(200)
    distance = [
        float((AugMix(strength)(images, labels, drawing(1))[0] - images).abs().mean())
        for strength in (1.0, 5.0, 10.0)
    ]
    assert 0 < distance[0] < distance[1] < distance[2] < 0.3


def test_they_are_made_by_name_in_order() -> None:
    made = augmentations(("noise:0.2", "shift", "augmix:5"))
    assert made == (Noise(0.2), Shift(), AugMix(5.0))


def test_misuse() -> None:
    with pytest.raises(UnknownName, match="did you mean 'cutout'"):
        augmentations(("cutoff",))
    with pytest.raises(ConfigError, match=r"strength of rotation lies in \[0, 180\], got 200"):
        augmentations(("rotation:200",))
    with pytest.raises(ConfigError, match="strength of noise is a number, got 'much'"):
        augmentations(("noise:much",))
    with pytest.raises(ConfigError, match="strength of noise is a number, got nan"):
        Noise(math.nan)
    with pytest.raises(
        ConfigError, match=r"rotation takes batches \(n, channels, height, width\), got \(3, 7\)"
    ):
        Rotation()(torch.zeros(3, 7), torch.zeros(3, dtype=torch.long), drawing())


def test_flips_mirror_each_image_or_leave_it() -> None:
    images, labels = batch(count=400)
    flipped, _ = Flip()(images, labels, drawing())
    mirrored = torch.tensor([torch.equal(one, old.flip(-1)) for one, old in zip(flipped, images, strict=True)])
    kept = torch.tensor([torch.equal(one, image) for one, image in zip(flipped, images, strict=True)])
    assert bool((mirrored ^ kept).all())
    assert 130 < int(mirrored.sum()) < 270  # seven standard deviations
