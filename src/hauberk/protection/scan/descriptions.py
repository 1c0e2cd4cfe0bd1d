"""Descriptions in JSON: Keras' layers, our own packages' manifests, and any others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hauberk.protection.scan.job import Job, Part
from hauberk.protection.scan.window import Window

_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_KERAS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "keras_core")
_PLACES = frozenset(
    {
        *("layers", "models", "initializers", "regularizers", "constraints", "activations", "losses"),
        *("metrics", "optimizers", "random", "dtype_policies", "ops"),
    }
)
_PLACES_INSIDE = frozenset({*_PLACES, "quantizers"})
_FUNCTIONS = frozenset({"activations", "losses", "metrics", "ops"})
_FILES = frozenset({"vocabulary", "file", "filepath", "file_path", "weights_path", "model_path"})


def load(source: Window, where: str, job: Job) -> Any:
    """The parsed document; None, with a finding, where readers would not agree on it."""
    if source.size > job.limits.json_bytes:
        job.find("json/malformed", where, f"a description of {source.size} bytes")
        return None
    return parse(source.at(0, source.size), where, job)


def parse(data: bytes, where: str, job: Job) -> Any:
    """The same from bytes."""
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            names = [key for key, _value in items]
            twice.append(next(key for key in names if names.count(key) > 1))
        return found

    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        job.find("json/malformed", where, f"not valid JSON: {str(error)[:120]}")
        return None
    for key in twice[:3]:
        job.find("json/malformed", where, f"the key {key[:80]!r} stands twice in one object")
    return document


def look(part: Part, job: Job) -> str:
    """A JSON file: a model package's manifest, a Keras description, or something else."""
    document = load(part.source, part.where, job)
    if isinstance(document, dict) and str(document.get("format", "")).startswith("hauberk-model/"):
        _check_manifest(document, part.where, job)
        return "model-manifest"
    if isinstance(document, dict) and "class_name" in document and "config" in document:
        check_keras(document, part.where, job)
        return "keras-description"
    return "json"


def _check_manifest(document: dict[str, Any], where: str, job: Job) -> None:
    for one in _objects(document):
        factory = one.get("factory")
        if isinstance(factory, str):
            job.find("package/factory", where, f"names the factory {factory[:120]!r}")


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    """All objects in a document, however deep."""
    pending = [document]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            yield one
            pending += one.values()
        elif isinstance(one, list):
            pending += one


def check_keras(document: Any, where: str, job: Job) -> None:
    """A Keras description: nothing but layers of Keras and their settings."""
    compiled = document.get("compile_config") if isinstance(document, dict) else None
    if compiled is not None:
        document = {key: value for key, value in document.items() if key != "compile_config"}
        check_compiled(compiled, where, job)
    for one in _objects(document):
        if isinstance(one.get("class_name"), str):
            _check_object(one, where, job)
        for key in sorted(_FILES & one.keys()):
            if isinstance(one[key], str) and one[key]:
                job.find("keras/file", where, f"a layer's {key} is the file {one[key][:120]!r}")


def check_compiled(document: Any, where: str, job: Job) -> None:
    """Optimiser, loss and metrics; a loss of one's own is only a name that the reader must have registered."""
    for one in _objects(document):
        named = one.get("module") == "builtins" and one.get("class_name") == "function"
        if isinstance(one.get("class_name"), str) and not named:
            _check_object(one, where, job)


def _check_object(one: dict[str, Any], where: str, job: Job) -> None:
    kind, module, registered = one["class_name"], one.get("module"), one.get("registered_name")
    inner = one.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    said = f"{kind[:80]!r}" + (f", called {str(name)[:80]!r}," if name is not None else "")
    if kind in _CODE:
        job.find("keras/lambda", where, f"the layer {said} carries or loads code")
    elif kind == "function" or (isinstance(inner, str) and module is not None):
        _check_function(str(inner), module, where, job)
    elif module is not None and module != "builtins" and not _inside_keras(str(module)):
        rule = "keras/function" if _is_keras(str(module)) else "keras/custom-object"
        job.find(rule, where, f"the class {said} comes from {str(module)[:80]}")
    elif isinstance(registered, str) and ">" in registered:
        job.find("keras/custom-object", where, f"the class {said} is registered as {registered[:80]!r}")


def _check_function(name: str, module: Any, where: str, job: Job) -> None:
    if module in (None, "builtins"):
        job.find("keras/custom-object", where, f"the function {name[:80]!r}, which must be registered")
    elif not _inside_keras(str(module)) or not _FUNCTIONS & set(str(module).split(".")):
        job.find("keras/function", where, f"the function {name[:80]!r} of {str(module)[:80]}")


def _is_keras(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in _KERAS)


def _inside_keras(module: str) -> bool:
    """One of the rooms of Keras that hold layers and their settings, and no functions that read files."""
    base = next((one for one in sorted(_KERAS, key=len) if _is_keras(module) and module.startswith(one)), None)
    if base is None:
        return False
    rest = module.removeprefix(base).strip(".").split(".")
    if rest[:2] == ["src", "backend"]:
        return rest[3:4] == ["optimizers"]  # each backend has its own
    if rest[0] == "src":
        return len(rest) > 1 and rest[1] in _PLACES_INSIDE
    return rest == [""] or rest[0] in _PLACES
