"""What all ways in share: what the caller asked for, the probes, the comparison, the record."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hauberk.core.canonical import file_digest
from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.seeds import derive_seed
from hauberk.models.checks import probe
from hauberk.models.classifier import Classifier, Normalization, Outputs
from hauberk.models.importing.builder import Builder
from hauberk.threats.bounds import Bounds, Limit

TOLERANCE = 1e-4
"""The largest difference between a converted network's outputs and the original's that passes for rounding."""

PROBES = 8
_SEED = 20240117  # any number; the same probes every time, so that a repetition gives the same evidence


@dataclass(frozen=True)
class ImportedModel:
    """What came in.

    Args:
        classifier: in eval mode, ready to be saved as a package.
        evidence: the record, of kind ``import``; also the classifier's last one.
    """

    classifier: Classifier
    evidence: Evidence


@dataclass(frozen=True)
class Request:
    """What the caller of ``import_model`` said, besides the file."""

    path: Path
    factory: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    labels: Sequence[str] | int | None = None
    bounds: Bounds | Sequence[Limit] = (0.0, 1.0)
    normalization: tuple[Sequence[float], Sequence[float]] | None = None
    outputs: Outputs | None = None
    started: float = field(default_factory=time.perf_counter)

    def probes(self, shape: Sequence[int]) -> Tensor:
        """Random images ``(n, *shape)`` within the bounds, in the classifier's own scale."""
        generator = torch.Generator().manual_seed(derive_seed(_SEED, "import"))
        images = torch.rand((PROBES, *shape), generator=generator)
        lower, upper = Bounds.of(self.bounds).tensors(images)
        return lower + images * (upper - lower)

    def normalized(self, images: Tensor) -> Tensor:
        """The same images as the network sees them."""
        if self.normalization is None:
            return images
        seen: Tensor = Normalization(*self.normalization, dims=images.ndim - 1)(images)
        return seen

    def agree_on_shape(self, found: Sequence[int]) -> tuple[int, ...]:
        """The input shape, from the file; what the caller said must be the same.

        Raises:
            ConfigError: the file says otherwise.
        """
        if self.input_shape is not None and tuple(self.input_shape) != tuple(found):
            raise ConfigError(
                f"{self.path} takes images {tuple(found)}, but input_shape={tuple(self.input_shape)} was given",
                hint="leave input_shape out",
            )
        return tuple(found)


@dataclass(frozen=True)
class Ending:
    """The last step of a foreign network, taken off so that logits come out.

    Args:
        name: ``softmax``, ``log-softmax``, ``sigmoid`` or "" where nothing was taken off.
        restore: logits to what the foreign network answers.
    """

    name: str
    restore: Callable[[Tensor], Tensor]


def take_off_ending(builder: Builder, output: str) -> tuple[str, Ending]:
    """The node before a final softmax, and how to put it back; ``output`` itself if it has none."""
    last = builder.node(output)
    while last is not None and last["op"] == "identity":
        output = last["inputs"][0]
        last = builder.node(output)
    shape = builder.shape(output)
    if last is None or len(shape) != 2:
        return output, Ending("", nn.Identity())
    before = last["inputs"][0] if last["inputs"] else output
    if last["op"] == "softmax" and last["attrs"]["dim"] in (1, -1):
        return before, Ending("softmax", lambda logits: logits.softmax(dim=1))
    if last["op"] == "log_softmax" and last["attrs"]["dim"] in (1, -1):
        return before, Ending("log-softmax", lambda logits: logits.log_softmax(dim=1))
    if last["op"] == "sigmoid" and shape[1] == 1:
        # one output that says "how surely class 1" becomes two logits with the same softmax
        return builder.add("two_logits", [before]), Ending(
            "sigmoid", lambda logits: logits.softmax(dim=1)[:, 1:]
        )
    return output, Ending("", nn.Identity())


def describe_ending(ending: Ending) -> list[str]:
    """For the evidence."""
    if ending.name == "sigmoid":
        return ["the one sigmoid output became two logits"]
    return [f"the final {ending.name} was taken off: the classifier returns logits"] if ending.name else []


def largest_difference(ours: Tensor, theirs: Tensor, what: str) -> float:
    """How far two sets of answers are apart.

    Raises:
        UnsupportedModel: further than rounding explains.
    """
    if ours.shape != theirs.shape:
        raise UnsupportedModel(
            f"{what}: the converted network answers {tuple(ours.shape)}, the original {tuple(theirs.shape)}"
        )
    difference = float((ours.double() - theirs.double()).abs().max())
    if not math.isfinite(difference) or difference > TOLERANCE:
        raise UnsupportedModel(
            f"{what}: the converted network's outputs differ from the original's by {difference:g}, more than "
            f"{TOLERANCE:g}; the conversion cannot be trusted",
            hint="please report this model's layers; until then, rebuild the network in PyTorch",
            difference=difference,
        )
    return difference


def looks_like(values: Tensor) -> Outputs:
    """``probabilities`` where every value is in [0, 1] and every row sums to 1, else ``logits``."""
    rows = values.double()
    if bool(((rows >= 0) & (rows <= 1)).all()) and bool((rows.sum(dim=1) - 1).abs().max() < 1e-3):
        return "probabilities"
    return "logits"


def finish(
    request: Request,
    module: nn.Module,
    *,
    kind: str,
    architecture: Mapping[str, Any],
    input_shape: Sequence[int],
    conversions: Sequence[str] = (),
    difference: float | None = None,
    outputs: Outputs | None = None,
    extra_versions: Sequence[str] = (),
) -> ImportedModel:
    """The classifier around a module, looked at once more, with its evidence.

    Args:
        kind: how the evidence names the format.
        difference: from the original's outputs; None where there is no original to run.
        outputs: what the module returns, where that is known; the caller's word goes before it.
    """
    module.eval()
    images = request.probes(input_shape)
    with torch.no_grad(), refused(f"{request.path}: the network does not take images {tuple(input_shape)}"):
        dtype = next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)
        answers = module(request.normalized(images).to(dtype))
    if not isinstance(answers, Tensor) or answers.ndim != 2 or len(answers) != PROBES:
        got = tuple(answers.shape) if isinstance(answers, Tensor) else type(answers).__name__
        raise UnsupportedModel(
            f"{request.path}: a classifier answers (n, classes) for n images; this network answers {got} "
            f"for {PROBES}"
        )
    chosen = request.outputs or outputs or looks_like(answers)
    classifier = Classifier(
        module,
        input_shape=input_shape,
        labels=_labels(request, int(answers.shape[1])),
        bounds=request.bounds,
        normalization=request.normalization,
        outputs=chosen,
        architecture=architecture,
    ).eval()
    probe(classifier, images)
    notes = list(conversions)
    if chosen == "probabilities":
        notes.append("the network returns probabilities: their logarithm stands for logits")
    evidence = Evidence(
        kind="import",
        subject={"name": request.path.stem, "digest": classifier.digest},
        parameters={
            "format": kind,
            "file": request.path.name,
            "file_digest": file_digest(request.path),
            "factory": request.factory,
            "args": dict(request.args),
        },
        result={
            "largest_difference": difference,
            "probes": PROBES if difference is not None else 0,
            "conversions": notes,
        },
        seed=None,
        duration_s=round(time.perf_counter() - request.started, 3),
        versions=software_versions(("hauberk", "torch", "numpy", *extra_versions)),
    )
    classifier.evidence = (evidence,)
    return ImportedModel(classifier, evidence)


def _labels(request: Request, classes: int) -> Sequence[str] | int:
    if request.labels is None:
        if classes < 2:
            raise UnsupportedModel(f"{request.path}: a classifier has at least two outputs, this one {classes}")
        return classes
    count = request.labels if isinstance(request.labels, int) else len(request.labels)
    if count != classes:
        raise ConfigError(f"{request.path} has {classes} outputs, but {count} labels were given")
    return request.labels


@contextmanager
def refused(message: str) -> Iterator[None]:
    """What a foreign network throws when it is run, as one clear line."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError, AttributeError, NotImplementedError) as error:
        if isinstance(error, ConfigError | DataError):
            raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(f"{message}: {first}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings of other people's libraries about their own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
