"""A recipient's copy: the model with that recipient's code word in its weights."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.crypto.secret import Secret
from hauberk.models import Classifier, Package, save
from hauberk.protection.trace.carriers import STRENGTH, carriers, check_strength, marked_tensors
from hauberk.protection.trace.code import Code, CodePlan, checked_name
from hauberk.protection.trace.key import commitment, pseudonym
from hauberk.protection.trace.register import Register, locked


@dataclass(frozen=True)
class Issuer:
    """Makes copies of one original under one key.

    Args:
        original: the model that stays with the owner; accusations compare with it.
        key: the tracing key.
        plan: for how many recipients, against how many colluders.
        strength: amplitude of the mark, in root mean squares of each tensor.

    Limits: whoever holds original or key can take the mark out, or make a copy in anybody's name. More
        colluders than planned are traced less surely, and a model that is learnt anew from a copy's answers
        is not traced at all.
    """

    original: Classifier
    key: Secret
    plan: CodePlan = CodePlan()
    strength: float = STRENGTH

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength(self.strength))

    def copy_for(self, recipient: str, *, name: str = "copy") -> Classifier:
        """The recipient's copy; the last of its ``evidence`` (kind ``trace``) says that it is one.

        The evidence names the recipient by a keyed digest only. ``name`` is what it calls the copy.

        Raises:
            DataError: a recipient's name that is none.
            UnsupportedModel: too few weights for the code.
        """
        started = time.perf_counter()
        who, digest = checked_name(recipient), self.original.digest
        marked = copy.deepcopy(self.original)
        weights = marked_tensors(self.original)
        own = dict(marked.module.named_parameters())
        word = torch.from_numpy(Code(self.plan, self.key, digest).word(who)).double() * 2 - 1
        with torch.no_grad():
            for one in carriers(
                weights, self.key, model=digest, length=self.plan.length, strength=self.strength
            ):
                own[one.name].copy_(weights[one.name] + one.amplitude * one.signs * word[one.positions])
        evidence = Evidence(
            kind="trace",
            subject={"name": name, "digest": marked.digest},
            inputs={"model": {"name": "original", "digest": digest}},
            parameters={
                "action": "issue",
                "code": self.plan.describe(),
                "strength": self.strength,
                "key": commitment(self.key),
            },
            result={
                "recipient": pseudonym(self.key, who),
                "weights_marked": sum(tensor.numel() for tensor in weights.values()),
                "weights": sum(tensor.numel() for tensor in own.values()),
            },
            parents=tuple(one.digest for one in self.original.evidence[-1:]),
            duration_s=time.perf_counter() - started,
        )
        marked.evidence = (*self.original.evidence, evidence)
        return marked


def issue(
    original: Classifier,
    recipient: str,
    *,
    key: Secret,
    register: str | Path,
    out: str | Path,
    recipients: int | None = None,
    colluders: int | None = None,
    max_false: float | None = None,
    strength: float | None = None,
    overwrite: bool = False,
) -> Package:
    """Write a recipient's copy to ``out`` and enter the name in the register, which the first copy makes.

    Args:
        recipients, colluders, max_false: as in ``CodePlan``; None takes the register's own, or the default
            for a new one.
        strength: amplitude of the mark; None likewise.

    Raises:
        ConfigError: the name has a copy already, the register is full, of another model or begun with other
            settings.
        IntegrityError: the register is of another key, or damaged.
        UnsupportedModel: too few weights for the code.
    """
    given = {"recipients": recipients, "colluders": colluders, "max_false": max_false, "strength": strength}
    chosen = {name: value for name, value in given.items() if value is not None}
    with locked(register):
        before = _register(Path(register), original, key, chosen)
        before.check_free(recipient)
        made = Issuer(original, key, before.plan, before.strength).copy_for(recipient, name=Path(out).name)
        # the name first: a copy that nobody wrote down must never get out
        before.with_recipient(recipient, made.evidence[-1]).save(register, key)
        try:
            return save(made, out, overwrite=overwrite)
        except BaseException:
            before.save(register, key)
            raise


def _register(path: Path, original: Classifier, key: Secret, chosen: Mapping[str, Any]) -> Register:
    if not path.exists():
        settings = {name: value for name, value in chosen.items() if name != "strength"}
        strength = check_strength(chosen.get("strength", STRENGTH))
        return Register(commitment(key), original.digest, CodePlan(**settings), strength)
    found = Register.load(path, key)
    found.check_model(original.digest)
    own = {**found.plan.describe(), "strength": found.strength}
    for name, value in chosen.items():
        if value != own[name]:
            raise ConfigError(
                f"register {path} was begun with {name} {own[name]:g}, not {value:g}",
                hint="leave it out to go on with the register's own",
            )
    return found
