/** The account's e-mail address, whether it is confirmed, and the mail that confirms it. */
import { api } from "@/lib/api/browser";
import type { User } from "@/lib/api/types";
import styles from "@/styles/page.module.css";
import { AccountSection } from "./AccountSection";
import { SendAgain } from "./SendAgain";
import { EmailBadge } from "./StatusBadge";

export function EmailState({ user: { email, emailVerified } }: { user: User }) {
  return (
    <AccountSection title="E-mail address">
      <p className={styles.row}>
        <span>{email}</span>
        {emailVerified !== undefined && <EmailBadge verified={emailVerified} />}
      </p>
      {emailVerified === false && (
        <>
          <p>
            Check your mail: open the link that we sent you, and confirm the address. The link works for 30 minutes.
          </p>
          <VerificationMail />
        </>
      )}
    </AccountSection>
  );
}

export function VerificationMail() {
  return (
    <SendAgain label="Send a new link" sent="We have sent you a new link." send={() => api.requestVerification()} />
  );
}
