/** Sign in, then return to the previous page. */
import { CredentialsForm } from "@/components/CredentialsForm";
import { safeReturnPath } from "@/lib/returnTo";
import { page } from "@/lib/server/pageProps";

interface Props {
  returnTo: string;
}

export const getServerSideProps = page<Props>(async ({ user, context }) => {
  const returnTo = safeReturnPath(context.query.returnTo);
  return user ? { redirect: returnTo } : { props: { returnTo } };
});

export default function SignInPage({ returnTo }: Props) {
  return <CredentialsForm kind="signin" returnTo={returnTo} />;
}
