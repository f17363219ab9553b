/** A form for a change of the account that asks for the password, and for a code if `code` is set. */
import type { User } from "@/lib/api/types";
import styles from "@/styles/page.module.css";
import { CodeField, CurrentPasswordField, UsernameOfForm } from "./AccountFields";
import { Form, FormError, SubmitButton } from "./Form";

interface Props {
  user: User;
  /** The label of the password: says what it is for. */
  label: string;
  submitLabel: string;
  danger?: boolean;
  code?: boolean;
  send: (password: string, code: string) => Promise<void>;
}

export function PasswordForm({ user, label, submitLabel, danger = false, code = false, send }: Props) {
  return (
    <Form className={styles.form} send={(data) => send(String(data.get("password")), String(data.get("code")))}>
      <FormError />
      <UsernameOfForm email={user.email} />
      <CurrentPasswordField label={label} />
      {code && <CodeField recovery />}
      <SubmitButton variant={danger ? "danger" : "primary"}>{submitLabel}</SubmitButton>
    </Form>
  );
}
