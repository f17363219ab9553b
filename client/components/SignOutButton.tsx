/** Ends the session and goes back to browsing. Asks first if this device has admissions that are not sent yet. */
import { useRouter } from "next/router";
import { useAction } from "@/hooks/useAction";
import { labelOfLeaving, useLeaving } from "@/hooks/useLeaving";
import { api } from "@/lib/api/browser";
import { Button } from "./Button";

export function SignOutButton() {
  const router = useRouter();
  const { unsent, leave } = useLeaving();
  const { busy, error, start } = useAction(async () => {
    if (await leave(() => api.signOut())) await router.push("/");
  });

  return (
    <Button variant="secondary" busy={busy} onClick={start}>
      {error ? "Sign out: try again" : labelOfLeaving("Sign out", unsent)}
    </Button>
  );
}
