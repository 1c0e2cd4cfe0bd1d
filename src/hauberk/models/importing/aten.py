"""What a ``torch.export`` program may call: ordinary, side-effect free operations on tensors, by name.

Everything else is refused: operations that read files (``aten::from_file``), that swap storage, and any name
outside of ``aten``, because torch looks the names in a program file up by attribute, which reaches any function
of any module that its modules import.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import torch

from hauberk.core.errors import UnsupportedModel

_LAYERS = """
conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d linear addmm mm bmm matmul
mv baddbmm dot einsum embedding bilinear
max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d
adaptive_max_pool1d adaptive_max_pool2d
batch_norm _native_batch_norm_legit_no_training layer_norm native_layer_norm group_norm native_group_norm
instance_norm rms_norm dropout dropout_ feature_dropout feature_dropout_ alpha_dropout feature_alpha_dropout
scaled_dot_product_attention
pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
upsample_nearest1d upsample_nearest2d upsample_bilinear2d upsample_bicubic2d pixel_shuffle pixel_unshuffle
grid_sampler grid_sampler_2d
"""
_POINTWISE = """
relu relu_ relu6 relu6_ leaky_relu leaky_relu_ elu elu_ selu selu_ celu celu_ gelu gelu_ silu silu_ mish mish_
hardswish hardswish_ hardsigmoid hardsigmoid_ hardtanh hardtanh_ prelu _prelu_kernel softplus softsign
softmax log_softmax _softmax _log_softmax sigmoid sigmoid_ log_sigmoid tanh tanh_ glu threshold threshold_
add add_ sub sub_ mul mul_ div div_ rsub neg neg_ abs pow square sqrt rsqrt reciprocal exp exp_ expm1 log log1p
log2 sin cos tan asin acos atan sinh cosh erf erfc floor ceil round trunc frac sign floor_divide remainder fmod
clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ clip maximum minimum where lerp addcmul addcdiv
eq ne lt le gt ge logical_and logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not isnan isinf
masked_fill masked_fill_ nan_to_num
"""
_SHAPES = """
view _unsafe_view reshape view_as reshape_as flatten unflatten permute transpose t squeeze unsqueeze expand
expand_as repeat repeat_interleave cat concat stack split split_with_sizes chunk unbind select slice narrow
index index_select gather take_along_dim flip roll tile movedim moveaxis swapaxes contiguous clone detach
detach_ alias lift_fresh_copy lift_fresh to _to_copy type_as unfold im2col tril triu diagonal
sym_size sym_numel sum mean amax amin max min argmax argmin prod var std var_mean norm
linalg_vector_norm logsumexp cumsum any all sort topk one_hot
zeros ones full arange linspace scalar_tensor zeros_like ones_like full_like new_zeros new_ones new_full eye
"""

ALLOWED = frozenset(f"{_LAYERS} {_POINTWISE} {_SHAPES}".split())

CHECKS = frozenset(
    {"_assert_scalar", "_assert_async", "_assert_tensor_metadata", "sym_constrain_range_for_size"}
    | {"sym_constrain_range"}
)
"""Guards that the exporter leaves behind; they compute nothing and are left out."""

_ON_SIZES: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            *("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow", "getitem"),
            *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_"),
        )
    },
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc")},
    "torch.sym_int": int,
    "torch.sym_float": float,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
}

_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)")


def packet_name(target: str) -> str | None:
    """``conv2d`` of ``torch.ops.aten.conv2d.default``; None for what is not an aten operation."""
    matched = _ATEN.fullmatch(target)
    return matched[1] if matched else None


def resolve(target: str) -> Callable[..., Any]:
    """The function that a program's node names.

    Raises:
        UnsupportedModel: not one of the operations above.
    """
    if target in _ON_SIZES:
        return _ON_SIZES[target]
    matched = _ATEN.fullmatch(target)
    if matched is None or matched[1] not in ALLOWED:
        hint = None
        if "set_grad_enabled" in target:
            hint = "remove torch.no_grad() from forward(); it would hide the gradient from every measurement"
        raise UnsupportedModel(
            f"the program calls '{target[:200]}', which is not among the operations that are run",
            hint=hint,
            target=target,
        )
    overloads = getattr(torch.ops.aten, matched[1], None)
    if overloads is None or matched[2] not in overloads.overloads():
        raise UnsupportedModel(f"this version of torch has no '{target}'", target=target)
    found: Callable[..., Any] = getattr(overloads, matched[2])
    return found


def is_in_place(target: str) -> bool:
    """Whether an operation changes its first argument."""
    name = packet_name(target)
    return name is not None and name.endswith("_") and not name.endswith("__")
