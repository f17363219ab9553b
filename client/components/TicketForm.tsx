/** The listing's form, for a new ticket and for a change. */
import { useRouter } from "next/router";
import { useEffect, useRef } from "react";
import { useFormSubmission } from "@/hooks/useFormSubmission";
import { useHydrated } from "@/hooks/useHydrated";
import { invalidInput } from "@/lib/api/errors";
import type { Ticket, TicketInput } from "@/lib/api/types";
import { restoreDraft } from "@/lib/draft";
import { isoFromLocalInput, localInputFromIso } from "@/lib/localInput";
import styles from "@/styles/page.module.css";
import { Button } from "./Button";
import { TextAreaField, TextField } from "./Field";
import { FormError } from "./FormError";

const NO_TITLE = { title: "Say what the ticket is for." };
const NO_PRICE = { price: "Write the price as a number with at most two decimals, for instance 25 or 25.50." };
const FIELDS = ["title", "price", "venue", "startsAt", "description"];

interface Props {
  ticket?: Ticket;
  submitLabel: string;
  onSubmit: (input: TicketInput) => Promise<void>;
}

export function TicketForm({ ticket, submitLabel, onSubmit }: Props) {
  const hydrated = useHydrated();
  const form = useRef<HTMLFormElement>(null);
  const { asPath } = useRouter();
  useEffect(() => {
    // The session had ended when this was sent: its author has signed in again and is back.
    if (hydrated && form.current) restoreDraft(asPath, form.current);
  }, [hydrated, asPath]);
  const { busy, error, submit } = useFormSubmission(async (data) => {
    const text = (name: string) => String(data.get(name)).trim() || null;
    const title = text("title");
    const price = readPrice(String(data.get("price")));
    if (title === null || price === null)
      throw invalidInput({ ...(!title && NO_TITLE), ...(price === null && NO_PRICE) });
    await onSubmit({
      title,
      price,
      venue: text("venue"),
      startsAt: isoFromLocalInput(String(data.get("startsAt"))),
      description: text("description"),
    });
  });
  const errors = error?.fieldErrors ?? {};

  return (
    <form ref={form} className={styles.card} onSubmit={submit} noValidate>
      <FormError error={error} fields={FIELDS} />
      <TextField
        label="Title"
        name="title"
        required
        maxLength={200}
        defaultValue={ticket?.title}
        error={errors.title}
      />
      <div className={styles.pair}>
        <TextField
          label="Price in US dollars"
          name="price"
          required
          inputMode="decimal"
          placeholder="25.00"
          defaultValue={ticket?.price.toFixed(2)}
          error={errors.price}
        />
        <TextField
          // The input speaks local time, which only the browser knows: remount it once there.
          key={String(hydrated)}
          label="Starts at"
          name="startsAt"
          type="datetime-local"
          optional
          defaultValue={hydrated && ticket?.startsAt ? localInputFromIso(ticket.startsAt) : ""}
          error={errors.startsAt}
        />
      </div>
      <TextField
        label="Venue"
        name="venue"
        optional
        maxLength={200}
        defaultValue={ticket?.venue ?? ""}
        error={errors.venue}
      />
      <TextAreaField
        label="Description"
        name="description"
        optional
        maxLength={2000}
        hint="Seat, entrance, what the buyer should know."
        defaultValue={ticket?.description ?? ""}
        error={errors.description}
      />
      <Button type="submit" wide busy={busy}>
        {submitLabel}
      </Button>
    </form>
  );
}

function readPrice(text: string): number | null {
  const normal = text.trim().replace(",", ".");
  return /^\d+(\.\d{1,2})?$/.test(normal) ? Number(normal) : null;
}
