"""Corruptions: their laws, closed forms where there are some, and what they refuse."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.datasets import Dataset
from hauberk.datasets.corruptions import (
    COMMON,
    CORRUPTIONS,
    SEVERITIES,
    Brightness,
    Contrast,
    Corruption,
    DefocusBlur,
    ElasticTransform,
    Fog,
    Frost,
    GaussianNoise,
    GlassBlur,
    ImpulseNoise,
    JPEGCompression,
    MotionBlur,
    Pixelate,
    Rotation,
    SaltAndPepper,
    Shift,
    ShotNoise,
    Snow,
    ZoomBlur,
    corrupt,
    rotate_and_shift,
)
from hauberk.datasets.corruptions.draws import Draws
from hauberk.datasets.corruptions.resampling import blur, convolve, spread
from hauberk.datasets.corruptions.weather import plasma

ALL = pytest.mark.parametrize("name", CORRUPTIONS)


def smooth(count: int, channels: int, height: int, width: int) -> Dataset:
    """Images with edges and soft parts, as photographs have."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    waves = torch.arange(1, count * channels + 1).view(count, channels, 1, 1)
    images = 0.35 + 0.25 * torch.sin(3 * rows + waves) * torch.cos(4 * columns - waves)
    for row, image in enumerate(images):  # edges that lie on no common grid
        top, left = height // 5 + row % 5, width // 6 + row % 3
        image[:, top : top + height // 3 + row % 4, left : left + width // 2 + row % 7] = 0.9
    return Dataset("smooth", images, torch.arange(count) % 2, ("one", "two"))


@pytest.fixture(scope="module")
def colour() -> Dataset:
    return smooth(12, 3, 32, 32)


def distance(one: Dataset, other: Dataset) -> float:
    return float((one.images - other.images).flatten(1).norm(dim=1).mean())


def test_there_are_fifteen_and_three() -> None:
    assert len(COMMON) == 15
    assert set(CORRUPTIONS) - set(COMMON) == {"salt_and_pepper", "rotation", "shift"}
    assert all(CORRUPTIONS[name].name == name for name in CORRUPTIONS)


@ALL
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 28, 20), (3, 96, 100)])
def test_shape_bounds_and_labels_stay(name: str, shape: tuple[int, int, int]) -> None:
    data = smooth(3, *shape)
    for severity in (1, 5):
        made = corrupt(data, name, severity, seed=1)
        assert made.images.shape == data.images.shape
        assert made.images.dtype == torch.float32
        assert float(made.images.min()) >= 0
        assert float(made.images.max()) <= 1
        assert torch.equal(made.labels, data.labels)
        assert made.name == f"smooth[{name} {severity}]"
        assert not torch.equal(made.images, data.images)


@ALL
def test_more_severe_is_further_from_the_original(name: str, digits: Dataset, colour: Dataset) -> None:
    for data in (digits.head(100), colour, smooth(2, 3, 96, 96)):
        steps = [distance(corrupt(data, name, severity), data) for severity in SEVERITIES]
        assert steps[4] > steps[0]
        assert steps[3] + steps[4] > steps[0] + steps[1]


@ALL
def test_a_sample_does_not_depend_on_its_neighbours(name: str, colour: Dataset) -> None:
    whole = corrupt(colour, name, 4, seed=3)
    rows = torch.tensor([7, 2])
    some = corrupt(colour.select(rows, note="two"), name, 4, seed=3, indices=rows)
    torch.testing.assert_close(some.images, whole.images[rows], rtol=0, atol=1e-6)
    head = corrupt(colour.head(1), name, 4, seed=3)
    torch.testing.assert_close(head.images, whole.images[:1], rtol=0, atol=1e-6)


@ALL
def test_the_same_seed_gives_the_same_images(name: str, colour: Dataset) -> None:
    before = torch.get_rng_state()
    first, again = (corrupt(colour, name, 3, seed=5).images for _ in range(2))
    other = corrupt(colour, name, 3, seed=6).images
    assert torch.equal(first, again)
    drawn = name not in {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert torch.equal(first, other) is not drawn
    assert torch.equal(torch.get_rng_state(), before)


@ALL
def test_other_bounds_give_the_same_pictures(name: str, colour: Dataset) -> None:
    wide = replace(colour, images=(colour.images * 4 - 1).clamp(-1, 3), bounds=(-1.0, 3.0))
    made = corrupt(wide, name, 2).images
    assert float(made.min()) >= -1
    assert float(made.max()) <= 3
    # rounding may tip a value over a threshold or a level of JPEG, here and there
    close = ((made + 1) / 4 - corrupt(colour, name, 2).images).abs() < 1e-4
    assert float(close.float().mean()) > 0.98


@pytest.mark.parametrize(
    "nothing",
    [
        GaussianNoise(sigma=0),
        ImpulseNoise(share=0),
        SaltAndPepper(share=0),
        DefocusBlur(radius=0),
        GlassBlur(sigma=0, reach=0),
        MotionBlur(length=0, sigma=1),
        ZoomBlur(furthest=1),
        Snow(mean=0, deviation=0, flake=1, threshold=0.5, length=4, sigma=2, keep=1),
        Frost(keep=1, ice=0),
        Fog(thickness=0, decay=4),
        Brightness(more=0),
        Contrast(factor=1),
        ElasticTransform(reach=0, grain=1, skew=0),
        Pixelate(share=1),
        Rotation(degrees=0),
        Shift(pixels=0),
    ],
    ids=lambda one: one.name,
)
def test_nothing_changes_nothing(nothing: Corruption, colour: Dataset, digits: Dataset) -> None:
    for data in (colour, digits.head(5)):
        torch.testing.assert_close(nothing(data).images, data.images, rtol=0, atol=3e-5)


def test_jpeg_is_pillows_own(colour: Dataset, digits: Dataset) -> None:
    for data, mode in ((colour.head(3), "RGB"), (digits.head(3), "L")):
        made = JPEGCompression(quality=30)(data).images
        for before, after in zip(data.images, made, strict=True):
            levels = np.rint(before.numpy() * 255).astype(np.uint8)
            picture = Image.fromarray(levels.transpose(1, 2, 0) if mode == "RGB" else levels[0])
            assert picture.mode == mode
            stream = io.BytesIO()
            picture.save(stream, format="JPEG", quality=30)
            read = np.asarray(Image.open(stream), dtype=np.float32) / 255
            expected = read.transpose(2, 0, 1) if mode == "RGB" else read[None]
            np.testing.assert_allclose(after.numpy(), expected, atol=1e-6)


def test_a_right_angle_is_rot90(colour: Dataset) -> None:
    for turns in (1, 2, 3):
        made = rotate_and_shift(colour.images, 90.0 * turns)
        torch.testing.assert_close(made, torch.rot90(colour.images, turns, (2, 3)), rtol=0, atol=2e-5)


def test_a_shift_by_whole_pixels_moves_them(colour: Dataset) -> None:
    made = rotate_and_shift(colour.images, 0.0, down=3, right=-2, fill=0.25)
    torch.testing.assert_close(made[..., 3:, :-2], colour.images[..., :-3, 2:], rtol=0, atol=2e-5)
    torch.testing.assert_close(made[..., :3, :], torch.full_like(made[..., :3, :], 0.25))
    torch.testing.assert_close(made[..., -2:], torch.full_like(made[..., -2:], 0.25))


def test_each_image_may_have_its_own_placement(colour: Dataset) -> None:
    degrees, down, right = torch.tensor([10.0, -25.0]), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.5])
    both = rotate_and_shift(colour.images[:2], degrees, down, right)
    for row in range(2):
        one = rotate_and_shift(
            colour.images[row : row + 1], float(degrees[row]), float(down[row]), float(right[row])
        )
        torch.testing.assert_close(one, both[row : row + 1])


def test_rotation_goes_both_ways_by_the_amount(colour: Dataset) -> None:
    made = Rotation(degrees=20)(colour).images
    ways = [rotate_and_shift(colour.images, sign * 20.0) for sign in (1, -1)]
    hits = torch.stack([(made - way).abs().flatten(1).amax(dim=1) < 1e-5 for way in ways])
    assert hits.any(dim=0).all()
    assert hits.any(dim=1).all()  # fails for one seed in 2048, and the seed is fixed


def test_shift_moves_by_its_amount() -> None:
    images = torch.zeros(40, 1, 21, 21)
    images[:, :, 10, 10] = 1
    made = Shift(pixels=4)(Dataset("dot", images, torch.zeros(40, dtype=torch.int64), ("dot",))).images
    grid = torch.arange(21.0) - 10
    down, right = made.sum(dim=(1, 3)) @ grid, made.sum(dim=(1, 2)) @ grid  # where the dot's mass went
    torch.testing.assert_close(torch.hypot(down, right), torch.full((40,), 4.0), rtol=0, atol=1e-3)
    angles = torch.atan2(down, right)
    assert (angles > 0).any()
    assert (angles < 0).any()


def grey(value: float, count: int = 60) -> Dataset:
    return Dataset("grey", torch.full((count, 3, 16, 16), value), torch.zeros(count, dtype=torch.int64), ("g",))


def test_gaussian_noise_has_its_deviation() -> None:
    made = GaussianNoise(sigma=0.05)(grey(0.5)).images - 0.5
    assert float(made.std()) == pytest.approx(0.05, rel=0.03)  # 46,080 values: the error is about 0.3 %
    assert abs(float(made.mean())) < 0.002
    assert float((made[:, 0] * made[:, 1]).mean()) < 1e-4  # channels are independent


def test_shot_noise_counts_photons() -> None:
    made = ShotNoise(photons=40)(grey(0.3)).images
    counts = made * 40
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-4)
    assert float(made.mean()) == pytest.approx(0.3, rel=0.02)
    assert float(made.var()) == pytest.approx(0.3 / 40, rel=0.05)
    assert float(ShotNoise(photons=40)(grey(0.0)).images.max()) == 0


def test_impulses_hit_values_and_salt_hits_pixels() -> None:
    for one in (ImpulseNoise(share=0.2), SaltAndPepper(share=0.2)):
        made = one(grey(0.5)).images
        assert set(made.unique().tolist()) == {0.0, 0.5, 1.0}
        for value in (0.0, 1.0):
            assert float((made == value).float().mean()) == pytest.approx(0.1, abs=0.01)
        whole = (made == made[:, :1]).all()
        assert bool(whole) is (one.name == "salt_and_pepper")


def test_more_impulses_keep_the_earlier_ones() -> None:
    few, many = (ImpulseNoise(share=share)(grey(0.5)).images for share in (0.05, 0.3))
    assert torch.equal(many[few != 0.5], few[few != 0.5])


def test_brightness_keeps_the_hue() -> None:
    pixel = torch.tensor([0.6, 0.3, 0.15]).view(1, 3, 1, 1).expand(1, 3, 8, 8).contiguous()
    data = Dataset("pixel", pixel, torch.zeros(1, dtype=torch.int64), ("p",))
    made = Brightness(more=0.2)(data).images[0, :, 0, 0]
    torch.testing.assert_close(made, torch.tensor([0.8, 0.4, 0.2]))
    assert Brightness(more=0.3)(grey(0.0, 1)).images.unique().tolist() == pytest.approx([0.3])
    assert Brightness(more=0.3)(grey(0.9, 1)).images.unique().tolist() == [1.0]


def test_contrast_keeps_the_mean(colour: Dataset) -> None:
    made = Contrast(factor=0.3)(colour).images
    torch.testing.assert_close(made.mean(dim=(2, 3)), colour.images.mean(dim=(2, 3)))
    torch.testing.assert_close(made.std(dim=(2, 3)), 0.3 * colour.images.std(dim=(2, 3)))


def test_pixelate_averages_blocks(colour: Dataset) -> None:
    made = Pixelate(share=0.25)(colour).images
    blocks = torch.nn.functional.avg_pool2d(colour.images, 4)
    expected = blocks.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)


def dot(side: int = 33) -> Dataset:
    images = torch.zeros(3, 1, side, side)
    images[:, :, side // 2, side // 2] = 1
    return Dataset("dot", images, torch.zeros(3, dtype=torch.int64), ("dot",))


def moments(data: Dataset) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mass, and mean position (down, right) from the middle, of each image."""
    side = data.images.shape[-1]
    grid = torch.arange(float(side)) - side // 2
    mass = data.images.sum(dim=(1, 2, 3))
    return mass, data.images.sum(dim=(1, 3)) @ grid, data.images.sum(dim=(1, 2)) @ grid


def test_defocus_spreads_a_point_over_a_disc() -> None:
    made = DefocusBlur(radius=5)(dot())
    mass, down, right = moments(made)
    torch.testing.assert_close(mass, torch.ones(3), rtol=0, atol=1e-5)
    assert float(down.abs().max() + right.abs().max()) < 1e-4
    inside = made.images[0, 0]
    rows, columns = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    radius = torch.hypot(rows, columns)
    assert float(inside[radius > 6.5].max()) == 0
    flat = inside[radius < 3.5]
    torch.testing.assert_close(flat, torch.full_like(flat, 1 / (math.pi * 25)), rtol=0.1, atol=0)


def test_motion_goes_one_way_within_45_degrees() -> None:
    mass, down, right = moments(MotionBlur(length=10, sigma=3)(dot()))
    torch.testing.assert_close(mass, torch.ones(3), rtol=0, atol=1e-5)
    # the mean of half a Gaussian of sigma 3, cut off at 10
    expected = 3 * math.sqrt(2 / math.pi) * (1 - math.exp(-100 / 18)) / math.erf(10 / math.sqrt(18))
    torch.testing.assert_close(torch.hypot(down, right), torch.full((3,), expected), rtol=2e-3, atol=0)
    assert bool((right > down.abs()).all())


def test_gaussian_blur_matches_the_formula() -> None:
    made = blur(dot().images, 2.0)[0, 0]
    grid = torch.arange(33.0) - 16
    line = torch.exp(-grid.square() / 8)
    torch.testing.assert_close(made, torch.outer(line, line) / line.sum() ** 2, rtol=0, atol=1e-4)
    flat = torch.full((1, 1, 9, 9), 0.7)
    torch.testing.assert_close(blur(flat, 3.0), flat)


def test_kernels_shift_as_they_say(colour: Dataset) -> None:
    images = colour.images[:2]
    points = torch.tensor([[[2.0, 0.0]], [[0.0, -1.5]]])  # one shift for each image
    made = convolve(images, spread(points, torch.ones(1)))
    torch.testing.assert_close(made[0, :, 2:], images[0, :, :-2])
    between = (images[1, ..., 1:-1] + images[1, ..., 2:]) / 2
    torch.testing.assert_close(made[1, ..., :-2], between, rtol=0, atol=1e-6)


def test_zooming_keeps_the_middle(colour: Dataset) -> None:
    made = ZoomBlur(furthest=1.3)(dot(33)).images[0, 0]
    assert int(made.argmax()) == 16 * 33 + 16
    torch.testing.assert_close(made, made.T)
    flat = ZoomBlur(furthest=1.3)(grey(0.4, 1)).images
    torch.testing.assert_close(flat, torch.full_like(flat, 0.4))


def test_clouds_fill_their_range_and_smooth_ones_are_smoother() -> None:
    rough, fine = (plasma(Draws(0, "test", range(20)), 32, 32, decay) for decay in (1.5, 6))
    for made in (rough, fine):
        assert made.shape == (20, 1, 32, 32)
        assert float(made.amin()) == 0
        assert float(made.amax()) == 1
    steps = [float((made[..., 1:] - made[..., :-1]).abs().mean()) for made in (rough, fine)]
    assert steps[1] < steps[0] / 2


def test_fog_never_exceeds_the_highest_value(colour: Dataset) -> None:
    made = Fog(thickness=1.5, decay=3)(colour).images
    assert bool((made.amax(dim=(1, 2, 3)) <= colour.images.amax(dim=(1, 2, 3)) + 1e-6).all())
    assert float(Fog(thickness=1.5, decay=3)(grey(0.0, 2)).images.max()) > 0.3


def test_every_sample_has_ice_of_its_own() -> None:
    made = Frost(keep=1, ice=0.5)(grey(0.2, 4)).images
    assert not torch.equal(made[0], made[1])
    assert float(made.min()) >= 0.2
    assert bool((made[:, 2] >= made[:, 0]).all())  # a little blue


def test_snow_falls_and_nothing_gets_darker(colour: Dataset) -> None:
    made = corrupt(colour, "snow", 3).images
    assert bool((made >= colour.images - 1e-6).all())
    still = Snow(mean=0, deviation=0, flake=1, threshold=0.5, length=4, sigma=2, keep=0)(grey(0.2, 1)).images
    torch.testing.assert_close(still, torch.full_like(still, 0.8))  # 1.5 * 0.2 + 0.5


def test_elastic_moves_and_invents_nothing(colour: Dataset) -> None:
    made = corrupt(colour, "elastic_transform", 5).images
    assert bool((made.amax(dim=(2, 3)) <= colour.images.amax(dim=(2, 3)) + 1e-6).all())
    assert bool((made.amin(dim=(2, 3)) >= colour.images.amin(dim=(2, 3)) - 1e-6).all())
    skewed = ElasticTransform(reach=0, grain=1, skew=3)(dot())
    mass, down, right = moments(skewed)
    assert float(torch.hypot(down / mass, right / mass).max()) < 9  # one point cannot go further than its three


def test_glass_takes_pixels_from_near_by() -> None:
    step = torch.zeros(1, 1, 16, 40)
    step[..., 20:] = 1
    made = GlassBlur(sigma=0, reach=3)(Dataset("step", step, torch.zeros(1, dtype=torch.int64), ("s",))).images
    assert float(made[..., :16].max()) == 0
    assert float(made[..., 24:].min()) == pytest.approx(1, abs=1e-5)
    assert 0.2 < float(made[..., 18:22].mean()) < 0.8


def test_lengths_follow_the_size_of_the_image() -> None:
    assert DefocusBlur.at(5, 32) == DefocusBlur(radius=1.5)
    assert DefocusBlur.at(5, 16) == DefocusBlur(radius=0.75)
    assert DefocusBlur.at(5, 224) == DefocusBlur(radius=10)
    assert DefocusBlur.at(5, 112) == DefocusBlur(radius=5)
    assert GaussianNoise.at(1, 28) == GaussianNoise.at(1, 32) == GaussianNoise(sigma=0.04)
    assert GaussianNoise.at(1, 100) == GaussianNoise(sigma=0.08)


def test_recipes_are_complete() -> None:
    assert repr(MotionBlur.at(1, 32)) == "MotionBlur(length=6.0, sigma=1.0)"
    made = Rotation(degrees=7.5)(grey(0.5, 1))
    assert made.name == "grey[Rotation(degrees=7.5)]"


def test_what_is_misspelt_or_out_of_range_is_refused(digits: Dataset) -> None:
    with pytest.raises(UnknownName, match="did you mean 'gaussian_noise'"):
        corrupt(digits, "gausian_noise", 1)
    for severity in (0, 6, True, 2.0, "3"):
        with pytest.raises(ConfigError, match="severity must be a whole number from 1 to 5"):
            corrupt(digits, "fog", severity)  # type: ignore[arg-type]
    for made in (
        lambda: GaussianNoise(sigma=-0.1),
        lambda: ImpulseNoise(share=1.5),
        lambda: Rotation(degrees=float("nan")),
        lambda: Shift(pixels="2"),  # type: ignore[arg-type]
        lambda: ShotNoise(photons=0),
        lambda: MotionBlur(length=3, sigma=0),
        lambda: ZoomBlur(furthest=0.9),
        lambda: Pixelate(share=True),
    ):
        with pytest.raises(ConfigError, match="must be a number in"):
            made()
    with pytest.raises(ConfigError, match="whole number"):
        JPEGCompression(quality=50.5)  # type: ignore[arg-type]


def test_what_cannot_be_corrupted_is_refused(digits: Dataset) -> None:
    labels = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(DataError, match="expected a Dataset"):
        corrupt(digits.images, "fog", 1)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1 or 3 channels"):
        corrupt(Dataset("table", torch.zeros(2, 30), labels, ("a",)), "fog", 1)
    with pytest.raises(DataError, match="1 or 3 channels"):
        corrupt(Dataset("two", torch.zeros(2, 2, 9, 9), labels, ("a",)), "fog", 1)
    with pytest.raises(DataError, match="at least 8x8"):
        corrupt(Dataset("tiny", torch.zeros(2, 1, 7, 9), labels, ("a",)), "fog", 1)
    for indices in (torch.arange(3), torch.tensor([0.0, 1.0]), torch.tensor([-1, 0])):
        with pytest.raises(ConfigError, match="indices must be 2 whole numbers"):
            corrupt(digits.head(2), "fog", 1, indices=indices)
    with pytest.raises(ConfigError, match="seed"):
        corrupt(digits.head(2), "fog", 1, seed="1")  # type: ignore[arg-type]
