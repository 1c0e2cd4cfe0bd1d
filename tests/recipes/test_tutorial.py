"""The examples, for real: the MNIST recipe on part of its data, the tutorial on digits."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hauberk import recipes
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
