/**
 * Spans of the client's server: Next creates one per request, the first of a trace, and forwarded requests carry its
 * `traceparent`. OTEL_TRACES_SAMPLER sets the sampling, as in the services.
 */
import { type SpanContext, SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";

/** Throws for an unknown exporter: a deployment with a wrong setting must not lose its traces unnoticed. */
export function startTracing(exporter: string): void {
  process.env.OTEL_SERVICE_NAME ||= "client"; // a deployment may set another name
  const resource = defaultResource().merge(detectResources({ detectors: [envDetector] }));
  new NodeTracerProvider({ resource, spanProcessors: [processorFor(exporter)] }).register();
}

function processorFor(exporter: string): SpanProcessor {
  if (exporter === "otlp") return new BatchSpanProcessor(new OTLPTraceExporter());
  if (exporter === "console") return new SimpleSpanProcessor(new LineExporter());
  throw new Error(`OTEL_TRACES_EXPORTER is ${exporter}; it may be none, otlp or console`);
}

/** Writes one line of JSON per span, with the same field names as the services, so that one search finds a whole trace. */
class LineExporter implements SpanExporter {
  export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    for (const span of spans) process.stdout.write(`${JSON.stringify(line(span))}\n`);
    done({ code: 0 });
  }

  async shutdown(): Promise<void> {}
}

function line(span: ReadableSpan): object {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    context: { trace_id: `0x${traceId}`, span_id: `0x${spanId}` },
    kind: `SpanKind.${SpanKind[span.kind]}`,
    parent_id: parentId(span.parentSpanContext),
    start_time: iso(span.startTime),
    end_time: iso(span.endTime),
    attributes: span.attributes,
    resource: { attributes: span.resource.attributes },
  };
}

function parentId(parent: SpanContext | undefined): string | null {
  return parent ? `0x${parent.spanId}` : null;
}

function iso([seconds, nanoseconds]: [number, number]): string {
  return new Date(seconds * 1_000 + nanoseconds / 1e6).toISOString();
}
