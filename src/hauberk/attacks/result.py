"""What an attack hands out: candidates. Whether they count is for the evaluation to say."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hauberk.core.display import Card, brief, render


@dataclass(frozen=True, eq=False)
class AttackResult:
    """Candidates and what they cost, one row per image.

    Args:
        candidates: adversarial inputs, shape of the images; inside the ball and the bounds. Where the attack
            failed, the point at which it came closest.
        success: boolean ``(n,)``, re-tested on the classifier itself after the final projection. False for
            images that were misclassified from the start.
        misclassified: boolean ``(n,)``: wrong without any attack; their candidate is the image itself.
        margins: float32 ``(n,)``: how far the attacker is ahead at the candidate, in logits; below 0 where it
            does not fool the model.
        distances: ``(n,)`` in the threat's norm.
        queries: int64 ``(n,)``: forward passes spent on each image.
        gradients: int64 ``(n,)``: backward passes spent on each image.
        zero_gradient: boolean ``(n,)``: the first gradient was exactly zero, a sign of masking.
        recipe: the attack with its settings, as text.
        seconds: wall clock.
    """

    candidates: Tensor
    success: Tensor
    misclassified: Tensor
    margins: Tensor
    distances: Tensor
    queries: Tensor
    gradients: Tensor
    zero_gradient: Tensor
    recipe: str
    seconds: float

    @property
    def robust_accuracy(self) -> float:
        """Share of images that are classified rightly and stayed so under this attack."""
        return 1.0 - float((self.success | self.misclassified).float().mean())

    def _repr_html_(self) -> str:
        """A card for notebooks."""
        fooled, wrong = int(self.success.sum()), int(self.misclassified.sum())
        facts = (
            ("fooled", f"{fooled} of {len(self.success) - wrong} that were right"),
            ("wrong without attack", str(wrong)),
            ("questions asked, mean", brief(float(self.queries.double().mean()))),
            ("largest distance", brief(float(self.distances.max()))),
            ("seconds", f"{self.seconds:.1f}"),
        )
        said = "what the attack itself re-tested; whether a candidate counts is for hauberk.evaluate to say"
        share = f"{self.robust_accuracy:.1%}"
        return render(Card(self.recipe, share, "right under this attack", facts=facts, warnings=(said,)))

    def __repr__(self) -> str:
        return (
            f"AttackResult({self.recipe}: {int(self.success.sum())} of {len(self.success)} fooled, "
            f"accuracy {self.robust_accuracy:.1%}, {self.seconds:.1f} s)"
        )
