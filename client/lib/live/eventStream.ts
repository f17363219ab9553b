/**
 * A server-sent event stream that reconnects. It uses fetch instead of EventSource, which sends Last-Event-ID only for
 * its own lifetime, stops at the first 503, and does not report heartbeats: a connection that was lost silently (another
 * network, a sleeping laptop) would stay open.
 */
import { reportConnection } from "./connection";
import { EventStreamParser, type StreamEvent } from "./eventStreamParser";

/** The services send at least a comment every 15 s. */
const HEARTBEAT_TIMEOUT_MS = 40_000;
/** A page that is hidden for this long closes its connection and resumes when it is visible again. */
const HIDDEN_TIMEOUT_MS = 60_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

export interface StreamHandlers {
  onEvent: (event: StreamEvent) => void;
  /** Called every `pollMs` while there is no connection and the page is visible. */
  onPoll: () => void;
  pollMs: number;
  /** The response's head, and the time (ms) of its request. */
  onResponse?: (response: Response, startedAt: number) => void;
  /** Reconnecting does not help: signed out, or not allowed. */
  onRefused?: (status: number) => void;
}

/** Reads the stream until the returned function is called. */
export function openEventStream(path: string, handlers: StreamHandlers): () => void {
  const closed = new AbortController();
  const report = reportConnection();
  let lastEventId: string | undefined;
  let failures = 0;
  let polling: ReturnType<typeof setInterval> | undefined;

  void connect();
  return () => {
    closed.abort();
    setPolling(false);
    report(false);
  };

  async function connect(): Promise<void> {
    while (!closed.signal.aborted) {
      await waitFor(() => document.visibilityState === "visible", closed.signal);
      const attempt = new AbortController();
      const release = abandonWhen(attempt, closed.signal);
      let retryAfterMs = 0;
      try {
        const startedAt = Date.now();
        const response = await fetch(path, {
          headers: { Accept: "text/event-stream", ...(lastEventId && { "Last-Event-ID": lastEventId }) },
          credentials: "same-origin",
          cache: "no-store",
          // The page's own resources come first.
          priority: "low",
          signal: attempt.signal,
        });
        if (closed.signal.aborted) return;
        if (!response.ok || !response.body) {
          await response.body?.cancel();
          if (response.status === 401 || response.status === 403) return void handlers.onRefused?.(response.status);
          retryAfterMs = Number(response.headers.get("retry-after") ?? 0) * 1000 || 0;
        } else {
          handlers.onResponse?.(response, startedAt);
          setPolling(false);
          report(false);
          await read(response.body, release.received);
        }
      } catch {
        // No connection, interrupted, or silent for too long: reconnect in all cases.
      } finally {
        release.done();
      }
      if (closed.signal.aborted) return;
      if (document.visibilityState === "hidden") continue;
      setPolling(true);
      report(true);
      failures += 1;
      const backoff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
      await pause(Math.max(retryAfterMs, backoff * (0.5 + Math.random() / 2)), closed.signal);
    }
  }

  async function read(body: ReadableStream<Uint8Array>, received: () => void): Promise<void> {
    const parser = new EventStreamParser();
    // The parser removes the byte order mark.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || closed.signal.aborted) return;
      received();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        // Only a connection with an event counts as a success: one that ends at once must not be retried at once.
        failures = 0;
        if (event.id !== undefined) lastEventId = event.id;
        handlers.onEvent(event);
      }
    }
  }

  function setPolling(wanted: boolean): void {
    if (wanted === (polling !== undefined)) return;
    clearInterval(polling);
    polling = undefined;
    if (!wanted) return;
    const poll = () => document.visibilityState === "visible" && navigator.onLine && handlers.onPoll();
    polling = setInterval(poll, handlers.pollMs);
  }
}

/** Aborts an attempt that is silent, whose page is hidden, or whose stream is closed. */
function abandonWhen(attempt: AbortController, closed: AbortSignal): { received: () => void; done: () => void } {
  const abort = () => attempt.abort();
  const ended = new AbortController();
  const { signal } = ended;
  let silence = setTimeout(abort, HEARTBEAT_TIMEOUT_MS);
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const onVisibilityChange = () => {
    clearTimeout(hidden);
    if (document.visibilityState === "hidden") hidden = setTimeout(abort, HIDDEN_TIMEOUT_MS);
  };
  closed.addEventListener("abort", abort, { signal });
  window.addEventListener("offline", abort, { signal });
  document.addEventListener("visibilitychange", onVisibilityChange, { signal });
  onVisibilityChange();
  return {
    received() {
      clearTimeout(silence);
      silence = setTimeout(abort, HEARTBEAT_TIMEOUT_MS);
    },
    done() {
      clearTimeout(silence);
      clearTimeout(hidden);
      ended.abort();
    },
  };
}

/** Resolves after the delay, when the network is back, or when the stream is closed. */
function pause(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const ended = new AbortController();
    const over = () => {
      clearTimeout(timer);
      ended.abort();
      resolve();
    };
    const timer = setTimeout(over, ms);
    window.addEventListener("online", over, { signal: ended.signal });
    closed.addEventListener("abort", over, { signal: ended.signal });
  });
}

/** Resolves when the condition holds, checked on visibility changes, or when the stream is closed. */
function waitFor(condition: () => boolean, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const ended = new AbortController();
    const check = () => {
      if (!condition() && !closed.aborted) return;
      ended.abort();
      resolve();
    };
    document.addEventListener("visibilitychange", check, { signal: ended.signal });
    closed.addEventListener("abort", check, { signal: ended.signal });
    check();
  });
}
