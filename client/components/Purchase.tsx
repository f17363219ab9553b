/** The buyer's part of a ticket page: how many tickets, the total, the button that holds them, and what prevents a hold. */
import { useRouter } from "next/router";
import { useState } from "react";
import { ticketPath, type useHold } from "@/hooks/useHold";
import type { Order, Ticket, TicketStatus, User } from "@/lib/api/types";
import { formatPrice } from "@/lib/format";
import { first, signInPath } from "@/lib/returnTo";
import { countTickets, MAX_SEATS_PER_ORDER, totalPrice } from "@/lib/seats";
import styles from "@/styles/page.module.css";
import { Button, ButtonLink } from "./Button";
import { Notice } from "./Notice";
import purchase from "./Purchase.module.css";
import { QuantityStepper } from "./QuantityStepper";

interface Props {
  ticket: Ticket;
  status: TicketStatus;
  user: User | null;
  hold: ReturnType<typeof useHold>;
  ownHold: Order | null;
}

export function Purchase({ ticket, status, user, hold, ownHold }: Props) {
  const wantedFromAddress = Number(first(useRouter().query?.quantity));
  const [wanted, setWanted] = useState(() =>
    Number.isInteger(wantedFromAddress) ? Math.max(1, Math.min(MAX_SEATS_PER_ORDER, wantedFromAddress)) : 1,
  );
  const { busy, lost, error, free, price, agreedPrice } = hold;
  const several = ticket.quantity > 1;
  const count = several ? wanted : 1;
  if (status === "sold")
    return <Notice tone="info">{several ? "All tickets of this listing are sold." : "This ticket is sold."}</Notice>;
  if (status === "cancelled") {
    return <Notice tone="info">The seller has called this event off. Tickets for it can no longer be bought.</Notice>;
  }
  // While our own request is running, "held" is the result of this request.
  if (ownHold && !busy && (!several || free === 0 || status === "ended")) return <OwnHold order={ownHold} />;
  const label = several ? `Hold ${countTickets(count)}` : "Hold this ticket";
  if (status === "ended") {
    return (
      <>
        <Notice tone="info" title="This event has started.">
          Tickets for it can no longer be bought.
        </Notice>
        <Button wide disabled>
          {label}
        </Button>
      </>
    );
  }
  const taken = status === "held" && !busy;
  const tooFew = several && free > 0 && count > free && !busy;
  const dearer = price > agreedPrice && !busy;
  return (
    <>
      {ownHold && !busy && <OwnHold order={ownHold} />}
      {lost && <Lost several={several} />}
      {taken && !lost && <Taken several={several} />}
      {several && free > 0 && (
        <div className={styles.group}>
          <QuantityStepper
            label="Number of tickets"
            value={count}
            max={Math.min(free, MAX_SEATS_PER_ORDER)}
            onChange={setWanted}
          />
          <p className={purchase.total}>
            <span>Total</span>
            <strong>{formatPrice(totalPrice(price, count), ticket.currency)}</strong>
          </p>
        </div>
      )}
      {tooFew && (
        <Notice tone="warn" title={free === 1 ? "Only 1 ticket is left." : `Only ${free} tickets are left.`}>
          <p>You do not hold any of them yet.</p>
          <Button
            variant="secondary"
            disabled={dearer}
            onClick={() => {
              setWanted(free);
              void hold.hold(free);
            }}
          >
            {`Take ${countTickets(free)}`}
          </Button>
        </Notice>
      )}
      {dearer && (
        <Notice tone="warn" title="The price has changed.">
          <p>
            {`${several ? "Each ticket" : "This ticket"} now costs ${formatPrice(price, ticket.currency)} instead of ${formatPrice(agreedPrice, ticket.currency)}.`}
          </p>
          <Button variant="secondary" onClick={hold.agree}>
            Accept the new price
          </Button>
        </Notice>
      )}
      {error && <Notice tone="bad">{error.message}</Notice>}
      {user ? (
        <Button
          wide
          variant={ownHold ? "secondary" : "primary"}
          busy={busy}
          disabled={tooFew || dearer}
          onClick={() => hold.hold(count)}
        >
          {!(lost || taken) ? label : several ? "Try again" : "Try to hold it again"}
        </Button>
      ) : (
        <ButtonLink wide href={signInPath(ticketPath(ticket.id, count))}>
          {several ? `Sign in to hold ${countTickets(count)}` : "Sign in to hold this ticket"}
        </ButtonLink>
      )}
      <p className={styles.count}>
        {count === 1
          ? "While you hold it, no other buyer can buy it. A hold costs nothing."
          : "While you hold them, no other buyer can buy them. A hold costs nothing."}
      </p>
    </>
  );
}

function OwnHold({ order: { id, quantity } }: { order: Order }) {
  return (
    <>
      <Notice tone="good" title={quantity === 1 ? "You hold this ticket." : `You hold ${quantity} tickets.`}>
        Pay before the time runs out.
      </Notice>
      <ButtonLink wide href={`/orders/${id}`}>
        Continue to payment
      </ButtonLink>
    </>
  );
}

function Lost({ several }: { several: boolean }) {
  return several ? (
    <Notice tone="warn" title="You do not hold any tickets.">
      Other buyers placed their holds first, or the event has started. You were not charged. If a buyer does not pay in
      time, tickets become available again.
    </Notice>
  ) : (
    <Notice tone="warn" title="You do not hold this ticket.">
      Another buyer placed a hold first, or the event has started. You were not charged. If that buyer does not pay in
      time, you can hold the ticket.
    </Notice>
  );
}

function Taken({ several }: { several: boolean }) {
  return several ? (
    <Notice tone="warn" title="All remaining tickets are on hold.">
      If a buyer does not pay in time, tickets become available again. This page updates by itself.
    </Notice>
  ) : (
    <Notice tone="warn" title="Another buyer holds this ticket.">
      If that buyer does not pay in time, you can hold it. This page updates by itself.
    </Notice>
  );
}
