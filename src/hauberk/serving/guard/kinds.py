"""What a look at something nearly seen before says: nature, or a search.

Two looks of nature at one scene differ by noise in *both*: two steps away from the same look share that
look's noise, so the angle between them is about 60 degrees (cosine 0.5); a pan, a fade or a change of light
goes on from the last look. A search compares its questions with one point that it knows *exactly*: its steps
from there are independent (cosine 0), opposite (-1) or on one line; or they leave part of the image as it was
to the last bit, and the next one starts from what helped and not from what did not. An attacker who hides
that behind noise of his own loses what he wanted to measure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hauberk.serving.protocol import Floats

SAME = 2e-5  # a cell's sum that moved by less has not moved: rounding of float32
_PART = 0.1  # of the cells with something in them
_LEAST_PART = 4  # cells
_DARK, _LEAST_ACTIVE = 0.05, 8  # cells that say too little of the light, and how many must say something
_HARDLY, _DIMMEST, _AGREE = 0.01, 0.7, 0.02  # ratios of contrast: as good as none, too much, the same
_LARGE = 0.03  # of the valid range in one cell's sum; less is a sensor's last bit
_LIGHT = 0.1  # of a step's length, beside more or less contrast; prints do not see even light
_LINE = 0.995
_BETWEEN, _PER_COSINE = 0.2, 8.0  # between 0 and 0.5; nats for each unit of cosine
_SMALL, _MIDDLE = 0.06, 0.25  # steps, in distances between two natural inputs


class Kind(StrEnum):
    """How a look differs from the nearest one before it."""

    REPEAT = "repeat"
    LIGHT = "light"
    FIRST = "first step"
    PART = "part of the image"
    LINE = "line"
    SPOKE = "independent step"
    NATURAL = "natural"


@dataclass(frozen=True, slots=True)
class Reading:
    """A look's kind, and how many nats it speaks for a search (below 0: against)."""

    kind: Kind
    weight: float


_BACK, _ON, _AGAINST = Reading(Kind.PART, 1.5), Reading(Kind.PART, 0.25), Reading(Kind.NATURAL, -1.5)
_UNKNOWN = Reading(Kind.PART, 0.0)
_REPEAT, _AS_LIGHT, _FIRST = Reading(Kind.REPEAT, 0.0), Reading(Kind.LIGHT, 0.0), Reading(Kind.FIRST, 0.0)


def exposure(one: Floats, hub: Floats) -> float:
    """By how much a look has more contrast than another, where most cells agree on that; else 1."""
    active = np.abs(hub) > _DARK * np.abs(hub).max()
    if np.count_nonzero(active) < _LEAST_ACTIVE:
        return 1.0
    ratios = one[active] / hub[active]
    middle = float(np.partition(ratios, len(ratios) // 2)[len(ratios) // 2])  # one that occurs, to the last bit
    if abs(middle - 1) < _HARDLY or not _DIMMEST < middle < 1 / _DIMMEST:
        return 1.0
    agree = np.count_nonzero(np.abs(ratios - middle) < _AGREE)
    return middle if 2 * agree > len(ratios) else 1.0


def in_part(step: Floats, hub: Floats) -> bool:
    """Whether a step leaves part of what is there as it was to the last bit, and changes the rest visibly."""
    moved = np.abs(step)
    active = np.count_nonzero((moved > SAME) | (np.abs(hub) > SAME))
    still = active - np.count_nonzero(moved > SAME)
    return bool(still >= max(_LEAST_PART, _PART * active) and moved.max() > _LARGE)


def read_part(better: bool | None, went_on: bool, went_back: bool) -> Reading:
    """Judge a step in part of the image by the one before it: a search goes on from what helped, else back.

    Args:
        better: whether the step before it brought the image nearer to another label; None where there was none.
        went_on: this step starts from where that one led.
        went_back: this step starts from where that one started.
    """
    if better is None or went_on == went_back:
        return _UNKNOWN
    if better != went_on:
        return _AGAINST
    return _ON if went_on else _BACK


def read(step: Floats, hub: Floats, before: Floats, count: int, *, flips: bool, typical: float) -> Reading:
    """Judge one step.

    Args:
        step: the print less that of the look it is compared with, ``(cells,)``.
        hub: that look's print.
        before: sum of the unit steps from there so far, ``count`` of them.
        flips: whether the answer is another label than there.
        typical: distance between the prints of two natural inputs.
    """
    squared = float(step @ step)
    if squared <= SAME**2 * len(step) and np.abs(step).max() <= SAME:
        return _REPEAT
    if count == 0:
        return _FIRST
    length = math.sqrt(squared)
    along, size = float(step @ hub), float(hub @ hub)
    if size > 0 and squared - along * along / size < _LIGHT**2 * squared:
        return _AS_LIGHT
    cosine = float(step @ before) / (length * math.sqrt(before @ before) + 1e-12)
    worth = 1.0 if flips or length < _SMALL * typical else 0.4 if length < _MIDDLE * typical else 0.2
    if abs(cosine) > _LINE:
        return Reading(Kind.LINE, 2.0 * worth)
    weight = max(-1.0, min(1.0, (_BETWEEN - cosine) * _PER_COSINE))
    return Reading(Kind.SPOKE, weight * worth) if weight > 0 else Reading(Kind.NATURAL, weight)
