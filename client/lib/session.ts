/** Notifications about the session, within this page and between the reader's tabs. */

const CHANNEL = "session";
/** Identifies this tab, so that it ignores its own messages. */
const TAB = Math.random();
const here = new EventTarget();

/** Reports that a call was refused with 401: the session may have ended. */
export function suspectSession(): void {
  here.dispatchEvent(new Event("change"));
}

/** Notifies the other tabs that a user signed in or out in this one. */
export function announceSession(): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(TAB);
  channel.close();
}

/** Reports that this page has made an account. */
export function announceSignUp(userId: string): void {
  here.dispatchEvent(new CustomEvent("sign-up", { detail: userId }));
}

/** Calls `listener` with the id of an account that this page has made, until the returned function is called. */
export function onSignUp(listener: (userId: string) => void): () => void {
  return on("sign-up", (event) => listener((event as CustomEvent<string>).detail));
}

/** Reports that every other session of the account has ended, by a change on this page. */
export function reportOthersEnded(): void {
  here.dispatchEvent(new Event("others-ended"));
}

/** Calls `listener` when every other session has ended, until the returned function is called. */
export function onOthersEnded(listener: () => void): () => void {
  return on("others-ended", listener);
}

/** Calls `listener` when the session should be checked, until the returned function is called. */
export function onSessionChange(listener: () => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", (event) => event.data !== TAB && listener());
  const leave = on("change", listener);
  return () => {
    channel.close();
    leave();
  };
}

function on(name: string, listener: (event: Event) => void): () => void {
  here.addEventListener(name, listener);
  return () => here.removeEventListener(name, listener);
}
