"""The guard against our own attacks, honest callers, and thieves; beside Blacklight and PRADA.

    python benchmarks/guard.py --model runs/mnist/undefended                     # all of it, about ten minutes
    python benchmarks/guard.py --model runs/mnist/undefended --images 4 --honest 2800

What an attack needs is measured first, on each image, with no guard there; what it asked is recorded and put
to a fresh guard question by question. It is caught if the alarm comes before a tenth of what it needed (an
attack that never got there counts as having needed its whole budget). Honest callers send 200 questions each,
of fourteen kinds. Adaptive attackers ask a guarded model themselves, take a fresh account whenever theirs is
blocked, and go on until they believe that they succeeded, or have asked ten times as much as they would have
needed or all that the attack allows itself (5,000 or 10,000 questions).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import platform
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from guard_peers import Blacklight, Prada
from guard_traffic import traffic
from pages import put
from scipy import ndimage

import hauberk
from hauberk.attacks import questions
from hauberk.attacks.query import NES, Boundary, HopSkipJump, SimBA, Square
from hauberk.serving.app import App
from hauberk.serving.door import OpenDoor
from hauberk.serving.engine import Engine
from hauberk.serving.guard import Alert, Finding, Guard, GuardPolicy
from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics
from hauberk.serving.protocol import Answer
from hauberk.serving.rack import Rack
from hauberk.serving.watch import NoWatch, Watch
from hauberk.threats import L2, Linf

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "guard.md"
KEY = b"a key for the benchmark"
LINF, EUCLID = 0.15, 2.0
FAMILIES: dict[str, tuple[Any, Any]] = {
    "square": (Square(queries=5000), Linf(LINF)),
    "nes": (NES(queries=5000), Linf(LINF)),
    "simba": (SimBA(queries=5000), Linf(LINF)),
    "hop-skip-jump": (HopSkipJump(queries=10_000), L2(EUCLID)),
    "boundary": (Boundary(queries=10_000), L2(EUCLID)),
}
KEPT = 1001  # questions of a recording: nobody may take longer than a tenth of 10,000
CALLER = 200  # an honest caller's questions
SHORT = 200  # needed questions below which a tenth of them tells next to nothing


class Sink(list[Alert]):
    def alert(self, alert: Alert) -> None:
        self.append(alert)


def new_guard(entry: Any, sample: Any, **settings: Any) -> tuple[Guard, Sink]:
    sink = Sink()
    guard = Guard(GuardPolicy(**settings), KEY, sink)
    guard.learn(entry, *sample)
    return guard, sink


def answer(logits: np.ndarray) -> Answer:
    return Answer(logits, logits.argmax(axis=1), logits)


@contextmanager
def asking(instead: Callable[[Any, torch.Tensor, torch.Tensor, Any], torch.Tensor]) -> Iterator[None]:
    """Put something between the attacks and the model."""
    own = questions.Questions.logits
    questions.Questions.logits = lambda self, x, rows: instead(self, x, rows, own)  # type: ignore[method-assign]
    try:
        yield
    finally:
        questions.Questions.logits = own  # type: ignore[method-assign]


def record(model: Any, data: Any, family: str, count: int) -> list[dict[str, Any]]:
    """What a family asks about each of ``count`` images, and how much it needs."""
    attack, geometry = FAMILIES[family]
    asked: list[torch.Tensor] = []

    def keep(own: Any, x: torch.Tensor, rows: torch.Tensor, ask: Any) -> torch.Tensor:
        asked.append(x.clone())
        return ask(own, x, rows)

    out, number = [], -1
    while len(out) < count:
        number += 1
        image, label = data.images[number : number + 1], data.labels[number : number + 1]
        asked[:] = [image]
        with asking(keep):
            result = attack(model, image, label, geometry, indices=torch.tensor([number]))
        if result.misclassified[0]:
            continue
        x = torch.cat(asked)
        with torch.no_grad():
            logits = model(x[:KEPT])
        out.append({"image": number, "success": bool(result.success[0]), "needed": len(x),
                    "x": x[:KEPT].numpy(), "logits": logits.numpy()})  # fmt: skip
    return out


def caught(entry: Any, sample: Any, one: dict[str, Any]) -> int | None:
    """The question at which the guard finds an evasion."""
    guard, sink = new_guard(entry, sample)
    for number, (x, logits) in enumerate(zip(one["x"], one["logits"], strict=True), 1):
        guard.look("eve", entry, x[None], answer(logits[None]))
        if any(alert.finding is Finding.EVASION for alert in sink):
            return number
    return None


def flagged(peer: Any, x: np.ndarray, labels: np.ndarray) -> int | None:
    for number, (image, label) in enumerate(zip(x, labels, strict=True), 1):
        if peer.look(image, int(label)):
            return number
    return None


def evasion(model: Any, data: Any, entry: Any, sample: Any, images: int, folder: Path | None) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for family in FAMILIES:
        file = None if folder is None else folder / f"{family}-{images}.pkl"
        if file is not None and file.exists():
            recordings = pickle.loads(file.read_bytes())  # noqa: S301 (written by this very script)
        else:
            recordings = record(model, data, family, images)
            if file is not None:
                file.write_bytes(pickle.dumps(recordings))
        rows = []
        for one in recordings:
            labels = one["logits"].argmax(axis=1)
            rows.append({
                "image": one["image"], "success": one["success"], "needed": one["needed"],
                "guard": caught(entry, sample, one),
                "blacklight": flagged(Blacklight(), one["x"][:KEPT], labels),
                "prada": flagged(Prada(), one["x"][:KEPT], labels),
            })  # fmt: skip
        out[family] = rows
        print(
            family, [(one["needed"], one["guard"], one["blacklight"], one["prada"]) for one in rows], flush=True
        )
    return out


def honest(model: Any, data: Any, entry: Any, sample: Any, queries: int, peers: int) -> dict[str, Any]:
    guard, sink = new_guard(entry, sample)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    images = data.images.numpy()
    for number, (kind, x) in enumerate(traffic(images, queries // CALLER, CALLER, seed=1)):
        with torch.no_grad():
            logits = model(torch.from_numpy(x)).numpy()
        name = f"honest {number}"
        for row in range(len(x)):
            guard.look(name, entry, x[row : row + 1], answer(logits[row : row + 1]))
        guard.settle()
        mine = [one for one in sink if one.caller == name]
        kinds[kind]["callers"] += 1
        kinds[kind]["troubled"] += name in guard.verdicts
        for finding in {one.finding.value for one in mine}:
            kinds[kind][finding] += 1
        if number < peers:
            labels = logits.argmax(axis=1)
            kinds[kind]["seen by peers"] += 1
            kinds[kind]["blacklight"] += flagged(Blacklight(), x, labels) is not None
            kinds[kind]["prada"] += flagged(Prada(), x, labels) is not None
    return {kind: dict(counts) for kind, counts in kinds.items()}


def _turned(x: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    angle = draw.uniform(-5, 5)
    return np.clip(ndimage.rotate(x, angle, axes=(2, 3), reshape=False, order=1), 0, 1)


DISGUISES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "none": lambda x, draw: x,
    "noise 0.02": lambda x, draw: np.clip(x + draw.normal(0, 0.02, x.shape), 0, 1),
    "noise 0.1": lambda x, draw: np.clip(x + draw.normal(0, 0.1, x.shape), 0, 1),
    "shift by a pixel": lambda x, draw: np.roll(x, draw.integers(-1, 2, 2), axis=(2, 3)),
    "rotation to 5 degrees": _turned,
    "brightness 10%": lambda x, draw: np.clip(x * draw.uniform(0.9, 1.1), 0, 1),
}


def adaptive(
    model: Any, data: Any, entry: Any, sample: Any, recordings: dict[str, Any], count: int
) -> list[dict[str, Any]]:
    """Attackers who know the guard: disguises, natural questions in between, few questions an account."""
    ways: list[tuple[str, str, int, int | None]] = [(name, name, 0, None) for name in DISGUISES]
    ways += [("5 natural ones between", "none", 5, None), ("3 questions an account", "none", 0, 3)]
    out = []
    for family in ("square", "nes", "simba", "hop-skip-jump"):
        chosen = sorted((one for one in recordings[family] if one["success"] and one["needed"] >= SHORT),
                        key=lambda one: one["needed"])[:count]  # fmt: skip
        for title, disguise, between, split in ways:
            for one in chosen:
                out.append(
                    {"family": family, "way": title, **_adapted(model, data, entry, sample, family, one,
                                                                DISGUISES[disguise], between, split)}
                )  # fmt: skip
                print(out[-1], flush=True)
    return out


def _adapted(
    model: Any, data: Any, entry: Any, sample: Any, family: str, one: dict[str, Any],
    disguise: Any, between: int, split: int | None,
) -> dict[str, Any]:  # fmt: skip
    guard, _ = new_guard(entry, sample, patience=1)
    draw = np.random.default_rng(0)
    state = SimpleNamespace(accounts=1, asked=0, mine=0)
    natural = data.images.numpy()

    def guarded(own: Any, x: torch.Tensor, rows: torch.Tensor, ask: Any) -> torch.Tensor:
        parts = []
        for row in range(len(x)):
            for _ in range(between):
                look(natural[draw.integers(5000, 10_000)][None])
            seen = disguise(x[row : row + 1].numpy(), draw).astype(np.float32)
            parts.append(look(seen, ask, own, rows[row : row + 1]))
        return torch.cat(parts)

    def look(seen: np.ndarray, ask: Any = None, own: Any = None, rows: Any = None) -> torch.Tensor:
        state.asked += 1
        state.mine += 1
        tensor = torch.from_numpy(seen)
        if ask is None:
            with torch.no_grad():
                logits = model(tensor)
        else:
            logits = ask(own, tensor, rows)
        name = f"eve {state.accounts}"
        guard.look(name, entry, seen, answer(logits.numpy()))
        if name in guard.verdicts or state.mine == split:
            state.accounts += 1
            state.mine = 0
        return logits

    attack, geometry = FAMILIES[family]
    budget = min(10 * one["needed"], attack.queries)
    number = one["image"]
    image, label = data.images[number : number + 1], data.labels[number : number + 1]
    with asking(guarded):
        bounded = type(attack)(queries=budget)
        result = bounded(model, image, label, geometry, indices=torch.tensor([number]))
    return {"image": number, "needed": one["needed"], "asked": state.asked, "accounts": state.accounts,
            "success": bool(result.success[0])}  # fmt: skip


def thieves(model: Any, entry: Any, sample: Any) -> list[dict[str, Any]]:
    """What different pools and steps of thieves look like, without the learning in between."""
    own = hauberk.datasets.load("mnist").images[10_000:13_000]
    foreign = hauberk.datasets.load("fashion").images[:3000]
    seeds = own[:150].clone()
    asked = [seeds]
    for _ in range(4):  # Jacobian augmentation with the victim's own gradient: the best surrogate there is
        x = torch.cat(asked).requires_grad_(True)
        scores = model(x).log_softmax(dim=1)
        (slope,) = torch.autograd.grad(scores.max(dim=1).values.sum(), x)
        asked.append((x - 0.1 * slope.sign()).clamp(0, 1).detach())
    with torch.no_grad():
        gaps = model(own).sort(dim=1).values
        unsure = own[(gaps[:, -1] - gaps[:, -2]).argsort()[:1000]]
    pools = {"own images, at random": own, "own images, unsure first": unsure,
             "foreign images (fashion)": foreign, "Jacobian augmentation": torch.cat(asked)}  # fmt: skip
    out = []
    for name, pool in pools.items():
        guard, sink = new_guard(entry, sample)
        with torch.no_grad():
            logits = model(pool).numpy()
        for row in range(len(pool)):
            guard.look("thief", entry, pool[row : row + 1].numpy(), answer(logits[row : row + 1]))
        prada = flagged(Prada(), pool.numpy(), logits.argmax(axis=1))
        first = {one.finding.value: one.looks for one in reversed(sink) if one.caller}
        out.append({"pool": name, "asked": len(pool), "found": first, "prada": prada})
        print(out[-1], flush=True)
    return out


def speed(model: Any, data: Any, entry_of: Callable[[Rack], Any], sample: Any, rounds: int) -> dict[str, float]:
    """Seconds for a request through the application without a network, with and without the guard."""
    bodies = []
    for image in data.images[:2000].numpy():
        raw = image.tobytes()
        head = json.dumps({"inputs": [{"name": "input", "shape": [1, *image.shape], "datatype": "FP32",
                           "parameters": {"binary_data_size": len(raw)}}]}).encode()  # fmt: skip
        bodies.append((head + raw, len(head)))

    async def request(app: App, body: bytes, head: int) -> None:
        scope = {"type": "http", "method": "POST", "path": "/v2/models/net/infer",
                 "raw_path": b"/v2/models/net/infer", "client": ("127.0.0.1", 1),
                 "headers": [(b"content-length", b"%d" % len(body)),
                             (b"inference-header-content-length", b"%d" % head)]}  # fmt: skip
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        assert status == 200, status

    async def all_of_them() -> dict[str, float]:
        limits = Limits()
        with ThreadPoolExecutor(1) as pool:
            rack = Rack(limits, pool)
            entry = entry_of(rack)
            guard, _ = new_guard(entry, sample)
            taken: dict[str, list[float]] = {"without": [], "with": []}
            for _ in range(rounds):
                watches: dict[str, Watch] = {"without": NoWatch(), "with": guard}
                for name, watch in watches.items():
                    app = App(rack, OpenDoor(), watch, limits, Metrics())
                    begin = time.perf_counter()
                    for body, head in bodies:
                        await request(app, body, head)
                    taken[name].append((time.perf_counter() - begin) / len(bodies))
            with torch.no_grad():
                logits = model(data.images[:2000]).numpy()
            x = data.images[:2000].numpy()
            look = []
            for number in range(rounds):
                begin = time.perf_counter()
                for row in range(len(x)):
                    guard.look(
                        f"caller {number} {row % 32}", entry, x[row : row + 1], answer(logits[row : row + 1])
                    )
                look.append((time.perf_counter() - begin) / len(x))
            return {name: min(times) for name, times in taken.items()} | {"guard alone": min(look)}

    return asyncio.run(all_of_them())


def table(results: dict[str, Any]) -> str:
    lines = ["| attack | images | succeeded | needed, median (least) | guard: asked, median (most) | caught "
             "before a tenth | of those that need 200 or more | Blacklight | PRADA |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    rows = [*results["evasion"].items()]
    rows.append(("all", [one for _, found in rows for one in found]))
    for family, found in rows:
        needed = [one["needed"] for one in found]
        asked = [one["guard"] or KEPT for one in found]
        long = [one for one in found if one["needed"] >= SHORT]
        cells = [
            family, len(found), sum(one["success"] for one in found),
            f"{statistics.median(needed):.0f} ({min(needed)})",
            f"{statistics.median(asked):.0f} ({max(asked)})",
            share(in_time(found, "guard"), len(found)), share(in_time(long, "guard"), len(long)),
            share(in_time(found, "blacklight"), len(found)), share(in_time(found, "prada"), len(found)),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "| honest callers | callers | troubled | noted as unusual | noted as hugging the boundary | "
              "Blacklight | PRADA |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    total: Counter[str] = Counter()
    for one in results["honest"].values():
        total.update(one)
    for kind, one in [*results["honest"].items(), ("all", total)]:
        by = one.get("seen by peers", 0)
        lines.append(
            f"| {kind} | {one['callers']} | {one.get('troubled', 0)} | {one.get('unusual', 0)} | "
            f"{one.get('extraction', 0)} | {share(one.get('blacklight', 0), by)} | "
            f"{share(one.get('prada', 0), by)} |"
        )
    lines += ["", "| adaptive attack | runs | succeeded within ten times | accounts, median | "
              "questions of needed, median | cost at least tenfold |",
              "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    ways: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for one in results["adaptive"]:
        ways["all families", one["way"]].append(one)
        ways[one["family"], "all ways"].append(one)
    for (family, way), found in ways.items():
        lines.append(
            f"| {family}, {way} | {len(found)} | {sum(one['success'] for one in found)} | "
            f"{statistics.median(one['accounts'] for one in found):.0f} | "
            f"{statistics.median(one['asked'] / one['needed'] for one in found):.1f} | "
            f"{share(sum(tenfold(one) for one in found), len(found))} |"
        )
    lines += ["", "| thief asks about | questions | found as, at | PRADA at |", "| --- | ---: | --- | ---: |"]
    for one in results["thieves"]:
        found = ", ".join(f"{name} {at}" for name, at in one["found"].items()) or "not found"
        lines.append(f"| {one['pool']} | {one['asked']} | {found} | {one['prada'] or 'not found'} |")
    fast = results["speed"]
    more = fast["with"] - fast["without"]
    lines += ["", f"One caller who asks singly, his memory full: a request through the application, without a "
              f"network, takes {fast['without'] * 1e6:.0f} µs with no guard and "
              f"{fast['with'] * 1e6:.0f} µs with it ({more / fast['with']:.0%} of the request). "
              "32 callers with new images: "
              f"{fast['guard alone'] * 1e6:.1f} µs a look "
              f"({fast['guard alone'] / fast['with']:.1%}).", "",
              f"Versions: hauberk {metadata.version('hauberk')}, torch {torch.__version__}; "
              f"{platform.machine()}.", ""]  # fmt: skip
    return "\n".join(lines)


def tenfold(one: dict[str, Any]) -> bool:
    return not one["success"] or one["accounts"] >= 10 or one["asked"] >= 10 * one["needed"]


def in_time(found: list[dict[str, Any]], who: str) -> int:
    return sum(one[who] is not None and one[who] < one["needed"] / 10 for one in found)


def share(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--honest", type=int, default=100_000)
    parser.add_argument("--peers", type=int, default=56, help="honest callers whom the two peers judge too")
    parser.add_argument("--adaptive", type=int, default=3, help="images for each family and way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recordings", type=Path, help="keep the recorded attacks here, and use them again")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "guard.json")
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = hauberk.load(args.model)
    data = hauberk.datasets.load("mnist", split="test")
    known = hauberk.datasets.load("mnist").images[:1000]
    with torch.no_grad():
        sample = known.numpy(), model(known).numpy()
    engine = Engine(model, 64)
    entry = SimpleNamespace(name="net", digest="model", engine=engine)
    if args.recordings is not None:
        args.recordings.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"settings": {"linf": LINF, "l2": EUCLID, "images": args.images}}
    results["speed"] = speed(
        model, data, lambda rack: rack.put("net", "1", "model", engine), sample, args.rounds
    )
    print(results["speed"], flush=True)
    results["thieves"] = thieves(hauberk.load(args.model), entry, sample)
    results["honest"] = honest(model, data, entry, sample, args.honest, args.peers)
    print(json.dumps(results["honest"], indent=1), flush=True)
    results["evasion"] = evasion(model, data, entry, sample, args.images, args.recordings)
    results["adaptive"] = adaptive(model, data, entry, sample, results["evasion"], args.adaptive)
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    text = table(results)
    print(text)
    if args.out == HERE / "results" / "guard.json":
        put(PAGE, "guard", text)


if __name__ == "__main__":
    main()
