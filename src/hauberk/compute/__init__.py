"""Where work runs: this process, processes of this machine, or a Ray cluster.

    from hauberk.compute import workers
    for number, result in workers("4").map(function, jobs, shared=payload):
        ...

One interface, ``Workers``, and three ways to carry it out. Nothing here knows what a job is; jobs that are
independent of each other, and of who runs them, give the same results everywhere. There is no scheduler and no
queue here: the standard library's process pool and Ray have theirs. Ray is loaded when it is used.

Training is one job for several at once: ``trainers("ray:2")`` is a group that Ray Train looks after.
"""

from __future__ import annotations

from hauberk.compute.cluster import Ray
from hauberk.compute.processes import Processes
from hauberk.compute.training import Left, Member, RayTrain, WorkerLost
from hauberk.compute.workers import Here, Workers
from hauberk.core.errors import ConfigError

FORMS = "1 (this process), 4 (processes), ray, ray:auto, ray:HOST:PORT or ray://HOST:PORT"
TRAINER_FORMS = (
    "1 (this process) or ray:2 (two workers of the cluster that RAY_ADDRESS names, or of this machine)"
)


def workers(text: str) -> Workers:
    """What ``--workers`` names.

    Args:
        text: ``1`` for this process, a larger number for so many processes of this machine, ``ray`` for the
            cluster that RAY_ADDRESS names or else a Ray of its own on this machine, ``ray:auto`` for the
            cluster that this machine is part of, ``ray:HOST:PORT`` for the same one by the address of its
            head, ``ray://HOST:PORT`` for a cluster that this machine is not part of (the Ray client).

    Raises:
        ConfigError: none of these.
    """
    if isinstance(text, str):
        if text.isascii() and text.isdigit() and int(text) > 0:
            return Here() if int(text) == 1 else Processes(int(text))
        if text == "ray":
            return Ray()
        if text.startswith("ray://"):
            return Ray(text)
        if text.startswith("ray:"):
            return Ray(text.removeprefix("ray:"))
    raise ConfigError(f"no such workers: {text!r}", hint=f"workers are {FORMS}")


def trainers(text: str) -> RayTrain | None:
    """Whom ``--workers`` names for training.

    Args:
        text: ``1`` for this process, ``ray:N`` for N workers of Ray Train.

    Returns:
        the group, or None for this process.

    Raises:
        ConfigError: neither of these.
    """
    kind, _, count = text.rpartition(":")
    if count.isascii() and count.isdigit() and int(count) > 0:
        if kind == "ray":
            return RayTrain(int(count))
        if text == "1":
            return None
    raise ConfigError(f"no such workers for training: {text!r}", hint=f"they are {TRAINER_FORMS}")


__all__ = [
    "FORMS",
    "TRAINER_FORMS",
    "Here",
    "Left",
    "Member",
    "Processes",
    "Ray",
    "RayTrain",
    "WorkerLost",
    "Workers",
    "trainers",
    "workers",
]
