/** Your account: e-mail address, password, second factor, sessions, data, deletion. */
import { ChangePasswordForm } from "@/components/ChangePasswordForm";
import { DataExport } from "@/components/DataExport";
import { DeleteAccountForm } from "@/components/DeleteAccountForm";
import { EmailState } from "@/components/EmailState";
import { FailureState } from "@/components/FailureState";
import { OpenSessions } from "@/components/OpenSessions";
import { PageTitle } from "@/components/PageTitle";
import { SecondFactor } from "@/components/SecondFactor";
import { SignOutEverywhere } from "@/components/SignOutEverywhere";
import { type PageProps, page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }), { signedIn: true });

export default function AccountPage(props: PageProps<object>) {
  const { user } = props;
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <PageTitle>Your account</PageTitle>
      <h1>Your account</h1>
      {"failure" in props && <FailureState failure={props.failure} />}
      {user && (
        <>
          <EmailState user={user} />
          <ChangePasswordForm user={user} />
          <SecondFactor user={user} />
          <OpenSessions user={user} />
          <SignOutEverywhere />
          <DataExport />
          <DeleteAccountForm user={user} />
        </>
      )}
    </div>
  );
}
