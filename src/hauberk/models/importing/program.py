"""``ProgramModule``: a ``torch.export`` program run from a plain description, and ``export`` to make one.

The description (``program.json`` in a package) is a list of calls of ``aten`` operations:

    {"input": "x",
     "state": {"p_weight": {"target": "weight", "shape": [2, 4], "dtype": "float32", "trained": true}},
     "nodes": [{"target": "torch.ops.aten.linear.default",
                "inputs": [["input", {"ref": "x"}], ["weight", {"ref": "p_weight"}]], "outputs": "y"}],
     "output": "y"}

Running it imports, evaluates and unpickles nothing. Dropout and batch norm follow ``train()`` and ``eval()`` as
in the network that was exported.
"""

from __future__ import annotations

import copy
import io
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hauberk.core.canonical import canonical_bytes, digest, parse_json
from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnsupportedModel, check_known
from hauberk.core.evidence import Evidence
from hauberk.models.classifier import Classifier
from hauberk.models.importing import aten, pt2
from hauberk.models.importing.common import (
    PROBES,
    ImportedModel,
    Request,
    finish,
    largest_difference,
    quiet,
    refused,
)

FILE = "program.json"

_PART = re.compile(r"[A-Za-z0-9_]+")
_DTYPES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool", "bfloat16")
_FORMATS = ("contiguous_format", "channels_last", "channels_last_3d", "preserve_format")


class _Branch(nn.Module):
    """A place in the tree of names; holds tensors, does nothing."""


class _Ref(str):
    """The name of a value made earlier."""


class _Training:
    """Stands for ``module.training``."""


class _Device:
    """Stands for the device of the images."""


_TRAINING, _DEVICE = _Training, _Device  # classes, not instances: copies stay the same object

_Step = tuple[Callable[..., Any], list[Any], dict[str, Any], Any]


class ProgramModule(nn.Module):
    """A network that runs an exported program.

    Args:
        graph: the description; see the module's text.

    Raises:
        UnsupportedModel: it calls what is not on the list of operations.
        DataError: a description that makes no sense.
    """

    def __init__(self, graph: Mapping[str, Any]) -> None:
        super().__init__()
        check_known(graph, ("input", "state", "nodes", "output"), what="key", where=FILE)
        self._graph = json.loads(json.dumps(graph))
        self._state: dict[str, str] = {}
        known = {str(graph["input"])}
        # Nothing is changed in place: then nobody can tell a view from a copy, and the weights may be laid out
        # for speed (twice as fast on CPUs), which the views of contiguous programs would not survive.
        free = not any(aten.is_in_place(str(node["target"])) for node in graph["nodes"])
        fast = _kernels(graph["nodes"]) if free else frozenset()
        for name, facts in graph["state"].items():
            self._place(facts, torch.channels_last if name in fast else torch.contiguous_format)
            self._state[name] = facts["target"]
            known.add(name)
        self._steps = [_step(node, known, free=free) for node in graph["nodes"]]
        check_known([graph["output"]], known, what="value", where=f"{FILE}, output")

    def _place(self, facts: Mapping[str, Any], layout: torch.memory_format) -> None:
        """An empty tensor under the name it had in the exported network."""
        *path, leaf = str(facts["target"]).split(".")
        if facts["dtype"] not in _DTYPES or not all(_PART.fullmatch(part) for part in [*path, leaf]):
            raise DataError(f"{FILE}: the weight {facts['target']!r} cannot be made")
        place: nn.Module = self
        for part in path:
            if part not in place._modules:
                _free(place, part, facts)
                place.add_module(part, _Branch())
            found = place._modules[part]
            assert found is not None
            place = found
        if leaf in place._parameters or leaf in place._buffers:
            return  # the same weight under two names
        _free(place, leaf, facts)
        tensor = torch.zeros(tuple(facts["shape"]), dtype=getattr(torch, facts["dtype"]))
        if layout == torch.channels_last and tensor.ndim == 4:
            # contiguous(…) would leave a tensor with one channel as it is
            tensor = torch.empty(tensor.shape, dtype=tensor.dtype, memory_format=layout).zero_()
        if facts["trained"]:
            place.register_parameter(leaf, nn.Parameter(tensor))
        else:
            place.register_buffer(leaf, tensor)

    def _tensor(self, target: str) -> Tensor:
        *path, leaf = target.split(".")
        place: nn.Module = self
        for part in path:
            place = place._modules[part]  # type: ignore[assignment]
        found = place._parameters.get(leaf)
        if found is None:
            found = place._buffers[leaf]  # type: ignore[assignment]
        assert found is not None
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The program's output for a batch."""
        values: dict[str, Any] = {name: self._tensor(target) for name, target in self._state.items()}
        values[self._graph["input"]] = x

        def filled(value: Any) -> Any:
            if isinstance(value, _Ref):
                return values[value]
            if isinstance(value, list):
                return [filled(one) for one in value]
            if value is _TRAINING:
                return self.training
            return x.device if value is _DEVICE else value

        for function, positional, named, outputs in self._steps:
            made = function(
                *[filled(one) for one in positional], **{key: filled(one) for key, one in named.items()}
            )
            if isinstance(outputs, str):
                values[outputs] = made
            elif outputs is not None:
                values.update(zip(outputs, made, strict=True))
        result: Tensor = values[self._graph["output"]]
        return result

    def package_files(self) -> dict[str, bytes]:
        """The description, for a package."""
        return {FILE: canonical_bytes(self._graph)}

    def architecture(self) -> dict[str, Any]:
        """For ``Classifier``; names the description, so that the model's digest covers it."""
        return {"name": "program", "args": {"graph": digest(self._graph)}}

    @classmethod
    def from_package(cls, args: Mapping[str, Any], files: Mapping[str, bytes]) -> ProgramModule:
        """The module of a package, with empty weights.

        Raises:
            IntegrityError: the description is missing, or another than the manifest names.
        """
        check_known(args, ("graph",), what="argument", where="architecture program")
        if FILE not in files:
            raise IntegrityError(f"the package lacks {FILE}")
        graph = parse_json(files[FILE], where=FILE)
        if not isinstance(graph, dict) or digest(graph) != args.get("graph"):
            raise IntegrityError(f"{FILE} is not the one that model.json names")
        return cls(graph)


def _free(place: nn.Module, name: str, facts: Mapping[str, Any]) -> None:
    if hasattr(place, name):
        raise UnsupportedModel(f"the weight '{facts['target']}' has a name that torch itself uses")


def _kernels(nodes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The state that convolutions of images have as weights."""
    names = ("torch.ops.aten.conv2d.default", "torch.ops.aten.convolution.default")
    weights = [dict(node["inputs"]).get("weight") for node in nodes if node["target"] in names]
    return frozenset(str(one["ref"]) for one in weights if isinstance(one, Mapping) and "ref" in one)


def _step(node: Mapping[str, Any], known: set[str], *, free: bool) -> _Step:
    check_known(node, ("target", "inputs", "outputs"), what="key", where=f"{FILE}, a node")
    target = str(node["target"])
    function = aten.resolve(target)
    given = {str(name): _parsed(value, known) for name, value in node["inputs"]}
    outputs = node["outputs"]
    known |= {outputs} if isinstance(outputs, str) else {one for one in outputs or [] if one}
    if aten.packet_name(target) is None:
        return function, list(given.values()), {}, outputs
    schema = function._schema.arguments  # type: ignore[attr-defined]
    check_known(given, [one.name for one in schema], what="argument", where=target)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for argument in schema:
        if argument.name not in given:
            continue
        if not argument.kwarg_only and len(positional) == schema.index(argument) and not named:
            positional.append(given[argument.name])
        else:
            named[argument.name] = given[argument.name]
    if free and target == "torch.ops.aten.view.default":
        return torch.ops.aten.reshape.default, positional, named, outputs
    return function, positional, named, outputs


def _parsed(value: Any, known: set[str]) -> Any:
    if isinstance(value, list):
        return [_parsed(one, known) for one in value]
    if not isinstance(value, Mapping):
        return value
    ((kind, inner),) = value.items()
    if kind == "ref":
        check_known([inner], known, what="value", where=FILE)
        return _Ref(inner)
    if kind == "training":
        return _TRAINING
    if kind == "device":
        return _DEVICE
    if kind == "float":
        return float(inner)
    if kind == "int":
        return int(inner)
    check_known([kind], ("dtype", "memory_format"), what="kind of argument", where=FILE)
    check_known([inner], _DTYPES if kind == "dtype" else _FORMATS, what=kind, where=FILE)
    return getattr(torch, inner)


def _filled(program: pt2.Program) -> ProgramModule:
    module = ProgramModule(program.graph)
    module.load_state_dict({name: program.weights[name] for name in module.state_dict()})
    return module.eval()


def import_program(request: Request) -> ImportedModel:
    """A classifier from a ``.pt2`` file.

    Raises:
        UnsupportedModel: a fixed batch size, or operations that are not run here.
        ConfigError: a file that leaves the image size open, without ``input_shape``.
    """
    program = pt2.read(request.path)
    shape = _shape(program, request)
    module = _filled(program)
    before = {name: one.clone() for name, one in module.state_dict().items()}
    imported = finish(
        request,
        module,
        kind="torch.export",
        architecture=module.architecture(),
        input_shape=shape,
        conversions=program.notes,
    )
    _refuse_changes(module, before, str(request.path))
    return imported


def _shape(program: pt2.Program, request: Request) -> tuple[int, ...]:
    fixed = [size for size in program.input_shape if size is not None]
    if len(fixed) == len(program.input_shape):
        return request.agree_on_shape(fixed)
    if request.input_shape is None:
        raise ConfigError(
            f"{request.path} takes images of any size",
            hint="say which: input_shape=(c, h, w) (--input-shape 1x28x28)",
        )
    same = len(request.input_shape) == len(program.input_shape) and all(
        size in (None, said) for size, said in zip(program.input_shape, request.input_shape, strict=True)
    )
    if not same:
        raise ConfigError(f"{request.path} takes images {program.input_shape}, not {request.input_shape}")
    return request.input_shape


def _refuse_changes(module: ProgramModule, before: Mapping[str, Tensor], where: str) -> None:
    after = module.state_dict()
    changed = [name for name, one in before.items() if not torch.equal(one, after[name])]
    if changed:
        raise UnsupportedModel(
            f"{where} changes '{changed[0]}' when it is run",
            hint="call model.eval() before torch.export.export",
        )


def export(classifier: Classifier) -> Classifier:
    """A classifier that keeps its graph instead of its code, so that it can be saved and loaded anywhere.

    Returns:
        a new classifier in eval mode, whose network is the traced program of the old one.

    Raises:
        UnsupportedModel: torch.export cannot trace it, or the program answers differently.

    Limits: Python code that decides by the pixels cannot be traced. Randomness other than dropout is refused.
    """
    if not isinstance(classifier, Classifier):
        raise ConfigError(f"export takes a hauberk.Classifier, got {type(classifier).__name__}")
    started = time.perf_counter()
    original = copy.deepcopy(classifier).eval().cpu()
    shape = original.input_shape
    request = Request(path=Path("export"), bounds=original.bounds)
    images = request.probes(shape).to(original.dtype)
    if original.normalization is not None:
        images = original.normalization(images)
    stream = io.BytesIO()
    try:
        with quiet():
            traced = torch.export.export(
                original.module,
                (images[:2],),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                strict=False,
            )
            torch.export.save(traced, stream)
    except Exception as error:  # tracing runs foreign code, which raises what it likes
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(f"torch.export cannot trace this network: {first}") from error
    program = pt2.read(stream.getvalue())
    module = _filled(program)
    before = {name: one.clone() for name, one in module.state_dict().items()}
    with torch.no_grad(), refused("the exported program cannot be run"):
        ours, theirs = module(images), original.module(images)
    _refuse_changes(module, before, "the exported program")
    difference = largest_difference(ours, theirs, "export")
    made = Classifier(
        module,
        input_shape=shape,
        labels=original.labels,
        bounds=original.bounds,
        outputs=original.outputs,
        architecture=module.architecture(),
    )
    made.normalization = original.normalization
    made.eval()
    evidence = Evidence(
        kind="import",
        subject={"name": "exported", "digest": made.digest},
        inputs={"model": {"name": "original", "digest": classifier.digest}},
        parameters={"format": "torch.export", "file": None, "file_digest": None, "factory": None, "args": {}},
        result={"largest_difference": difference, "probes": PROBES, "conversions": program.notes},
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    made.evidence = (*classifier.evidence, evidence)
    return made.to(classifier.device)
