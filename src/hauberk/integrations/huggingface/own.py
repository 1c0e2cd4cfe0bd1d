"""Classifiers that the transformers library cannot build: the same folder, with Hauberk's contract inside.

``config.json`` then has ``model_type`` ``hauberk`` and, under ``hauberk``, what ``model.json`` says of the
model (docs/spec/model-package.md). It comes back as the model that it was, to the digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import DataError, IntegrityError, check_known
from hauberk.core.evidence import Evidence, software_versions

if TYPE_CHECKING:
    from hauberk.models.importing import ImportedModel

MODEL_TYPE = "hauberk"
_CONTRACT = ("architecture", "input", "outputs", "labels")


def import_own(folder: Path, weights: Path, config: Mapping[str, Any]) -> ImportedModel:
    """The classifier, with the evidence that travelled along.

    Raises:
        DataError: a contract that is malformed.
        IntegrityError: weights or contract are not those of the model that is named.
        AccessDenied: it needs a factory that this user has not allowed.
    """
    from hauberk.models.importing import ImportedModel
    from hauberk.models.importing.state_dict import read_safetensors
    from hauberk.models.package import align, build, fill

    told = config.get(MODEL_TYPE)
    if not isinstance(told, dict) or not {*_CONTRACT, "model"} <= told.keys():
        raise DataError(f"{folder / 'config.json'} lacks the contract under '{MODEL_TYPE}'")
    check_known(told, {*_CONTRACT, "model", "defences"}, what="key", where=f"{folder / 'config.json'}, hauberk")
    try:
        classifier = build(told, {})
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{folder / 'config.json'} is malformed: {error!r}") from error
    fill(classifier, read_safetensors(weights), str(folder))
    align(classifier)
    classifier.eval()
    if classifier.digest != told["model"]:
        raise IntegrityError(f"{folder} holds another model than the one it names")
    born = _evidence(folder, classifier.digest)
    evidence = Evidence(
        kind="import",
        subject={"name": folder.resolve().name, "digest": classifier.digest},
        parameters={
            "format": "huggingface",
            "file": weights.name,
            "file_digest": file_digest(weights),
            "factory": None,
            "args": {},
        },
        result={"largest_difference": None, "probes": 0, "conversions": []},
        parents=(born[-1].digest,) if born else (),
        versions=software_versions(),
    )
    classifier.evidence = (*born, evidence)
    return ImportedModel(classifier, evidence)


def _evidence(folder: Path, model: str) -> tuple[Evidence, ...]:
    """The documents of its birth; what was measured later stays in the folder."""
    found = [
        Evidence.from_json(parse_json(path.read_bytes(), where=str(path)), where=str(path))
        for path in sorted((folder / "evidence").glob("[0-9][0-9]-*.json"))
    ]
    if found and found[-1].subject.get("digest") != model:
        raise IntegrityError(f"{folder}: the evidence is of another model")
    return tuple(found)
