"""``Classifier``: a network that returns logits, plus what an attacker must know about its input."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.core.evidence import Evidence
from hauberk.models.parts.part import Part
from hauberk.threats.bounds import Bounds, Limit

Outputs = Literal["logits", "probabilities", "log-probabilities"]
_OUTPUTS = ("logits", "probabilities", "log-probabilities")


class Normalization(nn.Module):
    """``(x - mean) / std`` per channel, inside the classifier so that attacks work in the input's own scale."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], *, dims: int) -> None:
        super().__init__()
        if len(mean) != len(std) or not all(one > 0 for one in std):
            raise ConfigError(f"normalisation needs as many means as positive stds, got {mean!r}, {std!r}")
        shape = (-1, *([1] * (dims - 1)))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Classifier(nn.Module):
    """Images in, logits out; with the input contract that attacks, defences and the server rely on.

    Args:
        module: takes ``(n, *input_shape)`` and returns ``(n, classes)``.
        input_shape: of one image, such as ``(1, 28, 28)``.
        labels: names of the classes, or how many there are.
        bounds: lowest and highest valid input, each a number or one per channel.
        normalization: ``(mean, std)`` per channel applied before the module, or None.
        outputs: what ``module`` returns. Probabilities are turned into logits by their logarithm, which
            keeps the ranking; where the network's softmax has saturated to exactly 0 or 1 the lost
            differences stay lost, so hand over logits where you can.
        architecture: how a package can build ``module`` again: ``{"name": ..., "args": {...}}`` for built-in
            ones or ``{"factory": "module:function", "args": {...}}``. None if it is not to be saved.
        evidence: the records of its birth, oldest first; they travel in the package.
        defences: parts that stand around the module, the outermost first (``hauberk.models.parts``).

    Raises:
        ConfigError: shape, bounds, labels or normalisation that cannot be right.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        input_shape: Sequence[int],
        labels: int | Sequence[str],
        bounds: Bounds | Sequence[Limit] = (0.0, 1.0),
        normalization: tuple[Sequence[float], Sequence[float]] | None = None,
        outputs: Outputs = "logits",
        architecture: Mapping[str, Any] | None = None,
        evidence: Sequence[Evidence] = (),
        defences: Sequence[Part] = (),
    ) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ConfigError(f"a Classifier wraps a torch.nn.Module, got {type(module).__name__}")
        check_known([outputs], _OUTPUTS, what="kind of outputs", where="Classifier")
        try:
            self.input_shape = tuple(int(size) for size in input_shape)
        except (TypeError, ValueError):
            self.input_shape = ()
        if not self.input_shape or min(self.input_shape) < 1:
            raise ConfigError(f"input_shape is one image's shape such as (1, 28, 28), got {input_shape!r}")
        names = [str(one) for one in (range(labels) if isinstance(labels, int) else labels)]
        if isinstance(labels, str) or len(names) < 2 or len(set(names)) != len(names):
            raise ConfigError(f"a classifier needs at least two labels, all different; got {labels!r}")
        self.labels = tuple(names)
        self.bounds = Bounds.of(bounds)
        self.bounds.widths(self.input_shape)
        self.outputs: Outputs = outputs
        self.architecture = dict(architecture) if architecture is not None else None
        self.evidence = tuple(evidence)
        self.normalization: Normalization | None = None
        if normalization is not None:
            self.normalization = Normalization(*normalization, dims=len(self.input_shape))
            if self.normalization.mean.numel() not in (1, self.input_shape[0]):
                raise ConfigError(
                    f"normalisation for {self.normalization.mean.numel()} channels does not fit inputs of "
                    f"shape {self.input_shape}"
                )
        self.module = module
        self.defences = nn.ModuleList(defences)
        self.align_normalization()

    def align_normalization(self) -> None:
        """Give the normalisation the dtype of the weights, so that half-precision networks get their own."""
        if self.normalization is not None:
            self.normalization.to(self.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(n, classes)`` for a batch ``(n, *input_shape)`` in the classifier's own scale.

        A classifier that ``rejects`` has one more column, last: where it is the largest, the input is refused.
        """
        if x.ndim == 0 or tuple(x.shape[1:]) != self.input_shape:
            raise DataError(
                f"this classifier takes batches (n, {', '.join(map(str, self.input_shape))}), "
                f"got {tuple(x.shape)}"
            )
        return self._within(x.to(self.dtype), 0)

    def _within(self, x: Tensor, depth: int) -> Tensor:
        """What the parts from ``depth`` inwards answer."""
        if depth < len(self.defences):
            answer: Tensor = self.defences[depth](x, functools.partial(self._within, depth=depth + 1))
            return answer
        if self.normalization is not None:
            x = self.normalization(x)
        out: Tensor = self.module(x)
        if self.outputs == "probabilities":
            return out.clamp_min(torch.finfo(out.dtype).tiny).log()
        return out

    @property
    def rejects(self) -> bool:
        """Whether it may refuse an input; see ``forward``."""
        return any(part.rejects for part in self._parts())

    def _parts(self) -> list[Part]:
        return [one for one in self.defences if isinstance(one, Part)]

    def folded(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(n, classes)`` as an attacker must see them: a refused input counts for the defender.

        The label's logit becomes the larger of its own and the refusal's, so that another class wins exactly
        where the input is both accepted and mistaken. Without rejection, the logits as they are.
        """
        if logits.shape[1] == self.num_classes:
            return logits
        kept, refused = logits[:, : self.num_classes], logits[:, self.num_classes]
        defended = torch.maximum(kept.gather(1, labels[:, None]).squeeze(1), refused)
        return kept.scatter(1, labels[:, None], defended[:, None])

    def label(self, predicted: int) -> str:
        """The name of a predicted class, or that the input was refused."""
        return self.labels[predicted] if predicted < self.num_classes else "(rejected)"

    @property
    def num_classes(self) -> int:
        return len(self.labels)

    def _any_tensor(self) -> Tensor | None:
        floats = (one for one in itertools.chain(self.parameters(), self.buffers()) if one.is_floating_point())
        return next(floats, None)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        tensor = self._any_tensor()
        return tensor.device if tensor is not None else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the weights; inputs are cast to it."""
        tensor = self._any_tensor()
        return tensor.dtype if tensor is not None else torch.float32

    @property
    def digest(self) -> str:
        """``sha256:…`` of weights, architecture and input contract: the model's name in evidence.

        Cost: one copy of the weights.
        """
        return digest({**self.contract(), "weights": weights_digest(self.weights())})

    def weights(self) -> dict[str, Tensor]:
        """The state of module and parts, contiguous and on the CPU, as it goes into ``weights.safetensors``.

        Tensors of the parts are named ``defences.<place>:<name>``.
        """
        found = dict(self.module.state_dict())
        for place, part in enumerate(self.defences):
            found |= {f"defences.{place}:{name}": one for name, one in part.state_dict().items()}
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in found.items()}

    def contract(self) -> dict[str, Any]:
        """What a package must know besides the weights, as JSON."""
        normalization = None
        if self.normalization is not None:
            # the shortest decimals that name the float32 values: a reloaded package is equal to the last bit
            mean, std = (
                [float(str(np.float32(number))) for number in tensor.flatten().tolist()]
                for tensor in (self.normalization.mean, self.normalization.std)
            )
            normalization = {"mean": mean, "std": std}
        return {
            "architecture": self.architecture,
            "input": {
                "shape": list(self.input_shape),
                "bounds": self.bounds.describe(),
                "normalization": normalization,
            },
            "outputs": self.outputs,
            "labels": list(self.labels),
            # absent where there are none, so that undefended models keep the digests they had
            **(
                {"defences": [{"name": one.name, "args": one.args()} for one in self._parts()]}
                if self._parts()
                else {}
            ),
        }

    def extra_repr(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        behind = ", ".join(one.name for one in self._parts())
        armour = f", behind {behind}" if behind else ""
        return f"input {shape} in {self.bounds.describe()}, {self.num_classes} classes{armour}"


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of the tensors in safetensors form."""
    return f"sha256:{hashlib.sha256(safetensors.torch.save(dict(weights))).hexdigest()}"
