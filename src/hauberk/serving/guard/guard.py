"""The guard: watches every caller of every model in bounded memory, and acts by policy.

Looks of a calm caller are judged a few at a time, which costs less; those of one who asks about what he has
asked about before, at once.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hauberk.core import clock as wall
from hauberk.serving.guard.alerts import Alert, AlertSink
from hauberk.serving.guard.memory import Memory, Place, Scene
from hauberk.serving.guard.policy import Action, Finding, GuardPolicy
from hauberk.serving.guard.prints import Prints
from hauberk.serving.guard.usual import DRIFTED, Usual, sequential
from hauberk.serving.problems import Problem
from hauberk.serving.protocol import Answer, Floats
from hauberk.serving.rack import Entry
from hauberk.serving.watch import AS_IT_IS, Treatment

_WANTED = 16  # scenes of found-out callers that all others are compared with, for each model
_HEAD_START = 2.5  # nats below the threshold at which such a scene begins for somebody else
_unusual = sequential(0.05, 0.5)
_hugging = sequential(0.05, 0.3)


@dataclass(slots=True, eq=False)
class Verdict:
    """What is being done about a caller, until a time (seconds of the wall clock)."""

    action: Action
    until: float


@dataclass(slots=True, eq=False)
class Model:
    """What the guard knows of one model."""

    name: str
    prints: Prints
    usual: Usual
    wanted: list[Place] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Caller:
    """One caller at one model."""

    memory: Memory
    rows: list[Floats] = field(default_factory=list)
    logits: list[Floats] = field(default_factory=list)
    waiting: int = 0
    calm: bool = True
    unusual: float = 0.0
    hugging: float = 0.0
    told: set[Finding] = field(default_factory=set)


class Guard:
    """Watches.

    Args:
        key: at least 16 bytes, secret; the same for all workers, and kept, or prints of before mean nothing.
        sink: is told of every alert.
        seconds: the wall clock.

    ``verdicts`` are the callers who are treated otherwise now. ``usual`` and ``wanted`` hold what was kept of
    models that nobody has asked yet; ``fresh``, ``fresh_wanted``, ``lifted`` and ``changed`` what the store has
    not written yet.

    Cost: about ten microseconds for a look at a small image unlike the caller's earlier ones, more for those
    near them; about 64 KiB for each caller and model.
    Limits: finds searches, not single questions: an adversarial image that was made elsewhere passes. A caller
    who spreads his questions over workers is judged by each on its share, until the others hear of it.
    """

    def __init__(
        self,
        policy: GuardPolicy,
        key: bytes,
        sink: AlertSink,
        *,
        seconds: Callable[[], float] = time.time,
        clock: wall.Clock = wall.now,
    ) -> None:
        self.policy, self._key, self._sink = policy, key, sink
        self.seconds, self._clock = seconds, clock
        self.models: dict[str, Model] = {}
        self.callers: OrderedDict[tuple[str, str], Caller] = OrderedDict()
        self.verdicts: dict[str, Verdict] = {}
        self.usual: dict[str, Usual] = {}
        self.wanted: dict[str, list[Place]] = {}
        self.changed: set[tuple[str, str]] = set()
        self.lifted: list[str] = []
        self.fresh: list[tuple[str, Verdict]] = []
        self.fresh_wanted: list[tuple[str, Place]] = []

    def check(self, caller: str) -> None:
        """Refuse a caller who has been found out.

        Raises:
            Problem: 403.
        """
        if not self.verdicts:
            return
        verdict = self._verdict(caller)
        if verdict is None:
            return
        if verdict.action is Action.NEW_KEY:
            raise Problem(403, "new-key-needed", "this key is no longer served; ask for a new one")
        if verdict.action is Action.BLOCK:
            raise Problem(403, "blocked", "this caller is not served at present; ask the operator")

    def lift(self, caller: str, *, tell: bool = True) -> None:
        """Forget what was held against a caller; the other workers are told."""
        self.verdicts.pop(caller, None)
        if tell:
            self.lifted.append(caller)
        for key in [one for one in self.callers if one[0] == caller]:
            del self.callers[key]

    def learn(self, entry: Entry, rows: Floats, logits: Floats) -> None:
        """Measure what is usual at a model on a sample ``(n, ...)`` of its own data, and its answers."""
        model = self._model(entry)
        model.usual.learn(model.prints(rows), logits.argmax(axis=1), _gaps(logits), None)

    def look(self, caller: str, entry: Entry, rows: Floats, answer: Answer) -> Treatment:
        """Take note of a question and its answer; says how to answer it."""
        name = (caller, entry.digest)
        if entry.digest not in self.models:
            self._model(entry)
        one = self.callers.get(name)
        if one is None:
            one = self._new(name, entry)
        one.rows.append(rows)
        one.logits.append(answer.logits)
        one.waiting += len(rows)
        if one.waiting >= self.policy.patience or not one.calm:
            self.callers.move_to_end(name)
            self._judge(caller, entry.digest, one)
        if not self.verdicts:
            return AS_IT_IS
        verdict = self._verdict(caller)
        return AS_IT_IS if verdict is None else self.policy.treatment(verdict.action)

    def settle(self, names: Iterable[tuple[str, str]] | None = None) -> None:
        """Judge what waits, of all callers or of some: pairs of a caller and a model's digest."""
        for name in list(self.callers) if names is None else names:
            one = self.callers.get(name)
            if one is not None and one.waiting:
                self._judge(*name, one)

    def _verdict(self, caller: str) -> Verdict | None:
        verdict = self.verdicts.get(caller)
        if verdict is not None and verdict.until <= self.seconds():
            del self.verdicts[caller]
            return None
        return verdict

    def _model(self, entry: Entry) -> Model:
        model = self.models.get(entry.digest)
        if model is None:
            low, high = entry.engine.bounds()
            shape = entry.engine.input_shape
            prints = Prints(shape, high - low, self._key + entry.digest.encode())
            usual = self.usual.pop(entry.digest, None)
            if usual is None:
                usual = Usual(prints.cells, int(np.prod(shape)), len(entry.engine.labels))
            wanted = self.wanted.pop(entry.digest, [])
            model = self.models[entry.digest] = Model(entry.name, prints, usual, wanted)
        return model

    def _new(self, name: tuple[str, str], entry: Entry) -> Caller:
        model = self._model(entry)
        if len(self.callers) >= self.policy.callers:
            (oldest, its_model), least = self.callers.popitem(last=False)
            if least.waiting:
                self._judge(oldest, its_model, least)
        one = self.callers[name] = Caller(Memory(self.policy.memory, model.prints.cells))
        for place in model.wanted:
            one.memory.expect(place, self.policy.threshold - _HEAD_START)
        return one

    def _judge(self, caller: str, digest: str, one: Caller) -> None:
        model = self.models[digest]
        rows = one.rows[0] if len(one.rows) == 1 else np.concatenate(one.rows)
        logits = one.logits[0] if len(one.logits) == 1 else np.concatenate(one.logits)
        one.rows, one.logits, one.waiting = [], [], 0
        self.changed.add((caller, digest))
        prints, labels, gaps = model.prints(rows), logits.argmax(axis=1), _gaps(logits)
        found = one.memory.look(prints, labels, gaps, model.usual.near, model.usual.typical)
        one.calm = not found
        for _, scene, _ in found:
            if scene.score >= self.policy.threshold and not scene.alarmed:
                self._evasion(caller, digest, one, scene)
            if scene.repeats >= self.policy.repeats:
                reason = f"the same input {scene.repeats + 1} times"
                self._found(caller, digest, one, Finding.REPETITION, scene.repeats, reason)
        if self.policy.queries and one.memory.seen > self.policy.queries:
            reason = f"more than {self.policy.queries} questions"
            self._found(caller, digest, one, Finding.BUDGET, one.memory.seen, reason)
        self._usual(caller, digest, one, prints, labels, gaps, near=bool(found))

    def _usual(
        self,
        caller: str,
        digest: str,
        one: Caller,
        prints: Floats,
        labels: npt.NDArray[np.int64],
        gaps: Floats,
        *,
        near: bool,
    ) -> None:
        """Compare with what is usual at the model, once that is known."""
        usual = self.models[digest].usual
        if not usual.learnt:
            if not near:
                usual.learn(prints, labels, gaps, caller)
            return
        count = len(prints)
        one.unusual = _unusual(one.unusual, usual.unusual(prints), count)
        one.hugging = _hugging(one.hugging, usual.hugging(gaps), count)
        if one.unusual >= self.policy.caller_threshold:
            self._found(
                caller, digest, one, Finding.UNUSUAL, one.unusual, "inputs unlike the model's usual ones"
            )
        if one.hugging >= self.policy.caller_threshold:
            reason = "answers close to the decision boundary far too often"
            self._found(caller, digest, one, Finding.EXTRACTION, one.hugging, reason)
        drift = usual.drift(labels, gaps)
        if drift is not None and drift > DRIFTED:
            self._tell(
                Finding.DRIFT, None, digest, drift, 0, "labels or certainty are not distributed as before"
            )

    def _evasion(self, caller: str, digest: str, one: Caller, scene: Scene) -> None:
        scene.alarmed = True
        wanted = one.memory.place(scene)
        self.want(digest, wanted, but=caller)
        self.fresh_wanted.append((digest, wanted))
        facts = {"looks": scene.looks, "kinds": dict(scene.kinds), "labels": len(scene.labels)}
        reason = f"a search around one image: {scene.looks} looks that nature does not take"
        self._found(caller, digest, one, Finding.EVASION, scene.score, reason, facts, again=True)

    def want(self, digest: str, place: Place, *, but: str | None = None) -> None:
        """Compare all callers of a model, and those to come, with the place of a search that was found."""
        model = self.models.get(digest)
        if model is None:
            self.wanted[digest] = [*self.wanted.get(digest, [])[1 - _WANTED :], place]
            return
        model.wanted = [*model.wanted[1 - _WANTED :], place]
        for (caller, its_model), one in self.callers.items():
            if its_model == digest and caller != but:
                one.memory.expect(place, self.policy.threshold - _HEAD_START)

    def _found(
        self,
        caller: str,
        digest: str,
        one: Caller,
        finding: Finding,
        score: float,
        reason: str,
        facts: dict[str, object] | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Once for each caller, model and finding; for each scene of a search."""
        if finding in one.told and not again:
            return
        one.told.add(finding)
        action = self.policy.action(finding)
        if action is not Action.NOTE:
            until = float("inf") if action is Action.NEW_KEY else self.seconds() + self.policy.block_s
            self.hold(caller, Verdict(action, until))
            self.fresh.append((caller, Verdict(action, until)))
        self._tell(finding, caller, digest, score, one.memory.seen, reason, facts)

    def hold(self, caller: str, verdict: Verdict) -> None:
        """Act on a verdict, unless a stricter one holds."""
        old = self._verdict(caller)
        if old is None or old.action.rank <= verdict.action.rank:
            self.verdicts[caller] = verdict

    def _tell(
        self,
        finding: Finding,
        caller: str | None,
        digest: str,
        score: float,
        looks: int,
        reason: str,
        facts: dict[str, object] | None = None,
    ) -> None:
        self._sink.alert(
            Alert(
                finding=finding,
                action=self.policy.action(finding),
                caller=caller,
                name=self.models[digest].name,
                model=digest,
                at=wall.timestamp(self._clock),
                score=round(float(score), 3),
                looks=looks,
                reason=reason,
                facts=facts or {},
            )
        )


def _gaps(logits: Floats) -> Floats:
    """Float32 ``(n,)``: how far the first label is ahead of the second."""
    if logits.shape[1] < 2:
        return np.ones(len(logits), np.float32)
    ordered = np.partition(logits, -2, axis=1)
    gaps: Floats = ordered[:, -1] - ordered[:, -2]
    return gaps
