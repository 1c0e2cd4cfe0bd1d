"""What an evaluation does: the attacks it was given, or the standard cascade and its answers to suspicions.

What parts around the network declare is answered before anything is suspected: hidden gradients by a stand-in
with slopes, randomness by averaging.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hauberk.attacks import FGSM, RFGSM, Attack
from hauberk.attacks.transfer import Transfer
from hauberk.evaluation import answers, flags, probes
from hauberk.evaluation.board import AttackRow
from hauberk.evaluation.campaign import Campaign
from hauberk.evaluation.cascade import Stage, stages
from hauberk.evaluation.crossing import across
from hauberk.evaluation.declared import Declared
from hauberk.evaluation.flags import Flag
from hauberk.evaluation.standard import repeats, standard_cascade
from hauberk.models import Classifier
from hauberk.models.checks import Behaviour
from hauberk.models.stand_in import sighted, straight_through
from hauberk.threats import Knowledge, ThreatModel

_SUSPICIOUS = frozenset({"HB101", "HB102", "HB106", "HB107", "HB108", "HB109"})  # of masked gradients


@dataclass(frozen=True, eq=False)
class Plan:
    """Stages, and whether the evaluation may add to them.

    Args:
        stages: in order.
        answering: True for the standard cascade: suspicions are looked for and answered.
        declared: what the classifier's parts say about gradients.
    """

    classifier: Classifier
    threat: ThreatModel
    stages: tuple[Stage, ...]
    answering: bool
    declared: Declared

    @classmethod
    def make(
        cls,
        classifier: Classifier,
        threat: ThreatModel,
        attacks: Sequence[Attack | Stage] | None,
        sources: Sequence[Classifier],
        *,
        randomized: bool,
    ) -> Plan:
        declared = Declared.by(classifier)
        chosen = stages(attacks) if attacks is not None else standard_cascade(
            classifier, threat, randomized=randomized or bool(declared.random)
        )  # fmt: skip
        chosen += answers.from_elsewhere(sources)
        return cls(classifier, threat, chosen, attacks is None, declared)

    def carry_out(self, campaign: Campaign, behaviour: Behaviour) -> tuple[Flag, ...]:
        """Run the stages, look for suspicions, answer them; returns the flags that stay."""
        eot = repeats(self.classifier, randomized=behaviour.randomized)
        known = (
            *flags.probabilities(self.classifier.outputs),
            *flags.randomised(behaviour.largest_change if behaviour.randomized else None),
        )
        given = campaign.gradients_from is not None
        if self.threat.knowledge < Knowledge.WHITE_BOX:  # gradients, hidden or not, are out of his sight
            campaign.run(self.stages)
            return (*known, *_seen(campaign))
        if not self.answering:
            campaign.run(self.stages)
            return (*known, *self.declared.unanswered(given=given), *_seen(campaign))
        bridge = self._bridge(campaign)
        gradients = probes.differentiable(
            bridge or self.classifier, campaign.board.images, campaign.board.labels
        )
        if gradients:
            campaign.run(self._in_full(None if given else bridge, eot))
            suspicions = [*_seen(campaign), *self._probed(campaign, eot, bridge)]
        else:
            campaign.run([one for one in self.stages if not one.attack.takes_gradients])
            suspicions = [flags.no_gradient()]
        suspicions = self._answered(campaign, suspicions, gradients, eot, bridge)
        suspicions += self._until_restarts_end(campaign, eot, bridge, usable=gradients)
        climbed = tuple(
            row.name
            for row, stage in zip(campaign.rows, campaign.stages, strict=True)
            if bridge is not None and stage.gradients_from is bridge
        )
        found = float(campaign.board.standing.float().mean())
        return (
            *known,
            *self.declared.answered(climbed, given=given, eot=eot),
            *suspicions,
            *flags.training_said_more(_claimed(self.classifier, self.threat), found),
        )

    def _bridge(self, campaign: Campaign) -> Classifier | None:
        """What to take gradients from in the model's place, where it declares that it hides them."""
        if not self.declared.blocked:
            return None
        return campaign.gradients_from or straight_through(self.classifier)

    def _in_full(self, bridge: Classifier | None, eot: int) -> tuple[Stage, ...]:
        """The stages, by the gradients of ``bridge`` if any; what a refusal and what members call for."""
        whole = self.stages if bridge is None else answers.bridged(self.stages, bridge)
        members = [one for one in getattr(self.classifier.module, "members", ()) if isinstance(one, Classifier)]
        first = next((one for one in self.stages if one.attack.takes_gradients), None)
        if first is not None and self.classifier.rejects:
            whole = (*whole, *across(self.classifier, self.threat, eot=eot))
        if first is None or len(members) < 2:
            return whole
        each = [
            replace(first, gradients_from=sighted(one) or one, note=f"member {place}")
            for place, one in enumerate(members, 1)
        ]
        return (*whole, *each)

    def _probed(self, campaign: Campaign, eot: int, bridge: Classifier | None) -> list[Flag]:
        """Experiments on a few samples that are right without attack."""
        board = campaign.board
        rows = board.right.nonzero().squeeze(1)[: probes.SAMPLES]
        if not len(rows):
            return []
        images, labels = board.images[rows], board.labels[rows]
        seen = probes.radii(self.classifier, images, labels, self.threat, eot=eot, gradients_from=bridge)
        found = flags.radius_without_effect(seen.eps, seen.fooled, seen.margins)
        found += flags.holds_at_any_radius(seen.eps[-1], seen.fooled[-1])
        return found

    def _answered(
        self,
        campaign: Campaign,
        suspicions: list[Flag],
        gradients: bool,
        eot: int,
        bridge: Classifier | None,
    ) -> list[Flag]:
        """Run the attacks that answer suspicions of masking; the flags then say what was tried."""
        if not any(one.code in _SUSPICIOUS for one in suspicions):
            return suspicions
        board = campaign.board
        stand_in = straight_through(self.classifier) if bridge is None else None
        if stand_in is not None and not probes.differentiable(stand_in, board.images, board.labels):
            stand_in = None
        reply = answers.to_masking(
            self.stages, self.threat, stand_in=stand_in, direct=gradients, eot=eot, gradients_from=bridge
        )
        tried = tuple(row.name for row in campaign.run(reply))
        later = [one for one in _seen(campaign) if one.code not in {flag.code for flag in suspicions}]
        return [replace(one, tried=tried) if one.code in _SUSPICIOUS else one for one in [*suspicions, *later]]

    def _until_restarts_end(
        self, campaign: Campaign, eot: int, bridge: Classifier | None, *, usable: bool
    ) -> list[Flag]:
        """Further rounds of restarts as long as the last ones broke samples."""
        last = [
            row
            for row, stage in zip(campaign.rows, campaign.stages, strict=True)
            if stage.attack.takes_gradients
        ]
        least = max(1, round(answers.GAIN * len(campaign.board.images)))
        broke = sum(row.broke for row in last[-2:])
        if not usable or broke < least:
            return []
        tried: list[str] = []
        for _ in range(answers.ROUNDS):
            again = answers.to_gaining_restarts(
                self.classifier, targeted=self.threat.targeted, eot=eot, gradients_from=bridge
            )
            rows = campaign.run(again)
            tried += [row.name for row in rows]
            broke = sum(row.broke for row in rows)
            if broke < least:
                return []
        return [replace(one, tried=tuple(tried)) for one in flags.restarts_still_gain(broke)]


def _claimed(classifier: Classifier, threat: ThreatModel) -> float | None:
    """The robust accuracy that the model's hardening wrote down for the epoch it kept, at this radius."""
    last = classifier.evidence[-1] if classifier.evidence else None
    if last is None or last.kind != "hardening" or last.parameters.get("threat") != threat.describe():
        return None
    history = {row.get("epoch"): row.get("held_out_robust") for row in last.result.get("history", ())}
    claimed = history.get(last.result.get("best_epoch"))
    return float(claimed) if isinstance(claimed, int | float) else None


def _seen(campaign: Campaign) -> list[Flag]:
    """What the rows so far tell."""
    samples = len(campaign.board.images)
    pairs = list(zip(campaign.rows, campaign.stages, strict=True))
    cascade = [(row, stage) for row, stage in pairs if row.alone_accuracy is None]
    return [
        *flags.zero_gradients(campaign.board.zero_share),
        *flags.one_step_beats_many(*_one_step_and_many(campaign.rows)),
        *flags.black_box_beats_white(_broke_after_gradients(cascade, transfer=False), samples),
        *flags.transfer_beats_white(_broke_after_gradients(cascade, transfer=True), samples),
    ]


def _broke_after_gradients(cascade: Sequence[tuple[AttackRow, Stage]], *, transfer: bool) -> int:
    """Samples broken without the model's gradients, of those that gradient attacks had been given before."""
    broke, before = 0, False
    for row, stage in cascade:
        if stage.attack.takes_gradients:
            before = True
        elif before and isinstance(stage.attack, Transfer) is transfer:
            broke += row.broke
    return broke


def _one_step_and_many(rows: Sequence[AttackRow]) -> tuple[float | None, float | None]:
    """Accuracy under FGSM alone, and under the strongest iterated attack alone, where measured."""
    one = [row.alone_accuracy for row in rows if row.name == FGSM.name and row.alone_accuracy is not None]
    single = (FGSM.name, RFGSM.name)
    many = [row.alone_accuracy for row in rows if row.name not in single and row.alone_accuracy is not None]
    return (min(one) if one else None), (min(many) if many else None)
