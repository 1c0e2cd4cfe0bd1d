"""Spans, as a collector would receive them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from model_servers import question, served

IMAGES = np.full((1, 1, 4, 4), 0.5, np.float32)


def test_a_span_for_each_request_under_the_callers_own(
    absent: Callable[[str, str], None], nets: tuple[Path, Path]
) -> None:
    try:
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ImportError:
        absent("opentelemetry-sdk", "pip install 'hauberk[otel]'")
    from hauberk.serving.tracing import Traces

    kept = InMemorySpanExporter()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    before = time.time_ns()
    with served({"net": nets[0]}, traces=lambda: Traces(kept)) as server:
        _status, headers, _body = server.ask(
            "POST", "/v2/models/net/infer", question(IMAGES, id="a-name-of-mine"), {"traceparent": parent}
        )
        server.ask("GET", "/nowhere?secret=1")
    infer, other = kept.get_finished_spans()  # the end of the server has sent them all
    assert infer.name == "POST infer"
    assert f"{infer.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert infer.parent is not None
    assert f"{infer.parent.span_id:016x}" == "b7ad6b7169203331"
    assert infer.attributes is not None
    assert infer.attributes["hauberk.request"] == headers["x-request-id"]
    assert infer.attributes["http.response.status_code"] == 200
    assert before <= infer.start_time < infer.end_time <= time.time_ns()
    assert other.parent is None
    assert other.attributes is not None
    assert other.attributes["http.response.status_code"] == 404
    for secret in ("a-name-of-mine", "secret"):
        assert secret not in infer.to_json() + other.to_json()


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from hauberk.core.errors import DependencyMissing
    from hauberk.serving.tracing import Traces

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(DependencyMissing, match="otel"):
        Traces.to("http://127.0.0.1:4318/v1/traces")
