/** The sales of one of the user's own listings: check passes, refund an order, call the event off. */
import { BackLink } from "@/components/BackLink";
import { ButtonLink } from "@/components/Button";
import { CallOff } from "@/components/CallOff";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { LoadMore } from "@/components/LoadMore";
import { Notice } from "@/components/Notice";
import { PageTitle } from "@/components/PageTitle";
import { SaleList } from "@/components/SaleList";
import { TicketBadge } from "@/components/StatusBadge";
import { useLiveTicket } from "@/hooks/useLiveTicket";
import { useSales } from "@/hooks/useSales";
import { useTicketStatus } from "@/hooks/useTicketStatus";
import type { Page } from "@/lib/api/client";
import type { CheckinCounts, Order, Ticket } from "@/lib/api/types";
import { countTickets, seatsLeft } from "@/lib/seats";
import { type PageProps, page } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  ticket: Ticket;
  sales: Page<Order>;
  counts: Pick<CheckinCounts, "sold" | "checkedIn">;
}

export const getServerSideProps = page<Props>(
  async ({ services, user, id }) => {
    const ticket = await services.getTicket(id);
    if (ticket.userId !== user?.id) return { redirect: `/tickets/${ticket.id}` };
    const [sales, { sold, checkedIn }] = await Promise.all([
      services.listSales({ ticketId: id }),
      services.countCheckins(id),
    ]);
    return { props: { ticket, sales, counts: { sold, checkedIn } } };
  },
  { signedIn: true },
);

export default function SalesPage(props: PageProps<Props>) {
  return "failure" in props ? (
    <FailureState failure={props.failure} heading="h1" />
  ) : (
    <Sales key={props.ticket.id} {...props} />
  );
}

function Sales({ ticket: initial, sales, counts: initialCounts }: Props) {
  const ticket = useLiveTicket(initial) ?? initial;
  const status = useTicketStatus(ticket);
  const { list, counts, refunded, refund } = useSales(ticket, sales, initialCounts);
  const cancelled = ticket.status === "cancelled";
  return (
    <div className={styles.stack}>
      <PageTitle>{`Sales: ${ticket.title}`}</PageTitle>
      <BackLink href={`/tickets/${ticket.id}`}>The listing</BackLink>
      <header className={styles.title}>
        <div className={styles.row}>
          <TicketBadge status={status} left={seatsLeft(ticket)} />
        </div>
        <h1>Sales: {ticket.title}</h1>
      </header>
      {cancelled && (
        <Notice tone="warn" title="You called this event off.">
          All its orders end, and the buyers get back what they paid. This takes a moment; the banks need 5 to 10 days.
        </Notice>
      )}
      {refunded && (
        <Notice tone="good" title="The order is refunded.">
          {`The buyer gets back the full price, and the passes are void.${cancelled ? "" : " The seats are for sale again."}`}
        </Notice>
      )}
      <div className={styles.columns}>
        <section className={styles.stack} aria-labelledby="orders">
          <h2 id="orders">Paid orders</h2>
          {list.items.length === 0 ? (
            <EmptyState
              title="No paid orders"
              text={cancelled ? "All orders of this event have ended." : "Orders appear here as soon as they are paid."}
              heading="h3"
            />
          ) : (
            <SaleList orders={list.items} onRefund={refund} />
          )}
          <LoadMore {...list} onMore={list.loadMore} />
        </section>
        <aside className={`${styles.stack} ${styles.side}`} aria-label="Entrance">
          <div className={styles.card}>
            <p>
              <span className={styles.price}>{counts.checkedIn}</span> admitted, {countTickets(counts.sold)} sold
            </p>
            {!cancelled && (
              <>
                <ButtonLink href={`/checkin/${ticket.id}`} wide>
                  Check passes
                </ButtonLink>
                <p className={styles.count}>Scans passes with the camera of this device, also without a network.</p>
              </>
            )}
          </div>
          {!cancelled && <CallOff ticket={ticket} sold={counts.sold} />}
        </aside>
      </div>
    </div>
  );
}
