/** Shows that the session has ended, before an action fails, with a sign-in link that returns to the current page. */
import { useRouter } from "next/router";
import { useSessionEnded } from "@/hooks/useSession";
import type { User } from "@/lib/api/types";
import { isSignedOutPage, signInPath } from "@/lib/returnTo";
import { PageLink } from "./PageLink";
import styles from "./SessionStatus.module.css";

export function SessionStatus({ user }: { user: User | null | undefined }) {
  const ended = useSessionEnded(user);
  const { asPath, pathname } = useRouter();
  return (
    <div role="status" className={ended ? `${styles.status} screenOnly` : undefined}>
      {ended && (
        <>
          Your session has ended.{" "}
          {isSignedOutPage(pathname) ? (
            "Sign in again to continue where you were."
          ) : (
            <>
              <PageLink href={signInPath(asPath)}>Sign in again</PageLink> to continue here.
            </>
          )}
        </>
      )}
    </div>
  );
}
