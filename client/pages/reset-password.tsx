/** Reset password: set a new one with the token of the mailed link. */
import Head from "next/head";
import { useRouter } from "next/router";
import { NewPasswordField } from "@/components/AccountFields";
import { Button, ButtonLink } from "@/components/Button";
import { FormError } from "@/components/FormError";
import { LinkProblem } from "@/components/LinkProblem";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { useLinkToken } from "@/hooks/useLinkToken";
import { api } from "@/lib/api/browser";
import { page } from "@/lib/server/pageProps";
import { announceSession } from "@/lib/session";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }));

export default function ResetPasswordPage() {
  const token = useLinkToken();
  return (
    <div className={styles.narrow}>
      <Head>
        <title>Set a new password · Ticketing</title>
      </Head>
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
  const { busy, error, submit } = useFormSubmission(
    async (data) => {
      await api.resetPassword(token ?? "", String(data.get("password")));
      announceSession();
      await router.replace("/signin?done=password-reset");
    },
    { signInOn401: false },
  );
  if (error?.status === 422 && !error.fieldErrors.password) {
    return (
      <LinkProblem incomplete={false}>
        <NewLink />
      </LinkProblem>
    );
  }
  return (
    <form className={styles.card} onSubmit={submit} noValidate>
      <div>
        <h1>Set a new password</h1>
        <p className={styles.lead}>This ends every session of your account. You then sign in with the new password.</p>
      </div>
      <FormError error={error} fields={["password"]} />
      <NewPasswordField label="New password" error={error} />
      <Button type="submit" wide busy={busy}>
        Set the password
      </Button>
    </form>
  );
}

function NewLink() {
  return <ButtonLink href="/forgot-password">Ask for a new link</ButtonLink>;
}
