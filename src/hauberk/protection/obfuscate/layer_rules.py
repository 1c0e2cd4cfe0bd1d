"""Rules for layers: what is summed over, what is normalised, what is pooled."""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.protection.obfuscate.axes import Axis
from hauberk.protection.obfuscate.pointwise_rules import BENT, broadcast, first_of
from hauberk.protection.obfuscate.program import Call
from hauberk.protection.obfuscate.walk import Axes, Rule, Walk, number


def convolution(walk: Walk, call: Call) -> bool:
    x, weight = walk.of(call, "input"), walk.of(call, "weight")
    if len(x) != len(weight):
        return False  # a single image without a batch
    spatial, kernel = x[2:], weight[2:]
    walk.pin([x[0], *spatial, *kernel], "its order means something")
    groups = int(number(call, "groups", 1))
    if groups == 1:
        walk.reads(call, "weight", 1, x[1])
        out = weight[0]
    else:
        out = _grouped(walk, x[1], weight, groups)
    if walk.given(call, "bias"):
        walk.same(walk.of(call, "bias")[0], out)
    sizes = walk.made(call)[2:]
    return walk.makes(call, [x[0], out, *(walk.pinned(size) for size in sizes)])


def _grouped(walk: Walk, channels: Axis, weight: Axes, groups: int) -> Axis:
    """Groups move whole, and alike within; of scales, those of the groups go through."""
    walk.rigid([channels, weight[0], weight[1]])
    group = Axis(groups)
    inner, outer = Axis(channels.size // groups), Axis(weight[0].size // groups)
    walk.same(channels, walk.product([group, inner]))
    walk.summed(weight[1], inner)
    if not walk.scales:
        walk.same(weight[0], walk.product([group, outer]))
        return weight[0]
    walk.pin([weight[0]], "the scale of a group goes through it")
    return walk.product([group, walk.pinned(outer.size)])


def transposed_convolution(walk: Walk, call: Call) -> bool:
    x, weight = walk.of(call, "input"), walk.of(call, "weight")
    if len(x) != len(weight) or int(number(call, "groups", 1)) != 1:
        return False
    walk.pin([x[0], *x[2:], *weight[2:]], "its order means something")
    walk.reads(call, "weight", 0, x[1])
    if walk.given(call, "bias"):
        walk.same(walk.of(call, "bias")[0], weight[1])
    return walk.makes(call, [x[0], weight[1], *(walk.pinned(size) for size in walk.made(call)[2:])])


def linear(walk: Walk, call: Call) -> bool:
    x, weight = walk.of(call, "input"), walk.of(call, "weight")
    walk.reads(call, "weight", 1, x[-1])
    if walk.given(call, "bias"):
        walk.pin_scale(x[:-1], "a bias without this axis is added")
        walk.same(walk.of(call, "bias")[0], weight[0])
    return walk.makes(call, [*x[:-1], weight[0]])


def _contract(walk: Walk, a: Axes, b: Axes) -> Axes:
    walk.rigid([a[-1], b[-2]])
    walk.summed(a[-1], b[-2])
    batch = broadcast(walk, a[:-2], b[:-2], additive=False)
    walk.pin_scale(b[:-2], "the other factor carries the scale")
    return [*batch, a[-2], b[-1]]


def matmul(walk: Walk, call: Call) -> bool:
    names = list(call.given)[:2]
    a, b = (walk.of(call, name) for name in names)
    return len(a) >= 2 and len(b) >= 2 and walk.makes(call, _contract(walk, a, b))


def addmm(walk: Walk, call: Call) -> bool:
    if number(call, "alpha", 1) != 1 or number(call, "beta", 1) != 1:
        return False
    made = _contract(walk, walk.of(call, "mat1"), walk.of(call, "mat2"))
    return walk.makes(call, broadcast(walk, made, walk.of(call, "self"), additive=True))


def attention(walk: Walk, call: Call) -> bool:
    """Heads, features within heads, and tokens; queries and keys are scaled against each other."""
    query, key, value = (walk.of(call, name) for name in ("query", "key", "value"))
    if len({len(query), len(key), len(value)}) != 1 or number(call, "enable_gqa", False):
        return False
    if any(q.size != k.size or k.size != v.size for q, k, v in zip(query[:-2], key, value, strict=False)):
        return False
    walk.rigid([*query[:-2], query[-1]])  # the scale of the scores is taken from the size
    walk.summed(query[-1], key[-1])
    walk.same(key[-2], value[-2])
    walk.pin_scale([query[-2], key[-2]], BENT)
    for q, k, v in zip(query[:-2], key[:-2], value[:-2], strict=True):
        walk.summed(q, k)
        if not walk.scales:
            walk.same(q, v)
    if number(call, "is_causal", False):
        walk.pin([query[-2], key[-2]], "attention is causal")
    if walk.given(call, "attn_mask"):
        mask = walk.of(call, "attn_mask")
        walk.pin_scale(mask, BENT)
        broadcast(walk, [*query[:-2], query[-2], key[-2]], mask, additive=True)
        walk.pin_scale([*query, *key], BENT)
    return walk.makes(call, [*value[:-2], query[-2], value[-1]])


def _normalised(walk: Walk, call: Call, axes: Axes, places: Sequence[int]) -> bool:
    """Weight and bias give the new scale to ``places``; without them there is none."""
    made = [walk.pinned(one.size) if walk.scales else one for one in axes]
    walk.pin_scale(axes, "it is normalised")
    if walk.given(call, "weight"):
        weight = walk.of(call, "weight")
        for place, own in zip(places, weight, strict=True):
            if walk.scales:
                made[place] = own
            else:
                walk.same(axes[place], own)
        if walk.given(call, "bias"):
            for own, other in zip(weight, walk.of(call, "bias"), strict=True):
                walk.same(own, other)
    return walk.makes(call, made)


def batch_norm(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, "input")
    for name in ("running_mean", "running_var"):
        if not walk.given(call, name):
            return False
        statistic = walk.of(call, name)
        walk.pin_scale(statistic, "it is normalised")
        if not walk.scales:
            walk.same(statistic[0], axes[1])
    return _normalised(walk, call, axes, [1])


def layer_norm(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, "input")
    count = len(call.given["normalized_shape"])
    walk.rigid(axes[-count:])
    return _normalised(walk, call, axes, range(len(axes) - count, len(axes)))


def group_norm(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, "input")
    groups = int(call.given["num_groups"])
    if not walk.scales:
        walk.rigid(axes[1:2])
        walk.same(axes[1], walk.product([Axis(groups), Axis(axes[1].size // groups)]))
    return _normalised(walk, call, axes, [1])


def pooling(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, first_of(call))
    spatial = int(call.name.removesuffix("_with_indices")[-2])
    walk.pin(axes[-spatial:], "its order means something")
    kept = axes[:-spatial]
    return walk.makes(call, [*kept, *(walk.pinned(size) for size in walk.made(call)[-spatial:])])


def upsampling(walk: Walk, call: Call) -> bool:
    axes = walk.of(call, first_of(call))
    walk.pin(axes[2:], "its order means something")
    return walk.makes(call, [*axes[:2], *(walk.pinned(size) for size in walk.made(call)[2:])])


def reduced(walk: Walk, call: Call) -> bool:
    """Mean, sum or extreme over axes, in whatever order."""
    axes = walk.of(call, first_of(call))
    said = number(call, "dim", None)
    over = [said] if isinstance(said, int) else list(said or range(len(axes)))
    over = [place % len(axes) for place in over]
    gone = [axes[place] for place in over]
    walk.rigid(gone)
    walk.pin_scale(gone, "it is summed over")
    kept = [
        Axis(1) if place in over else one
        for place, one in enumerate(axes)
        if place not in over or number(call, "keepdim", False)
    ]
    return walk.makes(call, kept)


LAYERS: dict[Rule, str] = {
    convolution: "conv1d conv2d conv3d",
    transposed_convolution: "conv_transpose1d conv_transpose2d conv_transpose3d",
    linear: "linear",
    matmul: "matmul mm bmm",
    addmm: "addmm",
    attention: "scaled_dot_product_attention",
    batch_norm: "batch_norm _native_batch_norm_legit_no_training",
    layer_norm: "layer_norm native_layer_norm",
    group_norm: "group_norm",
    pooling: "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d "
    "_adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d",
    upsampling: "upsample_nearest1d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d",
    reduced: "mean sum amax amin",
}
