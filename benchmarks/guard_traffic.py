"""Honest callers for the guard's benchmark: what cameras, clients and impatient programs send.

Every kind is a function from a generator and a pool of images to one caller's questions, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Images = npt.NDArray[np.float32]
Caller = Callable[[np.random.Generator, Images, int], Images]


def _some(draw: np.random.Generator, pool: Images, count: int) -> Images:
    return pool[draw.integers(len(pool), size=count)]


def _eight_bits(images: npt.NDArray[np.floating]) -> Images:
    return (np.clip(images, 0, 1) * 255).round().astype(np.float32) / np.float32(255)


def _moved(image: Images, angle: float, down: float, across: float, zoom: float = 1.0) -> Images:
    """Turned, shifted and enlarged about the middle, all channels alike."""
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
    middle = (np.array(image.shape[1:]) - 1) / 2
    offset = middle - matrix @ (middle + np.array([down, across]))
    out = [ndimage.affine_transform(one, matrix, offset, order=1) for one in image]
    return np.clip(np.stack(out), 0, 1).astype(np.float32)


def test_set(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """One image after the other, none twice."""
    return pool[draw.permutation(len(pool))[:count]]


def retries(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Every image one to six times."""
    return np.repeat(_some(draw, pool, count), draw.integers(1, 7, count), axis=0)[:count]


def retried_batches(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """The same forty images again and again, as a health check does."""
    return np.resize(_some(draw, pool, 40), (count, *pool.shape[1:]))


def augmentations(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Each image, then eight versions of it, as test-time augmentation asks."""
    out = []
    for image in _some(draw, pool, -(-count // 9)):
        out.append(image)
        for _ in range(8):
            out.append(
                _moved(image, draw.uniform(-15, 15), *draw.uniform(-2, 2, 2), zoom=draw.uniform(0.9, 1.1))
            )
    return np.stack(out)[:count]


def whole_shifts(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Each image and its eight neighbours by one pixel."""
    ways = [(down, across) for down in (0, 1, -1) for across in (0, 1, -1)]
    images = _some(draw, pool, -(-count // 9))
    return np.stack([np.roll(one, way, axis=(1, 2)) for one in images for way in ways])[:count]


def noisy_copies(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Each image, then eight copies of it with noise."""
    out = []
    for image in _some(draw, pool, -(-count // 9)):
        out.append(image)
        size = draw.uniform(0.02, 0.15)
        out.extend(np.clip(image + draw.normal(0, size, image.shape), 0, 1) for _ in range(8))
    return np.stack(out)[:count].astype(np.float32)


def brightness(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Each image in twelve exposures."""
    images = _some(draw, pool, -(-count // 12))
    out = [one * draw.uniform(0.6, 1.4) + draw.uniform(-0.1, 0.1) for one in images for _ in range(12)]
    return _eight_bits(np.stack(out)[:count])


def static_camera(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """A scene that does not move, with a sensor's noise, in floating point."""
    scene, size = _some(draw, pool, 1), draw.uniform(0.003, 0.1)
    return np.clip(scene + draw.normal(0, size, (count, *pool.shape[1:])), 0, 1).astype(np.float32)


def static_eight_bits(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """The same in eight bits, from a thirtieth of a step of noise upwards: most frames have equal parts."""
    scene, size = _some(draw, pool, 1) * 0.8 + 0.1, np.exp(draw.uniform(np.log(0.03), np.log(12))) / 255
    return _eight_bits(scene + draw.normal(0, size, (count, *pool.shape[1:])))


def dark_camera(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Noise that grows with the light and leaves black as it is, in eight bits."""
    scene, size = _some(draw, pool, 1), draw.uniform(0.005, 0.1)
    return _eight_bits(scene + np.sqrt(scene) * draw.normal(0, size, (count, *pool.shape[1:])))


def pan(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Scenes of thirty frames in which a hand moves the camera, with noise and flicker."""
    out = []
    for image in _some(draw, pool, -(-count // 30)):
        path = np.cumsum(draw.normal(0, 0.15, (30, 3)), axis=0)
        size = draw.uniform(0, 0.04)
        for down, across, angle in path:
            frame = _moved(image, angle * 4, down, across) * draw.normal(1, 0.01)
            out.append(frame + draw.normal(0, size, image.shape))
    return _eight_bits(np.stack(out)[:count])


def still_hand(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """One scene before a hand that trembles around a place, without noise."""
    image = _some(draw, pool, 1)[0]
    return _eight_bits(
        np.stack([_moved(image, draw.normal(0, 1.5), *draw.normal(0, 0.4, 2)) for _ in range(count)])
    )


def passing(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Something moves before a background that stays exactly as it was, as a codec or a screen sends it."""
    back, thing = _some(draw, pool, 2)
    thing = thing[:, 8:20, 8:20]
    tall, wide = back.shape[1] - 12, back.shape[2] - 12
    place, way = draw.uniform(0, min(tall, wide), 2), draw.normal(0, 1.0, 2)
    out = []
    for _ in range(count):
        place += way
        bounce = (place < 0) | (place > (tall, wide))
        way[bounce] *= -1
        place = np.clip(place, 0, (tall, wide))
        frame = back.copy()
        down, across = place.astype(int)
        part = frame[:, down : down + 12, across : across + 12]
        np.maximum(part, thing, out=part)
        out.append(frame)
    return np.stack(out)


def compressed(draw: np.random.Generator, pool: Images, count: int) -> Images:
    """Images in eight bits that were rounded coarsely, each asked about at three qualities."""
    images = _some(draw, pool, -(-count // 3))
    levels = (255, 32, 12)
    return np.stack([(one * level).round() / level for one in images for level in levels])[:count].astype(
        np.float32
    )


CALLERS: dict[str, Caller] = {
    one.__name__.replace("_", " "): one
    for one in (test_set, retries, retried_batches, augmentations, whole_shifts, noisy_copies, brightness,
                static_camera, static_eight_bits, dark_camera, pan, still_hand, passing, compressed)
}  # fmt: skip


def traffic(pool: Images, callers: int, each: int, seed: int) -> Iterator[tuple[str, Images]]:
    """Honest callers, kinds in turn: each one's kind and questions ``(each, ...)``."""
    names = list(CALLERS)
    for number in range(callers):
        draw = np.random.default_rng((seed, number))
        name = names[number % len(names)]
        yield name, CALLERS[name](draw, pool, each)
