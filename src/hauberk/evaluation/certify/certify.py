"""Certified accuracy: the share of samples for which no attacker within the threat can succeed, as shown."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import configure
from hauberk.datasets import Dataset
from hauberk.evaluation import flags
from hauberk.evaluation.certify.propagation import BestBounds, IntervalBounds, LinearBounds
from hauberk.evaluation.certify.record import Certificate, Certifier
from hauberk.evaluation.certify.smoothing import SmoothingVotes, accuracy_at
from hauberk.evaluation.chance import repeatable
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels
from hauberk.threats import Geometry, ThreatModel

CERTIFIERS: dict[str, type[Certifier]] = {
    one.name: one for one in (BestBounds, IntervalBounds, LinearBounds, SmoothingVotes)
}


@dataclass(frozen=True, eq=False)
class Certification:
    """What was certified; ``certificates`` has one entry for each sample."""

    samples: int
    clean_accuracy: float
    certified_accuracy: float
    certified_interval: tuple[float, float]
    certificates: tuple[Certificate, ...]
    evidence: Evidence


def make_certifier(name: str, **settings: Any) -> Certifier:
    """A certifier by its name and settings.

    Raises:
        UnknownName: no such method, or no such setting.
        ConfigError: a setting out of range.
    """
    return configure(CERTIFIERS, name, settings, what="method", where="certify")


@repeatable
def certify(
    classifier: Classifier,
    data: Dataset,
    threat: ThreatModel | Geometry,
    *,
    method: str | Certifier = "auto",
    seed: int = 0,
    name: str = "model",
    progress: Progress = SILENT,
) -> Certification:
    """Certificates for each sample, as evidence of kind ``certificates``.

    A certificate of bounds is a proof about the network as it is executed: whatever float32 rounding does, in
    whatever order sums are taken, no point that the judge of attacks would accept changes the label.

    Args:
        threat: untargeted; what the attacker knows does not matter.
        method: a name in ``CERTIFIERS``, or a configured certifier.
        seed: for methods that draw samples.

    Raises:
        ConfigError: a threat without certificates: targeted, or a norm that the method does not have.
        UnsupportedModel: names the layer or part that allows no certificates.
        DataError: images that do not fit the classifier.

    Limits: a lower bound: samples without certificate may be robust all the same. Nothing is said beyond this
        norm and radius, nor about machines that round otherwise: certificates computed on a CPU do not cover a
        GPU whose convolutions round more coarsely (Winograd's transforms, TF32).
    """
    started = time.perf_counter()
    check_classifier(classifier)
    certifier = make_certifier(method) if isinstance(method, str) else method
    threat = ThreatModel.of(threat)
    threat.check_fits(classifier.bounds, classifier.input_shape)
    if threat.targeted:
        raise ConfigError(
            "certificates are for the untargeted attacker, who can do whatever a targeted one can"
        )
    images = check_images(classifier, data.images).detach().cpu()
    labels = check_labels(classifier, data.labels, len(data)).cpu()
    given = tuple(certifier.certificates(classifier, images, labels, threat, seed=seed, progress=progress))
    samples = len(given)
    right = sum(one.prediction == one.label for one in given)
    held = sum(one.certified for one in given)
    result: dict[str, Any] = {
        "samples": samples,
        "clean_accuracy": right / samples,
        "clean_interval": list(wilson(right, samples)),
        "certified_accuracy": held / samples,
        "certified_interval": list(wilson(held, samples)),
        "confidence": certifier.confidence,
        "certificates": [vars(one) for one in given],
        **({"curve": accuracy_at(given)} if any(one.radius is not None for one in given) else {}),
        "flags": [flag.describe() for flag in flags.few_samples(samples)],
    }
    evidence = Evidence(
        kind="certificates",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": data.describe()},
        parameters={"threat": threat.describe(), "method": certifier.name, **asdict(certifier)},
        result=result,
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return Certification(
        samples=samples,
        clean_accuracy=right / samples,
        certified_accuracy=held / samples,
        certified_interval=wilson(held, samples),
        certificates=given,
        evidence=evidence,
    )
