"""What one use of a layer gave each person's gradient, from the layer's input and its output's gradient.

A per-sample gradient is the sum over positions of (output's gradient) x (input). It is needed twice: for its
norm, and weighted in a sum. Where it is small it is written down; where it is large, the norm comes from inner
products alone (ghost norms) and the sum from one more product, so that it never exists.

Source: Goodfellow, Efficient per-example gradient computations, 2015; Li et al., Large language models can be
    strong differentially private learners, ICLR 2022 (ghost norms); Bu et al., Differentially private
    optimization on large model at small cost, ICML 2023 (book-keeping, and which way where).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

Parts = dict[str, Tensor]

_UNFOLDED_BYTES = 4 << 20  # of patches at a time: what the caches hold


class Use(ABC):
    """Args:
    module: the layer.
    inputs, slopes: what went in, and the loss's gradient of what came out; ``(people * copies, ...)`` each,
        the copies of one person together.
    people: whose gradients are to be told apart.
    """

    def __init__(self, module: nn.Module, inputs: Tensor, slopes: Tensor, people: int) -> None:
        self.module, self.inputs, self.slopes, self.people = module, inputs, slopes, people
        self._written: Parts | None = None

    def samples(self) -> Parts:
        """Each person's gradient, ``(people, *shape)`` by the parameter's name in the layer."""
        if self._written is None:
            self._written = self._write()
        return self._written

    @abstractmethod
    def _write(self) -> Parts: ...

    def squares(self) -> Tensor:
        """``(people,)``: the squared norm of each one's gradient of this layer."""
        found = sum(one.flatten(1).square().sum(1) for one in self.samples().values())
        self.inputs = self.slopes = torch.empty(0)  # all that is needed is written down
        return torch.as_tensor(found)

    def total(self, weights: Tensor) -> Parts:
        """The weighted sum of the gradients, by name."""
        return {name: (weights @ one.flatten(1)).view(one.shape[1:]) for name, one in self.samples().items()}

    def learns(self, name: str) -> bool:
        return getattr(self.module, name, None) is not None


class LinearUse(Use):
    """``nn.Linear`` on ``(n, ..., features)``."""

    module: nn.Linear

    def __init__(self, module: nn.Module, inputs: Tensor, slopes: Tensor, people: int) -> None:
        super().__init__(module, inputs, slopes, people)
        self.inputs = inputs.reshape(people, -1, inputs.shape[-1])  # (people, positions, in)
        self.slopes = slopes.reshape(people, -1, slopes.shape[-1])  # (people, positions, out)
        positions, size = self.inputs.shape[1], self.module.weight.numel()
        self.ghost = positions == 1 or size > 2 * positions**2

    def _write(self) -> Parts:
        found = {"weight": self.slopes.transpose(1, 2) @ self.inputs}
        return found | ({"bias": self.slopes.sum(1)} if self.learns("bias") else {})

    def squares(self) -> Tensor:
        if not self.ghost:
            return super().squares()
        if self.inputs.shape[1] == 1:
            slopes = self.slopes.square().sum((1, 2))
            found = self.inputs.square().sum((1, 2)) * slopes
            return found + slopes if self.learns("bias") else found
        found = _gram(self.inputs, self.slopes)
        return found + self.slopes.sum(1).square().sum(1) if self.learns("bias") else found

    def total(self, weights: Tensor) -> Parts:
        if not self.ghost:
            return super().total(weights)
        slopes = (self.slopes * weights[:, None, None]).flatten(0, 1)
        found = {"weight": slopes.t() @ self.inputs.flatten(0, 1)}
        return found | ({"bias": slopes.sum(0)} if self.learns("bias") else {})


class ConvUse(Use):
    """``nn.Conv1d`` and ``nn.Conv2d``, with groups, strides, dilation and any padding."""

    module: nn.Conv1d | nn.Conv2d

    def __init__(self, module: nn.Module, inputs: Tensor, slopes: Tensor, people: int) -> None:
        super().__init__(module, inputs, slopes, people)
        flat = isinstance(self.module, nn.Conv1d)
        lead = (1,) if flat else ()
        self.padding: tuple[int, ...] = (0, 0)
        if self.module.padding_mode == "zeros" and not isinstance(self.module.padding, str):
            self.padding = (*(0 for _ in lead), *self.module.padding)
        else:
            self.inputs = _padded(self.module, inputs)
        if flat:  # a picture of one row
            self.inputs, self.slopes = self.inputs.unsqueeze(2), self.slopes.unsqueeze(2)
        self.kernel: tuple[int, ...] = (*lead, *self.module.kernel_size)
        self.stride: tuple[int, ...] = (*lead, *self.module.stride)
        self.dilation: tuple[int, ...] = (*lead, *self.module.dilation)
        self.copies = len(inputs) // people
        positions = slopes[0, 0].numel() * self.copies
        self.ghost = self.module.groups == 1 and self.module.weight.numel() > 2 * positions**2

    def _gradient(self, inputs: Tensor, slopes: Tensor, filters: int, groups: int) -> Tensor:
        """The convolution's own gradient: ``(filters, in / groups, *kernel)``."""
        shape = (filters, inputs.shape[1] // groups, *self.kernel)
        found: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            inputs, shape, slopes, self.stride, self.padding, self.dilation, groups
        )
        return found

    def _write(self) -> Parts:
        # each sample as a group of channels of one wide picture: the library then writes them apart
        wide = (
            self.inputs.reshape(1, -1, *self.inputs.shape[2:]),
            self.slopes.reshape(1, -1, *self.slopes.shape[2:]),
        )
        found = self._gradient(*wide, wide[1].shape[1], len(self.inputs) * self.module.groups)
        each = found.view(self.people, self.copies, *self.module.weight.shape)
        parts = {"weight": each.sum(1) if self.copies > 1 else each.squeeze(1)}
        return parts | ({"bias": self._biases()} if self.learns("bias") else {})

    def _biases(self) -> Tensor:
        return torch.unflatten(self.slopes.sum((2, 3)), 0, (self.people, -1)).sum(1)

    def squares(self) -> Tensor:
        if not self.ghost:
            return super().squares()
        each = []
        for rows in self._rows():
            patches = F.unfold(self.inputs[rows], self.kernel, self.dilation, self.padding, self.stride)
            # (people, copies * positions, ·)
            a, b = (
                torch.unflatten(one, 0, (-1, self.copies)).transpose(2, 3).flatten(1, 2)
                for one in (patches, self.slopes[rows].flatten(2))
            )
            each.append(_gram(a, b))
        found = torch.cat(each)
        return found + self._biases().square().sum(1) if self.learns("bias") else found

    def _rows(self) -> list[slice]:
        """Whole people, few enough for their patches to stay in the caches."""
        wide = self.inputs.shape[1] * self.kernel[0] * self.kernel[1]
        each = 4 * self.copies * wide * self.slopes.shape[2] * self.slopes.shape[3]
        step = max(1, _UNFOLDED_BYTES // each) * self.copies
        return [slice(at, at + step) for at in range(0, len(self.inputs), step)]

    def total(self, weights: Tensor) -> Parts:
        if not self.ghost:
            return super().total(weights)
        slopes = self.slopes * weights.repeat_interleave(self.copies).view(-1, 1, 1, 1)
        weight = self._gradient(self.inputs, slopes, self.slopes.shape[1], 1)
        found = {"weight": weight.view(self.module.weight.shape)}
        return found | ({"bias": slopes.sum((0, 2, 3))} if self.learns("bias") else {})


class EmbeddingUse(Use):
    """``nn.Embedding``: a person touches a few rows of the table, and only these are looked at."""

    module: nn.Embedding

    def __init__(self, module: nn.Module, inputs: Tensor, slopes: Tensor, people: int) -> None:
        super().__init__(module, inputs, slopes, people)
        rows = inputs.reshape(people, -1)
        person = torch.arange(people, device=rows.device)[:, None].expand_as(rows)
        flat = slopes.reshape(-1, slopes.shape[-1])
        if self.module.padding_idx is not None:  # this row never learns
            kept = (rows != self.module.padding_idx).flatten()
            flat, rows, person = flat[kept], rows.flatten()[kept], person.flatten()[kept]
        size = self.module.num_embeddings
        keys, where = torch.unique(person.flatten() * size + rows.flatten(), return_inverse=True)
        self.person, self.row = keys // size, keys % size
        self.each = flat.new_zeros(len(keys), flat.shape[1]).index_add_(0, where, flat)

    def _write(self) -> Parts:
        found = self.each.new_zeros(self.people, *self.module.weight.shape)
        return {"weight": found.index_put_((self.person, self.row), self.each)}

    def squares(self) -> Tensor:
        return self.each.new_zeros(self.people).index_add_(0, self.person, self.each.square().sum(1))

    def total(self, weights: Tensor) -> Parts:
        found = self.each.new_zeros(self.module.weight.shape)
        return {"weight": found.index_add_(0, self.row, self.each * weights[self.person, None])}


class NormUse(Use):
    """Layer, group and instance norm: what is learnt scales and shifts the normalised input."""

    module: nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm1d | nn.InstanceNorm2d

    def _write(self) -> Parts:
        module, x = self.module, self.inputs
        if isinstance(module, nn.LayerNorm):
            plain = F.layer_norm(x, module.normalized_shape, eps=module.eps)
            own = len(module.normalized_shape)
        else:
            groups = module.num_groups if isinstance(module, nn.GroupNorm) else x.shape[1]
            plain, own = F.group_norm(x, groups, eps=module.eps), 1
            plain, self.slopes = plain.movedim(1, -1), self.slopes.movedim(1, -1)
        shape = plain.shape[plain.ndim - own :]

        def summed(one: Tensor) -> Tensor:
            return one.reshape(self.people, -1, *shape).sum(1)

        found = {"weight": summed(plain * self.slopes)}
        return found | ({"bias": summed(self.slopes)} if self.learns("bias") else {})


class AnyUse(Use):
    """A layer of any other kind, by ``torch.func``: right wherever vmap can follow it, and slow."""

    learning: frozenset[int] = frozenset()  # ids of the parameters that learn

    def _write(self) -> Parts:
        names = dict(self.module.named_parameters())
        frozen = {name: one for name, one in names.items() if id(one) not in self.learning}
        learning = {name: one.detach() for name, one in names.items() if id(one) in self.learning}

        def gradient(x: Tensor, slope: Tensor) -> Any:
            def run(own: Parts) -> Any:
                return torch.func.functional_call(self.module, {**frozen, **own}, (x,))

            return torch.func.vjp(run, learning)[1](slope)[0]

        x, slopes = (torch.unflatten(one.detach(), 0, (self.people, -1)) for one in (self.inputs, self.slopes))
        found: Parts = torch.func.vmap(gradient, randomness="error")(x, slopes)
        return found


def _padded(module: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    sides = list(module._reversed_padding_repeated_twice)
    if not any(sides):
        return x
    return F.pad(x, sides, mode="constant" if module.padding_mode == "zeros" else module.padding_mode)


def _gram(a: Tensor, b: Tensor) -> Tensor:
    """``(n,)``: squared norms of ``b.T @ a`` for ``(n, positions, ·)`` each, without forming it."""
    return ((a @ a.transpose(1, 2)) * (b @ b.transpose(1, 2))).sum((1, 2)).clamp_min(0)


KINDS: dict[type[nn.Module], type[Use]] = {
    nn.Linear: LinearUse,
    nn.Conv1d: ConvUse,
    nn.Conv2d: ConvUse,
    nn.Embedding: EmbeddingUse,
    nn.LayerNorm: NormUse,
    nn.GroupNorm: NormUse,
    nn.InstanceNorm1d: NormUse,
    nn.InstanceNorm2d: NormUse,
}
