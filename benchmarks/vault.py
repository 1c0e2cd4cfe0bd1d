"""Push and pull beside a plain copy and a hash of the same bytes, in one run; then access decisions.

    python benchmarks/vault.py                  # 1 GiB, five rounds; nothing else should run
    python benchmarks/vault.py --mib 128 --rounds 3 --out results/vault-small.json

All take turns within a round, in one folder, from pages that are in the cache; every writer waits until the
disk has its bytes (fsync). The limit is what cannot be left out: one plain copy of the weights and one
SHA-256 of them, one after the other. The copy that hashes at the same time on the second core is shown too.
Before the clock starts, what was pulled is compared with what was pushed.

Push does more than the limit: it scans the package, which is a SHA-256 of its own, encrypts, writes to the
database and the ledger. Pull decrypts, hashes, and checks the ledger's proof. The goal: no less than 0.7 of
the limit's speed.

Decisions of access are measured by ``benchmarks/decisions.py``.
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put
from sealing import make_package

from hauberk.core.manifest import WEIGHTS
from hauberk.vault import Vault, create_vault, pull, push

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "vault.md"
GOAL = 0.7
PIECE = 4 << 20


def copy(source: Path, target: Path, hashed: bool = False) -> None:
    """A plain copy through two buffers, with or without a hash on another thread."""
    digest = hashlib.sha256()
    buffers = [memoryview(bytearray(PIECE)) for _ in range(3)]
    waiting: list[Future[None] | None] = [None] * 3
    with open(source, "rb", 0) as read, open(target, "wb", 0) as write, ThreadPoolExecutor(1) as pool:
        turn = 0
        while True:
            place = turn % 3
            earlier = waiting[place]
            if earlier is not None:
                earlier.result()
            size = read.readinto(buffers[place])
            if not size:
                break
            if hashed:
                waiting[place] = pool.submit(digest.update, buffers[place][:size])
            write.write(buffers[place][:size])
            turn += 1
        os.fsync(write.fileno())


def hash_file(path: Path) -> None:
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256")


def contenders(folder: Path, package: Path, vault: Vault) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; ``clear`` takes away what it wrote."""
    weights = package / WEIGHTS
    return {
        "plain copy": lambda: copy(weights, folder / "copy"),
        "SHA-256": lambda: hash_file(weights),
        "copy and SHA-256 at once": lambda: copy(weights, folder / "copy", hashed=True),
        "push": lambda: push(vault, package, "model"),
        "pull": lambda: pull(vault, "model", folder / "pulled"),
    }


def clear(folder: Path, vault: Vault, everything: bool) -> None:
    """Files and blobs go, so that the next one writes anew; the blobs stay for a pull."""
    (folder / "copy").unlink(missing_ok=True)
    shutil.rmtree(folder / "pulled", ignore_errors=True)
    if everything:
        shutil.rmtree(vault.folder / "artifacts")
        (vault.folder / "artifacts").mkdir()


def measure(folder: Path, package: Path, vault: Vault, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, round by round."""
    calls = contenders(folder, package, vault)
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if number:  # the first round is for caches and imports
                found[name].append(time.perf_counter() - began)
            elif name == "pull":
                assert filecmp.cmp(package / WEIGHTS, folder / "pulled" / WEIGHTS, shallow=False)
            clear(folder, vault, everything=name == "pull")
    return found


def ratios(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Speed of push and pull in parts of the limit's, round by round."""
    limit = [sum(pair) for pair in zip(seconds["plain copy"], seconds["SHA-256"], strict=True)]
    at_once = seconds["copy and SHA-256 at once"]
    found = {}
    for name in ("push", "pull"):
        for what, base in (("limit", limit), ("copy and SHA-256 at once", at_once)):
            each = [lowest / own for lowest, own in zip(base, seconds[name], strict=True)]
            found[f"{name} / {what}"] = {
                "median": statistics.median(each),
                "lowest": min(each),
                "highest": max(each),
                "goal": GOAL if what == "limit" else None,
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the files go [default: temporary]")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "vault.json")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        package, _tensors = make_package(folder, arguments.mib)
        del _tensors
        with create_vault(folder / "vault") as vault:
            seconds = measure(folder, package, vault, arguments.rounds)
        record = {
            "size_bytes": (package / WEIGHTS).stat().st_size,
            "rounds": arguments.rounds,
            "seconds": seconds,
            "ratios": ratios(seconds),
            "versions": {name: metadata.version(name) for name in ("hauberk", "cryptography", "sqlalchemy")},
            "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(PAGE, "vault", text)
    print(text)


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["| speed | ratio (range) | goal |", "| --- | ---: | ---: |"]
    for name, one in record["ratios"].items():
        goal = one["goal"] or ""
        lines.append(f"| {name} | {one['median']:.2f} ({one['lowest']:.2f}–{one['highest']:.2f}) | {goal} |")
    lines += ["", "| | s, median |", "| --- | ---: |"]
    lines += [f"| {name} | {statistics.median(each):.2f} |" for name, each in record["seconds"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['platform']}, {record['machine']['cores']} cores"
    lines += ["", f"{record['size_bytes'] / 2**20:.0f} MiB, {record['rounds']} rounds. {versions}; {machine}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
