/** Whether what the page shows is current: the sum of its streams, and of what the browser says about the network. */

export type Connection = "current" | "interrupted" | "offline";

/** A stream that is back within this time was never worth a word: services restart, laptops change their network. */
const PATIENCE_MS = 2_000;

const lost = new Map<object, ReturnType<typeof setTimeout>>();
const interrupted = new Set<object>();
const listeners = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

/** Makes a reporter for one stream: call it with true when it is lost, with false when it is back or no longer wanted. */
export function reportConnection(): (isLost: boolean) => void {
  const stream = {};
  return (isLost) => {
    if (isLost && !lost.has(stream)) {
      const timer = setTimeout(() => {
        interrupted.add(stream);
        changed();
      }, PATIENCE_MS);
      lost.set(stream, timer);
    } else if (!isLost) {
      clearTimeout(lost.get(stream));
      lost.delete(stream);
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
