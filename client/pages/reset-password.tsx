/** Reset password: set a new one with the token of the mailed link. */
import { useRouter } from "next/router";
import { useState } from "react";
import { NewPasswordField } from "@/components/AccountFields";
import { ButtonLink } from "@/components/Button";
import { Form, FormError, SubmitButton } from "@/components/Form";
import { LinkProblem } from "@/components/LinkProblem";
import { PageTitle } from "@/components/PageTitle";
import { useLinkToken } from "@/hooks/useLinkToken";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import { page } from "@/lib/server/pageProps";
import { announceSession } from "@/lib/session";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }));

export default function ResetPasswordPage() {
  const token = useLinkToken();
  return (
    <div className={styles.narrow}>
      <PageTitle>Set a new password</PageTitle>
      {token === null ? (
        <LinkProblem incomplete>
          <NewLink />
        </LinkProblem>
      ) : (
        <NewPasswordForm key={token} token={token} />
      )}
    </div>
  );
}

/** Without a token, the page is not hydrated yet, and the form cannot be sent. */
function NewPasswordForm({ token }: { token: string | undefined }) {
  const router = useRouter();
  const [spent, setSpent] = useState(false);

  async function send(data: FormData) {
    try {
      await api.resetPassword(token ?? "", String(data.get("password")));
    } catch (failure) {
      if (!(failure instanceof ApiError && failure.status === 422 && !failure.fieldErrors.password)) throw failure;
      return setSpent(true);
    }
    announceSession();
    await router.replace("/signin?done=password-reset");
  }

  if (spent) {
    return (
      <LinkProblem>
        <NewLink />
      </LinkProblem>
    );
  }
  return (
    <Form className={styles.card} send={send} signInOn401={false}>
      <div>
        <h1>Set a new password</h1>
        <p className={styles.lead}>This ends every session of your account. You then sign in with the new password.</p>
      </div>
      <FormError />
      <NewPasswordField label="New password" />
      <SubmitButton wide>Set the password</SubmitButton>
    </Form>
  );
}

function NewLink() {
  return <ButtonLink href="/forgot-password">Ask for a new link</ButtonLink>;
}
