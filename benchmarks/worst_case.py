"""The worst case beside AutoAttack: robust accuracy found, and the time it took, in one run.

    hauberk run examples/mnist.toml          # makes three of the models
    python benchmarks/worst_case.py          # an hour on two cores, nearly all of it AutoAttack's

Reference: AutoAttack-standard (Croce and Hein, ICML 2020) as its authors wrote it, in the package
pyautoattack: APGD-CE 100 steps, APGD-T and FAB-T 100 steps on each of nine classes, Square 5000 queries. Ours
is what ``hauberk.evaluate(model, images, labels, Linf(eps))`` does when nobody names any attacks. Both see the
same model and samples; both leave out what has fallen; a curve of accuracy against time is kept for both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import README, put

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "pictures" / "worst_case.svg"
EPS = 0.3
SAMPLES = 1000
STEPS = 40  # of the bare loop that is the unit
MODELS = ("undefended", "fgsm-retrained", "pgd-trained", "masked")
ADDED_BY_PEER = ("apgd-ce", "apgd-t", "fab-t", "square")


def make_masked(out: Path) -> None:
    """A model that masks its gradients: trained in a loop that clamps inside of the differentiated path.

    Pixels pushed beyond the valid range have slope 0 there, so the loop's attack is weak and the model learns
    to make it weaker. Its own loop then says 90 % and more.
    """
    import torch
    import torch.nn.functional as F

    import hauberk
    from hauberk.core.progress import SILENT
    from hauberk.defenses.training.climbing import frozen
    from hauberk.models.training import Plain, TrainingPlan, learn

    class Faulty(Plain):
        """PGD-7 on the perturbation, clamped where the gradient passes."""

        def craft(self, model: Any, images: Any, labels: Any, moment: Any) -> Any:
            eps = min(1.0, moment.fraction / 0.3) * EPS + 1e-3
            delta = (moment.streams.uniform(images.shape[1:]) * 2 - 1) * eps
            with frozen(model):
                for _ in range(7):
                    delta = delta.detach().requires_grad_(True)
                    loss = F.cross_entropy(model((images + delta).clamp(0, 1)), labels, reduction="sum")
                    (gradient,) = torch.autograd.grad(loss, delta)
                    delta = (delta + 2 * eps / 7 * gradient.sign()).clamp(-eps, eps)
            return (images + delta.detach()).clamp(0, 1)

    data = hauberk.datasets.load("mnist", split="train")
    learning, held_out = data.split(500)
    plan = TrainingPlan(epochs=5, schedule="one-cycle", learning_rate=2e-3, averaging=0.998)
    model = learn(
        hauberk.create("cnn", data), learning, plan, Faulty(), kind="training", method="faulty loop",
        settings={}, held_out=held_out, seed=0, name="masked", checkpoint=None, progress=SILENT,
    )  # fmt: skip
    hauberk.save(model, out)


def unit_s(model: Any, x: Any, y: Any) -> float:
    """Seconds of a bare loop of as many forward and backward passes, on the model as it was loaded."""
    import torch

    started = time.perf_counter()
    for _ in range(STEPS):
        point = x.clone().requires_grad_(True)
        torch.autograd.grad(torch.nn.functional.cross_entropy(model(point), y, reduction="sum"), point)
    return time.perf_counter() - started


def ours(model: Any, x: Any, y: Any, seed: int) -> dict[str, Any]:
    import hauberk

    started = time.perf_counter()
    found = hauberk.evaluate(model, x, y, hauberk.Linf(EPS), seed=seed)
    total = time.perf_counter() - started
    passed, curve = 0.0, [[0.0, found.clean_accuracy, "clean"]]
    for row in found.attacks:
        passed += row.seconds
        curve.append([round(passed, 3), row.robust_after, row.name])
    return {
        "seconds": round(total, 3),
        "robust_accuracy": found.robust_accuracy,
        "curve": curve,
        "flags": [one.code for one in found.flags],
        "broken": [one.index for one in found.verdicts if one.status != "robust"],
    }


def peer(model: Any, x: Any, y: Any) -> dict[str, Any]:
    import torch
    from pyautoattack import AutoAttack

    attack = AutoAttack(model, norm="Linf", eps=EPS, version="standard", device="cpu", seed=0)
    with torch.no_grad():
        standing = model(x).argmax(1) == y
    passed, curve = 0.0, [[0.0, float(standing.float().mean()), "clean"]]
    for name in ADDED_BY_PEER:
        rows = standing.nonzero().squeeze(1)
        if not len(rows):
            break
        attack.attacks_to_run = [name]
        started = time.perf_counter()
        adversarial, _ = attack.run_standard_evaluation(x[rows], y[rows])
        passed += time.perf_counter() - started
        with torch.no_grad():
            still = model(adversarial).argmax(1) == y[rows]
        change = (adversarial - x[rows]).abs().flatten(1).amax(1)
        valid = (change <= EPS + 1e-5) & (adversarial.flatten(1).amin(1) >= 0)
        standing[rows[~still & valid]] = False
        curve.append([round(passed, 3), float(standing.float().mean()), name])
        print(f"  autoattack {name}: {curve[-1]}", file=sys.stderr)
    return {
        "seconds": round(passed, 3),
        "robust_accuracy": float(standing.float().mean()),
        "curve": curve,
        "broken": (~standing).nonzero().squeeze(1).tolist(),
    }


def compare(package: Path, rounds: int, *, with_peer: bool) -> dict[str, Any]:
    import hauberk

    model = hauberk.load(package)
    test = hauberk.datasets.load("mnist", split="test").head(SAMPLES)
    x, y = test.images, test.labels
    units = [unit_s(model, x, y)]
    mine = [ours(model, x, y, seed) for seed in range(rounds)]
    units.append(unit_s(model, x, y))
    result: dict[str, Any] = {"unit_s": round(statistics.median(units), 3), "hauberk": mine}
    seconds = statistics.median(one["seconds"] for one in mine)
    accuracy = [one["robust_accuracy"] for one in mine]
    result["hauberk_units"] = round(seconds / result["unit_s"], 3)
    print(f"  hauberk {accuracy} in {seconds:.1f} s, {mine[0]['flags']}", file=sys.stderr)
    if with_peer:
        result["autoattack"] = theirs = peer(model, x, y)
        result["autoattack_units"] = round(theirs["seconds"] / result["unit_s"], 3)
        result["times_faster"] = round(theirs["seconds"] / seconds, 1)
        result["difference"] = round(statistics.mean(accuracy) - theirs["robust_accuracy"], 4)
    return result


def render(result: dict[str, Any]) -> str:
    """The record as Markdown, for README.md."""
    lines = [
        "| model | hauberk finds (seeds) | AutoAttack finds | hauberk | AutoAttack | times faster | flags |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, row in result["models"].items():
        found = ", ".join(f"{one['robust_accuracy']:.1%}" for one in row["hauberk"])
        theirs = row["autoattack"]
        seconds = statistics.median(one["seconds"] for one in row["hauberk"])
        flags = ", ".join(row["hauberk"][0]["flags"]) or "–"
        lines.append(
            f"| {name} | {found} | {theirs['robust_accuracy']:.1%} | {seconds:.1f} s "
            f"({row['hauberk_units']:.2f} units) | {theirs['seconds']:.0f} s "
            f"({row['autoattack_units']:.0f} units) | {row['times_faster']:.0f} | {flags} |"
        )
    lines += [
        "",
        f"{SAMPLES} MNIST test images, Linf {EPS}; unit: {STEPS} forward and backward passes over them. "
        f"{', '.join(f'{name} {version}' for name, version in result['versions'].items())}; "
        f"{result['machine']}.",
    ]
    if "ties" in result:
        lines.append(
            f"Cut in pieces and spread over two processes, {result['ties']['differing_verdicts']} of "
            f"{result['ties']['samples']} verdicts differ (pgd-trained)."
        )
    return "\n".join(lines) + "\n"


def draw(result: dict[str, Any], out: Path) -> None:
    """Accuracy left against seconds spent, for both, as steps."""
    from hauberk.reports.charts import LineChart, Series, stacked
    from hauberk.reports.figures import style_sheet

    def steps(curve: list[Any]) -> list[tuple[float, float]]:
        points = [(0.3, curve[0][1])]
        for seconds, left, _ in curve[1:]:
            points += [(max(seconds, 0.3), points[-1][1]), (max(seconds, 0.3), left)]
        return points

    charts = [
        LineChart(
            f"{name}: accuracy left against seconds",
            x_label="seconds",
            y_label="accuracy",
            series=[
                Series("hauberk", 0, steps(row["hauberk"][0]["curve"])),
                Series("AutoAttack", 1, steps(row["autoattack"]["curve"])),
            ],
            y_top=1.0,
            y_text=lambda share: f"{share:.0%}",
            log_x=0.3,
        )
        for name, row in result["models"].items()
    ]
    css = style_sheet("colours.css", "chart.css")
    out.write_text(stacked(charts, css, height=260), "utf-8")


def ties(package: Path) -> dict[str, int]:
    """Verdicts that differ when the same work is cut in pieces and spread over two processes."""
    import hauberk
    from hauberk.compute import Processes

    model = hauberk.load(package)
    test = hauberk.datasets.load("mnist", split="test").head(SAMPLES)
    whole, spread = (
        hauberk.evaluate(model, test.images, test.labels, hauberk.Linf(EPS), seed=0, workers=workers)
        for workers in (None, Processes(2))
    )
    differing = [
        one.index
        for one, other in zip(whole.verdicts, spread.verdicts, strict=True)
        if one.status != other.status
    ]
    return {"samples": SAMPLES, "differing_verdicts": len(differing)}


def finish(result: dict[str, Any]) -> None:
    """Everything that is made from the record."""
    text = render(result)
    put(README, "worst case", text)
    draw(result, PICTURE)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("runs/mnist"))
    parser.add_argument("--only", action="append", choices=MODELS, help="repeatable; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="seeds for ours")
    parser.add_argument("--without-peer", action="store_true", help="ours alone; writes nothing")
    parser.add_argument("--make-masked", action="store_true", help="train the masked model and stop")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "worst_case.json")
    parser.add_argument("--ties", action="store_true", help="count verdicts that depend on who works, and stop")
    parser.add_argument("--draw", action="store_true", help="draw the picture of the last run again, and stop")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if not (options.models / "masked" / "model.json").exists():
        print("training the masked model", file=sys.stderr)
        make_masked(options.models / "masked")
    if options.make_masked:
        return
    if options.ties or options.draw:
        result = json.loads(options.out.read_text("utf-8"))
        if options.ties:
            result["ties"] = ties(options.models / "pgd-trained")
            options.out.write_text(json.dumps(result, indent=1) + "\n")
        finish(result)
        return
    chosen = options.only or MODELS
    for name in chosen:
        if not (options.models / name / "model.json").exists():
            sys.exit(f"no model at {options.models / name}: hauberk run examples/mnist.toml makes it")
    versions = {name: metadata.version(name) for name in ("hauberk", "torch")}
    if not options.without_peer:
        versions["pyautoattack"] = metadata.version("pyautoattack")
    result: dict[str, Any] = {
        "question": __doc__.strip().splitlines()[0],
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": versions,
        "models": {},
    }
    for name in chosen:
        print(name, file=sys.stderr)
        result["models"][name] = compare(
            options.models / name, options.rounds, with_peer=not options.without_peer
        )
        if not options.without_peer:  # an hour's work: keep what is done
            options.out.write_text(json.dumps(result, indent=1) + "\n")
    if not options.without_peer:
        finish(result)


if __name__ == "__main__":
    main()
