/**
 * The account leaves this device: by sign-out or by its deletion. What the device keeps for checking passes is deleted, and
 * admissions that the server does not know yet would be lost with it, so the reader is asked first.
 */
import { useState } from "react";
import { announceSession } from "@/lib/session";

interface Leaving {
  /** Admissions that would be lost, once `leave` has found some; 0 before. */
  unsent: number;
  /** Calls `end`, and resolves to true after it. The first call with unsent admissions only reports them: false. */
  leave: (end: () => Promise<unknown>) => Promise<boolean>;
}

export function useLeaving(): Leaving {
  const [unsent, setUnsent] = useState(0);

  async function leave(end: () => Promise<unknown>): Promise<boolean> {
    // Most readers never check passes: its code is loaded on demand.
    const { countUnsent, forgetCheckins } = await import("@/lib/checkin/signOut");
    const count = await countUnsent();
    if (count > 0 && unsent === 0) {
      setUnsent(count);
      return false;
    }
    await end();
    await forgetCheckins();
    announceSession();
    return true;
  }

  return { unsent, leave };
}

/** For example "Sign out and lose 2 unsent scans". */
export function labelOfLeaving(label: string, unsent: number): string {
  if (unsent === 0) return label;
  return `${label} and lose ${unsent} unsent ${unsent === 1 ? "scan" : "scans"}`;
}
