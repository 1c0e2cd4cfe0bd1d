"""PGD beside torchattacks, Foolbox, CleverHans and ART: seconds in units of a bare loop, and accuracy found.

    hauberk run examples/mnist.toml          # makes the two models
    python benchmarks/attacks.py             # about ten minutes on two cores; nothing else should run

The unit is a bare loop: as many forward and backward passes (gradient with respect to the input) as the attack
takes steps, on the same batch, with the model as it was loaded. All contenders take their turns in each round,
so that a slow minute of the machine hits all alike; ratios are taken within a round and their median reported.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import README, put

HERE = Path(__file__).parent
EPS = 0.3
STEPS = 40
STEP_SIZE = 0.01  # the same for all; the default of several peers at this radius
SAMPLES = 512


def load(package: Path) -> tuple[Any, Any, Any]:
    import hauberk

    test = hauberk.datasets.load("mnist", split="test").head(SAMPLES)
    return hauberk.load(package), test.images, test.labels


def bare_loop(model: Any, x: Any, y: Any, passes: int = STEPS) -> None:
    import torch

    for _ in range(passes):
        point = x.clone().requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(model(point), y, reduction="sum")
        torch.autograd.grad(loss, point)


def contenders(model: Any, x: Any, y: Any, restarts: int) -> dict[str, Callable[[int], Any]]:
    """Name to a call that returns adversarial images, given the round's seed."""
    import hauberk

    calls: dict[str, Callable[[int], Any]] = {}
    ours = hauberk.attacks.PGD(steps=STEPS, step_size=STEP_SIZE, restarts=restarts)
    calls["hauberk"] = lambda seed: ours(model, x, y, hauberk.Linf(EPS), seed=seed).candidates

    try:
        import foolbox

        peer = foolbox.attacks.LinfPGD(steps=STEPS, abs_stepsize=STEP_SIZE, random_start=True)
        if restarts > 1:
            peer = peer.repeat(restarts)
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        calls["foolbox"] = lambda seed: peer(wrapped, x, y, epsilons=[EPS])[1][0]
    except ImportError:
        pass
    if restarts > 1:
        return calls

    try:
        import torchattacks

        torch_attack = torchattacks.PGD(model, eps=EPS, alpha=STEP_SIZE, steps=STEPS, random_start=True)
        calls["torchattacks"] = lambda seed: torch_attack(x, y)
    except ImportError:
        pass
    try:
        import numpy as np
        from cleverhans.torch.attacks.projected_gradient_descent import projected_gradient_descent

        calls["cleverhans"] = lambda seed: projected_gradient_descent(
            model, x, EPS, STEP_SIZE, STEPS, np.inf, clip_min=0.0, clip_max=1.0, y=y, rand_init=True,
            sanity_checks=False,
        )  # fmt: skip
    except ImportError:
        pass
    try:
        import torch
        from art.attacks.evasion import ProjectedGradientDescentPyTorch
        from art.estimators.classification import PyTorchClassifier

        art_model = PyTorchClassifier(
            model, torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0, 1), device_type="cpu"
        )
        art = ProjectedGradientDescentPyTorch(
            art_model, eps=EPS, eps_step=STEP_SIZE, max_iter=STEPS, num_random_init=1, batch_size=len(x),
            verbose=False,
        )  # fmt: skip
        calls["art"] = lambda seed: torch.from_numpy(art.generate(x.numpy(), y.numpy()))
    except ImportError:
        pass
    return calls


def accuracy_left(model: Any, x: Any, adversarial: Any, y: Any) -> float:
    """Right before and after; candidates outside the ball or the bounds count as misses of the attack."""
    import torch

    with torch.no_grad():
        right = model(x).argmax(1) == y
        still = model(adversarial).argmax(1) == y
    change = (adversarial - x).abs().flatten(1).amax(1)
    valid = (
        (change <= EPS + 1e-5) & (adversarial.flatten(1).amin(1) >= 0) & (adversarial.flatten(1).amax(1) <= 1)
    )
    return float((right & (still | ~valid)).float().mean())


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def seed_everything(seed: int) -> None:
    """The peers draw from the global generators."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed)


def compare(package: Path, restarts: int, rounds: int) -> dict[str, Any]:
    model, x, y = load(package)
    calls = contenders(model, x, y, restarts)
    bare_loop(model, x, y, passes=3)  # warm
    times: dict[str, list[float]] = {name: [] for name in ("bare loop", *calls)}
    left: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        seed_everything(number)
        times["bare loop"].append(seconds(lambda: bare_loop(model, x, y))[0])
        for name, call in calls.items():
            took, adversarial = seconds(partial(call, number))
            times[name].append(took)
            left[name].append(accuracy_left(model, x, adversarial.detach(), y))
        print(f"  round {number + 1}/{rounds}", file=sys.stderr)
    units = {
        name: [took / unit for took, unit in zip(times[name], times["bare loop"], strict=True)]
        for name in calls
    }
    return {
        "bare_loop_s": statistics.median(times["bare loop"]),
        "contenders": {
            name: {
                "units": round(statistics.median(units[name]), 3),
                "units_range": [round(min(units[name]), 3), round(max(units[name]), 3)],
                "robust_accuracy": round(statistics.mean(left[name]), 4),
                "robust_accuracy_range": [round(min(left[name]), 4), round(max(left[name]), 4)],
            }
            for name in calls
        },
    }


_WATCH = """
import sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import attacks, hauberk

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

model, x, y = attacks.load(Path(sys.argv[2]))
ours = lambda x, y, steps: hauberk.attacks.PGD(steps=steps)(model, x, y, hauberk.Linf(0.3))
attacks.bare_loop(model, x[:2], y[:2], 1)
ours(x[:2], y[:2], 1)
before = peak = resident()
done = False

def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.001)

watcher = threading.Thread(target=watch)
watcher.start()
attacks.bare_loop(model, x, y, 8) if sys.argv[3] == "bare" else ours(x, y, 8)
done = True
watcher.join()
print((peak - before) / 2**20)
"""


def peak_memory(package: Path, what: str) -> float:
    """MiB above what the loaded model and data take, in a process of its own, sampled each millisecond."""
    said = subprocess.run(
        [sys.executable, "-c", _WATCH, str(HERE), str(package), what],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(said.stdout)


def import_seconds(statement: str, rounds: int) -> list[float]:
    took = []
    for _ in range(rounds):
        code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        took.append(float(said.stdout))
    return took


def import_cost(rounds: int) -> dict[str, Any]:
    base, alone, rooms = [], [], []
    for _ in range(rounds):
        base += import_seconds("import torch", 1)
        alone += import_seconds("import hauberk", 1)
        rooms += import_seconds(
            "import hauberk; hauberk.load, hauberk.attacks, hauberk.evaluate, hauberk.harden", 1
        )
    torch_s = statistics.median(base)
    return {
        "torch_s": round(torch_s, 3),
        "hauberk_s": round(statistics.median(alone), 4),
        "hauberk_and_its_rooms_s": round(statistics.median(rooms), 3),
        "rooms_over_torch": round(statistics.median(rooms) / torch_s, 3),
    }


def render(result: dict[str, Any]) -> str:
    """The record as Markdown, for README.md."""
    lines = [
        "| model, attack | contender | units (range) | accuracy left (range over seeds) |",
        "| --- | --- | ---: | ---: |",
    ]
    for key in ("robust model", "undefended model", "undefended model, 10 restarts"):
        rows = sorted(result[key]["contenders"].items(), key=lambda item: item[1]["units"])
        for name, row in rows:
            low, high = row["units_range"]
            worst, best = row["robust_accuracy_range"]
            lines.append(
                f"| {key} | {name} | {row['units']:.2f} ({low:.2f}–{high:.2f}) | {row['robust_accuracy']:.1%} "
                f"({worst:.1%}–{best:.1%}) |"
            )
    memory, cost = result["peak memory"], result["import"]
    lines += [
        "",
        f"Peak memory of the attack: {memory['hauberk_mib']:.0f} MiB, of the bare loop "
        f"{memory['bare_loop_mib']:.0f} MiB (ratio {memory['ratio']:.2f}).",
        f"`import hauberk` takes {cost['hauberk_s'] * 1000:.0f} ms; with all its rooms "
        f"{cost['rooms_over_torch']:.2f} times `import torch`.",
        "",
        f"Versions: {', '.join(f'{name} {version}' for name, version in result['versions'].items())}; "
        f"{result['machine']}, {result['rounds']} rounds.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", type=Path, default=Path("runs/mnist/undefended"))
    parser.add_argument("--robust", type=Path, default=Path("runs/mnist/pgd-trained"))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "attacks.json")
    options = parser.parse_args()
    for package in (options.plain, options.robust):
        if not (package / "model.json").exists():
            sys.exit(f"no model at {package}: hauberk run examples/mnist.toml makes it")
    warnings.simplefilter("ignore")

    versions = {}
    for name in ("hauberk", "torch", "foolbox", "torchattacks", "cleverhans", "adversarial-robustness-toolbox"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    result: dict[str, Any] = {
        "question": f"Linf {EPS}, PGD-{STEPS} with step {STEP_SIZE} on {SAMPLES} MNIST test images; "
        "seconds in units of a bare loop of as many passes",
        "machine": f"{platform.machine()}, {len(__import__('os').sched_getaffinity(0))} cores",
        "versions": versions,
        "rounds": options.rounds,
    }
    bare, ours = peak_memory(options.robust, "bare"), peak_memory(options.robust, "ours")
    result["peak memory"] = {
        "bare_loop_mib": round(bare, 1),
        "hauberk_mib": round(ours, 1),
        "ratio": round(ours / bare, 3),
    }
    result["import"] = import_cost(5)
    print("robust model", file=sys.stderr)
    result["robust model"] = compare(options.robust, 1, options.rounds)
    print("undefended model", file=sys.stderr)
    result["undefended model"] = compare(options.plain, 1, options.rounds)
    print("undefended model, ten restarts", file=sys.stderr)
    result["undefended model, 10 restarts"] = compare(options.plain, 10, 1)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    put(README, "attacks", render(result))
    print(render(result))


if __name__ == "__main__":
    main()
