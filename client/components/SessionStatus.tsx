/** Says that the session has ended, before a press of a button finds out, and leads back to where one is. */
import Link from "next/link";
import { useRouter } from "next/router";
import { useSessionEnded } from "@/hooks/useSession";
import type { User } from "@/lib/api/types";
import { signInPath } from "@/lib/returnTo";
import styles from "./SessionStatus.module.css";

export function SessionStatus({ user }: { user: User | null | undefined }) {
  const ended = useSessionEnded(user);
  const { asPath } = useRouter();
  return (
    <div role="status" className={ended ? styles.status : styles.none}>
      {ended && (
        <>
          Your session has ended. <Link href={signInPath(asPath)}>Sign in again</Link>, and you are back here.
        </>
      )}
    </div>
  );
}
