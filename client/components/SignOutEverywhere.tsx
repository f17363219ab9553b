/** Ends all sessions of the account, this one too. */
import { useRouter } from "next/router";
import { useAction } from "@/hooks/useAction";
import { labelOfLeaving, useLeaving } from "@/hooks/useLeaving";
import { api } from "@/lib/api/browser";
import styles from "@/styles/page.module.css";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { ErrorNotice } from "./ErrorNotice";

export function SignOutEverywhere() {
  const router = useRouter();
  const { unsent, leave } = useLeaving();
  const { busy, error, start } = useAction(async () => {
    if (await leave(() => api.signOutEverywhere())) await router.replace("/signin?done=sign-out-everywhere");
  });
  return (
    <AccountSection title="Sign out everywhere">
      <p>
        Ends every session of your account within a second: on this device, on all others, and for programs with a token
        of yours. Use it when you have lost a device or used one that is not yours. Your password, orders and listings
        stay as they are.
      </p>
      <div className={styles.actions}>
        <ErrorNotice error={error} />
        <Button variant="secondary" busy={busy} onClick={start}>
          {labelOfLeaving("Sign out everywhere", unsent)}
        </Button>
      </div>
    </AccountSection>
  );
}
