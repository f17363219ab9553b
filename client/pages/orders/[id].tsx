/** One order: its payment form while the hold lasts, then its outcome and its passes. */
import { BackLink } from "@/components/BackLink";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { Countdown } from "@/components/Countdown";
import { FailureState } from "@/components/FailureState";
import { LocalTime } from "@/components/LocalTime";
import { Notice } from "@/components/Notice";
import { OrderedTickets } from "@/components/OrderedTickets";
import { OrderOutcome } from "@/components/OrderOutcome";
import { PageLink } from "@/components/PageLink";
import { PageTitle } from "@/components/PageTitle";
import { Passes } from "@/components/Passes";
import { PaymentForm } from "@/components/PaymentForm";
import { Receipt } from "@/components/Receipt";
import { OrderBadge } from "@/components/StatusBadge";
import { useOrder } from "@/hooks/useOrder";
import { mayHavePasses, usePasses } from "@/hooks/usePasses";
import { useServerNow } from "@/hooks/useServerClock";
import { api } from "@/lib/api/browser";
import { ignoreFailure } from "@/lib/api/errors";
import type { Order, Pass } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { type PageProps, page, type SharedProps } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  order: Order;
  /** Null if the order has none, or if they could not be loaded. */
  passes: Pass[] | null;
}

export const getServerSideProps = page<Props>(
  async ({ services, id }) => {
    const order = await services.getOrder(id);
    // The page is useful without them, and the browser asks again.
    const passes = mayHavePasses(order) ? await services.listPasses(order.id).catch(ignoreFailure) : null;
    return { props: { order, passes: passes ?? null } };
  },
  { signedIn: true },
);

export default function OrderPage(props: PageProps<Props>) {
  return "failure" in props ? (
    <FailureState failure={props.failure} heading="h1" />
  ) : (
    <OrderDetails key={props.order.id} {...props} />
  );
}

function OrderDetails({ order: initial, passes: rendered, renderedAt, config, user }: Props & SharedProps) {
  const { order, refresh } = useOrder(initial);
  const { passes, failed } = usePasses(order, rendered);
  const open = order.status === "created";
  const remainingMs = Date.parse(order.expiresAt) - useServerNow(renderedAt, open);

  async function cancel() {
    try {
      await api.cancelOrder(order.id);
    } finally {
      // A refusal means that the order was paid or cancelled in the meantime: show that.
      refresh();
    }
  }

  return (
    <div className={styles.stack}>
      <PageTitle>{`Order: ${order.ticket.title}`}</PageTitle>
      <BackLink href="/orders">My orders</BackLink>
      <div className={styles.columns}>
        <section className={styles.stack} aria-label="Order">
          <div className={`${styles.title} screenOnly`}>
            <div className={styles.row}>
              <OrderBadge order={order} />
            </div>
            <h1>{order.ticket.title}</h1>
          </div>
          {open ? (
            <div className={styles.card}>
              <Countdown
                remainingMs={remainingMs}
                totalMs={Date.parse(order.expiresAt) - Date.parse(order.createdAt)}
              />
            </div>
          ) : (
            <div className="screenOnly">
              <OrderOutcome order={order} wasPaid={passes !== null} />
            </div>
          )}
          {passes && mayHavePasses(order) && <Passes order={order} passes={passes} />}
          {failed && (
            <Notice tone="warn" title="Your passes could not be loaded.">
              The tickets are yours. Reload this page in a moment to see the passes.
            </Notice>
          )}
        </section>
        {open && (
          <section className={`${styles.card} ${styles.side}`} aria-label="Payment">
            <h2>Pay by card</h2>
            <PaymentForm order={order} stripe={config.stripe} timeIsUp={remainingMs <= 0} onResponse={refresh} />
            <ConfirmDialog
              label="Cancel this order"
              title="Cancel this order?"
              confirmLabel="Yes, cancel it"
              keepLabel="Keep the order"
              onConfirm={cancel}
            >
              <p>
                {order.quantity === 1 ? "The ticket goes" : "The tickets go"} back on sale. You have not been charged.
              </p>
            </ConfirmDialog>
          </section>
        )}
        {order.status === "complete" ? <Receipt order={order} buyer={user} /> : <OrderFacts order={order} />}
      </div>
    </div>
  );
}

function OrderFacts({ order }: { order: Order }) {
  return (
    <dl className={`${styles.facts} ${styles.card}`}>
      <OrderedTickets order={order} />
      <dt>Total</dt>
      <dd>{formatPrice(order.total, order.ticket.currency)}</dd>
      <dt>Ordered</dt>
      <dd>
        <LocalTime iso={order.createdAt} />
      </dd>
      <dt>Listing</dt>
      <dd>
        <PageLink href={`/tickets/${order.ticket.id}`}>See the listing</PageLink>
      </dd>
      <dt>Order number</dt>
      <dd className={styles.number}>{order.id}</dd>
    </dl>
  );
}
