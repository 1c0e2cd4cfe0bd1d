"""The two forms of what comes out: the architecture with other weights, or a program that names nothing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from hauberk.core.errors import UnsupportedModel
from hauberk.models import Classifier
from hauberk.models.package import package_files
from hauberk.models.parts import Mahalanobis, NearestNeighbours
from hauberk.protection.obfuscate.folding import fold
from hauberk.protection.obfuscate.growing import grow, growable
from hauberk.protection.obfuscate.key import ModelKey
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
from hauberk.protection.obfuscate.settings import Obfuscation
from hauberk.protection.obfuscate.wrapping import attach, wrap

_READ_FEATURES = (Mahalanobis, NearestNeighbours)

Made = tuple[Classifier, Plan, frozenset[int], dict[str, Any]]
"""A classifier, what was moved, groups of scales left at one, and figures for the record."""


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


def keep(original: Classifier, key: ModelKey, settings: Obfuscation) -> Made:
    """The same architecture with other weights."""
    program = Program.of(original)
    state = original.module.state_dict()
    fixed = {name: "it is not in the package" for name in program.weights if name not in state}
    shapes = program.shapes(original.input_shape)
    plan = analyse(program, shapes, fixed=fixed, features_of=features_of(original))
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


def rebuild(original: Classifier, key: ModelKey, settings: Obfuscation) -> Made:
    """A program under other names, with what reversal needs sealed in it."""
    exported = Program.of(original)
    outputs = features_of(original)
    folded, norms = fold(exported, exported.shapes(original.input_shape))
    before = analyse(folded, folded.shapes(original.input_shape), features_of=outputs)
    _refuse_nothing(before)
    pairs = {group: settings.dummies for group in growable(before.orders)} if settings.dummies else {}
    grown = grow(folded, before.orders, pairs, key) if pairs else folded
    plan = before
    if pairs:
        plan = analyse(grown, grown.shapes(original.input_shape), features_of=outputs)
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


def features_of(classifier: Classifier) -> int | None:
    """The outputs of the last linear layer where a part reads what goes into it."""
    reads = any(isinstance(one, _READ_FEATURES) for one in classifier.defences)
    return classifier.num_classes if reads else None
