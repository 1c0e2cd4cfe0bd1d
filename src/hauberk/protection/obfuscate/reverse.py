"""Giving the original back to who has the key."""

from __future__ import annotations

import copy
import hmac
import time

import torch
from torch import Tensor

from hauberk.core.errors import AccessDenied, DataError, IntegrityError, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier
from hauberk.models.package import build
from hauberk.protection.obfuscate.forms import with_module, with_twins
from hauberk.protection.obfuscate.key import Key, ModelKey
from hauberk.protection.obfuscate.moving import moved_back
from hauberk.protection.obfuscate.plan import Plan
from hauberk.protection.obfuscate.program import Program
from hauberk.protection.obfuscate.recovery import Recovery, exponents, orders

KIND = "obfuscation"


def reverse(classifier: Classifier, key: Key, *, name: str = "reversed") -> Classifier:
    """The classifier that was obfuscated last, with its architecture, names and weights.

    Where nothing was changed since, they are the original's to the last bit, and the evidence says so
    (``exact``). A copy that was trained or pruned since comes back in the original's order, with what was done
    to it.

    Raises:
        DataError: the classifier's evidence tells of no obfuscation that is still in place.
        AccessDenied: another key; or the original needs a factory that this user has not allowed.
        IntegrityError: what reversal needs was changed or taken out.
    """
    started = time.perf_counter()
    check_classifier(classifier)
    record = _last_obfuscation(classifier)
    digest = str(record.inputs["model"]["digest"])
    own_key = key.of_model(digest)
    if not hmac.compare_digest(own_key.commitment, str(record.parameters["commitment"])):
        raise AccessDenied("this is not the key with which the model was obfuscated")
    here = copy.deepcopy(classifier).cpu()
    kept = bool(record.parameters["keep_architecture"])
    made, history = _moved_back(here, record, own_key) if kept else _rebuilt(here, own_key)
    evidence = Evidence(
        kind=KIND,
        subject={"name": name, "digest": made.digest},
        inputs={"model": {"name": record.subject["name"], "digest": classifier.digest}},
        parameters={"direction": "reverse", "commitment": own_key.commitment},
        result={"exact": made.digest == digest},
        parents=(classifier.evidence[-1].digest,),
        duration_s=round(time.perf_counter() - started, 3),
    )
    made.evidence = (*history, *classifier.evidence, evidence)
    return made.to(classifier.device).eval()


def _last_obfuscation(classifier: Classifier) -> Evidence:
    undone = 0
    for one in reversed(classifier.evidence):
        if one.kind != KIND:
            continue
        if one.parameters["direction"] == "reverse":
            undone += 1
        elif undone:
            undone -= 1
        else:
            return one
    raise DataError("the model's evidence tells of no obfuscation that could be reversed")


def _moved_back(classifier: Classifier, record: Evidence, key: ModelKey) -> tuple[Classifier, list[Evidence]]:
    plan = Plan.from_json(record.parameters["plan"])
    still = frozenset(record.parameters["still_scales"])
    state = classifier.module.state_dict()
    try:
        back = moved_back(state, plan, orders(plan, key), exponents(plan, key, still))
    except (KeyError, IndexError, RuntimeError) as error:
        raise IntegrityError(f"the weights are not those that were obfuscated: {error}") from error
    made = copy.deepcopy(classifier)
    moved = plan.orders.trees.keys() | plan.scales.trees.keys()
    made.module.load_state_dict(with_twins(classifier.module, {name: back[name] for name in moved}))
    return made, []


def _rebuilt(classifier: Classifier, key: ModelKey) -> tuple[Classifier, list[Evidence]]:
    program = Program.of(classifier)
    recovery = _opened(program, key)
    state = recovery.restored(program.weights, key)
    module = build({**recovery.original}, recovery.files).module.to(classifier.dtype)
    try:
        module.load_state_dict({name: state[name] for name in module.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise UnsupportedModel(f"the original's weights do not fit its architecture: {error}") from error
    made = with_module(classifier, module, recovery.original["architecture"])
    return made, [Evidence.from_json(one) for one in recovery.history]


def _opened(program: Program, key: ModelKey) -> Recovery:
    """What the key opens, of the tensors of bytes that nothing reads."""
    blobs: list[Tensor] = [
        one for one in program.weights.values() if one.dtype is torch.uint8 and one.ndim == 1
    ]
    failed: IntegrityError | None = None
    for blob in blobs:
        try:
            return Recovery.opened(blob, key)
        except IntegrityError as error:
            failed = error
    if failed is None:
        raise IntegrityError("the tensor with what reversal needs was taken out of the package")
    raise failed
