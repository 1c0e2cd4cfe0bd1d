"""Prometheus metrics: one registry for a server alone, files in a shared folder for several processes.

Whoever starts several processes names the folder in ``PROMETHEUS_MULTIPROC_DIR`` before this module is loaded;
then each process answers with the figures of all. docs/serving.md lists the metrics.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from hauberk.serving.logs import tell

if TYPE_CHECKING:
    from hauberk.serving.rack import Entry

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """What is counted; no caller's name, input or secret is ever a label."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._shared = os.environ.get(SHARED_FOLDER)
        if not self._shared:
            ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "hauberk_requests", "Requests answered.", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "hauberk_request_seconds", "From headers to answer.", ("route",), buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._rows = Counter(
            "hauberk_images", "Images classified.", ("model", "version"), registry=self.registry
        )
        self._batches = Histogram(
            "hauberk_batch_images", "Images in one pass of a network.", ("model",), buckets=_IMAGES,
            registry=self.registry,
        )  # fmt: skip
        self._gone = Counter("hauberk_callers_gone", "Callers who hung up.", registry=self.registry)
        self._cut = Counter(
            "hauberk_connections_cut", "Connections that were ended from here.", ("why",),
            registry=self.registry,
        )  # fmt: skip
        self._failed = Counter("hauberk_failures", "Requests that failed here.", registry=self.registry)
        self._refused = Counter(
            "hauberk_model_refusals", "Models that were to be served and were not.", ("model",),
            registry=self.registry,
        )  # fmt: skip
        self._waiting = self._gauge("hauberk_waiting_images", "Images that wait.", "model")
        self._served = self._gauge(
            "hauberk_model_served", "Processes that serve a version.", "model", "version"
        )
        self._connections = self._gauge("hauberk_connections", "Open connections.")
        self._ready = self._gauge("hauberk_ready", "Processes that are ready.")
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._models: dict[tuple[str, str], Counter] = {}
        self._sizes: dict[str, Histogram] = {}
        self._shown: set[tuple[str, str]] = set()

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode="livesum")

    def answered(self, route: str, status: int, seconds: float) -> None:
        known = self._known.get((route, status))
        if known is None:
            known = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._known[route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def predicted(self, model: str, version: str, rows: int) -> None:
        known = self._models.get((model, version))
        if known is None:
            known = self._models[model, version] = self._rows.labels(model, version)
        known.inc(rows)

    def batched(self, model: str, rows: int) -> None:
        """A pass of a network."""
        known = self._sizes.get(model)
        if known is None:
            known = self._sizes[model] = self._batches.labels(model)
        known.observe(rows)

    def gone(self) -> None:
        self._gone.inc()

    def cut(self, why: str) -> None:
        """A connection was ended: ``slow``, ``headers``, ``large``, ``malformed`` or ``many``."""
        self._cut.labels(why).inc()

    def failed(self, request: str, error: BaseException) -> None:
        self._failed.inc()
        tell("request-failed", level=40, request=request, error=error.__cause__ or error)

    def refused(self, model: str) -> None:
        self._refused.labels(model).inc()

    def observe(self, models: Mapping[str, Mapping[str, Entry]], connections: int, ready: bool) -> None:
        """How things stand now; called about once a second."""
        self._connections.set(connections)
        self._ready.set(int(ready))
        present = {(name, version) for name, versions in models.items() for version in versions}
        for name, version in self._shown - present:
            self._served.labels(name, version).set(0)
        for name, versions in models.items():
            self._waiting.labels(name).set(sum(one.batcher.rows for one in versions.values()))
            for version, one in versions.items():
                self._served.labels(name, version).set(int(one.revoked is None))
        self._shown |= present

    def exposition(self) -> tuple[str, bytes]:
        """Content type and text; of all processes where there are several."""
        registry = self.registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._shared)  # type: ignore[no-untyped-call]
        return CONTENT_TYPE_LATEST, generate_latest(registry)
