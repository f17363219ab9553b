/** Deletes what this device keeps for checking passes. */
import { forgetShell } from "./shell";
import { clearStore, keepOwnScans, listWaiting } from "./store";

/** The number of admissions that the server does not know yet: signing out would lose them. */
export async function countUnsent(): Promise<number> {
  try {
    return (await listWaiting()).filter(({ admittedAt }) => admittedAt !== null).length;
  } catch {
    // A browser without storage has kept nothing.
    return 0;
  }
}

/** The session has ended without a sign-out here: only what cannot be loaded again stays. */
export async function forgetLoaded(): Promise<void> {
  await Promise.allSettled([keepOwnScans()]);
}

export async function forgetCheckins(): Promise<void> {
  await Promise.allSettled([clearStore(), forgetShell()]);
}
