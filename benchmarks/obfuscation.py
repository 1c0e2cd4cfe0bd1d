"""What obfuscation costs: the time of a forward pass after it, as a share of the time before.

    python benchmarks/obfuscation.py

Without dummies the goal is within 10 %. Time is the processor's, on one thread. Both networks take turns, so
that a slow minute hits both alike; the figure is the median over rounds of the ratio within a round. That both
answer the same is checked before anything is timed. Random weights: they change nothing about the time.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SMALL, COLOUR = (1, 28, 28), (3, 32, 32)
NETWORKS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "cnn": (SMALL, {}),
    "mlp": (SMALL, {}),
    "preact-resnet18": (COLOUR, {}),
    "wide-resnet": (COLOUR, {"depth": 16, "width": 2}),
}
DUMMIES = 8  # pairs, for the last column
ENOUGH_S = 0.05  # a turn is at least so long


def classifier(name: str) -> Any:
    """The architecture with random weights, its norms with statistics of their own."""
    import torch

    from hauberk.models import Classifier
    from hauberk.models.architectures import build

    shape, args = NETWORKS[name]
    torch.manual_seed(0)
    module = build(name, shape, 10, args)
    for key, one in module.named_buffers():
        if one.is_floating_point():
            one.data = torch.rand_like(one) + (0.5 if key.endswith("var") else -0.5)
    return Classifier(module, input_shape=shape, labels=10, architecture={"name": name, "args": args}).eval()


def turns(models: dict[str, Any], images: Any, rounds: int) -> dict[str, list[float]]:
    """Seconds of one forward pass, for each model in each round."""
    import torch

    with torch.inference_mode():
        started = time.process_time()
        next(iter(models.values()))(images)
        repeats = max(1, round(ENOUGH_S / (time.process_time() - started)))
        for model in models.values():
            model(images)
        times: dict[str, list[float]] = {name: [] for name in models}
        for number in range(rounds):
            order = list(models.items())
            for name, model in order if number % 2 else order[::-1]:
                started = time.process_time()
                for _ in range(repeats):
                    model(images)
                times[name].append((time.process_time() - started) / repeats)
    return times


def measure(name: str, batch: int, rounds: int) -> dict[str, Any]:
    """One network at one size of batch."""
    import torch

    from hauberk.protection.obfuscate import TOLERANCE, Key, Obfuscation, obfuscate

    original, key = classifier(name), Key(bytes(range(32)))
    settings = {
        "program": Obfuscation(),
        "kept": Obfuscation(keep_architecture=True),
        "dummies": Obfuscation(dummies=DUMMIES),
    }
    started = time.process_time()
    models = {"original": original} | {
        form: obfuscate(original, key, one).classifier for form, one in settings.items()
    }
    taken = (time.process_time() - started) / len(settings)
    images = torch.rand((batch, *original.input_shape), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answers = {form: model(images) for form, model in models.items()}
    for form, answer in answers.items():
        apart = float((answer - answers["original"]).abs().max() / answers["original"].abs().max())
        assert apart <= TOLERANCE, (name, form, apart)
    times = turns(models, images, rounds)
    row: dict[str, Any] = {"network": name, "batch": batch, "obfuscate_s": round(taken, 2)}
    row["original_ms"] = round(1000 * statistics.median(times["original"]), 3)
    for form in settings:
        ratios = sorted(a / b for a, b in zip(times[form], times["original"], strict=True))
        row[form] = {
            "ratio": round(statistics.median(ratios), 3),
            "low": round(ratios[len(ratios) // 4], 3),
            "high": round(ratios[3 * len(ratios) // 4], 3),
        }
    return row


def main() -> None:
    """Measure, keep the record, print the table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "obfuscation.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in given.networks:
        for batch in given.batches:
            rows.append(measure(name, batch, given.rounds))
            print(table(rows[-1:], head=len(rows) == 1), flush=True)
    record = {
        "rows": rows,
        "rounds": given.rounds,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": {one: metadata.version(one) for one in ("hauberk", "torch")},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(record, indent=1) + "\n")


def table(rows: list[dict[str, Any]], *, head: bool = True) -> str:
    """As Markdown."""
    lines = [
        "| network | batch | original | obfuscated (quartiles) | architecture kept | with dummies |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines = lines if head else []
    for row in rows:
        cells = [f"{row[form]['ratio']:.2f} ({row[form]['low']:.2f}–{row[form]['high']:.2f})"
                 for form in ("program", "kept", "dummies")]  # fmt: skip
        lines.append(
            f"| {row['network']} | {row['batch']} | {row['original_ms']:.2f} ms | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
