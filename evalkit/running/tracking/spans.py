"""Runs as OpenTelemetry spans: `evalkit.run`, with a child `evalkit.cell` for each cell.

Where a program has set up a tracer provider, it is used; else OTEL_EXPORTER_OTLP_ENDPOINT must say where
spans go. Cells are asked together: their spans begin with the run, and each ends within seconds of its last
result.
"""

from __future__ import annotations

import os
import time
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from evalkit.core.errors import UsageError
from evalkit.core.records import CellResult
from evalkit.running.tracking.numbers import describe_cell, describe_run, measure_cell
from evalkit.store.folders import StoredRun


class SpanTracker:
    """Makes spans; `provider` makes the tracer, by default the program's own."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._own = provider is None
        self._provider = provider or _find_provider()
        self._tracer = self._provider.get_tracer("evalkit")
        self._span: Any = None
        self._begun = 0

    def run_started(self, facts: dict[str, Any]) -> None:
        """Open the span of the run."""
        self._begun = time.time_ns()
        attributes = {f"evalkit.{key}": str(value) for key, value in facts.items()}
        self._span = self._tracer.start_span("evalkit.run", start_time=self._begun, attributes=attributes)

    def cell_finished(self, stored: StoredRun, cell: CellResult) -> None:
        """The span of a cell, with its settings and numbers."""
        attributes: dict[str, Any] = {
            f"evalkit.{key}": value if isinstance(value, str | int | float) else str(value)
            for key, value in describe_cell(stored.run, cell).items()
        }
        attributes["gen_ai.request.model"] = cell.model
        attributes |= {f"evalkit.score.{name}": number for name, number in measure_cell(cell).items()}
        span = self._tracer.start_span(
            "evalkit.cell",
            context=trace.set_span_in_context(self._span),
            start_time=self._begun,
            attributes=attributes,
        )
        if cell.counts.errors:
            span.set_status(trace.StatusCode.ERROR, f"{cell.counts.errors} calls failed")
        span.end()

    def run_finished(self, stored: StoredRun) -> None:
        """Close the span of the run, and send what is not sent yet."""
        for key, value in describe_run(stored.run).items():
            self._span.set_attribute(f"evalkit.{key}", value)
        if stored.run.status != "complete":
            self._span.set_status(trace.StatusCode.ERROR, stored.run.status)
        self._span.end()
        if self._own:
            self._provider.force_flush()


def _find_provider() -> TracerProvider:
    """The program's provider, else one that sends to the OTLP endpoint. Raises UsageError without either."""
    found = trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        return found
    if not any(os.environ.get(f"OTEL_EXPORTER_OTLP_{each}ENDPOINT") for each in ("", "TRACES_")):
        raise UsageError(
            "tracker 'otel' has nowhere to send spans to: set OTEL_EXPORTER_OTLP_ENDPOINT, for example to "
            "http://localhost:4318, or set up a tracer provider in the program"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "evalkit"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
