"""Obfuscating a classifier, end to end: analyse, fold, grow, move, wrap, compare, record."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from hauberk.core.errors import UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.core.seeds import derive_seed
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.importing import export
from hauberk.models.parts.distances import penultimate
from hauberk.protection.obfuscate.forms import features_of, keep, rebuild, with_module
from hauberk.protection.obfuscate.key import Key
from hauberk.protection.obfuscate.settings import Obfuscation

TOLERANCE = 1e-5
"""The largest difference between outputs, as a share of the largest output, that passes for rounding."""

PROBES = 16
_SEED = 20250312  # any number; the same probes every time


@dataclass(frozen=True)
class Obfuscated:
    """What came out.

    Args:
        classifier: in eval mode, ready to be saved as a package.
        evidence: the record; also the classifier's last one.
        left_alone: tensors of the original that no permutation moves, with the reason. Not for the package.
    """

    classifier: Classifier
    evidence: Evidence
    left_alone: Mapping[str, str] = field(default_factory=dict)


def obfuscate(
    classifier: Classifier,
    key: Key,
    settings: Obfuscation | None = None,
    *,
    name: str = "obfuscated",
) -> Obfuscated:
    """A classifier that answers the same and whose weights are another's to look at.

    Args:
        classifier: in eval mode, of float32 or float64.
        name: of what comes out, in the evidence.

    Raises:
        ConfigError: not a classifier in eval mode.
        UnsupportedModel: torch.export cannot see the network, nothing in it can be moved, or what came out
            answers differently; then nothing is handed out.

    Cost: four forward passes on a few images, and sorting as many words as the network has neurons.
    Limits: raises the effort to reuse, compare and edit weights; hides none of what the network does. Whoever
        can run the file can distil it, attack it and fine-tune it, and whoever has the original too finds the
        permutation by comparing activations. See docs/obfuscation.md.
    """
    started = time.perf_counter()
    settings = settings or Obfuscation()
    check_classifier(classifier)
    if classifier.dtype not in (torch.float32, torch.float64):
        raise UnsupportedModel(
            f"weights of {classifier.dtype} round too much to compare outputs",
            hint="obfuscate the float32 model, and convert what comes out",
        )
    original = copy.deepcopy(classifier).cpu()
    if original.architecture is None and not settings.keep_architecture:
        exported = export(original)  # what is to come back must be buildable
        original = with_module(original, exported.module, exported.architecture)
    own_key = key.of_model(original.digest)
    made, plan, still, facts = (keep if settings.keep_architecture else rebuild)(original, own_key, settings)
    difference = _largest_difference(original, made)
    if not difference <= TOLERANCE:
        raise UnsupportedModel(
            f"the obfuscated network's outputs differ from the original's by {difference:.2g} of the largest; "
            f"up to {TOLERANCE:g} would be rounding",
            hint="nothing was written; please report the network",
        )
    weights = original.module.state_dict()
    evidence = Evidence(
        kind="obfuscation",
        subject={"name": name, "digest": made.digest},
        inputs={"model": {"name": "original", "digest": original.digest}},
        parameters={
            "direction": "apply",
            **asdict(settings),
            "commitment": own_key.commitment,
            "plan": plan.to_json() if settings.keep_architecture else None,
            "still_scales": sorted(still) if settings.keep_architecture else None,
        },
        result={
            "largest_difference": difference,
            "probes": PROBES,
            "weights": sum(one.numel() for one in weights.values() if one.is_floating_point()),
            **facts,
            "unknown_operations": dict(plan.unknown),
        },
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    made.evidence = (*(classifier.evidence if settings.keep_history else ()), evidence)
    made = made.to(classifier.device).eval()
    return Obfuscated(made, evidence, dict(plan.left_alone))


@torch.no_grad()
def _largest_difference(original: Classifier, made: Classifier) -> float:
    """Of the networks' outputs on random images, and of the features that parts read."""
    generator = torch.Generator().manual_seed(derive_seed(_SEED, "obfuscation"))
    images = torch.rand((PROBES, *original.input_shape), generator=generator)
    lower, upper = original.bounds.tensors(images)
    images = (lower + images * (upper - lower)).to(original.dtype)
    if original.normalization is not None:
        images = original.normalization(images)
    outputs = [(original.module(images), made.module(images))]
    classes = features_of(original)
    if classes is not None:
        outputs.append(
            (penultimate(images, original.module, classes)[1], penultimate(images, made.module, classes)[1])
        )
    return max(_apart(a, b) for a, b in outputs)


def _apart(a: Tensor, b: Tensor) -> float:
    largest = float(a.abs().max())
    return float((a - b).abs().max()) / largest if largest > 0 else float((a - b).abs().max())
