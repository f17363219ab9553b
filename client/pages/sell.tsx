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
        <title>Sell a ticket · Ticketing</title>
      </Head>
      <div>
        <h1>Sell a ticket</h1>
        <p className={styles.lead}>It is for sale as soon as you list it. You can change it until a buyer holds it.</p>
      </div>
      {failure ? (
        <FailureState failure={failure} />
      ) : (
        <TicketForm
          submitLabel="List this ticket"
          onSubmit={async (input) => {
            const ticket = await attempt.current.run(input, (key) => api.createTicket(input, key));
            await router.push(`/tickets/${ticket.id}?listed=1`);
          }}
        />
      )}
    </div>
  );
}
