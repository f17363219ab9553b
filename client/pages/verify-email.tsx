/**
 * Confirm the e-mail address with the token of the mailed link. It takes a press of a button, because some mail servers
 * open the links of a mail and run the scripts there: that would confirm an address without its reader.
 */
import { useState } from "react";
import { Button, ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { ErrorNotice } from "@/components/ErrorNotice";
import { LinkProblem } from "@/components/LinkProblem";
import { PageTitle } from "@/components/PageTitle";
import { useAction } from "@/hooks/useAction";
import { useLinkToken } from "@/hooks/useLinkToken";
import { api } from "@/lib/api/browser";
import type { User } from "@/lib/api/types";
import { page } from "@/lib/server/pageProps";
import { announceSession } from "@/lib/session";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }));

export default function VerifyEmailPage({ user }: { user: User | null }) {
  const token = useLinkToken();
  return (
    <div className={styles.narrow}>
      <PageTitle>Confirm your e-mail address</PageTitle>
      {token === null ? (
        <LinkProblem incomplete>
          <NewMail user={user} />
        </LinkProblem>
      ) : (
        <Confirmation key={token} token={token} user={user} />
      )}
    </div>
  );
}

/** Without a token, the page is not hydrated yet, and the button does nothing. */
function Confirmation({ token, user }: { token: string | undefined; user: User | null }) {
  const [confirmed, setConfirmed] = useState(false);
  const { busy, error, start } = useAction(async () => {
    await api.confirmEmail(token ?? "");
    setConfirmed(true);
    announceSession();
  });
  if (error?.status === 422) {
    // A link that is too old to say so itself.
    if (user?.emailVerified) return <Confirmed user={user} />;
    return (
      <LinkProblem>
        <NewMail user={user} />
      </LinkProblem>
    );
  }
  if (confirmed) return <Confirmed user={user} />;
  return (
    <div className={styles.card}>
      <div>
        <h1>Confirm your address</h1>
        <p className={styles.lead}>
          It shows that the address of your account is yours, and that our mail reaches you.
        </p>
      </div>
      <ErrorNotice error={error} />
      <Button wide busy={busy} onClick={start}>
        Confirm the address
      </Button>
    </div>
  );
}

/** Also after a second use of the link. */
function Confirmed({ user }: { user: User | null }) {
  return (
    <EmptyState
      heading="h1"
      takesFocus
      title="Your e-mail address is confirmed"
      text="Thank you. You can close this page."
    >
      <ButtonLink href={user ? "/account" : "/signin"}>{user ? "Your account" : "Sign in"}</ButtonLink>
    </EmptyState>
  );
}

function NewMail({ user }: { user: User | null }) {
  return <ButtonLink href="/account">{user ? "Your account" : "Sign in to ask for a new mail"}</ButtonLink>;
}
