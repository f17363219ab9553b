/** Next calls this once, before its first request. Off costs nothing: the SDK is not even loaded. */
export async function register(): Promise<void> {
  const exporter = process.env.OTEL_TRACES_EXPORTER;
  if (process.env.NEXT_RUNTIME !== "nodejs" || !exporter || exporter === "none") return;
  const { startTracing } = await import("./lib/server/tracing");
  startTracing(exporter);
}
