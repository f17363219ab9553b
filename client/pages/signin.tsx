/** Sign in, then return to the previous page. */
import { CredentialsForm } from "@/components/CredentialsForm";
import { first, safeReturnPath } from "@/lib/returnTo";
import { page } from "@/lib/server/pageProps";

interface Props {
  returnTo: string;
  done: keyof typeof DONE | null;
}

/** What leads here, by the `done` of the address. */
const DONE = {
  "password-reset":
    "Your password is changed, and every session of your account has ended. Sign in with the new password.",
  "sign-out-everywhere": "You are signed out on every device.",
  deletion: "Your account is deleted.",
};

export const getServerSideProps = page<Props>(async ({ user, query }) => {
  const returnTo = safeReturnPath(query.returnTo);
  const done = first(query.done) ?? "";
  return user ? { redirect: returnTo } : { props: { returnTo, done: isDone(done) ? done : null } };
});

function isDone(name: string): name is keyof typeof DONE {
  return Object.hasOwn(DONE, name);
}

export default function SignInPage({ returnTo, done }: Props) {
  return <CredentialsForm kind="signin" returnTo={returnTo} done={done ? DONE[done] : undefined} />;
}
