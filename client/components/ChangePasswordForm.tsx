/** Sets a new password for the signed-in user, who must know the current one (OWASP ASVS 5.0, V6.2.3). */
import { useState } from "react";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { api } from "@/lib/api/browser";
import { ApiError, invalidInput } from "@/lib/api/errors";
import type { User } from "@/lib/api/types";
import { NEW_PASSWORD_HINT } from "@/lib/passwords";
import styles from "@/styles/page.module.css";
import { AccountSection } from "./AccountSection";
import { Button } from "./Button";
import { TextField } from "./Field";
import { FormError } from "./FormError";
import { Notice } from "./Notice";
import { UsernameField } from "./UsernameField";

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
    try {
      await api.changePassword(String(data.get("currentPassword")), String(data.get("password")));
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 403)
        throw invalidInput({ currentPassword: "This is not your current password." });
      throw failure;
    }
    onChanged();
  });
  const errors = error?.fieldErrors ?? {};
  return (
    <form className={styles.form} onSubmit={submit} noValidate>
      <FormError error={error} fields={["currentPassword", "password"]} />
      <UsernameField email={user.email} />
      <TextField
        label="Current password"
        name="currentPassword"
        type="password"
        autoComplete="current-password"
        required
        error={errors.currentPassword}
      />
      <TextField
        label="New password"
        name="password"
        type="password"
        autoComplete="new-password"
        required
        hint={NEW_PASSWORD_HINT}
        error={errors.password}
      />
      <Button type="submit" busy={busy}>
        Change the password
      </Button>
    </form>
  );
}
