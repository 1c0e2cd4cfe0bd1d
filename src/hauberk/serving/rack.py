"""The models that are served: by name and version, changed while requests go on.

A request holds the entry that it began with. A new version is loaded and warmed up beside the old one, then
takes its place in one step; what the old one still has to answer, it answers. A revoked model answers nothing
from that moment on, not even to requests that wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from hauberk.serving.batching import Batcher
from hauberk.serving.engine import Engine
from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics
from hauberk.serving.problems import Problem


@dataclass(slots=True, eq=False)
class Entry:
    """One version of one model.

    Args:
        digest: the package's.
        names: as an offer's; they change while it is served.
    """

    name: str
    version: str
    digest: str
    engine: Engine
    batcher: Batcher
    names: tuple[str, ...] = ()
    revoked: str | None = None

    def check(self) -> None:
        """Refuse a model that was revoked, also while its answer was being computed.

        Raises:
            Problem: 410.
        """
        if self.revoked is not None:
            raise Problem(410, "revoked", f"{self.name} version {self.version} was revoked: {self.revoked}")


class Rack:
    """What is served now.

    Args:
        executor: where engines run that are too slow for the event loop.
        metrics: told of each batch; None where nothing is counted.
    """

    def __init__(self, limits: Limits, executor: Executor, metrics: Metrics | None = None) -> None:
        self._limits, self._executor, self._metrics = limits, executor, metrics
        self._models: dict[str, dict[str, Entry]] = {}
        self._current: dict[str, str] = {}
        self.ready = True
        """Whether all that is to be served is loaded, and the server has not been told to stop."""

    def put(
        self,
        name: str,
        version: str,
        digest: str,
        engine: Engine,
        *,
        current: bool = True,
        names: tuple[str, ...] = (),
    ) -> Entry:
        """Serve an engine from now on; ``current`` is what a request without a version gets."""
        told = None if self._metrics is None else partial(self._metrics.batched, name)
        batcher = Batcher(engine, self._limits, self._executor, batched=told)
        entry = Entry(name, version, digest, engine, batcher, names)
        self._models.setdefault(name, {})[version] = entry
        if current:
            self._current[name] = version
        return entry

    def use(self, name: str, version: str) -> None:
        """Give this version to requests that name none."""
        self._current[name] = version

    def drop(self, name: str, version: str) -> None:
        """Serve it no longer; requests that hold it are answered."""
        versions = self._models.get(name, {})
        versions.pop(version, None)
        if self._current.get(name) == version:
            del self._current[name]
        if not versions:
            self._models.pop(name, None)

    def revoke(self, name: str, version: str, reason: str) -> None:
        """Answer nothing with it any more."""
        entry = self._models.get(name, {}).get(version)
        if entry is not None:
            entry.revoked = reason

    def find(self, name: str, version: str | None) -> Entry:
        """The entry for a request.

        Raises:
            Problem: 404 for what is not served, 410 for what was revoked.
        """
        versions = self._models.get(name)
        wanted = version or self._current.get(name)
        entry = None if versions is None or wanted is None else versions.get(wanted)
        if entry is None:
            what = f"model '{name}'" if version is None else f"version '{version}' of model '{name}'"
            raise Problem(404, "no-such-model", f"{what} is not served here")
        entry.check()
        return entry

    def names(self, name: str, version: str | None) -> tuple[str, ...]:
        """All names of the version that a request would get; none where it is not served, or has no others."""
        wanted = version or self._current.get(name)
        entry = None if wanted is None else self._models.get(name, {}).get(wanted)
        return () if entry is None else entry.names

    def models(self) -> Mapping[str, Mapping[str, Entry]]:
        """All entries, by name and version."""
        return self._models

    def current(self, name: str) -> str | None:
        return self._current.get(name)
