"""Reading the files of ``torch.export.save`` without torch's own reader.

That reader unpickles the sample inputs (and tensor subclasses, and constants) without restraint, evaluates the
expressions for sizes with sympy, looks up the functions to call by attribute from the ``torch`` module on, and
writes the names in the file into Python source that it then executes. Any of the four lets the file run code.
Here the graph is taken as data: its nodes are checked against a list of operations and become the description
that ``ProgramModule`` runs; sizes are never evaluated; sample inputs are not opened; weights are raw bytes, or
pickles of plain tensors in files of older versions.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hauberk.core.errors import DataError, UnsupportedModel
from hauberk.models.importing import archive, aten

_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: "bfloat16",
}
"""The numbers by which the files name scalar types."""

_MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
_NUMBERS = ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools", "as_strings")
_SAFE = 2**53 - 1  # the largest integer that every reader of JSON keeps
_SCHEMA = 8  # the major version of the graph's description since torch 2.5

_STATIC_HINT = (
    "export again with a batch of any size: torch.export.export(model, (images,), "
    "dynamic_shapes=({0: torch.export.Dim('batch')},))"
)
_EVAL_HINT = "call model.eval() before torch.export.export"


@dataclass
class Program:
    """A program as plain data.

    Args:
        graph: what ``ProgramModule`` takes.
        weights: tensors by their names in the exported module.
        input_shape: of one image; sizes that the file leaves open are None.
        notes: what was left out or changed.
    """

    graph: dict[str, Any]
    weights: dict[str, Tensor]
    input_shape: tuple[int | None, ...]
    notes: list[str] = field(default_factory=list)


def read(path: Path | bytes) -> Program:
    """The program in a ``.pt2`` file.

    Raises:
        DataError: not such a file, or damaged.
        IntegrityError: a pickle in it would run code.
        UnsupportedModel: it does what is not run here.
    """
    with archive.opened(path) as zipped:
        where = "the program" if isinstance(path, bytes) else str(path)
        try:
            reader = _Reader(zipped, where)
            return reader.program()
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            if isinstance(error, DataError | UnsupportedModel):
                raise
            raise DataError(f"{where} is not a program as torch.export.save writes it: {error!r}") from error


class _Reader:
    """One file."""

    def __init__(self, zipped: zipfile.ZipFile, where: str) -> None:
        self.zipped = zipped
        self.where = where
        self.names = set(zipped.namelist())
        self.notes: list[str] = []
        self.old = "serialized_exported_program.json" in self.names
        self.root = ""
        if not self.old:
            marks = [name for name in self.names if name.partition("/")[2] == "archive_format"]
            if len(marks) != 1:
                raise DataError(f"{where} is not an archive of torch.export.save")
            self.root = marks[0].partition("/")[0] + "/"
            order = f"{self.root}byteorder"
            if order in self.names and archive.read_entry(zipped, order) != b"little":
                raise UnsupportedModel(f"{where} was written on a big-endian machine")
            if any(name.startswith(f"{self.root}data/aotinductor/") for name in self.names):
                raise UnsupportedModel(
                    f"{where} holds compiled code, which cannot be checked",
                    hint="save the program itself: torch.export.save(torch.export.export(...), path)",
                )

    def program(self) -> Program:
        name = self._model_name()
        entry = "serialized_exported_program.json" if self.old else f"{self.root}models/{name}.json"
        document: Any = archive.parse_foreign_json(
            archive.read_entry(self.zipped, entry), f"{self.where} ({entry})"
        )
        version = document["schema_version"]["major"]
        if version != _SCHEMA:
            raise UnsupportedModel(
                f"{self.where} was written in version {version} of torch.export's schema, not {_SCHEMA}",
                hint="export it again with a recent torch",
            )
        weights = {**self._tensors("weights", name), **self._tensors("constants", name)}
        if any("sample_inputs" in one or "example_inputs" in one for one in self.names):
            self.notes.append("the sample inputs (a pickle) were left out unread")
        translated = _translate(document["graph_module"], weights, self.where)
        return Program(translated[0], translated[1], translated[2], self.notes)

    def _model_name(self) -> str:
        if self.old:
            return "model"
        models = [
            one.removeprefix(f"{self.root}models/").removesuffix(".json")
            for one in self.names
            if one.startswith(f"{self.root}models/") and one.endswith(".json")
        ]
        if len(models) != 1:
            raise UnsupportedModel(f"{self.where} holds {len(models)} programs instead of one")
        return models[0]

    def _tensors(self, what: str, name: str) -> dict[str, Tensor]:
        pickled = f"{self.root}data/{what}/{name}.pt"
        if self.old:
            pickled = {"weights": "serialized_state_dict.pt", "constants": "serialized_constants.pt"}[what]
        if pickled in self.names:
            return self._pickled(pickled)
        config = f"{self.root}data/{what}/{name}_{what}_config.json"
        if config not in self.names:
            if what == "weights":
                raise DataError(f"{self.where} lacks its weights ({config})")
            return {}
        listed: Any = archive.parse_foreign_json(archive.read_entry(self.zipped, config), config)
        return {
            key: self._raw(f"{self.root}data/{what}/{meta['path_name']}", key, meta)
            for key, meta in listed["config"].items()
        }

    def _pickled(self, entry: str) -> dict[str, Tensor]:
        data = archive.read_entry(self.zipped, entry)
        if not data:
            return {}
        hint = "export it again with a recent torch, which stores weights without pickle"
        with archive.opened(data) as inner:
            for one in inner.namelist():
                if one.endswith(".pkl"):
                    pickle_bytes = archive.read_entry(inner, one)
                    archive.refuse_unsafe_pickle(pickle_bytes, f"{self.where} ({entry})", hint)
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if not isinstance(found, Mapping) or not all(isinstance(one, Tensor) for one in found.values()):
            raise UnsupportedModel(f"{self.where} ({entry}) holds something else than tensors", hint=hint)
        return {str(key): one.detach() for key, one in found.items()}

    def _raw(self, entry: str, key: str, meta: Mapping[str, Any]) -> Tensor:
        if meta.get("use_pickle"):
            raise UnsupportedModel(
                f"{self.where}: '{key}' is a tensor of a special class, which is stored as a pickle",
                hint="convert the weights to plain tensors before exporting",
            )
        facts = meta["tensor_meta"]
        if facts is None:
            raise UnsupportedModel(f"{self.where}: '{key}' is not a tensor but an object of custom code")
        dtype = _dtype(facts["dtype"])
        sizes, strides = ([int(one["as_int"]) for one in facts[part]] for part in ("sizes", "strides"))
        data = archive.read_entry(self.zipped, entry)
        if not data:
            return torch.zeros(sizes, dtype=dtype)
        flat = torch.frombuffer(bytearray(data), dtype=dtype)
        try:
            # torch checks that no element lies outside of the storage
            view = torch.as_strided(flat, sizes, strides, int(facts["storage_offset"]["as_int"]))
        except RuntimeError as error:
            raise DataError(f"{self.where}: the weight '{key}' is damaged: {error}") from error
        return view.clone(memory_format=torch.contiguous_format)


def _dtype(number: int) -> torch.dtype:
    if number not in _DTYPES:
        raise UnsupportedModel(f"the program uses the scalar type number {number}, which is not supported")
    found: torch.dtype = getattr(torch, _DTYPES[number])
    return found


def _translate(
    module: Mapping[str, Any], weights: Mapping[str, Tensor], where: str
) -> tuple[dict[str, Any], dict[str, Tensor], tuple[int | None, ...]]:
    graph, signature = module["graph"], module["signature"]
    state, images = _inputs(signature["input_specs"], weights, where)
    output = _output(signature["output_specs"], where)
    sizes = graph["tensor_values"][images]["sizes"]
    if not sizes or "as_int" in sizes[0]:
        raise UnsupportedModel(
            f"{where} was exported for batches of exactly {sizes[0]['as_int'] if sizes else 0}",
            hint=_STATIC_HINT,
        )
    fixed = {images, *state}
    nodes = [made for node in graph["nodes"] if (made := _node(node, fixed, where)) is not None]
    described = {
        "input": images,
        "state": {
            name: {
                "target": target,
                "shape": list(weights[target].shape),
                "dtype": str(weights[target].dtype).removeprefix("torch."),
                "trained": trained,
            }
            for name, (target, trained) in state.items()
        },
        "nodes": nodes,
        "output": output,
    }
    used = {target: weights[target] for target, _trained in state.values()}
    return described, used, tuple(one.get("as_int") for one in sizes[1:])


def _inputs(
    specs: list[Mapping[str, Any]], weights: Mapping[str, Tensor], where: str
) -> tuple[dict[str, tuple[str, bool]], str]:
    state: dict[str, tuple[str, bool]] = {}
    images: list[str] = []
    for spec in specs:
        ((kind, facts),) = spec.items()
        if kind == "user_input" and "as_tensor" in facts["arg"]:
            images.append(facts["arg"]["as_tensor"]["name"])
        elif kind in ("parameter", "buffer", "tensor_constant"):
            target = facts[f"{kind}_name"]
            if target not in weights:
                raise DataError(f"{where} lacks the weight '{target}'")
            trained = kind == "parameter" and weights[target].is_floating_point()
            state[facts["arg"]["name"]] = (target, trained)
        else:
            raise UnsupportedModel(f"{where} takes an input of kind '{kind}', which a classifier does not")
    if len(images) != 1:
        raise UnsupportedModel(f"{where} takes {len(images)} tensors; a classifier takes one, the images")
    return state, images[0]


def _output(specs: list[Mapping[str, Any]], where: str) -> str:
    kinds = [next(iter(spec)) for spec in specs]
    if any(kind.endswith("_mutation") for kind in kinds):
        raise UnsupportedModel(f"{where} changes its own state when it is run", hint=_EVAL_HINT)
    if kinds != ["user_output"] or "as_tensor" not in specs[0]["user_output"]["arg"]:
        raise UnsupportedModel(
            f"{where} returns {len(kinds)} values; a classifier returns one tensor of logits"
        )
    return str(specs[0]["user_output"]["arg"]["as_tensor"]["name"])


def _node(node: Mapping[str, Any], fixed: set[str], where: str) -> dict[str, Any] | None:
    target = str(node["target"])
    packet = aten.packet_name(target)
    if packet in aten.CHECKS:
        return None
    aten.resolve(target)
    inputs = [(one["name"], _value(one["arg"])) for one in node["inputs"]]
    follows = {"train", "training"} & {name for name, _value in inputs}
    for name in follows:
        if dict(inputs)[name] is not False:
            raise UnsupportedModel(f"{where} was exported in train mode ({packet})", hint=_EVAL_HINT)
    first = inputs[0][1] if inputs else None
    if aten.is_in_place(target) and isinstance(first, Mapping) and first.get("ref") in fixed:
        raise UnsupportedModel(f"{where} changes its input or its own state ({packet})", hint=_EVAL_HINT)
    return {
        "target": target,
        "inputs": [[name, {"training": True} if name in follows else value] for name, value in inputs],
        "outputs": _outputs(node["outputs"]),
    }


def _value(argument: Mapping[str, Any]) -> Any:
    """An argument as plain JSON; what is not is an object with one key that says what."""
    ((kind, value),) = argument.items()
    if kind == "as_none":
        return None
    if kind in _NUMBERS:
        return _number(value)
    if kind == "as_tensor":
        return {"ref": value["name"]}
    if kind == "as_tensors":
        return [{"ref": one["name"]} for one in value]
    if kind == "as_optional_tensors":
        return [_value(one) if isinstance(one, Mapping) else None for one in value]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return _size(value)
    if kind in ("as_sym_ints", "as_sym_bools", "as_sym_floats"):
        return [_size(one) for one in value]
    if kind == "as_scalar_type":
        return {"dtype": str(_dtype(value)).removeprefix("torch.")}
    if kind == "as_memory_format":
        return {"memory_format": _MEMORY_FORMATS[value]}
    if kind == "as_layout":
        return None  # strided, the only one there is for what is allowed
    if kind == "as_device":
        return {"device": True}  # wherever the module is
    raise UnsupportedModel(f"the program passes an argument of kind '{kind}', which is not supported")


def _size(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    return {"ref": inner} if kind == "as_name" else _number(inner)


def _number(value: Any) -> Any:
    """Plain values in a form that canonical JSON keeps: 1.0 is not 1, and the largest integers are text."""
    if isinstance(value, list):
        return [_number(one) for one in value]
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return {"int": str(value)}
    return value


def _outputs(outputs: list[Mapping[str, Any]]) -> Any:
    names = []
    for one in outputs:
        ((kind, value),) = one.items()
        if kind == "as_tensor":
            names.append(value["name"])
        elif kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
            names.append(value["as_name"])
        elif kind == "as_tensors":
            return [tensor["name"] for tensor in value]
        elif kind == "as_none":
            names.append(None)
        else:
            raise UnsupportedModel(f"the program makes a value of kind '{kind}', which is not supported")
    return names[0] if len(names) == 1 else names
