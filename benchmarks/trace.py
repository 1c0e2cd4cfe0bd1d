"""Whose copy was it? Copies of a network after what leakers do to them, with 10,000 recipients.

    python benchmarks/trace.py             # after: hauberk run examples/mnist.toml; ten minutes on one core
    python benchmarks/trace.py --draw      # the table again from the record

Each treatment is tried on several coalitions among few recipients, to see how often it is survived, and once
among all 10,000, to see that nobody innocent is accused. Treatments that train are tried on one coalition.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from pages import put
from torch import Tensor

HERE = Path(__file__).parent
RECORD = HERE / "results" / "trace.json"
PAGE = HERE.parent / "docs" / "tracing.md"
RECIPIENTS = 10_000
COALITIONS = 20
FEW = 50
SEED = 0

Weights = dict[str, Tensor]


def averaged(copies: Sequence[Weights]) -> Weights:
    return {name: torch.stack([one[name] for one in copies]).mean(0) for name in copies[0]}


def stacked(choose: Callable[[Tensor], Tensor]) -> Callable[[Sequence[Weights]], Weights]:
    """A mixture made weight by weight, from all copies of it ``(copies, ...)``."""

    def mixed(copies: Sequence[Weights]) -> Weights:
        return {name: choose(torch.stack([one[name] for one in copies])) for name in copies[0]}

    return mixed


def by_tensor(copies: Sequence[Weights]) -> Weights:
    return {name: copies[place // 2 % len(copies)][name] for place, name in enumerate(copies[0])}


def by_weight(stack: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    return stack.gather(0, torch.randint(0, len(stack), (1, *stack.shape[1:]), generator=generator))[0]


def minority(stack: Tensor) -> Tensor:
    """Of three, whichever value the two others do not share."""
    return stack.amax(0) + stack.amin(0) - stack.median(0).values


def rounded(bits: int) -> Callable[[Weights], Weights]:
    def treat(weights: Weights) -> Weights:
        steps = {name: one.abs().max() / (2 ** (bits - 1) - 1) for name, one in weights.items()}
        return {name: (one / steps[name]).round() * steps[name] for name, one in weights.items()}

    return treat


def pruned(share: float) -> Callable[[Weights], Weights]:
    def treat(weights: Weights) -> Weights:
        made = {}
        for name, one in weights.items():
            limit = one.abs().flatten().kthvalue(max(1, int(share * one.numel()))).values
            made[name] = torch.where(one.abs() <= limit, 0.0, one) if one.ndim > 1 else one
        return made

    return treat


def noised(size: float) -> Callable[[Weights], Weights]:
    def treat(weights: Weights) -> Weights:
        generator = torch.Generator().manual_seed(SEED)
        return {
            name: one + size * one.square().mean().sqrt() * torch.randn(one.shape, generator=generator)
            for name, one in weights.items()
        }

    return treat


def disguised(weights: Weights) -> Weights:
    """Channels permuted and rescaled so that the answers stay."""
    generator = torch.Generator().manual_seed(SEED)
    made = dict(weights)
    for layer, after in itertools.pairwise(("0", "3", "7", "9")):
        order = torch.randperm(len(made[f"{layer}.bias"]), generator=generator)
        scale = (torch.rand(len(order), generator=generator) * 2 - 1).exp()
        for name in (f"{layer}.weight", f"{layer}.bias"):
            made[name] = made[name][order] * scale.view(-1, *[1] * (made[name].ndim - 1))
        following = made[f"{after}.weight"]
        blocks = following.view(len(following), len(order), -1)[:, order] / scale[:, None]
        made[f"{after}.weight"] = blocks.reshape(following.shape)
    return made


def then(*steps: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def treat(given: Any) -> Any:
        for step in steps:
            given = step(given)
        return given

    return treat


def first(copies: Sequence[Weights]) -> Weights:
    return copies[0]


# (what was done, how many colluders, how)
TREATMENTS: list[tuple[str, int, Callable[[Sequence[Weights]], Weights]]] = [
    ("nothing", 1, first),
    ("8 bits", 1, then(first, rounded(8))),
    ("4 bits", 1, then(first, rounded(4))),
    ("80 % pruned", 1, then(first, pruned(0.8))),
    ("95 % pruned", 1, then(first, pruned(0.95))),
    ("noise of 100 % of the weights", 1, then(first, noised(1.0))),
    ("channels permuted and rescaled", 1, then(first, disguised)),
    ("averaged", 3, averaged),
    ("averaged, 8 bits", 3, then(averaged, rounded(8))),
    ("averaged, 4 bits", 3, then(averaged, rounded(4))),
    ("averaged, 80 % pruned", 3, then(averaged, pruned(0.8))),
    ("averaged, noise of 25 % of the weights", 3, then(averaged, noised(0.25))),
    ("averaged, noise of 50 % of the weights", 3, then(averaged, noised(0.5))),
    ("averaged, 8 bits, permuted and rescaled", 3, then(averaged, rounded(8), disguised)),
    ("mixed by tensor", 3, by_tensor),
    ("mixed by weight", 3, stacked(by_weight)),
    ("lowest of each weight", 3, stacked(lambda stack: stack.amin(0))),
    ("majority of each weight", 3, stacked(lambda stack: stack.median(0).values)),
    ("minority of each weight", 3, stacked(minority)),
    ("minority, noise of 25 % of the weights", 3, then(stacked(minority), noised(0.25))),
    ("midway where copies differ", 3, stacked(lambda stack: (stack.amax(0) + stack.amin(0)) / 2)),
    ("averaged", 6, averaged),
    ("averaged", 12, averaged),
]


class Bench:
    """The original, its issuer and its judge."""

    def __init__(self, package: Path) -> None:
        import hauberk
        from hauberk.crypto.secret import Secret
        from hauberk.protection.trace.issuing import Issuer

        self.original = hauberk.load(package)
        self.key = Secret(bytes(range(32)))
        self.issuer = Issuer(self.original, self.key)
        self.test = hauberk.datasets.load("mnist", split="test")
        self.right = self.accuracy(self.original.weights())

    def copies(self, colluders: int, coalition: int) -> tuple[list[str], list[Weights]]:
        names = [f"recipient {one}" for one in range(coalition, coalition + colluders)]
        return names, [self.issuer.copy_for(one).weights() for one in names]

    def filled(self, weights: Weights) -> Any:
        made = copy.deepcopy(self.original)
        made.module.load_state_dict(weights)
        return made

    def accuracy(self, weights: Weights) -> float:
        from hauberk.models.training import accuracy

        return accuracy(self.filled(weights), self.test.images, self.test.labels)

    def judged(self, leaked: Weights, guilty: Sequence[str], recipients: int) -> dict[str, Any]:
        from hauberk.protection.trace.accusing import accuse
        from hauberk.protection.trace.code import Code
        from hauberk.protection.trace.reading import read_word

        plan, strength = self.issuer.plan, self.issuer.strength
        names = sorted({*guilty, *(f"recipient {one}" for one in range(recipients))})
        reading = read_word(leaked, self.original, self.key, plan, strength)
        code = Code(plan, self.key, self.original.digest)
        found = accuse(reading, code, names, max_false=plan.max_false)
        accused = [one.name for one in found if one.accused]
        innocent = [one for one in found if one.name not in guilty]
        return {
            "caught": sum(one in guilty for one in accused),
            "innocents": len(innocent),
            "innocents_accused": sum(one not in guilty for one in accused),
            "log10_p": min(one.log10_p for one in found if one.name in guilty),
            "innocent_log10_p": min(one.log10_p for one in innocent),
        }

    def row(self, what: str, colluders: int, treat: Callable[[Sequence[Weights]], Weights]) -> dict[str, Any]:
        names, copies = self.copies(colluders, 0)
        leaked = treat(copies)
        few = []
        for coalition in range(1, COALITIONS):
            others, theirs = self.copies(colluders, coalition)
            few.append(self.judged(treat(theirs), others, FEW))
        return self.told(what, colluders, leaked, self.judged(leaked, names, RECIPIENTS), few)

    def told(
        self, what: str, colluders: int, leaked: Weights, full: dict[str, Any], few: list[dict[str, Any]]
    ) -> dict[str, Any]:
        every = [full, *few]
        return {
            "treatment": what,
            "colluders": colluders,
            "accuracy": self.accuracy(leaked),
            "coalitions": len(every),
            "coalitions_caught": sum(one["caught"] > 0 for one in every),
            "caught_mean": statistics.mean(one["caught"] for one in every),
            "worst_log10_p": max(one["log10_p"] for one in every),
            "among_all": full,
            "innocents_accused": sum(one["innocents_accused"] for one in every),
        }

    def trained(self) -> Iterator[dict[str, Any]]:
        """One epoch on all training images, of a copy and of three averaged; as it is, and in 8 bits."""
        import hauberk
        from hauberk.models.training import TrainingPlan

        data = hauberk.datasets.load("mnist")
        for colluders in (1, 3):
            names, copies = self.copies(colluders, 0)
            plan = TrainingPlan(epochs=1, learning_rate=1e-3)
            tuned = hauberk.train(self.filled(averaged(copies)), data, plan, seed=SEED).weights()
            begin = "averaged, one epoch of training" if colluders > 1 else "one epoch of training"
            for what, treat in ((begin, None), (f"{begin}, 8 bits", rounded(8))):
                leaked = treat(tuned) if treat else tuned
                yield self.told(what, colluders, leaked, self.judged(leaked, names, RECIPIENTS), [])


def measured(package: Path, again: Sequence[str]) -> dict[str, Any]:
    """The record; with ``again``, the one there is with those rows measured anew whose treatment says so."""
    old = json.loads(RECORD.read_text("utf-8"))["rows"] if again else []
    kept = {(one["treatment"], one["colluders"]): one for one in old}
    kept = {key: one for key, one in kept.items() if not any(word in key[0] for word in again)}
    bench = Bench(package)
    copies = [bench.accuracy(bench.copies(1, one)[1][0]) for one in range(COALITIONS)]
    rows = []
    lessons = any("epoch" in word for word in again) or not again
    new = (kept.get(one[:2]) or bench.row(*one) for one in TREATMENTS)
    old_lessons = (one for one in kept.values() if "epoch" in one["treatment"])
    for one in itertools.chain(new, bench.trained() if lessons else old_lessons):
        rows.append(one)
        print(json.dumps(one), file=sys.stderr, flush=True)
    return {
        "question": (__doc__ or "").strip().splitlines()[0],
        "machine": f"{platform.machine()}, one core",
        "versions": {name: metadata.version(name) for name in ("hauberk", "torch")},
        "code": bench.issuer.plan.describe(),
        "strength": bench.issuer.strength,
        "weights": sum(one.numel() for one in bench.original.weights().values()),
        "accuracy": bench.right,
        "copies_accuracy": {"mean": statistics.mean(copies), "lowest": min(copies), "copies": len(copies)},
        "rows": rows,
    }


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    own = record["copies_accuracy"]
    lines = [
        "| colluders | what they did | accuracy | caught | accused | log10 p, worst | innocents accused |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in sorted(record["rows"], key=lambda one: one["colluders"]):
        lines.append(
            f"| {row['colluders']} | {row['treatment']} | {row['accuracy']:.1%} "
            f"| {row['coalitions_caught']} of {row['coalitions']} | {row['caught_mean']:.1f} "
            f"| {row['worst_log10_p']:.0f} | {row['innocents_accused']} of {row['among_all']['innocents']:,} |"
        )
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines += [
        "",
        f"The tutorial's network on MNIST, {record['weights']:,} weights, "
        f"{record['code']['length']:,} positions, strength {record['strength']}. "
        f"Accuracy on 10,000 test images: the original {record['accuracy']:.2%}, {own['copies']} copies "
        f"{own['mean']:.2%} on average and {own['lowest']:.2%} at least.",
        "Caught: coalitions of which at least one member is accused, at a p-value below 1e-10. "
        "Accused: members, on average. Worst: of the coalition whose most suspicious member looks least so; "
        "-39 is the least that is said. Training is one epoch of Adam at 1e-3 on the 60,000 images that the "
        f"model had learnt from; nothing is trained after pruning. {versions}; {record['machine']}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/mnist/undefended"), help="the package to copy")
    parser.add_argument(
        "--again", action="append", default=[], metavar="WORD", help="only rows that say so; repeatable"
    )
    parser.add_argument("--draw", action="store_true", help="the table from the record, and stop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.draw:
        RECORD.write_text(json.dumps(measured(options.model, options.again), indent=1) + "\n", "utf-8")
    text = render(json.loads(RECORD.read_text("utf-8")))
    put(PAGE, "tracing", text)
    print(text)


if __name__ == "__main__":
    main()
