/** Deletes the account, after its password. */
import { useRouter } from "next/router";
import { labelOfLeaving, useLeaving } from "@/hooks/useLeaving";
import { api } from "@/lib/api/browser";
import type { User } from "@/lib/api/types";
import styles from "@/styles/page.module.css";
import { CurrentPasswordField, UsernameOfForm } from "./AccountFields";
import { AccountSection } from "./AccountSection";
import { Form, FormError, SubmitButton, useSubmission } from "./Form";
import { Notice } from "./Notice";
import { PageLink } from "./PageLink";

export function DeleteAccountForm({ user }: { user: User }) {
  const router = useRouter();
  const { unsent, leave } = useLeaving();

  async function deleteAccount(data: FormData) {
    const password = String(data.get("password"));
    if (await leave(() => api.deleteAccount(password))) await router.replace("/signin?done=deletion");
  }

  return (
    <AccountSection title="Delete account">
      <p>This cannot be undone.</p>
      <ul className={styles.list}>
        <li>You are signed out everywhere, and can no longer sign in.</li>
        <li>Your listings are withdrawn. Seats that are sold stay with their buyers.</li>
        <li>Passes that you have bought can no longer be shown here: print or save them first.</li>
        <li>Your e-mail address is removed. Records of past orders and payments are kept without it.</li>
      </ul>
      <p>
        You cannot delete the account while an order of yours or of your tickets is unpaid, or while you have sold
        tickets for an event to come.
      </p>
      <Form className={styles.form} send={deleteAccount}>
        <Refusal />
        <UsernameOfForm email={user.email} />
        <CurrentPasswordField label="Your password" />
        <SubmitButton variant="danger">{labelOfLeaving("Delete my account", unsent)}</SubmitButton>
      </Form>
    </AccountSection>
  );
}

function Refusal() {
  const { error } = useSubmission();
  if (error?.status !== 409) return <FormError />;
  const { holds = 0, sales = 0 } = error.problem;
  return (
    <Notice tone="bad" title="Your account cannot be deleted yet">
      {holds > 0 && (
        <p>
          There are unpaid orders of yours, or of tickets that you sell (orders: {holds}). Pay for yours or cancel them,
          or wait until they expire: see <PageLink href="/orders">My orders</PageLink>.
        </p>
      )}
      {sales > 0 && (
        <p>
          You have sold tickets for events to come (orders: {sales}). Wait until the events are over, or call them off:
          see <PageLink href="/listings">My listings</PageLink>.
        </p>
      )}
      {holds + sales === 0 && <p>{error.message}</p>}
    </Notice>
  );
}
