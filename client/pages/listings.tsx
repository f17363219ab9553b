/** My listings: what the signed-in user sells, in every state. */
import type { InferGetServerSidePropsType } from "next";
import Head from "next/head";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { LoadMore } from "@/components/LoadMore";
import { TicketGrid } from "@/components/TicketCard";
import { usePagedList } from "@/hooks/usePagedList";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  tickets: Page<Ticket>;
}

export const getServerSideProps = page<Props>(
  async ({ api: services }) => ({ props: { tickets: await services.listMyTickets({}) } }),
  { signedIn: true },
);

export default function ListingsPage(props: InferGetServerSidePropsType<typeof getServerSideProps>) {
  return (
    <div className={styles.stack}>
      <Head>
        <title>My listings · Ticketing</title>
      </Head>
      <div className={styles.head}>
        <h1>My listings</h1>
        <ButtonLink href="/sell">Sell a ticket</ButtonLink>
      </div>
      {"failure" in props ? <FailureState failure={props.failure} /> : <Listings tickets={props.tickets} />}
    </div>
  );
}

function Listings({ tickets }: Props) {
  const list = usePagedList(tickets, (cursor, signal) => api.listMyTickets({ cursor }, signal));
  if (list.items.length === 0) {
    return (
      <EmptyState
        title="You sell nothing yet"
        text="Tickets you list appear here with their state: available, on hold or sold."
      />
    );
  }
  return (
    <>
      <TicketGrid tickets={list.items} />
      <LoadMore {...list} onMore={list.loadMore} />
    </>
  );
}
