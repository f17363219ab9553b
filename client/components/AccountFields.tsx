/** The inputs of forms about accounts, marked so that password managers recognise them (HTML Standard, autofill). */
import { TextField } from "./Field";

export function EmailField() {
  return <TextField label="E-mail" name="email" type="email" autoComplete="username" required />;
}

interface PasswordProps {
  label: string;
  name?: string;
}

/** The password that the account has. */
export function CurrentPasswordField({ label, name = "password" }: PasswordProps) {
  return <TextField label={label} name={name} type="password" autoComplete="current-password" required />;
}

/** A password that the account is to have; auth enforces the rule of the hint. */
export function NewPasswordField({ label }: PasswordProps) {
  return (
    <TextField
      label={label}
      name="password"
      type="password"
      autoComplete="new-password"
      required
      hint="8 characters or more, and none of the common ones."
    />
  );
}

/** A code of the second factor; `recovery` also allows a recovery code. */
export function CodeField({ recovery = false }: { recovery?: boolean }) {
  return (
    <TextField
      label="Code"
      name="code"
      inputMode={recovery ? "text" : "numeric"}
      autoComplete="one-time-code"
      autoCapitalize="characters"
      spellCheck={false}
      maxLength={64}
      required
      hint={recovery ? "6 digits from your authenticator app, or a recovery code." : "6 digits from your app."}
    />
  );
}

/** Says which account the password of a form belongs to; not shown and not sent. */
export function UsernameOfForm({ email }: { email: string }) {
  return <input type="text" autoComplete="username" value={email} readOnly hidden />;
}
