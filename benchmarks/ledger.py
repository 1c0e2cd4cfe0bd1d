"""Appending to the ledger and proving, beside pymerkle and beside what the disk allows, in one run.

    pip install pymerkle==7.0.0
    python benchmarks/ledger.py                      # the comparison, about two minutes
    python benchmarks/ledger.py --large 10000000 --folder big    # and one of ten million entries, which stays

Everything is durable: ours in SQLite with a write-ahead log and full synchronisation, pymerkle in SQLite as it
sets it up (full synchronisation too). After each append both give the root that a reader would be shown; ours
signs it as well. Both hold the same entries, and their roots are compared before the clock starts. The disk's
own limit is a loop that writes one entry and calls fsync. What the processor allows is measured a second time
in a folder in memory (--memory), where fsync costs nothing.

The goals: 5,000 entries a second in batches, 300 one by one or what the disk allows, ten times pymerkle, and a
proof out of ten million entries in 5 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "ledger.md"
BATCH = 1000
BULK = 50_000
ROUNDS = 3
PLACES = ("disk", "memory")
GOALS = {"batches": 5000, "one by one": 300, "pymerkle": 10, "proof_ms": 5}


def entry(number: int) -> bytes:
    """As long as a statement is."""
    return b'{"kind":"evaluation","number":%020d,"text":"%0380d"}' % (number, number)


def entries(first: int, count: int) -> list[bytes]:
    return [entry(one) for one in range(first, first + count)]


def rate(step: Callable[[], int], seconds: float) -> float:
    """How many entries a second, for about as long as is asked for."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += step()
    return done / (time.perf_counter() - began)


def fsync_rate(folder: Path, seconds: float) -> float:
    """One entry written and on disk, again and again."""
    data = entry(0)
    with open(folder / "fsync", "wb", buffering=0) as file:

        def step() -> int:
            file.write(data)
            os.fsync(file.fileno())
            return 1

        return rate(step, seconds)


class Ours:
    """The ledger."""

    def __init__(self, folder: Path) -> None:
        from hauberk.ledger.checkpoint import peek
        from hauberk.ledger.opening import create_ledger, open_log

        there = (folder / "ours").exists()
        self.log = open_log(folder / "ours") if there else create_ledger(folder / "ours")
        self.size = peek(self.log.head()).size

    def add(self, count: int) -> int:
        self.log.append(entries(self.size, count))
        self.size += count
        return count

    def root(self) -> bytes:
        from hauberk.ledger.checkpoint import peek

        return peek(self.log.head()).root

    def prove(self, index: int) -> Any:
        from hauberk.ledger.merkle import inclusion

        return inclusion(index, self.size, self.log.hashes)

    def check(self, index: int, proof: Any) -> None:
        from hauberk.ledger.checking import verify_inclusion
        from hauberk.ledger.hashing import leaf_hash

        verify_inclusion(leaf_hash(entry(index)), index, self.size, proof, self.root())

    def close(self) -> None:
        self.log.close()


class Theirs:
    """pymerkle's tree in SQLite."""

    def __init__(self, folder: Path) -> None:
        from pymerkle import SqliteTree

        self.tree = SqliteTree(str(folder / "theirs.sqlite"))
        self.size = self.tree.get_size()

    def add(self, count: int) -> int:
        if count == 1:
            self.tree.append_entry(entry(self.size))
        else:
            self.tree.append_entries(entries(self.size, count), chunksize=count)
        self.size += count
        self.tree.get_root()
        return count

    def root(self) -> bytes:
        return bytes(self.tree.get_root())

    def prove(self, index: int) -> Any:
        return self.tree.prove_inclusion(index + 1)

    def check(self, index: int, proof: Any) -> None:
        from pymerkle import verify_inclusion

        verify_inclusion(self.tree.get_leaf(index + 1), self.tree.get_root(), proof)

    def close(self) -> None:
        self.tree.close()


def milliseconds(one: Ours | Theirs, places: list[int]) -> list[float]:
    """Of each proof."""
    found = []
    for index in places:
        began = time.perf_counter()
        one.prove(index)
        found.append((time.perf_counter() - began) * 1000)
    return found


def first_milliseconds(kind: type[Ours] | type[Theirs], folder: Path, places: list[int]) -> list[float]:
    """Of the first proof after a log was opened, as a command makes it."""
    found = []
    for index in places:
        one = kind(folder)
        found += milliseconds(one, [index])
        one.close()
    return found


def compare(folder: Path, base: int, seconds: float) -> dict[str, Any]:
    """Both on logs of ``base`` entries in this folder."""
    ours, theirs = Ours(folder), Theirs(folder)
    try:
        for one in (ours, theirs):
            while one.size < base:
                one.add(min(BULK, base - one.size))
        if ours.root() != theirs.root():
            raise SystemExit("the two trees differ")
        chance = random.Random(0)  # noqa: S311
        places = [chance.randrange(base) for _ in range(300)]
        for index in places[:20]:
            for one in (ours, theirs):
                one.check(index, one.prove(index))
        proofs = {"ours": milliseconds(ours, places), "pymerkle": milliseconds(theirs, places)}
        for name, kind in (("ours", Ours), ("pymerkle", Theirs)):
            proofs[f"{name}, just opened"] = first_milliseconds(kind, folder, places[:9])
        found: dict[str, Any] = {"proof_ms": proofs, "rounds": []}
        for _ in range(ROUNDS):
            found["rounds"].append(
                {
                    "fsync": fsync_rate(folder, seconds),
                    "ours one by one": rate(lambda: ours.add(1), seconds),
                    "pymerkle one by one": rate(lambda: theirs.add(1), seconds),
                    "ours in batches": rate(lambda: ours.add(BATCH), seconds),
                    "pymerkle in batches": rate(lambda: theirs.add(BATCH), seconds),
                }
            )
            print(json.dumps(found["rounds"][-1]), file=sys.stderr)
        return found
    finally:
        ours.close()
        theirs.close()


def resident() -> int:
    """Bytes of this process in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmRSS")


def grow(folder: Path, size: int) -> Iterator[dict[str, float]]:
    """Fill a log in bulk, and tell memory and speed for each tenth."""
    ours = Ours(folder)
    began, tenth = time.perf_counter(), size // 10
    while ours.size < size:
        ours.add(min(BULK, size - ours.size))
        if ours.size % tenth < BULK:
            taken = time.perf_counter() - began
            yield {"size": ours.size, "rss_bytes": resident(), "per_s": ours.size / taken}
    ours.close()


def large(folder: Path, size: int) -> dict[str, Any]:
    """Growing to ``size`` entries, unless that was done, and proofs out of it by a log that was opened anew."""
    kept = folder / f"growth-{size}.json"
    if not kept.exists():
        growth = []
        for one in grow(folder, size):
            growth.append(one)
            print(json.dumps(one), file=sys.stderr)
        kept.write_text(json.dumps(growth))
    reopened = Ours(folder)
    chance = random.Random(1)  # noqa: S311
    places = [chance.randrange(size) for _ in range(1000)]
    for index in places[:5]:
        reopened.check(index, reopened.prove(index))
    times = milliseconds(reopened, places)
    batches = rate(lambda: reopened.add(BATCH), 3.0)
    reopened.close()
    return {
        "size": size,
        "growth": json.loads(kept.read_text()),
        "file_bytes": (folder / "ours" / "ledger.sqlite").stat().st_size,
        "proof_ms": summary(times),
        "batches_per_s": batches,
    }


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "p99": ordered[int(len(ordered) * 0.99)],
        "highest": ordered[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=200_000, help="entries before the comparison")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--large", type=int, default=0, help="entries of the large log [default: not built]")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure [default: temporary]")
    memory = Path("/dev/shm")  # noqa: S108
    parser.add_argument("--memory", type=Path, default=memory, help="a folder in memory")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "ledger.json")
    arguments = parser.parse_args()
    record = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    folders = {
        name: Path(tempfile.mkdtemp(dir=place))
        for name, place in (("disk", arguments.folder), ("memory", arguments.memory))
    }
    try:
        if arguments.large:
            record["large"] = large(arguments.folder or folders["disk"], arguments.large)
        else:
            for name in PLACES:
                found = compare(folders[name], arguments.base, arguments.seconds)
                found["proof_ms"] = {one: summary(each) for one, each in found["proof_ms"].items()}
                record[name] = found
        record |= {
            "base": arguments.base,
            "batch": BATCH,
            "entry_bytes": len(entry(0)),
            "versions": {one: metadata.version(one) for one in ("hauberk", "sqlalchemy", "pymerkle")},
            "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
        }
    finally:
        for one in folders.values():
            shutil.rmtree(one, ignore_errors=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(PAGE, "ledger", text)
    print(text)


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = []
    if "disk" in record:
        lines += ["| entries a second | on disk | in memory |", "| --- | ---: | ---: |"]
        for name in record["disk"]["rounds"][0]:
            medians = [statistics.median(one[name] for one in record[at]["rounds"]) for at in PLACES]
            lines.append(f"| {name} | {medians[0]:,.0f} | {medians[1]:,.0f} |")
        for how in ("one by one", "in batches"):
            ratios = [
                statistics.median(one[f"ours {how}"] / one[f"pymerkle {how}"] for one in record[at]["rounds"])
                for at in PLACES
            ]
            lines.append(f"| ours / pymerkle, {how} | {ratios[0]:.1f} | {ratios[1]:.1f} |")
        times = [record[at]["proof_ms"] for at in PLACES]
        for who in times[0]:
            shown = " | ".join(f"{one[who]['median']:.2f} ms" for one in times)
            lines.append(f"| a proof out of {record['base']:,}, {who} | {shown} |")
        for how in ("", ", just opened"):
            shown = " | ".join(
                f"{one[f'pymerkle{how}']['median'] / one[f'ours{how}']['median']:.1f}" for one in times
            )
            lines.append(f"| proving{how}, ours / pymerkle | {shown} |")
        lines.append("")
    if "large" in record:
        big = record["large"]
        first, last = big["growth"][0], big["growth"][-1]
        lines += [
            f"| a log of {big['size']:,} entries | |",
            "| --- | ---: |",
            f"| a proof: median, 99 of 100, slowest of 1,000 | {big['proof_ms']['median']:.2f}, "
            f"{big['proof_ms']['p99']:.2f}, {big['proof_ms']['highest']:.2f} ms |",
            f"| appending to it in batches of {record['batch']:,} | {big['batches_per_s']:,.0f} a second |",
            f"| memory at {first['size']:,} and at {last['size']:,} entries | "
            f"{first['rss_bytes'] / 1e6:.0f} and {last['rss_bytes'] / 1e6:.0f} MB |",
            f"| growing, in bulk of {BULK:,} | {last['per_s']:,.0f} a second |",
            f"| size of the database | {big['file_bytes'] / 1e9:.2f} GB |",
            "",
        ]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['platform']}, {record['machine']['cores']} cores"
    lines.append(
        f"Entries of {record['entry_bytes']} bytes, batches of {record['batch']:,}. {versions}; {machine}."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
