"""The code: a bit for every recipient in every position, with a bias that differs from position to position.

In each position a bias ``p`` is drawn from the arcsine law, cut off at both ends, and each recipient's bit is
1 with probability ``p``. Colluders who compare copies see the positions in which theirs differ and may write
there what they like; the biases make sure that whatever they write resembles them more than it resembles
anybody else.

Biases and bits come from the key, so that nothing but names is stored. Bits are drawn against biases that are
whole multiples of 1/65536, which makes the probability of a bit exact.

Source: Tardos, Optimal probabilistic fingerprint codes, J. ACM 55(2), 2008; Škorić, Katzenbeisser, Celik,
    Symmetric Tardos fingerprinting codes for arbitrary alphabet sizes, Designs, Codes and Cryptography 46,
    2008. Length and cut-off with the constants of Laarhoven, de Weger, Optimal symmetric Tardos traitor
    tracing schemes, Designs, Codes and Cryptography 71, 2014, for two or more colluders.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.settings import require_count
from hauberk.crypto.secret import Secret
from hauberk.protection.trace.key import stream

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]

_LENGTH = 23.79  # positions per squared colluder and natural logarithm of recipients over false accusations
_CUTOFF = 28.31  # biases stay 1 / (this times colluders) away from 0 and 1
_STEPS = 1 << 16  # biases are multiples of one over this
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class CodePlan:
    """For whom a code is made.

    Args:
        recipients: how many copies may ever be issued.
        colluders: how many of them may put their copies together.
        max_false: highest probability that anybody innocent, out of all recipients, is accused of a leak.

    Raises:
        ConfigError: a setting out of range.
    """

    recipients: int = 10_000
    colluders: int = 3
    max_false: float = 1e-6

    def __post_init__(self) -> None:
        for name, low, high in (("recipients", 2, 10**9), ("colluders", 2, 100)):
            require_count(name, getattr(self, name), "CodePlan", least=low, most=high)
        object.__setattr__(self, "max_false", check_max_false(self.max_false))

    @property
    def length(self) -> int:
        """Positions of the code: ``ceil(23.79 c^2 ln(n / max_false))``."""
        return math.ceil(_LENGTH * self.colluders**2 * math.log(self.recipients / self.max_false))

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "recipients": self.recipients,
            "colluders": self.colluders,
            "max_false": self.max_false,
            "length": self.length,
        }


def check_max_false(value: object) -> float:
    """A probability below one half, or a ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 0.5:
        raise ConfigError(f"max_false must be a probability in (0, 0.5], got {value!r}")
    return float(value)


@dataclass(frozen=True)
class Code:
    """A plan's code words under a key, for copies of one model.

    Args:
        model: the original's digest; copies of different models share no bits.

    Cost: ``2 * length`` pseudorandom bytes a recipient.
    """

    plan: CodePlan
    key: Secret
    model: str

    @cached_property
    def thresholds(self) -> npt.NDArray[np.uint16]:
        """Biases times 65536, uint16 ``(length,)``, from 1 to 65535."""
        raw = stream(self.key, f"biases {self.model}", 4 * self.plan.length)
        uniform = (np.frombuffer(raw, "<u4").astype(np.float64) + 0.5) / 2**32
        lowest = math.asin(math.sqrt(1 / (_CUTOFF * self.plan.colluders)))
        angle = lowest + (math.pi / 2 - 2 * lowest) * uniform
        biases: Floats = np.rint(_STEPS * np.sin(angle) ** 2)
        return biases.astype(np.uint16)

    @cached_property
    def biases(self) -> Floats:
        """Probability of a 1 in each position, float64 ``(length,)``, exact."""
        return self.thresholds / _STEPS

    def word(self, recipient: str) -> Bits:
        """A recipient's bits, ``(length,)``."""
        raw = stream(self.key, f"word {self.model} {checked_name(recipient)}", 2 * self.plan.length)
        return np.frombuffer(raw, "<u2") < self.thresholds

    def words(self, recipients: Iterable[str]) -> Bits:
        """Several recipients' bits, ``(n, length)``."""
        return np.stack([self.word(one) for one in recipients])


def checked_name(recipient: str) -> str:
    """A recipient's name in Unicode's composed form, so that one name has one code word.

    Raises:
        DataError: empty, too long, or with line breaks or other control characters.
    """
    name = unicodedata.normalize("NFC", recipient).strip()
    if not name or len(name) > _LONGEST_NAME or any(unicodedata.category(one)[0] == "C" for one in name):
        raise DataError(
            f"a recipient's name has 1 to {_LONGEST_NAME} characters, none for control; got {recipient!r}"
        )
    return name
