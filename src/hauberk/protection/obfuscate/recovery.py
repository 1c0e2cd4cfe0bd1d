"""What reversal needs and the network no longer says, sealed with the key in one more tensor of the package.

It holds the old names, the plan, the batch norms that were taken up, and the last bits that rounding took from
the weights: the difference, as whole numbers, between the bits of what was and of what is computed back. So the
original comes back to the last bit, whatever was folded.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from hauberk.core.errors import IntegrityError
from hauberk.protection.obfuscate.folding import Norm, spread
from hauberk.protection.obfuscate.growing import shrink
from hauberk.protection.obfuscate.key import ModelKey
from hauberk.protection.obfuscate.moving import moved_back
from hauberk.protection.obfuscate.plan import Choices, Plan

_BITS = {torch.float32: torch.int32, torch.float64: torch.int64}
_QUICK = 1  # zlib's level: the differences are mostly -1, 0 and 1, which shrink at any
_SMALL = 127  # differences up to this take one byte


@dataclass(frozen=True)
class Steps:
    """What was done to a program, in order.

    Args:
        norms: batch norms that were taken up.
        before_growth: what could be chosen before neurons were added.
        pairs: dummy pairs added, by group of ``before_growth``.
        plan: what was moved.
        still_scales: groups of scales that were left at one.
        names: old names of the tensors by the new ones.
    """

    norms: Sequence[Norm]
    before_growth: Choices
    pairs: Mapping[int, int]
    plan: Plan
    still_scales: frozenset[int]
    names: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {
            "norms": [asdict(one) for one in self.norms],
            "before_growth": self.before_growth.to_json(),
            "pairs": {str(group): count for group, count in self.pairs.items()},
            "plan": self.plan.to_json(),
            "still_scales": sorted(self.still_scales),
            "names": dict(self.names),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Steps:
        return cls(
            [Norm(tuple(one["tensors"]), one["eps"], one["into"]) for one in document["norms"]],
            Choices.from_json(document["before_growth"]),
            {int(group): count for group, count in document["pairs"].items()},
            Plan.from_json(document["plan"]),
            frozenset(document["still_scales"]),
            dict(document["names"]),
        )


def orders(plan: Plan, key: ModelKey) -> list[Tensor]:
    """The key's permutation for each group."""
    return [key.order(f"orders/{group}", size) for group, size in enumerate(plan.orders.sizes)]


LARGEST_EXPONENT = 3  # weights change by factors from 1/8 to 8


def exponents(plan: Plan, key: ModelKey, still: frozenset[int] = frozenset()) -> list[Tensor]:
    """The key's powers of two for each group; those of ``still`` are zero."""
    return [
        torch.zeros(size, dtype=torch.int64)
        if group in still
        else key.whole(f"scales/{group}", size, 2 * LARGEST_EXPONENT + 1) - LARGEST_EXPONENT
        for group, size in enumerate(plan.scales.sizes)
    ]


def computed_back(
    weights: Mapping[str, Tensor], steps: Steps, key: ModelKey, kept: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The original's tensors as far as they follow from what the program holds.

    Args:
        kept: tensors that were taken up, the batch norms' among them.
    """
    plan = steps.plan
    made = {old: weights[new] for new, old in steps.names.items()}
    made = moved_back(made, plan, orders(plan, key), exponents(plan, key, steps.still_scales))
    made = shrink(made, steps.before_growth, steps.pairs)
    for norm in steps.norms:
        if norm.into is not None:
            folded = made[norm.into]
            factor = spread(norm.factor(kept), folded)
            made[norm.into] = (folded.to(torch.float64) / factor).to(folded.dtype)
    return made


@dataclass(frozen=True)
class Recovery:
    """All that is sealed.

    Args:
        original: what ``model.json`` said of the original's architecture.
        files: further files of its package.
        history: evidence that was left out of the package.
        tensors: originals that do not follow from the program, and differences of bits (``bits:<name>``).
    """

    steps: Steps
    original: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def sealed(self, key: ModelKey) -> Tensor:
        """One tensor of bytes, uint8 ``(size,)``."""
        document = {
            "steps": self.steps.to_json(),
            "original": self.original,
            "files": {name: base64.b64encode(data).decode() for name, data in self.files.items()},
            "history": list(self.history),
        }
        text = safetensors.torch.save(dict(self.tensors), {"recovery": json.dumps(document)})
        return torch.frombuffer(bytearray(key.seal(zlib.compress(text, _QUICK))), dtype=torch.uint8).clone()

    @classmethod
    def opened(cls, blob: Tensor, key: ModelKey) -> Recovery:
        """The inverse of ``sealed``.

        Raises:
            IntegrityError: another key, or the bytes were changed.
        """
        text = zlib.decompress(key.open(blob.numpy().tobytes()))
        size = int.from_bytes(text[:8], "little")
        document = json.loads(json.loads(text[8 : 8 + size])["__metadata__"]["recovery"])
        return cls(
            Steps.from_json(document["steps"]),
            document["original"],
            {name: base64.b64decode(data) for name, data in document["files"].items()},
            document["history"],
            safetensors.torch.load(text),
        )

    def restored(self, weights: Mapping[str, Tensor], key: ModelKey) -> dict[str, Tensor]:
        """The original's state.

        Raises:
            IntegrityError: the program's tensors are not those that were made.
        """
        kept = {name: one for name, one in self.tensors.items() if not name.startswith(_PREFIX)}
        try:
            made = computed_back(weights, self.steps, key, kept)
        except (KeyError, IndexError, RuntimeError) as error:
            raise IntegrityError(f"the tensors are not those that were obfuscated: {error}") from error
        for name, difference in self.tensors.items():
            if name.startswith(_PREFIX):
                target = name.removeprefix(_PREFIX)
                kind = _BITS[made[target].dtype]
                made[target] = (made[target].view(kind) + difference.to(kind)).view(made[target].dtype)
        return made | kept


_PREFIX = "bits:"


def differences(original: Mapping[str, Tensor], back: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What must be kept besides ``back`` so that all of ``original`` comes back to the last bit."""
    kept: dict[str, Tensor] = {}
    for name, tensor in original.items():
        other = back.get(name)
        if other is None or other.shape != tensor.shape or other.dtype != tensor.dtype:
            kept[name] = tensor
        elif tensor.dtype in _BITS:
            kind = _BITS[tensor.dtype]
            apart = tensor.contiguous().view(kind) - other.contiguous().view(kind)
            if bool(apart.any()):
                small = bool((apart.abs() <= _SMALL).all()) and bool((apart != torch.iinfo(kind).min).all())
                kept[_PREFIX + name] = apart.to(torch.int8) if small else apart
        elif not torch.equal(tensor, other):
            kept[name] = tensor
    return kept
