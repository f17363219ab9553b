/** Browse: the tickets for sale, with search and sorting; the address holds the page's whole state. */
import { useRouter } from "next/router";
import { useEffect, useEffectEvent } from "react";
import { BrowseFilters } from "@/components/BrowseFilters";
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { LoadMore } from "@/components/LoadMore";
import { PageTitle } from "@/components/PageTitle";
import { TicketGrid, TicketGridSkeleton } from "@/components/TicketCard";
import { useLiveTickets } from "@/hooks/useLiveTickets";
import { useNavigating } from "@/hooks/useNavigating";
import { api } from "@/lib/api/browser";
import type { Page } from "@/lib/api/client";
import { ApiError } from "@/lib/api/errors";
import { type LoadPage, loadItems, PAGE } from "@/lib/api/paging";
import type { Ticket } from "@/lib/api/types";
import {
  type BrowseState,
  browsePath,
  dayErrors,
  hasDays,
  isFiltered,
  MAX_PAGES_ON_LOAD,
  readBrowseState,
  ticketQuery,
} from "@/lib/browseQuery";
import { browseView } from "@/lib/live/views";
import { type PageProps, page } from "@/lib/server/pageProps";
import { ownZone } from "@/lib/timeZone";
import styles from "@/styles/page.module.css";

interface Props {
  state: BrowseState;
  tickets: Page<Ticket>;
  /** Error messages for filter values, by the filter's name. */
  filterErrors: Record<string, string>;
}

export const getServerSideProps = page<Props>(async ({ services, query }) => {
  const requested = readBrowseState(query);
  // Without scripts the reader's zone is unknown: use UTC, and the page says so.
  const state = hasDays(requested) && !requested.zone ? { ...requested, zone: "UTC" } : requested;
  const refused = (filterErrors: Record<string, string>) => {
    return { props: { state, tickets: { items: [], next: null }, filterErrors }, status: 422 };
  };
  const wrong = dayErrors(state);
  if (Object.keys(wrong).length > 0) return refused(wrong);
  try {
    const count = PAGE * Math.min(state.pages, MAX_PAGES_ON_LOAD);
    // The requests that loaded these pages before: the service answers them from memory while its database is down, and
    // it does not keep long responses.
    const load: LoadPage<Ticket> = ({ cursor }) =>
      services.listTickets({ ...ticketQuery(state), ...(cursor && { cursor }) });
    return { props: { state, tickets: await loadItems(load, count), filterErrors: {} } };
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 422)) throw error;
    return refused(error.fieldErrors);
  }
});

export default function BrowsePage(props: PageProps<Props>) {
  return (
    <div className={styles.stack}>
      <PageTitle>Tickets for sale</PageTitle>
      <div>
        <h1>Find your next night out</h1>
        <p className={styles.lead}>Tickets from fans who cannot go, held for you while you pay.</p>
      </div>
      {"failure" in props ? <FailureState failure={props.failure} /> : <Browse {...props} />}
    </div>
  );
}

function Browse({ state, tickets, filterErrors }: Props) {
  const router = useRouter();
  useReadersDays(state);
  const navigating = useNavigating();
  const list = useLiveTickets(tickets, browseView(state), (query, signal) =>
    api.listTickets({ ...ticketQuery(state), ...query }, signal),
  );
  const shown = readBrowseState(router.query).pages;

  async function more() {
    if (await list.loadMore()) {
      router.replace(browsePath({ ...state, pages: shown + 1 }), undefined, { shallow: true, scroll: false });
    }
  }

  return (
    <>
      <BrowseFilters
        state={state}
        errors={filterErrors}
        onChange={(wanted) => router.replace(browsePath(wanted), undefined, { scroll: false })}
      />
      <p className={styles.count} role="status">
        {navigating ? "Searching…" : countText(list.items.length, list.hasMore)}
      </p>
      {navigating && list.items.length === 0 ? (
        <TicketGridSkeleton />
      ) : list.items.length > 0 ? (
        <TicketGrid tickets={list.items} busy={navigating} />
      ) : (
        <NothingFound filtered={isFiltered(state)} invalid={Object.keys(filterErrors).length > 0} />
      )}
      {list.loading && <TicketGridSkeleton />}
      <LoadMore {...list} onMore={more} automatic={shown < MAX_PAGES_ON_LOAD} />
    </>
  );
}

/** Adds the reader's own zone to an address that has days without a zone; only the browser knows the zone. */
function useReadersDays(state: BrowseState): void {
  const router = useRouter();
  const zoneMissing = hasDays(state) && router.query.zone === undefined;
  const addZone = useEffectEvent(() =>
    router.replace(browsePath({ ...state, zone: ownZone() }), undefined, { scroll: false }),
  );
  useEffect(() => {
    if (zoneMissing) void addZone();
  }, [zoneMissing]);
}

function countText(count: number, hasMore: boolean): string {
  if (count === 0) return "No listings";
  return `${count}${hasMore ? "+" : ""} ${count === 1 ? "listing" : "listings"}`;
}

function NothingFound({ filtered, invalid }: { filtered: boolean; invalid: boolean }) {
  if (invalid) {
    return (
      <EmptyState title="Check your filters" text="One of the filters has an invalid value; it is marked above.">
        <ButtonLink href="/">Show all tickets</ButtonLink>
      </EmptyState>
    );
  }
  return filtered ? (
    <EmptyState
      title="No matching tickets"
      text="Try fewer words, a wider price range or other dates. New tickets appear all the time."
    >
      <ButtonLink href="/">Show all tickets</ButtonLink>
    </EmptyState>
  ) : (
    <EmptyState title="No tickets for sale yet" text="Be the first to list tickets.">
      <ButtonLink href="/sell">Sell tickets</ButtonLink>
    </EmptyState>
  );
}
