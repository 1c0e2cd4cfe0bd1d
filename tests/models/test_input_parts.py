"""Parts that change the input: each against a second way to compute the same, random ones against a seed."""

from __future__ import annotations

import copy
import io
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses import make
from hauberk.models import Classifier
from hauberk.models.parts import (
    JPEG,
    BitDepth,
    DroppedTotalVariation,
    GaussianBlur,
    Median,
    Part,
    Quantise,
    ResizePad,
    Smoothing,
    TotalVariation,
    best_levels,
    make_part,
    noise,
)
from hauberk.models.parts.variation import _differences, _divergence
from hauberk.models.stand_in import straight_through
from hauberk.threats import Linf


def seen(part: Part, x: Tensor) -> Tensor:
    """What the network within would see."""
    return part(x, lambda changed: changed)


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def soft_picture(channels: int, height: int, width: int) -> Tensor:
    """uint8, smooth as pictures are."""
    coarse = random_images(1, channels, 5, 7)
    return (F.interpolate(coarse, (height, width), mode="bilinear")[0] * 255).round().to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [10, 50, 75, 95])
def test_jpeg_is_what_pillow_makes(channels: int, quality: int) -> None:
    picture = soft_picture(channels, 21, 30)  # neither side a multiple of 8
    pixels = picture.permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    read = torch.from_numpy(np.array(Image.open(buffer))).reshape(21, 30, channels).permute(2, 0, 1)
    own = (seen(JPEG(quality), picture[None] / 255)[0] * 255).round()
    difference = (own - read.float()).abs()
    lost = (picture.float() - read.float()).abs().mean()
    # Pillow's transform is of whole numbers: a coefficient half-way between two may fall to the other side
    assert float(difference.mean()) < min(0.5, float(lost) / 2)
    assert float((difference <= 2).float().mean()) > 0.9


def test_jpeg_in_other_ranges_and_channels() -> None:
    x = random_images(2, 2, 9, 9)
    assert torch.allclose(seen(JPEG(60, -1.0, 1.0), 2 * x - 1), 2 * seen(JPEG(60), x) - 1, atol=1e-5)
    assert torch.equal(seen(JPEG(60), x)[:, :1], seen(JPEG(60), x[:, :1]))


def test_jpeg_of_best_quality_changes_next_to_nothing() -> None:
    picture = soft_picture(3, 16, 16)[None] / 255
    assert float((seen(JPEG(100), picture) - picture).abs().max()) < 5 / 255


def test_median_by_hand() -> None:
    x = random_images(2, 2, 6, 5)
    mirrored = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    for row, column in itertools.product(range(6), range(5)):
        expected = np.median(mirrored[:, :, row : row + 3, column : column + 3], axis=(2, 3))
        assert np.allclose(seen(Median(3), x)[:, :, row, column].numpy(), expected)


def test_blur_by_hand() -> None:
    sigma, reach = 0.7, 3
    x = random_images(1, 2, 7, 6)
    mirrored = np.pad(x.double().numpy(), ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")
    window = np.arange(-reach, reach + 1)
    weights = np.exp(-(window[:, None] ** 2 + window[None] ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    for row, column in itertools.product(range(7), range(6)):
        patch = mirrored[:, :, row : row + 2 * reach + 1, column : column + 2 * reach + 1]
        expected = (patch * weights).sum(axis=(2, 3))
        assert np.allclose(seen(GaussianBlur(sigma), x)[:, :, row, column].numpy(), expected, atol=1e-6)


def test_total_variation_of_an_edge_has_a_closed_form() -> None:
    """Each half moves towards the other by the weight times its edge over its area."""
    x = torch.zeros(1, 1, 6, 8)
    x[..., 4:] = 1.0
    expected = torch.where(x > 0.5, 1 - 0.2 / 4, 0.2 / 4)
    assert torch.allclose(seen(TotalVariation(0.2, 2000), x), expected, atol=1e-4)
    gone = seen(TotalVariation(10.0, 5000), x)  # so dear that no edge is left
    assert torch.allclose(gone, torch.full_like(x, 0.5), atol=1e-3)


def test_total_variation_is_nearly_least_after_its_steps() -> None:
    def energy(z: Tensor, x: Tensor) -> float:
        down, right = np.zeros((9, 9)), np.zeros((9, 9))
        down[:-1], right[:, :-1] = np.diff(z[0, 0].numpy(), axis=0), np.diff(z[0, 0].numpy(), axis=1)
        return float((z - x).square().sum()) / 2 + 0.1 * float(np.hypot(down, right).sum())

    x = random_images(1, 1, 9, 9).double()
    least = energy(seen(TotalVariation(0.1, 20_000), x), x)
    usual = energy(seen(TotalVariation(0.1), x), x)
    assert least <= usual <= least * 1.01
    nudges = torch.randn((50, 9, 9), generator=torch.Generator().manual_seed(1)).double()
    best = seen(TotalVariation(0.1, 20_000), x)
    assert all(energy(best + 0.01 * nudge, x) > least for nudge in nudges)


def test_divergence_is_the_negative_adjoint() -> None:
    z, down, right = random_images(3, 1, 2, 5, 6, seed=3).double()
    left = (_differences(z, 2) * down).sum() + (_differences(z, 3) * right).sum()
    assert float(left) == pytest.approx(-float((z * _divergence(down, right)).sum()))


def test_dropped_pixels_leave_no_trace() -> None:
    part = DroppedTotalVariation(0.01, 20, drop=0.5)
    x = torch.full((1, 2, 6, 6), 0.4)
    assert torch.allclose(seen(part, x), x, atol=1e-5)
    torch.manual_seed(5)
    kept = part.trusted(x) == 1
    wild = torch.where(kept, x, torch.rand_like(x))
    torch.manual_seed(5)
    assert torch.allclose(seen(part, wild), x, atol=1e-5)


def test_resized_pictures_are_somewhere_on_an_empty_one() -> None:
    x = random_images(40, 2, 8, 8) + 0.5
    torch.manual_seed(0)
    shown = seen(ResizePad(0.75, low=0.2, high=1.5), x)
    places = set()
    for image, found in zip(x, shown, strict=True):
        for size in (6, 7, 8):
            small = F.interpolate(image[None], (size, size), mode="bilinear", align_corners=False)[0]
            for top, left in itertools.product(range(9 - size), repeat=2):
                expected = torch.full_like(image, 0.2)
                expected[:, top : top + size, left : left + size] = small
                if torch.allclose(expected, found, atol=1e-5):
                    places.add((size, top, left))
                    break
            else:
                continue
            break
        else:
            pytest.fail("a picture that is nowhere")
    assert len(places) > 8  # of 14


def test_levels_are_the_best_there_are() -> None:
    values = torch.tensor([0.0, 0.05, 0.1, 0.4, 0.45, 0.9, 1.0])

    def cost(groups: list[Tensor]) -> float:
        return sum(float((one - one.mean()).square().sum()) for one in groups)

    splits = [
        [values[:first], values[first:second], values[second:]]
        for first, second in itertools.combinations(range(1, 7), 2)
    ]
    best = min(splits, key=cost)
    assert best_levels(values, 3) == pytest.approx([float(one.mean()) for one in best], abs=1e-5)


def test_each_value_becomes_its_nearest_level() -> None:
    levels = torch.tensor([0.0, 0.2, 0.7, 1.0])
    x = random_images(3, 1, 5, 5)
    nearest = levels[(x[..., None] - levels).abs().argmin(dim=-1)]
    assert torch.equal(seen(Quantise(levels.tolist()), x), nearest)


def test_smoothing_is_the_mean_over_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against Gauss-Hermite quadrature of a logistic model; 5 standard errors of 20 000 copies."""
    monkeypatch.setattr(noise, "_AT_ONCE", 3000)
    points, weights = np.polynomial.hermite_e.hermegauss(60)

    def inner(x: Tensor) -> Tensor:
        return torch.cat([2 * x, torch.zeros_like(x)], dim=1)

    torch.manual_seed(0)
    x = torch.tensor([[-0.4], [0.1], [1.0]])
    answer = Smoothing(0.5, 20_000)(x, inner).exp()
    assert torch.allclose(answer.sum(dim=1), torch.ones(3), atol=1e-5)
    for row, start in enumerate(x.flatten().tolist()):
        chances = 1 / (1 + np.exp(-2 * (start + 0.5 * points)))
        expected = float((weights * chances).sum() / weights.sum())
        assert float(answer[row, 0]) == pytest.approx(expected, abs=5 * 0.5 / math.sqrt(20_000))


RANDOM = {"resize-pad": {"smallest": 0.4}, "total-variation": {"drop": 0.4}, "smoothing": {"samples": 3}}
FIXED: dict[str, dict[str, object]] = {
    "bit-depth": {},
    "quantise": {"levels": 3},
    "jpeg": {"quality": 40},
    "median": {},
    "gaussian-blur": {},
    "total-variation": {},
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_parts_draw_anew_and_follow_the_seed(
    name: str, plain: Classifier, digits_train: Dataset
) -> None:
    defended = make(name, **RANDOM[name]).fit(plain, digits_train.head(50), Linf(0.1))
    assert defended.evidence[-1].parameters["gradient"] == "random"
    x = digits_train.images[:6]
    torch.manual_seed(1)
    first, second = defended(x), defended(x)
    torch.manual_seed(1)
    assert torch.equal(defended(x), first)
    assert int((first != second).any(dim=1).sum()) >= 4  # of 6; two draws may be the same
    many = defended(x[:1].expand(6, -1, -1, -1))
    assert len(many[:, 0].unique()) >= 4  # each image by a draw of its own


@pytest.mark.parametrize(("name", "settings"), [*FIXED.items(), *RANDOM.items()])
def test_parts_are_built_again_from_their_arguments(
    name: str, settings: dict[str, object], plain: Classifier, digits_train: Dataset
) -> None:
    (part,) = make(name, **settings).fit(plain, digits_train.head(50), Linf(0.1)).defences
    assert isinstance(part, Part)
    again = make_part(part.name, part.args())
    x = digits_train.images[:4]
    answers = []
    for one in (part, again):
        torch.manual_seed(2)
        answers.append(one(x, plain))
    assert torch.equal(*answers)
    assert again.args() == part.args()


@pytest.mark.parametrize("name", FIXED)
def test_what_declares_nothing_has_honest_slopes_and_the_rest_a_bridge(
    name: str, plain: Classifier, digits_train: Dataset
) -> None:
    model = make(name, **FIXED[name]).fit(plain, digits_train.head(50), Linf(0.1))
    (part,) = model.defences
    assert isinstance(part, Part)
    x = 0.1 + 0.8 * random_images(3, 1, 8, 8)  # no two pixels alike, so that a median has a slope
    point = x.clone().requires_grad_(True)
    bridged = torch.autograd.grad(straight_through(model)(point).sum(), point)[0]
    assert torch.allclose(straight_through(model)(x), model(x), atol=1e-5)
    if part.gradient == "blocked":  # the slope of the network where the part has put the point
        inside = seen(part, x).detach().requires_grad_(True)
        assert torch.allclose(bridged, torch.autograd.grad(plain(inside).sum(), inside)[0], atol=1e-4)
        return
    model, wide = copy.deepcopy(model).double(), x.double()
    own = torch.autograd.grad(model(point := wide.clone().requires_grad_(True))[:, 3].sum(), point)[0]
    way = torch.randn_like(wide)
    step = 1e-6
    with torch.no_grad():
        change = (model(wide + step * way) - model(wide - step * way))[:, 3].sum() / (2 * step)
    assert float((own * way).sum()) == pytest.approx(float(change), rel=1e-3, abs=1e-4)


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: make("bit-depth", bits=9), r"bit-depth: bits must be a whole number in \[1, 8\], got 9"),
    (lambda: make("quantise", levels=1), "quantise: levels"),
    (lambda: make("quantise", share=0), "quantise: share"),
    (lambda: make("jpeg", quality=0), "jpeg: quality"),
    (lambda: make("jpeg", quality=True), "jpeg: quality"),
    (lambda: make("median", size=4), "median: size must be odd"),
    (lambda: make("gaussian-blur", sigma=0), "gaussian-blur: sigma must be a number above 0, got 0"),
    (lambda: make("gaussian-blur", sigma="x"), "gaussian-blur: sigma"),
    (lambda: make("total-variation", weight="x"), "total-variation: weight"),
    (lambda: make("total-variation", drop=1.0), "drop must lie in"),
    (lambda: make("total-variation", steps=0), "total-variation: steps"),
    (lambda: make("resize-pad", smallest=1.5), "resize-pad: smallest"),
    (lambda: make("smoothing", sigma=-1), "smoothing: sigma"),
    (lambda: make("smoothing", samples=0), "smoothing: samples"),
    (lambda: make("gaussian", sigma=float("nan")), "GaussianTraining: sigma"),
    (lambda: Quantise([0.5]), "at least two rising"),
    (lambda: Quantise([0.5, 0.5]), "at least two rising"),
    (lambda: BitDepth(3, 1.0, 0.0), "low must be below high"),
    (lambda: best_levels(torch.zeros(4), 2), "one value only"),
    (lambda: seen(Median(9), torch.zeros(1, 1, 4, 4)), "more than images 4x4 have"),
]


@pytest.mark.parametrize(("call", "says"), BAD)
def test_misuse(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        call()


def test_what_takes_pictures_says_so(digits_train: Dataset) -> None:
    flat = Classifier(nn.Linear(64, 10), input_shape=(64,), labels=10).eval()
    with pytest.raises(ConfigError, match=r"jpeg takes images \(channels, height, width\)"):
        make("jpeg").fit(flat, digits_train, Linf(0.1))
