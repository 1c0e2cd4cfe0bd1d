"""The walk through a program that finds its axes: values in, operations in order, rules for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from hauberk.protection.obfuscate.axes import Axis, leaves, make_rigid, pin, product, total, unify
from hauberk.protection.obfuscate.program import Call, Program, Shape, Value, values_in

Question = Literal["orders", "scales"]
Axes = list[Axis]
Rule = Callable[["Walk", Call], bool]
"""Says of a call's axes what holds; False where it cannot: then all that the call touches is pinned."""


class Walk:
    """One question asked of a whole program.

    Args:
        question: ``orders`` (may this dimension be permuted?) or ``scales`` (may it be multiplied?).
        rules: by the names of operations.
        fixed: names of tensors that may not change, with the reason.
        still: values whose axes must stay as they are, with the reason.
    """

    def __init__(
        self,
        program: Program,
        shapes: Mapping[str, Shape],
        question: Question,
        rules: Mapping[str, Rule],
        *,
        fixed: Mapping[str, str],
        still: Mapping[str, str],
    ) -> None:
        self.question = question
        self.scales = question == "scales"
        self.shapes = shapes
        self.unknown: dict[str, int] = {}
        self.reading: set[tuple[str, int]] = set()
        self._targets = program.state
        calls = program.calls()
        self._read = program.readers.keys()
        self.axes: dict[str, Axes] = {}
        for name, target in program.state.items():
            reason = fixed.get(target, "" if name in self._read else "nothing reads it")
            self.axes[name] = [Axis(size, reason) for size in shapes[name]]
        images = program.graph["input"]
        self.axes[images] = [Axis(size, "the order of the images' values") for size in shapes[images]]
        self.state = frozenset(program.state)
        for call in calls:
            self._step(call, rules)
        self.pin(self.axes[program.graph["output"]], "the order of the classes")
        for name, reason in still.items():
            self.pin(self.axes[name], reason)

    def _step(self, call: Call, rules: Mapping[str, Rule]) -> None:
        made = [name for name in call.outputs if name is not None and name in self.shapes]
        if not made:
            return  # sizes, which no permutation changes
        rule = rules.get(call.name)
        # of several results only the first is understood, but for what takes tensors apart
        several = len(made) > 1 and call.name not in TAKING_APART
        if rule is None or (several and self._read & set(made[1:])) or not self._follows(rule, call):
            self._leave_alone(call, made)
        for name in made:
            self.axes.setdefault(name, [Axis(size, "nobody asks for it") for size in self.shapes[name]])

    def _follows(self, rule: Rule, call: Call) -> bool:
        """Whether a rule fits; an overload with other arguments is one more thing that is not understood."""
        try:
            return rule(self, call)
        except (IndexError, KeyError, TypeError):
            return False

    def _leave_alone(self, call: Call, made: Sequence[str]) -> None:
        reason = f"{call.name} is not understood"
        self.unknown[call.name] = self.unknown.get(call.name, 0) + 1
        for given in call.given.values():
            for one in values_in(given):
                self.pin(self.axes.get(one, []), reason)
        for name in made:
            self.axes[name] = [Axis(size, reason) for size in self.shapes[name]]

    # what rules are written with

    def of(self, call: Call, name: str) -> Axes:
        """The axes of an argument."""
        return self.axes[call.given[name]]

    def given(self, call: Call, name: str) -> bool:
        """Whether an argument is a tensor."""
        return isinstance(call.given.get(name), Value) and call.given[name] in self.axes

    def makes(self, call: Call, axes: Sequence[Axis], place: int = 0) -> bool:
        """Say what an output's axes are; False where it has another shape."""
        name = call.outputs[place]
        if name is None or tuple(one.size for one in axes) != self.shapes[name]:
            return False
        self.axes[name] = list(axes)
        return True

    def made(self, call: Call, place: int = 0) -> Shape:
        """The shape of an output."""
        name = call.outputs[place]
        assert name is not None
        return self.shapes[name]

    def pin(self, axes: Collection[Axis], reason: str) -> None:
        for one in axes:
            pin(one, reason)

    def pin_scale(self, axes: Collection[Axis], reason: str) -> None:
        """They may be permuted, not multiplied."""
        if self.scales:
            self.pin(axes, reason)

    def rigid(self, axes: Collection[Axis]) -> None:
        """They may be permuted, but no neurons added."""
        for one in axes:
            make_rigid(one)

    def same(self, first: Axis, second: Axis) -> None:
        unify(first, second)

    def summed(self, first: Axis, second: Axis) -> None:
        """The two run against each other in a sum of products."""
        unify(first, second, inverse=self.scales)

    def reads(self, call: Call, name: str, place: int, x: Axis) -> None:
        """An argument's dimension is summed over against ``x``; only the state's tensors let dummies cancel."""
        value = call.given[name]
        if value in self._targets:
            self.reading.add((self._targets[value], place))
        else:
            self.rigid([x])
        self.summed(self.axes[value][place], x)

    def pinned(self, size: int, reason: str = "its order means something") -> Axis:
        return Axis(size, reason)

    def is_still(self, axes: Collection[Axis]) -> bool:
        return all(leaf.reason for one in axes for leaf in leaves(one))

    def product(self, parts: Sequence[Axis]) -> Axis:
        return product(parts) if any(one.size > 1 for one in parts) else Axis(1)

    def total(self, parts: Sequence[Axis]) -> Axis:
        return total(parts)


TAKING_APART = frozenset(("split", "split_with_sizes", "chunk", "unbind"))


def number(call: Call, name: str, default: Any) -> Any:
    """A plain argument, or its default."""
    value = call.given.get(name)
    return default if value is None else value
