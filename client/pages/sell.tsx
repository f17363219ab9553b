/** Sell: create a listing. */
import Head from "next/head";
import { useRouter } from "next/router";
import { useRef } from "react";
import { FailureState } from "@/components/FailureState";
import { TicketForm } from "@/components/TicketForm";
import { api } from "@/lib/api/browser";
import { Attempt } from "@/lib/attempt";
import { type Failure, page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

export const getServerSideProps = page(async () => ({ props: {} }), { signedIn: true });

export default function SellPage({ failure }: { failure?: Failure }) {
  const router = useRouter();
  const attempt = useRef(new Attempt());
  return (
    <div className={`${styles.stack} ${styles.medium}`}>
      <Head>
        <title>Sell tickets · Ticketing</title>
      </Head>
      <div>
        <h1>Sell tickets</h1>
        <p className={styles.lead}>
          Your tickets are for sale as soon as you list them. You can change everything until a buyer holds one.
        </p>
      </div>
      {failure ? (
        <FailureState failure={failure} />
      ) : (
        <TicketForm
          submitLabel="List for sale"
          onSubmit={async (input) => {
            const ticket = await attempt.current.run(input, (key) => api.createTicket(input, key));
            await router.push(`/tickets/${ticket.id}?listed=1`);
          }}
        />
      )}
    </div>
  );
}
