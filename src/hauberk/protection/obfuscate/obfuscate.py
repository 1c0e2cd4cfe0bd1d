"""Obfuscating a classifier, end to end: analyse, fold, grow, move, wrap, compare, record."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hauberk.core.errors import ConfigError, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.core.seeds import derive_seed
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.importing import export
from hauberk.models.package import package_files
from hauberk.models.parts import Mahalanobis, NearestNeighbours
from hauberk.models.parts.distances import penultimate
from hauberk.protection.obfuscate.folding import fold
from hauberk.protection.obfuscate.growing import grow, growable
from hauberk.protection.obfuscate.key import Key, ModelKey
from hauberk.protection.obfuscate.moving import inexact, moved, share
from hauberk.protection.obfuscate.plan import Choices, Plan, analyse
from hauberk.protection.obfuscate.program import Program
from hauberk.protection.obfuscate.recovery import (
    Recovery,
    Steps,
    computed_back,
    differences,
    exponents,
    orders,
)
from hauberk.protection.obfuscate.wrapping import attach, wrap

TOLERANCE = 1e-5
"""The largest difference between outputs, as a share of the largest output, that passes for rounding."""

PROBES = 16
_SEED = 20250312  # any number; the same probes every time
_MOST_DUMMIES = 1024
_READ_FEATURES = (Mahalanobis, NearestNeighbours)


@dataclass(frozen=True, kw_only=True)
class Obfuscation:
    """What is done besides permuting.

    Args:
        rescale: multiply by powers of two where the functions between layers let it through.
        keep_architecture: keep names, batch norm and architecture, so that the package says what network it is
            and can be trained further; nothing is folded then, and no neurons are added.
        dummies: pairs of dummy neurons added to each group of neurons that can take them.
        keep_history: leave the evidence of the model's birth in the package; it names the architecture and how
            it was trained. Without it only the digest of the step before is named.

    Raises:
        ConfigError: a number out of range, or dummies where the architecture is kept.
    """

    rescale: bool = True
    keep_architecture: bool = False
    dummies: int = 0
    keep_history: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.dummies, bool) or not isinstance(self.dummies, int):
            raise ConfigError(f"dummies must be a whole number, got {self.dummies!r}")
        if not 0 <= self.dummies <= _MOST_DUMMIES:
            raise ConfigError(f"dummies must lie in [0, {_MOST_DUMMIES}], got {self.dummies}")
        if self.keep_architecture and self.dummies:
            raise ConfigError("dummies change the shapes of the weights, so the architecture cannot be kept")


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
    made, plan, still, facts = (_kept if settings.keep_architecture else _rebuilt)(original, own_key, settings)
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


Made = tuple[Classifier, Plan, frozenset[int], dict[str, Any]]
"""A classifier, what was moved, groups of scales left at one, and figures for the record."""


def _features_of(classifier: Classifier) -> int | None:
    """The outputs of the last linear layer where a part reads what goes into it."""
    reads = any(isinstance(one, _READ_FEATURES) for one in classifier.defences)
    return classifier.num_classes if reads else None


def _without_scales(plan: Plan, rescale: bool) -> Plan:
    return plan if rescale else Plan(plan.orders, Choices(), plan.left_alone, plan.unknown)


def _refuse_nothing(plan: Plan) -> None:
    if not plan.orders.sizes:
        raise UnsupportedModel(
            "nothing in this network can be permuted",
            hint=f"operations that are not understood: {', '.join(plan.unknown) or 'none'}",
        )


def _still(weights: Mapping[str, Tensor], plan: Plan, key: ModelKey) -> frozenset[int]:
    """Groups of scales to leave at one, so that everything comes back to the last bit."""
    still: frozenset[int] = frozenset()
    while found := inexact(weights, plan, exponents(plan, key, still)) - still:
        still |= found
    return still


def _facts(before: Mapping[str, Tensor], plan: Plan, still: frozenset[int]) -> dict[str, Any]:
    floats = {name: one for name, one in before.items() if one.is_floating_point()}
    return {
        "permuted_share": share(floats, plan.orders.trees),
        "rescaled_share": share(floats, plan.scales.trees),
        "permuted_groups": len(plan.orders.sizes),
        "rescaled_groups": len(plan.scales.sizes) - len(still),
    }


def _kept(original: Classifier, key: ModelKey, settings: Obfuscation) -> Made:
    """The same architecture with other weights."""
    program = Program.of(original)
    state = original.module.state_dict()
    fixed = {name: "it is not in the package" for name in program.weights if name not in state}
    shapes = program.shapes(original.input_shape)
    plan = analyse(program, shapes, fixed=fixed, features_of=_features_of(original))
    plan = _without_scales(plan, settings.rescale)
    _refuse_nothing(plan)
    still = _still(program.weights, plan, key)
    other = moved(program.weights, plan, orders(plan, key), exponents(plan, key, still))
    made = copy.deepcopy(original)
    changed = {name: other[name] for name in plan.orders.trees.keys() | plan.scales.trees.keys()}
    made.module.load_state_dict(with_twins(original.module, changed))
    read = {name: program.weights[name] for name in set(program.read) - fixed.keys()}
    return made, plan, still, {**_facts(read, plan, still), "folded_norms": 0, "dummy_neurons": 0}


def with_twins(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The module's state with other tensors, also where the same tensor stands under a second name."""
    state = module.state_dict()
    places = {
        (state[name].data_ptr(), state[name].shape): one for name, one in tensors.items() if name in state
    }
    return {
        name: tensors[name] if name in tensors else places.get((one.data_ptr(), one.shape), one)
        for name, one in state.items()
    }


def _rebuilt(original: Classifier, key: ModelKey, settings: Obfuscation) -> Made:
    """A program under other names, with what reversal needs sealed in it."""
    exported = Program.of(original)
    features_of = _features_of(original)
    folded, norms = fold(exported, exported.shapes(original.input_shape))
    before = analyse(folded, folded.shapes(original.input_shape), features_of=features_of)
    _refuse_nothing(before)
    pairs = {group: settings.dummies for group in growable(before.orders)} if settings.dummies else {}
    grown = grow(folded, before.orders, pairs, key) if pairs else folded
    plan = before
    if pairs:
        plan = analyse(grown, grown.shapes(original.input_shape), features_of=features_of)
    plan = _without_scales(plan, settings.rescale)
    still = _still(grown.weights, plan, key)
    other = Program(grown.graph, moved(grown.weights, plan, orders(plan, key), exponents(plan, key, still)))
    wrapped, names = wrap(other, key)
    steps = Steps(norms, before.orders if pairs else Choices(), pairs, plan, still, names)
    recovery = _recovery(original, exported, wrapped, steps, key, settings)
    module = attach(wrapped, recovery.sealed(key)).module()
    made = with_module(original, module, module.architecture())
    facts = _facts(folded.weights, plan, still)
    facts |= {"folded_norms": len(norms), "dummy_neurons": 2 * sum(pairs.values())}
    return made, plan, still, facts


def _recovery(
    original: Classifier,
    exported: Program,
    wrapped: Program,
    steps: Steps,
    key: ModelKey,
    settings: Obfuscation,
) -> Recovery:
    state = {name: one.contiguous().clone() for name, one in original.module.state_dict().items()}
    norms = {name: exported.weights[name] for norm in steps.norms for name in norm.tensors}
    back = computed_back(wrapped.weights, steps, key, norms)
    back = {name: one for name, one in back.items() if name not in norms}
    history = [] if settings.keep_history else [one.to_json() for one in original.evidence]
    contract = {key_: value for key_, value in original.contract().items() if key_ != "defences"}
    tensors = differences(state, back) | norms
    return Recovery(steps, contract, package_files(original.module), history, tensors)


def with_module(
    classifier: Classifier, module: nn.Module, architecture: Mapping[str, Any] | None
) -> Classifier:
    """The classifier with another network in it; contract and parts stay."""
    made = copy.deepcopy(classifier)
    made.module = module
    made.architecture = dict(architecture) if architecture is not None else None
    return made.eval()


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
    classes = _features_of(original)
    if classes is not None:
        outputs.append(
            (penultimate(images, original.module, classes)[1], penultimate(images, made.module, classes)[1])
        )
    return max(_apart(a, b) for a, b in outputs)


def _apart(a: Tensor, b: Tensor) -> float:
    largest = float(a.abs().max())
    return float((a - b).abs().max()) / largest if largest > 0 else float((a - b).abs().max())
