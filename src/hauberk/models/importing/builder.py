"""Writing a ``GraphModule``'s description node by node, with the shapes known on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hauberk.core.errors import HauberkError, UnsupportedModel
from hauberk.models.importing.graph import GraphModule, fit_name, make_layer

BATCH = 1_000_003
"""Stands for 'as many as come'. A prime, so that no product of sizes is taken for it; on the meta device it
costs nothing."""


class Builder:
    """Collects nodes and weights. Layers are tried on the meta device, which tells the shape of every value."""

    def __init__(self, input_shape: Sequence[int]) -> None:
        self.input = "x"
        self.nodes: list[dict[str, Any]] = []
        self.weights: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {
            self.input: torch.empty((BATCH, *input_shape), device="meta"),
        }

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of a node's value, ``BATCH`` first where there is a batch."""
        return tuple(self._values[name].shape)

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        weights: Mapping[str, Any] | None = None,
    ) -> str:
        """One more node; returns its name.

        Args:
            weights: arrays by the names the layer gives its parameters.

        Raises:
            UnsupportedModel: the operation cannot follow its inputs, or weights of the wrong shape.
        """
        attrs = dict(attrs or {})
        final = self._free(fit_name(name or op))
        try:
            with torch.device("meta"), torch.no_grad():
                layer = make_layer(op, attrs, f"node '{final}'").eval()
                self._values[final] = layer(*[self._values[one] for one in inputs])
        except HauberkError as error:
            raise UnsupportedModel(f"layer '{name or op}' cannot be built: {error}") from error
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise UnsupportedModel(f"layer '{name or op}' does not fit its input: {reason}") from error
        expected = {key: tuple(one.shape) for key, one in layer.state_dict().items()}
        given = {key: _tensor(one) for key, one in (weights or {}).items()}
        if "num_batches_tracked" in expected:
            given["num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        found = {key: tuple(one.shape) for key, one in given.items()}
        if found != expected:
            raise UnsupportedModel(f"layer '{name or op}' has weights {found} instead of {expected}")
        self.nodes.append({"name": final, "op": op, "inputs": list(inputs), "attrs": attrs})
        self.weights |= {f"layers.{final}.{key}": one for key, one in given.items()}
        return final

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._values:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def node(self, name: str) -> dict[str, Any] | None:
        """The node that makes a value; None for the input."""
        return next((one for one in self.nodes if one["name"] == name), None)

    def describe(self, output: str) -> dict[str, Any]:
        """The description up to ``output``; nodes that do not lead there are left out."""
        needed, kept = {output}, []
        for node in reversed(self.nodes):
            if node["name"] in needed:
                needed |= set(node["inputs"])
                kept.append(node)
        return {"inputs": [self.input], "nodes": kept[::-1], "output": output}

    def build(self, output: str) -> tuple[GraphModule, dict[str, Any]]:
        """The finished network in eval mode, and its description."""
        args = self.describe(output)
        module = GraphModule(**args)
        module.load_state_dict({name: self.weights[name] for name in module.state_dict()})
        return module.eval(), args


def _tensor(value: Any) -> Tensor:
    array = np.array(value)  # a copy: the source may be a read-only map of a file
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    return torch.from_numpy(array)
