"""Rules for functions of single entries, and of two tensors entry by entry."""

from __future__ import annotations

import math

from hauberk.protection.obfuscate.axes import Axis
from hauberk.protection.obfuscate.program import Call, Value
from hauberk.protection.obfuscate.walk import Axes, Rule, Walk, number

BENT = "a function that is not homogeneous lies on the way"


def first_of(call: Call) -> str:
    """The name of an operation's own tensor, which is one of two."""
    return "self" if "self" in call.given else "input"


def homogeneous(walk: Walk, call: Call) -> bool:
    """Each entry by itself, ``f(s x) = s f(x)`` for ``s > 0``."""
    if not walk.given(call, first_of(call)):
        return False
    return walk.makes(call, walk.of(call, first_of(call)))


def pointwise(walk: Walk, call: Call) -> bool:
    """Each entry by itself, whatever the function."""
    others = [key for key in call.given if walk.given(call, key) and key != first_of(call)]
    if others or not walk.given(call, first_of(call)):
        return False
    axes = walk.of(call, first_of(call))
    walk.pin_scale(axes, BENT)
    return walk.makes(call, axes)


def clamped(walk: Walk, call: Call) -> bool:
    """ReLU in other words, or any other limits."""
    rectifies = number(call, "min", None) == 0 and number(call, "max", None) is None
    return homogeneous(walk, call) if rectifies else pointwise(walk, call)


def cast(walk: Walk, call: Call) -> bool:
    return pointwise(walk, call) if "dtype" in call.given else homogeneous(walk, call)


def softmax(walk: Walk, call: Call) -> bool:
    walk.rigid(walk.of(call, first_of(call)))
    return pointwise(walk, call)


def prelu(walk: Walk, call: Call) -> bool:
    axes, weight = walk.of(call, "self"), walk.of(call, "weight")
    walk.pin_scale(weight, "it is a slope")
    if weight and weight[0].size > 1:
        walk.same(axes[1], weight[0])
    return walk.makes(call, axes)


def _aligned(axes: Axes, rank: int) -> Axes:
    return [*(Axis(1) for _ in range(rank - len(axes))), *axes]


def broadcast(walk: Walk, left: Axes, right: Axes, *, additive: bool) -> Axes:
    """The axes of ``left op right``; what is spread over an axis must not be scaled along it."""
    rank = max(len(left), len(right))
    made = []
    for a, b in zip(_aligned(left, rank), _aligned(right, rank), strict=True):
        if a.size == b.size:
            if a.size > 1 and (additive or not walk.scales):
                walk.same(a, b)
            made.append(a)
        else:
            wide = a if b.size == 1 else b
            if additive:
                walk.pin_scale([wide], "something without this axis is added")
            made.append(wide)
    return made


def additive(walk: Walk, call: Call) -> bool:
    """Sum, difference, larger or smaller of two tensors, or of a tensor and a number."""
    if not walk.given(call, "self"):
        return False
    axes = walk.of(call, "self")
    if not walk.given(call, "other"):
        if isinstance(call.given.get("other"), Value):
            return False
        walk.pin_scale(axes, "a number is added")
        return walk.makes(call, axes)
    return walk.makes(call, broadcast(walk, axes, walk.of(call, "other"), additive=True))


def multiplied(walk: Walk, call: Call) -> bool:
    """Product or quotient: one side carries the scale, the other none."""
    if not walk.given(call, "self") or number(call, "rounding_mode", None) is not None:
        return False
    left = walk.of(call, "self")
    if not walk.given(call, "other"):
        return not isinstance(call.given.get("other"), Value) and walk.makes(call, left)
    right = walk.of(call, "other")
    quotient = call.name.startswith("div")
    swap = not quotient and _factor_rank(walk, call, "self") > _factor_rank(walk, call, "other")
    walk.pin_scale(left if swap else right, "it multiplies something that is scaled")
    return walk.makes(call, broadcast(walk, left, right, additive=False))


def _factor_rank(walk: Walk, call: Call, name: str) -> tuple[bool, bool, int]:
    """Larger for what gives up less when it is not scaled."""
    axes = walk.of(call, name)
    return walk.is_still(axes), call.given[name] in walk.state, -math.prod(one.size for one in axes)


POINTWISE: dict[Rule, str] = {
    homogeneous: "relu relu_ leaky_relu leaky_relu_ abs neg neg_ clone contiguous detach detach_ alias "
    "lift_fresh_copy dropout dropout_ feature_dropout feature_dropout_",
    pointwise: "gelu gelu_ silu silu_ mish mish_ sigmoid sigmoid_ tanh tanh_ elu elu_ selu selu_ celu celu_ "
    "relu6 relu6_ hardswish hardswish_ hardsigmoid hardsigmoid_ hardtanh hardtanh_ softplus softsign "
    "log_sigmoid erf exp exp_ expm1 log log1p sqrt rsqrt reciprocal square sin cos sign floor ceil round "
    "trunc clamp_max clamp_max_",
    cast: "to _to_copy",
    clamped: "clamp clamp_ clip clamp_min clamp_min_",
    softmax: "softmax log_softmax _softmax _log_softmax",
    prelu: "prelu _prelu_kernel",
    additive: "add add_ sub sub_ maximum minimum",
    multiplied: "mul mul_ div div_",
}
