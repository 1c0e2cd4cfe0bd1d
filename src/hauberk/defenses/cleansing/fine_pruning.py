"""Channels that sleep on clean images are where a backdoor lives: cut them, then fine-tune."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_within
from hauberk.datasets import Dataset
from hauberk.defenses.cleansing.checks import check_fits
from hauberk.defenses.cleansing.rows import with_facts
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Plain, TrainingPlan, accuracy, check_labels_differ, learn
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Geometry, ThreatModel

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, kw_only=True)
class FinePruning(TrainingDefense):
    """Prunes the last convolution's dormant channels as far as accuracy allows, then fine-tunes.

    Args:
        plan: of the fine-tuning.
        held_out: images on which pruning may cost accuracy; None takes a tenth of the data, at most 500.
        drop: accuracy that pruning may cost there, before fine-tuning gives it back.

    The threat given to ``fit`` is not used.

    Cost: a pass over the held-out images for each channel pruned, and the fine-tuning.
    Limits: needs rightly labelled data. Weak where trigger and honest features share channels, which is the
        rule in small networks and in any network whose attacker pruned first: there pruning alone changes
        nothing, and how much fine-tuning forgets depends on its length and rate. In residual networks only the
        last block's own channels are pruned.
    Source: Liu, Dolan-Gavitt, Garg, RAID 2018, sections 3.1 and 3.3. Activations are means of the positive part
        of the convolution's output; pruned channels stay zero while the rest is fine-tuned.
    """

    name: ClassVar[str] = "fine-pruning"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=10, learning_rate=2e-3)
    held_out: int | None = None
    drop: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("drop", self.drop, "FinePruning", "[0, 1)")
        if self.held_out == 0:
            raise ConfigError("FinePruning: held_out images say how far to prune; it cannot be 0")
        if self.fresh:
            raise ConfigError("FinePruning: it prunes the weights there are; leave fresh false")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "cleansed",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``Defense.fit``; the last evidence's ``pruned`` names layer and channels.

        Raises:
            UnsupportedModel: a network without a convolution of at least two channels.
        """
        started = time.perf_counter()
        check_fits(classifier, data)
        check_labels_differ(data)
        learnt, kept_aside = self.set_aside(data)
        if kept_aside is None:
            raise ConfigError(f"{data.name} has {len(data)} images: too few to hold a tenth out")
        layer, activity = channel_activity(classifier, learnt.images)
        pruned, channels, told = self._prune(classifier, layer, activity.argsort(stable=True), kept_aside)
        settings = {key: value for key, value in asdict(self).items() if key not in ("plan", "held_out")}
        model = learn(
            pruned,
            learnt,
            self.plan,
            Pruned(layer, channels),
            kind="hardening",
            method=self.name,
            settings=settings,
            held_out=kept_aside,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            progress=progress,
        )
        return with_facts(model, started, pruned={"layer": layer, "channels": len(activity), **told})

    def _prune(
        self, classifier: Classifier, layer: str, order: Tensor, held_out: Dataset
    ) -> tuple[Classifier, tuple[int, ...], dict[str, Any]]:
        """As many channels in ``order`` as the allowed drop lets go; always one is left."""
        pruned = copy.deepcopy(classifier)
        before = kept = accuracy(pruned, held_out.images, held_out.labels)
        gone: list[int] = []
        for channel in order[:-1].tolist():
            trial = copy.deepcopy(pruned)
            silence(trial, layer, (channel,))
            after = accuracy(trial, held_out.images, held_out.labels)
            if after < before - self.drop:
                break
            pruned, kept = trial, after
            gone.append(channel)
        told = {"pruned": gone, "held_out_accuracy": before, "held_out_accuracy_pruned": kept}
        return pruned, tuple(gone), told


@dataclass(frozen=True)
class Pruned(Plain):
    """Ordinary learning in which some channels of a layer stay silent."""

    layer: str
    channels: tuple[int, ...]

    def settle(self, model: Classifier) -> None:
        silence(model, self.layer, self.channels)


@torch.no_grad()
def silence(model: Classifier, layer: str, channels: tuple[int, ...]) -> None:
    """Set weights and bias of a convolution's output channels to zero, in place."""
    convolution = model.get_submodule(layer)
    rows = list(channels)
    for parameter in convolution.parameters(recurse=False):  # weight and, where there is one, bias
        parameter[rows] = 0.0


@torch.no_grad()
def channel_activity(classifier: Classifier, images: Tensor) -> tuple[str, Tensor]:
    """Name of the convolution that is called last, and the mean positive output of its channels, float64.

    Raises:
        UnsupportedModel: there is no convolution, or it has one channel only.
    """
    last: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
            last.clear()
            last[name] = output.detach().clamp_min(0).double().flatten(2).mean(dim=2).sum(dim=0).cpu()

        return note

    handles = [
        module.register_forward_hook(watch(name))
        for name, module in classifier.named_modules()
        if isinstance(module, _CONVOLUTIONS)
    ]
    total: Tensor | None = None
    try:
        for part in passes(len(images), pass_size(classifier)):
            classifier(images[part].to(classifier.device))
            if last:
                (sums,) = last.values()
                total = sums if total is None else total + sums
    finally:
        for handle in handles:
            handle.remove()
    if total is None or len(total) < 2:
        raise UnsupportedModel(
            "fine-pruning prunes the channels of a convolution, and the network has none to spare",
            hint="neural-cleanse and the row finders work with other networks",
        )
    (layer,) = last
    return layer, total / len(images)
