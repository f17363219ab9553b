/** One trace covers the browser's request and the service: the gateway's span is the parent of the service's span. */
import { propagation, ROOT_CONTEXT, trace, context as tracing } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import type { GetServerSidePropsContext } from "next";
import { afterEach, describe, expect, it, vi } from "vitest";
import { register } from "@/instrumentation";
import { forward } from "@/lib/server/gateway";
import { page } from "@/lib/server/pageProps";
import { startTracing } from "@/lib/server/tracing";
import { serve } from "./servers";

const CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

afterEach(() => {
  trace.disable();
  tracing.disable();
  propagation.disable();
});

/** The `traceparent` that the service receives from a gateway that runs each request in a span, as Next does. */
async function traceparentFor(headers: Record<string, string>): Promise<string | undefined> {
  let traceparent: string | undefined;
  const service = await serve((incoming, outgoing) => {
    traceparent = incoming.headers.traceparent as string | undefined;
    outgoing.end();
  });
  vi.stubEnv("TICKETS_URL", service);
  const gateway = await serve((incoming, outgoing) => {
    const caller = propagation.extract(ROOT_CONTEXT, incoming.headers);
    trace.getTracer("next.js").startActiveSpan("GET /api/[...path]", {}, caller, (span) => {
      void forward(incoming, outgoing).then(() => span.end());
    });
  });
  await fetch(`${gateway}/api/tickets`, { headers });
  return traceparent;
}

/** The lines that the server writes while `of` runs. */
async function written(of: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  await of();
  return lines;
}

describe("a request's trace", () => {
  it("starts at the gateway, whose span is the parent of the service's", async () => {
    startTracing("console");
    let traceparent: string | undefined;
    const lines = await written(async () => {
      traceparent = await traceparentFor({});
      await vi.waitFor(() => expect(process.stdout.write).toHaveBeenCalled());
    });
    const span = JSON.parse(lines.find((line) => line.includes("/api/[...path]")) ?? "{}");
    expect(span).toMatchObject({ name: "GET /api/[...path]", parent_id: null });
    expect(span.resource.attributes["service.name"]).toBe("client");
    expect(traceparent).toBe(`00-${span.context.trace_id.slice(2)}-${span.context.span_id.slice(2)}-01`);
  });

  it("continues the caller's trace", async () => {
    new NodeTracerProvider().register();
    const traceparent = await traceparentFor({ traceparent: CALLERS });
    expect(traceparent?.split("-")[1]).toBe(CALLERS.split("-")[1]);
    expect(traceparent).not.toBe(CALLERS);
  });

  it("is not sampled by the services if it is not sampled here", async () => {
    vi.stubEnv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", "0");
    startTracing("console");
    expect(await traceparentFor({})).toMatch(/-00$/);
  });

  it("is forwarded unchanged without recording, and none is created", async () => {
    expect(await traceparentFor({ traceparent: CALLERS })).toBe(CALLERS);
    expect(await traceparentFor({})).toBeUndefined();
  });

  it("includes server-rendered pages", async () => {
    new NodeTracerProvider().register();
    let traceparent: unknown;
    const service = await serve((incoming, outgoing) => {
      traceparent = incoming.headers.traceparent;
      outgoing.writeHead(200, { "content-type": "application/json" }).end("[]");
    });
    vi.stubEnv("TICKETS_URL", service);
    const context = { req: { headers: {}, socket: {} }, res: { setHeader: () => {} }, resolvedUrl: "/" };
    const load = page(async ({ services }) => {
      await services.listTickets({});
      return { props: {} };
    });
    await trace.getTracer("next.js").startActiveSpan("GET /", async (span) => {
      await load(context as unknown as GetServerSidePropsContext);
      expect(traceparent).toContain(span.spanContext().traceId);
      span.end();
    });
  });
});

describe("recording", () => {
  it.each([undefined, "none"])("is off by default (%s)", async (exporter) => {
    vi.stubEnv("NEXT_RUNTIME", "nodejs");
    vi.stubEnv("OTEL_TRACES_EXPORTER", exporter);
    await register();
    expect(trace.getTracer("next.js").startSpan("any").isRecording()).toBe(false);
  });

  it("is on with an exporter", async () => {
    vi.stubEnv("NEXT_RUNTIME", "nodejs");
    vi.stubEnv("OTEL_TRACES_EXPORTER", "otlp");
    await register();
    expect(trace.getTracer("next.js").startSpan("any").isRecording()).toBe(true);
  });

  it("fails to start with an unknown exporter", () => {
    expect(() => startTracing("jaeger")).toThrow("jaeger");
  });
});
