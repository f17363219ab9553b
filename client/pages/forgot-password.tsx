/** Forgot password: ask for a mail with a link. The page is the same whether or not the address has an account. */
import { useState } from "react";
import { EmailField } from "@/components/AccountFields";
import { Form, FormError, SubmitButton } from "@/components/Form";
import { PageLink } from "@/components/PageLink";
import { PageTitle } from "@/components/PageTitle";
import { SendAgain } from "@/components/SendAgain";
import { useFocusOnShow } from "@/hooks/useFocusOnShow";
import { api } from "@/lib/api/browser";
import { page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }));

export default function ForgotPasswordPage() {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const [again, setAgain] = useState(false);
  return (
    <div className={styles.narrow}>
      <PageTitle>{sentTo === null ? "Forgot password" : "Check your mail"}</PageTitle>
      {sentTo === null ? (
        <RequestForm takesFocus={again} onSent={setSentTo} />
      ) : (
        <CheckYourMail
          email={sentTo}
          onOtherAddress={() => {
            setAgain(true);
            setSentTo(null);
          }}
        />
      )}
    </div>
  );
}

function RequestForm({ takesFocus, onSent }: { takesFocus: boolean; onSent: (email: string) => void }) {
  const heading = useFocusOnShow<HTMLHeadingElement>(takesFocus);

  async function send(data: FormData) {
    const email = String(data.get("email")).trim();
    await api.requestPasswordReset(email);
    onSent(email);
  }

  return (
    <Form className={styles.card} send={send} signInOn401={false}>
      <div>
        <h1 ref={heading} tabIndex={-1}>
          Forgot your password?
        </h1>
        <p className={styles.lead}>
          Enter the e-mail address of your account. We send it a link to set a new password.
        </p>
      </div>
      <FormError />
      <EmailField />
      <SubmitButton wide>Send the link</SubmitButton>
      <p>
        <PageLink href="/signin">Back to sign in</PageLink>
      </p>
    </Form>
  );
}

function CheckYourMail({ email, onOtherAddress }: { email: string; onOtherAddress: () => void }) {
  const heading = useFocusOnShow<HTMLHeadingElement>();
  return (
    <div className={styles.card}>
      <h1 ref={heading} tabIndex={-1}>
        Check your mail
      </h1>
      <p>
        If <strong>{email}</strong> has an account, we have sent it a link to set a new password. The link works once,
        for 30 minutes.
      </p>
      <p className={styles.lead}>Nothing there after a minute? Look in your spam folder, or send it again.</p>
      <SendAgain
        label="Send the mail again"
        sent="We have sent it again."
        send={() => api.requestPasswordReset(email)}
      />
      <p>
        <button type="button" className={styles.link} onClick={onOtherAddress}>
          Use another address
        </button>
      </p>
    </div>
  );
}
