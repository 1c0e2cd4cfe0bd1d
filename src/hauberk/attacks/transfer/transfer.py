"""Transfer: samples made on classifiers that one has, tried on one that only answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Attack, Outcome, Problem
from hauberk.attacks.gradient import Batch, GradientAttack, Record
from hauberk.attacks.objectives import Objective
from hauberk.attacks.oracle import Look, Oracle
from hauberk.attacks.pgd import MIFGSM
from hauberk.attacks.questions import Questions
from hauberk.attacks.transfer.ensemble import AVERAGES, Average, check_fits, ensemble
from hauberk.attacks.transfer.views import View
from hauberk.core.errors import ConfigError, UnsupportedModel, check_known
from hauberk.models import Classifier
from hauberk.models.twin import fast_twin, pass_size, passes
from hauberk.threats import Knowledge, Streams, ThreatModel

_VIEWS = 101  # the fork of a sample's stream that views draw from; attacks use the small numbers


@dataclass(frozen=True, kw_only=True, repr=False)
class Transfer(Attack):
    """Attack one's own classifiers white-box, carry the samples over, and ask the target once for each.

    Args:
        sources: classifiers of the target's input shape and classes, whose gradients are used; more than one
            are attacked as an ensemble.
        attack: a gradient attack that states a start and a step. It takes all its steps on the sources,
            whether they are fooled early or not: what barely fools them does not carry over. Each of its
            restarts gives one more sample to try.
        views: how the sources look at a point, such as ``InputDiversity()``; with the attack's ``eot`` above
            1 gradients are averaged over so many draws of them.
        average: what the ensemble averages, ``logits`` or ``probabilities``.

    Cost: one question for the clean image and one for each sample tried, at most ``restarts``; none for
        gradients, which are the sources'. What it cost to build a source is not counted here: see
        ``SubstituteTransfer``.
    Limits: failing says more of the sources than of the target.
    Source: Papernot et al., 2016 (transfer); Liu et al., ICLR 2017 and Dong et al., CVPR 2018 (ensembles);
        the Chinese texts' "polynomial-time black box" (PPT) with a substitute as its source.
    """

    name: ClassVar[str] = "transfer"
    needs: ClassVar[Knowledge] = Knowledge.LABELS

    sources: tuple[Classifier, ...]
    attack: GradientAttack = MIFGSM()
    views: tuple[View, ...] = ()
    average: Average = "logits"

    def __post_init__(self) -> None:
        for name in ("sources", "views"):
            if not isinstance(getattr(self, name), list | tuple):
                raise ConfigError(f"Transfer: {name} is a tuple, got {type(getattr(self, name)).__name__}")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_recipe(self.attack, self.views, self.average, where="Transfer")
        ensemble(self.sources, average=self.average)  # refuses what does not fit together

    def __repr__(self) -> str:
        """Sources by their digests: a network's own repr names no weights."""
        parts = ", ".join(
            f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.name != "sources"
        )
        return f"Transfer(sources=({', '.join(one.digest for one in self.sources)}), {parts})"

    def ticks(self) -> int:
        return self.attack.ticks()

    def _check_threat(self, classifier: Classifier, threat: ThreatModel) -> None:
        super()._check_threat(classifier, threat)
        for source in self.sources:
            check_fits(source, classifier, what="source of transfer")
        for view in self.views:
            view.check(classifier.input_shape)
        self.attack._check_threat(classifier, ThreatModel(threat.geometry, targeted=threat.targeted))

    def run(self, problem: Problem) -> Outcome:
        questions = Questions(problem)
        crafting = _on_source(problem, fast_twin(ensemble(self.sources, average=self.average)))
        objective = self.attack.objective
        assert not isinstance(objective, str)
        oracle = Oracle(crafting.classifier, objective, eot=self.attack.eot)
        candidates = problem.origin.clone()
        standing = torch.arange(len(candidates), device=candidates.device)
        for restart, aims in enumerate(self.attack.aims(crafting, oracle, Record(crafting))):
            standing = standing[questions.can_pay(standing)]
            if not len(standing):
                break
            tried = self._craft(crafting, objective, standing, restart, aims)
            candidates[standing] = tried
            standing = standing[~questions.fooled(tried, standing)]
        return Outcome.without_gradients(candidates, questions.spent)

    def _craft(
        self, problem: Problem, objective: Objective, rows: Tensor, restart: int, aims: Tensor | None
    ) -> Tensor:
        """The points for the samples ``rows`` after all steps on the sources."""
        attack = self.attack
        batch = attack.begin(problem, rows, restart, aims)
        _, steps = attack._rounds
        for number in range(steps):
            streams = batch.streams.fork(_VIEWS).fork(number)
            look = self._look(problem.classifier, objective, batch, streams)
            batch.x = problem.project(batch.origin, attack.step(number, problem, batch, look))
            problem.progress.advance()
        return batch.x

    def _look(self, source: Classifier, objective: Objective, batch: Batch, streams: Streams) -> Look:
        """Logits, loss and gradient of the source, averaged over the views and their draws."""
        looks = [
            self._look_once(
                source,
                objective,
                batch.x[part],
                batch.labels[part],
                None if batch.aims is None else batch.aims[part],
                Streams(streams.keys[part]),
            )
            for part in passes(len(batch.x), pass_size(source))
        ]
        logits, loss, gradient = (torch.cat(parts) for parts in zip(*looks, strict=True))
        for view in self.views:
            gradient = view.gradient(gradient)
        return Look(logits, loss, gradient)

    def _look_once(
        self,
        source: Classifier,
        objective: Objective,
        x: Tensor,
        labels: Tensor,
        aims: Tensor | None,
        streams: Streams,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = x.detach().requires_grad_(True)
        draws = []
        for draw in range(self.attack.eot):
            with torch.enable_grad():
                answers = [source(point) for point in self._points(x, streams.fork(draw))]
                losses = torch.stack([objective(answer, labels, aims) for answer in answers]).mean(dim=0)
                slope = (
                    torch.autograd.grad(losses.sum(), x, allow_unused=True)[0] if losses.requires_grad else None
                )
            if slope is None:
                raise UnsupportedModel("a source of transfer has no gradient with respect to its input")
            logits = torch.stack([answer.detach() for answer in answers]).mean(dim=0)
            draws.append((logits, losses.detach(), torch.nan_to_num(slope)))
        logits, loss, gradient = (torch.stack(each).mean(dim=0) for each in zip(*draws, strict=True))
        return logits, loss, gradient

    def _points(self, x: Tensor, streams: Streams) -> Sequence[Tensor]:
        """``x`` as the views show it, one after the other."""
        points: list[Tensor] = [x]
        for number, view in enumerate(self.views):
            points = [
                shown
                for position, point in enumerate(points)
                for shown in view.points(point, streams.fork(number).fork(position))
            ]
        return points


def check_recipe(attack: object, views: Sequence[object], average: object, *, where: str) -> None:
    """Refuse what cannot be a recipe for making samples on sources.

    Raises:
        ConfigError: not a gradient attack that goes by steps, something else than a view, an unknown average.
    """
    if not isinstance(attack, GradientAttack) or type(attack).run is not GradientAttack.run:
        raise ConfigError(f"{where}: attack must be one that goes by steps, such as PGD(), got {attack!r}")
    for view in views:
        if not isinstance(view, View):
            raise ConfigError(f"{where}: a view is one such as InputDiversity(), got {view!r}")
    check_known([average], AVERAGES, what="average", where=where)


def _on_source(problem: Problem, source: Classifier) -> Problem:
    """The same samples, with the source in the target's place: a white box that may be asked at will.

    The source gets the target's bounds, in which the steps are measured.
    """
    target = problem.classifier
    return replace(
        problem,
        classifier=Classifier(
            source, input_shape=target.input_shape, labels=target.labels, bounds=target.bounds
        ).eval(),
        threat=ThreatModel(problem.threat.geometry, targeted=problem.threat.targeted),
        queries=torch.zeros_like(problem.queries),
    )
