"""Choices that follow from a seed: which of so many, again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from hauberk.crypto.ff1 import SMALLEST_DOMAIN

T = TypeVar("T")
Permute = Callable[[int, int, bytes], int]
"""``permute(size, value, tweak)``: the place of ``value`` in a keyed permutation of ``size`` values."""

_WORD = 8
_WORDS = 16  # of SHAKE's output at a time: one name takes a handful


class Choice:
    """What replaces one value.

    Args:
        seed: the choices of who has the same seed are the same; it comes from a key and the value.
        permute: for values that can be numbered, so that no two of them become the same; None where the
            replacement does not depend on the value.
    """

    def __init__(self, seed: bytes, permute: Permute | None = None) -> None:
        self._seed, self._permute = seed, permute
        self._words: list[int] = []
        self._used = 0

    def below(self, size: int) -> int:
        """A number below ``size``; the bias is below ``size / 2**64``."""
        if self._used == len(self._words):
            count = max(_WORDS, 2 * self._used)
            stream = hashlib.shake_256(self._seed).digest(_WORD * count)
            self._words = [
                int.from_bytes(stream[at : at + _WORD], "big") for at in range(0, len(stream), _WORD)
            ]
        word = self._words[self._used]
        self._used += 1
        return word % size

    def of(self, options: Sequence[T]) -> T:
        """One of several."""
        return options[self.below(len(options))]

    def place(self, size: int, value: int | None, tweak: bytes = b"") -> int:
        """Where ``value``, a number below ``size``, goes; None is a value that has no number.

        One to one where there is a key's permutation and at least a million values; drawn otherwise.
        """
        if value is None or self._permute is None or size < SMALLEST_DOMAIN:
            return self.below(size) if size < 1 << 32 else self._wide(size)
        return self._permute(size, value, tweak)

    def _wide(self, size: int) -> int:
        value = 0
        for _ in range(-(-size.bit_length() // 64) + 1):
            value = value << 64 | self.below(1 << 64)
        return value % size
