"""A Ray cluster: Ray places the jobs, and repeats on other machines those whose machine died."""

from __future__ import annotations

import contextlib
import functools
import importlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hauberk.compute import parcel
from hauberk.compute.parcel import Call
from hauberk.compute.workers import Job, Result, Shared
from hauberk.core.errors import ConfigError, DependencyMissing, EnvironmentFailure
from hauberk.core.settings import require_count, require_within

_AHEAD = 2  # calls in flight for each processor: enough that none waits, few enough to hold in memory
_LOCAL = "local"
_CLIENT = "ray://"
_CLIENT_PORT = 10001  # Ray's own default
_REACH_S = 10.0  # Ray itself would try for a minute
_ATTEMPTS = 3

# Read by Ray when it is imported. The first makes a Ray of one machine listen on loopback alone, on Linux too,
# where Ray would otherwise open its ports to the network.
_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True)
class Ray:
    """The processors of a Ray cluster, one job each.

    A session that this process has opened itself (``ray.init``) is used and left open. Otherwise one is opened
    for the time of a ``map``; a Ray of its own listens on this machine's loopback only and has a token.

    Args:
        address: None for the cluster that RAY_ADDRESS names, or else a Ray of its own on this machine;
            ``auto`` for the cluster that this machine is part of; ``HOST:PORT`` for the same by its head;
            ``ray://HOST:PORT`` for a cluster that this machine is not part of.
        retries: how often a job may be lost with its machine before the run is given up.
        gpus: what share of a GPU each job asks for; without, Ray hides the GPUs from it.

    Limits: the head of the cluster and this process must live. Where Ray was imported before without being
    started, its own ports may be open to the network; they still ask for the token.
    """

    address: str | None = None
    retries: int = field(default=3, kw_only=True)
    gpus: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        if self.address is not None and self.address != "auto":
            _host_and_port(self.address)
        require_count("retries", self.retries, "Ray", least=0)
        require_within("gpus", self.gpus, "Ray", "[0, 64]")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ConfigError(f"Ray: gpus is a share of one or a whole number, got {self.gpus!r}")

    def map(
        self, function: Callable[[Job, Shared], Result], jobs: Iterable[Job], *, shared: Shared
    ) -> Iterator[tuple[int, Result]]:
        parcel.check_function(function)
        return self._run(parcel.calls(function, jobs), parcel.pack(shared, "shared"))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        global _held
        with session(self.address):
            before, _held = _held, self.address
            try:
                yield
            finally:
                _held = before

    def _run(self, calls: Iterator[Call], shared: bytes) -> Iterator[tuple[int, Any]]:
        with session(self.address) as ray:
            payload = ray.put(shared)
            task = ray.remote(parcel.carry_out).options(
                num_cpus=1, num_gpus=self.gpus, max_retries=self.retries, name="hauberk"
            )
            flying: dict[Any, int] = {}
            try:
                while True:
                    room = _AHEAD * _processors(ray) - len(flying)
                    for call in _take(calls, room):
                        flying[task.remote(call.data, payload, parcel.comparable_versions())] = call.number
                    if not flying:
                        return
                    done, _ = ray.wait(list(flying), num_returns=1)
                    for reference in done:
                        number = flying.pop(reference)
                        yield number, parcel.answer(_fetch(ray, reference, number))
            finally:
                for reference in flying:
                    with contextlib.suppress(Exception):  # the cluster itself may be what has gone
                        ray.cancel(reference, force=True)


_held: str | None = None  # the address of the session that ``held`` has opened


@functools.cache
def _token() -> str:
    """One for the whole process: Ray remembers the first that it was given."""
    return secrets.token_hex(32)


def _take(calls: Iterator[Call], most: int) -> Iterator[Call]:
    for _ in range(most):
        call = next(calls, None)
        if call is None:
            return
        yield call


def _processors(ray: Any) -> int:
    """Of the whole cluster, now: machines come and go. At least one, while a machine is being replaced."""
    return max(1, int(ray.cluster_resources().get("CPU", 0)))


def _fetch(ray: Any, reference: Any, number: int) -> bytes:
    try:
        data: bytes = ray.get(reference)
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise parcel.lost(number, last_line(error)) from error
    return data


@contextlib.contextmanager
def session(address: str | None) -> Iterator[Any]:
    """Ray, connected; what was not opened here is not closed here."""
    chosen = address or os.environ.get("RAY_ADDRESS") or _LOCAL
    alone = chosen == _LOCAL
    settings = {**_QUIET, **_ALONE, "RAY_AUTH_TOKEN": _token()} if alone else _QUIET
    with environment(settings):
        try:
            ray = importlib.import_module("ray")
        except ImportError as error:
            raise DependencyMissing.extra("spreading work over Ray", "ray") from error
        if ray.is_initialized():
            if address not in (None, _held):
                raise ConfigError(
                    "this process has a Ray session already",
                    hint="--workers ray uses it; ray.shutdown() closes it",
                )
            yield ray
            return
        _connect(ray, chosen, alone)
        try:
            yield ray
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str, alone: bool) -> None:
    if address not in (_LOCAL, "auto"):
        _reach(address)
    try:
        for more in reversed(range(_ATTEMPTS)):
            try:
                ray.init(
                    address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    **({"include_dashboard": False} if alone else {}),
                )
                return
            except (
                ConnectionAbortedError
            ):  # the head forks a server for each client, which now and then dies at birth
                ray.shutdown()
                if not more:
                    raise
    except ImportError as error:
        raise DependencyMissing.extra("the Ray client", "ray") from error
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        ray.shutdown()
        what = "Ray could not be started" if alone else f"the Ray cluster at '{address}' could not be joined"
        raise EnvironmentFailure(f"{what}: {last_line(error)}", hint="see docs/scale-out.md") from error


def _host_and_port(address: str) -> tuple[str, int]:
    """Of ``HOST:PORT`` or ``ray://HOST:PORT``; the client's port may be left out."""
    client = isinstance(address, str) and address.startswith(_CLIENT)
    host, colon, port = str(address).removeprefix(_CLIENT).rpartition(":")
    if client and not colon:
        host, port = port, str(_CLIENT_PORT)
    good = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if not good or not host or set(host) & set("/@ ?#"):
        raise ConfigError(
            f"not the address of a Ray cluster: {address!r}",
            hint="HOST:PORT such as 10.0.0.5:6379, ray://HOST:PORT, or auto",
        )
    return host.strip("[]"), int(port)


def _reach(address: str) -> None:
    try:
        socket.create_connection(_host_and_port(address), timeout=_REACH_S).close()
    except OSError as error:
        raise EnvironmentFailure(
            f"nobody answers at '{address}': {error.strerror or error}",
            hint="is the cluster running (ray status), and is its port open to this machine?",
        ) from error


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Settings that the user has not made himself, for a time; and what Ray changes, changed back."""
    names = (*values, "RAY_AUTH_MODE")
    before = {name: os.environ.get(name) for name in names}
    for name, value in values.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


def last_line(error: BaseException) -> str:
    """Ray's errors are pages; what happened stands in the last line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
