/** Sell: create a listing. */
import { useRouter } from "next/router";
import { useRef, useState } from "react";
import { FailureState } from "@/components/FailureState";
import { PageTitle } from "@/components/PageTitle";
import { TicketForm } from "@/components/TicketForm";
import { UnverifiedSeller } from "@/components/UnverifiedSeller";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { TicketInput, User } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { type Failure, page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }), { signedIn: true });

export default function SellPage({ failure, user }: { failure?: Failure; user: User | null }) {
  const router = useRouter();
  const attempt = useRef(new Attempt());
  /** How many submissions were refused because the e-mail address is not confirmed. */
  const [refusals, setRefusals] = useState(0);
  const unverified = user?.emailVerified === false;

  async function list(input: TicketInput) {
    try {
      const ticket = await attempt.current.run(input, (key) => api.createTicket(input, key));
      await router.push(`/tickets/${ticket.id}?listed=1`);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 403 && unverified)) throw error;
      setRefusals((before) => before + 1);
    }
  }

  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <PageTitle>Sell tickets</PageTitle>
      <div>
        <h1>Sell tickets</h1>
        <p className={styles.lead}>
          Your tickets are for sale as soon as you list them. You can change everything until a buyer holds one.
        </p>
      </div>
      {failure ? (
        <FailureState failure={failure} />
      ) : (
        <>
          {user && unverified && refusals > 0 && <UnverifiedSeller key={refusals} email={user.email} />}
          <TicketForm submitLabel="List for sale" onSubmit={list} />
        </>
      )}
    </div>
  );
}
