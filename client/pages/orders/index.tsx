/** My orders: the signed-in user's open, paid, cancelled and expired orders. */
import { ButtonLink } from "@/components/Button";
import { EmptyState } from "@/components/EmptyState";
import { FailureState } from "@/components/FailureState";
import { LoadMore } from "@/components/LoadMore";
import { OrderList } from "@/components/OrderList";
import { PageTitle } from "@/components/PageTitle";
import { useLiveOrders } from "@/hooks/useLiveOrders";
import { useServerNow } from "@/hooks/useServerClock";
import type { Page } from "@/lib/api/client";
import type { Order } from "@/lib/api/types";
import { type PageProps, page, type SharedProps } from "@/lib/server/pageProps";
import styles from "@/styles/page.module.css";

interface Props {
  orders: Page<Order>;
}

export const getServerSideProps = page<Props>(
  async ({ services }) => ({ props: { orders: await services.listOrders({}) } }),
  { signedIn: true },
);

export default function OrdersPage(props: PageProps<Props>) {
  return (
    <div className={styles.stack}>
      <PageTitle>My orders</PageTitle>
      <h1>My orders</h1>
      {"failure" in props ? <FailureState failure={props.failure} /> : <Orders {...props} />}
    </div>
  );
}

function isOpen(order: Order): boolean {
  return order.status === "created";
}

function Orders({ orders, renderedAt }: Props & SharedProps) {
  const list = useLiveOrders(orders);
  const now = useServerNow(renderedAt, list.items.some(isOpen));
  if (list.items.length === 0) {
    return (
      <EmptyState title="No orders yet" text="Tickets that you hold appear here, with the time you have left to pay.">
        <ButtonLink href="/">Browse tickets</ButtonLink>
      </EmptyState>
    );
  }
  return (
    <>
      <OrderList title="Waiting for payment" orders={list.items.filter(isOpen)} now={now} />
      <OrderList title="History" orders={list.items.filter((order) => !isOpen(order))} />
      <LoadMore {...list} onMore={list.loadMore} />
    </>
  );
}
