"""Does a classifier that may refuse find adversarial inputs, those of who knows of its detector too?

The first figure is what papers on detectors often show, the second is what counts: nearly every detector falls
once the attack is told about it (Carlini and Wagner, Adversarial examples are not easily detected, AISec 2017;
Tramèr et al., On adaptive attacks, NeurIPS 2020). Adaptive attacks climb the folded logits, in which a refusal
counts for the defender, so they look for what is wrong and accepted, and inherit what the others found.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from hauberk.attacks import PGD, Attack
from hauberk.attacks.sparse import SparsePGD
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation.answers import seeing
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.crossing import across, crossing
from hauberk.evaluation.detection_board import Board
from hauberk.evaluation.flags import Flag, few_samples, randomised, zero_gradients
from hauberk.evaluation.standard import repeats
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.parts import Confidence, Part
from hauberk.threats import Geometry, Knowledge, ThreatModel


@dataclass(frozen=True, eq=False)
class DetectionReport:
    """Args:
    evidence: of kind ``detection``.
    candidates: for each sample, of the inputs that fool the network, the one that the detector finds least
        suspicious; the image itself where there is none.
    evaded: boolean ``(n,)``: it is accepted and wrong.
    """

    evidence: Evidence
    candidates: Tensor
    labels: Tensor
    evaded: Tensor

    def save_candidates(self, path: Path) -> None:
        """Images, labels and what got through, as a safetensors file."""
        tensors = {
            "images": self.candidates.contiguous(),
            "labels": self.labels,
            "evaded": self.evaded.to(torch.uint8),
        }
        write_atomic(path, safetensors.torch.save(tensors))


def undetected(classifier: Classifier) -> Classifier:
    """A copy without the parts that may refuse: what an attacker sees who does not know of them."""
    inner = copy.deepcopy(classifier)
    kept = [one for one in inner.defences if not (isinstance(one, Part) and one.rejects)]
    inner.defences = nn.ModuleList(kept)
    return inner.eval()


@repeatable
def detection_report(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    *,
    oblivious: Sequence[Attack] | None = None,
    adaptive: Sequence[Attack] | None = None,
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> DetectionReport:
    """Measure a classifier that may refuse, on clean images and against both attackers.

    Only images that are accepted and right are attacked; refused ones are lost already. What counts is decided
    by ``judge`` on the classifier itself.

    Args:
        classifier: in eval mode, with a part that rejects.
        data: images that neither network nor detector has learnt from.
        threat: white-box and untargeted.
        oblivious: attacks on the network alone; None takes PGD, and PGD that goes on until the network is as
            sure of the wrong class as it usually is of the right one. Parts of the network that block gradients
            are known to this attacker: their slopes are taken straight through.
        adaptive: attacks on network and detector together; None takes APGD, APGD onward from the least
            suspicious point so far, and APGD towards one class after the other. They are led by gradients that
            cross the network's boundary first, and the first one also by those of the folded logits; both are
            taken straight through parts that block them.

    Raises:
        ConfigError: a classifier that rejects nothing, or a threat of another kind.

    Limits: the adaptive figures are upper bounds; ``evaluate``, which is adaptive too, tries more.
    """
    started = time.perf_counter()
    threat = _checked(classifier, threat)
    if not (oblivious is None or oblivious) or not (adaptive is None or adaptive):
        raise ConfigError("name at least one attack of each kind, or leave them to the standard")
    images = check_images(classifier, data.images).detach().cpu()
    labels = check_labels(classifier, data.labels, len(images)).cpu()
    threat.check_fits(classifier.bounds, classifier.input_shape)
    behaviour = probe(classifier, images)
    network = undetected(classifier)
    board = Board(classifier, network, images, labels, threat, seed, progress)
    eot = repeats(classifier, randomized=behaviour.randomized)
    for stage in seeing([Stage(attack=one) for one in oblivious or (_plain(threat, eot),)], network):
        board.run(stage, network)
    if oblivious is None:
        demanding = _insisting(network, board.usual_lead)
        board.run(Stage(attack=_plain(threat, eot), note="sure", gradients_from=crossing(demanding)), demanding)
    unknowing = board.best_alone()
    for stage in _adaptive(classifier, threat, adaptive, eot):
        board.run(stage, classifier, adaptive=True)
    found: list[Flag] = [
        *zero_gradients(board.zero_share),
        *few_samples(len(images)),
        *randomised(behaviour.largest_change if behaviour.randomized else None),
    ]
    evidence = Evidence(
        kind="detection",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": data.describe()},
        parameters={
            "threat": threat.describe(),
            "detectors": [
                {"name": one.name, "gradient": one.gradient, **one.args()}
                for one in classifier.defences
                if isinstance(one, Part) and one.rejects
            ],
            "oblivious": [row["recipe"] for row in board.rows if not row["adaptive"]],
            "adaptive": [row["recipe"] for row in board.rows if row["adaptive"]],
            "device": str(classifier.device),
        },
        result={
            **board.clean(),
            "attacks": board.rows,
            "oblivious": unknowing,
            "adaptive": board.all_together(),
            "verdicts": board.verdicts(),
            "flags": [flag.describe() for flag in found],
        },
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return DetectionReport(evidence, board.candidates, labels, board.evaded)


def _checked(classifier: Classifier, threat: ThreatModel | Geometry) -> ThreatModel:
    check_classifier(classifier)
    if not classifier.rejects:
        raise ConfigError(
            "the model refuses nothing: there is no detector to measure",
            hint="hauberk harden PKG --method feature-squeezing, mahalanobis, nearest-neighbours or confidence",
        )
    threat = ThreatModel.of(threat)
    if threat.targeted or threat.knowledge is not Knowledge.WHITE_BOX or threat.queries is not None:
        raise ConfigError(
            "a detector is measured against an untargeted white-box attacker, who is the strongest",
            hint="give the geometry alone",
        )
    return threat


def _plain(threat: ThreatModel, eot: int) -> Attack:
    if threat.geometry.norm == "l0":
        return SparsePGD(steps=60, eot=eot)
    return PGD(objective="margin", steps=40, eot=eot)


def _insisting(network: Classifier, lead: float) -> Classifier:
    """The network as if it refused margins below ``lead``: who attacks it goes on until it is sure."""
    demanding = copy.deepcopy(network)
    demand = Confidence(network.num_classes, "margin", threshold=-lead)
    demanding.defences = nn.ModuleList([demand, *demanding.defences])
    return demanding.eval()


def _adaptive(
    classifier: Classifier, threat: ThreatModel, attacks: Sequence[Attack] | None, eot: int
) -> list[Stage]:
    """Each attack by the gradients that cross first; the first one by those of the folded logits too."""
    ladder = across(classifier, threat, eot=eot, attacks=attacks)
    first = Stage(attack=ladder[0].attack if attacks is None else attacks[0])
    return [*ladder, *seeing([first], classifier)]
