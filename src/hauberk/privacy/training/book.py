"""Clipped sums of per-sample gradients from one forward and one backward pass.

Every layer that learns notes its input and its output's gradient; autograd computes no gradient of a weight at
all, so that the noting costs about what it saves. Norms are added up over the layers as the backward pass goes,
then each person's share is scaled and summed.

A weight that is used several times, in one layer or tied between two, has its uses added before the norm is
taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hauberk.core.errors import UnsupportedModel
from hauberk.privacy.training.uses import KINDS, AnyUse, Parts, Use

_STABILITY = 0.01  # gamma of automatic clipping
Clipping = Literal["abadi", "automatic"]


@dataclass(frozen=True)
class Clip:
    """How far one person moves the sum: never further than ``bound``, in the L2 norm over all weights.

    Args:
        mode: ``abadi`` shortens what is longer than the bound (Abadi et al., CCS 2016); ``automatic`` gives
            everybody's gradient nearly the bound's length (Bu et al., NeurIPS 2023), so that only bound times
            learning rate is left to choose.
    """

    bound: float
    mode: Clipping = "abadi"

    def factors(self, squares: Tensor) -> Tensor:
        """What each one's gradient is multiplied by, from squared norms."""
        norms = squares.sqrt()
        if self.mode == "automatic":
            return self.bound / (norms + _STABILITY)
        return (self.bound / norms.clamp_min(1e-12)).clamp_max(1.0)


class Book:
    """Per-sample gradients of one model.

    Args:
        model: any module of which no layer mixes the samples of a batch.
        exact: take ``torch.func`` for every layer: slow, and independent of the rules for each kind.

    Raises:
        UnsupportedModel: a layer that mixes people, keeps statistics of them, or cannot be followed; named.
    """

    def __init__(self, model: nn.Module, *, exact: bool = False) -> None:
        self.model, self.exact = model, exact
        self.learning = {name: one for name, one in model.named_parameters() if one.requires_grad}
        if not self.learning:
            raise UnsupportedModel("no weight of the model learns: there is nothing to train")
        self._ids = frozenset(id(one) for one in self.learning.values())
        _check_layers(model)
        self.owners = dict(self._owners(model, ""))

    def _owners(self, module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
        """The outermost modules that hold learning weights themselves; what is inside belongs to them."""
        if any(id(one) in self._ids for one in module.parameters(recurse=False)):
            yield name, module
            return
        for child, one in module.named_children():
            yield from self._owners(one, f"{name}.{child}" if name else child)

    def clipped_sum(self, loss: Callable[[], Tensor], people: int, clip: Clip) -> tuple[Parts, Tensor]:
        """The sum of everybody's clipped gradient.

        Args:
            loss: runs the model once, on ``people * copies`` samples with the copies of one person together,
                and returns ``(people,)``: the loss of each.

        Returns:
            by parameter name, and the norms ``(people,)`` before clipping.
        """
        page = _Page(self, people)
        with _in_place_said(), page.noting():
            value = loss().sum()
            page.count()
            if value.requires_grad:
                value.backward()  # type: ignore[no-untyped-call]
        page.close()
        return page.total(clip), page.squares.sqrt()

    def samples(self, loss: Callable[[], Tensor], people: int) -> Parts:
        """Everybody's gradient written down, ``(people, *shape)`` by parameter name; for checks."""
        page = _Page(self, people, write=True)
        with _in_place_said(), page.noting():
            value = loss().sum()
            page.count()
            value.backward()  # type: ignore[no-untyped-call]
        return {
            name: page.joined.get(id(one), one.new_zeros(people, *one.shape))
            for name, one in self.learning.items()
        }

    def check(self, images: Tensor) -> None:
        """Try two made-up samples: what mixes them, or what the book misses, would be silently wrong.

        Raises:
            UnsupportedModel: one sample's answer moves with the other, a buffer moves with what is seen, or a
                weight gets another gradient than from autograd.
        """
        was = [(one, one.training) for one in self.model.modules()]
        buffers = {name: one.clone() for name, one in self.model.named_buffers()}
        try:
            with torch.random.fork_rng(devices=[]), _in_place_said():
                self._check_apart(images)
                self._check_still(buffers)
                self.model.eval()
                self._check_complete(images)
        finally:
            for one, training in was:
                one.training = training
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])

    @torch.no_grad()
    def _check_apart(self, images: Tensor) -> None:
        """In the mode in which it learns: the first sample beside another one, and beside itself."""
        answers = []
        for batch in (images, images[:1].expand_as(images)):
            torch.manual_seed(0)  # the same dropout
            answers.append(self.model(batch.contiguous())[0])
        scale = 1e-6 + float(answers[0].abs().max())
        if float((answers[0] - answers[1]).abs().max()) > 1e-4 * scale:
            raise UnsupportedModel(
                "the model's answer for one sample depends on others of its batch: nobody's share can be told"
            )

    def _check_still(self, before: dict[str, Tensor]) -> None:
        for name, one in self.model.named_buffers():
            if not torch.equal(one, before[name]):
                raise UnsupportedModel(
                    f"the buffer '{name}' changes with the data that is seen, which no noise covers",
                    hint="leave out running statistics",
                )

    def _check_complete(self, images: Tensor) -> None:
        def loss() -> Tensor:
            logits: Tensor = self.model(images)
            ramp = torch.linspace(-1, 1, logits[0].numel(), device=logits.device, dtype=logits.dtype)
            return (logits.flatten(1) * ramp).sum(1)

        truth = torch.autograd.grad(loss().sum(), list(self.learning.values()), allow_unused=True)
        found = self.samples(loss, len(images))
        largest = max(float(one.abs().max()) for one in truth if one is not None)
        for (name, weight), right in zip(self.learning.items(), truth, strict=True):
            expected = torch.zeros_like(weight) if right is None else right
            allowed = 1e-3 * float(expected.abs().max()) + 1e-5 * largest
            if float((found[name].sum(0) - expected).abs().max()) > allowed:
                raise UnsupportedModel(
                    f"the weight '{name}' is used outside of its own layer's forward: its per-sample gradient "
                    "cannot be followed",
                    hint="call the layer itself (layer(x)) instead of a function with its weight",
                )


class _Page:
    """One pass: what the layers note, and what comes of it."""

    def __init__(self, book: Book, people: int, *, write: bool = False) -> None:
        self.book, self.people, self.write = book, people, write
        self.squares = torch.zeros(0)
        self.joined: dict[int, Tensor] = {}  # gradients written down because several uses add up, by parameter
        self._uses: list[tuple[nn.Module, Use]] = []
        self._times: Counter[int] = Counter()
        self._noted: list[nn.Module] = []
        self._started: list[Tensor] = []
        self._off = False

    @contextmanager
    def noting(self) -> Iterator[None]:
        handles = [
            one.register_forward_hook(self._hook(name), with_kwargs=True)
            for name, one in self.book.owners.items()
        ]
        for one in self.book.learning.values():
            one.requires_grad_(False)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            for one in self.book.learning.values():
                one.requires_grad_(True)
            for begun in self._started:
                begun.grad = None

    def count(self) -> None:
        """How often each weight was used in the forward pass that is over."""
        for module in self._noted:
            self._times.update({id(one) for one in module.parameters()} & self.book._ids)
        self._noted = []

    def _hook(self, name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
            if self._off or not torch.is_grad_enabled():
                return None
            if kwargs or len(args) != 1 or not isinstance(args[0], Tensor) or not isinstance(out, Tensor):
                raise UnsupportedModel(
                    f"the layer '{name}' ({type(module).__name__}) does not map one tensor to one tensor: its "
                    "per-sample gradient cannot be followed",
                    hint="build it from Linear, Conv, Embedding and norm layers",
                )
            x = args[0].detach()
            version = x._version
            if not out.requires_grad:
                out = out.clone() if out is args[0] else out
                out.requires_grad_(True)
                self._started.append(out)
            self._noted.append(module)

            def note(slope: Tensor) -> None:
                if x._version != version:
                    raise UnsupportedModel(
                        f"what goes into the layer '{name}' is changed in place afterwards",
                        hint="write it without in-place steps: inplace=False, x = x + y",
                    )
                self._note(name, module, x, slope.detach())

            out.register_hook(note)
            return out

        return hook

    @torch.no_grad()
    def _note(self, name: str, module: nn.Module, x: Tensor, slope: Tensor) -> None:
        use = self._use(module, x, slope)
        if self.write or any(self._times[id(one)] > 1 for one in module.parameters()):
            for key, grown in self._samples(name, use).items():
                owner = id(module.get_parameter(key))
                self.joined[owner] = self.joined[owner] + grown if owner in self.joined else grown
            return
        squares = self._named(name, use, use.squares)
        self.squares = squares if not len(self.squares) else self.squares + squares
        self._uses.append((module, use))

    def _use(self, module: nn.Module, x: Tensor, slope: Tensor) -> Use:
        kind = AnyUse if self.book.exact else KINDS.get(type(module), AnyUse)
        partly = any(id(one) not in self.book._ids for one in module.parameters())
        use = (AnyUse if partly else kind)(module, x, slope, self.people)
        if isinstance(use, AnyUse):
            use.learning = self.book._ids
        return use

    def _samples(self, name: str, use: Use) -> Parts:
        found: Parts = self._named(name, use, use.samples)
        return found

    def _named(self, name: str, use: Use, call: Callable[[], Any]) -> Any:
        """``call``, with our own hooks silent, and a layer that vmap cannot follow named."""
        self._off = True
        try:
            with torch.enable_grad() if isinstance(use, AnyUse) else torch.no_grad():
                return call()
        except RuntimeError as error:
            if not isinstance(use, AnyUse):
                raise
            raise UnsupportedModel(
                f"the layer '{name}' ({type(use.module).__name__}) has no rule of its own, and torch.func "
                f"cannot follow it: {str(error).splitlines()[0]}",
                hint="build it from Linear, Conv, Embedding and norm layers",
            ) from error
        finally:
            self._off = False

    def close(self) -> None:
        """Add the norms of what was joined."""
        for one in self.joined.values():
            squares = one.flatten(1).square().sum(1)
            self.squares = squares if not len(self.squares) else self.squares + squares
        if not len(self.squares):
            self.squares = torch.zeros(self.people)

    @torch.no_grad()
    def total(self, clip: Clip) -> Parts:
        """The sum over people, by the model's names."""
        if not bool(self.squares.isfinite().all()):
            raise NotFinite
        factors = clip.factors(self.squares)
        names = {id(one): name for name, one in self.book.learning.items()}
        found = {name: torch.zeros_like(one) for name, one in self.book.learning.items()}
        for module, use in self._uses:
            for key, one in use.total(factors).items():
                found[names[id(module.get_parameter(key))]] += one
        for owner, each in self.joined.items():
            found[names[owner]] += (factors @ each.flatten(1)).view(each.shape[1:])
        return found


@contextmanager
def _in_place_said() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "in-place" not in str(error) and "inplace" not in str(error):
            raise
        raise UnsupportedModel(
            "the model changes in place what a layer gave or took, which per-sample gradients cannot follow",
            hint="write it without in-place steps: inplace=False, x = x + y",
        ) from error


class NotFinite(ArithmeticError):
    """A gradient is infinite or NaN."""


def _check_layers(model: nn.Module) -> None:
    for name, one in model.named_modules():
        kind = type(one).__name__
        if isinstance(one, nn.modules.batchnorm._BatchNorm):
            learns = one.training or any(own.requires_grad for own in one.parameters())
            if learns or not one.track_running_stats:
                raise UnsupportedModel(
                    f"the layer '{name}' ({kind}) computes with the whole batch: nobody's share can be bounded",
                    hint="use group norm (nn.GroupNorm; built-in residual networks: --set norm=group)",
                )
        if isinstance(one, nn.modules.instancenorm._InstanceNorm) and one.track_running_stats:
            raise UnsupportedModel(
                f"the layer '{name}' ({kind}) keeps running statistics of the data, which no noise covers",
                hint="track_running_stats=False, or group norm",
            )
        if isinstance(one, nn.Embedding) and (one.max_norm is not None or one.scale_grad_by_freq or one.sparse):
            raise UnsupportedModel(
                f"the layer '{name}' ({kind}) changes or scales its rows by what the batch holds",
                hint="leave out max_norm, scale_grad_by_freq and sparse",
            )
