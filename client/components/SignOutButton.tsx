/** Ends the session and goes back to browsing. Asks first if this device has admissions that are not sent yet. */
import { useRouter } from "next/router";
import { useState } from "react";
import { labelOfLeaving, useLeaving } from "@/hooks/useLeaving";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import { Button } from "./Button";

export function SignOutButton() {
  const router = useRouter();
  const { unsent, leave } = useLeaving();
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  async function signOut() {
    setState("busy");
    try {
      if (await leave(() => api.signOut())) await router.push("/");
      setState("idle");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setState("failed");
    }
  }

  return (
    <Button variant="secondary" busy={state === "busy"} onClick={signOut}>
      {state === "failed" ? "Sign out: try again" : labelOfLeaving("Sign out", unsent)}
    </Button>
  );
}
