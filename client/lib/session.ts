/** News about the session, within this page and from the reader's other tabs. */

const CHANNEL = "session";
/** A tab need not hear its own announcement. */
const TAB = Math.random();
const here = new EventTarget();

/** A call was refused with 401: perhaps the session has ended. */
export function suspectSession(): void {
  here.dispatchEvent(new Event("news"));
}

/** Somebody signed in or out in this tab; the others should know. */
export function announceSession(): void {
  if (typeof BroadcastChannel === "undefined") return;
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(TAB);
  channel.close();
}

/** Calls back when the session should be looked at again, until the returned function is called. */
export function onSessionNews(listener: () => void): () => void {
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  channel?.addEventListener("message", (event) => event.data !== TAB && listener());
  here.addEventListener("news", listener);
  return () => {
    channel?.close();
    here.removeEventListener("news", listener);
  };
}
