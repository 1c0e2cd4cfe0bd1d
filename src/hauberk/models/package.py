"""Model packages: a classifier as a directory, without any pickle.

    PKG/
      model.json            the manifest: architecture, input contract, labels, provenance, digests of all files
      weights.safetensors   the weights
      evidence/*.json       the evidence of its birth, oldest first
      *                     further files of the architecture (an exported program), listed in the manifest

The format is written down in docs/spec/model-package.md. Every file's SHA-256 stands in the manifest, and the
manifest carries its own digest, so accidents and careless edits are refused. Against a person who rewrites
both, packages are signed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hauberk.core.canonical import digest, parse_json
from hauberk.core.errors import (
    ConfigError,
    DataError,
    HauberkError,
    IntegrityError,
    UnsupportedModel,
    check_known,
)
from hauberk.core.evidence import Evidence
from hauberk.core.files import directory_aside, read_bytes
from hauberk.core.manifest import FORMAT, MANIFEST, WEIGHTS, check_digest
from hauberk.models import architectures, factories
from hauberk.models.classifier import Classifier, weights_digest
from hauberk.models.parts import make_part
from hauberk.models.several import Averaging, Gated, member_files, rebuilt

_AGE = b"age-encryption.org/v1\n"
_KEYS = ("format", "architecture", "input", "outputs", "labels", "model", "provenance", "files", "digest")
_OPTIONAL_KEYS = ("defences",)
_INPUT_KEYS = ("shape", "bounds", "normalization")
_ARCHITECTURE_KEYS = ("name", "factory", "args")
_MEMBER_KEYS = ("architecture", "input", "outputs")
_SEVERAL = (Averaging.kind, Gated.kind)


@dataclass(frozen=True)
class Package:
    """A package's verified manifest.

    Args:
        path: the directory.
        manifest: the parsed ``model.json``.
        evidence: the evidence it carries, oldest first.
    """

    path: Path
    manifest: Mapping[str, Any]
    evidence: tuple[Evidence, ...]

    @property
    def model_digest(self) -> str:
        """Names weights, architecture and input contract; equal to ``Classifier.digest``."""
        return str(self.manifest["model"])

    @property
    def digest(self) -> str:
        """Names the whole package, provenance included."""
        return str(self.manifest["digest"])


def package_files(module: nn.Module) -> dict[str, bytes]:
    """Further files that an architecture needs to be built again (none for most)."""
    give = getattr(module, "package_files", None)
    return dict(give()) if give is not None else {}


def save(
    classifier: Classifier,
    path: str | Path,
    *,
    overwrite: bool = False,
) -> Package:
    """Write a package; it appears whole or not at all.

    Args:
        overwrite: replace a package that is already there.

    Raises:
        UnsupportedModel: the classifier does not say how its module can be built again.
        ConfigError: something is at ``path`` already.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.
    """
    path = Path(path)
    if not isinstance(classifier, Classifier):
        raise ConfigError(f"save takes a hauberk.Classifier, got {type(classifier).__name__}")
    if path.exists() and not (overwrite and (path / MANIFEST).exists()):
        raise ConfigError(
            f"{path} exists already" + (" and is not a model package" if overwrite else ""),
            hint="choose another place, or overwrite=True (--force) to replace a package",
        )
    if classifier.architecture is None:
        raise UnsupportedModel(
            "this classifier cannot be saved: it does not say how to build its module again",
            hint="pass architecture={'factory': 'your_module:function', 'args': {...}} to Classifier, or "
            "hauberk.models.importing.export(classifier) to keep the graph instead of the code",
        )
    named = list(_factories(classifier.architecture))
    for factory in named:
        factories.split(factory)
    weights = classifier.weights()
    files = {
        WEIGHTS: safetensors.torch.save(weights),
        **package_files(classifier.module),
        **{
            f"evidence/{position:02d}-{one.kind}.json": json.dumps(
                one.to_json(), indent=1, ensure_ascii=False
            ).encode()
            for position, one in enumerate(classifier.evidence)
        },
    }
    contract = classifier.contract()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        **contract,
        "model": digest({**contract, "weights": weights_digest(weights)}),
        "provenance": [one.digest for one in classifier.evidence],
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in sorted(files.items())
        },
    }
    manifest["digest"] = digest(manifest)
    with directory_aside(path) as aside:
        for name, data in files.items():
            target = aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (aside / MANIFEST).write_bytes(text.encode())
    for factory in named:
        factories.trust(factory)
    return Package(path, manifest, classifier.evidence)


def _factories(architecture: Mapping[str, Any]) -> Iterator[str]:
    """The code that an architecture names, its members' included."""
    if architecture.get("factory"):
        yield architecture["factory"]
    elif architecture.get("name") in _SEVERAL:
        for member in architecture["args"]["members"]:
            yield from _factories(member["architecture"])


def read(path: str | Path) -> Package:
    """Read and verify a package without building its network: nothing in it is executed.

    Raises:
        DataError: there is no package, or its manifest is malformed.
        UnknownName: the manifest has keys that do not belong.
        IntegrityError: a file is missing, added to the list, cut short or changed.
    """
    package, _files = _read(Path(path))
    return package


def _read(path: Path) -> tuple[Package, dict[str, bytes]]:
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is not a model package (a folder with {MANIFEST})", hint=_sealed_hint(path))
    where = str(path / MANIFEST)
    raw = read_bytes(path / MANIFEST, what="model package (model.json)")
    try:
        manifest = parse_json(raw, where=where)
    except DataError as error:
        raise IntegrityError(f"{error}: the package is damaged") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataError(f"{where}: format is {found!r}, this version reads '{FORMAT}'")
    # the digest before the keys: what was changed must not be taken for a typing error
    if "digest" not in manifest:
        raise DataError(f"{where} lacks 'digest'")
    check_digest(manifest, where=where)
    check_known(manifest, (*_KEYS, *_OPTIONAL_KEYS), what="key", where=where)
    for key in _KEYS:
        if key not in manifest:
            raise DataError(f"{where} lacks '{key}'")
    for part in ("input", "architecture", "files"):
        if not isinstance(manifest[part], dict):
            raise DataError(f"{where}: '{part}' must be an object")
    for part, known in (("input", _INPUT_KEYS), ("architecture", _ARCHITECTURE_KEYS)):
        check_known(manifest[part], known, what="key", where=f"{where}, {part}")
    with _well_formed(where):
        files = {name: _verified(path, name, facts) for name, facts in manifest["files"].items()}
    if WEIGHTS not in files:
        raise IntegrityError(f"{path}: the package lists no {WEIGHTS}")
    return Package(path, manifest, evidence_of(manifest, files, where=str(path))), files


def _sealed_hint(path: Path) -> str | None:
    """What to do with a sealed model, which starts as every age file does."""
    with path.open("rb") as file:
        if file.read(len(_AGE)) != _AGE:
            return None
    return "it is sealed: hauberk open it, or hauberk.protection.seal.open_model in Python"


def evidence_of(manifest: Mapping[str, Any], files: Mapping[str, bytes], *, where: str) -> tuple[Evidence, ...]:
    """The evidence among a package's files, oldest first as the manifest lists it.

    Raises:
        IntegrityError: the manifest lists other evidence.
        DataError: a file that is no evidence.
    """
    found = [
        Evidence.from_json(parse_json(data, where=name), where=f"{where}/{name}")
        for name, data in files.items()
        if name.startswith("evidence/")
    ]
    listed = manifest.get("provenance")
    order = {str(name): place for place, name in enumerate(listed)} if isinstance(listed, list) else {}
    if not isinstance(listed, list) or {one.digest for one in found} != order.keys():
        raise IntegrityError(f"{where}: the evidence is not what the manifest's provenance lists")
    return tuple(sorted(found, key=lambda one: order[one.digest]))


@contextmanager
def _well_formed(where: str) -> Iterator[None]:
    """A manifest whose digest is right may still hold the wrong kinds of values."""
    try:
        yield
    except HauberkError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise DataError(f"{where} is malformed: {error!r}") from error


def _verified(path: Path, name: str, facts: Mapping[str, Any]) -> bytes:
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise IntegrityError(f"{path}: the package lists a file outside itself: {name}")
    try:
        data = (path / relative).read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path}: {name} is listed but cannot be read ({error.strerror})") from error
    if len(data) != facts["size_bytes"]:
        raise IntegrityError(
            f"{path / name} has {len(data)} bytes instead of {facts['size_bytes']}: truncated or changed"
        )
    if hashlib.sha256(data).hexdigest() != facts["sha256"]:
        raise IntegrityError(f"{path / name} was changed after the package was written: SHA-256 differs")
    return data


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """The classifier of a package, verified, in eval mode, on ``device``.

    Raises:
        DataError, IntegrityError: as ``read``.
        AccessDenied: it needs a factory that this user has not allowed.
        UnsupportedModel: weights that do not fit the architecture.
    """
    package, files = _read(Path(path))
    with _well_formed(f"{path}"):
        weights = safetensors.torch.load(files[WEIGHTS])
        classifier = build(package.manifest, files)
    fill(classifier, weights, str(path))
    align(classifier)
    classifier.evidence = package.evidence
    return classifier.to(device).eval()


def build(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Classifier:
    """An unfilled classifier from a manifest."""
    architecture = manifest["architecture"]
    shape = tuple(manifest["input"]["shape"])
    args = architecture.get("args", {})
    if "factory" in architecture:
        module = factories.call_trusted(architecture["factory"], args)
    elif architecture.get("name") in _SEVERAL:
        module = _several(architecture["name"], args, manifest["labels"], files)
    else:
        module = _built_in(architecture.get("name", ""), shape, len(manifest["labels"]), args, files)
    normalization = manifest["input"]["normalization"]
    return Classifier(
        module,
        input_shape=shape,
        labels=manifest["labels"],
        bounds=manifest["input"]["bounds"],
        normalization=(normalization["mean"], normalization["std"]) if normalization else None,
        outputs=manifest["outputs"],
        architecture=architecture,
        defences=[make_part(one["name"], one["args"]) for one in manifest.get("defences", ())],
    )


def _several(name: str, args: Mapping[str, Any], labels: list[str], files: Mapping[str, bytes]) -> nn.Module:
    """Members as the package describes them, and what makes one model of them."""
    members = []
    for place, member in enumerate(args["members"]):
        where = f"member {place + 1} of the {name}"
        check_known(member, (*_MEMBER_KEYS, *_OPTIONAL_KEYS), what="key", where=where)
        check_known(member["architecture"], _ARCHITECTURE_KEYS, what="key", where=f"{where}, architecture")
        check_known(member["input"], _INPUT_KEYS, what="key", where=f"{where}, input")
        members.append(build({**member, "labels": labels}, member_files(files, place)))
    return rebuilt(name, {key: value for key, value in args.items() if key != "members"}, members)


def _built_in(
    name: str, shape: tuple[int, ...], classes: int, args: Mapping[str, Any], files: Mapping[str, bytes]
) -> nn.Module:
    if name in IMPORTED:
        return IMPORTED[name](args, files)
    return architectures.build(name, shape, classes, args)


def _load_graph(args: Mapping[str, Any], files: Mapping[str, bytes]) -> nn.Module:
    from hauberk.models.importing.graph import GraphModule

    return GraphModule(**args)


def _load_program(args: Mapping[str, Any], files: Mapping[str, bytes]) -> nn.Module:
    from hauberk.models.importing.program import ProgramModule

    return ProgramModule.from_package(args, files)


IMPORTED = {"graph": _load_graph, "program": _load_program}
"""Architectures that came from elsewhere and need no code of their own."""


def fill(classifier: Classifier, weights: Mapping[str, Tensor], where: str, *, assign: bool = False) -> None:
    """Weights into module and parts, each keeping its dtype.

    Args:
        where: the package, for what is said of weights that do not fit.
        assign: put these very tensors in the place of the network's own, in place of copying them.

    Raises:
        UnsupportedModel: weights that do not fit the architecture.
    """
    left = dict(weights)
    for place, part in enumerate(classifier.defences):
        prefix = f"defences.{place}:"
        own = {name.removeprefix(prefix): left.pop(name) for name in list(left) if name.startswith(prefix)}
        _fill_module(part, own, where, assign)
    _fill_module(classifier.module, left, where, assign)


def _fill_module(module: nn.Module, weights: Mapping[str, Tensor], where: str, assign: bool) -> None:
    kinds = {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()}
    if len(kinds) == 1:
        module.to(kinds.pop())  # constants that are not in the state too
    if not assign:
        for name, tensor in itertools.chain(module.named_parameters(), module.named_buffers()):
            if name in weights:
                tensor.data = tensor.data.to(weights[name].dtype)
    try:
        module.load_state_dict(dict(weights), strict=True, assign=assign)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UnsupportedModel(f"{where}: the weights do not fit the architecture: {first}") from error


def align(classifier: Classifier) -> None:
    """Normalisations in the dtype and on the device of the weights, the members' too."""
    for one in classifier.modules():
        if isinstance(one, Classifier):
            one.align_normalization()
