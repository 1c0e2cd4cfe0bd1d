"""A server with everything on, asked for an hour at half of what it can: does its memory grow, does it fail?

    python benchmarks/soak.py                                  # an hour; other things may run beside it
    python benchmarks/soak.py --minutes 3 --out soak-small.json

The server of ``serving.py``: a vault, keys, every decision on disk, guard, metrics; 32 callers, each with a
turn of his own through images that come round again. Each minute says how many answers there were, what was
not 200, the latencies, and the memory of the server's process.

The goal: no growth of memory after the first ten minutes, and no error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import serving
from pages import put
from serving_load import Caller, asked

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "serving.md"
PER_S = 1500  # about half of what ``serving.py`` finds
SETTLED = 10  # minutes


class Paced(Caller):
    """One connection that asks in turns, whatever the last answer took."""

    def __init__(self, *arguments: Any, every_s: float) -> None:
        super().__init__(*arguments)
        self._every_s, self._due = every_s, time.perf_counter()

    def _send(self) -> None:
        self._due = max(self._due + self._every_s, time.perf_counter() - 1.0)  # a second behind is forgotten
        wait = self._due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, super()._send)
        else:
            super()._send()


def memory(pid: int) -> float:
    """MB that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmRSS")) / 1024


def served_by(port: int) -> int:
    """The process that listens there."""
    wanted = f":{port:04X}"
    rows = [one.split() for one in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inode = next(one[9] for one in rows if one[1].endswith(wanted) and one[3] == "0A")
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(one) == f"socket:[{inode}]" for one in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue
    raise RuntimeError("nobody listens")


async def soak(port: int, pid: int, folder: Path, minutes: int) -> list[dict[str, Any]]:
    """One row a minute."""
    request = (folder / "full.request").read_bytes()
    images = [one.tobytes() for one in np.load(folder / "images.npy")]
    keys = (folder / "keys").read_text().split()
    taken: list[tuple[float, float]] = []
    wrong: list[bytes] = []
    loop, rows = asyncio.get_running_loop(), []
    callers = []
    for number, key in enumerate(keys):
        own = asked(request, images, key, number * len(images) // len(keys))
        make = lambda own=own: Paced(own, taken, wrong, every_s=len(keys) / PER_S)  # noqa: E731
        callers.append((await loop.create_connection(make, "127.0.0.1", port))[1])
    for minute in range(minutes):
        await asyncio.sleep(60)
        times = np.array([one for _at, one in taken])
        rows.append(
            {
                "minute": minute + 1,
                "answers": len(times),
                "wrong": len(wrong),
                "first_wrong": wrong[0].decode("latin-1") if wrong else None,
                "p50_s": float(np.quantile(times, 0.5)) if len(times) else None,
                "p99_s": float(np.quantile(times, 0.99)) if len(times) else None,
                "memory_mb": memory(pid),
            }
        )
        taken.clear()
        wrong.clear()
        print(json.dumps(rows[-1]), flush=True)
        if not rows[-1]["answers"]:
            raise RuntimeError("the server does not answer any more")
    for caller in callers:
        caller.stop()
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    later = [one for one in rows if one["minute"] > SETTLED] or rows
    slope = np.polyfit([one["minute"] for one in later], [one["memory_mb"] for one in later], 1)[0]
    return {
        "minutes": len(rows),
        "answers": sum(one["answers"] for one in rows),
        "wrong": sum(one["wrong"] for one in rows),
        "per_s": sum(one["answers"] for one in rows) / (60 * len(rows)),
        "memory_mb": {
            "first": rows[0]["memory_mb"],
            "settled": later[0]["memory_mb"],
            "last": rows[-1]["memory_mb"],
            "most": max(one["memory_mb"] for one in rows),
        },
        "growth_mb_per_hour": float(slope * 60),
        "p50_s": float(np.median([one["p50_s"] for one in rows])),
        "p99_s": float(np.median([one["p99_s"] for one in rows])),
    }


def text(found: dict[str, Any]) -> str:
    memory_mb = found["memory_mb"]
    return (
        f"{found['minutes']} minutes, {found['per_s']:,.0f} requests a second, {found['answers']:,} answers, "
        f"{found['wrong']} of them wrong. Memory after the first minute {memory_mb['first']:.0f} MB, after "
        f"{SETTLED} minutes {memory_mb['settled']:.0f} MB, at the end {memory_mb['last']:.0f} MB: "
        f"{found['growth_mb_per_hour']:+.1f} MB an hour.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "soak.json")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        package, image, truth = serving.make_package(place)
        serving.make_house(place, package)
        serving.make_images(place)
        sent = serving.requests(image)["full"]
        (place / "full.request").write_bytes(sent)
        with serving.server("full", place, sent, truth) as port:
            rows = asyncio.run(soak(port, served_by(port), place, chosen.minutes))
    found = summary(rows)
    chosen.out.write_text(json.dumps({"summary": found, "minutes": rows}, indent=1) + "\n")
    print(text(found))
    if chosen.out == HERE / "results" / "soak.json":
        put(PAGE, "soak", text(found))


if __name__ == "__main__":
    main()
