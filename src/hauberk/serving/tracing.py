"""OpenTelemetry traces: one span for each request, under the caller's own where he sends ``traceparent``.

The span is made when the request has been answered, with the times that it had, so that nothing waits for it;
it leaves in batches from a thread of its own. It names the method, the kind of route, the status and the
request's id: no input, no answer, no caller. What the standard's environment variables say about sampling and
exporting holds (``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS``, …).

Source: OpenTelemetry semantic conventions for HTTP server spans; W3C Trace Context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hauberk.core.errors import DependencyMissing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from hauberk.serving.door import Headers

_CARRIED = (b"traceparent", b"tracestate")
_SERVER_ERROR = 500


class Traces:
    """Makes spans and sends them away.

    Args:
        exporter: where they go.

    Raises:
        DependencyMissing: the extra ``otel`` is not installed.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: "hauberk"}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("hauberk.serving")
        self._context = TraceContextTextMapPropagator()
        self._kind, self._error = SpanKind.SERVER, Status(StatusCode.ERROR)

    @classmethod
    def to(cls, endpoint: str) -> Traces:
        """Over OTLP and HTTP, such as to ``http://127.0.0.1:4318/v1/traces``.

        Raises:
            DependencyMissing: the extra ``otel`` is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as error:
            raise DependencyMissing.extra("tracing", "otel") from error
        return cls(OTLPSpanExporter(endpoint=endpoint))

    def answered(
        self, method: str, route: str, status: int, request: str, headers: Headers, begin_ns: int, end_ns: int
    ) -> None:
        """One request, by its times in nanoseconds since 1970."""
        carried = {key.decode(): value.decode("latin-1") for key, value in headers if key in _CARRIED}
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "hauberk.request": request,
        }
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._context.extract(carried) if carried else None,
            kind=self._kind,
            attributes=attributes,
            start_time=begin_ns,
        )
        if status >= _SERVER_ERROR:
            span.set_status(self._error)
        span.end(end_ns)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
