/** Calls an event off, after the seller has read what that means. */
import { useRef } from "react";
import { api } from "@/lib/api/browser";
import type { Ticket } from "@/lib/api/types";
import { Attempt } from "@/lib/attempt";
import { countTickets } from "@/lib/seats";
import page from "@/styles/page.module.css";
import { ConfirmDialog } from "./ConfirmDialog";

export function CallOff({ ticket, sold }: { ticket: Ticket; sold: number }) {
  const attempt = useRef(new Attempt());
  return (
    <div className={page.card}>
      <h2>Call the event off</h2>
      <p>If the event does not take place. To take one order back, refund that order instead.</p>
      <ConfirmDialog
        label="Call the event off"
        title={`Call “${ticket.title}” off?`}
        confirmLabel="Yes, call it off"
        keepLabel="Keep the event"
        onConfirm={async () => {
          // The new status arrives with the live updates.
          await attempt.current.run(ticket.id, (key) => api.cancelTicket(ticket.id, key));
        }}
      >
        <ul className={page.points}>
          <li>
            {sold === 0
              ? "No ticket is sold. Buyers who hold tickets now lose their holds, and are not charged."
              : `${countTickets(sold)} sold: the buyers get back the full price, and their passes are void. Open holds end.`}
          </li>
          <li>The listing shows that the event is called off, and cannot be changed or deleted any more.</li>
          <li>This cannot be undone.</li>
        </ul>
      </ConfirmDialog>
    </div>
  );
}
