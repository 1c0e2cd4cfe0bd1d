"""Private training beside plain SGD and Opacus, in one run: speed, memory, and what a budget leaves of
accuracy.

    pip install 'hauberk[private,bench]'
    python benchmarks/private_training.py              # HAUBERK_DATA has mnist; nothing else should run
    python benchmarks/private_training.py --rounds 3 --skip-mnist

Speed: steps of the tutorial's network (121,930 weights) at batch 256 on MNIST's images, one thread, one fresh
process for each layout of the weights and each setting of the allocator, in which all contenders take turns.
Ours is the
whole step: Poisson draw over all 60,000, gradients in its own passes, AES noise, momentum. Opacus steps on
batches handed to it, with torch's generator; noise and clipping are the same. Before the clock starts, the
clipped sums of all private contenders are compared on one batch. Plain SGD in contiguous layout is what the
tutorial does; in channels-last it is what ``hauberk train`` does.

Memory: growth of a fresh process's resident set over three steps, with data and model loaded before.

MNIST: the command itself, at epsilon 3 and delta 1e-5, three times; epsilon is computed by the second
accountant too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "private-training.md"
BATCH, NOISE, CLIP = 256, 1.1, 1.0
CONTENDERS = ("plain SGD", "ours", "Opacus ghost", "Opacus hooks")
LAYOUTS = ("contiguous", "channels-last")
# glibc gives large blocks back to the system at once; kept, they need not be cleared again
ALLOCATORS: dict[str, dict[str, str]] = {
    "as it comes": {},
    "tuned": {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"},
}
PACKAGES = ("hauberk", "torch", "opacus", "dp-accounting", "cryptography")
GOALS = {"speed": 0.65, "memory": 1.6, "accuracy": 0.98, "minutes": 15}


def contender(name: str, layout: str) -> tuple[Callable[[], Any], Any]:
    """A step, and the module it trains."""
    import torch

    import hauberk
    from hauberk.models.training import TrainingPlan
    from hauberk.models.twin import set_layout

    data = hauberk.datasets.load("mnist")
    model = hauberk.create("cnn", data)
    form = torch.channels_last if layout == "channels-last" else torch.contiguous_format
    plan = TrainingPlan(batch_size=BATCH, optimizer="sgd", learning_rate=0.01)
    if name == "ours":
        from hauberk.privacy.training import Clip, NoiseSource
        from hauberk.privacy.training.run import PrivateRun, Recipe

        run = PrivateRun(model, data, plan, Recipe(Clip(CLIP), NOISE), 0, NoiseSource())
        set_layout(run.model, form)
        return (lambda: run._step(torch.Generator())), run
    module = model.module.train()
    set_layout(module, form)
    optimizer: Any = torch.optim.SGD(module.parameters(), plan.learning_rate, momentum=0.9, nesterov=True)
    criterion: Any = torch.nn.CrossEntropyLoss()
    if name != "plain SGD":
        module, optimizer, criterion = opacus(name, module, optimizer, data)

    def step() -> None:
        rows = torch.randint(len(data), (BATCH,))
        optimizer.zero_grad()
        loss = criterion(module(data.images[rows]), data.labels[rows])
        loss.backward()
        optimizer.step()

    return step, (module, optimizer, criterion)


def opacus(name: str, module: Any, optimizer: Any, data: Any) -> tuple[Any, Any, Any]:
    import torch
    from opacus import PrivacyEngine
    from torch.utils.data import DataLoader, TensorDataset

    mode = name.split()[-1]
    loader = DataLoader(TensorDataset(data.images, data.labels), batch_size=BATCH)
    made = PrivacyEngine().make_private(
        module=module, optimizer=optimizer, data_loader=loader, criterion=torch.nn.CrossEntropyLoss(),
        noise_multiplier=NOISE, max_grad_norm=CLIP, poisson_sampling=False, grad_sample_mode=mode,
    )  # fmt: skip
    criterion = made[2] if mode == "ghost" else torch.nn.CrossEntropyLoss()
    return made[0], made[1], criterion


def same_sums() -> float:
    """The largest difference between the clipped sums of ours and Opacus ghost on one batch."""
    import torch
    import torch.nn.functional as F

    import hauberk
    from hauberk.privacy.training import Book, Clip

    data = hauberk.datasets.load("mnist")
    x, labels = data.images[:BATCH], data.labels[:BATCH]
    _, (module, _, criterion) = contender("Opacus ghost", "contiguous")
    criterion(module(x), labels).backward()
    theirs = torch.cat([one.grad.flatten() for one in module.parameters()])
    book = Book(hauberk.create("cnn", data).module)
    mine, _ = book.clipped_sum(
        lambda: F.cross_entropy(book.model(x), labels, reduction="none"), BATCH, Clip(CLIP)
    )
    return float((torch.cat([one.flatten() for one in mine.values()]) - theirs).abs().max())


def child(arguments: argparse.Namespace) -> Any:
    """What runs in a fresh process."""
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if arguments.child == "same":
        return same_sums()
    if arguments.child == "memory":
        step, _kept = contender(arguments.name, arguments.layout)
        Path("/proc/self/clear_refs").write_text("5")
        before = status("VmRSS")
        for _ in range(3):
            step()
        return status("VmHWM") - before
    torch.manual_seed(0)
    steps = {name: contender(name, arguments.layout)[0] for name in CONTENDERS}
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(arguments.rounds + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            for _ in range(3):
                step()
            if turn:  # the first one warms up
                speeds[name].append(3 * BATCH / (time.perf_counter() - began))
    return speeds


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith(field)).split()[1]) * 1024


def fresh(*options: str, **environment: str) -> Any:
    """The answer of a process of its own."""
    said = subprocess.run(
        [sys.executable, __file__, *options],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip
    if said.returncode:
        raise SystemExit(said.stderr)
    return json.loads(said.stdout.splitlines()[-1])


def speed(rounds: int) -> list[dict[str, Any]]:
    found = []
    for layout in LAYOUTS:
        for allocator, environment in ALLOCATORS.items():
            speeds = fresh("--child", "speed", "--layout", layout, "--rounds", str(rounds), **environment)
            found.append({"layout": layout, "allocator": allocator, "images_per_s": speeds})
            medians = {name: round(statistics.median(one)) for name, one in speeds.items()}
            print(layout, allocator, medians, file=sys.stderr)
    return found


def mnist(times: int) -> list[dict[str, Any]]:
    from hauberk.core.evidence import Evidence
    from hauberk.evaluation.second_accountant import recomputed_from

    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            said = subprocess.run(
                [
                    sys.executable, "-m", "hauberk", "train", "--data", "mnist", "--arch", "scatter-linear",
                    "--private", "--epsilon", "3", "--delta", "1e-5", "--out", f"{folder}/private", "--json",
                ],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            seconds = time.perf_counter() - began
            document = json.loads(said.stdout)
            import hauberk

            record: Evidence = hauberk.load(f"{folder}/private").evidence[-1]
            found.append(
                {
                    "accuracy": document["test_accuracy"], "epsilon": document["privacy"]["epsilon"],
                    "epsilon_recomputed": recomputed_from(record, 1e-5), "seconds": seconds,
                }
            )  # fmt: skip
            print(found[-1], file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=int, default=3, help="of the MNIST recipe")
    parser.add_argument("--skip-mnist", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "private_training.json")
    parser.add_argument("--child", choices=("same", "speed", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--layout", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments)))
        return
    difference = fresh("--child", "same")
    if difference > 1e-3:
        raise SystemExit(f"the contenders do not compute the same sums: {difference}")
    record = {
        "difference": difference,
        "speed": speed(arguments.rounds),
        "memory_bytes": {
            layout: {
                name: fresh("--child", "memory", "--name", name, "--layout", layout) for name in CONTENDERS
            }
            for layout in LAYOUTS
        },
        "mnist": [] if arguments.skip_mnist else mnist(arguments.times),
        "goals": GOALS,
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(PAGE, "private-training", text)
    print(text)


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = [
        "| layout, allocator | plain, images/s | ours / plain | ghost / plain | hooks / plain | ours / ghost |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in record["speed"]:
        speeds = row["images_per_s"]

        def ratio(name: str, base: str, speeds: dict[str, list[float]] = speeds) -> str:
            each = [a / b for a, b in zip(speeds[name], speeds[base], strict=True)]
            return f"{statistics.median(each):.2f} ({min(each):.2f}–{max(each):.2f})"

        cells = [ratio(name, "plain SGD") for name in CONTENDERS[1:]] + [ratio("ours", "Opacus ghost")]
        plain = statistics.median(speeds["plain SGD"])
        lines.append(f"| {row['layout']}, {row['allocator']} | {plain:,.0f} | {' | '.join(cells)} |")
    lines += [
        "",
        "| memory over data and model | plain SGD | ours | Opacus ghost | Opacus hooks |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for layout, sizes in record["memory_bytes"].items():
        cells = [f"{sizes[name] / 2**20:.0f} MiB" for name in CONTENDERS]
        lines.append(f"| {layout} | {' | '.join(cells)} |")
    if record["mnist"]:
        lines += [
            "",
            "| MNIST, delta 1e-5 | accuracy | epsilon | recomputed | seconds |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for number, row in enumerate(record["mnist"], 1):
            lines.append(
                f"| run {number} | {row['accuracy']:.2%} | {row['epsilon']:.3f} | "
                f"{row['epsilon_recomputed']:.3f} | {row['seconds']:.0f} |"
            )
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['platform']}, {record['machine']['cores']} cores"
    rounds = len(record["speed"][0]["images_per_s"]["ours"])
    lines += ["", f"Medians of {rounds} rounds with range, one thread. {versions}; {machine}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
