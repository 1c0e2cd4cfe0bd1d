"""A backdoor whose labels are all true: the images are made hard to learn, so the patch is learnt instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hauberk.attacks.objectives import CrossEntropy
from hauberk.attacks.oracle import Oracle
from hauberk.attacks.pgd import PGD
from hauberk.attacks.poisoning.patched import Patched
from hauberk.attacks.poisoning.poisoner import Changes, Job, check_class, require_class
from hauberk.core.errors import check_known
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.models.twin import passes
from hauberk.threats import ThreatModel
from hauberk.threats.bounds import Bounds
from hauberk.threats.model import geometry

_BATCH = 1024


@dataclass(frozen=True, kw_only=True, repr=False)
class CleanLabel(Patched):
    """Images of the target class, adversarially perturbed on a reference model and stamped; labels unchanged.

    Args:
        target: the class whose images are touched, and that stamped images are to be read as.
        norm: ``linf`` or ``l2``, of the perturbation.
        eps: its radius in the data's scale. The default suits handwriting; photographs take 16/255 to 32/255.
        steps: of the PGD.
        pattern, size, corner, margin, value: of the patch, as in ``BadNets``.

    Cost: ``steps`` forward and backward passes of the reference for each touched image.
    Limits: weaker than wrong labels at the same rate, and bounded by the size of one class. A person who looks
        at the images sees the patch. An adversarially trained reference gives perturbations that carry over
        better.
    Source: Turner, Tsipras, Madry, Label-consistent backdoor attacks, 2019, section 4.2 (adversarial
        perturbations). The steps are our ``PGD``'s (random start, 2.5 eps / steps), run to the end: in its own
        loop a sample that is fooled leaves at once, and here the loss is to grow as far as it can. The patch
        has full amplitude, where the paper also tries faint ones.
    """

    name: ClassVar[str] = "clean-label"
    needs_reference: ClassVar[bool] = True

    target: int = 0
    norm: Literal["linf", "l2"] = "linf"
    eps: float = 0.3
    steps: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        require_class("target", self.target, "CleanLabel")
        check_known([self.norm], ("linf", "l2"), what="norm", where="CleanLabel")
        geometry(self.norm, self.eps)  # which refuses a radius that is none
        require_count("steps", self.steps, "CleanLabel")

    def wants(self) -> tuple[int | None, int | None]:
        return None, self.target

    def eligible(self, data: Dataset) -> Tensor:
        check_class("target", self.target, data)
        ThreatModel(geometry(self.norm, self.eps)).check_fits(Bounds.of(data.bounds), data.input_shape)
        return data.labels == self.target

    def run(self, job: Job) -> Changes:
        trigger = self.stamp(job)
        rows = job.draw(self.eligible(job.data).nonzero().squeeze(1))
        parts = list(passes(len(rows), _BATCH))
        job.progress.begin(self.name, self.steps * len(parts))
        hard = torch.cat([self._harden(job, rows[part]) for part in parts])
        job.progress.end()
        return Changes(rows, job.data.labels[rows], trigger(hard))

    def _harden(self, job: Job, rows: Tensor) -> Tensor:
        """Climb the reference's loss around the images of these rows, as far as the ball allows."""
        assert job.classifier is not None
        ball = geometry(self.norm, self.eps)
        oracle = Oracle(job.classifier, CrossEntropy())
        origin = job.data.images[rows].to(job.classifier.device)
        labels = job.data.labels[rows].to(job.classifier.device)
        lower, upper = Bounds.of(job.data.bounds).tensors(origin)
        streams = job.streams[rows].fork(0)
        x = ball.project(origin, origin + ball.uniform(origin.cpu(), streams).to(origin), lower, upper)
        for _ in range(self.steps):
            uphill = ball.steepest(oracle.look(x, labels, None).gradient)
            x = ball.project(origin, x + PGD.reach * self.eps / self.steps * uphill, lower, upper)
            job.progress.advance(1)
        return x.cpu()
