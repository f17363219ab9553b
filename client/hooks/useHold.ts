/** Holds tickets of one listing at the price that the buyer has seen, and keeps the reason of a refusal. */
import { useRouter } from "next/router";
import { useRef, useState } from "react";
import { api } from "@/lib/api/browser";
import { ApiError } from "@/lib/api/errors";
import type { Ticket } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { signInPath } from "@/lib/returnTo";
import { useAction } from "./useAction";

/** What the orders service knew at a refusal; a newer version of the listing replaces it. */
interface Correction {
  version: number;
  available?: number | undefined;
  price?: number | undefined;
}

interface Hold {
  busy: boolean;
  /** The service refused the hold: no seat is free, or the event has started. */
  lost: boolean;
  error: ApiError | null;
  /** The number of free seats, as far as is known. */
  free: number;
  /** The present price of one seat. */
  price: number;
  /** The last price that the buyer agreed to. If it is below `price`, the buyer must agree first. */
  agreedPrice: number;
  agree: () => void;
  /** Holds `quantity` seats and goes to the order's page. */
  hold: (quantity: number) => Promise<void>;
}

export function useHold(ticket: Ticket): Hold {
  const router = useRouter();
  const attempt = useRef(new Attempt());
  const [lost, setLost] = useState(false);
  const [agreedPrice, setAgreedPrice] = useState(ticket.price);
  const [correction, setCorrection] = useState<Correction | null>(null);
  const corrected = correction?.version === ticket.version ? correction : null;
  const free = Math.min(ticket.available, corrected?.available ?? ticket.available);
  const price = corrected?.price ?? ticket.price;

  const { busy, error, start } = useAction(async (quantity: number) => {
    setLost(false);
    try {
      const input = { ticketId: ticket.id, quantity, price };
      const order = await attempt.current.run(input, (key) => api.createOrder(input, key));
      await router.push(`/orders/${order.id}`);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (failure.status === 401) await router.push(signInPath(ticketPath(ticket.id, quantity)));
      else if (failure.status === 409 && !failure.stillRunning) refused(failure);
      else throw failure;
    }
  });

  function refused({ problem: { available, price } }: ApiError) {
    setCorrection({ version: ticket.version, available, price });
    setLost(!available && price === undefined);
  }

  return { busy, lost, error, free, price, agreedPrice, agree: () => setAgreedPrice(price), hold: start };
}

/** The address of a ticket's page; more than one ticket to buy is kept in the address, for the return from sign-in. */
export function ticketPath(id: string, quantity: number): string {
  return quantity === 1 ? `/tickets/${id}` : `/tickets/${id}?quantity=${quantity}`;
}
