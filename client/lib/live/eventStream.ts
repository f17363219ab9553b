/**
 * A server-sent event stream that does not give up. It is read with fetch rather than EventSource, which can send
 * Last-Event-ID only for as long as it lives itself, ends for good at the first 503, and cannot see heartbeats: a
 * connection that died without a word (another Wi-Fi, a laptop's sleep) would stay open for ever.
 */
import { reportConnection } from "./connection";
import { EventStreamParser, type StreamEvent } from "./eventStreamParser";

/** The services say something every 15 s, if only a comment. */
const SILENCE_MS = 40_000;
/** A page that nobody looks at for this long gives its connection back; it resumes when it is looked at again. */
const HIDDEN_MS = 60_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

export interface StreamHandlers {
  onEvent: (event: StreamEvent) => void;
  /** Called every `pollMs` while there is no connection and somebody looks at the page. */
  onPoll: () => void;
  pollMs: number;
  /** The answer's head, and when (ms) it was asked for. */
  onAnswer?: (response: Response, startedAt: number) => void;
  /** Asking again will not help: signed out, or not ours. */
  onRefused?: (status: number) => void;
}

/** Follows the stream until the returned function is called. */
export function openEventStream(path: string, handlers: StreamHandlers): () => void {
  const closed = new AbortController();
  const report = reportConnection();
  let lastEventId: string | undefined;
  let failures = 0;
  let polling: ReturnType<typeof setInterval> | undefined;

  void follow();
  return () => {
    closed.abort();
    polls(false);
    report(false);
  };

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      await waitFor(() => document.visibilityState === "visible", closed.signal);
      const attempt = new AbortController();
      const release = abandonWhen(attempt, closed.signal);
      let retryAfterMs = 0;
      // A service without this stream is no fault of the connection: the page polls and says nothing.
      let missing = false;
      try {
        const startedAt = Date.now();
        const response = await fetch(path, {
          headers: { Accept: "text/event-stream", ...(lastEventId && { "Last-Event-ID": lastEventId }) },
          credentials: "same-origin",
          cache: "no-store",
          // What the page is made of comes first.
          priority: "low",
          signal: attempt.signal,
        });
        if (closed.signal.aborted) return;
        if (!response.ok || !response.body) {
          await response.body?.cancel();
          missing = response.status === 404;
          if (response.status === 401 || response.status === 403) return void handlers.onRefused?.(response.status);
          retryAfterMs = Number(response.headers.get("retry-after") ?? 0) * 1000 || 0;
        } else {
          handlers.onAnswer?.(response, startedAt);
          polls(false);
          report(false);
          await read(response.body, release.heard);
        }
      } catch {
        // No connection, cut off, or silent for too long: all the same to what follows.
      } finally {
        release.done();
      }
      if (closed.signal.aborted) return;
      if (document.visibilityState === "hidden") continue;
      polls(true);
      report(!missing);
      failures += 1;
      const backoff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
      await pause(Math.max(retryAfterMs, backoff * (0.5 + Math.random() / 2)), closed.signal);
    }
  }

  async function read(body: ReadableStream<Uint8Array>, heard: () => void): Promise<void> {
    const parser = new EventStreamParser();
    // The parser removes the byte order mark.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || closed.signal.aborted) return;
      heard();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        // Only a connection that brought something was a success: one that ends at once must not be retried at once.
        failures = 0;
        if (event.id !== undefined) lastEventId = event.id;
        handlers.onEvent(event);
      }
    }
  }

  function polls(wanted: boolean): void {
    if (wanted === (polling !== undefined)) return;
    clearInterval(polling);
    polling = undefined;
    if (!wanted) return;
    const poll = () => document.visibilityState === "visible" && navigator.onLine && handlers.onPoll();
    polling = setInterval(poll, handlers.pollMs);
  }
}

/** Ends an attempt that is silent, that nobody looks at, or whose stream is closed. */
function abandonWhen(attempt: AbortController, closed: AbortSignal): { heard: () => void; done: () => void } {
  const abort = () => attempt.abort();
  let silence = setTimeout(abort, SILENCE_MS);
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const looked = () => {
    clearTimeout(hidden);
    if (document.visibilityState === "hidden") hidden = setTimeout(abort, HIDDEN_MS);
  };
  closed.addEventListener("abort", abort);
  window.addEventListener("offline", abort);
  document.addEventListener("visibilitychange", looked);
  looked();
  return {
    heard() {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
    },
    done() {
      clearTimeout(silence);
      clearTimeout(hidden);
      closed.removeEventListener("abort", abort);
      window.removeEventListener("offline", abort);
      document.removeEventListener("visibilitychange", looked);
    },
  };
}

/** Resolves when the time is over, when the network is back, or when the stream is closed. */
function pause(ms: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      closed.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    window.addEventListener("online", over);
    closed.addEventListener("abort", over);
  });
}

/** Resolves when the page is looked at (or the stream is closed). */
function waitFor(condition: () => boolean, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition() && !closed.aborted) return;
      document.removeEventListener("visibilitychange", look);
      closed.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    closed.addEventListener("abort", look);
    look();
  });
}
