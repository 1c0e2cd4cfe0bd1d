"""Rules for operations that move values about without changing them."""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.protection.obfuscate.axes import Axis
from hauberk.protection.obfuscate.pointwise_rules import first_of
from hauberk.protection.obfuscate.program import Call, Value
from hauberk.protection.obfuscate.walk import Axes, Rule, Walk, number


def reshaped(walk: Walk, call: Call) -> bool:
    """Row-major regrouping: runs of dimensions with the same product hold the same entries."""
    axes, sizes = walk.of(call, first_of(call)), walk.made(call)
    if call.name not in ("flatten", "squeeze", "unsqueeze"):  # these follow other sizes by themselves
        walk.rigid(axes)
    return walk.makes(call, regrouped(walk, axes, sizes))


def regrouped(walk: Walk, axes: Axes, sizes: Sequence[int]) -> Axes:
    """Axes of the sizes ``sizes`` that hold the same entries in the same order."""
    made = [Axis(size) for size in sizes]
    old = [one for one in axes if one.size > 1]
    new = [one for one in made if one.size > 1]
    while old:
        left, right = [old.pop(0)], [new.pop(0)]
        inside, outside = left[0].size, right[0].size
        while inside != outside:
            if inside < outside:
                left.append(old.pop(0))
                inside *= left[-1].size
            else:
                right.append(new.pop(0))
                outside *= right[-1].size
        walk.same(walk.product(left), walk.product(right))
    return made


def permuted(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, "self")
    return walk.makes(call, [axes[place] for place in call.given["dims"]])


def transposed(walk: Walk, call: Call) -> bool:
    axes = list(walk.of(call, "self"))
    if call.name == "t":
        return walk.makes(call, axes[::-1])
    one, other = (call.given["dim0"], call.given["dim1"])
    axes[one], axes[other] = axes[other], axes[one]
    return walk.makes(call, axes)


def expanded(walk: Walk, call: Call) -> bool:
    """The same along the new axes, so that their order is free and their scale is not."""
    axes, sizes = walk.of(call, "self"), walk.made(call)
    lacking = len(sizes) - len(axes)
    made = []
    for place, size in enumerate(sizes):
        old = axes[place - lacking] if place >= lacking else None
        if old is not None and old.size == size:
            made.append(old)
        else:
            made.append(Axis(size, "it is the same all along" if walk.scales else ""))
            walk.rigid(made[-1:])
    return walk.makes(call, made)


def joined(walk: Walk, call: Call) -> bool:
    parts = [walk.axes[name] for name in call.given["tensors"]]
    place = number(call, "dim", 0) % len(parts[0])
    if len({len(one) for one in parts}) > 1:
        return False
    for other in parts[1:]:
        for here, (a, b) in enumerate(zip(parts[0], other, strict=True)):
            if here != place:
                walk.same(a, b)
    made = list(parts[0])
    made[place] = walk.total([one[place] for one in parts])
    return walk.makes(call, made)


def stacked(walk: Walk, call: Call) -> bool:
    parts = [walk.axes[name] for name in call.given["tensors"]]
    for other in parts[1:]:
        for a, b in zip(parts[0], other, strict=True):
            walk.same(a, b)
    made = list(parts[0])
    made.insert(number(call, "dim", 0) % (len(made) + 1), walk.pinned(len(parts)))
    return walk.makes(call, made)


def taken_apart(walk: Walk, call: Call) -> bool:
    """Pieces along an axis."""
    axes = walk.of(call, "self")
    place = number(call, "dim", 0) % len(axes)
    pieces = [Axis(walk.made(call, here)[place]) for here in range(len(call.outputs))]
    walk.rigid([axes[place]])
    walk.same(axes[place], walk.total(pieces))
    return all(
        walk.makes(call, [*axes[:place], piece, *axes[place + 1 :]], here) for here, piece in enumerate(pieces)
    )


def unbound(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, "self")
    place = number(call, "dim", 0) % len(axes)
    walk.pin([axes[place]], "single entries are taken from it")
    kept = [*axes[:place], *axes[place + 1 :]]
    return all(walk.makes(call, kept, here) for here in range(len(call.outputs)))


def sliced(walk: Walk, call: Call) -> bool:
    axes = list(walk.of(call, "self"))
    place = number(call, "dim", 0) % len(axes)
    size, length = axes[place].size, walk.made(call)[place]
    start = number(call, "start", 0)
    if number(call, "step", 1) != 1 or isinstance(start, Value):
        return False
    start = min(max(start + size if start < 0 else start, 0), size)
    piece = Axis(length)
    walk.rigid([axes[place]])
    walk.same(axes[place], walk.total([Axis(start), piece, Axis(size - start - length)]))
    axes[place] = piece
    return walk.makes(call, axes)


def padded(walk: Walk, call: Call) -> bool:
    """Zeros around an axis leave it free; anything else does not."""
    axes = list(walk.of(call, "self"))
    constant = number(call, "mode", "constant") == "constant" and not call.name.startswith("reflection")
    if call.name.startswith("replication"):
        constant = False
    if constant and number(call, "value", 0) != 0:
        walk.pin_scale(axes, "it is padded with a number")
    pads = call.given["padding"] if "padding" in call.given else call.given["pad"]
    for here in range(len(pads) // 2):
        place = len(axes) - 1 - here
        before, after = pads[2 * here : 2 * here + 2]
        if before == after == 0:
            continue
        walk.rigid([axes[place]])
        if constant and before >= 0 and after >= 0:
            axes[place] = walk.total([walk.pinned(before), axes[place], walk.pinned(after)])
        else:
            walk.pin([axes[place]], "its order means something")
            axes[place] = walk.pinned(walk.made(call)[place])
    return walk.makes(call, axes)


SHAPES: dict[Rule, str] = {
    reshaped: "view reshape _unsafe_view view_as reshape_as flatten unflatten squeeze unsqueeze",
    permuted: "permute",
    transposed: "transpose t swapaxes",
    expanded: "expand expand_as",
    joined: "cat concat",
    stacked: "stack",
    taken_apart: "split split_with_sizes chunk",
    unbound: "unbind select",
    sliced: "slice narrow",
    padded: "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d",
}
