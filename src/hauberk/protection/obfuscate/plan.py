"""The plan: what may be chosen in a network, and which dimensions of which tensors each choice moves.

Pure analysis, no key. Anybody who has the network can find the same plan; the choices are the secret.

A dimension is written as a tree: ``{"group": 3}`` is the third choice, with ``"sign": -1`` where logarithms are
opposite; ``{"still": 9}`` is nine entries that stay; ``{"product": [...]}`` runs over its parts, the last
fastest; ``{"sum": [...]}`` is its parts one after another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hauberk.protection.obfuscate.axes import Axis, find, leaves
from hauberk.protection.obfuscate.program import Program, Shape, Value
from hauberk.protection.obfuscate.rules import RULES
from hauberk.protection.obfuscate.walk import Question, Walk

Tree = dict[str, Any]
Trees = dict[str, list[Tree]]


@dataclass(frozen=True)
class Choices:
    """The answers to be chosen for one question.

    Args:
        sizes: entries of each group.
        trees: dimensions of the tensors that groups move, by tensor.
        growing: for each group, whether neurons may be added to it.
        reading: tensors and dimensions that are summed over.
    """

    sizes: tuple[int, ...] = ()
    trees: Trees = field(default_factory=dict)
    growing: tuple[bool, ...] = ()
    reading: frozenset[tuple[str, int]] = frozenset()

    def to_json(self) -> dict[str, Any]:
        return {"sizes": list(self.sizes), "trees": self.trees}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Choices:
        return cls(tuple(document["sizes"]), dict(document["trees"]))


@dataclass(frozen=True)
class Plan:
    """What may be done to a program.

    Args:
        orders: groups that may be permuted.
        scales: groups that may be multiplied.
        left_alone: tensors no permutation moves, with the reason.
        unknown: operations that no rule understands, and how often each stands in the program.
    """

    orders: Choices
    scales: Choices
    left_alone: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What reversal needs."""
        return {"orders": self.orders.to_json(), "scales": self.scales.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Plan:
        return cls(Choices.from_json(document["orders"]), Choices.from_json(document["scales"]))


def analyse(
    program: Program,
    shapes: Mapping[str, Shape],
    *,
    fixed: Mapping[str, str] | None = None,
    features_of: int | None = None,
) -> Plan:
    """The plan of a program.

    Args:
        shapes: of all values, ``Program.shapes``.
        fixed: tensors that may not change, with the reason.
        features_of: where something outside reads what goes into the last linear layer: its outputs.
    """
    fixed = dict(fixed or {})
    still = {} if features_of is None else _features(program, shapes, features_of)
    numbers = {
        name: "it holds whole numbers" for name, one in program.weights.items() if not one.is_floating_point()
    }
    orders = Walk(program, shapes, "orders", RULES, fixed=fixed, still=still)
    scales = Walk(program, shapes, "scales", RULES, fixed=numbers | fixed, still=still)
    left = {
        target: _reason(orders.axes[name])
        for name, target in program.state.items()
        if all(leaf.reason for one in orders.axes[name] for leaf in leaves(one))
    }
    return Plan(_choices(orders, program), _choices(scales, program), left, orders.unknown)


def _features(program: Program, shapes: Mapping[str, Shape], outputs: int) -> dict[str, str]:
    """What the last linear layer with so many outputs reads."""
    for call in reversed(program.calls()):
        if call.name == "linear" and shapes[call.given["weight"]][0] == outputs:
            given = call.given["input"]
            assert isinstance(given, Value)
            return {str(given): "a part outside of the network reads these features"}
    return {}


def _reason(axes: Collection[Axis]) -> str:
    reasons = [leaf.reason for one in axes for leaf in leaves(one)]
    return next((one for one in reasons if one != "one entry"), "one entry")


def _choices(walk: Walk, program: Program) -> Choices:
    numbers: dict[Axis, int] = {}
    trees: Trees = {}
    for name, target in program.state.items():
        own = [tree_of(axis, 1, numbers) for axis in walk.axes[name]]
        if any(groups_in(tree) for tree in own):
            trees[target] = own
    return Choices(
        tuple(axis.size for axis in numbers),
        trees,
        tuple(not axis.rigid for axis in numbers),
        frozenset(walk.reading),
    )


def tree_of(axis: Axis, sign: int, numbers: dict[Axis, int]) -> Tree:
    """An axis as a tree; ``numbers`` names the groups met so far, and gains those met here."""
    root, own = find(axis)
    sign *= own
    if root.kind != "leaf":
        return {root.kind: [tree_of(part, step * sign, numbers) for part, step in root.parts]}
    if root.reason:
        return {"still": root.size}
    number = numbers.setdefault(root, len(numbers))
    return {"group": number} if sign > 0 else {"group": number, "sign": -1}


def groups_in(tree: Tree) -> list[int]:
    """The groups that a tree names."""
    if "group" in tree:
        return [tree["group"]]
    parts = tree.get("product") or tree.get("sum") or []
    return [one for part in parts for one in groups_in(part)]


__all__ = ["Choices", "Plan", "Question", "Tree", "Trees", "analyse", "groups_in"]
