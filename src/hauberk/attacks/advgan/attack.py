"""The attack with a trained generator: one forward pass, and one question to the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hauberk.attacks.advgan.trained import TrainedGenerator
from hauberk.attacks.attack import Attack, Outcome, Problem
from hauberk.core.errors import ConfigError
from hauberk.models import Classifier
from hauberk.threats import Knowledge, ThreatModel


@dataclass(frozen=True, kw_only=True, repr=False)
class AdvGAN(Attack):
    """A generator network makes the adversarial examples ("AdvGen" in the field's Chinese texts).

    It works against whatever it was trained against: the target itself, or a substitute whose samples carry
    over. Its perturbation grows and shrinks with the threat's radius, so it can be used at other radii of the
    same norm than it was trained for.

    Args:
        generator: from ``train_advgan`` or ``TrainedGenerator.load``.

    Cost: one pass through the generator and one query a sample; the training has been paid for before.
    Limits: one guess per image, the same each time: it finds fewer than an attack that looks at the answers,
        and proves nothing by failing.
    Source: Xiao et al., IJCAI 2018.
    """

    name: ClassVar[str] = "advgan"
    needs: ClassVar[Knowledge] = Knowledge.LABELS

    generator: TrainedGenerator

    def __post_init__(self) -> None:
        if not isinstance(self.generator, TrainedGenerator):
            raise ConfigError(
                f"AdvGAN takes a TrainedGenerator, got {type(self.generator).__name__}",
                hint="train_advgan(classifier, data, threat) trains one and returns the attack",
            )

    def _check_threat(self, classifier: Classifier, threat: ThreatModel) -> None:
        super()._check_threat(classifier, threat)
        self.generator.check_fits(classifier, threat)

    def run(self, problem: Problem) -> Outcome:
        classes = problem.labels if problem.targets is None else problem.targets
        found = self.generator.candidates(problem.threat, problem.origin, classes)
        problem.progress.advance()
        # the one question about a candidate is the frame's re-test; no answer changes anything here
        return Outcome.without_gradients(found, problem.queries + 1)
