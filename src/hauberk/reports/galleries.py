"""Pictures inside the page: what a tile of a gallery shows, encoded for an ``<img>``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.reports.images import amplification, data_uri, perturbation, picture
from hauberk.reports.views import (
    Cleansing,
    Corruptions,
    Inversion,
    Pixels,
    Poisoning,
    Portrait,
    Sample,
    Stamp,
    SuspiciousRow,
)

_PIXELATED = 112  # images narrower than this are shown with their pixels as squares


@dataclass(frozen=True)
class Tile:
    """One column of an attack's gallery."""

    sample: Sample
    original: str
    perturbation: str
    adversarial: str
    pixelated: bool


@dataclass(frozen=True)
class Shot:
    """One picture; ``how`` is its class in the page's style sheet."""

    uri: str
    how: str


def tiles(gallery: Sequence[Sample]) -> list[Tile]:
    """Original, perturbation and attacked image of each sample."""
    factor = amplification(tuple(gallery))
    return [
        Tile(
            sample=sample,
            original=data_uri(picture(sample.original)),
            perturbation=data_uri(perturbation(sample, factor)),
            adversarial=data_uri(picture(sample.adversarial)),
            pixelated=_pixelated(sample.original),
        )
        for sample in gallery
    ]


def shot(pixels: Pixels) -> Shot:
    """One picture for the page."""
    return Shot(data_uri(picture(pixels)), "pixels" if _pixelated(pixels) else "")


def _pixelated(pixels: Pixels) -> bool:
    return int(max(pixels.shape[1:])) < _PIXELATED


def corrupted(part: Corruptions) -> list[tuple[str, int, str, bool, Shot]]:
    """Corruption, severity, what the model reads, whether that is right, and the picture."""
    return [
        (one.name, one.severity, one.prediction, one.prediction == one.label, shot(one.image))
        for one in part.gallery
    ]


def poisoned(part: Poisoning) -> list[tuple[int, str, str, Shot, Shot]]:
    """Index, label before and after, and the two pictures."""
    return [
        (one.index, one.label, one.poisoned_label, shot(one.original), shot(one.poisoned))
        for one in part.gallery
    ]


def stamps(part: Cleansing) -> list[tuple[Stamp, Shot, Shot, Shot]]:
    """Each stamp with its mask, what it paints, and a test image under it."""
    return [(one, shot(one.mask), shot(one.paint), shot(one.stamped)) for one in part.stamp_gallery]


def suspicious(part: Cleansing) -> list[tuple[SuspiciousRow, Shot]]:
    """Rows of training data with their pictures."""
    return [(one, shot(one.image)) for one in part.row_gallery]


def portraits(part: Inversion) -> list[tuple[str, list[tuple[Portrait, Shot, Shot]]]]:
    """For each attack what it made of each class, beside the mean of the class."""
    attacks = dict.fromkeys(one.attack for one in part.gallery)
    return [
        (attack, [(one, shot(one.mean), shot(one.picture)) for one in part.gallery if one.attack == attack])
        for attack in attacks
    ]
