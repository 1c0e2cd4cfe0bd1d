"""A folder as the Hub hands it out, looked at first and brought in as a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.core.files import read_bytes
from hauberk.integrations.huggingface import own, preprocessing
from hauberk.integrations.huggingface.network import FACTORY, checked, filled
from hauberk.protection.scan.importing import import_scanned

if TYPE_CHECKING:
    from hauberk.models.importing import ImportedModel

CONFIG, WEIGHTS, PROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"


def is_folder(path: str | Path) -> bool:
    """Whether this looks like one of Hugging Face's."""
    return (Path(path) / CONFIG).is_file()


def import_folder(
    path: str | Path,
    *,
    input_shape: tuple[int, ...] | None = None,
    labels: Any = None,
    normalization: tuple[Any, Any] | None = None,
) -> ImportedModel:
    """An image classifier from ``config.json`` and ``model.safetensors``; bounds are [0, 1].

    Args:
        input_shape: of one image ``(channels, height, width)`` [default: what the files say].
        labels: names of the classes [default: ``id2label``].
        normalization: ``(mean, std)`` for images in [0, 1] [default: what ``preprocessor_config.json`` says].

    Raises:
        DataError: a file is missing or malformed.
        IntegrityError: the scan found something, or the configuration asks for code.
        UnsupportedModel: another family, or weights that do not fit.
        DependencyMissing: the transformers library is not installed.

    Limits: images must have the right size already; the processor's resizing is not part of the model, so an
        attacker who chooses images before it is not measured.
    """
    folder = Path(path)
    config = _document(folder / CONFIG)
    weights = _weights(folder)
    if config.get("model_type") == own.MODEL_TYPE:
        if input_shape is not None or labels is not None or normalization is not None:
            raise ConfigError(f"{folder} says all of its input contract; leave the options out")
        return import_scanned(weights, lambda file: own.import_own(folder, file, config))
    network = checked(config, str(folder / CONFIG))
    processor = _document(folder / PROCESSOR) if (folder / PROCESSOR).is_file() else None
    if normalization is None and processor is not None:
        normalization = preprocessing.normalization(processor, str(folder / PROCESSOR))
    contract = {
        "input_shape": input_shape or _shape(network, processor or {}, folder),
        "labels": labels if labels is not None else _labels(config, folder),
        "normalization": normalization,
    }
    return import_scanned(weights, lambda file: _import_native(file, network, contract))


def _import_native(file: Path, config: Mapping[str, Any], contract: Mapping[str, Any]) -> ImportedModel:
    """The library's own network; what was asked of it stands in the package and in the evidence."""
    from hauberk.models.importing.common import Request, finish

    args = {"config": dict(config)}
    request = Request(path=file, factory=FACTORY, args=args, outputs="logits", **contract)
    return finish(
        request,
        filled(config, file),
        kind="huggingface",
        architecture={"factory": FACTORY, "args": args},
        input_shape=contract["input_shape"],
        extra_versions=("transformers",),
    )


def _document(path: Path) -> dict[str, Any]:
    found = parse_json(read_bytes(path, what=path.name), where=str(path))
    if not isinstance(found, dict):
        raise DataError(f"{path} holds no object")
    return found


def _weights(folder: Path) -> Path:
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    if (folder / f"{WEIGHTS}.index.json").is_file():
        raise UnsupportedModel(
            f"{folder} holds its weights in several files",
            hint="model.save_pretrained(folder, max_shard_size='100GB') makes one of them",
        )
    raise DataError(
        f"{folder} holds no {WEIGHTS}",
        hint="weights as pickles (pytorch_model.bin) do not come in; many repositories have both",
    )


def _shape(config: Mapping[str, Any], processor: Mapping[str, Any], folder: Path) -> tuple[int, int, int]:
    size: Any = preprocessing.image_size(processor)
    if size is None:
        given = config.get("image_size")
        size = (given, given) if isinstance(given, int) else given
    channels = config.get("num_channels", 3)
    if not isinstance(size, list | tuple) or len(size) != 2 or not isinstance(channels, int):
        raise ConfigError(f"{folder} does not say what size images have", hint="--input-shape 3,224,224")
    return channels, int(size[0]), int(size[1])


def _labels(config: Mapping[str, Any], folder: Path) -> list[str] | int:
    named = config.get("id2label")
    if named is None:
        return int(config.get("num_labels", 2))
    try:
        places = {int(key): str(value) for key, value in named.items()}
    except (AttributeError, ValueError) as error:
        raise DataError(f"{folder / CONFIG}: id2label names classes by their number") from error
    if sorted(places) != list(range(len(places))):
        raise DataError(f"{folder / CONFIG}: id2label leaves classes out")
    return [places[place] for place in range(len(places))]
