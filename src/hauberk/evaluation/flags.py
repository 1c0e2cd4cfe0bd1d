"""Why a figure may mislead: flags with stable codes, explained in docs/flags.md."""

from __future__ import annotations

from dataclasses import dataclass

_ZERO_SHARE = 0.05  # of the samples: a dead unit here and there is no masking
_ONE_STEP_GAP = 0.05  # of accuracy: more than restarts differ by
_GAIN = 0.01  # of all samples: less is what any further search adds
_EVERYWHERE = 0.98  # of the samples must fall when the attacker may go anywhere
_LOOP_GAP = 0.2  # of accuracy: a short attack in training is allowed to find less


@dataclass(frozen=True)
class Flag:
    """Why a figure may mislead.

    Args:
        code: stable, such as ``HB101``.
        message: what was seen, with the figures.
        tried: names of the attacks that the evaluation added on its own to answer it.
    """

    code: str
    message: str
    tried: tuple[str, ...] = ()

    def describe(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "tried": list(self.tried)}


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
            "and those of another seed may differ",
        )
    ]


def no_gradient() -> Flag:
    """HB101: there is no path for a gradient at all."""
    return Flag(
        "HB101",
        "the model has no gradient with respect to its input: attacks that need one see a stand-in, or nothing",
    )


def probabilities(outputs: str) -> list[Flag]:
    """HB105: softmax stands between the network and the attacker."""
    if outputs == "logits":
        return []
    return [
        Flag(
            "HB105",
            f"the network returns {outputs}: where its softmax has saturated, differences of logits are lost "
            "and gradients vanish; hand over logits where you can",
        )
    ]


def black_box_beats_white(broke: int, samples: int) -> list[Flag]:
    """HB106: attacks without gradients broke what those with gradients left."""
    if broke < max(3, _GAIN * samples):
        return []
    return [
        Flag(
            "HB106",
            f"an attack without gradients broke {broke} samples that gradient attacks had left: the gradients "
            "mislead",
        )
    ]


def radius_without_effect(
    eps: tuple[float, ...], fooled: tuple[float, ...], margins: tuple[float, ...]
) -> list[Flag]:
    """HB107: the attacker gets no closer although he may go farther."""
    stuck = [
        place
        for place in range(1, len(eps))
        if fooled[place] < fooled[place - 1] - _ONE_STEP_GAP
        or (fooled[place] < _EVERYWHERE and margins[place] <= margins[place - 1] and margins[place] < 0)
    ]
    if not stuck:
        return []
    place = stuck[0]
    return [
        Flag(
            "HB107",
            f"with radius {eps[place]:g} in place of {eps[place - 1]:g} the attack comes no closer (fooled "
            f"{fooled[place]:.0%} and {fooled[place - 1]:.0%} of a few samples): its gradients lead nowhere",
        )
    ]


def holds_at_any_radius(eps: float, fooled: float) -> list[Flag]:
    """HB108: the attacker may go anywhere and does not always win."""
    if fooled >= _EVERYWHERE:
        return []
    return [
        Flag(
            "HB108",
            f"with radius {eps:g}, which reaches every valid image, only {fooled:.0%} of a few samples fall; "
            "it must be all: the attack is blind",
        )
    ]


def transfer_beats_white(broke: int, samples: int) -> list[Flag]:
    """HB109: samples made on another model broke what the model's own gradients left."""
    if broke < max(3, _GAIN * samples):
        return []
    return [
        Flag(
            "HB109",
            f"samples carried over from another model broke {broke} that the model's own gradients had left: "
            "the gradients mislead",
        )
    ]


def training_said_more(claimed: float | None, found: float) -> list[Flag]:
    """HB110: the loop that trained the model thought far better of it."""
    if claimed is None or claimed < found + _LOOP_GAP:
        return []
    return [
        Flag(
            "HB110",
            f"the training's own robust accuracy was {claimed:.1%}, the worst case here is {found:.1%}: its "
            "loop was too weak or at fault (a clamp inside of the differentiated path, for example), so do "
            "not quote figures from it",
        )
    ]


def gradients_declared_blocked(parts: tuple[str, ...], answer: str) -> list[Flag]:
    """HB112: what stands around the network says itself that it takes gradients away.

    Args:
        answer: what was done about it.
    """
    if not parts:
        return []
    return [
        Flag(
            "HB112",
            f"the defence declares that {_listed(parts)} {'hides' if len(parts) == 1 else 'hide'} gradients, "
            f"so the model's own say nothing of its robustness: {answer}",
        )
    ]


def answers_declared_random(parts: tuple[str, ...], repeats: int | None) -> list[Flag]:
    """HB113: what stands around the network says itself that it draws each answer anew.

    Args:
        repeats: answers averaged at each point; None where the attacks were given, and run as they were.
    """
    if not parts:
        return []
    answered = (
        f"{repeats} answers were averaged at each point"
        if repeats is not None
        else "the attacks given were run as they are; the standard cascade averages answers by itself"
    )
    return [
        Flag(
            "HB113",
            f"the defence declares that {_listed(parts)} {'draws' if len(parts) == 1 else 'draw'} each answer "
            f"anew, so that single answers mislead an attacker: {answered}",
        )
    ]


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def restarts_still_gain(broke: int) -> list[Flag]:
    """HB111: the search was not over."""
    if not broke:
        return []
    return [
        Flag(
            "HB111",
            f"the last round of restarts still broke {broke} samples: the true worst case is lower",
        )
    ]
