"""A package as a folder for the Hub: configuration, weights, processor, model card, evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.core.files import directory_aside, refuse_overwrite
from hauberk.core.manifest import WEIGHTS
from hauberk.integrations.huggingface import own, preprocessing
from hauberk.integrations.huggingface.card import card
from hauberk.integrations.huggingface.network import FACTORY, FAMILIES, silent

if TYPE_CHECKING:
    from hauberk.models import Package

_CONTRACT = ("architecture", "input", "outputs", "labels", "defences", "model")


def export_folder(
    package: str | Path, out: str | Path, *, evidence: str | Path | None = None, overwrite: bool = False
) -> Path:
    """Write the folder; it appears whole or not at all.

    Args:
        evidence: folder of later evidence [default: ``evidence`` beside the package]; what tells of this model
            stands in the card and travels along.

    Raises:
        ConfigError: something is at ``out`` already.
        DataError, IntegrityError: no package, or one that was changed.
        UnsupportedModel: the architecture needs files of its own (an exported program).
    """
    from hauberk.models import read
    from hauberk.vault.content import opened_content

    refuse_overwrite(out, force=overwrite)
    verified = read(package)
    manifest = verified.manifest
    further = [one for one in manifest["files"] if one != WEIGHTS and not one.startswith("evidence/")]
    if further:
        raise UnsupportedModel(
            f"{package} needs {further[0]}, which has no place in a Hugging Face folder",
            hint="a model whose architecture has a name or a factory has none of these",
        )
    with opened_content(verified.path, None, Path(evidence) if evidence else None) as content:
        documents = content.evidence
    files = _evidence_files(documents, born=len(verified.evidence))
    processor = preprocessing.described(**manifest["input"])
    if processor is not None:
        files["preprocessor_config.json"] = processor
    native = _is_native(manifest)
    text = card(Path(package).resolve().name, manifest, documents, native)
    with directory_aside(out) as aside:
        files["config.json"] = _network(verified, aside) if native else _own(verified, aside)
        for name, document in files.items():
            target = aside / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(json.dumps(document, indent=2, ensure_ascii=False).encode())
        (aside / "README.md").write_bytes(text.encode())
    return Path(out)


def _is_native(manifest: Mapping[str, Any]) -> bool:
    """Whether the library can build it: its own network, and nothing around that."""
    ours = manifest["architecture"].get("factory") == FACTORY
    return ours and not manifest.get("defences") and manifest["outputs"] == "logits"


def _network(package: Package, folder: Path) -> dict[str, Any]:
    """The weights under the names by which the library keeps them, and the configuration that came in."""
    from hauberk.models import load

    network: Any = load(package.path).module
    with silent():
        network.save_pretrained(folder)
    config = package.manifest["architecture"]["args"]["config"]
    named = {key: value for key, value in config.items() if key != "num_labels"}
    return {**named, **_classes(package), "architectures": [FAMILIES[config["model_type"]]], "dtype": "float32"}


def _own(package: Package, folder: Path) -> dict[str, Any]:
    """The weights as they are, and the contract."""
    import safetensors.torch

    weights = safetensors.torch.load_file(package.path / WEIGHTS)
    safetensors.torch.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    contract = {key: package.manifest[key] for key in _CONTRACT if key in package.manifest}
    return {"model_type": own.MODEL_TYPE, **_classes(package), own.MODEL_TYPE: contract}


def _classes(package: Package) -> dict[str, Any]:
    labels = package.manifest["labels"]
    return {
        "id2label": {str(place): name for place, name in enumerate(labels)},
        "label2id": {name: place for place, name in enumerate(labels)},
    }


def _evidence_files(documents: Sequence[Evidence], *, born: int) -> dict[str, Any]:
    """Numbered those of its birth, as in the package; by digest the later ones."""
    return {
        f"evidence/{place:02d}-{one.kind}.json"
        if place < born
        else f"evidence/{one.kind}-{one.digest[7:19]}.json": one.to_json()
        for place, one in enumerate(documents)
    }
