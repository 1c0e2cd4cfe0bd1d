"""Workers that train one model together: Ray Train starts them, joins them, and starts them anew when one dies.

Unlike the jobs of ``Workers``, these run at the same time and speak with each other through
``torch.distributed`` (gloo on CPUs, NCCL on GPUs). What a run must not lose, such as its checkpoint, each group
of workers leaves at a desk beside the caller, where the next group finds it: no shared file system is needed.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hauberk.compute import parcel
from hauberk.compute.cluster import environment, last_line, session
from hauberk.core.errors import DependencyMissing, EnvironmentFailure
from hauberk.core.settings import require_count

_LOOK_S = 0.2  # between two looks at the desk
_TELL_S = 0.5  # between two reports of a worker
_LEAVE_S = 20.0  # for workers that are told to stop, in a session that stays open
_POLL = {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5"}  # how soon a dead worker is noticed; 2 by default


class WorkerLost(EnvironmentFailure):
    """A worker of a group has died; those who wait for it leave with this, and a new group begins."""


@dataclass(frozen=True)
class Left:
    """What the workers have left at the desk since the last look.

    Args:
        ticks: steps done.
        note: the latest live figure.
        kept: the newest bytes to keep, or None.
    """

    ticks: int
    note: str
    kept: bytes | None


class Member:
    """One worker of a group, as the function sees it that all of them carry out.

    Args:
        rank, size: its number, and how many there are.
        device: ``cpu`` or ``cuda``.
        kept: what the group before this one kept last, or None.
    """

    def __init__(self, rank: int, size: int, device: str, kept: bytes | None, desk: Any) -> None:
        self.rank, self.size, self.device, self.kept = rank, size, device, kept
        self._desk = desk
        self._ticks, self._note, self._told = 0, "", time.monotonic()
        self._asked: Any = None

    def keep(self, data: bytes) -> None:
        """Leave bytes that a later group, and the caller, must have; steps not yet told of come along."""
        self._desk.advance.remote(self._ticks, self._note)
        self._ticks = 0
        _get(self._desk.keep.remote(data))

    def advance(self, ticks: int = 1, note: str = "") -> None:
        """Steps done, for the caller's progress; now and then asks whether the caller still wants them.

        Raises:
            WorkerLost: it does not.
        """
        self._ticks, self._note = self._ticks + ticks, note
        if time.monotonic() - self._told < _TELL_S:
            return
        if self._asked is not None and _get(self._asked):
            raise WorkerLost("the caller has stopped this training")
        self._asked = self._desk.advance.remote(self._ticks, note)
        self._ticks, self._told = 0, time.monotonic()

    def begin(self, title: str, total: int) -> None:
        """Nothing: the caller knows what it has begun."""

    def end(self) -> None:
        """Nothing, for the same reason."""


@dataclass(frozen=True)
class RayTrain:
    """A group of workers that Ray Train looks after.

    Where this process has no Ray session, one is opened for the time of the work: of the cluster that
    RAY_ADDRESS names, or else a Ray of its own on this machine, which listens on loopback only; its workers
    then meet through a file and speak over loopback.

    Args:
        size: how many workers; each asks for one processor, and for one GPU where the work is on GPUs.
        retries: how often a group that lost a worker is started again.

    Limits: on a cluster of several machines the workers' own connections (torch.distributed) are neither
    encrypted nor authenticated; it must stand in a network of its own, as Ray itself must.
    """

    size: int
    retries: int = field(default=3, kw_only=True)

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("retries", 0)):
            require_count(name, getattr(self, name), "RayTrain", least=least)

    def together(
        self,
        function: Callable[[Member, Any], None],
        *,
        shared: object,
        kept: bytes | None = None,
        gpus: bool = False,
    ) -> Iterator[Left]:
        """``function(member, shared)`` on all workers at once.

        Args:
            function: at the top level of a module that can be imported wherever the work is done; when a worker
                was lost it is called again by a new group, and should go on from ``member.kept``.
            shared: one payload that all workers read.
            kept: what ``member.kept`` is at first.
            gpus: give each worker a GPU.

        Returns:
            what the workers leave, as they leave it; it ends when all of them are done. Closing the iterator
            stops the work.

        Raises:
            ConfigError: a function or payload that cannot leave its process.
            EnvironmentFailure: too few processors or GPUs, or workers were lost again and again.
            DependencyMissing: Ray Train is not installed.
            Exception: what a worker raised, as itself, with its traceback as a note.
        """
        parcel.check_function(function)
        return self._run(function, parcel.pack(shared, "what the workers share"), kept, gpus)

    def _run(
        self, function: Callable[[Member, Any], None], shared: bytes, kept: bytes | None, gpus: bool
    ) -> Iterator[Left]:
        with environment(_POLL), session(None) as ray, tempfile.TemporaryDirectory() as folder:
            train = _ray_train()
            self._check_room(ray, gpus)
            here = ray.get_runtime_context().get_node_id()
            beside = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=True)
            desk = ray.remote(_Desk).options(num_cpus=0, scheduling_strategy=beside).remote(kept)
            group = train.torch.TorchTrainer(
                _carry_out,
                train_loop_config={
                    "function": pickle.dumps(function),
                    "shared": [ray.put(shared)],
                    "desk": desk,
                    "device": "cuda" if gpus else "cpu",
                    "versions": parcel.comparable_versions(),
                },
                torch_config=_meeting(ray, folder),
                scaling_config=train.ScalingConfig(num_workers=self.size, use_gpu=gpus),
                run_config=train.RunConfig(
                    name="hauberk",
                    storage_path=folder,
                    failure_config=train.FailureConfig(
                        max_failures=self.retries, controller_failure_limit=self.retries
                    ),
                ),
            )
            yield from self._follow(ray, group, desk)

    def _follow(self, ray: Any, group: Any, desk: Any) -> Iterator[Left]:
        ended: list[BaseException | None] = []
        thread = threading.Thread(target=_fit, args=(group, ended), daemon=True)
        thread.start()
        try:
            while True:
                over = bool(ended)  # before the look: what comes last is not missed
                left, error = ray.get(desk.news.remote())
                if left.ticks or left.kept is not None:
                    yield left
                if error is not None:
                    parcel.answer(error)
                if over:
                    break
                thread.join(_LOOK_S)
        finally:
            if not ended:
                with contextlib.suppress(Exception):
                    ray.get(desk.stop.remote())
                    thread.join(_LEAVE_S)
        if ended[0] is not None:
            raise EnvironmentFailure(
                f"training was given up after {self.retries + 1} attempts: {last_line(ended[0])}",
                hint="too little memory is the usual cause: take fewer workers or smaller batches",
            ) from ended[0]

    def _check_room(self, ray: Any, gpus: bool) -> None:
        """Ray itself would wait for processors that never come."""
        kind = "GPU" if gpus else "CPU"
        found = int(ray.cluster_resources().get(kind, 0))
        if found < self.size:
            raise EnvironmentFailure(
                f"{self.size} workers need as many {kind}s, and Ray has {found}",
                hint="take fewer workers, or name a larger cluster in RAY_ADDRESS",
            )


class _Desk:
    """An actor beside the caller, where workers leave things."""

    def __init__(self, kept: bytes | None) -> None:
        self._kept, self._fresh = kept, False
        self._ticks, self._note = 0, ""
        self._error: bytes | None = None
        self._over = False

    def open(self) -> tuple[bytes | None, bool]:
        """What a worker must know at first: what was kept, and whether all is over."""
        return self._kept, self._over

    def advance(self, ticks: int, note: str) -> bool:
        self._ticks, self._note = self._ticks + ticks, note
        return self._over

    def keep(self, data: bytes) -> None:
        self._kept, self._fresh = data, True

    def fail(self, error: bytes) -> None:
        self._error, self._over = self._error or error, True

    def stop(self) -> None:
        self._over = True

    def news(self) -> tuple[Left, bytes | None]:
        left = Left(self._ticks, self._note, self._kept if self._fresh else None)
        self._ticks, self._fresh = 0, False
        return left, self._error


def _carry_out(config: Mapping[str, Any]) -> None:
    """In a worker: the function, once; an error of its own goes to the desk, a lost colleague to Ray Train."""
    if config["device"] == "cpu":
        parcel.one_thread()
    desk = config["desk"]
    kept, over = _get(desk.open.remote())
    if over:
        return
    try:
        parcel.check_versions(config["versions"])
        function = parcel.unpack(config["function"])
        shared = parcel.unpack(_get(config["shared"][0]))
        context = importlib.import_module("ray.train").get_context()
        rank, size = context.get_world_rank(), context.get_world_size()
        function(Member(rank, size, config["device"], kept, desk), shared)
    except WorkerLost:
        raise
    except Exception as error:
        _get(desk.fail.remote(pickle.dumps((False, parcel.portable(error)))))
        raise


def _fit(group: Any, ended: list[BaseException | None]) -> None:
    try:
        group.fit()
        ended.append(None)
    except BaseException as error:  # noqa: BLE001 (the thread that looks at the desk decides what it means)
        ended.append(error)


def _meeting(ray: Any, folder: str) -> Any:
    """How the workers find each other: by Ray Train's own port, or by a file where all is on loopback."""
    private = all(node["NodeManagerAddress"] == "127.0.0.1" for node in ray.nodes())
    if not private:
        return importlib.import_module("ray.train.torch").TorchConfig()
    return importlib.import_module("hauberk.compute.loopback").Loopback(folder=folder)


def _ray_train() -> Any:
    try:
        importlib.import_module("ray.train.torch")
    except ImportError as error:
        raise DependencyMissing.extra("data-parallel training", "ray") from error
    importlib.import_module("ray.util.scheduling_strategies")
    return importlib.import_module("ray.train")


def _get(reference: Any) -> Any:
    return importlib.import_module("ray").get(reference)
