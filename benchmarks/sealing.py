"""Sealing and opening beside cryptotensors, plain safetensors and raw AES, in one run.

    pip install cryptotensors==0.2.3
    python benchmarks/sealing.py                  # 512 MiB, five rounds; nothing else should run
    python benchmarks/sealing.py --mib 128 --rounds 3 --out results/sealing-small.json

All contenders take turns within a round and work on the same tensors, in files of the same folder, which stay
in the page cache. Before the clock starts, everybody's tensors are compared with the originals. Peak memory is
the growth of a fresh process's resident set over what it had before, divided by the tensors' size.

The goals: opening at least 1.2 times as fast as cryptotensors opens its own file and 0.9 of safetensors load
and copy; sealing at least 20 times as fast as cryptotensors saves and 0.6 of what ``openssl speed`` says of two
cores; peak memory at most 1.15 times the tensors. Ours waits until the disk has the file (fsync), the peers do
not; with --folder on a file system in memory that costs nothing. Sealing stands here twice: as the package does
it, comparing the weights with their SHA-256 in the same pass, and without, which is what the peer does.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import README, put

HERE = Path(__file__).parent
LAYER = 2048  # a square layer of 16 MiB
GOALS = {
    "open / cryptotensors open": 1.2,
    "open / safetensors load + copy": 0.9,
    "seal / cryptotensors save": 20.0,
    "seal / openssl, two processes": 0.6,
}
MOST_MEMORY = 1.15

PEAK = """
import sys
from pathlib import Path
from hauberk.crypto import age
from hauberk.protection.seal import {name}
key = age.read_identities(sys.argv[2])
def status(field):
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(field))
    return int(line.split()[1]) * 1024
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
kept = {name}(sys.argv[1], key)
print(status("VmHWM") - before)
"""


def make_package(folder: Path, mib: int) -> tuple[Path, Any]:
    """A network of ``mib`` MiB, saved as a package; its tensors."""
    import torch

    import hauberk
    from hauberk.models import Classifier
    from hauberk.models.architectures import build

    count = max(2, mib // 16)
    args = {"hidden": [LAYER] * count}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build("mlp", (1, 8, 8), 10, args)
    model = Classifier(module, input_shape=(1, 8, 8), labels=10, architecture={"name": "mlp", "args": args})
    hauberk.save(model, folder / "package")
    return folder / "package", model.weights()


def jwk() -> tuple[dict[str, str], dict[str, str]]:
    """Keys as cryptotensors takes them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    sign = Ed25519PrivateKey.generate()
    return (
        {"kty": "oct", "kid": "e", "alg": "aes256gcm", "k": text(os.urandom(32))},
        {
            "kty": "okp", "kid": "s", "alg": "ed25519",
            "x": text(sign.public_key().public_bytes_raw()), "d": text(sign.private_bytes_raw()),
        },
    )  # fmt: skip


def openssl_speed() -> float | None:
    """GB/s of AES-256-GCM in two processes, from OpenSSL's own command; None where there is none."""
    command = ["openssl", "speed", "-elapsed", "-seconds", "2", "-bytes", str(1 << 20), "-multi", "2"]
    try:
        said = subprocess.run([*command, "-evp", "aes-256-gcm"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.findall(r"([\d.]+)k\s*$", said.stdout.strip())
    return float(found[-1]) * 1000 / 1e9 if found else None


def contenders(folder: Path, package: Path, tensors: Any) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; each returns its tensors or None."""
    import cryptotensors
    import cryptotensors.torch
    import safetensors.torch

    from hauberk.crypto import age
    from hauberk.protection.seal import check, open_model, open_tensors, seal

    identity = age.generate()
    age.write_key(folder / "key", identity)
    enc, sign = jwk()
    cryptotensors.register_direct_key_provider(keys=[enc, sign])
    recipients, identities = [identity.recipient], [identity]

    def sealed(check_digests: bool) -> None:
        out = folder / "model.sealed"
        seal(package, out, recipients, overwrite=True, check_digests=check_digests)

    def saved() -> None:
        config = {"enc_key": enc, "sign_key": sign}
        cryptotensors.torch.save_file(tensors, str(folder / "model.ct"), config=config)

    def copied() -> Any:
        loaded = safetensors.torch.load_file(package / "weights.safetensors")
        return {name: tensor.clone() for name, tensor in loaded.items()}

    return {
        "seal": lambda: sealed(False),
        "seal, digests compared": lambda: sealed(True),
        "cryptotensors save": saved,
        "open": lambda: open_tensors(folder / "model.sealed", identities),
        "open as a model": lambda: dict(open_model(folder / "model.sealed", identities).module.state_dict()),
        "check": lambda: check(folder / "model.sealed", identities) and None,
        "cryptotensors open": lambda: cryptotensors.torch.load_file(str(folder / "model.ct")),
        "safetensors load + copy": copied,
    }


def compare(name: str, found: Any, tensors: Any) -> None:
    """Refuse to time what does not give the same tensors."""
    import torch

    if found is None:
        return
    if found.keys() != tensors.keys() or not all(torch.equal(found[one], tensors[one]) for one in tensors):
        raise SystemExit(f"{name} gave other tensors")


def measure(calls: dict[str, Callable[[], Any]], rounds: int, size: int) -> dict[str, list[float]]:
    """GB/s of each contender in each round, and of OpenSSL beside them."""
    speeds: dict[str, list[float]] = {}
    for turn in range(rounds):
        raw = openssl_speed()
        if raw is not None:
            speeds.setdefault("openssl, two processes", []).append(raw)
        for name, call in calls.items():
            began = time.perf_counter()
            result = call()
            seconds = time.perf_counter() - began
            del result
            speeds.setdefault(name, []).append(size / seconds / 1e9)
            print(f"round {turn + 1}: {name:26} {speeds[name][-1]:6.2f} GB/s", file=sys.stderr)
    return speeds


def peak(name: str, folder: Path, size: int) -> float:
    """Growth of a fresh process's memory, in units of the tensors."""
    code = PEAK.format(name=name)
    said = subprocess.run(
        [sys.executable, "-c", code, str(folder / "model.sealed"), str(folder / "key")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(said.stdout) / size


def ratios(speeds: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Of each goal: the median over the rounds, with the lowest and the highest."""
    found = {}
    for name, goal in GOALS.items():
        ours, theirs = name.split(" / ")
        if theirs in speeds:
            each = [a / b for a, b in zip(speeds[ours], speeds[theirs], strict=True)]
            found[name] = {
                "median": statistics.median(each), "lowest": min(each), "highest": max(each),
                "goal": goal, "reached": statistics.median(each) >= goal,
            }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the files go [default: temporary]")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "sealing.json")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        package, tensors = make_package(folder, arguments.mib)
        size = sum(one.numel() * one.element_size() for one in tensors.values())
        calls = contenders(folder, package, tensors)
        for name, call in calls.items():  # once without the clock: files exist, pages are warm
            compare(name, call(), tensors)
        speeds = measure(calls, arguments.rounds, size)
        memory = {name: peak(name, folder, size) for name in ("open_tensors", "open_model", "check")}
        record = {
            "size_bytes": size,
            "rounds": arguments.rounds,
            "gb_per_s": speeds,
            "ratios": ratios(speeds),
            "peak_memory": {"unit": "size of the tensors", "goal": MOST_MEMORY, **memory},
            "versions": {
                name: metadata.version(name)
                for name in ("hauberk", "torch", "safetensors", "cryptography", "cryptotensors")
            },
            "machine": {"platform": platform.machine(), "cores": os.cpu_count()},
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    put(README, "sealing", text)
    print(text)


def render(record: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["| | ratio (range) | goal |", "| --- | ---: | ---: |"]
    for name, one in record["ratios"].items():
        lines.append(
            f"| {name} | {one['median']:.2f} ({one['lowest']:.2f}–{one['highest']:.2f}) | {one['goal']} |"
        )
    for name in ("open_tensors", "open_model", "check"):
        one = record["peak_memory"]
        lines.append(f"| peak memory of `{name}` in sizes of the tensors | {one[name]:.2f} | {one['goal']} |")
    lines += ["", "| | GB/s, median |", "| --- | ---: |"]
    lines += [f"| {name} | {statistics.median(each):.2f} |" for name, each in record["gb_per_s"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['machine']['platform']}, {record['machine']['cores']} cores"
    lines += ["", f"{record['size_bytes'] / 2**20:.0f} MiB, {record['rounds']} rounds. {versions}; {machine}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
