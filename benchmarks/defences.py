"""What is each defence worth? All of them on MNIST with the tutorial's network, measured in one way.

    python benchmarks/defences.py                # some two hours on one core; picks up where it was stopped
    python benchmarks/defences.py --part 1/2     # and 2/2 beside it: each takes every second row, one core each
    python benchmarks/defences.py --only jpeg    # repeatable
    python benchmarks/defences.py --draw         # table and picture again from the records

Training is given ``BUDGET`` passes of an image through the network and back at most, whatever a method spends
them on. Seconds are processor seconds on one core, so that two parts may run side by side. Records are kept one
by one beside the models in ``runs/defences``, and all together in ``results/defences.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put

HERE = Path(__file__).parent
FOLDER = Path("runs/defences")
PAGE = HERE.parent / "docs" / "scorecard.md"
PICTURE = HERE.parent / "docs" / "pictures" / "scorecard.svg"
EPS = 0.3
TRAIN = 12_000
TEST = 400
CORRUPTED = 200
BUDGET = 600_000
BATCH = 128


@dataclass(frozen=True)
class Row:
    """One defence.

    Args:
        group: heading in the table.
        method: as ``hauberk harden`` knows it; None for the undefended network.
        passes: what one image costs in one epoch, in passes through the network and back.
        most: epochs at most; methods that have learnt all they can gain nothing from more.
        base: the row whose model is hardened.
        certify: how certificates are asked for, if they are.
    """

    group: str
    label: str
    method: str | None
    passes: float = 0.0
    most: int = 10
    settings: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    base: str = "undefended"
    certify: str | None = None

    @property
    def epochs(self) -> int:
        return max(1, min(self.most, int(BUDGET / (self.passes * TRAIN)))) if self.passes else 0


ADVERSARIAL, REGULAR, SEVERAL = "Learning from attacks", "Regularisation and augmentation", "Several models"
CERTIFIED, BEFORE, DETECT = "With certificates", "Before the network", "Detectors"
MANY = 60
_PLAIN = {"inner": "plain"}
_NOISE = {"sigma": 0.5}  # radii beyond 1 can be certified

ROWS: dict[str, Row] = {
    "undefended": Row("", "undefended", None, 1, 10),
    # learning from attacks
    "fgsm-augment": Row(ADVERSARIAL, "FGSM samples, made once (the tutorials)", "fgsm-augment", 2),
    "advgan-augment": Row(ADVERSARIAL, "AdvGAN samples, made once", "advgan-augment", 2),
    "fgsm-mix": Row(ADVERSARIAL, "clean + FGSM in each batch", "fgsm-mix", 3, 20),
    "fgsm-rs": Row(ADVERSARIAL, "FGSM with random start, guarded", "fgsm-rs", 4, MANY),
    "free": Row(ADVERSARIAL, "Free", "free", 8, MANY),
    "pgd": Row(ADVERSARIAL, "PGD adversarial training", "pgd", 6, MANY, {"steps": 5}),
    "trades": Row(ADVERSARIAL, "TRADES", "trades", 7, MANY, {"steps": 5}),
    "mart": Row(ADVERSARIAL, "MART", "mart", 7, MANY, {"steps": 5}),
    "pgd-awp": Row(
        ADVERSARIAL, "PGD + AWP", "pgd", 7, MANY, {"steps": 5}, {"weight_perturbation": 0.005}
    ),
    "distill-robust": Row(
        ADVERSARIAL, "robust distillation, half the network", "distill-robust", 6, MANY,
        {"steps": 5, "args": {"channels": [16, 32]}}, base="pgd",
    ),
    # regularisation and augmentation
    "weight-decay": Row(REGULAR, "weight decay", "weight-decay", 1),
    "label-smoothing": Row(REGULAR, "label smoothing", "label-smoothing", 1),
    "gradient-penalty": Row(REGULAR, "input-gradient penalty", "gradient-penalty", 3),
    "jacobian-penalty": Row(REGULAR, "Jacobian penalty", "jacobian-penalty", 3),
    "spectral-norm": Row(REGULAR, "spectral norm", "spectral-norm", 1),
    "augment": Row(REGULAR, "augmentation (shift, rotation, noise, cutout)", "augment", 1),
    "mixup": Row(REGULAR, "mixup", "augment", 1, plan={"augment": ["mixup"]}),
    "cutmix": Row(REGULAR, "CutMix", "augment", 1, plan={"augment": ["cutmix"]}),
    "augmix": Row(REGULAR, "AugMix", "augment", 1, plan={"augment": ["augmix"]}),
    "distill": Row(REGULAR, "defensive distillation", "distill", 2),
    # before the network
    "bit-depth": Row(BEFORE, "bit depth (1 bit)", "bit-depth", settings={"bits": 1}),
    "thermometer": Row(BEFORE, "thermometer", "thermometer", 1),
    "quantise": Row(BEFORE, "quantised (2 levels, learnt)", "quantise", settings={"levels": 2}),
    "jpeg": Row(BEFORE, "JPEG", "jpeg"),
    "median": Row(BEFORE, "median", "median"),
    "gaussian-blur": Row(BEFORE, "Gaussian blur", "gaussian-blur"),
    "total-variation": Row(BEFORE, "total variation", "total-variation"),
    "resize-pad": Row(BEFORE, "random resize and pad", "resize-pad"),
    "pca": Row(BEFORE, "PCA projection", "pca"),
    "autoencoder": Row(BEFORE, "autoencoder", "autoencoder"),
    "feature-selection": Row(BEFORE, "feature selection", "feature-selection"),
    "feature-fusion": Row(BEFORE, "feature fusion", "feature-fusion"),
    # detectors
    "confidence": Row(DETECT, "low confidence refused", "confidence"),
    "feature-squeezing": Row(DETECT, "feature squeezing", "feature-squeezing"),
    "mahalanobis": Row(DETECT, "Mahalanobis distance", "mahalanobis"),
    "nearest-neighbours": Row(DETECT, "nearest neighbours", "nearest-neighbours"),
    # several models
    "ensemble": Row(SEVERAL, "three undefended, averaged", "ensemble", 3, 5, _PLAIN),
    "voting": Row(SEVERAL, "three undefended, voting", "ensemble", 3, 5, _PLAIN | {"combine": "voting"}),
    "ensemble-pgd": Row(SEVERAL, "three PGD-trained, averaged", "ensemble", 18, MANY, {"held_out": 200}),
    "snapshot": Row(SEVERAL, "snapshots of one run, undefended", "snapshot", 1, 15, _PLAIN),
    "adp": Row(SEVERAL, "diversity-trained (ADP)", "adp", 3, 10),
    "fusion-average": Row(SEVERAL, "M1 (undefended) and M2 (PGD-trained), averaged", None, base="fusion"),
    "fusion": Row(
        SEVERAL, "M1 + M2 fusion", "fusion", settings={"partner": str(FOLDER / "pgd"), "gate_epochs": 6}
    ),
    # with certificates
    "ibp": Row(CERTIFIED, "IBP", "ibp", 3, 40, {"kappa": 0.2}, certify="auto"),
    "mtl-ibp": Row(CERTIFIED, "MTL-IBP", "mtl-ibp", 9, MANY, {"steps": 5, "bounds": 0.2}, certify="auto"),
    "crown-ibp": Row(CERTIFIED, "CROWN-IBP", "crown-ibp", 6, 40, certify="auto"),
    "smoothing": Row(
        CERTIFIED, "randomised smoothing (L2), 8 copies an answer", "smoothing",
        settings={**_NOISE, "samples": 8}, base="gaussian", certify="smoothing",
    ),
    "gaussian": Row(REGULAR, "Gaussian noise in training", "gaussian", 1, 20, _NOISE),
}  # fmt: skip


def make(key: str, row: Row) -> tuple[Any, float]:
    """The model of a row, and the processor seconds its training took; kept in ``FOLDER``."""
    import hauberk

    package, record = FOLDER / key, FOLDER / f"{key}.json"
    if (package / "model.json").exists() and record.exists():
        return hauberk.load(package), json.loads(record.read_text())["train_s"]
    data = hauberk.datasets.load("mnist").head(TRAIN)
    base = None if row.method is None else model_of(row.base)
    started = time.process_time()
    if key == "fusion-average":
        from hauberk.models.several import apart

        made = apart(model_of("fusion"))["average"]
    elif base is None:
        from hauberk.models.training import TrainingPlan

        plan = TrainingPlan(epochs=row.epochs, batch_size=BATCH)
        made = hauberk.train(hauberk.create("cnn", data, seed=0), data, plan, seed=0, name=key)
    else:
        plan = {**({"epochs": row.epochs} if row.epochs else {}), **row.plan}
        defence = hauberk.defenses.make(row.method, plan=plan, **row.settings)
        made = defence.fit(base, data, hauberk.Linf(EPS), seed=0, name=key)
    seconds = time.process_time() - started
    hauberk.save(made, package, overwrite=True)
    return made, round(seconds, 1)


def model_of(key: str) -> Any:
    """A model that another row needs."""
    import hauberk

    if not (FOLDER / key / "model.json").exists():
        _made, seconds = make(key, ROWS[key])
        keep(key, {"train_s": seconds})
    return hauberk.load(FOLDER / key)


def measure(model: Any, row: Row, undefended: Any) -> dict[str, Any]:
    """All columns but the training's cost."""
    import hauberk
    from hauberk.attacks import FGSM, PGD
    from hauberk.core.errors import UnsupportedModel
    from hauberk.evaluation import attack_report, evaluate
    from hauberk.evaluation.corruptions import corruption_report
    from hauberk.models.checks import probe

    test = hauberk.datasets.load("mnist", split="test").head(TEST)
    threat = hauberk.ThreatModel(hauberk.Linf(EPS))
    eot = 8 if probe(model, test.images).randomized else 1
    found: dict[str, Any] = {}
    for column, attack in (("fgsm", FGSM(eot=eot)), ("pgd", PGD(steps=40, eot=eot))):
        try:
            report = attack_report(model, test, threat, attack, seed=0)
            found[column] = report.evidence.result["accuracy"]
        except UnsupportedModel:  # no gradient at all: nothing falls to such an attack
            found[column] = None
    started = time.process_time()
    full = evaluate(model, test.images, test.labels, threat, sources=[undefended], seed=0)
    found |= {
        "clean": full.clean_accuracy,
        "adaptive": full.robust_accuracy,
        "adaptive_interval": list(full.robust_interval),
        "worst": naive_worst(model, test, threat, full),
        "flags": sorted({one.code for one in full.flags}),
        "by": sorted({one.by for one in full.verdicts if one.by}),
        "evaluate_s": round(time.process_time() - started, 1),
    }
    corrupted = corruption_report(model, test.head(CORRUPTED), spatial=None, seed=0)
    rows = corrupted.result["corruptions"]
    found["corruptions"] = round(statistics.mean(one["accuracy"] for one in rows), 4)
    found["prediction_cost"] = cost(model, undefended, test.images[:BATCH])
    if row.certify is not None:
        found["certified"] = certified(model, test, row.certify)
    return found


def naive_worst(model: Any, test: Any, threat: Any, full: Any) -> float:
    """The cascade as for any model, without looking at what the model says of itself."""
    import hauberk
    from hauberk.core.errors import UnsupportedModel
    from hauberk.evaluation import evaluate, standard_cascade
    from hauberk.models.checks import probe

    hides = any(getattr(one, "gradient", "exact") == "blocked" for one in model.defences)
    if not hides and not model.rejects and not hasattr(model.module, "members"):
        return full.robust_accuracy
    stages = standard_cascade(model, threat, randomized=probe(model, test.images).randomized)
    try:
        return evaluate(model, test.images, test.labels, threat, attacks=stages, seed=0).robust_accuracy
    except UnsupportedModel:  # without any gradient he is left with questions
        asking = hauberk.ThreatModel(threat.geometry, knowledge="scores", queries=1000)
        return evaluate(model, test.images, test.labels, asking, seed=0).robust_accuracy


def certified(model: Any, test: Any, method: str) -> dict[str, Any]:
    import hauberk
    from hauberk.evaluation.certify import certify

    if method == "smoothing":
        found = certify(model, test.head(200), hauberk.L2(1.0), method=method, seed=0)
    else:
        found = certify(model, test, hauberk.Linf(EPS), method=method, seed=0)
    return {
        "method": method,
        **{key: value for key, value in found.evidence.result.items() if "accuracy" in key or "curve" in key},
    }


def cost(model: Any, undefended: Any, images: Any) -> float:
    """Seconds for a batch, in those of the undefended network, turn by turn."""
    import torch

    def seconds(one: Any) -> float:
        started = time.process_time()
        with torch.no_grad():
            one(images)
        return time.process_time() - started

    seconds(model), seconds(undefended)
    return round(statistics.median(seconds(model) / seconds(undefended) for _ in range(9)), 2)


def keep(key: str, record: dict[str, Any]) -> None:
    path = FOLDER / f"{key}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    FOLDER.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**before, **record}, indent=1) + "\n")


def run(key: str) -> None:
    row = ROWS[key]
    print(f"{key}: {row.method}, {row.epochs} epochs", file=sys.stderr, flush=True)
    model, seconds = make(key, row)
    keep(key, {"train_s": seconds, "epochs": row.epochs})
    keep(key, measure(model, row, model_of("undefended")))
    print(f"  {(FOLDER / f'{key}.json').read_text()}", file=sys.stderr, flush=True)


def collected() -> dict[str, Any]:
    """All records there are, in the order of the table."""
    rows = {}
    for key in ROWS:
        path = FOLDER / f"{key}.json"
        record = json.loads(path.read_text()) if path.exists() else {}
        if "adaptive" in record:
            rows[key] = record
    return {
        "question": __doc__.strip().splitlines()[0],
        "machine": f"{platform.machine()}, one core",
        "versions": {name: metadata.version(name) for name in ("hauberk", "torch")},
        "eps": EPS,
        "training_images": TRAIN,
        "test_images": TEST,
        "budget_passes": BUDGET,
        "rows": rows,
    }


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def certificate(row: dict[str, Any]) -> str:
    """The certified column: at the threat's radius, or at L2 radii for smoothing."""
    found = row.get("certified")
    if not found:
        return "–"
    if "curve" in found:
        radii = {one["eps"]: one["certified_accuracy"] for one in found["curve"]}
        return "; ".join(f"L2 {radius:g}: {radii[radius]:.1%}" for radius in (0.5, 1.0) if radius in radii)
    return share(found["certified_accuracy"])


def render(result: dict[str, Any]) -> str:
    """The record as Markdown, group by group."""
    columns = (
        "clean",
        "FGSM",
        "PGD",
        "worst case",
        "adaptive worst case",
        "certified",
        "corruptions",
        "training",
    )
    head = [f"| defence | {' | '.join(columns)} | cost |", "| --- |" + " ---: |" * 9]
    lines: list[str] = []
    groups = list(dict.fromkeys(ROWS[key].group for key in result["rows"]))
    for group in groups:
        lines += [*([f"### {group}", ""] if group else []), *head]
        for key, row in result["rows"].items():
            if ROWS[key].group != group:
                continue
            low, high = row["adaptive_interval"]
            cells = (
                f"{ROWS[key].label} (`{ROWS[key].method}`)" if ROWS[key].method else ROWS[key].label,
                share(row["clean"]),
                share(row["fgsm"]),
                share(row["pgd"]),
                share(row["worst"]),
                f"**{share(row['adaptive'])}** [{100 * low:.0f}, {100 * high:.0f}]",
                certificate(row),
                share(row["corruptions"]),
                f"{row['train_s']:.0f} s" if row["train_s"] >= 0.5 else "–",
                f"{row['prediction_cost']:.1f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lacking = [f"`{key}`" for key in ROWS if key not in result["rows"]]
    if lacking:
        lines += [f"Not measured yet: {', '.join(lacking)}.", ""]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines += [
        f"{result['test_images']} MNIST test images, Linf {result['eps']}; {result['training_images']:,} "
        f"images to learn from, {result['budget_passes']:,} passes through the network and back.",
        "Training in processor seconds on one core; cost of a prediction in those of the undefended network; "
        f"corruptions: mean over 15 at 5 severities, {CORRUPTED} images. {versions}; {result['machine']}.",
    ]
    return "\n".join(lines) + "\n"


_LEFT, _RIGHT, _LINE, _TOP = 350, 40, 22, 86


def draw(result: dict[str, Any], out: Path) -> None:
    """For each defence what PGD alone finds, and what is left when the attacker knows the defence."""
    from html import escape

    from hauberk.reports.figures import style_sheet

    rows = sorted(result["rows"].items(), key=lambda one: -one[1]["adaptive"])
    width, height = 910, _TOP + _LINE * len(rows) + 30
    bottom = _TOP + _LINE * len(rows)

    def x(value: float) -> float:
        return _LEFT + value * (width - _LEFT - _RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">',
        f"<style>{escape(style_sheet('colours.css', 'chart.css'), quote=False)}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        f'<text class="heading" x="12" y="26">What each defence is worth: MNIST, Linf {result["eps"]}</text>',
        '<g class="chart">',
    ]
    legend = (
        ("ring s1", "without attack"),
        ("dot s4", "PGD, 40 steps"),
        ("dot s0", "attacker who knows the defence"),
    )
    place = 12.0
    for kind, text in legend:
        parts.append(f'<circle class="{kind}" cx="{place + 6:.0f}" cy="50" r="5"/>')
        parts.append(f'<text x="{place + 18:.0f}" y="54">{text}</text>')
        place += 40 + 7.4 * len(text)
    for step in range(6):
        at = x(step / 5)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 12}" y2="{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{at:.1f}" y="{bottom + 18}">{step * 20} %</text>')
    for number, (key, row) in enumerate(rows):
        y = _TOP + _LINE * number
        seems = row["pgd"] if row["pgd"] is not None else row["clean"]
        parts.append(f'<text class="end" x="{_LEFT - 14}" y="{y + 4}">{escape(ROWS[key].label)}</text>')
        parts.append(
            f'<line class="base" x1="{x(row["adaptive"]):.1f}" x2="{x(row["clean"]):.1f}" y1="{y}" y2="{y}"/>'
        )
        for kind, value in (("ring s1", row["clean"]), ("dot s4", seems), ("dot s0", row["adaptive"])):
            parts.append(f'<circle class="{kind}" cx="{x(value):.1f}" cy="{y}" r="5"/>')
    out.write_text("\n".join([*parts, "</g>", "</svg>"]) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, help="repeatable; default: all")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th row, from the I-th")
    parser.add_argument("--again", action="store_true", help="measure anew what has a record")
    parser.add_argument("--draw", action="store_true", help="table and picture from the records, and stop")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if not options.draw:
        import torch

        torch.set_num_threads(1)
        part, parts = map(int, options.part.split("/"))
        for key in (options.only or list(ROWS))[part - 1 :: parts]:
            path = FOLDER / f"{key}.json"
            if options.again or not path.exists() or "adaptive" not in json.loads(path.read_text()):
                run(key)
    result = collected()
    (HERE / "results" / "defences.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result, PICTURE)
    put(PAGE, "scorecard", render(result))
    print(render(result))


if __name__ == "__main__":
    main()
