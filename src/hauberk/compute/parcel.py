"""What travels between processes: calls out, answers back, errors included.

Both kinds of distant workers see bytes only. They are pickles, made and read by one program on both ends; none
comes from a file or from a stranger. On a cluster this is as safe as the doors of the cluster: who can reach
those can run code there anyway (docs/scale-out.md).
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hauberk.core.errors import ConfigError, EnvironmentFailure, HauberkError
from hauberk.core.evidence import software_versions

Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Call:
    """A job on its way.

    Args:
        number: of the job, from 0.
        data: function and job.
        losses: how often it was lost with its worker.
    """

    number: int
    data: bytes
    losses: int = 0

    def again(self, retries: int) -> Call:
        """The same call after its worker died.

        Raises:
            EnvironmentFailure: that has happened more often than ``retries`` allows.
        """
        if self.losses == retries:
            raise lost(self.number, f"the process that worked on it died, {self.losses + 1} times")
        return replace(self, losses=self.losses + 1)


def lost(number: int, why: str) -> EnvironmentFailure:
    """The error for a job that no worker could finish."""
    return EnvironmentFailure(
        f"job {number} was lost: {why}",
        hint="too little memory is the usual cause: take fewer workers or smaller jobs; a script must start "
        "its work under if __name__ == '__main__'",
        job=number,
    )


def check_function(function: Function) -> None:
    """A function that a worker can find by its name.

    Raises:
        ConfigError: a lambda, a nested or bound function, or one of the script that is being run.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    if module == "__main__" or not name or found is not function:
        raise ConfigError(
            f"{function!r} cannot be imported by name where the work is done",
            hint="put it at the top level of a module, and what it needs into the job or into shared",
        )


def pack(value: object, what: str) -> bytes:
    """Bytes for another process.

    Raises:
        ConfigError: ``value`` cannot be pickled.
    """
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise ConfigError(
            f"{what} cannot leave its process: {type(error).__name__}: {error}",
            hint="send plain values: numbers, text, bytes, arrays, lists and dicts of them",
        ) from error


def calls(function: Function, jobs: Iterable[Any]) -> Iterator[Call]:
    """The jobs, packed one by one as they are needed."""
    for number, job in enumerate(jobs):
        yield Call(number, pack((function, job), f"job {number}"))


def carry_out(call: bytes, shared: bytes, versions: Mapping[str, str] | None = None) -> bytes:
    """In the worker: do the job on one thread and pack its result, or what it raised.

    Each call reads ``shared`` anew, so that no job sees what another one did to it.

    Args:
        versions: the caller's; None where both are of one installation.
    """
    one_thread()
    try:
        if versions is not None:
            check_versions(versions)
        function, job = unpack(call)
        return pack((True, function(job, unpack(shared))), "the result of a job")
    except Exception as error:  # noqa: BLE001 (raised again where the job came from)
        return pickle.dumps((False, portable(error)))


def answer(data: bytes) -> Any:
    """The result in the bytes of ``carry_out``; raises what the job raised."""
    good, value = pickle.loads(data)  # noqa: S301 (from our own worker)
    if good:
        return value
    raise value


def unpack(data: bytes) -> Any:
    """What ``pack`` packed, in the worker."""
    try:
        return pickle.loads(data)  # noqa: S301 (from the process that started this one)
    except (ImportError, AttributeError) as error:
        raise EnvironmentFailure(
            f"the worker cannot import what the job needs: {error}",
            hint="install the same packages on every machine",
        ) from error


def one_thread() -> None:
    """One core for each worker: threads of several would only get in each other's way."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if "torch" in sys.modules:  # it came before these variables, or it is ours from an earlier job
        sys.modules["torch"].set_num_threads(1)


@functools.cache
def comparable_versions() -> dict[str, str]:
    """Versions of the packages that results depend on, without the kind of build (``+cpu``)."""
    found = software_versions()
    return {name: found[name].partition("+")[0] for name in ("hauberk", "torch", "numpy")}


def check_versions(wanted: Mapping[str, str]) -> None:
    """In the worker: the caller's versions are also the worker's.

    Raises:
        EnvironmentFailure: they are not.
    """
    here = comparable_versions()
    differing = [name for name, version in wanted.items() if here.get(name) != version]
    if differing:
        told = ", ".join(f"{name} {here.get(name)} (wanted {wanted[name]})" for name in differing)
        raise EnvironmentFailure(
            f"a worker has {told}: its results could differ",
            hint="install the same versions on every machine of the cluster",
        )


def portable(error: Exception) -> Exception:
    """The error itself with its traceback as a note; its words alone where it does not survive a pickle."""
    note = "in the worker:\n" + "".join(traceback.format_exception(error))
    error.add_note(note)
    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 (made in this line)
        if type(again) is type(error) and str(again) == str(error):
            return error
    except Exception:  # noqa: BLE001, S110 (an error's own pickling may do anything)
        pass
    plain = HauberkError(f"{type(error).__name__}: {error}")
    plain.add_note(note)
    return plain
