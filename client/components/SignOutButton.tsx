/** Ends the session and goes back to browsing. */
import { useRouter } from "next/router";
import { useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import { announceSession } from "@/lib/session";
import { Button } from "./Button";

export function SignOutButton() {
  const router = useRouter();
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");

  async function signOut() {
    setState("busy");
    try {
      await api.signOut();
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
      {state === "failed" ? "Sign out: try again" : "Sign out"}
    </Button>
  );
}
