"""How far do defences go on MNIST with two cores and a quarter of an hour? The worst case, and certificates.

    hauberk run examples/mnist-robust.toml     # makes runs/mnist-robust/robust
    hauberk train --data mnist --arch cnn --set "args={contrast=4.0,hidden=256}" --epochs 1 --out runs/mnist-proven/start
    hauberk harden runs/mnist-proven/start --data mnist --method ibp --eps 0.3 --epochs 16 --out runs/mnist-proven/proven
    python benchmarks/robust_models.py         # half an hour on one core

The whole test set is measured, and its first thousand images apart, which others quote and which are harder than
most; the worst case of the proven model on those alone. Training seconds are those that its evidence tells.
"""  # noqa: E501 (commands stand on one line)

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "defences.md"
EPS = 0.3
MODELS = {"robust": "PGD adversarial training", "proven": "IBP"}
FIRST = 1000


def measure(package: Path, *, worst_on_all: bool) -> dict[str, Any]:
    import hauberk
    from hauberk.evaluation import wilson
    from hauberk.evaluation.certify import certify

    model = hauberk.load(package)
    test = hauberk.datasets.load("mnist", split="test")
    birth = model.evidence[-1]
    found: dict[str, Any] = {
        "method": birth.parameters["method"],
        "architecture": model.architecture,
        "training_s": birth.duration_s,
        "epochs": len(birth.result["history"]),
    }
    attacked = test.head(None if worst_on_all else FIRST)
    whole = hauberk.evaluate(model, attacked.images, attacked.labels, hauberk.Linf(EPS), seed=0)
    stands = [one.status == "robust" for one in whole.verdicts]
    proof = certify(model, test, hauberk.Linf(EPS), method="ibp")
    held = [one.certified for one in proof.certificates]
    right = [one.prediction == one.label for one in proof.certificates]
    for key, count in (("all", len(test)), ("first", FIRST)):
        row = found[key] = {"samples": count, "clean": sum(right[:count]) / count}
        for kind, each in (("worst", stands), ("certified", held)):
            if len(each) >= count:
                row[kind] = sum(each[:count]) / count
                row[f"{kind}_interval"] = list(wilson(sum(each[:count]), count))
    found["flags"] = sorted({one.code for one in whole.flags})
    return found


def render(result: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "| model | images | clean | worst case | certified |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, row in result["models"].items():
        for key in ("all", "first"):
            one = row[key]
            worst, proven = (
                f"{one[kind]:.1%} [{one[f'{kind}_interval'][0]:.1%}, {one[f'{kind}_interval'][1]:.1%}]"
                if kind in one
                else "–"
                for kind in ("worst", "certified")
            )
            which = f"all {one['samples']:,}" if key == "all" else f"the first {one['samples']:,}"
            lines.append(f"| {MODELS[name]} | {which} | {one['clean']:.1%} | {worst} | {proven} |")
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return "\n".join([*lines, "", f"Linf {EPS}. {versions}; {result['machine']}."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robust", type=Path, default=Path("runs/mnist-robust/robust"))
    parser.add_argument("--proven", type=Path, default=Path("runs/mnist-proven/proven"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result: dict[str, Any] = {
        "question": __doc__.strip().splitlines()[0],
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "versions": {name: metadata.version(name) for name in ("hauberk", "torch")},
        "eps": EPS,
        "models": {},
    }
    for name in MODELS:
        print(name, file=sys.stderr)
        result["models"][name] = measure(getattr(options, name), worst_on_all=name == "robust")
    (HERE / "results" / "robust_models.json").write_text(json.dumps(result, indent=1) + "\n")
    text = render(result)
    put(PAGE, "robust models", text)
    print(text)


if __name__ == "__main__":
    main()
