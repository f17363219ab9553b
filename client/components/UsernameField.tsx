/** Tells password managers which account a form's password belongs to; not shown and not sent. */
export function UsernameField({ email }: { email: string }) {
  return <input type="text" autoComplete="username" value={email} readOnly hidden />;
}
