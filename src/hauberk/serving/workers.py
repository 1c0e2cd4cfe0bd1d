"""Several processes on one port: each has its own interpreter and its own copy of the models.

The kernel spreads connections among them (``SO_REUSEPORT``). This process only starts them, passes on what it
is told, and replaces one that dies; it loads neither torch nor a model. They stop when it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hauberk.core import errors
from hauberk.core.errors import EnvironmentFailure, HauberkError
from hauberk.serving.address import Address
from hauberk.serving.logs import tell

if TYPE_CHECKING:
    from hauberk.serving.running import Service

Make = Callable[[Address], "Service"]
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_AGAIN_S = 1.0  # before a process that died is replaced
_FAILED = 3


@dataclass
class _Started:
    """A process that was started, and the pipe on which it says how that went."""

    pid: int
    said: int


def run_workers(make: Make, address: Address, count: int, listening: Callable[[str], None]) -> None:
    """Serve from ``count`` processes until told to stop.

    Args:
        make: what a process serves, called in it; loads everything heavy itself.
        listening: called with the URL when all of them take connections.

    Raises:
        HauberkError: the first process could not start; or the port is taken.
    """
    if address.port:
        address.bind().close()  # a shared port would be shared with another server without a word
    with address.bind(shared=True) as held, _shared_metrics(), _blocked(_SIGNALS) as mask, _life() as life:
        own = replace(address, port=held.getsockname()[1])
        running: set[int] = set()
        try:
            for _number in range(count):
                running.add(_begun(_start(make, own, life, mask)))
            listening(own.url(held))
            _watch(running, lambda: _start(make, own, life, mask))
        finally:
            for pid in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            for pid in running:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def _watch(running: set[int], start: Callable[[], _Started]) -> None:
    """Until told to stop: pass on, and replace."""
    missing: list[float] = []  # when to start one again
    while True:
        wait = max(0.0, missing[0] - time.monotonic()) if missing else 3600.0
        found = signal.sigtimedwait(_SIGNALS, wait)
        number = None if found is None else found.si_signo
        if number in (signal.SIGTERM, signal.SIGINT):
            return
        if number == signal.SIGHUP:
            for pid in running:
                os.kill(pid, signal.SIGHUP)
        for pid in _ended(running):
            running.discard(pid)
            tell("process-ended", level=40, process=pid)
            missing.append(time.monotonic() + _AGAIN_S)
        if missing and missing[0] <= time.monotonic():
            missing.pop(0)
            try:
                running.add(_begun(start()))
            except HauberkError as error:
                tell("process-failed", level=40, why=str(error))
                missing.append(time.monotonic() + _AGAIN_S)


def _ended(running: set[int]) -> list[int]:
    from prometheus_client.multiprocess import mark_process_dead

    gone = [pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]]
    for pid in gone:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
    return gone


def _start(make: Make, address: Address, life: tuple[int, int], mask: set[signal.Signals]) -> _Started:
    """A process that serves; it says on a pipe whether it listens, or why it does not."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writes)
        return _Started(pid, reads)
    code = _FAILED
    try:
        os.close(reads)
        os.close(life[1])
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _serve(make, address, life[0], writes)
        code = 0
    except HauberkError as error:
        _say(writes, {"kind": type(error).__name__, "message": str(error), "hint": error.hint})
    except BaseException as error:  # noqa: BLE001 (nothing of the parent's may run in this process)
        tell("process-failed", level=40, error=error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _serve(make: Make, address: Address, life: int, writes: int) -> None:
    from hauberk.serving.running import run

    bound = address.bind(shared=True)
    run(make(address), bound, lambda: _say(writes, {"kind": None}), life=life)


def _say(writes: int, document: dict[str, object]) -> None:
    os.write(writes, json.dumps(document).encode())
    os.close(writes)


def _begun(started: _Started) -> int:
    """Its number, once it listens.

    Raises:
        HauberkError: what it said, or that it died without a word.
    """
    with open(started.said, "rb") as pipe:
        data = pipe.read()
    said = json.loads(data) if data else {"kind": "EnvironmentFailure", "message": "a server process died"}
    if said["kind"] is None:
        return started.pid
    os.waitpid(started.pid, 0)
    kind = getattr(errors, said["kind"], EnvironmentFailure)
    raise kind(said["message"], hint=said.get("hint"))


@contextlib.contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder in which the processes' figures meet."""
    with tempfile.TemporaryDirectory(prefix="hauberk-metrics-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_FOLDER]


@contextlib.contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[set[signal.Signals]]:
    """Signals that are waited for instead of handled; the mask before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield {signal.Signals(one) for one in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _life() -> Iterator[tuple[int, int]]:
    """A pipe whose end tells the processes that nobody looks after them any more."""
    reads, writes = os.pipe()
    try:
        yield reads, writes
    finally:
        os.close(writes)
        os.close(reads)
