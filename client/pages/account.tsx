/** Your account: e-mail address, password, second factor, sessions, data, deletion. */
import type { InferGetServerSidePropsType } from "next";
import Head from "next/head";
import { ChangePasswordForm } from "@/components/ChangePasswordForm";
import { DataExport } from "@/components/DataExport";
import { DeleteAccountForm } from "@/components/DeleteAccountForm";
import { EmailState } from "@/components/EmailState";
import { FailureState } from "@/components/FailureState";
import { OpenSessions } from "@/components/OpenSessions";
import { SecondFactor } from "@/components/SecondFactor";
import { SignOutEverywhere } from "@/components/SignOutEverywhere";
import { page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }), { signedIn: true });

export default function AccountPage(props: InferGetServerSidePropsType<typeof getServerSideProps>) {
  const { user } = props;
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <Head>
        <title>Your account · Ticketing</title>
      </Head>
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
