"""Training of AdvGAN's generator against a frozen classifier and a discriminator.

Each step first teaches the discriminator to tell clean images from perturbed ones, then the generator to fool
the classifier, to fool the discriminator, and to stay where the threat allows.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.advgan.attack import AdvGAN
from hauberk.attacks.advgan.networks import Discriminator, Generator, check_shape
from hauberk.attacks.advgan.reach import Reach
from hauberk.attacks.advgan.trained import TrainedGenerator, check_size
from hauberk.attacks.objectives import Margin, attacker_margin, fooled
from hauberk.attacks.oracle import Oracle
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import require_count, require_number, require_positive
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, probe
from hauberk.models.training import TrainingDiverged
from hauberk.models.twin import fast_twin, pass_size, passes
from hauberk.threats import Geometry, Knowledge, Streams, ThreatModel

_BETAS = (0.5, 0.999)  # Adam's, as usual where two networks learn against each other
_HELD_OUT = -1  # an epoch of its own, so that held-out targets stay the same


@dataclass(frozen=True, kw_only=True)
class AdvGANPlan:
    """How the generator learns.

    Args:
        epochs: passes over the data.
        batch_size: images per step.
        learning_rate: of both networks (Adam), falling to 0 along a cosine.
        width: the networks' channels at full size; doubled at each halving.
        blocks: residual blocks of the generator.
        confidence: by how many logits an image shall be fooled; beyond, nothing more is learnt from it.
        realism: weight of the discriminator's verdict in the generator's loss (the paper's alpha); 0 trains no
            discriminator.
        hinge: weight of the distance from the ball (the paper's beta).
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3
    width: int = 16
    blocks: int = 4
    confidence: float = 5.0
    realism: float = 1.0
    hinge: float = 10.0

    def __post_init__(self) -> None:
        check_size(self.width, self.blocks)
        for name in ("epochs", "batch_size"):
            require_count(name, getattr(self, name), "AdvGANPlan")
        require_positive("learning_rate", self.learning_rate, "AdvGANPlan")
        for name in ("confidence", "realism", "hinge"):
            require_number(name, getattr(self, name), "AdvGANPlan")
            if getattr(self, name) < 0:
                raise ConfigError(f"AdvGANPlan: {name} cannot be negative, got {getattr(self, name)!r}")


def train_advgan(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    plan: AdvGANPlan | None = None,
    *,
    held_out: Dataset | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> AdvGAN:
    """Train a generator and return the attack that uses it.

    Args:
        classifier: differentiable, in eval mode; it is not changed. For a black-box attack a substitute of the
            target, such as a model that was trained on the target's answers.
        data: clean images of the kind to be attacked, with their true classes.
        threat: white box, without a query limit. The perturbation is held within its geometry from the start.
            Targeted: the generator learns every wanted class.
        held_out: images for the success by epoch and for choosing the best epoch; None takes the last.
        seed: names all random choices.

    Returns:
        ``AdvGAN``; its ``generator.history`` has a row per epoch: the losses ``adversarial``, ``gan``,
        ``hinge`` and ``discriminator``, and the share of rightly classified images that is fooled, in training
        (``success``, on the way) and ``held_out_success``.

    Raises:
        ConfigError: data or threat that does not fit, images smaller than 8x8.
        DataError: images out of bounds, or none that is classified rightly.
        UnsupportedModel: the classifier has no gradient with respect to its input.
        TrainingDiverged: a loss is no longer a number.

    Cost: ``epochs`` forward and backward passes of the classifier and both networks for each image.
    Source: Xiao et al., IJCAI 2018, with its least-squares GAN loss, its hinge and its margin loss. Different
        here: the generator is told the true class (targeted: the wanted one), so that one generator serves all
        classes where the paper trains one per target; the perturbation is projected, with gradients passed
        straight through, so that training sees what the attack will hand out; the hinge is the distance
        from the ball, which for L2 is the paper's with twice the radius; the paper's black box distils the
        target while it trains, here the substitute is made before.
    """
    plan = AdvGANPlan() if plan is None else plan
    if not isinstance(plan, AdvGANPlan):
        raise ConfigError(f"train_advgan takes an AdvGANPlan, got {plan!r}")
    threat = ThreatModel.of(threat)
    _check(classifier, data, held_out, threat)
    run = _Run(classifier, data, held_out, threat, plan, seed)
    progress.begin("AdvGAN", plan.epochs * run.batches)
    for epoch in range(plan.epochs):
        run.one_epoch(epoch, progress)
    progress.end()
    return AdvGAN(generator=run.result())


def _check(classifier: Classifier, data: Dataset, held_out: Dataset | None, threat: ThreatModel) -> None:
    check_classifier(classifier)
    check_shape(classifier.input_shape)
    threat.check_fits(classifier.bounds, classifier.input_shape)
    if threat.knowledge is not Knowledge.WHITE_BOX or threat.queries is not None:
        raise ConfigError(
            "the training of AdvGAN differentiates the classifier, as often as it likes",
            hint="for a black-box attack train on a substitute as a white box, then attack the target with "
            "the threat that is meant",
        )
    for one in (data, held_out):
        if one is None:
            continue
        check_images(classifier, one.images)
        if len(one.classes) != classifier.num_classes:
            raise ConfigError(
                f"{one.name} has {len(one.classes)} classes, the classifier {classifier.num_classes}"
            )
    probe(classifier, data.images)
    few = data.images[:1].to(classifier.device)
    Oracle(fast_twin(classifier), Margin()).look(few, data.labels[:1].to(classifier.device), None)


class _Run:
    """The state of one training, from epoch to epoch."""

    def __init__(
        self,
        classifier: Classifier,
        data: Dataset,
        held_out: Dataset | None,
        threat: ThreatModel,
        plan: AdvGANPlan,
        seed: int,
    ) -> None:
        self.original, self.classifier = classifier, fast_twin(classifier)
        self.given, self.held_out_given = data, held_out
        self.data = _known(classifier, data)
        self.held_out = None if held_out is None else _known(classifier, held_out)
        self.threat, self.plan, self.seed = threat, plan, seed
        self.device = classifier.device
        shape, classes = classifier.input_shape, classifier.num_classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "advgan", "weights"))
            generator = Generator(shape, classes, width=plan.width, blocks=plan.blocks)
            discriminator = Discriminator(shape, width=plan.width)
        self.generator = generator.to(self.device)
        self.discriminator = discriminator.to(self.device)
        self.optimizers = [
            torch.optim.Adam(one.parameters(), plan.learning_rate, betas=_BETAS)
            for one in (self.generator, self.discriminator)
        ]
        self.reach = Reach.of(threat.geometry, classifier.bounds, data.images[:1].to(self.device))
        self.batches = -(-len(self.data) // plan.batch_size)
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] | None = None
        self.best_success = -1.0

    def one_epoch(self, epoch: int, progress: Progress) -> None:
        order = torch.randperm(
            len(self.data),
            generator=torch.Generator().manual_seed(derive_seed(self.seed, "advgan", "order", epoch)),
        )
        sums: dict[str, float] = {}
        seen = 0
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(self.seed, "advgan", "layers", epoch))  # of randomised classifiers
            for number, part in enumerate(passes(len(order), self.plan.batch_size)):
                self._set_rate((epoch + number / self.batches) / self.plan.epochs)
                figures = self._one_step(order[part], epoch)
                if not all(math.isfinite(value) for value in figures.values()):
                    raise TrainingDiverged(
                        f"AdvGAN's training diverged in epoch {epoch + 1}: {figures}",
                        hint="lower the learning rate",
                        epoch=epoch + 1,
                    )
                count = len(order[part])
                seen += count
                for name, value in figures.items():
                    sums[name] = sums.get(name, 0.0) + value * count
                progress.advance(1, f"epoch {epoch + 1}/{self.plan.epochs} fooled {sums['success'] / seen:.0%}")
        self._note(epoch, {name: round(value / seen, 6) for name, value in sums.items()})

    def _set_rate(self, fraction: float) -> None:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.learning_rate * (1 + math.cos(math.pi * fraction)) / 2

    def _one_step(self, chosen: Tensor, epoch: int) -> dict[str, float]:
        """One batch for the discriminator and one for the generator; returns mean losses and success."""
        images = self.data.images[chosen].to(self.device)
        labels = self.data.labels[chosen].to(self.device)
        targets = self._targets(labels, chosen, epoch)
        wished = self.reach.wished(self.generator, images, labels if targets is None else targets)
        allowed = self.reach.allowed(images, wished)
        point = wished + (allowed - wished).detach()  # the projection's value with the identity's gradient
        judged = self._teach_discriminator(images, allowed) if self.plan.realism else 0.0

        logits = self.classifier(point).float()
        adversarial = F.relu(self.plan.confidence - attacker_margin(logits, labels, targets)).mean()
        hinge = self.reach.excess(images, wished).mean()
        gan = torch.zeros_like(hinge)
        if self.plan.realism:
            gan = (self.discriminator(self.reach.centred(point)) - 1).square().mean()
        self._descend(0, adversarial + self.plan.realism * gan + self.plan.hinge * hinge)
        return {
            "adversarial": adversarial.item(),
            "gan": gan.item(),
            "hinge": hinge.item(),
            "discriminator": judged,
            "success": fooled(logits, labels, targets).float().mean().item(),
        }

    def _teach_discriminator(self, clean: Tensor, made: Tensor) -> float:
        real = self.discriminator(self.reach.centred(clean))
        false = self.discriminator(self.reach.centred(made))
        loss = ((real - 1).square().mean() + false.square().mean()) / 2
        self._descend(1, loss)
        return float(loss.item())

    def _descend(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[which].step()

    def _targets(self, labels: Tensor, indices: Tensor, epoch: int) -> Tensor | None:
        """When targeted, a class other than the true one for each sample, from the sample's own stream."""
        if not self.threat.targeted:
            return None
        streams = Streams.for_samples(self.seed, indices.to(self.device), "advgan", "targets", epoch)
        classes = self.original.num_classes
        return (labels + 1 + streams.integers(classes - 1, (1,)).squeeze(1)) % classes

    def _note(self, epoch: int, means: dict[str, float]) -> None:
        row: dict[str, Any] = {"epoch": epoch + 1, **means, "held_out_success": None}
        if self.held_out is not None:
            row["held_out_success"] = round(self._success(self.held_out), 6)
            if row["held_out_success"] > self.best_success:
                self.best_success = row["held_out_success"]
                self.best = {name: one.clone() for name, one in self.generator.state_dict().items()}
        self.history.append(row)

    @torch.no_grad()
    def _success(self, data: Dataset) -> float:
        """Share of the images that is fooled."""
        fell = 0
        numbers = torch.arange(len(data))
        for part in passes(len(data), pass_size(self.original)):
            images, labels = data.images[part].to(self.device), data.labels[part].to(self.device)
            targets = self._targets(labels, numbers[part], _HELD_OUT)
            wished = self.reach.wished(self.generator, images, labels if targets is None else targets)
            logits = self.original(self.reach.allowed(images, wished))
            fell += int(fooled(logits, labels, targets).sum())
        return fell / len(data)

    def result(self) -> TrainedGenerator:
        if self.best is not None:
            self.generator.load_state_dict(self.best)
        return TrainedGenerator(
            self.generator,
            {
                "shape": list(self.original.input_shape),
                "bounds": self.original.bounds.describe(),
                "classes": self.original.num_classes,
                "threat": {**self.threat.geometry.describe(), "targeted": self.threat.targeted},
                "width": self.plan.width,
                "blocks": self.plan.blocks,
                "training": {
                    "classifier": self.original.digest,
                    "data": self.given.describe(),
                    "held_out": None if self.held_out_given is None else self.held_out_given.describe(),
                    "plan": asdict(self.plan),
                    "seed": self.seed,
                    "history": self.history,
                },
            },
        )


@torch.no_grad()
def _known(classifier: Classifier, data: Dataset) -> Dataset:
    """The images that are classified rightly: nothing is to be learnt from the others."""
    right = torch.cat(
        [
            (classifier(data.images[part].to(classifier.device)).argmax(dim=1).cpu() == data.labels[part])
            for part in passes(len(data), pass_size(classifier))
        ]
    )
    if not bool(right.any()):
        raise DataError(f"the classifier gets no image of {data.name} right: there is nothing to attack")
    return data.select(right.nonzero().squeeze(1), note="rightly classified")
