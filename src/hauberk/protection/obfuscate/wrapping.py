"""New names for everything: one flat list of tensors in an order of the key's, values numbered as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hauberk.protection.obfuscate.folding import renamed
from hauberk.protection.obfuscate.key import ModelKey
from hauberk.protection.obfuscate.program import Program


def wrap(program: Program, key: ModelKey) -> tuple[Program, dict[str, str]]:
    """The same program under names that tell nothing, and the old names of its tensors by the new ones.

    Limits: the operations, their order and the shapes of the tensors stay for everybody to see.
    """
    graph = program.graph
    targets = list(dict.fromkeys(program.state.values()))
    order = key.order("names", len(targets)).tolist()
    fresh = {target: f"t{order[place]}" for place, target in enumerate(targets)}
    values = {graph["input"]: "x"}
    state: dict[str, Any] = {}
    listed = sorted(graph["state"].items(), key=lambda one: int(fresh[one[1]["target"]][1:]))
    for place, (name, facts) in enumerate(listed):
        values[name] = f"s{place}"
        state[values[name]] = {**facts, "target": fresh[facts["target"]]}
    for node in graph["nodes"]:
        for name in _names(node["outputs"]):
            values.setdefault(name, f"v{len(values)}")
    nodes = [
        {
            "target": node["target"],
            "inputs": [[key_, renamed(given, values)] for key_, given in node["inputs"]],
            "outputs": _renamed_outputs(node["outputs"], values),
        }
        for node in graph["nodes"]
    ]
    made = {"input": "x", "state": state, "nodes": nodes, "output": values[graph["output"]]}
    weights = {new: program.weights[old] for old, new in fresh.items()}
    return Program(made, weights), {new: old for old, new in fresh.items()}


def _names(outputs: Any) -> list[str]:
    return [outputs] if isinstance(outputs, str) else [one for one in outputs or [] if one]


def _renamed_outputs(outputs: Any, values: Mapping[str, str]) -> Any:
    if isinstance(outputs, list):
        return [values[one] if one else one for one in outputs]
    return values[outputs] if outputs else outputs


def attach(program: Program, blob: Tensor) -> Program:
    """The program with one more tensor, which nothing reads."""
    made = program.copy()
    count = len(made.weights)
    name = f"t{count}"
    made.graph["state"][f"s{len(made.graph['state'])}"] = {
        "target": name, "shape": list(blob.shape), "dtype": "uint8", "trained": False
    }  # fmt: skip
    made.weights[name] = blob
    return made
