/** My listings: the signed-in user's listings in every status, and the total sales. */
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { LoadMore } from "@/components/LoadMore";
import { PageTitle } from "@/components/PageTitle";
import { SalesSummary } from "@/components/SalesSummary";
import { TicketGrid } from "@/components/TicketCard";
import { useLiveTickets } from "@/hooks/useLiveTickets";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import type { Ticket } from "@/lib/api/types";
import { listingsView } from "@/lib/live/views";
import { type PageProps, page, type SharedProps } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  tickets: Page<Ticket>;
}

/** The maximum page size: the summary counts what is loaded, and few sellers have more. */
const LIMIT = "100";

export const getServerSideProps = page<Props>(
  async ({ services }) => {
    return { props: { tickets: await services.listMyTickets({ limit: LIMIT }) } };
  },
  { signedIn: true },
);

export default function ListingsPage(props: PageProps<Props>) {
  return (
    <div className={styles.stack}>
      <PageTitle>My listings</PageTitle>
      <div className={styles.head}>
        <h1>My listings</h1>
        <ButtonLink href="/sell">Sell tickets</ButtonLink>
      </div>
      {"failure" in props ? <FailureState failure={props.failure} /> : <Listings {...props} />}
    </div>
  );
}

function Listings({ tickets, user }: Props & SharedProps) {
  const list = useLiveTickets(tickets, listingsView(user?.id), (query, signal) =>
    api.listMyTickets({ limit: LIMIT, ...query }, signal),
  );
  if (list.items.length === 0) {
    return (
      <EmptyState
        title="You have no listings yet"
        text="Tickets that you list appear here with their status: available, on hold, sold or ended."
      />
    );
  }
  return (
    <>
      <SalesSummary tickets={list.items} more={list.hasMore} />
      <TicketGrid tickets={list.items} />
      <LoadMore {...list} onMore={list.loadMore} />
    </>
  );
}
