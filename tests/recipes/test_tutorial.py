"""The examples, for real: the MNIST recipe on part of its data, the tutorial on digits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hauberk import recipes
from hauberk.defenses import TrainingDefense
from hauberk.models.training import TrainingPlan

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.mark.slow
def test_mnist_recipe_tells_its_story(tmp_path: Path) -> None:
    if not os.environ.get("HAUBERK_DATA"):
        reason = "MNIST is not at hand; set HAUBERK_DATA"
        if os.environ.get("HAUBERK_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    recipe = recipes.load(EXAMPLES / "mnist.toml")
    models = []
    for spec in recipe.models:  # the same models on a tenth of the data, in smaller steps
        if spec.train is not None:
            spec = replace(spec, train=replace(spec.train, plan=replace(spec.train.plan, epochs=5)))
        elif spec.name == "pgd-trained":
            plan = TrainingPlan(epochs=8, batch_size=64, schedule="one-cycle", learning_rate=3e-3)
            spec = replace(spec, harden=replace(spec.harden, plan=plan, held_out=200, steps=4, warmup=0.5))
        models.append(spec)
    recipe = replace(
        recipe, models=tuple(models), train_samples=6000, test_samples=200, curve=(0.1, 0.2), curve_samples=100
    )
    result = recipes.run(recipe, out=tmp_path / "run")
    found = {name: one.result for name, one in result.evaluations().items()}
    for name in ("undefended", "fgsm-retrained"):
        assert found[name]["clean_accuracy"] > 0.9
        assert found[name]["robust_accuracy"] < 0.1
    assert found["pgd-trained"]["robust_accuracy"] > 0.2
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "fgsm-retrained" in page


@pytest.mark.slow
def test_cifar_recipe_on_a_few_batches(tmp_path: Path) -> None:
    """The recipe for a GPU, as it stands, on so little data that any machine can carry it out."""
    if not os.environ.get("HAUBERK_DATA"):
        pytest.skip("CIFAR-10 as JPEG is not at hand; set HAUBERK_DATA")
    recipe = recipes.load(EXAMPLES / "cifar10-robust.toml")
    start, robust = recipe.models
    assert start.train is not None
    assert isinstance(robust.harden, TrainingDefense)
    assert robust.harden.name == "trades"
    few = {"epochs": 1, "batch_size": 8}
    models = (
        replace(start, train=replace(start.train, plan=replace(start.train.plan, **few))),
        replace(
            robust, harden=replace(robust.harden, plan=replace(robust.harden.plan, **few), steps=2, held_out=8)
        ),
    )
    recipe = replace(recipe, models=models, train_samples=32, test_samples=8, alone=())
    result = recipes.run(recipe, out=tmp_path / "run")
    birth = result.evidence[1]
    assert birth.kind == "hardening"
    assert birth.parameters["plan"]["weight_perturbation"] == 0.005
    assert birth.parameters["plan"]["augment"] == ["flip", "shift:0.125"]
    assert set(result.evaluations()) == {"start", "robust"}


@pytest.mark.slow
def test_tutorial_runs_top_to_bottom() -> None:
    said = subprocess.run(
        [sys.executable, str(EXAMPLES / "tutorial.py"), "digits"],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert said.returncode == 0, said.stderr
    assert "It looks cured." in said.stdout
    assert "hardened" in said.stdout.splitlines()[-1]
