"""What an attacker may ask of the model: logits, and gradients of an objective with respect to the input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.attacks.objectives import Objective
from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.twin import pass_size, passes


@dataclass(frozen=True)
class Look:
    """One look at a batch of points.

    Args:
        logits: ``(n, classes)``, averaged over the repeats of a randomised model.
        loss: the objective, ``(n,)``.
        gradient: of the objective with respect to the points, same shape as they (summed over the repeats);
            0 where it is not a number, so that one such value does not spoil every point after it.
    """

    logits: Tensor
    loss: Tensor
    gradient: Tensor


class Oracle:
    """Asks a classifier, in passes of a size that suits the machine.

    Args:
        classifier: the model under attack; its logits decide.
        objective: the loss whose gradient is wanted.
        eot: how many forward passes to average over, for randomised models (expectation over
            transformation, Athalye et al., ICML 2018).
        gradients_from: a differentiable stand-in whose gradients are used in place of the classifier's own:
            a copy with straight-through layers (BPDA) or a substitute model (transfer).
    """

    def __init__(
        self,
        classifier: Classifier,
        objective: Objective,
        *,
        eot: int = 1,
        gradients_from: Classifier | None = None,
    ) -> None:
        self.classifier = classifier
        self.objective = objective
        self.eot = eot
        self.source = gradients_from if gradients_from is not None else classifier
        self._size = pass_size(classifier)

    @torch.no_grad()
    def logits(self, x: Tensor, labels: Tensor) -> Tensor:
        """Logits ``(n, classes)`` without a gradient; refusals are folded into those of ``labels``."""
        parts = []
        for part in passes(len(x), self._size):
            total = self.classifier(x[part])
            for _ in range(self.eot - 1):
                total = total + self.classifier(x[part])
            mean = total / self.eot if self.eot > 1 else total
            parts.append(self.classifier.folded(mean, labels[part]))
        return torch.cat(parts)

    def look(self, x: Tensor, labels: Tensor, targets: Tensor | None) -> Look:
        """Logits, loss and gradient at ``x``.

        Raises:
            UnsupportedModel: the model has no gradient with respect to its input.
        """
        looks = [
            self._look_once(x[part], labels[part], None if targets is None else targets[part])
            for part in passes(len(x), self._size)
        ]
        if len(looks) == 1:
            return looks[0]
        return Look(
            torch.cat([one.logits for one in looks]),
            torch.cat([one.loss for one in looks]),
            torch.cat([one.gradient for one in looks]),
        )

    def slopes(self, x: Tensor, mixtures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(n, classes)`` and gradients ``(n, k, ...)`` of ``k`` sums of logits for each point.

        Args:
            mixtures: ``(n, k, classes)``, what each logit counts in each sum.

        Raises:
            UnsupportedModel: the model has no gradient with respect to its input.

        Cost: a forward pass and ``k`` backward ones. Not averaged over randomness.
        """
        parts = [
            self._slopes_once(x[part], mixtures[part], labels[part]) for part in passes(len(x), self._size)
        ]
        logits, gradients = (torch.cat(one) for one in zip(*parts, strict=True))
        return (logits if self.source is self.classifier else self.logits(x, labels)), gradients

    def _slopes_once(self, x: Tensor, mixtures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        point = x.detach().requires_grad_(True)
        with torch.enable_grad():
            answer = self.source.folded(self.source(point), labels)
        last = mixtures.shape[1] - 1
        slopes: list[Tensor] = []
        for place in range(last + 1):
            slope = None
            if answer.requires_grad:
                weights = mixtures[:, place].to(answer.dtype)
                (slope,) = torch.autograd.grad(
                    answer, point, weights, retain_graph=place < last, allow_unused=True
                )
            if slope is None:
                raise _no_gradient()
            slopes.append(torch.nan_to_num(slope))
        return answer.detach(), torch.stack(slopes, dim=1)

    def _look_once(self, x: Tensor, labels: Tensor, targets: Tensor | None) -> Look:
        point = x.detach().requires_grad_(True)
        gradient: Tensor | None = None
        logits: Tensor | None = None
        loss: Tensor | None = None
        for _ in range(self.eot):
            with torch.enable_grad():
                answer = self.source.folded(self.source(point), labels)
                each = self.objective(answer, labels, targets)
                slope = None
                if each.requires_grad:
                    (slope,) = torch.autograd.grad(each.sum(), point, allow_unused=True)
            if slope is None:
                raise _no_gradient()
            gradient = slope if gradient is None else gradient + slope
            logits = answer.detach() if logits is None else logits + answer.detach()
            loss = each.detach() if loss is None else loss + each.detach()
        assert gradient is not None
        assert logits is not None
        assert loss is not None
        gradient = torch.nan_to_num(gradient)
        if self.source is not self.classifier:
            return Look(self.logits(x, labels), loss / self.eot, gradient)
        if self.eot > 1:
            logits, loss = logits / self.eot, loss / self.eot
        return Look(logits, loss, gradient)


def _no_gradient() -> UnsupportedModel:
    return UnsupportedModel(
        "the model has no gradient with respect to its input (something in it is detached or not "
        "differentiable), so gradient attacks cannot be used",
        hint="give gradients_from=a differentiable stand-in (BPDA), or use what needs scores only (square, "
        "nes, spsa, simba) or labels only (rays, hop-skip-jump, surfree, boundary)",
    )
