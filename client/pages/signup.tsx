/** Sign up, then return to the previous page. */
import { CredentialsForm } from "@/components/CredentialsForm";
import { safeReturnPath } from "@/lib/returnTo";
import { page } from "@/lib/server/pageProps";

interface Props {
  returnTo: string;
}

export const getServerSideProps = page<Props>(async ({ user, query }) => {
  const returnTo = safeReturnPath(query.returnTo);
  return user ? { redirect: returnTo } : { props: { returnTo } };
});

export default function SignUpPage({ returnTo }: Props) {
  return <CredentialsForm kind="signup" returnTo={returnTo} />;
}
