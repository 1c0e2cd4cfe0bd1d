"""A model package as the ledger sees it: which model it is, and the evidence in it and beside it.

Read without torch, and without believing the manifest: all digests, the model's too, are computed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest, file_digest, parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.files import read_bytes
from hauberk.core.manifest import FORMAT, MANIFEST, WEIGHTS, check_digest

_CONTRACT = ("architecture", "input", "outputs", "labels", "defences")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Subject:
    """A package.

    Args:
        name: of its folder.
        model: the model's digest; ``package`` is that of the whole package.
        born: digests of the evidence in the package: how the model came to be.
        evidence: all evidence that tells of it, that in the package included, oldest first.
    """

    name: str
    model: str
    package: str
    born: frozenset[str]
    evidence: tuple[Evidence, ...]

    def names(self) -> list[str]:
        """Digests under which statements may speak of it: model, package, files that were made of it."""
        made = [
            value
            for one in self.evidence
            if one.subject.get("digest") == self.model
            for value in one.result.values()
            if isinstance(value, str) and _SHA256.fullmatch(value)
        ]
        return list(dict.fromkeys([self.model, self.package, *made]))


def read_subject(path: str | Path, folder: str | Path | None = None) -> Subject:
    """A package and its evidence.

    Args:
        folder: where later evidence lies [default: ``evidence`` beside the package].

    Raises:
        DataError: no package, or a malformed one.
        IntegrityError: one of its files, or a piece of evidence, was changed.
    """
    path = Path(path)
    where = str(path / MANIFEST)
    manifest = parse_json(read_bytes(path / MANIFEST, what="model package (model.json)"), where=where)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DataError(f"{where} is no {FORMAT} manifest")
    check_digest(manifest, where=where)
    try:
        born = tuple(_verified(path, manifest))
        contract = {key: manifest[key] for key in _CONTRACT if key in manifest}
        weights = f"sha256:{manifest['files'][WEIGHTS]['sha256']}"
        model = digest({**contract, "weights": weights})
        listed = manifest["provenance"]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{where} is malformed: {error!r}") from error
    if model != manifest.get("model") or [one.digest for one in born] != listed:
        raise IntegrityError(f"{path}: the manifest names another model or other evidence than there is")
    later = Path(folder) if folder is not None else path.resolve().parent / "evidence"
    own = {one.digest: one for one in (*born, *_beside(later, model, manifest["digest"]))}
    ordered = sorted(own.values(), key=lambda one: one.created)
    name = path.resolve().name
    return Subject(name, model, manifest["digest"], frozenset(listed), tuple(ordered))


def _verified(path: Path, manifest: Mapping[str, Any]) -> Iterator[Evidence]:
    """The evidence in a package, in order, while all its files are compared with their digests."""
    for name, facts in sorted(manifest["files"].items()):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise IntegrityError(f"{path}: the package lists a file outside itself: {name}")
        try:
            found = file_digest(path / name)
        except OSError as error:
            raise IntegrityError(f"{path}: {name} is listed and cannot be read ({error.strerror})") from error
        if found != f"sha256:{facts['sha256']}":
            raise IntegrityError(f"{path / name} was changed after the package was written: SHA-256 differs")
        if name.startswith("evidence/"):
            yield Evidence.load(path / name)


def _beside(folder: Path, model: str, package: str) -> Iterator[Evidence]:
    """Evidence in a folder that tells of this model: as what came out or was looked at, or as what went in."""
    for file in sorted(folder.glob("*.json")):
        one = Evidence.load(file)
        went_in = [value.get("digest") for value in one.inputs.values() if isinstance(value, Mapping)]
        if {model, package} & {one.subject.get("digest"), *map(_text, went_in)}:
            yield one


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
