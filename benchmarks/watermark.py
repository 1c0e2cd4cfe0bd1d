"""What does each mark survive? Marked models are tuned, cut, rounded, imitated, overwritten and obfuscated.

    python benchmarks/watermark.py                   # digits, then MNIST with the tutorial's network
    python benchmarks/watermark.py --only digits     # a few minutes on one core
    python benchmarks/watermark.py --draw            # table again from the records

The suspects are made from the marked model without looking at the mark. False claims are counted on models
that were trained apart (digits). Records are kept in ``results/watermark.json``.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pages import put
from torch import Tensor

import hauberk
from hauberk.attacks.extraction import KnockoffNets
from hauberk.core.progress import SILENT
from hauberk.models.training import TrainingPlan, accuracy, learn
from hauberk.models.training.lesson import Lesson, Moment
from hauberk.protection.watermark.embedding.embed import embed
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import KINDS, make_mark
from hauberk.protection.watermark.verification.verify import verify

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "watermark.json"
PAGE = HERE.parent / "docs" / "watermarking.md"
OWNER, RIVAL = MarkKey(bytes(range(32))), MarkKey(bytes(range(32, 64)))
APART = 20
TEST = 2000


@dataclass(frozen=True)
class Setting:
    """One data set's sizes: training images, how the original learns, how an attacker tunes it."""

    data: str
    images: int | None
    plan: TrainingPlan
    tuning: TrainingPlan
    marking: dict[str, TrainingPlan]


SETTINGS = {
    "digits": Setting(
        "digits",
        None,
        TrainingPlan(epochs=20, batch_size=64, learning_rate=5e-3, schedule="one-cycle"),
        TrainingPlan(epochs=5, batch_size=64, learning_rate=1e-3),
        {},
    ),
    "mnist": Setting(
        "mnist",
        2000,
        TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle"),
        TrainingPlan(epochs=2, batch_size=64, learning_rate=1e-3),
        {
            "whitebox": TrainingPlan(epochs=4, batch_size=64, learning_rate=1e-3, schedule="cosine"),
            "blackbox": TrainingPlan(epochs=14, batch_size=64, learning_rate=3e-3, schedule="cosine"),
        },
    ),
}


def suspects(marked: Any, kind: str, setting: Setting, train: Any) -> Iterator[tuple[str, Any]]:
    """What an attacker may have made of the marked model."""
    half = len(train) // 2
    other = train.select(torch.arange(half, len(train)), note="second half").images.flip(-1)
    foreign = hauberk.datasets.Dataset(
        f"{train.name}[mirrored]", other, train.labels[half:], train.classes, train.bounds
    )
    yield "as it is", marked
    yield "fine-tuned, same data", hauberk.train(marked, train, setting.tuning, seed=9)
    yield "fine-tuned, other data (mirrored)", hauberk.train(marked, foreign, setting.tuning, seed=9)
    for share in (0.5, 0.8):
        yield f"pruned to {1 - share:.0%} of its weights", pruned(marked, share)
    yield "pruned to 20%, then fine-tuned", hauberk.train(pruned(marked, 0.8), train, setting.tuning, seed=9)
    for bits in (8, 4):
        yield f"{bits}-bit weights", rounded(marked, bits)
    yield "obfuscated", obfuscated(marked)
    if kind == "fingerprint":  # nothing of the rival's is trained in either
        rival = embed(marked, train, RIVAL, make_mark("whitebox"), plan=setting.marking.get("whitebox"), seed=8)
    else:
        rival = embed(marked, train, RIVAL, make_mark(kind), plan=setting.marking.get(kind), seed=8)
    yield "overwritten by another mark", rival.classifier
    fresh = hauberk.create("cnn", train, seed=7)
    yield "distilled (scores)", distilled(marked, fresh, train, setting.plan)
    thief = KnockoffNets(plan=setting.plan)
    for knowledge in ("scores", "labels"):
        theft = thief(marked, train, queries=len(train), knowledge=knowledge, seed=7)
        yield f"extracted ({knowledge})", theft.surrogate


def pruned(model: Any, share: float) -> Any:
    """The smallest weights of all layers together set to 0."""
    cut = copy.deepcopy(model)
    weights = [one for one in cut.parameters() if one.ndim > 1]
    limit = torch.cat([one.detach().abs().flatten() for one in weights]).sort().values
    edge = limit[int(share * len(limit))]
    with torch.no_grad():
        for one in weights:
            one[one.abs() < edge] = 0
    return cut


def rounded(model: Any, bits: int) -> Any:
    """Weights on an even grid, one step for each tensor."""
    coarse = copy.deepcopy(model)
    with torch.no_grad():
        for one in coarse.parameters():
            if one.ndim > 1:
                step = one.abs().max() / (2 ** (bits - 1) - 1)
                one.copy_((one / step).round() * step)
    return coarse


def obfuscated(model: Any) -> Any:
    """Permuted, rescaled and renamed, by ``hauberk obfuscate``."""
    from hauberk.protection.obfuscate import Key, Obfuscation, obfuscate

    return obfuscate(model, Key(bytes(32)), Obfuscation()).classifier


class Imitation(Lesson):
    """A teacher's scores, learnt on the teacher's own data."""

    def __init__(self, teacher: Any) -> None:
        self.teacher = teacher

    def loss(
        self, model: Any, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(images)
        with torch.no_grad():
            wanted = self.teacher(images).div(4).softmax(dim=1)
        return F.cross_entropy(logits / 4, wanted) * 16, logits


def distilled(teacher: Any, student: Any, train: Any, plan: TrainingPlan) -> Any:
    """Hinton's distillation at temperature 4."""
    return learn(
        student, train, plan, Imitation(teacher), kind="training", method="distillation", settings={},
        held_out=None, seed=7, name="student", checkpoint=None, progress=SILENT,
    )  # fmt: skip


def measure(setting: Setting) -> dict[str, Any]:
    """All rows of one data set, and false claims where models are cheap."""
    train = hauberk.datasets.load(setting.data).head(setting.images)
    test = hauberk.datasets.load(setting.data, split="test")
    test = test.head(min(TEST, len(test)))

    def right(model: Any) -> float:
        return round(accuracy(model, test.images, test.labels), 4)

    original = hauberk.train(hauberk.create("cnn", train, seed=0), train, setting.plan, seed=0)
    found: dict[str, Any] = {"original": right(original), "kinds": {}, "apart": {}}
    made = {}
    for kind in KINDS:
        mark = make_mark(kind)
        started = time.process_time()
        made[kind] = embed(original, train, OWNER, mark, plan=setting.marking.get(kind), seed=1)
        seconds = round(time.process_time() - started, 1)
        rows = []
        for label, suspect in suspects(made[kind].classifier, kind, setting, train):
            reading = verify(suspect, OWNER, made[kind].commitment, train)
            row = {"suspect": label, "accuracy": right(suspect), **reading.to_json()}
            row["claimed"] = reading.found()
            if kind == "blackbox":
                row["labels_only"] = verify(
                    suspect, OWNER, made[kind].commitment, train, answers="labels"
                ).to_json()
            rows.append(row)
            print(f"{setting.data:7} {kind:12} {label:36} {reading.matched}/{reading.units} "
                  f"p {reading.p_value:.1e} accuracy {row['accuracy']:.2%}", flush=True)  # fmt: skip
        needed = reading.needed()
        found["kinds"][kind] = {"embed_s": seconds, "needed": needed, "rows": rows}
    if setting.data == "digits":
        innocents = [
            hauberk.train(hauberk.create("cnn", train, seed=seed), train, setting.plan, seed=seed)
            for seed in range(100, 100 + APART)
        ]
        for kind, one in made.items():
            readings = [verify(innocent, OWNER, one.commitment, train) for innocent in innocents]
            found["apart"][kind] = {
                "models": APART,
                "claimed": sum(reading.found() for reading in readings),
                "matched": [reading.matched for reading in readings],
                "least_p": min(reading.p_value for reading in readings),
            }
            print("apart", kind, found["apart"][kind], flush=True)
    return found


def render(result: dict[str, Any]) -> str:
    """The tables."""
    lines = []
    for name, one in result["data"].items():
        kinds = one["kinds"]
        lines += [
            f"**{name}**: the original is right on {one['original']:.2%} of the test images. Matched units of "
            "each mark, and how likely chance alone does as well; bold: not found (p above 1e-6).",
            "",
            "| suspect | " + " | ".join(f"{kind} | accuracy" for kind in kinds) + " |",
            "| --- |" + " ---: | ---: |" * len(kinds),
        ]
        for row in next(iter(kinds.values()))["rows"]:
            cells = [row["suspect"]]
            for kind in kinds.values():
                this = next((other for other in kind["rows"] if other["suspect"] == row["suspect"]), None)
                if this is None:  # a run that was stopped
                    cells += ["–", "–"]
                    continue
                text = f"{this['matched']}/{this['units']}, {this['p_value']:.0e}"
                cells += [text if this["claimed"] else f"**{text}**", f"{this['accuracy']:.1%}"]
            lines.append("| " + " | ".join(cells) + " |")
        needs = ", ".join(f"{kind} {this['needed']}" for kind, this in kinds.items())
        lines += ["", f"Matches needed: {needs}.", ""]
        for kind, this in one["apart"].items():
            low, high = min(this["matched"]), max(this["matched"])
            lines.append(
                f"- {kind}: {this['claimed']} of {this['models']} models trained apart claimed; {low} to "
                f"{high} units match, smallest p {this['least_p']:.2g}."
            )
        lines.append("")
    versions = result["versions"]
    lines.append(f"Versions: hauberk {versions['hauberk']}, torch {versions['torch']}; {versions['machine']}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=SETTINGS, help="repeatable; default: all")
    parser.add_argument("--draw", action="store_true", help="table from the records, and stop")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if not options.draw:
        for name in options.only or SETTINGS:
            measured = measure(SETTINGS[name])
            result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"data": {}}
            result["data"][name] = measured
            result["versions"] = {
                "hauberk": metadata.version("hauberk"),
                "torch": torch.__version__,
                "machine": platform.machine(),
                "python": sys.version.split()[0],
            }
            RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    result = json.loads(RESULTS.read_text())
    put(PAGE, "survival", render(result))
    print(render(result))


if __name__ == "__main__":
    main()
