/** Whether the page's content is current: combines the state of its event streams and the browser's network state. */

export type Connection = "current" | "interrupted" | "offline";

/** Shorter interruptions are not reported: services restart, laptops change networks. */
const GRACE_PERIOD_MS = 2_000;

const interrupted = new Set<object>();
const listeners = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

/** Returns a reporter for one stream: call it with true if the stream is lost, with false if it is back or closed. */
export function reportConnection(): (isLost: boolean) => void {
  const stream = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (isLost) => {
    if (isLost) {
      timer ??= setTimeout(() => {
        interrupted.add(stream);
        changed();
      }, GRACE_PERIOD_MS);
    } else {
      clearTimeout(timer);
      timer = undefined;
      if (interrupted.delete(stream)) changed();
    }
  };
}

export function subscribeConnection(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("online", listener);
  window.addEventListener("offline", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("online", listener);
    window.removeEventListener("offline", listener);
  };
}

export function currentConnection(): Connection {
  if (!navigator.onLine) return "offline";
  return interrupted.size > 0 ? "interrupted" : "current";
}
