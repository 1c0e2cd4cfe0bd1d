"""Recipes are checked to the last key; runs resume where they stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hauberk import load, recipes, save
from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.core.evidence import load_folder
from hauberk.core.progress import SILENT
from hauberk.models import Classifier, read
from hauberk.recipes import RunResult
from hauberk.threats import L0, Geometry, Linf, ThreatModel

pytestmark = pytest.mark.xdist_group("recipe")  # one whole run, at which most of them look

MISTAKES = [
    ("[threat]\n", "[threat]\nnrom = 1\n", "unknown key 'nrom' in .*, \\[threat\\]; did you mean 'norm'"),
    ("title =", "titel =", "did you mean 'title'"),
    ("epochs = 4,", "epoch = 4,", "did you mean 'epochs'"),
    ("steps = 2,", "stps = 2,", "did you mean 'steps'"),
    ('method = "pgd"', 'method = "pdg"', "did you mean 'pgd'"),
    ('arch = "cnn"', 'arch = "cn"', "did you mean 'cnn'"),
    ('name = "digits"', 'name = "digit"', "did you mean 'digits'"),
    ('from = "undefended"', 'from = "undefnded"', "did you mean 'undefended'"),
    ('attack = "fgsm"', 'attack = "fgms"', "did you mean 'fgsm'"),
    ('norm = "linf"', 'norm = "lnf"', "did you mean 'linf'"),
    ("eps = 0.15", "eps = -1", "eps must be greater than 0"),
    ("eps = 0.15", "eps = 'x'", "'eps' has the wrong type"),
    ("eps = 0.15", "", "lacks 'eps'"),
    ("epochs = 4,", "epochs = 0,", "epochs must be"),
    ('lang = ["en", "zh"]', 'lang = ["en", "de"]', "unknown language 'de'"),
    ('name = "hardened"', 'name = "undefended"', "is taken"),
    ('name = "hardened"', 'name = "../up"', "may hold letters"),
    ("seed = 3", "seed = 3 3", "not valid TOML"),
    ('name = "hardened"', 'name = "run.json"', "is taken"),
    ('name = "hardened"', 'name = "report.html"', "is taken"),
    ("curve = [0.1, 0.2]", 'curve = "yes"', "'curve' is true, false or a list"),
    ("curve = [0.1, 0.2]", "curve = []", "'curve' is true, false or a list"),
    ("curve = [0.1, 0.2]", "curve = [0.1, -0.2]", "eps must be greater than 0"),
    ("curve = [0.1, 0.2]", 'curve = ["x"]', "eps must be a finite number"),
    ("curve_samples = 40", "curve_samples = 0", "'curve_samples' must be at least 1"),
    ('alone = [{ attack = "fgsm" }]', "alone = 3", "'alone' is a list"),
    ('lang = ["en", "zh"]', "lang = []", "lists each language once"),
    ('lang = ["en", "zh"]', 'lang = ["en", "en"]', "lists each language once"),
    ('train = { arch = "cnn",', 'train = "cnn" #', "must be a table"),
    ("harden = {", "harden = 3 # {", "must be a table"),
    ('arch = "cnn",', 'arch = "cnn", args = 3,', "must be a table"),
    ("steps = 2,", "steps = 2, fresh = 'no',", "fresh is true or false"),
    ('from = "undefended"\n', "", "lacks 'from'"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), MISTAKES)
def test_mistakes_are_refused(right: str, wrong: str, message: str, small_recipe: Path) -> None:
    text = small_recipe.read_text()
    assert right in text
    small_recipe.write_text(text.replace(right, wrong, 1))
    with pytest.raises(ConfigError, match=message):
        recipes.load(small_recipe)


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recipe at"):
        recipes.load(tmp_path / "none.toml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    from tests_small import SMALL

    folder = tmp_path_factory.mktemp("run")
    (folder / "small.toml").write_text(SMALL)
    return recipes.run(recipes.load(folder / "small.toml"), out=folder / "out")


def test_a_run_leaves_everything(finished: RunResult) -> None:
    names = {str(path.relative_to(finished.folder)) for path in finished.folder.rglob("*") if path.is_file()}
    for expected in (
        "undefended/model.json",
        "hardened/weights.safetensors",
        "evidence/evaluation-hardened.json",
        "evidence/training-undefended.json",
        "evidence/hardening-hardened.json",
        "evidence/curve-undefended.json",
        "report.html",
        "report.zh.html",
        "report.json",
        "pictures/story.png",
    ):
        assert expected in names
    assert not (finished.folder / ".checkpoints").exists()


def test_evidence_is_a_chain(finished: RunResult) -> None:
    by_digest = {one.digest: one for one in load_folder(finished.folder / "evidence")}
    evaluation = finished.evaluations()["hardened"]
    (parent,) = evaluation.parents
    assert by_digest[parent].kind == "hardening"
    (grandparent,) = by_digest[parent].parents
    assert by_digest[grandparent].kind == "training"
    assert evaluation.subject["digest"] == load(finished.packages["hardened"]).digest


def test_a_second_run_does_nothing_again(finished: RunResult, tmp_path: Path) -> None:
    import shutil

    from tests_small import SMALL

    again = tmp_path / "again"
    shutil.copytree(finished.folder, again)
    (tmp_path / "small.toml").write_text(SMALL)
    recipe = recipes.load(tmp_path / "small.toml")
    second = recipes.run(recipe, out=again)
    assert second.skipped == 6
    assert [one.digest for one in second.evidence] == [one.digest for one in finished.evidence]

    # a damaged package is made again, and comes out the same
    weights = again / "hardened" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    third = recipes.run(recipe, out=again)
    assert third.skipped == 3  # and so are its evaluation and curve, which name its birth
    assert read(again / "hardened").model_digest == read(finished.folder / "hardened").model_digest
    known = {one.digest for one in third.evidence}
    assert all(parent in known for one in third.evidence for parent in one.parents)


def test_a_foreign_folder_is_left_alone(small_recipe: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not empty"):
        recipes.run(recipes.load(small_recipe), out=mine)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def start(recipe: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hauberk", "run", str(recipe), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # a shell that runs the tests in the background lets them ignore Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(found: object, limit_s: float = 90.0) -> None:
    deadline = time.monotonic() + limit_s
    while not found():  # type: ignore[operator]
        assert time.monotonic() < deadline, "the run did not get there in time"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGKILL, id="kill -9", marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_ends_as_an_unbroken_one(
    how: signal.Signals, finished: RunResult, small_recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    running = start(small_recipe, out)
    # in the middle of hardening: an epoch is on disk, the package is not
    wait_for(lambda: list((out / ".checkpoints").glob("model-hardened-*.safetensors")))
    running.send_signal(how)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == (-how if how == signal.SIGKILL else 130)
    if how == signal.SIGINT:
        assert "error: stopped" in errors
        assert "Traceback" not in errors
    assert not (out / "hardened").exists()
    assert (out / "undefended" / "model.json").exists()

    resumed = start(small_recipe, out)
    output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert "finished stages of an earlier run were kept" in errors
    assert "hardened" in output
    assert read(out / "hardened").model_digest == read(finished.folder / "hardened").model_digest


def test_quickstart_recipe_is_valid() -> None:
    recipe = recipes.quickstart()
    assert [spec.name for spec in recipe.models] == ["undefended", "hardened"]


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.toml")), ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    recipes.load(path)


def test_unknown_name_is_a_config_error() -> None:
    assert issubclass(UnknownName, ConfigError)


class Interrupting:
    """Ctrl-C at the start of the second epoch."""

    def begin(self, title: str, total: int) -> None: ...

    def advance(self, ticks: int = 1, note: str = "") -> None:
        if note.startswith("epoch 2/"):
            raise KeyboardInterrupt

    def end(self) -> None: ...


def test_a_run_stopped_in_its_first_stage_goes_on(
    finished: RunResult, small_recipe: Path, tmp_path: Path
) -> None:
    recipe = recipes.load(small_recipe)
    with pytest.raises(KeyboardInterrupt):
        recipes.run(recipe, out=tmp_path / "out", progress=Interrupting())
    assert list((tmp_path / "out" / ".checkpoints").iterdir())
    recipes.run(replace(recipe, models=recipe.models[:1], curve=False), out=tmp_path / "out")
    assert read(tmp_path / "out" / "undefended").model_digest == (
        read(finished.folder / "undefended").model_digest
    )


@pytest.mark.parametrize(
    ("threat", "expected"),
    [
        (Linf(0.9), [0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0]),
        (L0(3), [0.0, 1.0, 2.0, 3.0, 4.0]),
    ],
    ids=["linf", "l0"],
)
def test_radii_of_a_curve_all_mean_something(
    threat: Geometry, expected: list[float], plain: Classifier, small_recipe: Path
) -> None:
    from hauberk.recipes.run import _radii

    recipe = replace(recipes.load(small_recipe), threat=ThreatModel(threat), curve=True)
    radii = _radii(recipe, plain)
    assert radii == pytest.approx(expected)
    for eps in radii[1:]:
        recipe.threat.with_eps(eps).check_fits(plain.bounds, plain.input_shape)


@pytest.mark.parametrize(("right", "wrong"), [("eps = 0.15", "eps = 8"), ("[0.1, 0.2]", "[0.1, 2]")])
def test_radii_beyond_the_range_are_refused_before_any_training(
    right: str, wrong: str, small_recipe: Path, tmp_path: Path
) -> None:
    small_recipe.write_text(small_recipe.read_text().replace(right, wrong))
    with pytest.raises(ConfigError, match="larger than the valid range"):
        recipes.run(recipes.load(small_recipe), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_state_that_is_none_is_refused(small_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for stages in ("[]", "3", '{"a": 3}', '{"a": {"key": 1}}'):
        (out / "run.json").write_text(f'{{"schema": "hauberk-run/1", "stages": {stages}}}')
        with pytest.raises(ConfigError, match="not the state of a run"):
            recipes.run(recipes.load(small_recipe), out=out)
    with pytest.raises(ConfigError, match="is a file"):
        recipes.run(recipes.load(small_recipe), out=small_recipe)


def worker(text: str, folder: Path) -> Any:
    """What carries out a recipe, stage by stage."""
    from hauberk.recipes.run import _Worker

    made = recipes.parse(tomllib.loads(text), where="a test")
    return _Worker(made, folder, "cpu", SILENT)


def built(text: str, folder: Path) -> Any:
    """All models of a recipe, made or found; nothing is measured."""
    one = worker(text, folder)
    for spec in one.recipe.models:
        one.build(spec)
    return one


def recipe_with(harden: str, eps: float = 0.15) -> str:
    from tests_small import SMALL

    before, after = SMALL.split("harden = {")[0], SMALL.split("held_out = 50 }")[1]
    return f"{before}harden = {{ {harden} }}{after}".replace("eps = 0.15", f"eps = {eps}").replace(
        "epochs = 4,", "epochs = 1,"
    )


def test_another_partner_makes_the_fusion_again(
    plain: Classifier, hardened: Classifier, tmp_path: Path
) -> None:
    partner, out = tmp_path / "partner", tmp_path / "out"
    save(hardened, partner)
    text = recipe_with(f"method = 'fusion', partner = '{partner}', gate_epochs = 1, steps = 1, held_out = 0")
    first = built(text, out)
    (record,) = (one for one in first.collected() if one.kind == "hardening")
    assert record.inputs["partner"]["digest"] == hardened.digest
    assert hardened.evidence[-1].digest in record.parents
    again = built(text, out)
    assert again.skipped == 2
    save(plain, partner, overwrite=True)
    other = built(text, out)
    assert other.skipped == 1
    (record,) = (one for one in other.collected() if one.kind == "hardening")
    assert record.inputs["partner"]["digest"] == plain.digest


@pytest.mark.parametrize(
    "harden",
    [
        "method = 'ensemble', inner = 'plain', members = 2, epochs = 1, held_out = 0",
        "method = 'distill', epochs = 1",
        "method = 'jpeg'",
    ],
)
def test_what_does_not_look_at_the_threat_stays_when_it_changes(harden: str, tmp_path: Path) -> None:
    """Records of members and teachers lie between the model's and its parent's, and are no sign of damage."""
    made = built(recipe_with(harden), tmp_path / "out")
    assert made.skipped == 0
    assert "threat" not in made.models["hardened"].evidence[-1].parameters
    assert built(recipe_with(harden, eps=0.1), tmp_path / "out").skipped == 2
