/** Sets a new password for the signed-in user, who must know the current one (OWASP ASVS 5.0, V6.2.3). */
import { useState } from "react";
import { api } from "@/lib/api/browser";
import type { User } from "@/lib/api/types";
import { reportOthersEnded } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { CurrentPasswordField, NewPasswordField, UsernameOfForm } from "./AccountFields";
import { AccountSection } from "./AccountSection";
import { Form, FormError, SubmitButton } from "./Form";
import { Notice } from "./Notice";

export function ChangePasswordForm({ user }: { user: User }) {
  const [changed, setChanged] = useState(0);

  async function change(data: FormData) {
    await api.changePassword(String(data.get("currentPassword")), String(data.get("password")));
    setChanged((times) => times + 1);
    reportOthersEnded();
  }

  return (
    <AccountSection title="Change password">
      {changed > 0 && (
        <Notice tone="good">Your password is changed. Every other session of your account has ended.</Notice>
      )}
      {/* A new form after each change, so that no password stays in it. */}
      <Form key={changed} className={styles.form} send={change}>
        <FormError />
        <UsernameOfForm email={user.email} />
        <CurrentPasswordField label="Current password" name="currentPassword" />
        <NewPasswordField label="New password" />
        <SubmitButton>Change the password</SubmitButton>
      </Form>
    </AccountSection>
  );
}
