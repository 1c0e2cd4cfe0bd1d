"""How much a table loses, and how long it takes: Adult with k = 10, beside anonypy and a vectorised Mondrian.

Every result is measured by the same code, which shares nothing with any of them, and is refused unless k
holds. GCP is stated in both of its usual forms: leaves under a node by all leaves, 0 for a single one (``gcp``,
ours), and leaves less one by all leaves less one (``gcp_less_one``), in which anonypy's known figure is.

    HAUBERK_DATA=... python benchmarks/anonymity.py
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

import numpy as np
from pages import put

from hauberk.privacy.tables import Plan, Table, anonymize, hierarchies_of, read_table, write_table
from hauberk.privacy.tables.measure.groups import group

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "anonymity.md"
QUASI = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")
NUMBERS = ("age",)
K = 10
GOALS = {"hierarchy": (0.085, 0.5), "sets": (0.059, None), "a million rows": (None, 3.0)}

MILLION = """
import json, sys, time
from pathlib import Path
from hauberk.privacy.tables.job import Job, run
from hauberk.privacy.tables import Plan
def peak():
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
began = time.perf_counter()
record = run(Job(Path(sys.argv[1]), Path(sys.argv[2])), Plan(**json.loads(sys.argv[3])))
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "peak_bytes": peak(), "k": record.result["after"]["k"]}))
"""

Labels = np.ndarray[Any, np.dtype[np.intp]]


def plan(folder: Path, output: str) -> Plan:
    hierarchies = {name: str(folder / f"adult_hierarchy_{name}.csv") for name in QUASI}
    return Plan(quasi=QUASI, sensitive=("salary-class",), hierarchies=hierarchies, k=K, output=output)


def ours(table: Table, one: Plan) -> tuple[Table, Labels]:
    """Reading the hierarchies included."""
    made = anonymize(table, one, hierarchies_of(table, one))
    return made.table, made.kept


def by_anonypy(table: Table) -> Labels:
    """The partition that anonypy finds, as a number for each row."""
    import pandas
    from anonypy.mondrian import Mondrian

    frame = pandas.DataFrame({name: table[name].texts() for name in (*QUASI, "salary-class")})
    for name in frame.columns:
        frame[name] = frame[name].astype(int) if name in NUMBERS else frame[name].astype("category")
    labels = np.zeros(len(frame), np.intp)
    for number, rows in enumerate(Mondrian(frame, list(QUASI), "salary-class").partition(k=K)):
        labels[np.asarray(rows)] = number
    return labels


def by_mondrian(table: Table) -> Labels:
    """Strict Mondrian, all groups of a round at once, each cut at the median of its widest attribute."""
    columns = []
    for name in QUASI:
        values = table[name].values
        keys = [float(text) for text in values] if name in NUMBERS else list(values)
        order = sorted(range(len(values)), key=keys.__getitem__)
        columns.append(np.argsort(order)[table[name].codes])
    widths = [int(one.max()) + 1 for one in columns]
    labels = np.zeros(len(table), np.intp)
    while True:
        groups = int(labels.max()) + 1
        best, cut, chosen = np.full(groups, -1.0), np.zeros(groups, int), np.full(groups, -1)
        for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
            counts = np.bincount(labels * width + column, minlength=groups * width).reshape(groups, width)
            left = counts.cumsum(1)
            smaller = np.minimum(left, left[:, -1:] - left)
            at = smaller.argmax(1)
            spread = np.where(smaller.max(1) >= K, ((counts > 0).sum(1) - 1) / (width - 1), -1.0)
            better = spread > best
            best, cut, chosen = (
                np.where(better, spread, best),
                np.where(better, at, cut),
                np.where(better, number, chosen),
            )
        splitting = np.flatnonzero(chosen >= 0)
        if not len(splitting):
            return labels
        new = np.full(groups, -1)
        new[splitting] = groups + np.arange(len(splitting))
        own = np.stack(columns)[np.maximum(chosen[labels], 0), np.arange(len(table))]
        labels = np.where((chosen[labels] >= 0) & (own > cut[labels]), new[labels], labels)


def losses(table: Table, labels: Labels) -> dict[str, float]:
    """Of a partition published as sets and ranges, in both forms."""
    groups = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=groups)
    whole, less = [], []
    for name in QUASI:
        codes, width = table[name].codes, len(table[name].values)
        if name in NUMBERS:
            numbers = np.array([float(text) for text in table[name].values])[codes]
            low, high = np.full(groups, np.inf), np.full(groups, -np.inf)
            np.minimum.at(low, labels, numbers)
            np.maximum.at(high, labels, numbers)
            lost = (high - low) / (numbers.max() - numbers.min())
            both = lost, lost
        else:
            inside = np.bincount(np.unique(labels * width + codes) // width, minlength=groups)
            both = np.where(inside > 1, inside / width, 0), (inside - 1) / (width - 1)
        whole.append(both[0] @ sizes / len(labels))
        less.append(both[1] @ sizes / len(labels))
    return {"gcp": float(np.mean(whole)), "gcp_less_one": float(np.mean(less)), "k": int(sizes.min())}


def hierarchy_losses(table: Table, published: Table, one: Plan) -> dict[str, float]:
    """Of nodes, counted from the hierarchies' files; a row left out lost everything."""
    whole, less = [], []
    for name in QUASI:
        under: dict[str, set[str]] = {}
        for path in Path(one.hierarchies[name]).read_text("utf-8").splitlines():
            for label in path.split(";"):
                under.setdefault(label, set()).add(path.split(";")[0])
        every = len(under["*"])
        sizes = np.array([len(under[cell]) for cell in published[name].values])[published[name].codes]
        missing = len(table) - len(published)
        whole.append((np.where(sizes > 1, sizes / every, 0).sum() + missing) / len(table))
        less.append(((sizes - 1).sum() / (every - 1) + missing) / len(table))
    k = int(group(published, QUASI).sizes.min())
    return {"gcp": float(np.mean(whole)), "gcp_less_one": float(np.mean(less)), "k": k}


def labels_of(table: Table, published: Table, kept: Labels) -> Labels:
    """The class of every published row, by its cells; -1 where a row was left out."""
    keys = np.unique(np.stack([published[name].codes for name in QUASI]), axis=1, return_inverse=True)[1]
    labels = np.full(len(table), -1)
    labels[kept] = keys
    return labels


def timed(call: Callable[[], Any], rounds: int) -> tuple[Any, list[float]]:
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
    return result, seconds


def million(table: Table, folder: Path, rows: int) -> dict[str, Any]:
    """Adult drawn with replacement, from file to file in a fresh process, measure included."""
    drawn = table.take(np.random.default_rng(0).integers(0, len(table), rows))
    settings = json.dumps(
        {key: value for key, value in vars(plan(folder, "hierarchy")).items() if key != "presence"}
    )
    with tempfile.TemporaryDirectory() as place:
        source = write_table(Path(place) / "in.csv", drawn, delimiter=";")
        said = subprocess.run(
            [sys.executable, "-c", MILLION, str(source), str(Path(place) / "out.csv"), settings],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return {"rows": rows, "file_bytes": source.stat().st_size, **json.loads(said.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HAUBERK_DATA", "data")) / "adult")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "anonymity.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # anonypy's, about pandas
    table = read_table(arguments.data / "adult.csv")
    results: dict[str, Any] = {}
    for output in ("hierarchy", "sets"):
        one = plan(arguments.data, output)
        (published, kept), seconds = timed(lambda one=one: ours(table, one), arguments.rounds)  # type: ignore[misc]
        if output == "hierarchy":
            found = hierarchy_losses(table, published, one)
        else:
            found = losses(table.take(kept), labels_of(table, published, kept)[kept])
            missing = (len(table) - len(kept)) / len(table)
            found = {
                key: value * (1 - missing) + missing if key != "k" else value for key, value in found.items()
            }
        results[output] = {**found, "seconds": seconds, "suppressed": len(table) - len(kept)}
    for name, call, rounds in (("mondrian", by_mondrian, arguments.rounds), ("anonypy", by_anonypy, 1)):
        labels, seconds = timed(lambda call=call: call(table), rounds)  # type: ignore[misc]
        results[name] = {**losses(table, labels), "seconds": seconds, "suppressed": 0}
    if min(one["k"] for one in results.values()) < K:
        raise SystemExit("one of them does not hold k")
    record = {
        "rows": len(table), "k": K, "results": results,
        "many": [million(table, arguments.data, rows) for rows in (100_000, 1_000_000)],
        "goals": GOALS,
        "versions": {name: metadata.version(name) for name in ("hauberk", "numpy", "pyarrow", "anonypy")},
        "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
    }  # fmt: skip
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(DOCS, "anonymity", text)
    print(text)


NAMES = {
    "hierarchy": "Hauberk, hierarchy values", "sets": "Hauberk, value sets",
    "mondrian": "a vectorised Mondrian in numpy, value sets", "anonypy": "anonypy, value sets",
}  # fmt: skip


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["| | seconds (range) | GCP | GCP, less one | left out |", "| --- | ---: | ---: | ---: | ---: |"]
    for name, one in record["results"].items():
        low, high, middle = min(one["seconds"]), max(one["seconds"]), statistics.median(one["seconds"])
        spread = f"{middle:.2f} ({low:.2f}–{high:.2f})" if len(one["seconds"]) > 1 else f"{middle:.1f}"
        lines.append(
            f"| {NAMES[name]} | {spread} | {one['gcp']:.4f} | {one['gcp_less_one']:.4f} | {one['suppressed']} |"
        )
    lines += [
        "",
        "| from file to file, measured | seconds | peak memory | size of the file |",
        "| --- | ---: | ---: | ---: |",
    ]
    for one in record["many"]:
        sizes = f"{one['peak_bytes'] / 1e6:.0f} MB | {one['file_bytes'] / 1e6:.0f} MB"
        lines.append(f"| {one['rows']:,} rows | {one['seconds']:.2f} | {sizes} |")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['platform']}, {record['machine']['cores']} cores"
    lines += [
        "",
        f"{record['rows']:,} rows, {len(QUASI)} quasi-identifiers, k = {record['k']}. {versions}; {machine}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
