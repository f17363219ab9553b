/** Sets a new password for the signed-in user, who must know the current one (OWASP ASVS 5.0, V6.2.3). */
import { useState } from "react";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { api } from "@/lib/api/browser";
import type { User } from "@/lib/api/types";
import { reportOthersEnded } from "@/lib/session";
import styles from "@/styles/page.module.css";
import { CurrentPasswordField, NewPasswordField, UsernameOfForm } from "./AccountFields";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { FormError } from "./FormError";
import { Notice } from "./Notice";

export function ChangePasswordForm({ user }: { user: User }) {
  const [changed, setChanged] = useState(0);
  return (
    <AccountSection title="Change password">
      {changed > 0 && (
        <Notice tone="good">Your password is changed. Every other session of your account has ended.</Notice>
      )}
      {/* A new form after each change, so that no password stays in it. */}
      <PasswordFields key={changed} user={user} onChanged={() => setChanged((times) => times + 1)} />
    </AccountSection>
  );
}

function PasswordFields({ user, onChanged }: { user: User; onChanged: () => void }) {
  const { busy, error, submit } = useFormSubmission(async (data) => {
    await api.changePassword(String(data.get("currentPassword")), String(data.get("password")));
    onChanged();
    reportOthersEnded();
  });
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      <FormError error={error} fields={["currentPassword", "password"]} />
      <UsernameOfForm email={user.email} />
      <CurrentPasswordField label="Current password" name="currentPassword" error={error} />
      <NewPasswordField label="New password" error={error} />
      <Button type="submit" busy={busy}>
        Change the password
      </Button>
    </form>
  );
}
