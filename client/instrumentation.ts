/** Next calls this once, before its first request. Without an exporter, the SDK is not loaded. */
export async function register(): Promise<void> {
  const exporter = process.env.OTEL_TRACES_EXPORTER;
  if (process.env.NEXT_RUNTIME !== "nodejs" || !exporter || exporter === "none") return;
  const { startTracing } = await import("./lib/server/tracing");
  startTracing(exporter);
}
