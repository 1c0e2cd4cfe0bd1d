"""The factory: a network of the transformers library from its configuration, without weights and without code.

A configuration from elsewhere is untrusted. It may ask for code of its own (``auto_map``), for kernels from
the Hub (``attn_implementation``) or for a quantiser; none of it is granted. Only families that are built from
numbers and words alone are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import ConfigError, DependencyMissing, HauberkError, IntegrityError, UnsupportedModel
from hauberk.integrations.quiet import quiet

if TYPE_CHECKING:
    from torch import nn

FACTORY = "hauberk.integrations.huggingface:image_classifier"

FAMILIES = {
    "beit": "BeitForImageClassification",
    "convnext": "ConvNextForImageClassification",
    "convnextv2": "ConvNextV2ForImageClassification",
    "deit": "DeiTForImageClassification",
    "dinov2": "Dinov2ForImageClassification",
    "mobilenet_v2": "MobileNetV2ForImageClassification",
    "regnet": "RegNetForImageClassification",
    "resnet": "ResNetForImageClassification",
    "swin": "SwinForImageClassification",
    "vit": "ViTForImageClassification",
}
"""What can come in, by ``model_type``; each was compared with the library's own loading."""

_CODE = ("auto_map", "quantization_config")
_NAMES = ("id2label", "label2id")  # of the classes: they stand in the package, where they may be changed
_SHOWN = 4
_OWN = ("architectures", "dtype", "torch_dtype", "transformers_version", "custom_pipelines")


def checked(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The part of a configuration that describes the network.

    Raises:
        IntegrityError: it asks for code.
        UnsupportedModel: no image classifier, or of a family that is not known.
    """
    for key in _CODE:
        if config.get(key):
            raise IntegrityError(
                f"{where} asks for code besides the network ('{key}')",
                hint="such a model comes in where you trust the code: build it there, and export it to ONNX",
            )
    family = config.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise UnsupportedModel(
            f"{where}: model_type {family!r} is none of {', '.join(FAMILIES)}",
            hint="export it to ONNX where it comes from, and import that",
        )
    named = config.get("architectures") or [FAMILIES[family]]
    if named != [FAMILIES[family]]:
        raise UnsupportedModel(f"{where} describes {named}, not {FAMILIES[family]}")
    kept = {
        key: value
        for key, value in config.items()
        if key not in (*_OWN, *_NAMES) and not key.startswith("_") and not key.endswith("_implementation")
    }
    if isinstance(config.get("id2label"), Mapping):
        kept["num_labels"] = len(config["id2label"])
    return kept


def image_classifier(config: Mapping[str, Any]) -> nn.Module:
    """The network that a configuration describes, answering bare logits.

    Raises:
        DependencyMissing: the transformers library is not installed.
        IntegrityError, UnsupportedModel, ConfigError: a configuration that is refused, or makes no network.
    """
    made, kind = _described(config)
    import torch

    with (
        _built(),
        torch.random.fork_rng(devices=[]),
    ):  # its first weights are overwritten: no draw of the caller's
        network: nn.Module = kind(made)
    return _bare(network)


def filled(config: Mapping[str, Any], weights: Path) -> nn.Module:
    """The same with the weights of a file, read by the library itself: it knows older names of its tensors.

    Raises:
        UnsupportedModel: weights that do not fit.
        DependencyMissing, IntegrityError, ConfigError: as ``image_classifier``.
    """
    made, kind = _described(config)
    import torch

    with tempfile.TemporaryDirectory(prefix="hauberk-hf-") as folder:
        # nothing else of the folder is seen: adapters and the like would be followed
        (Path(folder) / "model.safetensors").symlink_to(weights.resolve())
        with _built(), torch.random.fork_rng(devices=[]):
            network, found = kind.from_pretrained(
                folder,
                config=made,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                ignore_mismatched_sizes=True,  # they are told below
                output_loading_info=True,
            )
    problems = [
        f"{what.removesuffix('_keys')}: {', '.join(sorted(map(str, found[what]))[:_SHOWN])}"
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if found.get(what)
    ]
    if problems:
        raise UnsupportedModel(f"{weights}: the weights do not fit the configuration; {'; '.join(problems)}")
    return _bare(network)


def _described(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The library's configuration and class."""
    own = checked(config, "the configuration")
    try:
        import transformers
    except ImportError as error:
        raise DependencyMissing.extra("a Hugging Face model", "huggingface") from error
    with _built():
        made = transformers.AutoConfig.for_model(**own, attn_implementation="eager")
    return made, getattr(transformers, FAMILIES[own["model_type"]])


@contextmanager
def _built() -> Iterator[None]:
    """Whatever a configuration can break, as one line."""
    try:
        with silent():
            yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, HauberkError):
            raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"the configuration makes no network: {first}") from error


@contextmanager
def silent() -> Iterator[None]:
    """The library without its warnings and bars."""
    from transformers import utils

    logging: Any = utils.logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with quiet():
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _bare(network: nn.Module) -> nn.Module:
    """Answering logits alone, not an object that holds them."""
    network.register_forward_hook(_logits)
    return network.eval()


def _logits(module: nn.Module, given: Any, answer: Any) -> Any:
    return answer.logits
