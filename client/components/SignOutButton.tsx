/** Ends the session and goes back to browsing. Asks first if this device has admissions that are not sent yet. */
import { useRouter } from "next/router";
import { useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import { announceSession } from "@/lib/session";
import { Button } from "./Button";

type State = "idle" | "busy" | "failed" | { unsent: number };

export function SignOutButton() {
  const router = useRouter();
  const [state, setState] = useState<State>("idle");

  async function signOut() {
    setState("busy");
    // Most readers never check passes: its code is loaded on demand.
    const { countUnsent, forgetCheckins } = await import("@/lib/checkin/signOut");
    const unsent = await countUnsent();
    if (unsent > 0 && !isWarning(state)) return setState({ unsent });
    try {
      await api.signOut();
      await forgetCheckins();
      announceSession();
      await router.push("/");
      setState("idle");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setState("failed");
    }
  }

  return (
    <Button variant="secondary" busy={state === "busy"} onClick={signOut}>
      {labelOf(state)}
    </Button>
  );
}

function isWarning(state: State): state is { unsent: number } {
  return typeof state === "object";
}

function labelOf(state: State): string {
  if (isWarning(state)) return `Sign out and lose ${state.unsent} unsent scans`;
  return state === "failed" ? "Sign out: try again" : "Sign out";
}
