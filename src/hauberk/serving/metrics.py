"""Prometheus metrics, in a registry of the server's own."""

from __future__ import annotations

import logging

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_log = logging.getLogger("hauberk.serving")


class Metrics:
    """What is counted; no caller's name, input or secret is ever a label."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
        self._gone = Counter("hauberk_callers_gone", "Callers who hung up.", registry=self.registry)
        self._failed = Counter("hauberk_failures", "Requests that failed here.", registry=self.registry)
        self.waiting = Gauge("hauberk_waiting_images", "Images that wait.", ("model",), registry=self.registry)
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._models: dict[tuple[str, str], Counter] = {}

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

    def gone(self) -> None:
        self._gone.inc()

    def failed(self, request: str, error: BaseException) -> None:
        self._failed.inc()
        _log.error("request %s failed", request, exc_info=error)

    def exposition(self) -> tuple[str, bytes]:
        """Content type and text."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)
