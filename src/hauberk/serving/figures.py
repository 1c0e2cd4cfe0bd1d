"""What a server's metrics say about the time between two looks: for ``hauberk top``.

Source: Prometheus text exposition format; quantiles as ``histogram_quantile`` takes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hauberk.core.errors import DataError

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sample:
    """All values of one look, by name and labels.

    Args:
        at_s: when, on a clock that only runs forward.
    """

    at_s: float
    values: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def parse(cls, text: str, at_s: float) -> Sample:
        """Read the text exposition.

        Raises:
            DataError: it is something else, or not of a Hauberk server.
        """
        from prometheus_client.parser import text_string_to_metric_families

        values: dict[str, dict[Labels, float]] = {}
        try:
            for family in text_string_to_metric_families(text):
                for one in family.samples:
                    values.setdefault(one.name, {})[tuple(sorted(one.labels.items()))] = one.value
        except ValueError as error:
            raise DataError(f"these are no metrics: {str(error)[:100]}") from error
        if "hauberk_ready" not in values:
            raise DataError("these are not the metrics of a Hauberk server")
        return cls(at_s, values)

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels."""
        wanted = set(labels.items())
        return sum(value for key, value in self.values.get(name, {}).items() if wanted <= set(key))

    def each(self, name: str, label: str) -> dict[str, float]:
        """Sums by the values of a label."""
        found: dict[str, float] = {}
        for key, value in self.values.get(name, {}).items():
            found[dict(key).get(label, "")] = found.get(dict(key).get(label, ""), 0.0) + value
        return found


@dataclass(frozen=True)
class Figures:
    """A server between two looks.

    Args:
        requests_per_s: by status, of all paths.
        p50_s, p99_s: of inference requests; None where there were none.
        models: images a second, images that wait, and images in one pass, by model.
        versions: what is served, as ``name version``.
        memory_bytes: None where several processes share the port.
    """

    ready: int
    connections: int
    requests_per_s: Mapping[str, float]
    p50_s: float | None
    p99_s: float | None
    models: Mapping[str, tuple[float, float, float | None]]
    versions: tuple[str, ...]
    cut_per_s: float
    failures_per_s: float
    memory_bytes: float | None


def between(before: Sample, after: Sample) -> Figures:
    """Rates and quantiles of the time between; a server that was started anew counts from zero."""
    seconds = max(after.at_s - before.at_s, 1e-9)

    def rate(name: str, **labels: str) -> float:
        grown = after.total(name, **labels) - before.total(name, **labels)
        return (grown if grown >= 0 else after.total(name, **labels)) / seconds

    waiting = after.each("hauberk_waiting_images", "model")
    models = {}
    for name in sorted(waiting):
        passes = rate("hauberk_batch_images_count", model=name)
        images = rate("hauberk_batch_images_sum", model=name)
        models[name] = (
            rate("hauberk_images_total", model=name),
            waiting[name],
            images / passes if passes else None,
        )
    memory = after.values.get("process_resident_memory_bytes")
    return Figures(
        ready=int(after.total("hauberk_ready")),
        connections=int(after.total("hauberk_connections")),
        requests_per_s={one: rate("hauberk_requests_total", status=one)
                        for one in sorted(after.each("hauberk_requests_total", "status"))},
        p50_s=_quantile(before, after, 0.5),
        p99_s=_quantile(before, after, 0.99),
        models=models,
        versions=tuple(sorted(f"{dict(key)['model']} {dict(key)['version']}" for key, value
                              in after.values.get("hauberk_model_served", {}).items() if value > 0)),
        cut_per_s=rate("hauberk_connections_cut_total"),
        failures_per_s=rate("hauberk_failures_total"),
        memory_bytes=None if not memory else sum(memory.values()),
    )  # fmt: skip


def _quantile(before: Sample, after: Sample, share: float) -> float | None:
    """Within a bucket the values are taken as evenly spread."""
    name = "hauberk_request_seconds_bucket"
    counts: dict[float, float] = {}
    for key, value in after.values.get(name, {}).items():
        labels = dict(key)
        if labels.get("route") == "infer":
            edge = float(labels["le"])
            grown = value - before.values.get(name, {}).get(key, 0.0)
            counts[edge] = counts.get(edge, 0.0) + (grown if grown >= 0 else value)
    total = counts.get(math.inf, 0.0)
    low, below = 0.0, 0.0
    for edge in sorted(counts):
        if total and counts[edge] >= share * total:
            inside = counts[edge] - below
            return low if math.isinf(edge) else low + (edge - low) * (share * total - below) / inside
        low, below = edge, counts[edge]
    return None
