"""Runs a recipe: every model, every evaluation, the report; resumes at the first stage that is not done."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hauberk import datasets, reports
from hauberk.core.canonical import digest
from hauberk.core.errors import HauberkError
from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation import Carried, accuracy_curve, evaluate, radii_up_to, standard_cascade
from hauberk.evaluation.curves import DEFAULT_ATTACK
from hauberk.models import Classifier, create, load, read, save
from hauberk.models.training import train
from hauberk.recipes.recipe import ModelSpec, Recipe
from hauberk.recipes.state import RunState
from hauberk.threats import Bounds, ThreatModel


@dataclass(frozen=True)
class RunResult:
    """What a run left in its folder.

    Args:
        packages: model name to package folder, in the recipe's order.
        evidence: everything measured, oldest first.
        reports: report files.
        skipped: stages that an earlier run had finished.
        seconds: wall clock of this call.
    """

    folder: Path
    packages: dict[str, Path]
    evidence: tuple[Evidence, ...]
    reports: tuple[Path, ...]
    skipped: int
    seconds: float

    def evaluations(self) -> dict[str, Evidence]:
        """Model name to its evaluation."""
        return {str(one.subject["name"]): one for one in self.evidence if one.kind == "evaluation"}


def run(
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    device: str = "cpu",
    command: str | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Carry out a recipe.

    Args:
        out: folder for packages, ``evidence/``, ``pictures/`` and reports; default the recipe's own. If it
            holds an earlier run of this recipe, finished stages are kept and the rest is done; a stage whose
            inputs changed is done again.
        command: the line that repeats the run, printed at the end of the report.

    Raises:
        ConfigError: the folder holds something else.
        HauberkError: whatever a stage raises; the run can be resumed.
    """
    started = time.perf_counter()
    folder = Path(out or recipe.out)
    worker = _Worker(recipe, folder, device, progress)
    for spec in recipe.models:
        worker.build(spec)
    for spec in recipe.models:
        worker.measure(spec)
    evidence = worker.collected()
    written = worker.report(evidence, command)
    shutil.rmtree(folder / ".checkpoints", ignore_errors=True)
    return RunResult(
        folder=folder,
        packages={spec.name: folder / spec.name for spec in recipe.models},
        evidence=evidence,
        reports=written,
        skipped=worker.skipped,
        seconds=time.perf_counter() - started,
    )


class _Worker:
    """The stages of one run."""

    def __init__(self, recipe: Recipe, folder: Path, device: str, progress: Progress) -> None:
        self.recipe, self.folder, self.device, self.progress = recipe, folder, device, progress
        self.train_data = datasets.load(recipe.data, split="train").head(recipe.train_samples)
        self.test_data = datasets.load(recipe.data, split="test").head(recipe.test_samples)
        radii = recipe.curve if isinstance(recipe.curve, tuple) else ()
        for eps in (recipe.threat.geometry.eps, *(one for one in radii if one)):  # before hours of training
            recipe.threat.with_eps(eps).check_fits(Bounds.of(self.test_data.bounds), self.test_data.input_shape)
        self.state = RunState(folder)
        self.models: dict[str, Classifier] = {}
        self.skipped = 0
        self._evidence: list[Evidence] = []

    def _common(self) -> dict[str, Any]:
        return {"seed": self.recipe.seed, "threat": self.recipe.threat.describe()}

    def build(self, spec: ModelSpec) -> None:
        """Train or harden one model, unless its package is there already."""
        parent = self.models[spec.parent] if spec.parent else None
        threat = self._threat(spec)
        inputs = {
            "seed": self.recipe.seed,
            "threat": threat.describe() if threat else None,
            "data": self.train_data.digest,
            "train": asdict(spec.train) if spec.train else None,
            "harden": [spec.harden.name, asdict(spec.harden)] if spec.harden else None,
            "parent": parent.digest if parent else None,
        }
        borrowed = spec.harden.inputs() if spec.harden else {}
        if borrowed:
            inputs["borrowed"] = borrowed
        stage, path = f"model-{spec.name}", self.folder / spec.name
        finished = self.state.done(stage, inputs)
        if finished is not None and _intact(path, finished, parent):
            self.models[spec.name] = load(path, device=self.device)
            self.skipped += 1
        else:
            made = self._make(spec, parent, self._checkpoint(stage, inputs))
            package = save(made, path, overwrite=True)
            self.state.finish(stage, inputs, package.digest)
            self._checkpoint(stage, inputs).unlink(missing_ok=True)
            self.models[spec.name] = made
        self._keep(self.models[spec.name].evidence[-1], spec.name)

    def _threat(self, spec: ModelSpec) -> ThreatModel | None:
        """The recipe's, for a method that looks at it: another one does not make the others' work void."""
        return self.recipe.threat if spec.harden and spec.harden.needs_threat else None

    def _checkpoint(self, stage: str, inputs: dict[str, Any]) -> Path:
        """A checkpoint of other inputs is of no use: its name carries the inputs' digest."""
        return self.state.checkpoint(f"{stage}-{digest(inputs)[7:19]}")

    def _make(self, spec: ModelSpec, parent: Classifier | None, checkpoint: Path) -> Classifier:
        seed, progress = self.recipe.seed, _Named(self.progress, spec.name)
        if spec.train is not None:
            blank = create(spec.train.arch, self.train_data, seed=seed, args=spec.train.args).to(self.device)
            data, held_out = self.train_data, None
            if spec.train.held_out:
                data, held_out = data.split(spec.train.held_out)
            return train(
                blank.eval(), data, spec.train.plan, held_out=held_out, seed=seed, name=spec.name,
                checkpoint=checkpoint, progress=progress,
            )  # fmt: skip
        assert spec.harden is not None
        assert parent is not None
        return spec.harden.fit(
            parent, self.train_data, self._threat(spec), seed=seed, name=spec.name,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip

    def measure(self, spec: ModelSpec) -> None:
        """Evaluate one model, and draw its curve."""
        model, recipe = self.models[spec.name], self.recipe
        parent = self.models[spec.parent] if spec.parent else None
        inputs = {**self._common(), "data": self.test_data.digest, "model": model.digest}
        self._evidence_stage(
            f"evaluation-{spec.name}",
            {
                **inputs,
                "carried": [repr(attack) for attack in recipe.carried],
                "alone": [repr(attack) for attack in recipe.alone],
                "cascade": [stage.recipe for stage in standard_cascade(model, recipe.threat)],
                "parent": parent.digest if parent else None,
            },
            model.evidence[-1],
            lambda: (
                evaluate(
                    model,
                    self.test_data.images,
                    self.test_data.labels,
                    recipe.threat,
                    alone=recipe.alone,
                    carried=self._carried(spec, parent),
                    sources=[parent] if parent else [],
                    seed=recipe.seed,
                    name=spec.name,
                    dataset=self.test_data,
                    journal=Path(recipe.out) / ".under-way",
                    progress=_Named(self.progress, f"{spec.name}:"),
                ).evidence
            ),
        )
        if recipe.curve is False:
            return
        radii = _radii(recipe, model)
        count = recipe.curve_samples
        data: Dataset = self.test_data.head(None if count is None else min(count, len(self.test_data)))
        self._evidence_stage(
            f"curve-{spec.name}",
            {**inputs, "curve": radii, "samples": len(data), "attack": repr(DEFAULT_ATTACK)},
            model.evidence[-1],
            lambda: accuracy_curve(
                model, data, recipe.threat, radii, seed=recipe.seed, name=spec.name,
                progress=_Named(self.progress, f"{spec.name}:"),
            ),
        )  # fmt: skip

    def _carried(self, spec: ModelSpec, parent: Classifier | None) -> list[Carried]:
        """Candidates made on the model before, to be tried on this one."""
        if parent is None:
            return []
        return [
            Carried(
                name=f"{attack.name} on {spec.parent}",
                recipe=repr(attack),
                source=parent.digest,
                candidates=attack(
                    parent,
                    self.test_data.images,
                    self.test_data.labels,
                    self.recipe.threat,
                    seed=self.recipe.seed,
                    progress=_Named(self.progress, f"{spec.parent}:"),
                ).candidates,
            )
            for attack in self.recipe.carried
        ]

    def _evidence_stage(self, stage: str, inputs: dict[str, Any], born: Evidence, work: Any) -> None:
        path = self.folder / "evidence" / f"{stage}.json"
        finished = self.state.done(stage, inputs)
        if finished is not None:
            try:
                found = Evidence.load(path)
            except HauberkError:
                found = None
            # a model that was made again has a new birth, which its old measurements do not name
            if found is not None and found.digest == finished and found.parents == (born.digest,):
                self._evidence.append(found)
                self.skipped += 1
                return
        made: Evidence = work()
        made.save(self.folder / "evidence", stage)
        self.state.finish(stage, inputs, made.digest)
        self._evidence.append(made)

    def _keep(self, birth: Evidence, name: str) -> None:
        """The evidence of a model's birth, under the model's name."""
        birth.save(self.folder / "evidence", f"{birth.kind}-{name}")
        self._evidence.append(birth)

    def collected(self) -> tuple[Evidence, ...]:
        return tuple(self._evidence)

    def report(self, evidence: Sequence[Evidence], command: str | None) -> tuple[Path, ...]:
        """``report.html``, ``report.<lang>.html`` for further languages, ``report.json``, pictures."""
        written = []
        ordered = list({one.digest: one for one in evidence}.values())
        for position, lang in enumerate(self.recipe.langs):
            page = reports.render_html(ordered, lang=lang, title=self.recipe.title, command=command)
            file = "report.html" if position == 0 else f"report.{lang}.html"
            written.append(write_atomic(self.folder / file, page.encode()))
        document = json.dumps(reports.render_json(ordered), indent=1, ensure_ascii=False)
        written.append(write_atomic(self.folder / "report.json", document.encode()))
        reports.save_pictures(ordered, self.folder / "pictures")
        return tuple(written)


def _intact(path: Path, package_digest: str, parent: Classifier | None) -> bool:
    """The package is as it was left, and grew out of the parent that is there now."""
    try:
        found = read(path)
    except HauberkError:
        return False
    earlier = [] if parent is None else [one.digest for one in parent.evidence]
    # members, teachers and partners stand between the parent's records and the model's own
    born_from = [one.digest for one in found.evidence[:-1]][: len(earlier)]
    return found.digest == package_digest and born_from == earlier


def _radii(recipe: Recipe, model: Classifier) -> list[float]:
    """What the curve measures: the recipe's radii, or even ones of which each means something."""
    if not isinstance(recipe.curve, bool):
        return list(recipe.curve)
    geometry = recipe.threat.geometry
    most = geometry.largest(model.bounds, model.input_shape)
    radii = {min(eps, most) for eps in radii_up_to(geometry.eps)}
    if geometry.norm == "l0":  # counts positions
        radii = {float(round(eps)) for eps in radii}
    return sorted(radii)


class _Named:
    """Progress whose titles say which model they are about."""

    def __init__(self, inner: Progress, name: str) -> None:
        self._inner, self._name = inner, name

    def begin(self, title: str, total: int) -> None:
        self._inner.begin(f"{self._name} {title}", total)

    def advance(self, ticks: int = 1, note: str = "") -> None:
        self._inner.advance(ticks, note)

    def end(self) -> None:
        self._inner.end()
