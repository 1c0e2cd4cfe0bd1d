"""Looking for a fingerprint's places in a suspect: does its answer change there, and in the same way?

Two questions a place: a little before it the suspect must say what the original said before, a little after
what it said after. A place that an independent model has too is a coincidence; how often that happens is an
assumption (``chance``), to be measured on models trained apart, and so the p-value is exact only as far as that
holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch

from hauberk.core.errors import ConfigError, DataError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes
from hauberk.protection.watermark.commitment import Place
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import Fingerprint
from hauberk.protection.watermark.verification.draws import stream, words
from hauberk.protection.watermark.verification.reading import Reading


def read_places(
    suspect: Classifier, key: MarkKey, mark: Fingerprint, places: Sequence[Place], data: Dataset
) -> Reading:
    """How many places are found again.

    Args:
        places: as the commitment has them.
        data: the training split between whose images the lines lead.

    Raises:
        ConfigError: images of another shape.
        DataError: not as many places as the mark has lines, or a place that does not exist.

    Cost: two queries a place.
    """
    if data.input_shape != suspect.input_shape:
        raise ConfigError(f"{data.name} has images {data.input_shape}, the model takes {suspect.input_shape}")
    if len(places) != mark.lines or len({one.line for one in places}) != mark.lines:
        raise DataError(f"a fingerprint of {mark.lines} lines needs as many places, each on a line of its own")
    points, wanted = [], []
    for one in places:
        if not 0 < one.at < 1_000_000 or one.before == one.after or one.line < 0:
            raise DataError(f"there is no such place: {one}")
        first, last = (_end(suspect, key, mark, one.line, side, data) for side in ("from", "to"))
        for step, label in ((-mark.width, one.before), (mark.width, one.after)):
            share = np.float32(min(1.0, max(0.0, one.at / 1_000_000 + step)))
            points.append((1 - share) * first + share * last)
            wanted.append(label)
    right = _labels(suspect, torch.from_numpy(np.stack(points))) == np.array(wanted)
    found = int(right.reshape(-1, 2).all(axis=1).sum())
    return Reading(mark.kind, mark.lines, found, Fraction(str(mark.chance)))


def _end(
    suspect: Classifier, key: MarkKey, mark: Fingerprint, line: int, side: str, data: Dataset
) -> npt.NDArray[np.float32]:
    """One end of a line: half an image, half noise. Lines are drawn in blocks of ``mark.lines``."""
    row, block = line % mark.lines, line - line % mark.lines
    number = int(words(key, f"fingerprint {side} {block}", row + 1)[row]) % len(data)
    size = data.images[0].numel()
    noise = stream(key, f"fingerprint noise {side} {block}", (row + 1) * size)[row * size :] >= 128
    lower, upper = (one.numpy()[0] for one in suspect.bounds.tensors(data.images[:1]))
    shaped = np.where(noise.reshape(data.input_shape), upper, lower)
    end: npt.NDArray[np.float32] = (data.images[number].numpy() / 2 + shaped / 2).astype(np.float32)
    return end


def _labels(suspect: Classifier, points: torch.Tensor) -> npt.NDArray[np.int64]:
    with torch.no_grad():
        found = [
            suspect(points[part].to(suspect.device)).argmax(dim=1).cpu()
            for part in passes(len(points), pass_size(suspect))
        ]
    labels: npt.NDArray[np.int64] = torch.cat(found).numpy()
    return labels
