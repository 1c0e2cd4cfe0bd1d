"""What the tests of workers carry out; workers import it by name."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from hauberk.core.errors import BudgetExceeded


def power(job: int, shared: int) -> int:
    return job**shared


def scaled(job: np.ndarray, shared: np.ndarray) -> np.ndarray:
    return job @ shared


def spoil(job: int, shared: list[int]) -> list[int]:
    """Breaks its promise not to change the payload."""
    shared.append(job)
    return shared


def over_budget(job: int, shared: Any) -> int:
    if job == 2:
        raise BudgetExceeded("no more questions", hint="ask less", spent=job)
    return job


class Peculiar(Exception):
    """Survives no pickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def peculiar(job: int, shared: Any) -> NoReturn:
    raise Peculiar(job, job)


def a_lock(job: int, shared: Any) -> Any:
    return threading.Lock()


def threads(job: int, shared: Any) -> tuple[int, int, str | None]:
    import torch

    return os.getpid(), torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


def die_once(job: int, shared: str) -> int:
    """Job 1 kills its process the first time; ``shared`` is a folder in which it remembers."""
    mark = Path(shared, "died")
    if job == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def die_always(job: int, shared: Any) -> int:
    if job == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def process(job: int, shared: str) -> int:
    """Leaves its process id in a folder; all but job 0 then wait to be stopped."""
    Path(shared, f"job-{job}").write_text(str(os.getpid()), "ascii")
    if job:
        threading.Event().wait(120)
    return job


def packed(package: Path) -> dict[str, bytes]:
    """A model package as a payload: its files, which carry their own digests."""
    return {
        str(file.relative_to(package)): file.read_bytes()
        for file in sorted(package.rglob("*"))
        if file.is_file()
    }


@contextlib.contextmanager
def unpacked(files: dict[str, bytes]) -> Iterator[Any]:
    """The classifier of such a payload."""
    import hauberk

    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        yield hauberk.load(folder)


def attack_shard(job: dict[str, np.ndarray], shared: dict[str, Any]) -> dict[str, np.ndarray]:
    """PGD on some samples; ``indices`` name their random streams, so the shard's size does not matter."""
    import torch

    import hauberk

    with unpacked(shared["package"]) as classifier:
        result = hauberk.attacks.PGD(steps=shared["steps"])(
            classifier,
            torch.from_numpy(job["images"]),
            torch.from_numpy(job["labels"]),
            hauberk.Linf(shared["eps"]),
            seed=shared["seed"],
            indices=torch.from_numpy(job["indices"]),
        )
    return {"success": result.success.numpy(), "candidates": result.candidates.numpy()}


def shard(data: Any, start: int, stop: int) -> dict[str, np.ndarray]:
    """Some samples of a data set as a job."""
    return {
        "images": data.images[start:stop].numpy(),
        "labels": data.labels[start:stop].numpy(),
        "indices": np.arange(start, stop),
    }


def attack_on_doomed_node(job: dict[str, np.ndarray], shared: dict[str, Any]) -> dict[str, np.ndarray]:
    """On the node that is to die, wait for its end; elsewhere, begin once somebody waits there."""
    import ray

    mark = Path(shared["folder"], "waiting")
    if ray.get_runtime_context().get_node_id() == shared["doomed"]:
        with mark.open("a", encoding="ascii") as file:
            file.write(f"{int(job['indices'][0])}\n")
        threading.Event().wait(300)
    tick = threading.Event()
    while not mark.exists():
        tick.wait(0.05)
    return attack_shard(job, shared)


def gpus(job: int, shared: Any) -> int:
    import ray

    return len(ray.get_gpu_ids())


def node(job: int, shared: Any) -> str:
    import ray

    name: str = ray.get_runtime_context().get_node_id()
    return name


def family(root: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening(root: int) -> set[str]:
    """Addresses, in the kernel's hexadecimal, at which a process and its descendants listen."""
    sockets = set()
    for pid in family(root):
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    sockets.add(os.readlink(file))
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return {line[1].partition(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}
