"""Models that come from elsewhere, brought in as classifiers that need neither pickle nor their old framework.

    from hauberk.models import save
    from hauberk.models.importing import import_model

    model = import_model("model.h5").classifier
    save(model, "tutorial.hauberk")

A Keras or ONNX network becomes a ``GraphModule`` and is compared with the original on random images; a
``torch.export`` program becomes a ``ProgramModule``; bare weights go into the network of a factory.

Limits: a converted network answers as the original does on the images it was compared on; what the original
would do on others is not proved. The libraries that read the original (Keras, ONNX) parse an untrusted file:
what can be refused before they see it is refused, bugs in them remain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hauberk.core.errors import ConfigError
from hauberk.models.classifier import Outputs
from hauberk.models.importing import archive
from hauberk.models.importing.common import ImportedModel, Request
from hauberk.models.importing.program import export
from hauberk.threats.bounds import Bounds, Limit

__all__ = ["ImportedModel", "export", "import_model"]


def import_model(
    path: str | Path,
    *,
    factory: str | None = None,
    args: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
    labels: int | Sequence[str] | None = None,
    bounds: Bounds | Sequence[Limit] = (0.0, 1.0),
    normalization: tuple[Sequence[float], Sequence[float]] | None = None,
    outputs: Outputs | None = None,
) -> ImportedModel:
    """A classifier from a file of another framework; its content, not its name, decides how it is read.

    Args:
        factory: what builds the network for bare weights: ``module:function``, or a built-in architecture's
            name. Naming a function is the permission to run it, and is remembered for this user.
        args: keyword arguments of the factory.
        input_shape: of one image, ``(c, h, w)``; needed with bare weights. For a Keras network that takes flat
            or two-dimensional inputs, the images' own shape: they are flattened in Keras' order first.
        labels: names of the classes or how many there are; None counts the network's outputs.
        bounds: lowest and highest valid input, as the network (or ``normalization``) expects it.
        normalization: ``(mean, std)`` per channel that the network was trained with, applied before it.
        outputs: what the network returns, where looking at it would guess wrong.

    Returns:
        the classifier in eval mode, and the evidence.

    Raises:
        DataError: no such file, or not of an accepted kind.
        ConfigError: options that do not fit the file.
        IntegrityError: a file that would run code when read.
        UnsupportedModel: a layer without counterpart, or a conversion that answers differently.
        DependencyMissing: Keras or ONNX is not installed.
    """
    request = Request(
        path=Path(path),
        factory=factory,
        args=dict(args or {}),
        input_shape=tuple(int(size) for size in input_shape) if input_shape is not None else None,
        labels=labels,
        bounds=bounds,
        normalization=normalization,
        outputs=outputs,
    )
    kind = archive.kind_of(request.path)
    if kind in ("torch", "safetensors"):
        from hauberk.models.importing.state_dict import import_state_dict

        return import_state_dict(request, kind)
    if factory is not None or args:
        raise ConfigError(f"{path} carries its own network; leave out the factory and its arguments")
    if kind == "program":
        from hauberk.models.importing.program import import_program

        return import_program(request)
    if kind == "onnx":
        from hauberk.models.importing.onnx_model import import_onnx

        return import_onnx(request)
    from hauberk.models.importing.keras_model import import_keras

    return import_keras(request)
