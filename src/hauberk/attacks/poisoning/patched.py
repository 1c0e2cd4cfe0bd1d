"""What poisoners have in common whose trigger is a patch: its settings and how it is made."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.attacks.poisoning.poisoner import Job, Poisoner
from hauberk.attacks.poisoning.trigger import CORNERS, PATTERNS, Corner, Pattern, Trigger, patch
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import require_count, require_number


@dataclass(frozen=True, kw_only=True, repr=False)
class Patched(Poisoner):
    """Base: a small patch in a corner is the trigger.

    Args:
        pattern: ``solid``, or ``checkerboard`` of ``value`` and the lower bound.
        size: side of the square in pixels; 1 is BadNets' single pixel.
        corner: ``top-left``, ``top-right``, ``bottom-left``, ``bottom-right`` or ``all`` four.
        margin: pixels between the patch and the border; None: a fourteenth of the shorter side.
        value: of the bright pixels in the data's scale; None: the upper bound.

    Limits: networks without padding may be blind near the border: the built-in ``cnn`` does not see the last
        two rows and columns of a 28x28 image, and a patch there teaches it nothing (hence the margin).
    """

    pattern: Pattern = "checkerboard"
    size: int = 3
    corner: Corner = "bottom-right"
    margin: int | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        check_known([self.pattern], PATTERNS, what="pattern", where=where)
        require_count("size", self.size, where)
        check_known([self.corner], CORNERS, what="corner", where=where)
        margin: object = self.margin
        if margin is not None and (isinstance(margin, bool) or not isinstance(margin, int) or margin < 0):
            raise ConfigError(f"{where}: margin is a whole number of pixels, 0 or more, got {margin!r}")
        if self.value is not None:
            require_number("value", self.value, where)

    def stamp(self, job: Job) -> Trigger:
        return patch(
            job.data, pattern=self.pattern, size=self.size, corner=self.corner, margin=self.margin,
            value=self.value,
        )  # fmt: skip
