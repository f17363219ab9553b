/** After signing up: says that a mail with a link is on its way, until the reader closes it or confirms the address. */
import { useEffect, useState } from "react";
import type { User } from "@/lib/api/types";
import { onSignUp } from "@/lib/session";
import pageStyles from "@/styles/page.module.css";
import styles from "./SessionStatus.module.css";

export function SignUpStatus({ user }: { user: User | null | undefined }) {
  /** The account that this page has made. */
  const [madeId, setMadeId] = useState<string | null>(null);
  useEffect(() => onSignUp(setMadeId), []);
  const shown = user && user.id === madeId && user.emailVerified === false;

  function close() {
    setMadeId(null);
    // The button that has the focus disappears.
    document.getElementById("main")?.focus({ preventScroll: true });
  }

  return (
    <div role="status" className={shown ? `${styles.status} ${styles.news} screenOnly` : undefined}>
      {shown && (
        <>
          Check your mail: we have sent {user.email} a link to confirm the address.{" "}
          <button type="button" className={pageStyles.link} onClick={close}>
            Close
          </button>
        </>
      )}
    </div>
  );
}
