"""Batch norm taken up by the layer before it; where there is none, only its statistics are taken up.

In eval mode batch norm is ``f x + g`` for each channel, with ``f = weight / sqrt(variance + eps)`` and
``g = bias - f mean``. After a convolution or a dense layer that nobody else reads, ``f`` goes into its weight
and ``g`` into its bias, and the norm is gone. Elsewhere the norm stays, with mean 0, variance 1, weight ``f``
and bias ``g``: as fast as before, and without the statistics of the training data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hauberk.protection.obfuscate.program import Call, Program, Shape, Value

_NORM = "batch_norm"
_BEFORE = ("conv1d", "conv2d", "conv3d", "linear")  # output channels are the weight's first dimension
_ROLES = ("weight", "bias", "running_mean", "running_var")
_IDLE = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")  # in eval mode


@dataclass(frozen=True)
class Norm:
    """A batch norm that was taken up.

    Args:
        tensors: names of weight, bias, mean and variance.
        into: the weight of the layer that took it up; None where the norm stays.
    """

    tensors: tuple[str, str, str, str]
    eps: float
    into: str | None

    def factor(self, weights: Mapping[str, Tensor]) -> Tensor:
        """``f``, float64 ``(channels,)``."""
        weight, _, _, variance = (weights[name].to(torch.float64) for name in self.tensors)
        return weight / (variance + self.eps).sqrt()

    def offset(self, weights: Mapping[str, Tensor]) -> Tensor:
        """``g``, float64 ``(channels,)``."""
        _, bias, mean, _ = (weights[name].to(torch.float64) for name in self.tensors)
        return bias - mean * self.factor(weights)


def spread(vector: Tensor, like: Tensor) -> Tensor:
    """One number for each output channel of a weight."""
    return vector.view(-1, *[1] * (like.ndim - 1))


def fold(program: Program, shapes: Mapping[str, Shape]) -> tuple[Program, list[Norm]]:
    """A program without batch norm's statistics, dropout and tensors that nobody reads, and what was done.

    Args:
        shapes: of all values, ``Program.shapes``.

    Limits: in train mode it no longer gathers statistics and no longer drops anything.
    """
    folded = program.copy()
    norms: list[Norm] = []
    for place, call in enumerate(program.calls()):
        if call.name in _IDLE:
            _bypass(folded, str(call.outputs[0]), str(call.given["input"]))
        elif call.name == _NORM and (norm := _foldable(program, call, shapes)) is not None:
            _take_up(folded, call, norm, place)
            norms.append(norm)
    _forget_unread(folded)
    return folded, norms


def _foldable(program: Program, call: Call, shapes: Mapping[str, Shape]) -> Norm | None:
    state, readers = program.state, program.readers
    given = [call.given.get(role) for role in _ROLES]
    # what another operation reads too must stay as it is
    if not all(isinstance(one, Value) and one in state and readers[one] == 1 for one in given):
        return None
    weight, bias, mean, variance = (state[str(one)] for one in given)
    eps = float(call.given["eps"])
    if len({weight, bias, mean, variance}) < 4 or not bool((program.weights[variance] + eps > 0).all()):
        return None
    into = _layer_before(program, call, readers, shapes)
    taker = None if into is None else state[str(into.given["weight"])]
    return Norm((weight, bias, mean, variance), eps, taker)


def _layer_before(
    program: Program, call: Call, readers: Counter[str], shapes: Mapping[str, Shape]
) -> Call | None:
    """The one layer that makes what a norm reads, where nobody else reads it or the layer's tensors."""
    x, state = call.given["input"], program.state
    made = [one for one in program.calls() if x in one.outputs]
    if not made or made[0].name not in _BEFORE or readers[x] != 1:
        return None
    layer = made[0]
    if layer.name == "linear" and len(shapes[str(x)]) != 2:
        return None  # the norm's channels are not the layer's outputs
    for role in ("weight", "bias"):
        own = layer.given.get(role)
        if own is None and role == "bias":
            continue
        targets = list(state.values())
        if own not in state or readers[own] != 1 or targets.count(state[own]) != 1:
            return None
    return layer


def _node_that_makes(program: Program, value: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in program.graph["nodes"] if one["outputs"] == value)
    return found


def _take_up(folded: Program, call: Call, norm: Norm, place: int) -> None:
    weights = folded.weights
    factor, offset = norm.factor(weights), norm.offset(weights)
    dtype = weights[norm.tensors[0]].dtype
    if norm.into is None:
        _plain(folded, call, norm, factor.to(dtype), offset.to(dtype))
        return
    layer = _node_that_makes(folded, str(call.given["input"]))
    weight = weights[norm.into]
    weights[norm.into] = (weight.to(torch.float64) * spread(factor, weight)).to(dtype)
    given = dict(layer["inputs"])
    if given.get("bias") is None:
        name = f"folded_{place}"
        folded.graph["state"][name] = {
            "target": name, "shape": [len(offset)], "dtype": str(dtype).removeprefix("torch."), "trained": True
        }  # fmt: skip
        weights[name] = offset.to(dtype)
        given["bias"] = {"ref": name}
        layer["inputs"] = [[key, value] for key, value in given.items()]
    else:
        target = folded.state[given["bias"]["ref"]]
        weights[target] = (weights[target].to(torch.float64) * factor + offset).to(dtype)
    _bypass(folded, str(call.outputs[0]), str(call.given["input"]))


def _plain(folded: Program, call: Call, norm: Norm, factor: Tensor, offset: Tensor) -> None:
    values = (factor, offset, torch.zeros_like(factor), torch.ones_like(factor))
    folded.weights |= dict(zip(norm.tensors, values, strict=True))
    node = _node_that_makes(folded, str(call.outputs[0]))
    told = {"training": False, "eps": {"float": "0.0"}}
    node["inputs"] = [[key, told.get(key, value)] for key, value in node["inputs"]]


def _bypass(program: Program, output: str, value: str) -> None:
    """Take out the operation that makes ``output``; who read that reads ``value``."""
    graph = program.graph
    graph["nodes"] = [one for one in graph["nodes"] if one["outputs"] != output]
    for node in graph["nodes"]:
        node["inputs"] = [[key, renamed(given, {output: value})] for key, given in node["inputs"]]
    if graph["output"] == output:
        graph["output"] = value


def renamed(given: Any, names: Mapping[str, str]) -> Any:
    """An argument of a description, with other names of values."""
    if isinstance(given, list):
        return [renamed(one, names) for one in given]
    if isinstance(given, dict) and "ref" in given:
        return {"ref": names.get(given["ref"], given["ref"])}
    return given


def _forget_unread(program: Program) -> None:
    """Tensors that nobody reads."""
    readers = program.readers
    for name in [one for one in program.graph["state"] if not readers[one]]:
        del program.graph["state"][name]
    kept = set(program.state.values())
    program.weights = {name: one for name, one in program.weights.items() if name in kept}
