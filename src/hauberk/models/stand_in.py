"""A stand-in whose gradients pass straight through the steps that have none: rounding, signs, thresholds.

Backward-pass differentiable approximation with the identity (BPDA; Athalye, Carlini, Wagner: Obfuscated
gradients give a false sense of security, ICML 2018, section 4.1), for networks nobody rewrote: the functions
are replaced while the stand-in runs, and nowhere else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from hauberk.models.classifier import Classifier
from hauberk.models.parts import Gradient, Inner, Part

_SLOPE_ONE = frozenset(
    (
        torch.round, torch.floor, torch.ceil, torch.trunc, torch.fix, torch.sign, torch.clamp, torch.clip,
        Tensor.round, Tensor.floor, Tensor.ceil, Tensor.trunc, Tensor.fix, Tensor.sign, Tensor.clamp,
        Tensor.clip,
    )
)  # fmt: skip


class StraightThrough(TorchFunctionMode):
    """While active: rounding, sign and clamp keep their values and have slope 1; ``detach`` is passed over."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        if func in (torch.detach, Tensor.detach):
            return args[0]
        if func in _SLOPE_ONE and args and isinstance(args[0], Tensor):
            x = args[0]
            if x.is_floating_point() and x.requires_grad:
                return x + (func(*args, **given) - x).detach()
        return func(*args, **given)


class _Bridge(Part):
    """Outermost of the stand-in's parts: everything within it runs with bridged slopes."""

    name = "bridge"

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        with StraightThrough():
            return inner(x)


def straight_through(classifier: Classifier) -> Classifier:
    """A copy to take gradients from: the same logits, slopes of 1 at rounding, sign, clamp and ``detach``.

    Parts that know a better bridge over themselves (``Part.relaxed``) are replaced by it, those around the
    members of an ensemble too.

    Limits: sees what runs as torch functions under Python. Compiled or exported programs, steps done in numpy,
    comparisons and casts to integers stay without a slope; give a stand-in of your own for these.
    """
    copied = copy.deepcopy(classifier)
    for one in [one for one in copied.modules() if isinstance(one, Classifier)]:
        one.defences = nn.ModuleList([part.relaxed() for part in one.defences if isinstance(part, Part)])
    copied.defences = nn.ModuleList([_Bridge(), *copied.defences])
    copied.architecture = None
    return copied.eval()


def declares(classifier: Classifier, gradient: Gradient) -> bool:
    """Whether a part, of a member too, says this of its gradients."""
    return any(isinstance(one, Part) and one.gradient == gradient for one in classifier.modules())


def sighted(classifier: Classifier) -> Classifier | None:
    """What to take gradients from in the classifier's place; None where no part says that it hides them."""
    return straight_through(classifier) if declares(classifier, "blocked") else None
