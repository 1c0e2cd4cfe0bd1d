"""Why a figure may mislead: flags with stable codes, explained in docs/flags.md."""

from __future__ import annotations

from dataclasses import dataclass

_ZERO_SHARE = 0.05
_ONE_STEP_GAP = 0.05


@dataclass(frozen=True)
class Flag:
    """Args:
    code: stable, such as ``HB101``.
    message: what was seen, with the figures.
    """

    code: str
    message: str

    def describe(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


def zero_gradients(share: float) -> list[Flag]:
    """HB101: gradients vanish, so gradient attacks prove little."""
    if share < _ZERO_SHARE:
        return []
    return [
        Flag(
            "HB101",
            f"the gradient is exactly zero at the start of {share:.0%} of the samples: gradient attacks are "
            "blind there, and the figure may be too good",
        )
    ]


def one_step_beats_many(one_step: float | None, many: float | None) -> list[Flag]:
    """HB102: FGSM breaks more than an iterated attack, which honest gradients do not allow."""
    if one_step is None or many is None or one_step >= many - _ONE_STEP_GAP:
        return []
    return [
        Flag(
            "HB102",
            f"one step (accuracy {one_step:.1%}) does more harm than many (accuracy {many:.1%}): the gradients "
            "mislead, and the figure may be too good",
        )
    ]


def few_samples(samples: int) -> list[Flag]:
    """HB103: the interval is wide."""
    if samples >= 100:
        return []
    return [Flag("HB103", f"only {samples} samples: look at the interval, not at the figure")]


def randomised(change: float | None) -> list[Flag]:
    """HB104: the model answers otherwise when asked again."""
    if change is None:
        return []
    return [
        Flag(
            "HB104",
            f"the same image gives different logits (by up to {change:.3g}): verdicts hold for one answer, "
            "and a repetition may differ",
        )
    ]
