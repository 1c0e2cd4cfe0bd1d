"""The network as data: a program's calls in order, its tensors, and the shape of every value in it."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hauberk.models import Classifier
from hauberk.models.importing import aten, export
from hauberk.models.importing.program import FILE, ProgramModule

Shape = tuple[int, ...]

_BATCH = 3  # any number above one: sizes of one broadcast


@dataclass(frozen=True)
class Call:
    """One operation.

    Args:
        name: ``conv2d`` of ``torch.ops.aten.conv2d.default``; the target itself for what is not a tensor's.
        given: arguments by name, numbers as numbers, values as ``Value``.
        outputs: names of what it makes; None for what nobody asked for.
    """

    name: str
    given: Mapping[str, Any]
    outputs: tuple[str | None, ...]


class Value(str):
    """The name of a value, where an argument refers to it."""


@dataclass
class Program:
    """What ``hauberk.models.importing`` exports, taken apart so that it can be changed.

    Args:
        graph: the description, as in ``program.json``.
        weights: its tensors by their names in the network.
    """

    graph: dict[str, Any]
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, classifier: Classifier) -> Program:
        """The program of a classifier's network, on the CPU.

        Raises:
            UnsupportedModel: torch.export cannot see it.
        """
        module = classifier.module
        if not isinstance(module, ProgramModule):
            module = export(_bare(classifier)).module
        assert isinstance(module, ProgramModule)
        graph = json.loads(module.package_files()[FILE])
        weights = {name: one.detach().cpu().contiguous().clone() for name, one in module.state_dict().items()}
        return cls(graph, weights)

    def copy(self) -> Program:
        """One that can be changed without changing this one; tensors are shared."""
        return Program(copy.deepcopy(self.graph), dict(self.weights))

    def module(self) -> ProgramModule:
        """The network that runs it, in eval mode."""
        made = ProgramModule(self.graph)
        made.load_state_dict({name: self.weights[name] for name in made.state_dict()})
        return made.eval()

    @property
    def state(self) -> dict[str, str]:
        """Names of the tensors by the values that stand for them."""
        return {name: str(facts["target"]) for name, facts in self.graph["state"].items()}

    @property
    def readers(self) -> Counter[str]:
        """How often each value is read."""
        found = Counter(
            str(one) for call in self.calls() for given in call.given.values() for one in values_in(given)
        )
        found[str(self.graph["output"])] += 1
        return found

    @property
    def read(self) -> list[str]:
        """Names of the tensors that something reads."""
        readers = self.readers
        return [target for name, target in self.state.items() if readers[name]]

    def calls(self) -> list[Call]:
        """All operations, in order."""
        return [_call(node) for node in self.graph["nodes"]]

    def shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Sizes of every tensor for a batch of three.

        Cost: one forward pass.
        """
        images = torch.zeros((_BATCH, *input_shape), dtype=self._dtype())
        recorder = _Recorder(self.graph)
        recorder.load_state_dict({name: self.weights[name] for name in recorder.state_dict()})
        with torch.no_grad():
            return recorder.eval().record(images)

    def _dtype(self) -> torch.dtype:
        kinds = (one.dtype for one in self.weights.values() if one.is_floating_point())
        return next(kinds, torch.float32)


class _Recorder(ProgramModule):
    """Runs a program once and keeps the shapes of what came out of every step."""

    def record(self, x: Tensor) -> dict[str, Shape]:
        found = {self._graph["input"]: tuple(x.shape)}
        found |= {name: tuple(self._tensor(target).shape) for name, target in self._state.items()}
        self._steps = [
            (_recording(function, outputs, found), positional, named, outputs)
            for function, positional, named, outputs in self._steps
        ]
        self(x)
        return found


def _recording(function: Any, outputs: Any, found: dict[str, Shape]) -> Any:
    names = [outputs] if isinstance(outputs, str) else outputs or []

    def recorded(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        for name, one in zip(names, [made] if isinstance(outputs, str) else made or [], strict=False):
            if name is not None and isinstance(one, Tensor):
                found[name] = tuple(one.shape)
        return made

    return recorded


def _bare(classifier: Classifier) -> Classifier:
    """The network alone: its parts are not part of the program."""
    bare = copy.copy(classifier)
    bare._modules = dict(classifier._modules)
    bare.defences = nn.ModuleList()
    bare.evidence = ()
    return bare


def _call(node: Mapping[str, Any]) -> Call:
    target = str(node["target"])
    outputs = node["outputs"]
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs or ())
    given = {str(name): _argument(value) for name, value in node["inputs"]}
    return Call(aten.packet_name(target) or target, given, names)


def _argument(value: Any) -> Any:
    if isinstance(value, list):
        return [_argument(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    ((kind, inner),) = value.items()
    if kind == "ref":
        return Value(inner)
    if kind == "float":
        return float(inner)
    return int(inner) if kind == "int" else inner


def values_in(argument: Any) -> Iterator[Value]:
    """The values to which an argument refers."""
    if isinstance(argument, Value):
        yield argument
    elif isinstance(argument, list):
        for one in argument:
            yield from values_in(one)
